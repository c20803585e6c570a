// Reading and adding up by index. An index outside of the axis is an error while running, never a wild read.

import type { HostArray } from "../core/dtype.ts";
import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxis, sizeOf } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, multiply } from "./arithmetic.ts";
import { greaterEqual, less, logicalAnd, where } from "./compare.ts";
import { type Operand, scalar, toInt, toValue } from "./operand.ts";
import { checkArity, checkDTypes, record, shapeError, sizeBetween } from "./record.ts";
import { arange, moveAxis, reshape } from "./shape.ts";

function checkIndex(where: string, indices: HostArray, at: number, size: number): number {
  const index = indices[at]!;
  if (index < 0 || index >= size) {
    throw new MyelinError("INVALID_DATA", `${where}: index ${index} at ${at} is outside [0, ${size})`);
  }
  return index;
}

export const gatherOp: Op = record<{ axis: number }>({
  name: "gather",
  kind: "primitive",
  infer(inputs, { axis }, at) {
    checkArity(at, inputs, 2);
    checkDTypes(at, inputs.slice(1), ["int32"]);
    const [x, indices] = [inputs[0]!, inputs[1]!];
    normalizeAxis(at, axis, x.shape.length);
    return [
      { shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], dtype: x.dtype },
    ];
  },
  gradient({ grads, inputs: [x, indices], attrs: { axis } }) {
    return [emit(scatterAddOp, [indices!, grads[0]!], { axis, size: x!.shape[axis]! })[0]!, null];
  },
  evaluate([x, indices], [y], { attrs: { axis }, inputTypes }) {
    const { shape } = inputTypes[0]!;
    const n = shape[axis]!;
    const outer = sizeBetween(shape, 0, axis);
    const row = sizeBetween(shape, axis + 1, shape.length);
    for (let o = 0, k = 0; o < outer; o++) {
      for (let i = 0; i < indices!.length; i++, k += row) {
        const from = (o * n + checkIndex("gather", indices!, i, n)) * row;
        if (row === 1) y![k] = x![from]!;
        else y!.set(x!.subarray(from, from + row), k);
      }
    }
  },
});

export const scatterAddOp: Op = record<{ axis: number; size: number }>({
  name: "scatterAdd",
  kind: "primitive",
  infer(inputs, { axis, size }, at) {
    checkArity(at, inputs, 2);
    checkDTypes(at, inputs.slice(0, 1), ["int32"]);
    checkDTypes(at, inputs.slice(1), ["float32", "int32"]);
    const [indices, updates] = [inputs[0]!.shape, inputs[1]!.shape];
    const inside = updates.slice(axis, axis + indices.length);
    if (formatShape(inside) !== formatShape(indices)) {
      const got = `indices ${formatShape(indices)} and updates ${formatShape(updates)}`;
      throw shapeError(
        at,
        `expected the shape of the indices inside the updates' from axis ${axis} on, got ${got}`,
      );
    }
    const shape = [...updates.slice(0, axis), size, ...updates.slice(axis + indices.length)];
    return [{ shape, dtype: inputs[1]!.dtype }];
  },
  gradient({ grads, inputs: [indices], attrs: { axis } }) {
    return [null, emit(gatherOp, [grads[0]!, indices!], { axis })[0]!];
  },
  evaluate([indices, updates], [y], { attrs: { axis, size }, outputTypes }) {
    const { shape } = outputTypes[0]!;
    const outer = sizeBetween(shape, 0, axis);
    const row = sizeBetween(shape, axis + 1, shape.length);
    // Sums are kept in double precision until the end.
    const sums = y instanceof Float32Array ? new Float64Array(y.length) : y!.fill(0);
    for (let o = 0, k = 0; o < outer; o++) {
      for (let i = 0; i < indices!.length; i++) {
        const to = (o * size + checkIndex("scatterAdd", indices!, i, size)) * row;
        for (let j = 0; j < row; j++, k++) sums[to + j]! += updates![k]!;
      }
    }
    if (sums !== y) y!.set(sums);
  },
});

/**
 * Slices of x at the given indices along an axis (the first by default), which the shape of the indices replaces.
 * An index outside of [0, size of the axis) rejects the run.
 * @example gather(table, ids)   // [1000, 64], int32 [8, 20] -> [8, 20, 64]
 */
export function gather(x: Operand, indices: Operand, options?: { axis?: number }): Value {
  const { axis = 0 } = checkOptions("gather", options, ["axis"]);
  const value = toValue(x, undefined, "gather");
  return emit(gatherOp, [value, toInt(indices, "gather")], {
    axis: normalizeAxis("gather", axis, value.rank),
  })[0]!;
}

/**
 * Zeros with `updates` added at `indices` along an axis of the given size: the inverse of gather, which it takes the
 * gradient of. Repeated indices add up.
 * @example scatterAdd(ids, rows, 1000)   // int32 [8], [8, 64] -> [1000, 64]
 */
export function scatterAdd(
  indices: Operand,
  updates: Operand,
  size: number,
  options?: { axis?: number },
): Value {
  const { axis = 0 } = checkOptions("scatterAdd", options, ["axis"]);
  const [where, values] = [toInt(indices, "scatterAdd"), toValue(updates, undefined, "scatterAdd")];
  const at = normalizeAxis("scatterAdd", axis, values.rank - where.rank + 1);
  return emit(scatterAddOp, [where, values], {
    axis: at,
    size: checkInteger("scatterAdd", "size", size),
  })[0]!;
}

/** Index into a flattened [rows, n] of element indices[row, j] of each row; -1, which gather refuses, for a bad one. */
function flatIndex(indices: Value, rows: number, n: number): Value {
  const start = reshape(multiply(arange(rows), scalar(n, "int32")), [rows, 1]);
  const good = logicalAnd(greaterEqual(indices, 0), less(indices, n));
  return where(good, add(indices, start), -1);
}

/**
 * One element of x per index, along an axis (the last by default): result[i, j] = x[i, indices[i, j]].
 * @param indices int32, shaped like x except along the axis
 */
export function takeAlongAxis(x: Operand, indices: Operand, options?: { axis?: number }): Value {
  const { axis = -1 } = checkOptions("takeAlongAxis", options, ["axis"]);
  const value = toValue(x, undefined, "takeAlongAxis");
  const index = toInt(indices, "takeAlongAxis");
  const at = normalizeAxis("takeAlongAxis", axis, value.rank);
  if (index.rank !== value.rank || index.shape.some((d, i) => i !== at && d !== value.shape[i])) {
    const got = `${formatShape(value.shape)} and ${formatShape(index.shape)}`;
    throw shapeError("takeAlongAxis", `expected shapes equal outside axis ${at}, got ${got}`);
  }
  const n = value.shape[at]!;
  const last = moveAxis(index, at, -1);
  const rows = sizeOf(last.shape.slice(0, -1));
  const flat = flatIndex(reshape(last, [rows, last.shape.at(-1)!]), rows, n);
  const y = gather(reshape(moveAxis(value, at, -1), [rows * n]), flat);
  return moveAxis(reshape(y, last.shape), -1, at);
}

/** The gradient of takeAlongAxis over the last axis of size n: updates added back to where they came from. */
export function putAlongLastAxis(indices: Value, updates: Value, n: number): Value {
  const lead = indices.shape.slice(0, -1);
  const [rows, k] = [sizeOf(lead), indices.shape.at(-1)!];
  const flat = flatIndex(reshape(indices, [rows, k]), rows, n);
  return reshape(scatterAdd(flat, reshape(updates, [rows, k]), rows * n), [...lead, n]);
}
