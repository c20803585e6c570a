// Rows of nested data: what an element of a Dataset may be, how elements become a batch, and how rows of whole arrays are
// gathered into one. A leaf is a number, boolean, string, Tensor, typed array or an array of numbers; tuples and records
// of leaves are kept as they are.

import { allocateHost, type DType, type HostArray, typedArrayName } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { type NestedArray, Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import { type Flat, flatten } from "../core/tree.ts";

type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | Uint8ClampedArray;

/** What `batch` makes of an element: numbers and tensors become a Tensor with one more axis, strings a list. */
export type Batched<T> = T extends number | boolean | Tensor | TypedArray | readonly number[]
  ? Tensor
  : T extends string
    ? string[]
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Batched<T[K]> }
      : T extends object
        ? { [K in keyof T]: Batched<T[K]> }
        : never;

/** The element that one row of whole arrays is: scalars of a vector are numbers, rows of more axes Tensors. */
export type Sliced<T> = T extends Tensor
  ? Tensor | number
  : T extends TypedArray | readonly number[] | readonly boolean[]
    ? number
    : T extends readonly string[]
      ? string
      : T extends readonly (readonly (number | readonly number[])[])[]
        ? Tensor
        : T extends readonly unknown[]
          ? { -readonly [K in keyof T]: Sliced<T[K]> }
          : { [K in keyof T]: Sliced<T[K]> };

/** Rows: a Tensor of at least one axis, or as many strings. */
type Rows = Tensor | readonly string[];

const isNumbers = (x: unknown): boolean => {
  let first: unknown = x;
  while (Array.isArray(first) && first.length > 0) first = first[0];
  return typeof first === "number" || typeof first === "boolean";
};

const isStrings = (x: unknown): x is readonly string[] =>
  Array.isArray(x) && x.length > 0 && x.every((s) => typeof s === "string");

const isTyped = (x: unknown): x is TypedArray => typedArrayName(x) !== undefined;

/** Whole arrays of equally many rows, in the layout they were given. */
export class Slices {
  readonly count: number;
  private readonly flat: Flat<Rows>;

  constructor(where: string, nest: unknown) {
    this.flat = flatten<Rows>(where, nest, (x, path) => {
      if (x instanceof Tensor || isTyped(x) || (Array.isArray(x) && isNumbers(x))) {
        const t = tensor(x as TensorLike);
        if (t.rank > 0) return t;
        throw new MyelinError("SHAPE_MISMATCH", `${where}${path}: expected rows, got a scalar`);
      }
      return isStrings(x) ? x : undefined;
    });
    const [first] = this.flat.leaves;
    if (!first) throw new MyelinError("INVALID_ARGUMENT", `${where}: expected arrays of rows, got none`);
    this.count = rowsOf(first);
    for (const leaf of this.flat.leaves) {
      if (rowsOf(leaf) === this.count) continue;
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}: expected ${this.count} rows in every array, got ${rowsOf(leaf)}`,
      );
    }
  }

  /** Row `i` as an element. */
  at(i: number): unknown {
    return this.flat.rebuild(
      this.flat.leaves.map((leaf) => {
        if (!(leaf instanceof Tensor)) return leaf[i];
        if (leaf.rank === 1) return leaf.data[i];
        const shape = leaf.shape.slice(1);
        const size = sizeOf(shape);
        return new Tensor(leaf.data.slice(i * size, (i + 1) * size), shape, leaf.dtype);
      }),
    );
  }

  /** The rows `order[from]` to `order[to - 1]` as one batch; without an order rows `from` to `to - 1`. */
  gather(order: Int32Array | undefined, from: number, to: number): unknown {
    return this.flat.rebuild(this.flat.leaves.map((leaf) => gatherRows(leaf, order, from, to)));
  }
}

/** Doubles stay doubles. */
const emptyLike = (t: Tensor, size: number): HostArray =>
  t.data instanceof Float64Array ? new Float64Array(size) : allocateHost(t.dtype, size);

const rowsOf = (rows: Rows): number => (rows instanceof Tensor ? rows.shape[0]! : rows.length);

/** Rows of one array, picked by an order. */
export function gatherRows<R extends Tensor | readonly string[]>(
  rows: R,
  order: ArrayLike<number> | undefined,
  from: number,
  to: number,
): R {
  if (!(rows instanceof Tensor)) {
    return Array.from({ length: to - from }, (_, i) => rows[order ? order[from + i]! : from + i]!) as never;
  }
  if (!order) return rows.slice(from, to) as R;
  const shape = rows.shape.slice(1);
  const size = sizeOf(shape);
  const data = emptyLike(rows, (to - from) * size);
  for (let i = from; i < to; i++) {
    const row = order[i]!;
    if (size === 1) data[i - from] = rows.data[row]!;
    else data.set(rows.data.subarray(row * size, (row + 1) * size), (i - from) * size);
  }
  return new Tensor(data, [to - from, ...shape], rows.dtype) as R;
}

/**
 * Elements of one layout as a batch: every leaf gets a new first axis.
 * @param first the number of the first element, for errors
 */
export function stack(where: string, elements: readonly unknown[], first: number): unknown {
  const flats = elements.map((e, i) => flatten(`${where}: element ${first + i}`, e, leafOf));
  const { key, leaves, rebuild } = flats[0]!;
  flats.forEach((flat, i) => {
    if (flat.key === key) return;
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected element ${first + i} laid out like element ${first}, got ${describe(elements[i])}`,
    );
  });
  return rebuild(
    leaves.map((_, k) =>
      stackLeaf(
        where,
        flats.map((f) => f.leaves[k]!),
        first,
      ),
    ),
  );
}

type Leaf = Tensor | string;

function leafOf(x: unknown): Leaf | undefined {
  if (typeof x === "string" || x instanceof Tensor) return x;
  if (typeof x === "number" || typeof x === "boolean") return tensor(x as NestedArray);
  return isTyped(x) || (Array.isArray(x) && isNumbers(x)) ? tensor(x as TensorLike) : undefined;
}

function stackLeaf(where: string, leaves: readonly Leaf[], first: number): Tensor | string[] {
  const head = leaves[0]!;
  if (!(head instanceof Tensor)) return leaves as string[];
  const { shape, dtype, size } = head;
  const data = emptyLike(head, leaves.length * size);
  leaves.forEach((leaf, i) => {
    if (!(leaf instanceof Tensor) || !sameShape(leaf.shape, shape) || leaf.dtype !== dtype) {
      const came = leaf instanceof Tensor ? typeText(leaf) : describe(leaf);
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}: expected element ${first + i} to be ${typeText(head)} like element ${first}, got ${came}`,
      );
    }
    data.set(leaf.data, i * size);
  });
  return new Tensor(data, [leaves.length, ...shape], dtype);
}

const typeText = (t: { dtype: DType; shape: readonly number[] }): string =>
  `${t.dtype}${formatShape(t.shape)}`;
