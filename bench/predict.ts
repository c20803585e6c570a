// npm run bench -- predict [names] [--json] [--windows=7] [--seconds=0.5]
// Time of one prediction: `predictSync`, beside onnxruntime-node on the same weights (exported by bench/torch/export.py,
// which needs MYELIN_TORCH_PYTHON with torch and onnx). Outputs are compared before anything is timed.

import { writeFileSync } from "node:fs";
import { applications, engineInfo, type Model, type Tensor } from "../src/index.ts";
import { machine, parseArguments, Report, relativeDifference } from "./measure.ts";
import { type ChildPeer, onnxruntimePeer, type Peer, torchPython, type Window } from "./peers.ts";
import { reportTurns, takeTurns } from "./turns.ts";
import { exchangePath, exportOnnx } from "./weights.ts";
import { mlpModel } from "./workloads/dense.ts";
import { cnnModel } from "./workloads/vision.ts";
import { labels, uniform } from "./workloads/workload.ts";

interface Prediction {
  /** Name of the exported network. */
  readonly network: string;
  readonly batch: number;
  readonly build: () => Model;
  readonly input: (batch: number) => Tensor;
}

/** The encoder of BERT-mini (Turc et al. 2019) over embedded tokens. */
function bertMini(): Model {
  return applications.transformerClassifier({
    vocabularySize: 30522,
    sequenceLength: 128,
    width: 256,
    blocks: 4,
    dropout: 0,
    normalization: "post",
    maskZero: false,
    includeTop: false,
  });
}

const image = (size: number, channels: number) => (batch: number) => uniform(batch, size, size, channels);
const networks = {
  mlp: { build: mlpModel, input: (batch: number) => uniform(batch, 784), batches: [1, 32] },
  cnn: { build: () => cnnModel(), input: image(28, 1), batches: [1, 32] },
  resnet20: { build: () => applications.resnet({ depth: 20 }), input: image(32, 3), batches: [1, 32] },
  "bert-mini": { build: bertMini, input: (batch: number) => labels(30522, batch, 128), batches: [1] },
  mobilenetv2: { build: () => applications.mobilenetV2(), input: image(224, 3), batches: [1] },
  resnet50: { build: () => applications.resnet({ depth: 50 }), input: image(224, 3), batches: [1] },
};

const PREDICTIONS = new Map<string, Prediction>(
  Object.entries(networks).flatMap(([network, { build, input, batches }]) =>
    batches.map((batch) => [`${network}-${batch}`, { network, batch, build, input }] as const),
  ),
);

class MyelinPeer implements Peer {
  readonly name = "myelin";
  readonly threads = engineInfo().threads;
  private readonly prepared = new Map<string, { model: Model; x: Tensor }>();

  knows(): boolean {
    return true;
  }

  prepare(name: string): { model: Model; x: Tensor } {
    const known = this.prepared.get(name);
    if (known) return known;
    const { build, input, batch } = PREDICTIONS.get(name)!;
    const state = { model: build(), x: input(batch) };
    this.prepared.set(name, state);
    return state;
  }

  async window(name: string, seconds: number): Promise<Window> {
    const { model, x } = this.prepare(name);
    const start = performance.now();
    let steps = 0;
    let elapsed = 0;
    while (elapsed < seconds) {
      model.predictSync(x);
      steps++;
      elapsed = (performance.now() - start) / 1000;
    }
    return { steps, seconds: elapsed };
  }

  close(): void {}
}

/** ONNX images come channels first. */
function channelsFirst(x: Tensor): { data: Float32Array | Int32Array; shape: number[] } {
  const data = x.data as Float32Array;
  if (x.rank !== 4) return { data, shape: [...x.shape] };
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const out = new Float32Array(data.length);
  for (let i = 0; i < n; i++) {
    for (let p = 0; p < h * w; p++) {
      for (let k = 0; k < c; k++) out[(i * c + k) * h * w + p] = data[(i * h * w + p) * c + k]!;
    }
  }
  return { data: out, shape: [n, c, h, w] };
}

/** Relative difference in norm between outputs that rounding in another order explains. */
const SAME_OUTPUT = 1e-4;

/** Exports the network with our weights, opens it in the peer, and throws unless both say the same. */
async function compareOutputs(name: string, myelin: MyelinPeer, peer: ChildPeer): Promise<void> {
  const { network } = PREDICTIONS.get(name)!;
  const { model, x } = myelin.prepare(name);
  const onnx = await exportOnnx(name, network, model);
  const { data, shape } = channelsFirst(x);
  const input = await exchangePath(`${name}.input`);
  writeFileSync(input, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const request = { workload: name, model: onnx, input, shape, dtype: x.dtype };
  const { output } = await peer.ask<{ output: number[] }>(request);
  const ours = (model.predictSync(x) as Tensor).data;
  const off = relativeDifference(ours, output);
  if (off <= SAME_OUTPUT) return;
  throw new Error(`${name}: outputs differ by ${off.toExponential(1)} from ${peer.name}`);
}

export async function predict(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const report = new Report(flags.has("json"));
  const turns = { windows: Number(flags.get("windows") ?? 7), seconds: Number(flags.get("seconds") ?? 0.5) };
  const myelin = new MyelinPeer();
  const ort = torchPython ? onnxruntimePeer(myelin.threads) : undefined;
  if (!ort)
    report.note("  onnxruntime: left out; it needs `npm run bench -- install-peers` and MYELIN_TORCH_PYTHON");
  const peers: Peer[] = ort ? [myelin, ort] : [myelin];
  report.note(
    `${machine()}, kernels ${engineInfo().level}; median of ${turns.windows} windows of ${turns.seconds} s`,
  );
  const chosen = [...PREDICTIONS.keys()].filter(
    (n) => names.length === 0 || names.some((wanted) => n === wanted || n.startsWith(`${wanted}-`)),
  );
  try {
    for (const name of chosen) {
      if (ort) await compareOutputs(name, myelin, ort);
      const rates = await takeTurns(name, peers, turns);
      reportTurns(report, name, peers, rates, { metric: "latency", unit: "us", of: (rate) => 1e6 / rate });
    }
  } finally {
    for (const peer of peers) peer.close();
  }
}
