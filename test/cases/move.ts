// Ops that move elements, on every dtype, and those that read and add by index.

import type { Shape } from "../../src/core/shape.ts";
import * as ops from "../../src/ops/index.ts";
import type { InputSpec } from "../helpers/random-shapes.ts";
import { caseList, DTYPES, EXACT, int, NONE, type OpCase } from "./case.ts";

const { cases, add } = caseList();

export { cases as moveCases };

// Moves, on every dtype.
const moved = (op: string, run: OpCase["run"], shapes: readonly Shape[], note = ""): void => {
  for (const spec of DTYPES) {
    const isFloat = spec.dtype === undefined;
    const inputs = [shapes.map((shape) => ({ ...spec, shape }))];
    add(op, run, inputs, EXACT, {
      ...(isFloat ? {} : NONE),
      note: `${JSON.stringify(shapes)} ${note} ${spec.dtype ?? ""}`.trim(),
    });
  }
};
moved("reshape", (x) => ops.reshape(x, [3, -1]), [[2, 3, 5]]);
moved("reshape", (x) => ops.reshape(x, []), [[1, 1]]);
moved("transpose", (x) => ops.transpose(x), [[3, 5]]);
moved("transpose", (x) => ops.transpose(x), [[33, 70]]);
moved("transpose", (x) => ops.transpose(x, [0, 2, 1]), [[3, 4, 5]]);
moved("transpose", (x) => ops.transpose(x, [2, 0, 1]), [[3, 1, 5]]);
moved("transpose", (x) => ops.transpose(x, [4, 1, 3, 0, 2]), [[2, 3, 2, 3, 4]]);
moved("transpose", (x) => ops.transpose(x, [1, 0]), [[0, 4]]);
moved("slice", (x) => ops.slice(x, [1], [3]), [[7]]);
moved("slice", (x) => ops.slice(x, [1, -3], [2, 2]), [[4, 5]]);
moved("slice", (x) => ops.slice(x, [1, 0, 2], [-1, 2, 2], { step: [2, 1, 3] }), [[6, 3, 9]]);
moved("slice", (x) => ops.slice(x, [2], [0]), [[4]]);
moved("pad", (x) => ops.pad(x, [[2, 1]], { value: 1 }), [[5]]);
moved(
  "pad",
  (x) =>
    ops.pad(x, [
      [0, 0],
      [1, 2],
    ]),
  [[3, 4]],
);
moved(
  "pad",
  (x) =>
    ops.pad(x, [
      [0, 2],
      [1, 0],
      [0, 0],
    ]),
  [[2, 0, 3]],
);
moved("concatenate", (x, y, z) => ops.concatenate([x!, y!, z!]), [
  [3, 2],
  [3, 5],
  [3, 0],
]);
moved("concatenate", (x, y) => ops.concatenate([x!, y!], { axis: 0 }), [
  [1, 2, 3],
  [4, 2, 3],
]);
moved("concatenate", (x, y) => ops.stack([x!, y!], { axis: 1 }), [
  [3, 2],
  [3, 2],
]);
moved("concatenate", (x) => ops.concatenate([x!, x!, x!]), [[2, 3]], "one three times");
moved("reverse", (x) => ops.reverse(x), [[7]]);
moved("reverse", (x) => ops.reverse(x, { axis: [0, 2] }), [[3, 4, 5]]);
moved("tile", (x) => ops.tile(x, [2, 1, 3]), [[4, 2]]);
moved("repeat", (x) => ops.repeat(x, 3, { axis: 1 }), [[2, 3, 2]]);
moved("split", (x) => ops.split(x, [1, 3], { axis: 1 }), [[2, 6]]);
add("iota", () => ops.arange(7), [[]], EXACT, NONE);
add("iota", () => [ops.arange(0), ops.arange(5, 1, -2), ops.arange(0, 1, 0.25)], [[]], EXACT, {
  ...NONE,
  note: "ranges",
});
add("constant", (x) => ops.add(x, ops.constant([1.5, 2.5, 3.5])), [[{ shape: [2, 3] }]], EXACT);
add("stopGradient", (x) => ops.stopGradient(ops.multiply(x, x)), [[{ shape: [3] }]], EXACT, NONE);

// Gather and scatter: every axis, repeated indices, scalar and matrix indices, wide and narrow rows.
const GATHERS: readonly (readonly [Shape, Shape, number])[] = [
  [[9], [4], 0],
  [[9, 3], [5], 0],
  [[9, 70], [2, 3], 0],
  [[2, 9, 3], [4], 1],
  [[3, 9], [4], 1],
  [[9, 3], [], 0],
  [[9, 3], [0], 0],
];
for (const [shape, index, axis] of GATHERS) {
  const note = JSON.stringify([shape, index, axis]);
  const at: InputSpec = { shape: index, dtype: "int32", range: [0, 8] };
  const updates = [...shape.slice(0, axis), ...index, ...shape.slice(axis + 1)];
  for (const spec of DTYPES) {
    add("gather", (x, i) => ops.gather(x!, i!, { axis }), [[{ ...spec, shape }, at]], EXACT, {
      ...(spec.dtype ? NONE : {}),
      note: `${note} ${spec.dtype ?? ""}`,
    });
  }
  add(
    "scatterAdd",
    (i, u) => ops.scatterAdd(i!, u!, 9, { axis }),
    [[at, { shape: updates }]],
    { terms: 10 },
    { note },
  );
  add(
    "scatterAdd",
    (i, u) => ops.scatterAdd(i!, u!, 9, { axis }),
    [[at, { ...int(), shape: updates }]],
    EXACT,
    { ...NONE, note: `${note} int32` },
  );
}
add(
  "takeAlongAxis",
  (x, i) => ops.takeAlongAxis(x!, i!, { axis: 1 }),
  [[{ shape: [3, 5, 2] }, { shape: [3, 4, 2], dtype: "int32", range: [0, 4] }]],
  EXACT,
);
add("oneHot", (i) => ops.oneHot(i, 5), [[{ shape: [3, 2], dtype: "int32", range: [-1, 5] }]], EXACT, NONE);
