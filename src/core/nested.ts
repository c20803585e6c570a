// Nested JavaScript arrays into flat host memory: shapes found, ragged arrays refused with the place where they are.
// Data sets come in this way, so the innermost loop does nothing but check and store.

import { allocateHost, type DType, type HostArray, saturate } from "./dtype.ts";
import { describe, MyelinError } from "./errors.ts";
import { checkShape, MAX_RANK, sizeOf } from "./shape.ts";

export type NestedArray = number | boolean | readonly NestedArray[];

/** Host memory with its type; not yet checked to be what the caller asked for. */
export interface HostData {
  data: HostArray;
  shape: readonly number[];
  dtype: DType;
}

/** dtype defaults to bool when every element is a boolean, to float32 otherwise. */
export function readNested(nested: NestedArray, dtype?: DType): HostData {
  const shape: number[] = [];
  for (let level: NestedArray | undefined = nested; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > MAX_RANK)
      throw new MyelinError("INVALID_DATA", `tensor: expected arrays nested at most ${MAX_RANK} deep`);
  }
  const rank = shape.length;
  const path: number[] = [];

  // Lengths first: a ragged array must not decide how much memory its first rows promise.
  const checkLengths = (node: NestedArray, axis: number): void => {
    if (!Array.isArray(node) || node.length !== shape[axis]) {
      const came = Array.isArray(node) ? `an array of ${node.length}` : describe(node);
      throw new MyelinError(
        "INVALID_DATA",
        `tensor: ragged array${place(path)}: expected an array of ${shape[axis]}, got ${came}`,
      );
    }
    if (axis === rank - 1) return;
    for (let i = 0; i < node.length; i++) {
      path[axis] = i;
      checkLengths(node[i]!, axis + 1);
    }
    path.length = axis;
  };
  if (rank > 0) checkLengths(nested, 0);
  checkShape("tensor", shape);

  const out = allocateHost(dtype ?? "float32", sizeOf(shape));
  const store = dtype === "int32" || dtype === "uint8" ? saturate : dtype === "bool" ? isNonZero : undefined;
  let at = 0;
  let booleans = 0;
  const wrongElement = (value: unknown): MyelinError => {
    const wrong = Array.isArray(value) ? "ragged array" : "wrong element";
    const came = Array.isArray(value) ? `an array of ${value.length}` : describe(value);
    return new MyelinError(
      "INVALID_DATA",
      `tensor: ${wrong}${place(path)}: expected a number or boolean, got ${came}`,
    );
  };
  const fillRow = (row: ArrayLike<NestedArray>): void => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (typeof value === "number") {
        out[at++] = store === undefined ? value : store(value);
      } else if (typeof value === "boolean") {
        out[at++] = value ? 1 : 0;
        booleans++;
      } else {
        path.push(i);
        throw wrongElement(value);
      }
    }
  };
  const fill = (node: readonly NestedArray[], axis: number): void => {
    if (axis === rank - 1) fillRow(node);
    else
      for (let i = 0; i < node.length; i++) {
        path[axis] = i;
        fill(node[i] as readonly NestedArray[], axis + 1);
      }
    path.length = axis;
  };
  if (rank > 0) fill(nested as readonly NestedArray[], 0);
  else if (typeof nested === "number" || typeof nested === "boolean") fillRow([nested]);
  else throw wrongElement(nested);

  if (dtype === undefined && booleans > 0 && booleans === out.length)
    return { data: Uint8Array.from(out), shape, dtype: "bool" };
  return { data: out, shape, dtype: dtype ?? "float32" };
}

function place(path: readonly number[]): string {
  return path.length > 0 ? ` at [${path.join("][")}]` : "";
}

function isNonZero(value: number): number {
  return value !== 0 ? 1 : 0;
}
