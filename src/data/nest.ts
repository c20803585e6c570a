// What elements of a data set are made of: leaves (tensors, numbers, strings ...) inside arrays and plain records, and
// the rules that say where a leaf begins. One place, so that slicing, batching and unbatching agree.

import { typedArrayName } from "../core/dtype.ts";
import { type NestedArray, Tensor } from "../core/tensor.ts";

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | Uint8ClampedArray;

/** One tensor's worth of rows, or a list of strings. */
export type SliceLeaf = Tensor | TypedArray | readonly string[] | readonly NestedArray[];

/** What `Dataset.fromTensorSlices` takes: a leaf, or arrays and records of leaves. */
export type Slices = SliceLeaf | readonly Slices[] | { readonly [name: string]: Slices };

/** A row of such a nest, in its structure: numbers from a leaf of one axis, tensors from more, strings. */
export type Sliced<N> = N extends Tensor
  ? Tensor | number | boolean
  : N extends TypedArray | readonly number[]
    ? number
    : N extends readonly boolean[]
      ? boolean
      : N extends readonly string[]
        ? string
        : N extends readonly NestedArray[]
          ? Tensor
          : N extends object
            ? { -readonly [K in keyof N]: Sliced<N[K]> }
            : never;

type Plain = Tensor | TypedArray | number | boolean;

/** A part of an element after `batch`: tensors with a first axis more; lists of whatever is no number. */
type StackedPart<T> = T extends Plain | readonly NestedArray[]
  ? Tensor
  : T extends string | bigint | Date
    ? T[]
    : T extends readonly string[]
      ? T[]
      : T extends object
        ? { -readonly [K in keyof T]: StackedPart<T[K]> }
        : T[];

/**
 * An element after `batch`. An array of numbers is a vector; any other array is a tuple, as `[x, y]` is, in which arrays of
 * numbers are tensors.
 */
export type Stacked<T> = unknown extends T
  ? unknown
  : T extends Plain | readonly (number | boolean)[]
    ? Tensor
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: StackedPart<T[K]> }
      : StackedPart<T>;

/** An element after `unbatch`. */
export type Unstacked<T> = unknown extends T
  ? unknown
  : T extends Tensor
    ? Tensor | number | boolean
    : T extends TypedArray
      ? number
      : T extends readonly (infer S extends string | number | boolean | bigint | Date)[]
        ? S
        : T extends object
          ? { -readonly [K in keyof T]: Unstacked<T[K]> }
          : never;

export function isPlainRecord(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  const proto: unknown = Object.getPrototypeOf(x);
  return proto === Object.prototype || proto === null;
}

export function isTensorLeaf(x: unknown): x is Tensor | TypedArray {
  return x instanceof Tensor || typedArrayName(x) !== undefined;
}

/** Whether an array holds numbers or booleans at the bottom, as far as its first elements tell. */
export function isNumeric(x: readonly unknown[]): boolean {
  let first: unknown = x;
  while (Array.isArray(first)) {
    if (first.length === 0) return true;
    first = first[0];
  }
  return typeof first === "number" || typeof first === "boolean";
}

/** Whether an array as a whole element is a vector: numbers and nothing else. */
export function isVector(x: readonly unknown[]): boolean {
  return x.every((e) => typeof e === "number" || typeof e === "boolean");
}

/** Whether an array is a list of things that are no tensors and hold none: strings, numbers, dates. */
export function isList(x: readonly unknown[]): boolean {
  return !x.some((e) => Array.isArray(e) || isTensorLeaf(e) || isPlainRecord(e));
}

/** The path of a part, as messages write it: `.x`, `[1]`. */
export function step(path: string, key: string | number): string {
  return typeof key === "number" ? `${path}[${key}]` : `${path}.${key}`;
}
