// Rows of arrays in memory: what `fromTensorSlices` holds. Batches are gathered from it by row number, without an object
// for each row, which is what makes shuffled batches of arrays as cheap as copying their bytes.

import { allocateHost } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { isList, isNumeric, isPlainRecord, isTensorLeaf, step } from "./nest.ts";
import { tensorRow, toTensor } from "./stack.ts";

/** A nest of leaves with the same number of rows. */
export interface Rows {
  readonly count: number;
  /** Row i in the nest's structure. */
  row(i: number): unknown;
  /** These rows, in this order, as one batch. */
  gather(indices: Int32Array): unknown;
}

/** @throws INVALID_DATA no leaf, or something that has no rows; SHAPE_MISMATCH leaves of different numbers of rows */
export function rowsOf(where: string, nest: unknown): Rows {
  const counts: [path: string, count: number][] = [];
  const root = read(where, nest, "", counts);
  if (counts.length === 0)
    throw new MyelinError("INVALID_DATA", `${where}: expected at least one array, got ${describe(nest)}`);
  const count = counts[0]![1];
  for (const [path, n] of counts)
    if (n !== count)
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}${path}: expected ${count} rows like ${counts[0]![0] || "the first part"}, got ${n}`,
      );
  return { count, row: root.row, gather: root.gather };
}

type Part = Pick<Rows, "row" | "gather">;

function read(where: string, node: unknown, path: string, counts: [string, number][]): Part {
  const label = `${where}${path}`;
  if (isTensorLeaf(node) || (Array.isArray(node) && isNumeric(node))) {
    const t = readTensor(label, node, path === "");
    if (t.rank === 0)
      throw new MyelinError("INVALID_DATA", `${label}: expected at least one axis, got a scalar`);
    counts.push([path, t.shape[0]!]);
    return { row: tensorRow(t), gather: (indices) => gatherRows(t, indices) };
  }
  if (Array.isArray(node)) {
    if (isList(node)) {
      const odd = node.findIndex((e) => typeof e !== typeof node[0] || e === null || e === undefined);
      if (odd >= 0)
        throw new MyelinError(
          "INVALID_DATA",
          `${label}[${odd}]: expected a value like the others, got ${describe(node[odd])}`,
        );
      counts.push([path, node.length]);
      return { row: (i) => node[i], gather: (indices) => Array.from(indices, (i) => node[i]) };
    }
    const parts = node.map((part, k) => read(where, part, step(path, k), counts));
    return {
      row: (i) => parts.map((p) => p.row(i)),
      gather: (indices) => parts.map((p) => p.gather(indices)),
    };
  }
  if (isPlainRecord(node)) {
    const parts = Object.entries(node).map(
      ([name, part]) => [name, read(where, part, step(path, name), counts)] as const,
    );
    return {
      row: (i) => Object.fromEntries(parts.map(([name, p]) => [name, p.row(i)])),
      gather: (indices) => Object.fromEntries(parts.map(([name, p]) => [name, p.gather(indices)])),
    };
  }
  throw new MyelinError(
    "INVALID_DATA",
    `${label}: expected tensors, typed arrays, nested arrays, or arrays and records of them, got ${describe(node)}`,
  );
}

function readTensor(label: string, node: unknown, top: boolean): Tensor {
  try {
    return toTensor(label, node);
  } catch (error) {
    if (!(error instanceof MyelinError) || !top || !Array.isArray(node) || node.length > 4) throw error;
    const hint =
      "arrays of numbers are read as one tensor; for several parts write { x, y } or [tensor(x), tensor(y)]";
    throw new MyelinError(error.code, `${error.message} (${hint})`, { cause: error });
  }
}

/** Rows of a tensor by number, as a new tensor. */
export function gatherRows(t: Tensor, indices: ArrayLike<number>): Tensor {
  const shape = t.shape.slice(1);
  const size = sizeOf(shape);
  const { data } = t;
  const n = indices.length;
  if (n > 0 && size > 0 && isRun(indices)) {
    const from = indices[0]! * size;
    return new Tensor(data.slice(from, from + n * size), [n, ...shape], t.dtype);
  }
  const out = data instanceof Float64Array ? new Float64Array(n * size) : allocateHost(t.dtype, n * size);
  if (size === 1) for (let i = 0; i < n; i++) out[i] = data[indices[i]!]!;
  else if (size < 16) {
    // Below some twenty elements a view costs more than the copy.
    for (let i = 0, at = 0; i < n; i++) {
      const from = indices[i]! * size;
      for (let j = 0; j < size; j++) out[at++] = data[from + j]!;
    }
  } else {
    for (let i = 0; i < n; i++) {
      const from = indices[i]! * size;
      out.set(data.subarray(from, from + size) as Float32Array, i * size);
    }
  }
  return new Tensor(out, [n, ...shape], t.dtype);
}

function isRun(indices: ArrayLike<number>): boolean {
  const first = indices[0]!;
  for (let i = 1; i < indices.length; i++) if (indices[i] !== first + i) return false;
  return true;
}

/** 0 to n - 1. */
export function ascending(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => i);
}
