// npm run bench -- steps [names] [--json] [--windows=7] [--seconds=0.5] [--peers=torch,reference,tfjs-cpu,tfjs-wasm,brain]
// Whole training steps (forward, loss, backward, update) per second, in turns. Before PyTorch is timed it has to come to
// the same losses from the same weights over a few steps on one batch.

import { engineInfo, type Model, setEngine, type Tensor } from "../src/index.ts";
import { machine, parseArguments, Report } from "./measure.ts";
import { brainPeer, type ChildPeer, type Peer, tfjsPeer, torchPeer, torchPython } from "./peers.ts";
import { MyelinPeer } from "./trainer.ts";
import { reportTurns, takeTurns } from "./turns.ts";
import { handOver } from "./weights.ts";
import { WORKLOADS, type Workload, workloadNamed } from "./workloads/index.ts";

/**
 * Relative difference of losses that rounding in another order explains after a few steps: Adam's first steps go by the
 * sign of a gradient, and for gradients near 0 that is rounding's. Anything wrong is off by far more.
 */
const SAME_LOSS = 5e-3;

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

  const myelin = new MyelinPeer("myelin", "native");
  const { threads } = myelin;
  report.note(
    `${machine()}, kernels ${engineInfo().level}; median of ${turns.windows} windows of ${turns.seconds} s`,
  );
  const others: Record<string, () => Peer | undefined> = {
    reference: () => new MyelinPeer("reference", "reference"),
    "tfjs-cpu": () => tfjsPeer("cpu"),
    "tfjs-wasm": () => tfjsPeer("wasm"),
    brain: () => brainPeer(),
  };
  const made = new Map(wanted.map((name) => [name, others[name]?.()] as const));
  const chosen = names.length === 0 ? WORKLOADS : names.map(workloadNamed);
  try {
    for (const workload of chosen) {
      const { name } = workload;
      // A process for each workload: what earlier ones have grown of its heap would spare PyTorch page faults.
      const torch = wanted.includes("torch") ? torchPeer(threads) : undefined;
      const present = wanted.flatMap((peer) => (peer === "torch" ? torch : made.get(peer)) ?? []);
      const peers: Peer[] = [myelin, ...present.filter((p) => p.knows(name))];
      if (torch) {
        setEngine("native");
        await compareLosses(workload, torch);
      }
      const rates = await takeTurns(name, peers, turns);
      reportTurns(report, name, peers, rates, { metric: "throughput", unit: "steps/s" });
      torch?.close();
    }
    for (const name of wanted) {
      const isThere = name === "torch" ? torchPython !== undefined : made.get(name) !== undefined;
      if (!isThere) report.note(`  ${name}: not installed, left out`);
    }
  } finally {
    for (const peer of made.values()) peer?.close();
  }
}
