// The element types of tensors, and how host memory holds them.

import { MyelinError } from "./errors.ts";

/** float32 is the working type; int32 holds indices, bool masks (one byte), uint8 images. */
export type DType = "float32" | "int32" | "bool" | "uint8";

export const DTYPES: readonly DType[] = ["float32", "int32", "bool", "uint8"];

/** Host storage. Float64Array stands for float32 tensors on a reference engine that stores doubles. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export const BYTES: Readonly<Record<DType, number>> = { float32: 4, int32: 4, bool: 1, uint8: 1 };

/** Zeros. @throws OUT_OF_MEMORY */
export function allocateHost(dtype: DType, length: number): HostArray {
  try {
    if (dtype === "float32") return new Float32Array(length);
    if (dtype === "int32") return new Int32Array(length);
    return new Uint8Array(length);
  } catch (cause) {
    throw outOfMemory(`${length} elements of ${dtype}`, cause);
  }
}

/** What to throw where making typed arrays failed: an error that says what for, if it was for want of memory. */
export function outOfMemory(what: string, cause: unknown): unknown {
  if (!(cause instanceof RangeError)) return cause;
  return new MyelinError("OUT_OF_MEMORY", `there is no memory for ${what} (${cause.message})`, { cause });
}

/** NumPy-like promotion for mixed operands: bool < uint8 < int32 < float32. */
export function promote(a: DType, b: DType): DType {
  const rank: Record<DType, number> = { bool: 0, uint8: 1, int32: 2, float32: 3 };
  return rank[a] >= rank[b] ? a : b;
}

/** float32 to int32 as the cast op does it: toward zero, at the limits beyond them, NaN becomes 0. */
export function saturate(value: number): number {
  return value >= 2147483647 ? 2147483647 : value <= -2147483648 ? -2147483648 : value | 0;
}

/** Another dtype, converted as the cast op does it: bool tests for non-zero, uint8 keeps the low eight bits of an int32. */
export function convertHost(data: HostArray, from: DType, to: DType): HostArray {
  if (from === to) return data;
  const out = allocateHost(to, data.length);
  if (to === "float32") out.set(data as Float32Array);
  else if (to === "bool") for (let i = 0; i < data.length; i++) out[i] = data[i] !== 0 ? 1 : 0;
  else for (let i = 0; i < data.length; i++) out[i] = saturate(data[i]!);
  return out;
}

/** The name of a typed array's class ("Float32Array"), also when it comes from another realm; undefined for anything else. */
export function typedArrayName(value: unknown): string | undefined {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? (value as Uint8Array)[Symbol.toStringTag]
    : undefined;
}
