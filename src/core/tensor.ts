// Host tensors: what users pass in and get back. Immutable by convention, row-major, no views.

import { convertHost, DTYPES, type DType, type HostArray, typedArrayName } from "./dtype.ts";
import { describe, MyelinError, unknownName } from "./errors.ts";
import { type HostData, type NestedArray, readNested } from "./nested.ts";
import { checkShape, formatShape, type Shape, sizeOf } from "./shape.ts";

export type { NestedArray };
export type TensorLike =
  | Tensor
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | NestedArray;

const HOLDERS: Readonly<Record<DType, readonly string[]>> = {
  float32: ["Float32Array", "Float64Array"],
  int32: ["Int32Array"],
  bool: ["Uint8Array"],
  uint8: ["Uint8Array"],
};

/** `{ shape, dtype, data }` in host memory. `data` is row-major and has exactly the shape's number of elements. */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: HostArray;

  constructor(data: HostArray, shape: Shape, dtype: DType) {
    if (data.length !== sizeOf(shape)) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `Tensor: shape ${formatShape(shape)} needs ${sizeOf(shape)} elements, got ${data.length}`,
      );
    }
    if (!HOLDERS[dtype]?.includes(typedArrayName(data) ?? "")) {
      throw new MyelinError("DTYPE_MISMATCH", `Tensor: ${describe(data)} cannot hold ${describe(dtype)}`);
    }
    this.shape = shape;
    this.dtype = dtype;
    this.data = data;
  }

  get size(): number {
    return this.data.length;
  }
  get rank(): number {
    return this.shape.length;
  }

  /** Rows `begin` to `end` (exclusive, negative counts from the end) of the first axis, as `Array.prototype.slice`. A copy. */
  slice(begin = 0, end?: number): Tensor {
    if (this.rank === 0)
      throw new MyelinError("INVALID_ARGUMENT", "Tensor.slice: expected rank of at least 1, got a scalar");
    const rows = this.shape[0]!;
    const clamp = (i: number) => {
      if (!Number.isInteger(i) && Math.abs(i) !== Infinity)
        throw new MyelinError("INVALID_ARGUMENT", `Tensor.slice: expected whole rows, got ${describe(i)}`);
      return Math.max(0, Math.min(rows, i < 0 ? rows + i : i));
    };
    const from = clamp(begin);
    const to = Math.max(from, clamp(end ?? rows));
    const row = sizeOf(this.shape.slice(1));
    return new Tensor(this.data.slice(from * row, to * row), [to - from, ...this.shape.slice(1)], this.dtype);
  }

  /** The same elements under another shape; one -1 is inferred. Shares the data. */
  reshape(shape: Shape): Tensor {
    return new Tensor(this.data, inferShape("Tensor.reshape", shape, this.size), this.dtype);
  }

  /** The element at these indices (negative ones count from the end); a bool tensor gives 0 or 1. */
  at(...indices: number[]): number {
    if (indices.length !== this.rank)
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `Tensor.at: expected ${this.rank} indices, got ${indices.length}`,
      );
    let offset = 0;
    for (let i = 0; i < indices.length; i++) {
      const size = this.shape[i]!;
      const index = indices[i]!;
      if (!Number.isInteger(index) || index < -size || index >= size)
        throw new MyelinError(
          "INVALID_ARGUMENT",
          `Tensor.at: expected index ${i} to be from ${-size} to ${size - 1}, got ${describe(index)}`,
        );
      offset = offset * size + (index < 0 ? index + size : index);
    }
    return this.data[offset]!;
  }

  /** The one element of a tensor of size 1. */
  item(): number {
    if (this.size !== 1)
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `Tensor.item: expected one element, got shape ${formatShape(this.shape)}`,
      );
    return this.data[0]!;
  }

  /** Nested arrays (a plain number at rank 0; booleans for dtype bool). */
  toArray(): NestedArray {
    const build = (axis: number, offset: number, span: number): NestedArray => {
      if (axis === this.rank) return this.dtype === "bool" ? this.data[offset] !== 0 : this.data[offset]!;
      const step = span / this.shape[axis]!;
      return Array.from({ length: this.shape[axis]! }, (_, i) => build(axis + 1, offset + i * step, step));
    };
    return build(0, 0, this.size);
  }

  toString(): string {
    const head = Array.from(this.data.slice(0, 6), (v) => Number(v.toPrecision(6))).join(", ");
    return `Tensor ${this.dtype}${formatShape(this.shape)} [${head}${this.size > 6 ? ", ..." : ""}]`;
  }
}

/** Replaces one -1 in a shape by what is left over, and checks the size. */
export function inferShape(where: string, shape: Shape, size: number): Shape {
  if (!Array.isArray(shape))
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a shape, got ${describe(shape)}`);
  const known = shape.reduce((p, d) => (d === -1 ? p : p * d), 1);
  const holes = shape.filter((d) => d === -1).length;
  // Nothing at all can be viewed as any number of empty rows; 0 is the number nobody has to guess.
  const full = shape.map((d) => (d === -1 ? (known === 0 ? 0 : size / known) : d));
  if (holes > 1 || !full.every((d) => Number.isInteger(d) && d >= 0) || sizeOf(full) !== size) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: cannot view ${size} elements as ${formatShape(shape)}`,
    );
  }
  return checkShape(where, full);
}

/**
 * Makes a host tensor.
 * @param data a typed array (usually with `shape`; shared, not copied, unless converted), nested arrays (ragged ones are
 *   refused), a number or a Tensor
 * @param shape defaults to the data's own; one -1 is inferred
 * @param dtype defaults to float32 for numbers, bool for booleans, the typed array's own otherwise (Float64Array becomes float32)
 * @throws INVALID_DATA ragged or not numbers; SHAPE_MISMATCH the shape does not fit; INVALID_OPTION unknown dtype
 * @example tensor([[1, 2], [3, 4]])   // float32 [2, 2]
 */
export function tensor(data: TensorLike, shape?: Shape, dtype?: DType): Tensor {
  if (dtype !== undefined && !DTYPES.includes(dtype)) throw unknownName("tensor", "dtype", dtype, DTYPES);
  const source =
    data instanceof Tensor
      ? data
      : ArrayBuffer.isView(data)
        ? fromTyped(data as HostArray, dtype)
        : readNested(data as NestedArray, dtype);
  const finalShape = shape === undefined ? source.shape : inferShape("tensor", shape, source.data.length);
  const finalType = dtype ?? source.dtype;
  return new Tensor(convertHost(source.data, source.dtype, finalType), finalShape, finalType);
}

function fromTyped(data: HostArray | Uint8ClampedArray, dtype: DType | undefined): HostData {
  const shape = [data.length];
  switch (typedArrayName(data)) {
    case "Float32Array":
      return { data: data as Float32Array, shape, dtype: "float32" };
    case "Float64Array":
      // Straight to the wanted dtype: float32 in between would round what int32 can hold.
      return dtype === undefined || dtype === "float32"
        ? { data: Float32Array.from(data), shape, dtype: "float32" }
        : { data: convertHost(data as Float64Array, "float32", dtype), shape, dtype };
    case "Int32Array":
      return { data: data as Int32Array, shape, dtype: "int32" };
    case "Uint8Array":
      return { data: data as Uint8Array, shape, dtype: "uint8" };
    case "Uint8ClampedArray":
      return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), shape, dtype: "uint8" };
    default:
      throw new MyelinError(
        "INVALID_DATA",
        `tensor: expected Float32Array, Float64Array, Int32Array or Uint8Array, got ${describe(data)}`,
      );
  }
}
