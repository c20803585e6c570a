// Batches that come one after another instead of whole arrays: a Dataset, a generator, any iterable. Here they are told
// apart from arrays, taken apart, and gone over.

import { aborted, describe, MyelinError } from "../core/errors.ts";
import { Tensor } from "../core/tensor.ts";
import type { DataLike } from "./data.ts";

/** What a source gives: x and y of one batch as fit takes arrays, and maybe the weights of its rows; or x alone. */
export type BatchLike =
  | readonly [x: DataLike, y: DataLike]
  | readonly [x: DataLike, y: DataLike, sampleWeight: DataLike]
  | { readonly x: DataLike; readonly y?: DataLike; readonly sampleWeight?: DataLike }
  | Tensor;

/**
 * Batches for fit, evaluate or predict: a `Dataset`, an iterable, an async one, or a function that makes one for each
 * pass. A generator object lasts one pass only.
 */
export type BatchSource<B = BatchLike> =
  | Iterable<B>
  | AsyncIterable<B>
  | (() => Iterable<B> | AsyncIterable<B>);

/** Anything that can be gone over and is no array, Tensor or typed array. */
export function isSource(x: unknown): x is BatchSource<unknown> {
  if (typeof x === "function") return true;
  if (typeof x !== "object" || x === null || Array.isArray(x) || x instanceof Tensor) return false;
  return !ArrayBuffer.isView(x) && (Symbol.asyncIterator in x || Symbol.iterator in x);
}

/**
 * One pass over a source.
 * @param signal ends the wait for a batch: `next` then rejects, and `return` waits for nothing
 */
export function iterate(
  where: string,
  source: BatchSource<unknown>,
  signal?: AbortSignal,
): AsyncIterator<unknown> {
  const iterator = open(where, source);
  return signal ? abortable(where, iterator, signal) : iterator;
}

function open(where: string, source: BatchSource<unknown>): AsyncIterator<unknown> {
  const made = typeof source === "function" ? source() : source;
  if (!Array.isArray(made) && (typeof made === "function" || !isSource(made))) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected the function to make an iterable of batches, got ${describe(made)}`,
    );
  }
  if (Symbol.asyncIterator in made) return (made as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  return (async function* () {
    yield* made as Iterable<unknown>;
  })();
}

function abortable(
  where: string,
  iterator: AsyncIterator<unknown>,
  signal: AbortSignal,
): AsyncIterator<unknown> {
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const abort = () => reject(aborted(where, signal.reason));
        if (signal.aborted) {
          abort();
          return;
        }
        signal.addEventListener("abort", abort, { once: true });
        iterator
          .next()
          .then(resolve, reject)
          .finally(() => signal.removeEventListener("abort", abort));
      }),
    return: async () => {
      const closed = iterator.return?.();
      if (!signal.aborted) await closed;
      // Whoever aborts does not wait for what the source may never bring.
      else closed?.catch(() => {});
      return { done: true, value: undefined };
    },
  };
}

/**
 * How many batches a run has, where somebody says so.
 * @param limit what the option of this name was given
 */
export function stepsOf(
  where: string,
  source: BatchSource<unknown>,
  limit: number | undefined,
  option: "stepsPerEpoch" | "validationSteps" | "steps",
): number | undefined {
  const { cardinality } = source as { cardinality?: unknown };
  if (limit === undefined && cardinality === Number.POSITIVE_INFINITY) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${option} for a dataset without end, got none`,
    );
  }
  return limit ?? (typeof cardinality === "number" ? cardinality : undefined);
}

export interface BatchParts {
  readonly x: unknown;
  readonly y: unknown;
  readonly sampleWeight: unknown;
}

/** A batch as `[x, y]`, `[x, y, sampleWeight]` or a record; x alone for models that compare with nothing. */
export function readBatch(where: string, batch: unknown): BatchParts {
  if (Array.isArray(batch) && (batch.length === 2 || batch.length === 3)) {
    return { x: batch[0], y: batch[1], sampleWeight: batch[2] };
  }
  if (batch instanceof Tensor) return { x: batch, y: undefined, sampleWeight: undefined };
  if (isRecord(batch) && "x" in batch) {
    return { x: batch.x, y: batch.y, sampleWeight: batch.sampleWeight };
  }
  throw new MyelinError(
    "INVALID_DATA",
    `${where}: expected [x, y], [x, y, sampleWeight] or { x, y, sampleWeight }, got ${describe(batch)}`,
  );
}

/** The inputs of a batch for predict: x alone, or the x of what fit takes. */
export function readBatchInputs(batch: unknown): unknown {
  if (isRecord(batch) && "x" in batch) return batch.x;
  const first: unknown = Array.isArray(batch) ? batch[0] : undefined;
  const isTuple = typeof first === "object" && first !== null && !Array.isArray(first);
  return isTuple ? first : batch;
}

function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x) && !(x instanceof Tensor);
}
