// myelin as a peer: in this process (MyelinPeer), or as a program of its own that speaks the line protocol of bench/peers.ts
// (`tsx bench/trainer.ts`), for figures that belong to a whole process: memory, and speed at another number of threads.

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type CallbackHooks, engineInfo, setEngine } from "../src/index.ts";
import { ChildPeer, type Peer, type Window } from "./peers.ts";
import { workloadNamed } from "./workloads/index.ts";

/** A window is one fit; only the epochs themselves are timed, not building the data set's buffers. */
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

  knows(): boolean {
    return true;
  }

  private prepare(name: string) {
    const workload = workloadNamed(name);
    const rows = workload.stepsPerEpoch * workload.batchSize;
    return { workload, model: workload.build(), data: workload.data(rows) };
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

/** myelin in a process of its own. */
export function childMyelin(threads: number, name = "myelin"): ChildPeer {
  const program = ["--import", "tsx", fileURLToPath(import.meta.url)];
  return new ChildPeer(name, threads, process.execPath, program, undefined, {
    MYELIN_THREADS: String(threads),
  });
}

/** Time from the model to its first step done, less one later step: tracing, passes, lowering, loading. */
async function compileMilliseconds(name: string): Promise<number> {
  const workload = workloadNamed(name);
  const model = workload.build();
  const { x, y } = workload.data(workload.batchSize);
  const seconds: number[] = [];
  for (let step = 0; step < 4; step++) {
    const start = performance.now();
    await model.trainOnBatch(x, y);
    seconds.push(performance.now() - start);
  }
  return seconds[0]! - Math.min(...seconds.slice(1));
}

async function serve(): Promise<void> {
  const peer = new MyelinPeer("myelin", "native");
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as { workload: string; seconds?: number };
    const answer =
      request.seconds === undefined
        ? { milliseconds: await compileMilliseconds(request.workload) }
        : {
            ...(await peer.window(request.workload, request.seconds)),
            peakMiB: process.resourceUsage().maxRSS / 1024,
          };
    console.log(JSON.stringify(answer));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
