// Host data as preprocessing layers take it: what to adapt to, what to encode.

import { describe, MyelinError } from "../../core/errors.ts";
import { Tensor, type TensorLike, tensor } from "../../core/tensor.ts";

/** Numbers: a Tensor, typed array, nested arrays. */
export type Numbers = TensorLike;

/** Data to adapt to: one array of it, or batches of any iterable, such as a Dataset. */
export type AdaptData<T> = T | Iterable<T> | AsyncIterable<T>;

/** Strings, alone or in rows. */
export type Strings = readonly (string | readonly string[])[];

const isIterable = (x: unknown): x is Iterable<unknown> | AsyncIterable<unknown> =>
  typeof x === "object" && x !== null && !(x instanceof Tensor) && !ArrayBuffer.isView(x) && !Array.isArray(x) && (Symbol.asyncIterator in x || Symbol.iterator in x); // biome-ignore format: one line

/** Whether data comes in batches of its own. */
export function inBatches<T>(data: AdaptData<T>): data is Iterable<T> | AsyncIterable<T> {
  return isIterable(data);
}

/** Numbers as a Tensor, float32 unless they are something else. */
export function numbersOf(where: string, data: unknown): Tensor {
  if (data instanceof Tensor) return data;
  try {
    return tensor(data as TensorLike);
  } catch (error) {
    if (!(error instanceof MyelinError)) throw error;
    throw new MyelinError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}

/** Strings in a list or rows of a list, flat, with the shape they had. Rows may be of different lengths. */
export function stringRows(
  where: string,
  data: unknown,
): { rows: readonly (readonly string[])[]; isFlat: boolean } {
  if (!Array.isArray(data)) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a list of strings, got ${describe(data)}`);
  }
  const isFlat = !data.some(Array.isArray);
  const rows = data.map((row: unknown, i) => {
    const list: readonly unknown[] = Array.isArray(row) ? row : [row];
    const wrong = list.find((s) => typeof s !== "string");
    if (wrong === undefined) return list as readonly string[];
    throw new MyelinError("INVALID_DATA", `${where}: expected strings, got ${describe(wrong)} in row ${i}`);
  });
  return { rows, isFlat };
}
