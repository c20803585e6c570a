// Random draws, fused steps and compositions of ops.

import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { emit, trace } from "../../src/graph/trace.ts";
import { fusedOp } from "../../src/ops/fused.ts";
import * as ops from "../../src/ops/index.ts";
import { dropoutMaskOp } from "../../src/ops/random.ts";
import { caseList, EXACT, NONE, NORM, type OpCase } from "./case.ts";

const { cases, add } = caseList();

export { cases as composedCases };

// Random draws: the same bits on both engines; what is computed from them within tolerance.
add(
  "randomBits",
  () => [
    ops.random.bits([7], { seed: 3 }),
    ops.random.bits([2, 33], { seed: 2 ** 40 + 5 }),
    ops.random.bits([0], { seed: 1 }),
    ops.random.bits([1000], { seed: 0 }),
  ],
  [[]],
  EXACT,
  NONE,
);
add("randomBits", () => twoStreams(new ops.SeedGenerator(11)), [[]], EXACT, { ...NONE, note: "two streams" });
add("random.uniform", () => ops.random.uniform([300], { seed: 3, min: -2, max: 3 }), [[]], NORM, NONE);
add("random.normal", () => ops.random.normal([300], { seed: 3 }), [[]], NORM, NONE);
add(
  "random.truncatedNormal",
  () => ops.random.truncatedNormal([300], { seed: 3, stddev: 2 }),
  [[]],
  NORM,
  NONE,
);
add("random.bernoulli", () => ops.random.bernoulli([300], { seed: 3, p: 0.25 }), [[]], EXACT, NONE);
add("random.permutation", () => ops.random.permutation(50, { seed: 3 }), [[]], EXACT, NONE);
for (const shape of [[], [0], [7], [3, 33], [1000]]) {
  const attrs = { stream: 2, shape, rate: 0.3 };
  const run = () =>
    emit(
      dropoutMaskOp,
      [ops.constant(tensor([5, -7], [2], "int32")), ops.constant(tensor(9, [], "int32"))],
      attrs,
    );
  add("dropoutMask", run, [[]], EXACT, { ...NONE, note: JSON.stringify(shape) });
}
add("random.dropout", (x) => ops.random.dropout(x, 0.3, { seed: 3 }), [[{ shape: [40] }]], EXACT);

// Sums of rounded parts may cancel, so single elements have no bound in ulp.
add(
  "fused",
  (x, y) => fusedCase(x!, y!),
  [
    [{ shape: [3, 17] }, { shape: [17] }],
    [{ shape: [3, 17] }, { shape: [3, 1] }],
  ],
  NORM,
  NONE,
);

// Compositions: kinks kept at a distance; their gradients follow from the primitives' and check those once more.
const ACTIVATIONS: Record<string, readonly [run: OpCase["run"], kinks: readonly number[]]> = {
  elu: [(x) => ops.elu(x, { alpha: 0.7 }), [0]],
  selu: [ops.selu, [0]],
  celu: [(x) => ops.celu(x, { alpha: 0.7 }), [0]],
  softplus: [ops.softplus, [0]],
  softsign: [ops.softsign, [0]],
  silu: [ops.silu, []],
  gelu: [(x) => ops.gelu(x), []],
  geluApproximate: [(x) => ops.gelu(x, { approximate: true }), []],
  leakyRelu: [(x) => ops.leakyRelu(x), [0]],
  relu6: [ops.relu6, [0, 6]],
  hardSigmoid: [ops.hardSigmoid, [-3, 3]],
  hardSilu: [ops.hardSilu, [-3, 3]],
  hardTanh: [ops.hardTanh, [-1, 1]],
  hardShrink: [(x) => ops.hardShrink(x), [-0.5, 0.5]],
  softShrink: [(x) => ops.softShrink(x), [-0.5, 0.5]],
  tanhShrink: [ops.tanhShrink, []],
  mish: [ops.mish, [0]],
  logSigmoid: [ops.logSigmoid, [0]],
  squareplus: [(x) => ops.squareplus(x), []],
  sparsePlus: [ops.sparsePlus, [-1, 1]],
  sparseSigmoid: [ops.sparseSigmoid, [-1, 1]],
  threshold: [(x) => ops.threshold(x, 1, -5), [1]],
};
for (const [name, [run, away]] of Object.entries(ACTIVATIONS)) {
  add(name, run, [[{ shape: [57], range: [-7, 7], away }]], NORM);
}
// Not on a grid, on which elements would lie exactly on the edge of the support.
const points = [
  0.91, 0.13, -0.52, 0.48, 0.77, -0.9, 0.35, 0.02, 1.94, -0.6, 0.5, 1.31, -0.7, -0.2, 0.11, 0.29, 0.4, 0.05,
];
add("sparsemax", (x) => ops.sparsemax(x), [[{ shape: [3, 6], values: points }]], NORM, { second: false });
add("glu", (x) => ops.glu(x), [[{ shape: [3, 6] }]], NORM);
add(
  "norm",
  (x) => [ops.norm(x, { axis: 1 }), ops.norm(x, { ord: 1 }), ops.norm(x, { ord: Infinity, axis: 0 })],
  [[{ shape: [3, 6], away: [0], distinct: true }]],
  NORM,
  { second: false },
);
add(
  "logAddExp",
  ops.logAddExp,
  [
    [
      { shape: [9], range: [0.1, 2] },
      { shape: [9], range: [-2, 0] },
    ],
  ],
  NORM,
);

function twoStreams(seed: ops.SeedGenerator): readonly Value[] {
  return [ops.random.bits([70], { seed }), ops.random.bits([70], { seed })];
}

/** What the fuse pass would make of relu(x * y) + tanh(x), and the row sums of it. */
function fusedCase(x: Value, y: Value): readonly Value[] {
  const { graph: body } = trace(
    (a, b) => {
      const z = ops.add(ops.relu(ops.multiply(a!, b!)), ops.tanh(a!));
      return [z, ops.max(z, { axis: 1 })];
    },
    [x, y],
  );
  return emit(fusedOp, [x, y], { body, shape: x.shape });
}
