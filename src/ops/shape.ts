// Ops that move elements about or make them from nothing. Programs hold contiguous tensors only: reshape is free, every
// other change of layout is a copy.

import { DTYPES, type DType } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import {
  broadcastShapes,
  checkShape,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  sizeOf,
} from "../core/shape.ts";
import { inferShape, Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, multiply } from "./arithmetic.ts";
import { equal } from "./compare.ts";
import { constantOp } from "./constant.ts";
import {
  broadcastToOp,
  concatenateOp,
  iotaOp,
  padOp,
  reshapeOp,
  reverseOp,
  sliceOp,
  transposeOp,
} from "./move.ts";
import { castTo, type Operand, scalar, toCommon, toInt, toValue } from "./operand.ts";
import { shapeError } from "./record.ts";

/**
 * The same elements in another shape; one -1 is worked out. Free at run time.
 * @example reshape(x, [-1, 4])   // [2, 3, 4] -> [6, 4]
 */
export function reshape(x: Operand, shape: Shape): Value {
  const value = toValue(x, undefined, "reshape");
  const to = inferShape("reshape", shape, sizeOf(value.shape));
  if (sameShape(value.shape, to)) return value;
  return emit(reshapeOp, [value], { shape: checkShape("reshape", to) })[0]!;
}

/** Reorders axes: axis i of the result is axis perm[i] of x. Without perm the order is turned round. */
export function transpose(x: Operand, perm?: readonly number[]): Value {
  const value = toValue(x, undefined, "transpose");
  const order = perm
    ? perm.map((a) => normalizeAxis("transpose", a, value.rank))
    : value.shape.map((_, i) => i).reverse();
  if (order.length === value.rank && order.every((a, i) => a === i)) return value;
  return emit(transposeOp, [value], { perm: order })[0]!;
}

/** Moves one axis to another place. */
export function moveAxis(x: Operand, from: number, to: number): Value {
  const value = toValue(x, undefined, "moveAxis");
  const source = normalizeAxis("moveAxis", from, value.rank);
  const order = value.shape.map((_, i) => i).filter((i) => i !== source);
  order.splice(normalizeAxis("moveAxis", to, value.rank), 0, source);
  return transpose(value, order);
}

/** Exchanges two axes. */
export function swapAxes(x: Operand, a: number, b: number): Value {
  const value = toValue(x, undefined, "swapAxes");
  const order = value.shape.map((_, i) => i);
  const [i, j] = [normalizeAxis("swapAxes", a, value.rank), normalizeAxis("swapAxes", b, value.rank)];
  order[i] = j;
  order[j] = i;
  return transpose(value, order);
}

/** Inserts an axis of size 1: expandDims(x, 0) makes [1, ...], expandDims(x, -1) makes [..., 1]. */
export function expandDims(x: Operand, axis = -1): Value {
  const value = toValue(x, undefined, "expandDims");
  const at = normalizeAxis("expandDims", axis, value.rank + 1);
  return reshape(value, [...value.shape.slice(0, at), 1, ...value.shape.slice(at)]);
}

/** Removes axes of size 1: the given ones, or all. */
export function squeeze(x: Operand, axis?: number | readonly number[]): Value {
  const value = toValue(x, undefined, "squeeze");
  const axes =
    axis === undefined
      ? value.shape.flatMap((d, i) => (d === 1 ? [i] : []))
      : normalizeAxes("squeeze", axis, value.rank);
  const wide = axes.find((a) => value.shape[a] !== 1);
  if (wide !== undefined) {
    throw shapeError("squeeze", `expected axis ${wide} of size 1, got ${formatShape(value.shape)}`);
  }
  return reshape(
    value,
    value.shape.filter((_, i) => !axes.includes(i)),
  );
}

/** x as rows: keeps the first axis and joins the others. */
export function flatten(x: Operand): Value {
  const value = toValue(x, undefined, "flatten");
  return reshape(value, [value.shape[0] ?? 1, sizeOf(value.shape.slice(1))]);
}

/**
 * Elements begin[i], begin[i] + step[i], ... along every axis, size[i] of them.
 * @param begin one per axis; negative counts from the end
 * @param size one per axis; -1 takes all that is left
 * @param options.step distance between elements, one per axis, at least 1 (default 1)
 */
export function slice(
  x: Operand,
  begin: readonly number[],
  size: readonly number[],
  options?: { step?: readonly number[] },
): Value {
  const value = toValue(x, undefined, "slice");
  const { step = value.shape.map(() => 1) } = checkOptions("slice", options, ["step"]);
  for (const [name, list] of Object.entries({ begin, size, step })) {
    if (!Array.isArray(list) || list.length !== value.rank) {
      throw shapeError("slice", `expected ${name} to hold ${value.rank} numbers, got ${describe(list)}`);
    }
  }
  const from = begin.map((b, i) => (b < 0 ? b + value.shape[i]! : b));
  const count = size.map((n, i) => (n === -1 ? Math.ceil((value.shape[i]! - from[i]!) / step[i]!) : n));
  if (step.every((s) => s === 1) && sameShape(count, value.shape) && from.every((b) => b === 0)) return value;
  return emit(sliceOp, [value], { begin: from, size: count, step: [...step] })[0]!;
}

/** Elements begin to end (exclusive) of one axis. */
export function sliceAxis(x: Operand, axis: number, begin: number, end: number): Value {
  const value = toValue(x, undefined, "slice");
  const at = normalizeAxis("slice", axis, value.rank);
  const pick = (i: number, chosen: number, other: number) => (i === at ? chosen : other);
  return slice(
    value,
    value.shape.map((_, i) => pick(i, begin, 0)),
    value.shape.map((d, i) => pick(i, end - begin, d)),
  );
}

/** Joins tensors along an axis (the last by default). */
export function concatenate(list: readonly Operand[], options?: { axis?: number }): Value {
  const { axis = -1 } = checkOptions("concatenate", options, ["axis"]);
  const values = checkList("concatenate", list);
  const at = normalizeAxis("concatenate", axis, values[0]!.rank);
  return values.length === 1 ? values[0]! : emit(concatenateOp, values, { axis: at })[0]!;
}

/** Joins tensors of one shape along a new axis (the first by default). */
export function stack(list: readonly Operand[], options?: { axis?: number }): Value {
  const { axis = 0 } = checkOptions("stack", options, ["axis"]);
  const values = checkList("stack", list);
  const odd = values.find((v) => !sameShape(v.shape, values[0]!.shape));
  if (odd) {
    const shapes = `${formatShape(values[0]!.shape)} and ${formatShape(odd.shape)}`;
    throw shapeError("stack", `expected one shape, got ${shapes}`);
  }
  const at = normalizeAxis("stack", axis, values[0]!.rank + 1);
  return concatenate(
    values.map((v) => expandDims(v, at)),
    { axis: at },
  );
}

function checkList(where: string, list: readonly Operand[]): Value[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a list of tensors, got ${describe(list)}`);
  }
  return toCommon(where, list);
}

/**
 * Cuts an axis (the first by default) into equal parts, or at the given indices, as NumPy's split.
 * @example split(x, 3)        // [6, 2] -> three of [2, 2]
 * @example split(x, [1, 4])   // [6, 2] -> [1, 2], [3, 2], [2, 2]
 */
export function split(
  x: Operand,
  sections: number | readonly number[],
  options?: { axis?: number },
): Value[] {
  const { axis = 0 } = checkOptions("split", options, ["axis"]);
  const value = toValue(x, undefined, "split");
  const at = normalizeAxis("split", axis, value.rank);
  const n = value.shape[at]!;
  if (typeof sections === "number" && (!Number.isInteger(sections) || sections < 1 || n % sections !== 0)) {
    throw shapeError("split", `expected a number of parts that divides ${n}, got ${describe(sections)}`);
  }
  const cuts =
    typeof sections === "number"
      ? Array.from({ length: sections - 1 }, (_, i) => ((i + 1) * n) / sections)
      : sections;
  const edges = [0, ...cuts, n];
  if (edges.some((e, i) => !Number.isInteger(e) || (i > 0 && e < edges[i - 1]!))) {
    throw shapeError("split", `expected rising indices from 0 to ${n}, got ${describe(sections)}`);
  }
  return edges.slice(1).map((end, i) => sliceAxis(value, at, edges[i]!, end));
}

/** Takes an axis apart: one tensor per index, without that axis. */
export function unstack(x: Operand, options?: { axis?: number }): Value[] {
  const { axis = 0 } = checkOptions("unstack", options, ["axis"]);
  const value = toValue(x, undefined, "unstack");
  const at = normalizeAxis("unstack", axis, value.rank);
  return Array.from({ length: value.shape[at]! }, (_, i) => squeeze(sliceAxis(value, at, i, i + 1), at));
}

/**
 * Adds `value` around: paddings[i] = [before, after] for axis i.
 * @example pad(x, [[0, 0], [1, 2]])   // [3, 4] -> [3, 7]
 */
export function pad(
  x: Operand,
  paddings: readonly (readonly [number, number])[],
  options?: { value?: number },
): Value {
  const { value: fill = 0 } = checkOptions("pad", options, ["value"]);
  const value = toValue(x, undefined, "pad");
  if (!Array.isArray(paddings) || paddings.length !== value.rank || !paddings.every((p) => p.length === 2)) {
    throw shapeError("pad", `expected ${value.rank} pairs [before, after], got ${describe(paddings)}`);
  }
  const [before, after] = [0, 1].map((i) => paddings.map((p) => checkInteger("pad", "paddings", p[i])));
  if (typeof fill !== "number" || (value.dtype !== "float32" && Math.fround(Math.trunc(fill)) !== fill)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `pad: expected value to fit ${value.dtype}, got ${describe(fill)}`,
    );
  }
  if (paddings.every(([b, a]) => a === 0 && b === 0)) return value;
  return emit(padOp, [value], { before, after, interior: before!.map(() => 0), value: fill })[0]!;
}

/** Repeats the whole tensor reps[i] times along axis i; missing leading reps or axes count as 1. */
export function tile(x: Operand, reps: readonly number[]): Value {
  let value = toValue(x, undefined, "tile");
  for (const r of reps) checkInteger("tile", "reps", r);
  const rank = Math.max(value.rank, reps.length);
  value = reshape(value, [...Array<number>(rank - value.rank).fill(1), ...value.shape]);
  for (let axis = rank - 1; axis >= 0; axis--) {
    const r = reps[axis - rank + reps.length] ?? 1;
    if (r !== 1) value = repeatBlocks(value, axis, value.shape[axis]!, r);
  }
  return value;
}

/** Repeats every element `count` times in place along an axis; without one, of the flattened tensor. */
export function repeat(x: Operand, count: number, options?: { axis?: number }): Value {
  const { axis } = checkOptions("repeat", options, ["axis"]);
  const given = toValue(x, undefined, "repeat");
  checkInteger("repeat", "count", count);
  const value = axis === undefined ? reshape(given, [-1]) : given;
  return repeatBlocks(value, normalizeAxis("repeat", axis ?? 0, value.rank), 1, count);
}

/** Every run of `block` indices of an axis, r times over: a broadcast of a three-dimensional view. */
function repeatBlocks(x: Value, axis: number, block: number, r: number): Value {
  const inner = block * sizeOf(x.shape.slice(axis + 1));
  const outer = inner === 0 ? 0 : sizeOf(x.shape) / inner;
  const copies = broadcastTo(reshape(x, [outer, 1, inner]), [outer, r, inner]);
  return reshape(
    copies,
    x.shape.map((d, i) => (i === axis ? d * r : d)),
  );
}

/** Repeats axes of size 1 (and missing leading ones) up to a shape. */
export function broadcastTo(x: Operand, shape: Shape): Value {
  const value = toValue(x, undefined, "broadcastTo");
  if (sameShape(value.shape, shape)) return value;
  return emit(broadcastToOp, [value], { shape: checkShape("broadcastTo", shape) })[0]!;
}

/** The common shape of broadcast operands, as ops would find it. */
export function broadcastShapesOf(where: string, shapes: readonly Shape[]): Shape {
  return shapes.reduce((a, b) => {
    const shape = broadcastShapes(a, b);
    if (!shape)
      throw shapeError(
        where,
        `expected shapes that broadcast together, got ${formatShape(a)} and ${formatShape(b)}`,
      );
    return shape;
  });
}

/** Turns the order round along axes (all by default). */
export function reverse(x: Operand, options?: { axis?: number | readonly number[] }): Value {
  const { axis } = checkOptions("reverse", options, ["axis"]);
  const value = toValue(x, undefined, "reverse");
  const axes = normalizeAxes("reverse", axis, value.rank).filter((a) => value.shape[a]! > 1);
  return axes.length === 0 ? value : emit(reverseOp, [value], { axes })[0]!;
}

/**
 * 0, 1, ..., n - 1; or start, start + step, ... below stop. int32 when all are whole, float32 otherwise.
 * @example arange(4)         // [0, 1, 2, 3]
 * @example arange(2, 8, 3)   // [2, 5]
 */
export function arange(startOrStop: number, stop?: number, step = 1): Value {
  const [from, to] = stop === undefined ? [0, startOrStop] : [startOrStop, stop];
  for (const [name, x] of Object.entries({ start: from, stop: to })) checkNumber("arange", name, x);
  checkNumber("arange", "step", step, "other than 0", (s) => s !== 0);
  const count = iota(Math.max(0, Math.ceil((to - from) / step)));
  const whole = Number.isInteger(from) && Number.isInteger(step);
  const scaled = step === 1 ? count : multiply(count, scalar(step, whole ? "int32" : "float32"));
  return from === 0 ? scaled : add(scaled, scalar(from, whole ? "int32" : "float32"));
}

function iota(size: number): Value {
  return emit(iotaOp, [], { size })[0]!;
}

/**
 * indices -> [..., classes] with 1 where the class is the index; indices outside [0, classes) give a row of zeros.
 * @param options.dtype float32 by default
 */
export function oneHot(indices: Operand, classes: number, options?: { dtype?: DType }): Value {
  const { dtype = "float32" } = checkOptions("oneHot", options, ["dtype"]);
  checkOneOf("oneHot", "dtype", dtype, DTYPES);
  const index = expandDims(toInt(indices, "oneHot"), -1);
  return castTo(equal(index, iota(checkInteger("oneHot", "classes", classes))), dtype);
}

/** A tensor of one repeated number. */
export function full(shape: Shape, value: number | boolean, dtype?: DType): Value {
  const type = dtype ?? (typeof value === "boolean" ? "bool" : "float32");
  return broadcastTo(scalar(value, checkOneOf("full", "dtype", type, DTYPES)), shape);
}

export function zeros(shape: Shape, dtype: DType = "float32"): Value {
  return full(shape, 0, dtype);
}

export function ones(shape: Shape, dtype: DType = "float32"): Value {
  return full(shape, 1, dtype);
}

export function zerosLike(x: Operand): Value {
  const value = toValue(x, undefined, "zerosLike");
  return zeros(value.shape, value.dtype);
}

export function onesLike(x: Operand): Value {
  const value = toValue(x, undefined, "onesLike");
  return ones(value.shape, value.dtype);
}

/** A host tensor, typed array or nested array as a Value. Large ones are better held by a Variable. */
export function constant(value: TensorLike): Value {
  return emit(constantOp, [], { value: value instanceof Tensor ? value : tensor(value) })[0]!;
}

/** x itself, as a Value. */
export function identity(x: Operand): Value {
  return toValue(x, undefined, "identity");
}
