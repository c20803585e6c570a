// The simple operations on streams of elements, as async generators: leaving one early (`break`, an error downstream) runs
// its `finally`, which closes the stream above it.

import { MyelinError } from "../core/errors.ts";
import { stack, unstack } from "./stack.ts";

export type Stream<T> = AsyncIterable<T> | Iterable<T>;

/** Whether a value can be iterated element by element; strings are values here, not streams of letters. */
export function isStream(x: unknown): x is Stream<unknown> {
  return typeof x === "object" && x !== null && (Symbol.asyncIterator in x || Symbol.iterator in x);
}

export function iterateAsync<T>(source: Stream<T>): AsyncIterator<T, void, undefined> {
  const iterable = Symbol.asyncIterator in source ? source : lift(source);
  return iterable[Symbol.asyncIterator]() as AsyncIterator<T, void, undefined>;
}

async function* lift<T>(source: Iterable<T>): AsyncGenerator<T> {
  yield* source;
}

/** What a function makes of each item of a list, made when asked for. */
export function* each<S, T>(items: Iterable<S>, make: (item: S) => T): Generator<T> {
  for (const item of items) yield make(item);
}

export function* range(start: number, count: number, step: number): Generator<number> {
  for (let i = 0; i < count; i++) yield start + i * step;
}

/** What a user's function threw, with the place; an abort stays what it is. */
export function failed(where: string, index: number, error: unknown): unknown {
  if (error instanceof Error && error.name === "AbortError") return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof MyelinError ? error.code : "INVALID_DATA";
  return new MyelinError(code, `${where}: element ${index}: ${message}`, { cause: error });
}

export async function* map<T, U>(
  source: Stream<T>,
  fn: (element: T, index: number) => U | Promise<U>,
): AsyncGenerator<U> {
  let index = 0;
  for await (const element of source) {
    let result: U;
    try {
      result = await fn(element, index);
    } catch (error) {
      throw failed("Dataset.map", index, error);
    }
    yield result;
    index++;
  }
}

export async function* filter<T>(
  source: Stream<T>,
  keep: (element: T, index: number) => boolean | Promise<boolean>,
): AsyncGenerator<T> {
  let index = 0;
  for await (const element of source) {
    let kept: boolean;
    try {
      kept = await keep(element, index);
    } catch (error) {
      throw failed("Dataset.filter", index, error);
    }
    if (kept) yield element;
    index++;
  }
}

export async function* batch<T>(
  source: Stream<T>,
  size: number,
  dropRemainder: boolean,
): AsyncGenerator<unknown> {
  let pending: T[] = [];
  let first = 0;
  for await (const element of source) {
    pending.push(element);
    if (pending.length < size) continue;
    yield stack("Dataset.batch", pending, first);
    first += size;
    pending = [];
  }
  if (pending.length > 0 && !dropRemainder) yield stack("Dataset.batch", pending, first);
}

export async function* unbatch<T>(source: Stream<T>): AsyncGenerator<unknown> {
  let index = 0;
  for await (const element of source) yield* unstack("Dataset.unbatch", element, index++);
}

export async function* take<T>(source: Stream<T>, count: number): AsyncGenerator<T> {
  if (count === 0) return;
  let taken = 0;
  for await (const element of source) {
    yield element;
    if (++taken === count) return;
  }
}

export async function* skip<T>(source: Stream<T>, count: number): AsyncGenerator<T> {
  let seen = 0;
  for await (const element of source) if (seen++ >= count) yield element;
}

export async function* repeat<T>(source: Stream<T>, count: number): AsyncGenerator<T> {
  for (let pass = 0; pass < count; pass++) {
    let empty = true;
    for await (const element of source) {
      empty = false;
      yield element;
    }
    // Nothing, forever, would hang.
    if (empty) return;
  }
}

export async function* concatenate<T>(sources: readonly Stream<T>[]): AsyncGenerator<T> {
  for (const source of sources) yield* source;
}

export async function* enumerate<T>(source: Stream<T>, start: number): AsyncGenerator<[number, T]> {
  let index = start;
  for await (const element of source) yield [index++, element];
}

export async function* flatMap<T, U>(
  source: Stream<T>,
  fn: (element: T, index: number) => Stream<U> | Promise<Stream<U>>,
): AsyncGenerator<U> {
  let index = 0;
  for await (const element of source) {
    yield* await open("Dataset.flatMap", fn, element, index);
    index++;
  }
}

/** The stream a user's function makes of an element, checked. */
export async function open<T, U>(
  where: string,
  fn: (element: T, index: number) => Stream<U> | Promise<Stream<U>>,
  element: T,
  index: number,
): Promise<Stream<U>> {
  let inner: Stream<U>;
  try {
    inner = await fn(element, index);
  } catch (error) {
    throw failed(where, index, error);
  }
  if (!isStream(inner))
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: element ${index}: expected an iterable or a Dataset from the function, got ${typeof inner}`,
    );
  return inner;
}

/** Windows of `size` elements, `stride` apart, a new one every `shift`; the last ones may be short. */
export async function* window<T>(
  source: Stream<T>,
  size: number,
  shift: number,
  stride: number,
  dropRemainder: boolean,
): AsyncGenerator<T[]> {
  const span = (size - 1) * stride + 1;
  // Element number `begin` is buffer[0]; the next window starts at `start`.
  let buffer: T[] = [];
  let begin = 0;
  let start = 0;
  const pick = (): T[] => {
    const picked: T[] = [];
    for (let i = start - begin; i < buffer.length && picked.length < size; i += stride)
      picked.push(buffer[i]!);
    return picked;
  };
  const advance = (): void => {
    start += shift;
    const drop = Math.min(start - begin, buffer.length);
    buffer = buffer.slice(drop);
    begin += drop;
  };
  for await (const element of source) {
    // Between windows that do not touch (shift above span) nothing is kept.
    if (begin + buffer.length < start) begin++;
    else buffer.push(element);
    if (buffer.length > 0 && begin + buffer.length === start + span) {
      yield pick();
      advance();
    }
  }
  if (dropRemainder) return;
  while (start - begin < buffer.length) {
    yield pick();
    advance();
  }
}
