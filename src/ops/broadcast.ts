// Elementwise loops over broadcast operands, for plain evaluation: axes that can be walked together are merged first,
// so that same-shape, scalar, row and column operands cost no index arithmetic per element.

import type { HostArray } from "../core/dtype.ts";
import { broadcastStrides, type Shape, sameShape, sizeOf } from "../core/shape.ts";

/** y[k..end) from a, starting at i with stride s. */
export type Loop1 = (a: HostArray, i: number, s: number, y: HostArray, k: number, end: number) => void;
/** y[k..end) from a (start i, stride s) and b (start j, stride t). */
export type Loop2 = (
  a: HostArray,
  i: number,
  s: number,
  b: HostArray,
  j: number,
  t: number,
  y: HostArray,
  k: number,
  end: number,
) => void;

/** Calls `row(offsets, strides, k, end)` for every innermost run; strides are 0 or 1 unless an axis is interleaved. */
export function forEachRun(
  shapes: readonly Shape[],
  to: Shape,
  row: (offsets: number[], strides: number[], k: number, end: number) => void,
): void {
  const size = sizeOf(to);
  if (size === 0) return;
  const offsets = shapes.map(() => 0);
  if (shapes.every((s) => sameShape(s, to) || sizeOf(s) === 1)) {
    row(
      offsets,
      shapes.map((s) => (sizeOf(s) === 1 ? 0 : 1)),
      0,
      size,
    );
    return;
  }
  const { dims, strides } = mergeAxes(shapes, to);
  const inner = dims.pop()!;
  const innerStrides = strides.map((s) => s.pop()!);
  const at = dims.map(() => 0);
  for (let k = 0; k < size; k += inner) {
    row(offsets, innerStrides, k, k + inner);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      at[axis]!++;
      for (let o = 0; o < offsets.length; o++) offsets[o]! += strides[o]![axis]!;
      if (at[axis]! < dims[axis]!) break;
      for (let o = 0; o < offsets.length; o++) offsets[o]! -= strides[o]![axis]! * dims[axis]!;
      at[axis] = 0;
    }
  }
}

/** Drops axes of size 1 and joins neighbours whose strides continue each other in every operand. */
function mergeAxes(shapes: readonly Shape[], to: Shape): { dims: number[]; strides: number[][] } {
  const full = shapes.map((s) => broadcastStrides(s, to));
  const dims: number[] = [];
  const strides: number[][] = shapes.map(() => []);
  for (let axis = 0; axis < to.length; axis++) {
    const d = to[axis]!;
    if (d === 1) continue;
    const last = dims.length - 1;
    if (last >= 0 && full.every((s, o) => strides[o]![last] === s[axis]! * d)) {
      dims[last]! *= d;
      full.forEach((s, o) => {
        strides[o]![last] = s[axis]!;
      });
    } else {
      dims.push(d);
      full.forEach((s, o) => {
        strides[o]!.push(s[axis]!);
      });
    }
  }
  return { dims, strides };
}
