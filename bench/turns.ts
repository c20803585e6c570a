// Peers take turns, window by window, in one run, because machines drift: a figure is the median of the windows after a
// warm-up, a ratio the ratio of medians.

import { type Figure, median, type Report, spread } from "./measure.ts";
import type { Peer } from "./peers.ts";

export interface Turns {
  readonly windows: number;
  /** Of one window; slow workloads take longer, they finish what they began. */
  readonly seconds: number;
}

/** Rates of each peer in units per second, in the order of `peers`. The first is myelin. */
export async function takeTurns(
  workload: string,
  peers: readonly Peer[],
  { windows, seconds }: Turns,
): Promise<number[][]> {
  const rates = peers.map((): number[] => []);
  for (const peer of peers) await peer.window(workload, seconds);
  for (let w = 0; w < windows; w++) {
    for (const [i, peer] of peers.entries()) {
      const result = await peer.window(workload, seconds);
      rates[i]!.push(result.steps / result.seconds);
    }
  }
  return rates;
}

/** What a rate is shown as. */
export interface Shown {
  readonly metric: string;
  readonly unit: string;
  /** From units per second; default: as it is. */
  readonly of?: (rate: number) => number;
}

/** Figures of all, then the ratio of the first peer's median rate to each other's. */
export function reportTurns(
  report: Report,
  workload: string,
  peers: readonly Peer[],
  rates: readonly number[][],
  shown: Shown,
): void {
  const of = shown.of ?? ((rate) => rate);
  for (const [i, { name: peer, threads }] of peers.entries()) {
    const values = rates[i]!.map(of);
    const figure: Figure = {
      peer,
      workload,
      metric: shown.metric,
      value: median(values),
      unit: shown.unit,
      threads,
      spread: spread(values),
    };
    report.figure(figure);
  }
  for (const [i, { name: peer }] of peers.entries()) {
    if (i === 0) continue;
    report.ratio({ workload, metric: "ratio", peer, value: median(rates[0]!) / median(rates[i]!) });
  }
}
