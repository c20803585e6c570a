// The element types of tensors, and how host memory holds them.

/** float32 is the working type; int32 holds indices, bool masks (one byte), uint8 images. */
export type DType = "float32" | "int32" | "bool" | "uint8";

export const DTYPES: readonly DType[] = ["float32", "int32", "bool", "uint8"];

/** Host storage. Float64Array stands for float32 tensors on a reference engine that stores doubles. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export const BYTES: Readonly<Record<DType, number>> = { float32: 4, int32: 4, bool: 1, uint8: 1 };

export function allocateHost(dtype: DType, length: number): HostArray {
  if (dtype === "float32") return new Float32Array(length);
  if (dtype === "int32") return new Int32Array(length);
  return new Uint8Array(length);
}

/** NumPy-like promotion for mixed operands: bool < uint8 < int32 < float32. */
export function promote(a: DType, b: DType): DType {
  const rank: Record<DType, number> = { bool: 0, uint8: 1, int32: 2, float32: 3 };
  return rank[a] >= rank[b] ? a : b;
}
