// npm run bench -- compare [names] [--json] [--windows=7] [--seconds=0.2]
// Single operations beside PyTorch on the same inputs, in turns, results compared first. Each side runs its operation over
// and over into memory that exists; ours is a Program of one step from Variable to Variable, many runs per call.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Built, build } from "../src/compile.ts";
import { writeSafetensors } from "../src/formats/safetensors.ts";
import { assignVariable, emit } from "../src/graph/trace.ts";
import { Variable } from "../src/graph/variable.ts";
import { engineInfo, ops, optimizers, type Tensor, tensor, type Value } from "../src/index.ts";
import { convInputGradOp, convKernelGradOp } from "../src/ops/conv.ts";
import { machine, parseArguments, Report, relativeDifference } from "./measure.ts";
import { ChildPeer, type Peer, torchPython, type Window } from "./peers.ts";
import { reportTurns, type Shown, takeTurns } from "./turns.ts";
import { exchangePath } from "./weights.ts";

interface Operation {
  readonly inputs: readonly Tensor[];
  /** Emits the operation; what comes back is kept in a Variable. */
  readonly emit: (...inputs: Variable[]) => Value;
  /** For operations that change their first input themselves. */
  readonly inPlace?: boolean;
  /** Bytes it has to move (GB/s are shown), or floating-point operations (GFLOP/s). */
  readonly work: { readonly bytes: number } | { readonly flops: number };
}

/** Numbers around zero, as activations meet them. */
function normal(...shape: number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const draw = () =>
    Math.random() + Math.random() + Math.random() - Math.random() - Math.random() - Math.random();
  return tensor(Float32Array.from({ length: size }, draw), shape);
}

const SIDE = 1024;
const MILLION = SIDE * SIDE;

function unary(emit: (x: Variable) => Value): Operation {
  return { inputs: [normal(SIDE, SIDE)], emit: (x) => emit(x!), work: { bytes: 8 * MILLION } };
}

function matmul(m: number, n: number, k: number): Operation {
  return {
    inputs: [normal(m, k), normal(k, n)],
    emit: (a, b) => ops.matmul(a!, b!),
    work: { flops: 2 * m * n * k },
  };
}

/** 3x3 convolution with "same" padding, or one of its gradients. */
function conv(
  direction: "forward" | "input" | "kernel",
  n: number,
  size: number,
  cin: number,
  cout: number,
): Operation {
  const x = () => normal(n, size, size, cin);
  const g = () => normal(n, size, size, cout);
  const w = () => normal(3, 3, cin, cout);
  const forward = (x: Value | Variable, w: Value | Variable) => ops.conv(x, w, { padding: "same" });
  const work = { flops: 2 * n * size * size * 9 * cin * cout };
  if (direction === "forward") return { inputs: [x(), w()], emit: (x, w) => forward(x!, w!), work };
  const by = direction === "input" ? 0 : 1;
  return {
    inputs: direction === "input" ? [g(), w()] : [x(), g()],
    emit: (a, b) => convGradient(by, a!, b!, [n, size, size, cin], [3, 3, cin, cout]),
    work,
  };
}

function convGradient(
  by: 0 | 1,
  a: Variable,
  b: Variable,
  x: readonly number[],
  w: readonly number[],
): Value {
  const attrs = { strides: [1, 1], before: [1, 1], after: [1, 1], dilations: [1, 1], groups: 1 };
  const inputs = [ops.identity(a), ops.identity(b)];
  const [gradient] =
    by === 0
      ? emit(convInputGradOp, inputs, { ...attrs, size: x.slice(1, 3) })
      : emit(convKernelGradOp, inputs, { ...attrs, kernelSize: w.slice(0, 2) });
  return gradient!;
}

function adam(): Operation {
  const optimizer = optimizers.adam();
  return {
    inputs: [normal(MILLION), normal(MILLION)],
    inPlace: true,
    emit(p, g) {
      optimizer.apply([ops.identity(g!)], [p!]);
      return ops.identity(p!);
    },
    work: { bytes: 7 * 4 * MILLION },
  };
}

const OPERATIONS: Record<string, () => Operation> = {
  exp: () => unary(ops.exp),
  sigmoid: () => unary(ops.sigmoid),
  tanh: () => unary(ops.tanh),
  "gelu-tanh": () => unary((x) => ops.gelu(x, { approximate: true })),
  "gelu-erf": () => unary((x) => ops.gelu(x)),
  softmax: () => unary((x) => ops.softmax(x)),
  layerNorm: () => ({
    inputs: [normal(SIDE, SIDE), normal(SIDE), normal(SIDE)],
    emit: (x, gamma, beta) => ops.layerNorm(x!, { gamma: gamma!, beta: beta!, epsilon: 1e-3 }),
    work: { bytes: 8 * MILLION },
  }),
  adam,
  relu: () => unary(ops.relu),
  add: () => ({
    inputs: [normal(SIDE, SIDE), normal(SIDE, SIDE)],
    emit: (x, y) => ops.add(x!, y!),
    work: { bytes: 12 * MILLION },
  }),
  "matmul 512": () => matmul(512, 512, 512),
  "matmul 1024": () => matmul(1024, 1024, 1024),
  "matmul 2048": () => matmul(2048, 2048, 2048),
  "matmul 128x512x784": () => matmul(128, 512, 784),
  "conv 32x26x26x32-64": () => conv("forward", 32, 26, 32, 64),
  "convInputGrad 32x26x26x32-64": () => conv("input", 32, 26, 32, 64),
  "convKernelGrad 32x26x26x32-64": () => conv("kernel", 32, 26, 32, 64),
  "conv 64x32x32x16-16": () => conv("forward", 64, 32, 16, 16),
  "convInputGrad 64x32x32x16-16": () => conv("input", 64, 32, 16, 16),
  "convKernelGrad 64x32x32x16-16": () => conv("kernel", 64, 32, 16, 16),
  "conv 64x8x8x64-64": () => conv("forward", 64, 8, 64, 64),
  "convKernelGrad 64x8x8x64-64": () => conv("kernel", 64, 8, 64, 64),
  "conv 1x14x14x256-256": () => conv("forward", 1, 14, 256, 256),
};

/** Our side: each operation as a Program from Variables to a Variable. */
class MyelinPeer implements Peer {
  readonly name = "myelin";
  readonly threads = engineInfo().threads;
  private readonly prepared = new Map<string, { built: Built; out: Variable; operation: Operation }>();

  knows(): boolean {
    return true;
  }

  prepare(name: string) {
    const known = this.prepared.get(name);
    if (known) return known;
    const operation = OPERATIONS[name]!();
    const inputs = operation.inputs.map(
      (t) => new Variable(t.shape, t.dtype, { initial: () => t.data.slice() as Float32Array }),
    );
    let out: Variable | undefined;
    const built = build(() => {
      const value = operation.emit(...inputs);
      if (operation.inPlace) {
        out = inputs[0]!;
        return [];
      }
      out ??= new Variable(value.shape, value.dtype);
      assignVariable(out, value);
      return [];
    });
    const state = { built, out: out!, operation };
    this.prepared.set(name, state);
    return state;
  }

  async window(name: string, seconds: number): Promise<Window> {
    const { built } = this.prepare(name);
    const start = performance.now();
    let steps = 0;
    let elapsed = 0;
    while (elapsed < seconds) {
      await built.run([], { steps: 10 });
      steps += 10;
      elapsed = (performance.now() - start) / 1000;
    }
    return { steps, seconds: elapsed };
  }

  close(): void {}
}

/** Relative difference in norm that rounding in another order explains. */
const SAME = 1e-5;

async function compareResults(name: string, myelin: MyelinPeer, torch: ChildPeer): Promise<void> {
  const { built, out, operation } = myelin.prepare(name);
  const file = name.replaceAll(" ", "_");
  const check = await exchangePath(`${file}.safetensors`);
  await writeSafetensors(check, new Map(operation.inputs.map((t, i) => [`input${i}`, t])));
  const result = await exchangePath(`${file}.result`);
  await torch.ask({ workload: name, check, out: result });
  const bytes = readFileSync(result);
  const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  await built.run();
  const ours = out.read().data;
  const off = relativeDifference(ours, theirs);
  if (off <= SAME) return;
  throw new Error(`${name}: results differ by ${off.toExponential(1)} from PyTorch`);
}

function shownAs({ work }: Operation): Shown {
  return "bytes" in work
    ? { metric: "bandwidth", unit: "GB/s", of: (rate) => (rate * work.bytes) / 1e9 }
    : { metric: "throughput", unit: "GFLOP/s", of: (rate) => (rate * work.flops) / 1e9 };
}

export async function compare(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const report = new Report(flags.has("json"));
  const turns = { windows: Number(flags.get("windows") ?? 7), seconds: Number(flags.get("seconds") ?? 0.2) };
  const myelin = new MyelinPeer();
  const script = fileURLToPath(new URL("torch/ops.py", import.meta.url));
  const torch = torchPython
    ? new ChildPeer("torch", myelin.threads, torchPython, ["-u", script, String(myelin.threads)])
    : undefined;
  const peers: Peer[] = torch ? [myelin, torch] : [myelin];
  if (!torch) report.note("  torch: left out; MYELIN_TORCH_PYTHON names no Python");
  report.note(
    `${machine()}, kernels ${engineInfo().level}; median of ${turns.windows} windows of ${turns.seconds} s`,
  );
  const chosen = Object.keys(OPERATIONS).filter(
    (n) => names.length === 0 || names.some((wanted) => n === wanted || n.startsWith(`${wanted} `)),
  );
  try {
    for (const name of chosen) {
      if (torch) await compareResults(name, myelin, torch);
      const rates = await takeTurns(name, peers, turns);
      reportTurns(report, name, peers, rates, shownAs(myelin.prepare(name).operation));
    }
  } finally {
    for (const peer of peers) peer.close();
  }
}
