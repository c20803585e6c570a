// The reference engine's matrix product: c[m, n] = op(a) * op(b), row-major, sums in double precision.

import type { HostArray } from "../core/dtype.ts";

/** a is [m, k] ([k, m] when transA), b is [k, n] ([n, k] when transB). */
export function gemm(
  a: HostArray,
  b: HostArray,
  c: HostArray,
  m: number,
  n: number,
  k: number,
  transA: boolean,
  transB: boolean,
): void {
  const [ai, ap] = transA ? [1, m] : [k, 1];
  const [bp, bj] = transB ? [1, k] : [n, 1];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * ai + p * ap]! * b[p * bp + j * bj]!;
      c[i * n + j] = sum;
    }
  }
}
