// Host tensors: what users pass in and get back. Immutable by convention, row-major, no views.

import { allocateHost, type DType, type HostArray } from "./dtype.ts";
import { describe, MyelinError } from "./errors.ts";
import { checkShape, formatShape, normalizeAxis, type Shape, sizeOf } from "./shape.ts";

export type NestedArray = number | boolean | readonly NestedArray[];
export type TensorLike =
  | Tensor
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | NestedArray;

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
    const clamp = (i: number) => Math.max(0, Math.min(rows, i < 0 ? rows + i : i));
    const from = clamp(begin);
    const to = Math.max(from, clamp(end ?? rows));
    const row = sizeOf(this.shape.slice(1));
    return new Tensor(this.data.slice(from * row, to * row), [to - from, ...this.shape.slice(1)], this.dtype);
  }

  reshape(shape: Shape): Tensor {
    return new Tensor(this.data, inferShape("Tensor.reshape", shape, this.size), this.dtype);
  }

  /** The element at these indices; a bool tensor gives 0 or 1. */
  at(...indices: number[]): number {
    if (indices.length !== this.rank)
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `Tensor.at: expected ${this.rank} indices, got ${indices.length}`,
      );
    let offset = 0;
    for (let i = 0; i < indices.length; i++)
      offset = offset * this.shape[i]! + normalizeAxis("Tensor.at", indices[i]!, this.shape[i]!);
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
  const known = shape.reduce((p, d) => (d === -1 ? p : p * d), 1);
  const holes = shape.filter((d) => d === -1).length;
  const full = shape.map((d) => (d === -1 ? (known === 0 ? 0 : size / known) : d));
  if (holes > 1 || !full.every((d) => Number.isInteger(d) && d >= 0) || sizeOf(full) !== size) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: cannot view ${size} elements as ${formatShape(shape)}`,
    );
  }
  return full;
}

/**
 * Makes a host tensor.
 * @param data a typed array (with `shape`), nested arrays (ragged ones are refused), a number or a Tensor
 * @param shape defaults to the data's own; one -1 is inferred
 * @param dtype defaults to float32 for numbers, bool for booleans, the typed array's own otherwise (Float64Array becomes float32)
 * @example tensor([[1, 2], [3, 4]])   // float32 [2, 2]
 */
export function tensor(data: TensorLike, shape?: Shape, dtype?: DType): Tensor {
  const source =
    data instanceof Tensor
      ? data
      : ArrayBuffer.isView(data)
        ? fromTyped(data as HostArray)
        : fromNested(data as NestedArray, dtype);
  const finalShape = shape === undefined ? source.shape : inferShape("tensor", shape, source.data.length);
  if (!shape?.includes(-1)) checkShape("tensor", finalShape);
  return new Tensor(
    convert(source.data, source.dtype, dtype ?? source.dtype),
    finalShape,
    dtype ?? source.dtype,
  );
}

interface Source {
  data: HostArray;
  shape: Shape;
  dtype: DType;
}

function fromTyped(data: HostArray | Uint8ClampedArray): Source {
  const shape = [data.length];
  if (data instanceof Float32Array) return { data, shape, dtype: "float32" };
  if (data instanceof Float64Array) return { data: Float32Array.from(data), shape, dtype: "float32" };
  if (data instanceof Int32Array) return { data, shape, dtype: "int32" };
  if (data instanceof Uint8Array) return { data, shape, dtype: "uint8" };
  if (data instanceof Uint8ClampedArray)
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), shape, dtype: "uint8" };
  throw new MyelinError(
    "INVALID_DATA",
    `tensor: expected Float32Array, Float64Array, Int32Array or Uint8Array, got ${describe(data)}`,
  );
}

function fromNested(data: NestedArray, dtype?: DType): Source {
  const shape: number[] = [];
  for (let level: NestedArray | undefined = data; Array.isArray(level); level = level[0])
    shape.push(level.length);
  const out = new Float64Array(sizeOf(shape)); // int32 needs more digits than a float32 has
  let at = 0;
  let booleans = 0;
  const path: number[] = [];
  const visit = (node: NestedArray, axis: number): void => {
    if (Array.isArray(node)) {
      if (axis >= shape.length || node.length !== shape[axis]) {
        const expected = axis < shape.length ? `${shape[axis]} elements` : "a number";
        throw new MyelinError(
          "INVALID_DATA",
          `tensor: ragged array at [${path.join("][")}]: expected ${expected}, got an array of ${node.length}`,
        );
      }
      for (let i = 0; i < node.length; i++) {
        path[axis] = i;
        visit(node[i]!, axis + 1);
      }
      path.length = axis;
    } else if (axis !== shape.length || (typeof node !== "number" && typeof node !== "boolean")) {
      throw new MyelinError(
        "INVALID_DATA",
        `tensor: ${axis !== shape.length ? "ragged array" : "wrong element"} at [${path.join("][")}]: expected ${axis !== shape.length ? `an array of ${shape[axis]}` : "a number or boolean"}, got ${describe(node)}`,
      );
    } else {
      if (typeof node === "boolean") booleans++;
      out[at++] = Number(node);
    }
  };
  visit(data, 0);
  const isBool = booleans > 0 && booleans === out.length;
  if (isBool) return { data: Uint8Array.from(out), shape, dtype: "bool" };
  const exact = dtype === "int32" || dtype === "uint8";
  return { data: exact ? out : Float32Array.from(out), shape, dtype: "float32" };
}

/** Copies into another dtype; to int32 and uint8 truncates toward zero, to bool tests for non-zero. */
function convert(data: HostArray, from: DType, to: DType): HostArray {
  if (from === to) return data;
  const out = allocateHost(to, data.length);
  if (to === "bool") for (let i = 0; i < data.length; i++) out[i] = data[i] !== 0 ? 1 : 0;
  else out.set(data as Float32Array);
  return out;
}
