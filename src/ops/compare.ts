// Comparisons, logic and selection. Comparisons give bool and have no gradient; NaN is unequal to everything.

import { broadcastShapes, formatShape } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { forEachRun } from "./broadcast.ts";
import { abs } from "./elementwise.ts";
import { comparison } from "./family.ts";
import { castTo, type Operand, toCommon, toValue } from "./operand.ts";
import { checkArity, checkDTypes, checkSameDType, record, shapeError } from "./record.ts";

/** x == y, elementwise with broadcasting. */
export const equal = comparison("equal", (a, i, s, b, j, t, y, k, end) => {
  for (; k < end; k++, i += s, j += t) y[k] = a[i]! === b[j]! ? 1 : 0;
});

/** x != y. */
export const notEqual = comparison("notEqual", (a, i, s, b, j, t, y, k, end) => {
  for (; k < end; k++, i += s, j += t) y[k] = a[i]! !== b[j]! ? 1 : 0;
});

/** x < y. */
export const less = comparison("less", (a, i, s, b, j, t, y, k, end) => {
  for (; k < end; k++, i += s, j += t) y[k] = a[i]! < b[j]! ? 1 : 0;
});

/** x <= y. */
export const lessEqual = comparison("lessEqual", (a, i, s, b, j, t, y, k, end) => {
  for (; k < end; k++, i += s, j += t) y[k] = a[i]! <= b[j]! ? 1 : 0;
});

/** x > y. */
export const greater = comparison("greater", (a, i, s, b, j, t, y, k, end) => {
  for (; k < end; k++, i += s, j += t) y[k] = a[i]! > b[j]! ? 1 : 0;
});

/** x >= y. */
export const greaterEqual = comparison("greaterEqual", (a, i, s, b, j, t, y, k, end) => {
  for (; k < end; k++, i += s, j += t) y[k] = a[i]! >= b[j]! ? 1 : 0;
});

/** Both are non-zero. Operands are cast to bool. */
export const logicalAnd = comparison(
  "logicalAnd",
  (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = a[i]! & b[j]!;
  },
  "bool",
);

/** Either is non-zero. */
export const logicalOr = comparison(
  "logicalOr",
  (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = a[i]! | b[j]!;
  },
  "bool",
);

const logicalNotOp = record({
  name: "logicalNot",
  kind: "elementwise",
  infer(inputs, _attrs, where) {
    checkArity(where, inputs, 1);
    checkDTypes(where, inputs, ["bool"]);
    return [inputs[0]!];
  },
  gradient: () => [null],
  evaluate([x], [y]) {
    for (let i = 0; i < y!.length; i++) y![i] = x![i]! ^ 1;
  },
});

/** x is zero. */
export const logicalNot = Object.assign(
  (x: Operand): Value => emit(logicalNotOp, [castTo(toValue(x, "bool", "logicalNot"), "bool")])[0]!,
  { op: logicalNotOp },
);

const whereOp: Op = record({
  name: "where",
  kind: "elementwise",
  infer(inputs, _attrs, at) {
    checkArity(at, inputs, 3);
    checkDTypes(at, inputs.slice(0, 1), ["bool"]);
    checkSameDType(at, inputs.slice(1));
    const [c, x, y] = inputs.map((t) => t.shape) as [readonly number[], readonly number[], readonly number[]];
    const xy = broadcastShapes(x, y);
    const shape = xy && broadcastShapes(c, xy);
    if (!shape) {
      const shapes = [c, x, y].map(formatShape).join(", ");
      throw shapeError(at, `expected shapes that broadcast together, got ${shapes}`);
    }
    return [{ shape, dtype: inputs[1]!.dtype }];
  },
  gradient({ grads, inputs }) {
    const [g, c] = [grads[0]!, inputs[0]!];
    return [null, where(c, g, 0), where(c, 0, g)];
  },
  evaluate([c, x, y], [z], { inputTypes, outputTypes }) {
    const shapes = inputTypes.map((t) => t.shape);
    forEachRun(shapes, outputTypes[0]!.shape, (at, [r, s, t], k, end) => {
      let [h, i, j] = at as [number, number, number];
      for (; k < end; k++, h += r!, i += s!, j += t!) z![k] = c![h]! !== 0 ? x![i]! : y![j]!;
    });
  },
});

/** x where the condition holds, y elsewhere; all three broadcast. The condition is cast to bool. */
export const where = Object.assign(
  (condition: Operand, x: Operand, y: Operand): Value => {
    const [a, b] = toCommon("where", [x, y]);
    return emit(whereOp, [castTo(toValue(condition, "bool", "where"), "bool"), a!, b!])[0]!;
  },
  { op: whereOp },
);

/** Is NaN. */
export function isNan(x: Operand): Value {
  const value = toValue(x, undefined, "isNan");
  return notEqual(value, value);
}

/** Is neither infinite nor NaN. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: Keras's name; this file needs no global of that name.
export function isFinite(x: Operand): Value {
  const value = toValue(x, undefined, "isFinite");
  return value.dtype === "float32" ? less(abs(value), Infinity) : equal(value, value);
}
