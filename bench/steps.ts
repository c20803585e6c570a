// npm run bench -- steps [names] [--json] [--windows=7] [--seconds=0.5] [--peers=torch,reference,tfjs-cpu,tfjs-wasm,brain]
// Whole training steps (forward, loss, backward, update) per second, in turns. Before PyTorch is timed it has to come to
// the same losses from the same weights over a few steps on one batch.

import { engineInfo, type Model, setEngine, type Tensor } from "../src/index.ts";
import { machine, parseArguments, Report } from "./measure.ts";
import { brainPeer, type ChildPeer, type Peer, tfjsPeer, torchPeer } from "./peers.ts";
import { MyelinPeer } from "./trainer.ts";
import { reportTurns, takeTurns } from "./turns.ts";
import { handOver } from "./weights.ts";
import { WORKLOADS, type Workload, workloadNamed } from "./workloads/index.ts";

/** Relative difference of losses that rounding in another order explains after a few steps. */
const SAME_LOSS = 2e-3;

/** Throws unless the peer's losses are ours: same weights, same batch, a few steps. */
async function compareLosses(workload: Workload, torch: ChildPeer): Promise<void> {
  const model: Model = workload.build({ dropout: false });
  const { x, y } = workload.data(workload.batchSize);
  const inputs: Tensor[] = Array.isArray(x) ? x : [x];
  const check = await handOver(workload.name, model, { inputs, target: y });
  const { losses } = await torch.ask<{ losses: number[] }>({ workload: workload.name, check });
  for (const [i, theirs] of losses.entries()) {
    const { loss: ours } = await model.trainOnBatch(x, y);
    if (Math.abs(ours! - theirs) <= SAME_LOSS * Math.abs(theirs)) continue;
    throw new Error(`${workload.name}: loss ${i} is ${ours} here and ${theirs} in ${torch.name}`);
  }
}

export async function steps(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const report = new Report(flags.has("json"));
  const turns = { windows: Number(flags.get("windows") ?? 7), seconds: Number(flags.get("seconds") ?? 0.5) };
  const wanted = flags.get("peers")?.split(",") ?? ["torch"];

  const peers: Peer[] = [new MyelinPeer("myelin", "native")];
  const { level } = engineInfo(); // before a peer chooses another engine
  const threads = peers[0]!.threads;
  const torch = wanted.includes("torch") ? torchPeer(threads) : undefined;
  const others: Record<string, () => Peer | undefined> = {
    torch: () => torch,
    reference: () => new MyelinPeer("reference", "reference"),
    "tfjs-cpu": () => tfjsPeer("cpu"),
    "tfjs-wasm": () => tfjsPeer("wasm"),
    brain: () => brainPeer(),
  };
  for (const name of wanted) {
    const peer = others[name]?.();
    if (peer) peers.push(peer);
    else if (flags.has("peers")) report.note(`  ${name}: not installed, left out`);
  }

  report.note(`${machine()}, kernels ${level}; median of ${turns.windows} windows of ${turns.seconds} s`);
  const chosen = names.length === 0 ? WORKLOADS : names.map(workloadNamed);
  try {
    for (const workload of chosen) {
      const { name } = workload;
      const present = peers.filter((p) => p.knows(name));
      if (torch) {
        setEngine("native");
        await compareLosses(workload, torch);
      }
      const rates = await takeTurns(name, present, turns);
      reportTurns(report, name, present, rates, { metric: "throughput", unit: "steps/s" });
    }
  } finally {
    for (const peer of peers) peer.close();
  }
}
