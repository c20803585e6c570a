// Normalisations and their gradients: with and without weights, narrow and wide, few rows and several pieces of work.

import type { Shape } from "../../src/core/shape.ts";
import type { Op, Value } from "../../src/graph/graph.ts";
import { emit } from "../../src/graph/trace.ts";
import { batchNormGradOp, batchNormOp } from "../../src/ops/batch-norm.ts";
import { groupNormGradOp, groupNormOp } from "../../src/ops/group-norm.ts";
import * as ops from "../../src/ops/index.ts";
import { layerNormGradOp, layerNormOp, rmsNormGradOp, rmsNormOp } from "../../src/ops/layer-norm.ts";
import type { InputSpec } from "../helpers/random-shapes.ts";
import { caseList, NONE, NORM, type OpCase } from "./case.ts";

const { cases, add } = caseList();

export { cases as normalizationCases };

const epsilon = 1e-3;
const WEIGHTS = [
  { scale: true, center: true },
  { scale: true, center: false },
  { scale: false, center: true },
  { scale: false, center: false },
];
const noteOf = ({ scale, center }: { scale: boolean; center: boolean }): string =>
  `${scale ? "gamma" : "-"} ${center ? "beta" : "-"}`;

/** All of x, gamma and beta as far as there are any. */
function inputsOf(x: Shape, weights: Shape, { scale, center }: (typeof WEIGHTS)[number]): InputSpec[] {
  const weight: InputSpec = { shape: weights, range: [0.5, 1.5] };
  return [{ shape: x }, ...(scale ? [weight] : []), ...(center ? [weight] : [])];
}
/** x, dy, gamma, and then statistics as they might be. */
function gradInputsOf(
  x: Shape,
  weights: Shape,
  statistics: Shape,
  scale: boolean,
  means = true,
): InputSpec[] {
  return [
    { shape: x },
    { shape: x },
    ...(scale ? [{ shape: weights, range: [0.5, 1.5] } as const] : []),
    ...(means ? [{ shape: statistics, range: [-0.5, 0.5] } as const] : []),
    { shape: statistics, range: [0.5, 1.5] },
  ];
}
const emitted =
  (op: Op, attrs: Record<string, unknown>): OpCase["run"] =>
  (...xs: Value[]) =>
    emit(op, xs, attrs);

// One element, one row, widened columns with and without whole vectors, odd sizes.
const CHANNELS: readonly Shape[] = [[1], [5], [3, 1], [2, 3, 4], [9, 17], [40, 3], [3, 5, 5, 8]];
const MANY: readonly Shape[] = [
  [2500, 16],
  [700, 3],
  [33, 1100],
  [21000, 5],
];
for (const weights of WEIGHTS) {
  const attrs = { epsilon, ...weights };
  const note = noteOf(weights);
  const small = CHANNELS.map((x) => inputsOf(x, x.slice(-1), weights));
  // One row has no variance: what is left of x - mean is nothing, and its derivatives by differences are rounding errors.
  const some = small.filter(([x]) => x!.shape.length > 1);
  add("batchNorm", emitted(batchNormOp, attrs), some, NORM, { note });
  add("batchNorm", emitted(batchNormOp, attrs), small, NORM, { ...NONE, note: `${note} one row` });
  // Means of many elements around 0 would be small differences of large sums.
  const large = MANY.map((x) => [
    { shape: x, range: [-1, 3] } as const,
    ...inputsOf(x, x.slice(-1), weights).slice(1),
  ]);
  add("batchNorm", emitted(batchNormOp, attrs), large, NORM, { ...NONE, note: `${note} large` });
  const grads = (shapes: readonly Shape[]) =>
    shapes.map((x) => gradInputsOf(x, x.slice(-1), x.slice(-1), weights.scale));
  add("batchNormGrad", emitted(batchNormGradOp, attrs), grads(CHANNELS), NORM, { note });
  add("batchNormGrad", emitted(batchNormGradOp, attrs), grads(MANY), NORM, {
    ...NONE,
    note: `${note} large`,
  });
}
add(
  "batchNorm",
  (x, gamma, beta) => {
    const { y, mean, variance } = ops.batchNorm(x!, { axis: 1, gamma: gamma!, beta: beta! });
    return [y, mean, variance];
  },
  [inputsOf([3, 4, 5], [4], WEIGHTS[0]!)],
  NORM,
  { note: "axis 1" },
);

// Rows of one element, shorter and longer than vectors, over several axes, more than one piece, none at all.
const ROWS: readonly (readonly [x: Shape, begin: number])[] = [
  [[4, 2], 1],
  [[5, 17], 1],
  [[2, 3, 5], 1],
  [[2, 3, 33], 2],
  [[7], 0],
];
const MORE_ROWS: readonly (readonly [x: Shape, begin: number])[] = [
  [[3, 1], 1],
  [[300, 128], 1],
  [[70, 515], 1],
  [[2, 4200], 1],
  [[0, 4], 1],
];
for (const weights of WEIGHTS) {
  const note = noteOf(weights);
  for (const [i, [x, begin]] of [...ROWS, ...MORE_ROWS].entries()) {
    const inner = x.slice(begin);
    const rows = x.slice(0, begin);
    const options = i < ROWS.length ? {} : NONE;
    const at = `${note} ${x.join("x")} from ${begin}`;
    const { scale } = weights;
    add(
      "layerNorm",
      emitted(layerNormOp, { begin, epsilon, ...weights }),
      [inputsOf(x, inner, weights)],
      NORM,
      { ...options, note: at },
    );
    add(
      "layerNormGrad",
      emitted(layerNormGradOp, { begin, ...weights }),
      [gradInputsOf(x, inner, rows, scale)],
      NORM,
      { ...options, note: at },
    );
    if (weights.center) continue;
    add("rmsNorm", emitted(rmsNormOp, { begin, epsilon, scale }), [inputsOf(x, inner, weights)], NORM, {
      ...options,
      note: at,
    });
    add(
      "rmsNormGrad",
      emitted(rmsNormGradOp, { begin, scale }),
      [gradInputsOf(x, inner, rows, scale, false)],
      NORM,
      { ...options, note: at },
    );
  }
}
add(
  "layerNorm",
  (x, gamma, beta) => ops.layerNorm(x!, { axis: [0, -1], gamma: gamma!, beta: beta! }),
  [inputsOf([3, 4, 5], [3, 5], WEIGHTS[0]!)],
  NORM,
  { note: "axes 0 and 2" },
);
add(
  "rmsNorm",
  (x, gamma) => ops.rmsNorm(x!, { axis: 1, gamma: gamma! }),
  [inputsOf([3, 4, 5], [4], WEIGHTS[1]!)],
  NORM,
  {
    note: "axis 1",
  },
);

const GROUPS: readonly (readonly [x: Shape, groups: number])[] = [
  [[2, 3, 4], 2],
  [[3, 6], 3],
  [[2, 3, 3, 5], 5],
  [[2, 4, 6], 1],
];
const MORE_GROUPS: readonly (readonly [x: Shape, groups: number])[] = [
  [[3, 2], 2],
  [[2, 20, 20, 32], 8],
  [[1, 5000, 32], 4],
  [[2, 70, 2100], 7],
  [[40, 9, 8], 8],
  [[0, 3, 4], 2],
];
for (const weights of WEIGHTS) {
  for (const [i, [x, groups]] of [...GROUPS, ...MORE_GROUPS].entries()) {
    const channels = x.slice(-1);
    const options = i < GROUPS.length ? {} : NONE;
    const note = `${noteOf(weights)} ${x.join("x")} in ${groups}`;
    add(
      "groupNorm",
      emitted(groupNormOp, { groups, epsilon, ...weights }),
      [inputsOf(x, channels, weights)],
      NORM,
      { ...options, note },
    );
    add(
      "groupNormGrad",
      emitted(groupNormGradOp, { groups, ...weights }),
      [gradInputsOf(x, channels, [x[0]!, groups], weights.scale)],
      NORM,
      { ...options, note },
    );
  }
}
add(
  "groupNorm",
  (x, gamma, beta) => ops.groupNorm(x!, { groups: 2, axis: 1, gamma: gamma!, beta: beta! }),
  [inputsOf([3, 4, 5], [4], WEIGHTS[0]!)],
  NORM,
  { note: "axis 1" },
);
