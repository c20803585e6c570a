// Composites: on an engine with a kernel they run whole, elsewhere expanded.

import type { Shape } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/graph.ts";
import { emit } from "../../src/graph/trace.ts";
import * as ops from "../../src/ops/index.ts";
import {
  checkLabelsOp,
  softmaxCrossEntropyGradOp,
  softmaxCrossEntropyOp,
  softmaxCrossEntropyWithGradOp,
  sparseSoftmaxCrossEntropyGradOp,
  sparseSoftmaxCrossEntropyOp,
  sparseSoftmaxCrossEntropyWithGradOp,
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
const withGrad = (cases: InputSpec[][]): InputSpec[][] =>
  cases.map((c) => [...c, { shape: c[0]!.shape.slice(0, -1) }]);
add(
  "sparseSoftmaxCrossEntropyWithGrad",
  emitted(sparseSoftmaxCrossEntropyWithGradOp),
  withGrad(labelled),
  NORM,
);
add("softmaxCrossEntropyWithGrad", emitted(softmaxCrossEntropyWithGradOp), withGrad(distributed), NORM);
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
const rate: InputSpec = { shape: [], range: [0.01, 0.1] };
const iteration: InputSpec = { shape: [], dtype: "int32", range: [0, 20] };
const scales: InputSpec[] = [
  { shape: [1], range: [0.5, 2] },
  { shape: [STEP.length], range: [0.5, 2] },
];

/** Everything a sweep can do beside the rule; `scale` takes an input of its own. */
const SWEEPS: readonly {
  note: string;
  scale?: InputSpec;
  options: Omit<ops.SweepOptions, "learningRate">;
}[] = [
  { note: "plain", options: {} },
  { note: "decay", options: { weightDecay: 0.01 } },
  { note: "clip", options: { clipvalue: 0.7 } },
  { note: "scale", scale: scales[0]!, options: { weightDecay: 0.01 } },
  { note: "scales", scale: scales[1]!, options: { clipvalue: 0.9 } },
  { note: "ema", options: { emaMomentum: 0.9 } },
  {
    note: "overwrite",
    scale: scales[1]!,
    options: { emaMomentum: 0.9, emaOverwriteFrequency: 3, clipvalue: 1 },
  },
];

for (const { note, scale, options } of SWEEPS) {
  const ema = options.emaMomentum !== undefined;
  const lead = [rate, iteration, ...(scale ? [scale] : [])];
  const read = (xs: readonly Value[]) => ({
    options: { learningRate: xs[0]!, iteration: xs[1]!, scale: scale && xs[2]!, ...options },
    rest: xs.slice(lead.length),
  });
  const run = (
    names: readonly string[],
    update: (slots: never[], options: ops.AdamUpdateOptions) => object[],
  ) => {
    const all = ["parameter", "gradient", ...names, ...(ema ? ["average"] : [])];
    return (...xs: Value[]) => {
      const { options, rest } = read(xs);
      const groups = chunks(rest, all.length);
      const slots = groups.map((g) => Object.fromEntries(all.map((n, i) => [n, g[i]!])));
      return update(slots as never[], options).flatMap((s) => Object.values(s) as Value[]);
    };
  };
  // A bound has kinks, which differences cannot see past.
  const kinked = options.clipvalue === undefined ? {} : NONE;
  const bare = { note: `plain ${note}`, ...kinked };
  const average = ema ? [{}] : [];
  add("sgdUpdate", run([], ops.sgdUpdate), [[...lead, ...slots([{}, {}, ...average])]], NORM, bare);
  for (const nesterov of [false, true]) {
    add(
      "sgdUpdate",
      run(["velocity"], (s, o) => ops.sgdUpdate(s, { ...o, momentum: 0.9, nesterov })),
      [[...lead, ...slots([{}, {}, {}, ...average])]],
      NORM,
      { note: `momentum ${nesterov} ${note}`, ...kinked },
    );
  }
  const moments: Partial<InputSpec>[] = [{}, {}, {}, { range: [0.1, 2] }];
  for (const amsgrad of [false, true]) {
    add(
      "adamUpdate",
      run(["m", "v", ...(amsgrad ? ["vHat"] : [])], (s, o) => ops.adamUpdate(s, { ...o, amsgrad })),
      [[...lead, ...slots([...moments, ...(amsgrad ? [{ range: [2.5, 4] } as const] : []), ...average])]],
      NORM,
      { note: `${amsgrad ? "amsgrad " : ""}${note}`, second: false, ...kinked },
    );
  }
}
add("squaredNorms", (...xs) => ops.squaredNorms(xs), [[...slots([{}]), { shape: [40_000] }]], NORM);

// Tables: one row, a row named twice, all of them, none.
const TABLES: readonly (readonly [Shape, number])[] = [
  [[1, 3], 2],
  [[6, 5], 4],
  [[4], 9],
  [[7, 2, 40], 0],
  [[3, 700], 5],
];
for (const { note, scale, options } of SWEEPS.slice(0, 4)) {
  add(
    "lazyAdamUpdate",
    (lr, t, ...xs) => {
      const own = { ...options, scale: scale && xs[0]! };
      const [parameter, indices, rows, m, v] = xs.slice(scale ? 1 : 0) as [Value, Value, Value, Value, Value];
      const slot = { parameter, indices, rows, m, v };
      return Object.values(ops.lazyAdamUpdate(slot, { learningRate: lr!, iteration: t!, ...own }));
    },
    TABLES.map(([shape, count]): InputSpec[] => [
      rate,
      iteration,
      ...(scale ? [scale] : []),
      { shape },
      { shape: [count], dtype: "int32", range: [0, shape[0]! - 1] },
      { shape: [count, ...shape.slice(1)] },
      { shape },
      { shape, range: [0.1, 2] },
    ]),
    NORM,
    { note, second: false, ...(options.clipvalue === undefined ? {} : NONE) },
  );
}
