// Shapes are plain readonly number arrays; these are the only functions that reason about them.

import type { DType } from "./dtype.ts";
import { describe, MyelinError } from "./errors.ts";

export type Shape = readonly number[];

/** Static type of a tensor: every Value, buffer and host tensor has one. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Ranks above this are refused; the native decoder has the same limit. */
export const MAX_RANK = 8;

/** More elements than any memory holds: beyond it something went wrong, and byte counts would lose digits. */
const MAX_SIZE = 2 ** 40;

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const d of shape) size *= d;
  return size;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

/** NumPy broadcasting; undefined when the shapes do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out[i] = x === 1 ? y : x;
  }
  return out;
}

/** Strides for reading `shape` as if it were broadcast to `to` (0 along repeated axes). */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  const lead = to.length - shape.length;
  return to.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : own[i - lead]!));
}

/** Turns -1 into the last axis and so on; throws outside [-rank, rank). */
export function normalizeAxis(where: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const range = rank === 0 ? "no axis" : `an axis from ${-rank} to ${rank - 1}`;
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected ${range} for rank ${rank}, got ${describe(axis)}`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/** Sorted unique axes; undefined means all of them. */
export function normalizeAxes(
  where: string,
  axes: number | readonly number[] | undefined | null,
  rank: number,
): number[] {
  if (axes === undefined || axes === null) return Array.from({ length: rank }, (_, i) => i);
  const given = Array.isArray(axes) ? axes : [axes];
  const list = given.map((a) => normalizeAxis(where, a, rank));
  const unique = [...new Set(list)].sort((a, b) => a - b);
  if (unique.length !== list.length)
    throw new MyelinError("INVALID_ARGUMENT", `${where}: repeated axis in ${describe(axes)}`);
  return unique;
}

export function checkShape(where: string, shape: unknown): Shape {
  const ok =
    Array.isArray(shape) && shape.length <= MAX_RANK && shape.every((d) => Number.isInteger(d) && d >= 0);
  if (!ok)
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected a shape of at most ${MAX_RANK} non-negative integers, got ${describe(shape)}`,
    );
  if (sizeOf(shape) > MAX_SIZE)
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected a shape of at most 2^40 elements, got ${formatShape(shape)}`,
    );
  return shape;
}

export function formatShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((d) => d ?? "null").join(", ")}]`;
}

const SHORT: Record<DType, string> = { float32: "f32", int32: "i32", bool: "bool", uint8: "u8" };

/** `f32[32,10]`, as graphs and programs print it. */
export function formatType(type: TensorType): string {
  return `${SHORT[type.dtype]}[${type.shape.join(",")}]`;
}
