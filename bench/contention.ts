// npm run bench -- contention [names] [--json] [--windows=7] [--seconds=0.3] [--peers=torch]
// What is left of the speed of training steps beside one other busy process: quiet windows and windows with a neighbour
// that never rests take turns, and the figure is the ratio of their medians. A fair share of two cores among three busy
// threads is two thirds.

import { spawn } from "node:child_process";
import { machine, median, parseArguments, Report, spread } from "./measure.ts";
import { type Peer, torchPeer } from "./peers.ts";
import { MyelinPeer } from "./trainer.ts";
import { WORKLOADS } from "./workloads/index.ts";

/** A process that counts as fast as it can, between `go` and `rest`. */
class Neighbour {
  private readonly child = spawn(process.execPath, ["-e", "for (let i = 0; ; i++);"], { stdio: "ignore" });

  go(): void {
    this.child.kill("SIGCONT");
  }
  rest(): void {
    this.child.kill("SIGSTOP");
  }
  end(): void {
    this.child.kill("SIGKILL");
  }
}

export async function contention(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const report = new Report(flags.has("json"));
  const windows = Number(flags.get("windows") ?? 7);
  const seconds = Number(flags.get("seconds") ?? 0.3);
  const peers: Peer[] = [new MyelinPeer("myelin", "native")];
  const torch = flags.get("peers")?.includes("torch") ? torchPeer(peers[0]!.threads) : undefined;
  if (torch) peers.push(torch);
  const wanted = names.length > 0 ? names : ["mlp", "cnn", "autoencoder"];
  report.note(
    `${machine()}; medians of ${windows} windows of ${seconds} s, quiet and beside one busy process`,
  );
  const neighbour = new Neighbour();
  try {
    for (const { name } of WORKLOADS.filter((w) => wanted.includes(w.name))) {
      for (const peer of peers) await measure(name, peer, neighbour, windows, seconds, report);
    }
  } finally {
    neighbour.end();
    for (const peer of peers) peer.close();
  }
}

async function measure(
  workload: string,
  peer: Peer,
  neighbour: Neighbour,
  windows: number,
  seconds: number,
  report: Report,
): Promise<void> {
  neighbour.rest();
  await peer.window(workload, seconds);
  const rates: Record<"quiet" | "busy", number[]> = { quiet: [], busy: [] };
  for (let w = 0; w < windows; w++) {
    for (const kind of ["quiet", "busy"] as const) {
      if (kind === "busy") neighbour.go();
      const { steps, seconds: took } = await peer.window(workload, seconds);
      neighbour.rest();
      rates[kind].push(steps / took);
    }
  }
  const base = { peer: peer.name, workload, threads: peer.threads };
  for (const kind of ["quiet", "busy"] as const) {
    const value = median(rates[kind]);
    report.figure({ ...base, metric: kind, value, unit: `steps/s ${kind}`, spread: spread(rates[kind]) });
  }
  const value = (100 * median(rates.busy)) / median(rates.quiet);
  report.figure({ ...base, metric: "kept", value, unit: "% kept", spread: 0 });
}
