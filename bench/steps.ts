// npm run bench -- steps [names] [--json] [--windows=7] [--seconds=0.5] [--peers=torch,reference,tfjs-cpu,tfjs-wasm]
// Whole training steps (forward, loss, backward, Adam) per second: myelin and its peers take turns, window by window, in
// one run; a figure is the median of the windows after a warm-up, a ratio the ratio of medians.

import { type CallbackHooks, engineInfo, setEngine } from "../src/index.ts";
import { type Figure, machine, median, parseArguments, Report, spread } from "./measure.ts";
import { type Peer, tfjsPeer, torchPeer, type Window } from "./peers.ts";
import { WORKLOADS } from "./workloads.ts";

/** myelin in this process. A window is one fit; only the epochs themselves are timed, not building the data set's buffers. */
export class MyelinPeer implements Peer {
  readonly threads: number;
  private readonly prepared = new Map<string, ReturnType<typeof this.prepare>>();

  constructor(
    readonly name: "myelin" | "reference",
    private readonly engine: "native" | "reference",
  ) {
    setEngine(engine);
    this.threads = engineInfo().threads;
  }

  private prepare(name: string) {
    const workload = WORKLOADS.find((w) => w.name === name)!;
    return { workload, model: workload.build(), data: workload.data(), epochSeconds: 0 };
  }

  async window(name: string, seconds: number): Promise<Window> {
    setEngine(this.engine);
    if (!this.prepared.has(name)) this.prepared.set(name, this.prepare(name));
    const state = this.prepared.get(name)!;
    let elapsed = 0;
    let epochs = 0;
    let start = 0;
    const clock: CallbackHooks = {
      onEpochBegin: () => {
        start = performance.now();
      },
      onEpochEnd: () => {
        elapsed += (performance.now() - start) / 1000;
        epochs++;
        if (elapsed >= seconds) state.model.stopTraining = true;
      },
    };
    const { x, y } = state.data;
    await state.model.fit(x, y, {
      epochs: 1e6,
      batchSize: state.workload.batchSize,
      verbose: 0,
      callbacks: [clock],
    });
    return { steps: epochs * state.workload.stepsPerEpoch, seconds: elapsed };
  }

  close(): void {}
}

export async function steps(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const report = new Report(flags.has("json"));
  const windows = Number(flags.get("windows") ?? 7);
  const seconds = Number(flags.get("seconds") ?? 0.5);
  const wanted = flags.get("peers")?.split(",") ?? ["torch"];

  const peers: Peer[] = [new MyelinPeer("myelin", "native")];
  const { level } = engineInfo(); // before a peer chooses another engine
  const threads = peers[0]!.threads;
  const others: Record<string, () => Peer | undefined> = {
    torch: () => torchPeer(threads),
    reference: () => new MyelinPeer("reference", "reference"),
    "tfjs-cpu": () => tfjsPeer("cpu"),
    "tfjs-wasm": () => tfjsPeer("wasm"),
  };
  for (const name of wanted) {
    const peer = others[name]?.();
    if (peer) peers.push(peer);
    else if (flags.has("peers")) report.note(`  ${name}: not installed, left out`);
  }

  report.note(`${machine()}, kernels ${level}; median of ${windows} windows of ${seconds} s`);
  try {
    for (const { name } of WORKLOADS.filter((w) => names.length === 0 || names.includes(w.name))) {
      await measure(name, peers, windows, seconds, report);
    }
  } finally {
    for (const peer of peers) peer.close();
  }
}

async function measure(
  workload: string,
  peers: readonly Peer[],
  windows: number,
  seconds: number,
  report: Report,
) {
  const rates = peers.map((): number[] => []);
  for (const peer of peers) await peer.window(workload, seconds);
  for (let w = 0; w < windows; w++) {
    for (const [i, peer] of peers.entries()) {
      const result = await peer.window(workload, seconds);
      rates[i]!.push(result.steps / result.seconds);
    }
  }
  for (const [i, peer] of peers.entries()) {
    const figure: Figure = {
      peer: peer.name,
      workload,
      metric: "throughput",
      value: median(rates[i]!),
      unit: "steps/s",
      threads: peer.threads,
      spread: spread(rates[i]!),
    };
    report.figure(figure);
  }
  for (const [i, peer] of peers.entries()) {
    if (i > 0)
      report.ratio({
        workload,
        metric: "ratio",
        peer: peer.name,
        value: median(rates[0]!) / median(rates[i]!),
      });
  }
}
