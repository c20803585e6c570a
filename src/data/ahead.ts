// Streams that work ahead of their reader: prefetch, and map with several calls at once. Elements and errors come in
// order; a reader that leaves early waits for what is under way, then the stream above is closed.

import { failed, iterateAsync as iterate, type Stream } from "./streams.ts";

/** Up to `count` elements are fetched before they are asked for. */
export async function* prefetch<T>(source: Stream<T>, count: number): AsyncGenerator<T> {
  const upstream = iterate(source);
  const ready: T[] = [];
  let ended = false;
  let stopped = false;
  let failure: { error: unknown } | undefined;
  let wakeReader: (() => void) | undefined;
  let wakeFetcher: (() => void) | undefined;

  const fetching = (async () => {
    try {
      while (!stopped) {
        if (ready.length >= count) {
          await new Promise<void>((resolve) => {
            wakeFetcher = resolve;
          });
          continue;
        }
        const { done, value } = await upstream.next();
        if (done) break;
        ready.push(value);
        wakeReader?.();
      }
    } catch (error) {
      failure = { error };
    }
    ended = true;
    wakeReader?.();
  })();

  try {
    for (;;) {
      if (ready.length > 0) {
        const element = ready.shift() as T;
        wakeFetcher?.();
        yield element;
      } else if (failure) throw failure.error;
      else if (ended) return;
      else
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
    }
  } finally {
    const early = !ended;
    stopped = true;
    wakeFetcher?.();
    await fetching;
    if (early && !failure) await upstream.return?.();
  }
}

/** `map` with up to `parallel` calls under way; results in the order of the elements. */
export async function* parallelMap<T, U>(
  source: Stream<T>,
  fn: (element: T, index: number) => U | Promise<U>,
  parallel: number,
): AsyncGenerator<U> {
  type Outcome = { value: U } | { error: unknown };
  const running: Promise<Outcome>[] = [];
  const call = async (element: T, index: number): Promise<Outcome> => {
    try {
      return { value: await fn(element, index) };
    } catch (error) {
      return { error: failed("Dataset.map", index, error) };
    }
  };
  const next = async (): Promise<U> => {
    const outcome = await running.shift()!;
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  };
  let index = 0;
  let broken: { error: unknown } | undefined;
  const upstream = iterate(source);
  let open = true;
  try {
    while (open) {
      try {
        const { done, value } = await upstream.next();
        if (done) open = false;
        else running.push(call(value, index++));
      } catch (error) {
        // What came before the failure is still due.
        open = false;
        broken = { error };
      }
      if (running.length >= parallel) yield await next();
    }
    while (running.length > 0) yield await next();
    if (broken) throw broken.error;
  } finally {
    await Promise.all(running);
    if (open) await upstream.return?.();
  }
}

/** One element of each stream in turn, from up to `cycle` streams open at once, `block` elements at a time. */
export async function* interleave<T, U>(
  source: Stream<T>,
  openInner: (element: T, index: number) => Promise<Stream<U>>,
  cycle: number,
  block: number,
): AsyncGenerator<U> {
  const upstream = iterate(source);
  const slots: (AsyncIterator<U> | undefined)[] = [];
  let index = 0;
  let more = true;
  const openNext = async (): Promise<AsyncIterator<U> | undefined> => {
    if (!more) return undefined;
    const { done, value } = await upstream.next();
    if (done) {
      more = false;
      return undefined;
    }
    return iterate(await openInner(value, index++));
  };
  try {
    while (slots.length < cycle) {
      const inner = await openNext();
      if (!inner) break;
      slots.push(inner);
    }
    while (slots.some((s) => s !== undefined)) {
      for (let at = 0; at < slots.length; at++) {
        for (let taken = 0; taken < block && slots[at] !== undefined; taken++) {
          const { done, value } = await slots[at]!.next();
          if (done) {
            slots[at] = await openNext();
            break;
          }
          yield value;
        }
      }
    }
  } finally {
    for (const inner of slots) await inner?.return?.();
    if (more) await upstream.return?.();
  }
}

/** Elements of each stream side by side, until the shortest ends. */
export async function* zip(sources: readonly Stream<unknown>[]): AsyncGenerator<unknown[]> {
  const open = sources.map(iterate);
  const ended = new Set<number>();
  try {
    for (;;) {
      const row: unknown[] = [];
      for (let i = 0; i < open.length; i++) {
        const { done, value } = await open[i]!.next();
        if (done) {
          ended.add(i);
          return;
        }
        row.push(value);
      }
      yield row;
    }
  } finally {
    for (let i = 0; i < open.length; i++) if (!ended.has(i)) await open[i]!.return?.();
  }
}
