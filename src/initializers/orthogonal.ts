// A random matrix with orthonormal rows or columns, whichever are fewer.

import type { Random } from "../core/random.ts";
import { type Shape, sizeOf } from "../core/shape.ts";

/**
 * QR of a normal matrix with the signs of R's diagonal made positive, which makes Q uniform over all such matrices
 * (Mezzadri, "How to generate random matrices from the classical compact groups", 2007). Gram-Schmidt in double,
 * each vector cleaned twice, gives that Q directly. `shape` is seen as a matrix of its last axis and the rest.
 */
export function orthogonalMatrix(shape: Shape, gain: number, random: Random): Float32Array {
  const columns = shape.at(-1)!;
  const rows = sizeOf(shape.slice(0, -1));
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const vectors: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    const v = Float64Array.from({ length }, () => random.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const u of vectors) {
        const along = dot(u, v);
        for (let k = 0; k < length; k++) v[k]! -= along * u[k]!;
      }
    }
    const norm = Math.sqrt(dot(v, v));
    for (let k = 0; k < length; k++) v[k]! /= norm;
    vectors.push(v);
  }
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < length; k++) {
      const at = rows >= columns ? k * columns + i : i * columns + k;
      out[at] = gain * vectors[i]![k]!;
    }
  }
  return out;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
