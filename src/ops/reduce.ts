// Reductions. The primitives fold a contiguous range of axes, which disappears; the op functions take any axes and
// split them into such ranges. Sums and products of nothing are 0 and 1; the maximum of nothing is -Infinity.

import type { HostArray } from "../core/dtype.ts";
import { MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxes, normalizeAxis } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { equal, logicalAnd, notEqual, where } from "./compare.ts";
import { stopGradient } from "./custom.ts";
import { abs, exp, log, sqrt, square } from "./elementwise.ts";
import { arithmeticType, castTo, type Operand, toFloat, toValue } from "./operand.ts";
import { checkArity, checkDTypes, record, shapeError, sizeBetween } from "./record.ts";
import { broadcastTo, reshape } from "./shape.ts";

/** Which axes a reduction folds: all of them by default. `keepDims` leaves axes of size 1 in their place. */
export interface ReduceOptions {
  axis?: number | readonly number[] | null;
  keepDims?: boolean;
}

interface Range {
  begin: number;
  end: number;
}

interface ReductionRule {
  start: number;
  startInt?: number;
  step: (sum: number, x: number) => number;
  stepInt?: (sum: number, x: number) => number;
  gradient: (g: Value, x: Value, y: Value) => Value;
}

/** The record of a reduction over axes begin..end-1. Gradient rules see g and y with those axes back as ones. */
function reductionOp(name: string, rule: ReductionRule): Op {
  const { start, step } = rule;
  return record<Range & Record<string, unknown>>({
    name,
    kind: "primitive",
    infer(inputs, { begin, end }, where) {
      checkArity(where, inputs, 1);
      checkDTypes(where, inputs, ["float32", "int32"]);
      const { shape, dtype } = inputs[0]!;
      if (!(begin >= 0 && begin <= end && end <= shape.length)) {
        throw shapeError(where, `expected axes inside ${formatShape(shape)}, got ${begin} to ${end}`);
      }
      return [{ shape: [...shape.slice(0, begin), ...shape.slice(end)], dtype }];
    },
    gradient({ grads, inputs, outputs, attrs }) {
      const x = inputs[0]!;
      const kept = x.shape.map((d, i) => (i >= attrs.begin && i < attrs.end ? 1 : d));
      const g = rule.gradient(reshape(grads[0]!, kept), x, reshape(outputs[0]!, kept));
      return [broadcastTo(g, x.shape)];
    },
    evaluate([x], [y], { attrs, inputTypes }) {
      const { shape, dtype } = inputTypes[0]!;
      const n = sizeBetween(shape, attrs.begin, attrs.end);
      const inner = sizeBetween(shape, attrs.end, shape.length);
      if (dtype === "int32") fold(x!, y!, n, inner, rule.startInt ?? start, rule.stepInt ?? step);
      else if (name === "sum") sumRows(x!, y!, n, inner);
      else fold(x!, y!, n, inner, start, step);
    },
  });
}

/** y[o, i] = fold of x[o, :, i]; y is [outer, inner]. */
function fold(
  x: HostArray,
  y: HostArray,
  n: number,
  inner: number,
  start: number,
  step: (s: number, x: number) => number,
) {
  for (let k = 0; k < y.length; k++) {
    const from = Math.floor(k / inner) * n * inner + (k % inner);
    let sum = start;
    for (let j = 0, at = from; j < n; j++, at += inner) sum = step(sum, x[at]!);
    y[k] = sum;
  }
}

/** The sum of floats, in double precision, reading x in memory order. */
function sumRows(x: HostArray, y: HostArray, n: number, inner: number): void {
  if (inner === 1) {
    for (let k = 0, at = 0; k < y.length; k++) {
      let sum = 0;
      for (const end = at + n; at < end; at++) sum += x[at]!;
      y[k] = sum;
    }
    return;
  }
  const row = new Float64Array(inner);
  for (let k = 0, at = 0; k < y.length; k += inner) {
    row.fill(0);
    for (let j = 0; j < n; j++, at += inner) for (let i = 0; i < inner; i++) row[i]! += x[at + i]!;
    y.set(row, k);
  }
}

export const sumOp = reductionOp("sum", {
  start: 0,
  step: (s, x) => s + x,
  stepInt: (s, x) => (s + x) | 0,
  gradient: (g) => g,
});

/** Splits the gradient evenly among ties. */
const tieGradient = (g: Value, x: Value, y: Value): Value => {
  const hit = castTo(equal(x, y), "float32");
  const axes = x.shape.map((_, i) => i).filter((i) => y.shape[i] !== x.shape[i]);
  return multiply(hit, divide(g, sum(hit, { axis: axes, keepDims: true })));
};

export const maxOp = reductionOp("max", {
  start: -Infinity,
  startInt: -2147483648,
  step: Math.max,
  gradient: tieGradient,
});

export const minOp = reductionOp("min", {
  start: Infinity,
  startInt: 2147483647,
  step: Math.min,
  gradient: tieGradient,
});

export const prodOp = reductionOp("prod", {
  start: 1,
  step: (s, x) => s * x,
  stepInt: Math.imul,
  gradient(g, x, y) {
    // The product of the others: y / x without zeros; with exactly one zero only that element gets any. (At exact zeros
    // this is right once; its own gradient there is not.)
    const axes = x.shape.map((_, i) => i).filter((i) => y.shape[i] !== x.shape[i]);
    const isZero = equal(x, 0);
    const safe = where(isZero, 1, x);
    const rest = prod(safe, { axis: axes, keepDims: true });
    const zeros = sum(isZero, { axis: axes, keepDims: true });
    const others = where(equal(zeros, 0), divide(rest, safe), 0);
    return multiply(g, where(logicalAnd(isZero, equal(zeros, 1)), rest, others));
  },
});

/** Folds the given axes from the last to the first, one contiguous range at a time. */
function reduce(name: string, op: Op, x: Value, options: ReduceOptions | undefined): Value {
  const { axis, keepDims = false } = checkOptions(name, options, ["axis", "keepDims"]);
  const axes = normalizeAxes(name, axis, x.rank);
  let y = x;
  for (let last = axes.length; last > 0; ) {
    let first = last - 1;
    while (first > 0 && axes[first - 1] === axes[first]! - 1) first--;
    y = emit(op, [y], { begin: axes[first]!, end: axes[last - 1]! + 1 })[0]!;
    last = first;
  }
  return keepDims
    ? reshape(
        y,
        x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      )
    : y;
}

function toNumber(x: Operand, where: string): Value {
  const value = toValue(x, undefined, where);
  return castTo(value, arithmeticType(value.dtype));
}

/**
 * Sum over axes; bool and uint8 add up as int32.
 * @example sum(x, { axis: -1 })                       // [2, 3] -> [2]
 * @example sum(x, { axis: [0, 2], keepDims: true })   // [2, 3, 4] -> [1, 3, 1]
 */
export function sum(x: Operand, options?: ReduceOptions): Value {
  return reduce("sum", sumOp, toNumber(x, "sum"), options);
}

/** Largest element over axes; NaN wins. Ties share the gradient. */
export function max(x: Operand, options?: ReduceOptions): Value {
  return reduce("max", maxOp, toNumber(x, "max"), options);
}

/** Smallest element over axes; NaN wins. Ties share the gradient. */
export function min(x: Operand, options?: ReduceOptions): Value {
  return reduce("min", minOp, toNumber(x, "min"), options);
}

/** Product over axes. */
export function prod(x: Operand, options?: ReduceOptions): Value {
  return reduce("prod", prodOp, toNumber(x, "prod"), options);
}

/** How many elements fold into one. */
function countOf(x: Value, y: Value): number {
  return y.shape.includes(0) ? 1 : sizeBetween(x.shape, 0, x.rank) / sizeBetween(y.shape, 0, y.rank);
}

function meanOf(name: string, x: Value, options: ReduceOptions | undefined): Value {
  const total = reduce(name, sumOp, x, options);
  return divide(total, countOf(x, total));
}

/** Mean over axes, in float32; NaN of nothing. */
export function mean(x: Operand, options?: ReduceOptions): Value {
  return meanOf("mean", toFloat(x, "mean"), options);
}

function varianceOf(name: string, x: Value, options: ReduceOptions | undefined): Value {
  const centre = meanOf(name, x, { ...checkOptions(name, options, ["axis", "keepDims"]), keepDims: true });
  return meanOf(name, square(subtract(x, centre)), options);
}

/** Mean squared distance from the mean (the population variance), over axes. */
export function variance(x: Operand, options?: ReduceOptions): Value {
  return varianceOf("variance", toFloat(x, "variance"), options);
}

/** Square root of the variance. */
export function std(x: Operand, options?: ReduceOptions): Value {
  return sqrt(varianceOf("std", toFloat(x, "std"), options));
}

/** Whether any element is non-zero. bool. */
export function any(x: Operand, options?: ReduceOptions): Value {
  const hits = castTo(notEqual(toValue(x, undefined, "any"), 0), "int32");
  return notEqual(reduce("any", sumOp, hits, options), 0);
}

/** Whether all elements are non-zero. bool. */
export function all(x: Operand, options?: ReduceOptions): Value {
  const misses = castTo(equal(toValue(x, undefined, "all"), 0), "int32");
  return equal(reduce("all", sumOp, misses, options), 0);
}

/** log(sum(exp(x))) over axes, without overflow. */
export function logSumExp(x: Operand, options?: ReduceOptions): Value {
  const value = toFloat(x, "logSumExp");
  const { axis, keepDims = false } = checkOptions("logSumExp", options, ["axis", "keepDims"]);
  const axes = normalizeAxes("logSumExp", axis, value.rank);
  const kept = { axis: axes, keepDims: true };
  // The shift cancels, so it needs no gradient; an infinite one would make NaN of Infinity - Infinity.
  const top = max(value, kept);
  const shift = stopGradient(where(equal(abs(top), Infinity), 0, top));
  const y = add(log(sum(exp(subtract(value, shift)), kept)), shift);
  if (keepDims) return y;
  return reshape(
    y,
    y.shape.filter((_, i) => !axes.includes(i)),
  );
}

/** Vector norm over axes: the Euclidean one, or the sum (`ord: 1`) or the largest (`ord: Infinity`) of absolute values. */
export function norm(x: Operand, options?: ReduceOptions & { ord?: 1 | 2 | number }): Value {
  const { ord = 2, ...rest } = checkOptions("norm", options, ["axis", "keepDims", "ord"]);
  const value = toFloat(x, "norm");
  if (ord === 2) return sqrt(reduce("norm", sumOp, square(value), rest));
  if (ord === 1) return reduce("norm", sumOp, abs(value), rest);
  if (ord === Infinity) return reduce("norm", maxOp, abs(value), rest);
  throw new MyelinError("INVALID_OPTION", `norm: expected ord to be 1, 2 or Infinity, got ${ord}`);
}

function argOp(name: string, better: (x: number, best: number) => boolean): Op {
  return record<{ axis: number }>({
    name,
    kind: "primitive",
    infer(inputs, { axis }, at) {
      checkArity(at, inputs, 1);
      checkDTypes(at, inputs, ["float32", "int32"]);
      const { shape } = inputs[0]!;
      normalizeAxis(at, axis, shape.length);
      if (shape[axis] === 0)
        throw shapeError(at, `expected axis ${axis} not to be empty, got ${formatShape(shape)}`);
      return [{ shape: shape.filter((_, i) => i !== axis), dtype: "int32" }];
    },
    gradient: () => [null],
    evaluate([x], [y], { attrs, inputTypes }) {
      const { shape } = inputTypes[0]!;
      const n = shape[attrs.axis]!;
      const inner = sizeBetween(shape, attrs.axis + 1, shape.length);
      for (let k = 0; k < y!.length; k++) {
        const from = Math.floor(k / inner) * n * inner + (k % inner);
        let best = 0;
        for (let j = 1; j < n; j++) {
          const b = x![from + best * inner]!;
          if (Number.isNaN(b)) break; // the first NaN wins
          const v = x![from + j * inner]!;
          if (better(v, b) || Number.isNaN(v)) best = j;
        }
        y![k] = best;
      }
    },
  });
}

export const argmaxOp = argOp("argmax", (x, best) => x > best);
export const argminOp = argOp("argmin", (x, best) => x < best);

export interface ArgOptions {
  axis?: number;
  keepDims?: boolean;
}

function argReduce(name: string, op: Op, x: Operand, options: ArgOptions | undefined): Value {
  const { axis = -1, keepDims = false } = checkOptions(name, options, ["axis", "keepDims"]);
  const value = toNumber(x, name);
  const at = normalizeAxis(name, axis, value.rank);
  const y = emit(op, [value], { axis: at })[0]!;
  return keepDims
    ? reshape(
        y,
        value.shape.map((d, i) => (i === at ? 1 : d)),
      )
    : y;
}

/** Index of the largest element along an axis (the last by default): the first of ties, the first NaN. int32. */
export function argmax(x: Operand, options?: ArgOptions): Value {
  return argReduce("argmax", argmaxOp, x, options);
}

/** Index of the smallest element along an axis (the last by default). int32. */
export function argmin(x: Operand, options?: ArgOptions): Value {
  return argReduce("argmin", argminOp, x, options);
}

/** How many elements are non-zero. int32. */
export function countNonzero(x: Operand, options?: ReduceOptions): Value {
  return reduce("countNonzero", sumOp, castTo(notEqual(toValue(x), 0), "int32"), options);
}
