// One record per op and way of calling it: input shapes and ranges, tolerance, gradient. The judges in test/ops walk over
// them: gradients against finite differences, native against reference on every CPU level, fused against plain.

import type { Shape } from "../src/core/shape.ts";
import { Tensor } from "../src/core/tensor.ts";
import type { Value } from "../src/graph/graph.ts";
import { emit, trace } from "../src/graph/trace.ts";
import { fusedOp } from "../src/ops/fused.ts";
import * as ops from "../src/ops/index.ts";
import { matmulOp } from "../src/ops/matmul.ts";
import type { ReduceOptions } from "../src/ops/reduce.ts";
import {
  checkLabelsOp,
  softmaxCrossEntropyGradOp,
  softmaxCrossEntropyOp,
  sparseSoftmaxCrossEntropyGradOp,
  sparseSoftmaxCrossEntropyOp,
} from "../src/ops/softmax.ts";
import type { Tolerance } from "./helpers/matcher.ts";
import type { InputSpec } from "./helpers/random-shapes.ts";

export interface OpCase {
  /** The op's record, or the name of a composition of ops. */
  readonly op: string;
  /** What tells this case from others of the op. */
  readonly note: string;
  readonly run: (...inputs: Value[]) => Value | readonly Value[];
  /** Each entry is one set of inputs. */
  readonly inputs: readonly (readonly InputSpec[])[];
  readonly tolerance: Tolerance;
  /** Relative tolerance of first derivatives; false: there are none. */
  readonly gradient: number | false;
  /** Whether second derivatives are checked too. */
  readonly second: boolean;
}

const EXACT: Tolerance = { exact: true };
/** Finite differences of fourth order in float64 reach 1e-9; a wrong rule is off by far more than this. */
const GRADIENT = 1e-6;

type Options = Partial<Pick<OpCase, "note" | "gradient" | "second">>;

const list: OpCase[] = [];

function add(
  op: string,
  run: OpCase["run"],
  inputs: readonly (readonly InputSpec[])[],
  tolerance: Tolerance,
  options: Options = {},
): void {
  list.push({ op, note: "", run, inputs, tolerance, gradient: GRADIENT, second: true, ...options });
}

// Elementwise: scalars, empty, one below and above vector widths, several tiles of a fused step, rank 5.
const SHAPES: readonly Shape[] = [[], [0], [1], [7], [17], [3, 5], [2, 1, 3, 2, 2], [4, 1031]];
const one = (spec: Omit<InputSpec, "shape">): InputSpec[][] => SHAPES.map((shape) => [{ ...spec, shape }]);

// Same shape, scalars on either side, rows, columns, both, missing axes, empty ones.
const PAIRS: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[5], []],
  [[], [2, 3]],
  [[33], [33]],
  [[4, 17], [17]],
  [
    [4, 17],
    [4, 1],
  ],
  [
    [4, 1],
    [1, 9],
  ],
  [[3], [2, 1, 3]],
  [
    [0, 3],
    [1, 3],
  ],
  [
    [2, 1, 3, 1, 2],
    [4, 1, 3, 2],
  ],
  [
    [3, 700],
    [3, 700],
  ],
];
const two = (x: Omit<InputSpec, "shape">, y: Omit<InputSpec, "shape"> = x): InputSpec[][] =>
  PAIRS.map(([a, b]) => [
    { ...x, shape: a },
    { ...y, shape: b },
  ]);

const int = (low = -9, high = 9): Omit<InputSpec, "shape"> => ({ dtype: "int32", range: [low, high] });
const NONE: Options = { gradient: false, second: false };

add("negative", ops.negative, one({}), EXACT);
add("abs", ops.abs, one({ away: [0] }), EXACT);
add("sign", ops.sign, one({ away: [0] }), EXACT);
add("floor", ops.floor, one({ range: [-3, 3], away: [-3, -2, -1, 0, 1, 2, 3] }), EXACT);
add("ceil", ops.ceil, one({ range: [-3, 3], away: [-3, -2, -1, 0, 1, 2, 3] }), EXACT);
add("round", ops.round, one({ range: [-3, 3], away: [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5] }), EXACT);
add("exp", ops.exp, one({ range: [-3, 3] }), { ulp: 2 });
add("expm1", ops.expm1, one({ range: [-3, 3] }), { ulp: 2 });
add("log", ops.log, one({ range: [0.2, 4] }), { ulp: 2 });
add("log1p", ops.log1p, one({ range: [-0.7, 4] }), { ulp: 2 });
add("sqrt", ops.sqrt, one({ range: [0.2, 4] }), EXACT);
add("rsqrt", ops.rsqrt, one({ range: [0.2, 4] }), { ulp: 2 });
add("square", ops.square, one({}), EXACT);
add("reciprocal", ops.reciprocal, one({ away: [0], range: [-3, 3] }), EXACT, { gradient: 1e-5 });
add("sin", ops.sin, one({ range: [-9, 9] }), { ulp: 2 });
add("cos", ops.cos, one({ range: [-9, 9] }), { ulp: 2 });
add("tanh", ops.tanh, one({ range: [-4, 4] }), { ulp: 2 });
add("sigmoid", ops.sigmoid, one({ range: [-6, 6] }), { ulp: 2 });
add("erf", ops.erf, one({ range: [-3, 3] }), { ulp: 2 });
add("relu", ops.relu, one({ away: [0] }), EXACT);
for (const [name, op] of Object.entries({
  negative: ops.negative,
  abs: ops.abs,
  sign: ops.sign,
  square: ops.square,
})) {
  add(name, op, one(int(-70000, 70000)), EXACT, { ...NONE, note: "int32" });
}
add("cast", (x) => ops.cast(x, "int32"), one({ range: [-9, 9] }), EXACT, { ...NONE, note: "to int32" });
add("cast", (x) => ops.cast(x, "bool"), one({ range: [-9, 9] }), EXACT, { ...NONE, note: "to bool" });
add("cast", (x) => ops.cast(x, "uint8"), one({ range: [-999, 999] }), EXACT, { ...NONE, note: "to uint8" });
add("cast", (x) => ops.cast(x, "float32"), one(int(-1e9, 1e9)), EXACT, { ...NONE, note: "int32 to float32" });
add("cast", (x) => ops.cast(x, "uint8"), one(int(-999, 999)), EXACT, { ...NONE, note: "int32 to uint8" });
add("cast", (x) => ops.cast(x, "float32"), one({ dtype: "uint8", range: [0, 255] }), EXACT, {
  ...NONE,
  note: "uint8 to float32",
});
add("cast", (x) => ops.cast(x, "int32"), one({ dtype: "bool" }), EXACT, { ...NONE, note: "bool to int32" });
add("bitsToUniform", (x) => emitBits(x), one(int(-2147483648, 2147483647)), EXACT, NONE);
add(
  "broadcastTo",
  (x) => ops.broadcastTo(x, [2, 3, 4]),
  [[{ shape: [] }], [{ shape: [4] }], [{ shape: [3, 1] }], [{ shape: [2, 1, 4] }]],
  EXACT,
);

add("add", ops.add, two({}), EXACT);
add("subtract", ops.subtract, two({}), EXACT);
add("multiply", ops.multiply, two({}), EXACT);
add("divide", ops.divide, two({}, { away: [0], range: [-3, 3] }), EXACT, { gradient: 1e-5 });
add("power", ops.power, two({ range: [0.3, 3] }, { range: [-3, 3] }), { ulp: 4 });
add("power", (x) => ops.power(x, 3), one({ away: [0] }), { ulp: 4 }, { note: "cube" });
add("mod", ops.mod, two({ range: [5.1, 5.9] }, { range: [2.1, 2.4] }), EXACT, { note: "away from jumps" });
add("mod", ops.mod, two({ range: [-9, 9] }, { range: [-3, 3], away: [0] }), EXACT, {
  ...NONE,
  note: "signs",
});
add("floorDivide", ops.floorDivide, two({ range: [5.1, 5.9] }, { range: [2.1, 2.4] }), EXACT, {
  note: "away from jumps",
});
add("floorDivide", ops.floorDivide, two({ range: [-9, 9] }, { range: [-3, 3], away: [0] }), EXACT, {
  ...NONE,
  note: "signs",
});
add("minimum", ops.minimum, two({ range: [-2, 0.4], away: [0] }, { range: [-0.05, 0.04] }), EXACT);
add("maximum", ops.maximum, two({ range: [-2, 0.4], away: [0] }, { range: [-0.04, 0.04] }), EXACT);
for (const [name, op] of Object.entries({
  add: ops.add,
  subtract: ops.subtract,
  multiply: ops.multiply,
  minimum: ops.minimum,
  maximum: ops.maximum,
  mod: ops.mod,
  floorDivide: ops.floorDivide,
})) {
  add(name, op, two(int(-70000, 70000), int(-300, 300)), EXACT, { ...NONE, note: "int32" });
}
for (const [name, op] of Object.entries({
  equal: ops.equal,
  notEqual: ops.notEqual,
  less: ops.less,
  lessEqual: ops.lessEqual,
  greater: ops.greater,
  greaterEqual: ops.greaterEqual,
})) {
  add(name, op, two({ range: [-0.001, 0.001] }), EXACT, NONE);
  add(name, op, two(int(-2, 2)), EXACT, { ...NONE, note: "int32" });
}
for (const [name, op] of Object.entries({ logicalAnd: ops.logicalAnd, logicalOr: ops.logicalOr }))
  add(name, op, two({ dtype: "bool" }), EXACT, NONE);
add("logicalNot", ops.logicalNot, one({ dtype: "bool" }), EXACT, NONE);
const choices = PAIRS.map(([a, b]): InputSpec[] => [{ shape: b, dtype: "bool" }, { shape: a }, { shape: b }]);
add("where", ops.where, choices, EXACT);
add(
  "where",
  ops.where,
  choices.map((c) => c.map((s, i) => (i === 0 ? s : { ...s, ...int() }))),
  EXACT,
  { ...NONE, note: "int32" },
);
add("clip", (x) => ops.clip(x, -1, 1), one({ away: [-1, 1] }), EXACT);

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
  spec: Omit<InputSpec, "shape">,
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

// Moves, on every dtype.
const DTYPES = [{}, int(), { dtype: "uint8", range: [0, 255] }, { dtype: "bool" }] as Omit<
  InputSpec,
  "shape"
>[];
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

// Products: every transpose case; sizes of one, none, odd, below and above blocks and tiles; batches that broadcast.
const PRODUCTS: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [2, 8, 4],
  [7, 33, 65],
  [65, 7, 33],
  [1, 40, 300],
  [40, 1, 300],
  [3, 5, 0],
  [0, 3, 5],
  [130, 67, 20],
];
for (const [m, n, k] of PRODUCTS) {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      const a = transposeA ? [k, m] : [m, k];
      const b = transposeB ? [n, k] : [k, n];
      add(
        "matmul",
        (x, y) => ops.matmul(x!, y!, { transposeA, transposeB }),
        [[{ shape: a }, { shape: b }]],
        { terms: k },
        {
          note: `${m} ${n} ${k} ${transposeA} ${transposeB}`,
          second: m * n * k < 1000,
        },
      );
    }
  }
}
const BATCHES: readonly (readonly [Shape, Shape])[] = [
  [
    [3, 4, 5],
    [3, 5, 2],
  ],
  [
    [3, 4, 5],
    [5, 2],
  ],
  [
    [4, 5],
    [3, 5, 2],
  ],
  [
    [2, 1, 4, 5],
    [3, 5, 2],
  ],
  [
    [0, 4, 5],
    [5, 2],
  ],
  [[5], [5]],
  [[5], [3, 5, 2]],
  [[3, 4, 5], [5]],
];
for (const [a, b] of BATCHES) {
  add(
    "matmul",
    (x, y) => ops.matmul(x!, y!),
    [[{ shape: a }, { shape: b }]],
    { terms: 5 },
    { note: `${JSON.stringify(a)} ${JSON.stringify(b)}` },
  );
}
add(
  "matmul",
  (x, y) => ops.matmul(x!, y!, { transposeA: true, transposeB: true }),
  [[{ shape: [3, 5, 4] }, { shape: [2, 5] }]],
  { terms: 5 },
  { note: "batch, both turned" },
);
add(
  "matmul",
  (x, y, z) => withEpilogue(x!, y!, z!),
  [[{ shape: [9, 5] }, { shape: [5, 7] }, { shape: [7] }]],
  { terms: 8 },
  { ...NONE, note: "with a body" },
);
add(
  "dot",
  ops.dot,
  [
    [{ shape: [2, 3, 4] }, { shape: [5, 4, 2] }],
    [{ shape: [4] }, { shape: [4] }],
  ],
  { terms: 4 },
);

// Softmax family: one class, few, more than a vector, several axes.
const LOGITS: readonly Shape[] = [[1], [7], [3, 10], [5, 1], [2, 3, 33], [0, 4]];
const rows = LOGITS.map((shape): InputSpec[] => [{ shape, range: [-4, 4] }]);
const NORM: Tolerance = { norm: 1e-5 };
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

export const cases: readonly OpCase[] = list;

function twoStreams(seed: ops.SeedGenerator): readonly Value[] {
  return [ops.random.bits([70], { seed }), ops.random.bits([70], { seed })];
}

/** The only op function without a public name of its own. */
function emitBits(x: Value): Value {
  return emit(bitsRecord(), [x])[0]!;
}

function bitsRecord() {
  const { graph } = trace(() => [ops.random.uniform([1], { seed: 0 })], []);
  return graph.nodes.find((n) => n.op.name === "bitsToUniform")!.op;
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

/** relu(x * y + z) as one step. */
function withEpilogue(x: Value, y: Value, z: Value): readonly Value[] {
  const product = { shape: [x.shape[0]!, y.shape[1]!], dtype: "float32" as const };
  const { graph: body } = trace((p, b) => [ops.relu(ops.add(p!, b!))], [product, z]);
  return emit(matmulOp, [x, y, z], { transA: false, transB: false, body });
}

/** One tensor of a case, for tests that need literal ones. */
export const literal = (values: readonly number[], shape: Shape = [values.length]): Tensor =>
  new Tensor(Float32Array.from(values), shape, "float32");
