// Composites: on an engine with a kernel they run whole, elsewhere expanded.

import type { Shape } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/graph.ts";
import { emit } from "../../src/graph/trace.ts";
import * as ops from "../../src/ops/index.ts";
import {
  checkLabelsOp,
  softmaxCrossEntropyGradOp,
  softmaxCrossEntropyOp,
  sparseSoftmaxCrossEntropyGradOp,
  sparseSoftmaxCrossEntropyOp,
} from "../../src/ops/softmax.ts";
import type { InputSpec } from "../helpers/random-shapes.ts";
import { caseList, EXACT, NONE, NORM } from "./case.ts";

const { cases, add } = caseList();

export { cases as compositeCases };

// Softmax family: one class, few, more than a vector, several axes.
const LOGITS: readonly Shape[] = [[1], [7], [3, 10], [5, 1], [2, 3, 33], [0, 4]];
const rows = LOGITS.map((shape): InputSpec[] => [{ shape, range: [-4, 4] }]);
add("softmax", (x) => ops.softmax(x), rows, NORM);
add("softmax", (x) => ops.softmax(x, { axis: 0 }), rows.slice(0, 5), NORM, { note: "axis 0" });
add("logSoftmax", (x) => ops.logSoftmax(x), rows, NORM);
const labelled = LOGITS.map((shape): InputSpec[] => [
  { shape, range: [-4, 4] },
  { shape: shape.slice(0, -1), dtype: "int32", range: [0, shape.at(-1)! - 1] },
]);
const distributed = LOGITS.map((shape): InputSpec[] => [
  { shape, range: [-4, 4] },
  { shape, range: [0, 1] },
]);
const withLseAndGrad = (cases: InputSpec[][]): InputSpec[][] =>
  cases.map((c) => [
    ...c,
    { shape: c[0]!.shape.slice(0, -1), range: [3, 5] },
    { shape: c[0]!.shape.slice(0, -1) },
  ]);
const emitted =
  (op: typeof softmaxCrossEntropyOp) =>
  (...xs: Value[]) =>
    emit(op, xs);
add("sparseSoftmaxCrossEntropy", emitted(sparseSoftmaxCrossEntropyOp), labelled, NORM);
add(
  "sparseSoftmaxCrossEntropyGrad",
  emitted(sparseSoftmaxCrossEntropyGradOp),
  withLseAndGrad(labelled),
  NORM,
);
add("softmaxCrossEntropy", emitted(softmaxCrossEntropyOp), distributed, NORM);
add("softmaxCrossEntropyGrad", emitted(softmaxCrossEntropyGradOp), withLseAndGrad(distributed), NORM);
add(
  "checkLabels",
  (x) => emit(checkLabelsOp, [x], { classes: 5 }),
  [[{ shape: [7], dtype: "int32", range: [0, 4] }]],
  EXACT,
  NONE,
);

// Updates: several tensors at once, of awkward sizes.
const STEP: readonly Shape[] = [[3], [5, 7], [1], [0], [300]];
const slots = (each: readonly Partial<InputSpec>[]): InputSpec[] =>
  STEP.flatMap((shape) => each.map((s) => ({ ...s, shape })));
const chunks = (xs: readonly Value[], size: number): Value[][] =>
  Array.from({ length: xs.length / size }, (_, i) => xs.slice(i * size, (i + 1) * size));
for (const weightDecay of [0, 0.01]) {
  const rate: InputSpec = { shape: [], range: [0.01, 0.1] };
  add(
    "sgdUpdate",
    (lr, ...xs) =>
      ops
        .sgdUpdate(
          chunks(xs, 2).map(([parameter, gradient]) => ({ parameter: parameter!, gradient: gradient! })),
          { learningRate: lr!, weightDecay },
        )
        .map((s) => s.parameter),
    [[rate, ...slots([{}, {}])]],
    NORM,
    { note: `plain ${weightDecay}` },
  );
  for (const nesterov of [false, true]) {
    add(
      "sgdUpdate",
      (lr, ...xs) =>
        ops
          .sgdUpdate(
            chunks(xs, 3).map(([parameter, gradient, velocity]) => ({
              parameter: parameter!,
              gradient: gradient!,
              velocity: velocity!,
            })),
            { learningRate: lr!, momentum: 0.9, nesterov, weightDecay },
          )
          .flatMap((s) => [s.parameter, s.velocity!]),
      [[rate, ...slots([{}, {}, {}])]],
      NORM,
      { note: `momentum ${nesterov} ${weightDecay}` },
    );
  }
  const iteration: InputSpec = { shape: [], dtype: "int32", range: [0, 20] };
  add(
    "adamUpdate",
    (lr, t, ...xs) =>
      ops
        .adamUpdate(
          chunks(xs, 4).map(([parameter, gradient, m, v]) => ({
            parameter: parameter!,
            gradient: gradient!,
            m: m!,
            v: v!,
          })),
          { learningRate: lr!, iteration: t!, weightDecay },
        )
        .flatMap((s) => [s.parameter, s.m, s.v]),
    [[rate, iteration, ...slots([{}, {}, {}, { range: [0.1, 2] }])]],
    NORM,
    { note: `${weightDecay}`, second: false },
  );
}
