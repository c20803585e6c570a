import { emit } from "../../src/graph/trace.ts";
import { allOps } from "../../src/ops/all.ts";
import * as ops from "../../src/ops/index.ts";
import { bitsToUniformOp } from "../../src/ops/random.ts";
import type { InputSpec } from "../helpers/random-shapes.ts";
import { caseList, EXACT, int, NONE, NORM, one, PAIRS, two } from "./case.ts";

const { cases, add } = caseList();

export { cases as elementwiseCases };

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
// Left of 0 the share is a difference of near numbers: relative to the whole, not to each.
for (const [approximate, name] of [
  [false, "gelu"],
  [true, "geluTanh"],
] as const) {
  add(name, (x) => ops.gelu(x, { approximate }), one({ range: [-5, 5] }), NORM);
  add(`${name}Grad`, (x, g) => emit(allOps.get(`${name}Grad`)!, [x!, g!]), two({ range: [-5, 5] }), NORM);
}
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
add("bitsToUniform", (x) => emit(bitsToUniformOp, [x]), one(int(-2147483648, 2147483647)), EXACT, NONE);
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
