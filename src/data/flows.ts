// The generators behind Dataset's methods. Each closes its source when it is left early, and passes errors on in order.

import type { Random } from "../core/random.ts";
import { Slices, stack } from "./rows.ts";

type Flow<T> = AsyncIterable<T> | Iterable<T>;

/** One pass. */
export async function* run<T>(source: Flow<T>): AsyncGenerator<T, undefined> {
  yield* source;
  return undefined;
}

export async function* map<T, U>(
  source: Flow<T>,
  fn: (element: T, index: number) => U | Promise<U>,
  parallel: number,
): AsyncGenerator<U> {
  let index = 0;
  if (parallel === 1) {
    for await (const element of source) yield await fn(element, index++);
    return;
  }
  const pending: Promise<U>[] = [];
  for await (const element of source) {
    const call = Promise.resolve(element).then((e) => fn(e, index++));
    // Awaited later: until then a rejection is nobody's.
    call.catch(() => {});
    pending.push(call);
    if (pending.length === parallel) yield await pending.shift()!;
  }
  for (const call of pending) yield await call;
}

export async function* filter<T>(
  source: Flow<T>,
  keep: (element: T, index: number) => boolean | Promise<boolean>,
): AsyncGenerator<T> {
  let index = 0;
  for await (const element of source) if (await keep(element, index++)) yield element;
}

export async function* flatMap<T, U>(
  source: Flow<T>,
  fn: (element: T, index: number) => Flow<U>,
): AsyncGenerator<U> {
  let index = 0;
  for await (const element of source) yield* fn(element, index++);
}

export async function* batch<T>(
  source: Flow<T>,
  size: number,
  dropRemainder: boolean,
): AsyncGenerator<unknown> {
  let elements: T[] = [];
  let first = 0;
  for await (const element of source) {
    elements.push(element);
    if (elements.length < size) continue;
    yield stack("Dataset.batch", elements, first);
    first += size;
    elements = [];
  }
  if (elements.length > 0 && !dropRemainder) yield stack("Dataset.batch", elements, first);
}

export async function* unbatch<T>(source: Flow<T>): AsyncGenerator<unknown> {
  for await (const element of source) {
    const slices = new Slices("Dataset.unbatch", element);
    for (let i = 0; i < slices.count; i++) yield slices.at(i);
  }
}

export async function* shuffle<T>(source: Flow<T>, size: number, random: Random): AsyncGenerator<T> {
  const buffer: T[] = [];
  for await (const element of source) {
    if (buffer.length < size) {
      buffer.push(element);
      continue;
    }
    const at = random.integer(size);
    const drawn = buffer[at]!;
    buffer[at] = element;
    yield drawn;
  }
  for (let left = buffer.length; left > 0; left--) {
    const at = random.integer(left);
    yield buffer[at]!;
    buffer[at] = buffer[left - 1]!;
  }
}

export async function* prefetch<T>(source: Flow<T>, count: number): AsyncGenerator<T> {
  const iterator = run(source);
  const ahead: Promise<IteratorResult<T>>[] = [];
  const ask = () => {
    const next = iterator.next();
    next.catch(() => {});
    ahead.push(next);
  };
  try {
    while (ahead.length < count) ask();
    while (true) {
      const { done, value } = await ahead.shift()!;
      if (done) return;
      ask();
      yield value;
    }
  } finally {
    await iterator.return(undefined);
  }
}

export async function* take<T>(source: Flow<T>, count: number): AsyncGenerator<T> {
  if (count === 0) return;
  let taken = 0;
  for await (const element of source) {
    yield element;
    if (++taken === count) return;
  }
}

export async function* skip<T>(source: Flow<T>, count: number): AsyncGenerator<T> {
  let seen = 0;
  for await (const element of source) if (seen++ >= count) yield element;
}

export async function* repeat<T>(source: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  for (let pass = 0; pass < count; pass++) {
    let isEmpty = true;
    for await (const element of source) {
      isEmpty = false;
      yield element;
    }
    // An empty source repeated endlessly would never come back.
    if (isEmpty) return;
  }
}

export async function* concatenate<T>(sources: readonly Flow<T>[]): AsyncGenerator<T> {
  for (const source of sources) yield* source;
}

export async function* zip(sources: readonly Flow<unknown>[]): AsyncGenerator<unknown[]> {
  const iterators = sources.map((s) => run(s));
  try {
    while (true) {
      const nexts = await Promise.all(iterators.map((i) => i.next()));
      if (nexts.length === 0 || nexts.some((n) => n.done)) return;
      yield nexts.map((n) => n.value);
    }
  } finally {
    await Promise.all(iterators.map((i) => i.return(undefined)));
  }
}

export async function* window<T>(
  source: Flow<T>,
  options: { size: number; shift: number; stride: number; dropRemainder: boolean },
): AsyncGenerator<T[]> {
  const { size, shift, stride, dropRemainder } = options;
  const span = (size - 1) * stride + 1;
  let held: T[] = [];
  let skipped = 0;
  const pick = () => held.slice(0, span).filter((_, i) => i % stride === 0);
  for await (const element of source) {
    if (skipped > 0) {
      skipped--;
      continue;
    }
    held.push(element);
    if (held.length < span) continue;
    yield pick();
    skipped = Math.max(0, shift - held.length);
    held = held.slice(shift);
  }
  while (!dropRemainder && held.length > 0) {
    yield pick();
    held = held.slice(shift);
  }
}
