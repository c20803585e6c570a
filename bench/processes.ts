// npm run bench -- processes [names] [--json] [--windows=5] [--seconds=0.5]
// What belongs to a whole process: speed with one thread and with two, peak memory of a training beside PyTorch's, and the
// time until a model's step is traced, optimised and loaded.

import { engineInfo } from "../src/index.ts";
import { machine, median, parseArguments, Report } from "./measure.ts";
import { torchPeer } from "./peers.ts";
import { childMyelin } from "./trainer.ts";
import { takeTurns } from "./turns.ts";
import { workloadNamed } from "./workloads/index.ts";

const NAMES = ["cnn", "resnet20", "gpt"];

async function scaling(workload: string, report: Report, turns: { windows: number; seconds: number }) {
  const [two, one] = [childMyelin(2, "two threads"), childMyelin(1, "one thread")];
  const [fast, slow] = await takeTurns(workload, [two, one], turns);
  const value = median(fast!) / median(slow!);
  report.figure({ peer: "myelin", workload, metric: "scaling", value, unit: "x", threads: 2, spread: 0 });
  two.close();
  one.close();
}

async function memory(workload: string, report: Report, seconds: number) {
  const { threads } = engineInfo();
  for (const peer of [childMyelin(threads), torchPeer(threads)]) {
    if (!peer) continue;
    const { peakMiB } = await peer.window(workload, seconds);
    report.figure({
      peer: peer.name,
      workload,
      metric: "peak",
      value: peakMiB!,
      unit: "MiB peak",
      threads,
      spread: 0,
    });
    peer.close();
  }
}

async function compiling(workload: string, report: Report) {
  const peer = childMyelin(engineInfo().threads);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const { milliseconds } = await peer.ask<{ milliseconds: number }>({ workload });
    times.push(milliseconds);
  }
  const base = { peer: "myelin", workload, threads: 1, spread: 0 };
  report.figure({ ...base, metric: "compile cold", value: times[0]!, unit: "ms first" });
  report.figure({ ...base, metric: "compile", value: median(times), unit: "ms compile" });
  peer.close();
}

export async function processes(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const report = new Report(flags.has("json"));
  const turns = { windows: Number(flags.get("windows") ?? 5), seconds: Number(flags.get("seconds") ?? 0.5) };
  report.note(`${machine()}, kernels ${engineInfo().level}`);
  for (const name of names.length === 0 ? NAMES : names) {
    workloadNamed(name);
    await scaling(name, report, turns);
    await memory(name, report, turns.seconds);
    await compiling(name, report);
  }
}
