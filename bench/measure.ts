// Numbers and their presentation: medians and spreads, one JSON object a line or a readable table.

import { cpus } from "node:os";

/** One measured figure. `spread` is (max - min) / median over the windows. */
export interface Figure {
  peer: string;
  workload: string;
  metric: string;
  value: number;
  unit: string;
  threads: number;
  spread: number;
}

/** A comparison: myelin over the peer. */
export interface Ratio {
  workload: string;
  metric: "ratio";
  peer: string;
  value: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** |ours - theirs| / |theirs| in the Euclidean norm; infinite where their sizes differ. */
export function relativeDifference(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < theirs.length; i++) {
    difference += (ours[i]! - theirs[i]!) ** 2;
    norm += theirs[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** Command-line words and `--flags`, e.g. `steps mlp --json --windows=7`. */
export function parseArguments(words: readonly string[]): { names: string[]; flags: Map<string, string> } {
  const names = words.filter((w) => !w.startsWith("--"));
  const flags = new Map(
    words
      .filter((w) => w.startsWith("--"))
      .map((w) => {
        const [name = "", value = ""] = w.slice(2).split("=");
        return [name, value];
      }),
  );
  return { names, flags };
}

/** Prints figures as they come: JSON lines with `--json`, otherwise a table row each. */
export class Report {
  constructor(private readonly json: boolean) {}

  note(text: string): void {
    if (!this.json) console.log(text);
  }

  figure(f: Figure): void {
    if (this.json) console.log(JSON.stringify({ ...f, value: round(f.value), spread: round(f.spread) }));
    else {
      const value = `${format(f.value)} ${f.unit}`.padStart(18);
      console.log(
        `  ${f.workload.padEnd(14)} ${f.peer.padEnd(18)} ${value}   ${f.threads} threads   spread ${(100 * f.spread).toFixed(0)} %`,
      );
    }
  }

  ratio(r: Ratio): void {
    if (this.json) console.log(JSON.stringify({ ...r, value: round(r.value) }));
    else
      console.log(
        `  ${r.workload.padEnd(14)} myelin / ${r.peer.padEnd(9)} ${format(r.value).padStart(15)} x`,
      );
  }
}

const round = (x: number) => Number(x.toPrecision(5));
const format = (x: number) => (x >= 1000 ? x.toFixed(0) : x.toPrecision(4));

export function machine(): string {
  const all = cpus();
  return `${all[0]?.model ?? "unknown CPU"}, ${all.length} logical cores, Node ${process.version}`;
}
