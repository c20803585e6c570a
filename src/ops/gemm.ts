// The reference engine's matrix product: c = op(a) * op(b), row-major, with sums in double precision.
// Blocks of a and b are packed into panels of doubles that the tile loop reads in order; thin products skip the packing.

import type { HostArray } from "../core/dtype.ts";

/** Rows and columns of a tile: 16 sums. V8 has 15 registers for doubles, but a 3 x 4 tile is no faster and fits sizes worse. */
const TILE = 4;
/** Rows, columns and depth of a block; a and b packed take 256 KiB each, which an L2 cache holds. Multiples of TILE. */
const ROWS = 128;
const COLUMNS = 128;
const DEPTH = 256;
/** Products of fewer multiplications than this are not worth packing for. */
const SMALL = 2048;

let packedA: Float64Array | undefined;
let packedB: Float64Array | undefined;
let block: Float64Array | undefined;

/** A matrix as the product sees it: element (i, j) is data[at + i * rowStep + j * columnStep]. */
interface Matrix {
  readonly data: HostArray;
  readonly rowStep: number;
  readonly columnStep: number;
}

/**
 * c[m, n] = op(a) * op(b).
 * @param a [m, k], or [k, m] when transA
 * @param b [k, n], or [n, k] when transB
 */
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
  const left: Matrix = { data: a, rowStep: transA ? 1 : k, columnStep: transA ? m : 1 };
  const right: Matrix = { data: b, rowStep: transB ? 1 : n, columnStep: transB ? k : 1 };
  if (m < TILE || (n >= TILE && m * n * k < SMALL)) thin(left, right, c, m, n, k, n, 1);
  else if (n < TILE) thin(turned(right), turned(left), c, n, m, k, 1, n);
  else blocked(left, right, c, m, n, k);
}

function turned(x: Matrix): Matrix {
  return { data: x.data, rowStep: x.columnStep, columnStep: x.rowStep };
}

let sums: Float64Array | undefined;

/** Row by row: dot products where b's columns are contiguous, otherwise sums of b's rows. */
function thin(
  { data: a, rowStep: ai, columnStep: ap }: Matrix,
  { data: b, rowStep: bp, columnStep: bj }: Matrix,
  c: HostArray,
  m: number,
  n: number,
  k: number,
  ci: number,
  cj: number,
): void {
  for (let i = 0; i < m; i++) {
    if (bp === 1) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0, at = j * bj, from = i * ai; p < k; p++, at++, from += ap) sum += a[from]! * b[at]!;
        c[i * ci + j * cj] = sum;
      }
      continue;
    }
    if (!sums || sums.length < n) sums = new Float64Array(n);
    const row = sums.fill(0, 0, n);
    for (let p = 0; p < k; p++) {
      const x = a[i * ai + p * ap]!;
      for (let j = 0, at = p * bp; j < n; j++, at += bj) row[j]! += x * b[at]!;
    }
    for (let j = 0; j < n; j++) c[i * ci + j * cj] = row[j]!;
  }
}

function blocked(a: Matrix, b: Matrix, c: HostArray, m: number, n: number, k: number): void {
  packedA ??= new Float64Array(ROWS * DEPTH);
  packedB ??= new Float64Array(COLUMNS * DEPTH);
  block ??= new Float64Array(ROWS * COLUMNS);
  for (let j = 0; j < n; j += COLUMNS) {
    const columns = Math.min(COLUMNS, n - j);
    for (let i = 0; i < m; i += ROWS) {
      const rows = Math.min(ROWS, m - i);
      block.fill(0);
      for (let p = 0; p < k; p += DEPTH) {
        const depth = Math.min(DEPTH, k - p);
        pack(a, i, rows, p, depth, packedA);
        pack(turned(b), j, columns, p, depth, packedB);
        multiplyPanels(rows, columns, depth, packedA, packedB, block);
      }
      for (let r = 0; r < rows; r++)
        c.set(block.subarray(r * COLUMNS, r * COLUMNS + columns), (i + r) * n + j);
    }
  }
}

/** Copies rows begin.. of x, columns from.., into panels: TILE rows interleaved, missing rows as zeros. */
function pack(
  x: Matrix,
  begin: number,
  rows: number,
  from: number,
  depth: number,
  panels: Float64Array,
): void {
  const { data, rowStep, columnStep } = x;
  for (let r = 0; r < rows; r += TILE) {
    const panel = r * depth;
    for (let q = 0; q < TILE; q++) {
      let at = (begin + r + q) * rowStep + from * columnStep;
      let to = panel + q;
      if (r + q >= rows) for (let p = 0; p < depth; p++, to += TILE) panels[to] = 0;
      else for (let p = 0; p < depth; p++, at += columnStep, to += TILE) panels[to] = data[at]!;
    }
  }
}

/** c[COLUMNS wide] += a * b over all tiles. */
function multiplyPanels(
  rows: number,
  columns: number,
  depth: number,
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
): void {
  for (let j = 0; j < columns; j += TILE) {
    for (let i = 0; i < rows; i += TILE) tile(a, i * depth, b, j * depth, depth, c, i * COLUMNS + j);
  }
}

// biome-ignore format: the tile reads as a square.
/** One 4 x 4 tile: a panel of four rows times a panel of four columns. */
function tile(a: Float64Array, i: number, b: Float64Array, j: number, depth: number, c: Float64Array, at: number): void {
  let c00 = 0, c01 = 0, c02 = 0, c03 = 0;
  let c10 = 0, c11 = 0, c12 = 0, c13 = 0;
  let c20 = 0, c21 = 0, c22 = 0, c23 = 0;
  let c30 = 0, c31 = 0, c32 = 0, c33 = 0;
  for (const end = i + depth * TILE; i < end; i += TILE, j += TILE) {
    const b0 = b[j]!, b1 = b[j + 1]!, b2 = b[j + 2]!, b3 = b[j + 3]!;
    const a0 = a[i]!, a1 = a[i + 1]!, a2 = a[i + 2]!, a3 = a[i + 3]!;
    c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3;
    c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3;
    c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3;
    c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3;
  }
  c[at]! += c00; c[at + 1]! += c01; c[at + 2]! += c02; c[at + 3]! += c03;
  at += COLUMNS;
  c[at]! += c10; c[at + 1]! += c11; c[at + 2]! += c12; c[at + 3]! += c13;
  at += COLUMNS;
  c[at]! += c20; c[at + 1]! += c21; c[at + 2]! += c22; c[at + 3]! += c23;
  at += COLUMNS;
  c[at]! += c30; c[at + 1]! += c31; c[at + 2]! += c32; c[at + 3]! += c33;
}
