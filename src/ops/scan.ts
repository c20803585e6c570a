// Ops that walk along one axis: cumulative sums and sorting.

import type { HostArray } from "../core/dtype.ts";
import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import { normalizeAxis } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { putAlongLastAxis } from "./gather.ts";
import { arithmeticType, castTo, type Operand, toValue } from "./operand.ts";
import { checkArity, checkDTypes, record, shapeError, sizeBetween } from "./record.ts";
import { moveAxis, sliceAxis } from "./shape.ts";

/** Calls `lane(start, stride)` for every line of elements along an axis. */
function forEachLane(
  shape: readonly number[],
  axis: number,
  lane: (start: number, stride: number) => void,
): void {
  const inner = sizeBetween(shape, axis + 1, shape.length);
  const outer = sizeBetween(shape, 0, axis);
  for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) lane(o * shape[axis]! * inner + i, inner);
}

interface CumsumAttrs extends Record<string, unknown> {
  axis: number;
  exclusive: boolean;
  reverse: boolean;
}

export const cumsumOp: Op = record<CumsumAttrs>({
  name: "cumsum",
  kind: "primitive",
  infer(inputs, { axis }, where) {
    checkArity(where, inputs, 1);
    checkDTypes(where, inputs, ["float32", "int32"]);
    normalizeAxis(where, axis, inputs[0]!.shape.length);
    return [inputs[0]!];
  },
  gradient: ({ grads, attrs }) => [emit(cumsumOp, [grads[0]!], { ...attrs, reverse: !attrs.reverse })[0]!],
  evaluate([x], [y], { attrs: { axis, exclusive, reverse }, inputTypes }) {
    const { shape, dtype } = inputTypes[0]!;
    const n = shape[axis]!;
    const wrap = dtype === "int32";
    forEachLane(shape, axis, (start, stride) => {
      let sum = 0;
      for (let j = 0; j < n; j++) {
        const at = start + (reverse ? n - 1 - j : j) * stride;
        const next = wrap ? (sum + x![at]!) | 0 : sum + x![at]!;
        y![at] = exclusive ? sum : next;
        sum = next;
      }
    });
  },
});

/**
 * Running sums along an axis (the last by default).
 * @param options.exclusive leaves each element out of its own sum
 * @param options.reverse sums from the end
 */
export function cumsum(
  x: Operand,
  options?: { axis?: number; exclusive?: boolean; reverse?: boolean },
): Value {
  const known = checkOptions("cumsum", options, ["axis", "exclusive", "reverse"]);
  const { axis = -1, exclusive = false, reverse = false } = known;
  const value = toNumber(x, "cumsum");
  checkBoolean("cumsum", "exclusive", exclusive);
  checkBoolean("cumsum", "reverse", reverse);
  return emit(cumsumOp, [value], { axis: normalizeAxis("cumsum", axis, value.rank), exclusive, reverse })[0]!;
}

function toNumber(x: Operand, where: string): Value {
  const value = toValue(x, undefined, where);
  return castTo(value, arithmeticType(value.dtype));
}

export const sortOp: Op = record<{ axis: number; descending: boolean }>({
  name: "sort",
  kind: "primitive",
  infer(inputs, { axis }, where) {
    checkArity(where, inputs, 1);
    checkDTypes(where, inputs, ["float32", "int32"]);
    normalizeAxis(where, axis, inputs[0]!.shape.length);
    return [inputs[0]!, { shape: inputs[0]!.shape, dtype: "int32" }];
  },
  gradient({ grads, inputs, outputs, attrs: { axis } }) {
    if (!grads[0]) return [null];
    const [g, order] = [moveAxis(grads[0], axis, -1), moveAxis(outputs[1]!, axis, -1)];
    return [moveAxis(putAlongLastAxis(order, g, inputs[0]!.shape[axis]!), -1, axis)];
  },
  evaluate([x], [values, indices], { attrs: { axis, descending }, inputTypes }) {
    const { shape } = inputTypes[0]!;
    const order = new Int32Array(shape[axis]!);
    const lane = new Float64Array(shape[axis]!);
    const compare = descending
      ? (a: number, b: number) => ranked(lane[b]!, lane[a]!, lane[a]!)
      : (a: number, b: number) => ranked(lane[a]!, lane[b]!, lane[a]!);
    forEachLane(shape, axis, (start, stride) => {
      for (let j = 0; j < order.length; j++) {
        order[j] = j;
        lane[j] = x![start + j * stride]!;
      }
      order.sort(compare);
      writeLane(values!, indices!, lane, order, start, stride);
    });
  },
});

/** Below 0 when p comes first. NaN, of which `first` is the earlier operand's value, goes last whatever the order. */
function ranked(p: number, q: number, first: number): number {
  if (p < q) return -1;
  if (p > q) return 1;
  if (p === q) return 0;
  if (Number.isNaN(p) && Number.isNaN(q)) return 0;
  return Number.isNaN(first) ? 1 : -1;
}

function writeLane(
  values: HostArray,
  indices: HostArray,
  lane: Float64Array,
  order: Int32Array,
  start: number,
  stride: number,
): void {
  for (let j = 0; j < order.length; j++) {
    values[start + j * stride] = lane[order[j]!]!;
    indices[start + j * stride] = order[j]!;
  }
}

export interface SortOptions {
  axis?: number;
  descending?: boolean;
}

function sortBoth(name: string, x: Operand, options: SortOptions | undefined): readonly Value[] {
  const { axis = -1, descending = false } = checkOptions(name, options, ["axis", "descending"]);
  checkBoolean(name, "descending", descending);
  const value = toNumber(x, name);
  return emit(sortOp, [value], { axis: normalizeAxis(name, axis, value.rank), descending });
}

/** x in order along an axis (the last by default); stable, NaN last in either direction. */
export function sort(x: Operand, options?: SortOptions): Value {
  return sortBoth("sort", x, options)[0]!;
}

/** The indices that sort x along an axis. int32; equal elements keep their order. */
export function argsort(x: Operand, options?: SortOptions): Value {
  return sortBoth("argsort", x, options)[1]!;
}

/**
 * The k largest elements along the last axis, largest first, and where they were.
 * @example const { values, indices } = topK(x, 5);   // [8, 100] -> [8, 5] each
 */
export function topK(x: Operand, k: number): { values: Value; indices: Value } {
  const value = toValue(x, undefined, "topK");
  const n = value.shape.at(-1);
  if (n === undefined) throw shapeError("topK", "expected rank of at least 1, got a scalar");
  checkInteger("topK", "k", k, 0, n);
  const [values, indices] = sortBoth("topK", value, { descending: true });
  return { values: sliceAxis(values!, -1, 0, k), indices: sliceAxis(indices!, -1, 0, k) };
}
