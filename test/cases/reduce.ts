// Reductions, scans and sorting.

import type { Shape } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as ops from "../../src/ops/index.ts";
import type { ReduceOptions } from "../../src/ops/reduce.ts";
import type { Tolerance } from "../helpers/matcher.ts";
import { caseList, EXACT, type Fill, int, NONE, type Options } from "./case.ts";

const { cases, add } = caseList();

export { cases as reduceCases };

// Reductions: one element, none, one axis of each place, all, two that touch, two that do not.
const REDUCED: readonly (readonly [Shape, ReduceOptions])[] = [
  [[], {}],
  [[1], {}],
  [[37], {}],
  [[5, 33], { axis: 1 }],
  [[5, 33], { axis: 0 }],
  [[3, 4, 5], { axis: 1, keepDims: true }],
  [[3, 4, 5], { axis: [0, 2] }],
  [[2, 3, 2, 3, 2], { axis: [1, 2], keepDims: true }],
  [[2, 600], {}],
];
const longest = 1200;
const reduced = (
  name: string,
  op: (x: Value, options: ReduceOptions) => Value,
  spec: Fill,
  tolerance: Tolerance,
  options: Options = {},
): void => {
  for (const [shape, how] of REDUCED) {
    const note = `${JSON.stringify(shape)} ${JSON.stringify(how)} ${options.note ?? ""}`.trim();
    if (name === "std" && shape.every((d) => d === 1)) continue; // no derivative at a deviation of 0
    add(name, (x) => op(x, how), [[{ ...spec, shape }]], tolerance, { ...options, note });
  }
};
reduced("sum", ops.sum, {}, { terms: longest });
reduced("sum", ops.sum, int(-1e9, 1e9), EXACT, { ...NONE, note: "int32" });
reduced("max", ops.max, { distinct: true, range: [-40, 40] }, EXACT);
reduced("max", ops.max, int(-9, 9), EXACT, { ...NONE, note: "int32" });
reduced("min", ops.min, { distinct: true, range: [-40, 40] }, EXACT);
reduced("min", ops.min, int(-9, 9), EXACT, { ...NONE, note: "int32" });
// Factors near 1 keep the product of 1200 of them in range; each multiplication may round.
reduced("prod", ops.prod, { range: [0.9, 1.1] }, { ulp: longest });
reduced("prod", ops.prod, int(-3, 3), EXACT, { ...NONE, note: "int32" });
reduced("mean", ops.mean, {}, { terms: longest });
reduced("variance", ops.variance, {}, { norm: 1e-5 });
reduced("std", ops.std, { distinct: true }, { norm: 1e-5 }, { second: false });
reduced("logSumExp", ops.logSumExp, { range: [-3, 3] }, { norm: 1e-5 });
for (const shape of [[1], [37], [5, 33], [3, 4, 5]] as Shape[]) {
  for (const axis of [0, -1]) {
    const note = `${JSON.stringify(shape)} axis ${axis}`;
    add("argmax", (x) => ops.argmax(x, { axis }), [[{ shape }], [{ shape, ...int(-3, 3) }]], EXACT, {
      ...NONE,
      note,
    });
    add("argmin", (x) => ops.argmin(x, { axis }), [[{ shape }], [{ shape, ...int(-3, 3) }]], EXACT, {
      ...NONE,
      note,
    });
    for (const exclusive of [false, true]) {
      for (const reverse of [false, true]) {
        const how = { axis, exclusive, reverse };
        add(
          "cumsum",
          (x) => ops.cumsum(x, how),
          [[{ shape }]],
          { terms: 40 },
          { note: `${note} ${exclusive} ${reverse}` },
        );
      }
    }
    for (const descending of [false, true]) {
      const both = (x: Value) => [ops.sort(x, { axis, descending }), ops.argsort(x, { axis, descending })];
      add("sort", both, [[{ shape, distinct: true }]], EXACT, { note: `${note} ${descending}` });
      add("sort", both, [[{ shape, ...int(-3, 3) }]], EXACT, {
        ...NONE,
        note: `${note} ${descending} int32`,
      });
    }
  }
}
add("cumsum", (x) => ops.cumsum(x), [[{ shape: [3, 40], ...int(-1e9, 1e9) }]], EXACT, {
  ...NONE,
  note: "int32 wraps",
});
add(
  "topK",
  (x) => Object.values(ops.topK(x, 3)),
  [[{ shape: [4, 9], distinct: true }], [{ shape: [3], distinct: true }]],
  EXACT,
);
add(
  "any",
  (x) => [ops.any(x), ops.all(x), ops.any(x, { axis: 0 }), ops.all(x, { axis: 0 })],
  [[{ shape: [3, 4], dtype: "bool" }], [{ shape: [0, 4], dtype: "bool" }]],
  EXACT,
  NONE,
);
