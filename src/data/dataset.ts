// Dataset: a description of a stream of elements that can be walked any number of times. Methods describe a further step
// and return a new Dataset; nothing is read before someone iterates.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import { drawSeed } from "../core/seed.ts";
import { interleave, parallelMap, prefetch, zip } from "./ahead.ts";
import type { Sliced, Slices, Stacked, Unstacked } from "./nest.ts";
import { ascending, type Rows, rowsOf } from "./rows.ts";
import { PassSeeds, shuffleOrder, shuffleStream } from "./shuffle.ts";
import type { Stream } from "./streams.ts";
import * as streams from "./streams.ts";

export interface MapOptions {
  /** How many calls of an async function may be under way at once. Results keep their order. Default 1. */
  parallel?: number;
}

export interface BatchOptions {
  /** Leave out a last batch with fewer elements. Default false. */
  dropRemainder?: boolean;
}

export interface ShuffleOptions {
  /** The same seed gives the same orders. Default: one of its own, which follows from `setRandomSeed`. */
  seed?: number;
  /** Another order in every pass (each follows from the seed). Default true. */
  reshuffleEachIteration?: boolean;
}

export interface WindowOptions extends BatchOptions {
  /** Elements between the starts of two windows. Default: `size`, so that windows do not overlap. */
  shift?: number;
  /** Elements between two elements of a window. Default 1. */
  stride?: number;
}

export interface InterleaveOptions {
  /** How many inner streams are open at once. Default 4. */
  cycleLength?: number;
  /** How many elements are taken from one before the next has its turn. Default 1. */
  blockLength?: number;
}

/** Anything that can be gone over: an iterable, an async one, or a function that makes one for each pass. */
export type Source<T> = Stream<T> | (() => Stream<T> | Promise<Stream<T>>);

/** Rows in memory, and the order in which the next pass visits them. */
interface InMemory {
  readonly rows: Rows;
  readonly count: number;
  order(): Int32Array;
}

type Elements<D extends readonly Stream<unknown>[]> = {
  -readonly [K in keyof D]: D[K] extends Stream<infer T> ? T : never;
};

/**
 * A stream of elements, read lazily, as often as one likes. An element may be anything; what `batch` stacks are tensors,
 * numbers, booleans, typed arrays, strings, and arrays (tuples such as `[x, y]`) and plain records of them.
 * @example
 * const train = Dataset.fromTensorSlices([images, labels]).shuffle(10_000, { seed: 7 }).batch(64).prefetch(2);
 * await model.fit(train, { epochs: 5 });
 */
export class Dataset<T> implements AsyncIterable<T> {
  /** How many elements a pass has: Infinity when it never ends, undefined when only reading would tell. */
  readonly cardinality: number | undefined;
  private readonly open: () => Stream<T>;
  private readonly memory: InMemory | undefined;

  private constructor(open: () => Stream<T>, cardinality?: number, memory?: InMemory) {
    this.open = open;
    this.cardinality = cardinality;
    this.memory = memory;
  }

  /**
   * Rows of arrays, along their first axis.
   * @param nest a tensor, typed array, nested array or list of strings, or arrays and records of those; all with the same
   *   number of rows. An array of nothing but numbers is one tensor; name parts (`{ x, y }`) or make them tensors otherwise.
   * @throws SHAPE_MISMATCH numbers of rows differ; INVALID_DATA something has no rows
   * @example Dataset.fromTensorSlices({ x: tensor([[1, 2], [3, 4]]), y: tensor([0, 1]) })
   */
  static fromTensorSlices<const N extends Slices>(nest: N): Dataset<Sliced<N>> {
    const rows = rowsOf("Dataset.fromTensorSlices", nest);
    const order = ascending(rows.count);
    return Dataset.inMemory({ rows, count: rows.count, order: () => order });
  }

  private static inMemory<T>(memory: InMemory): Dataset<T> {
    const { rows } = memory;
    return new Dataset<T>(() => streams.each(memory.order(), (i) => rows.row(i) as T), memory.count, memory);
  }

  /**
   * Elements of an iterable. To be walked more than once, pass something that can be (an array, a Dataset) or a function
   * that makes a fresh iterable for each pass; a generator object gives its elements once.
   */
  static from<T>(source: Source<T>): Dataset<T> {
    if (source instanceof Dataset) return source as Dataset<T>;
    if (typeof source === "function") {
      return new Dataset<T>(async function* () {
        const made = await source();
        checkStream("Dataset.from", made, "an iterable from the function");
        yield* made;
      });
    }
    checkStream("Dataset.from", source, "an iterable, an async iterable or a function that makes one");
    const isOnce = "next" in source && typeof source.next === "function";
    let used = false;
    return new Dataset<T>(
      () => {
        if (isOnce && used)
          throw new MyelinError(
            "INVALID_ARGUMENT",
            "Dataset.from: this iterator has been read already; pass a function that makes a fresh one for each pass",
          );
        used = true;
        return source;
      },
      Array.isArray(source) ? source.length : undefined,
    );
  }

  /** Elements of a generator function, which runs anew for each pass. */
  static fromGenerator<T>(
    fn: () => Generator<T, unknown, unknown> | AsyncGenerator<T, unknown, unknown>,
  ): Dataset<T> {
    if (typeof fn !== "function")
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `Dataset.fromGenerator: expected a generator function, got ${describe(fn)}`,
      );
    return Dataset.from<T>(fn);
  }

  /** Whole numbers: `range(end)`, or `range(start, end, step)` with `end` left out. */
  static range(start: number, end?: number, step = 1): Dataset<number> {
    const [from, to] = end === undefined ? [0, start] : [start, end];
    const limit = Number.MAX_SAFE_INTEGER;
    checkInteger("Dataset.range", "start", from, -limit);
    if (to !== Infinity) checkInteger("Dataset.range", "end", to, -limit);
    checkInteger("Dataset.range", "step", step, -limit);
    if (step === 0)
      throw new MyelinError("INVALID_OPTION", "Dataset.range: expected step to be other than 0, got 0");
    const count = Math.max(0, Math.ceil((to - from) / step));
    return new Dataset<number>(() => streams.range(from, count, step), count);
  }

  /** Elements of several data sets side by side, as arrays, until the shortest ends. */
  static zip<D extends readonly Stream<unknown>[]>(...sources: D): Dataset<Elements<D>> {
    if (sources.length === 0)
      throw new MyelinError("INVALID_ARGUMENT", "Dataset.zip: expected at least one data set, got none");
    const all = sources.map((source) => Dataset.from(source));
    return new Dataset<unknown[]>(() => zip(all), least(all.map((d) => d.cardinality))) as Dataset<
      Elements<D>
    >;
  }

  /** Walks the elements; leaving the loop closes everything upstream. */
  [Symbol.asyncIterator](): AsyncIterator<T, void, undefined> {
    return streams.iterateAsync(this.open());
  }

  /**
   * Each element replaced by what the function makes of it.
   * @param fn may be async; a throw becomes an error that names the element's number, with the original as its cause
   */
  map<U extends Mapped>(fn: (element: T, index: number) => U | Promise<U>, options?: MapOptions): Dataset<U>;
  map<U>(fn: (element: T, index: number) => U | Promise<U>, options?: MapOptions): Dataset<U>;
  map<U>(fn: (element: T, index: number) => U | Promise<U>, options?: MapOptions): Dataset<U> {
    checkFunction("Dataset.map", fn);
    const { parallel = 1 } = checkOptions("Dataset.map", options, ["parallel"]);
    checkInteger("Dataset.map", "parallel", parallel, 1);
    return new Dataset<U>(
      () => (parallel === 1 ? streams.map(this, fn) : parallelMap(this, fn, parallel)),
      this.cardinality,
    );
  }

  /** The elements for which the function says true. */
  filter<S extends T>(keep: (element: T, index: number) => element is S): Dataset<S>;
  filter(keep: (element: T, index: number) => boolean | Promise<boolean>): Dataset<T>;
  filter(keep: (element: T, index: number) => boolean | Promise<boolean>): Dataset<T> {
    checkFunction("Dataset.filter", keep);
    return new Dataset<T>(() => streams.filter(this, keep));
  }

  /**
   * Elements in groups of `size`, each leaf stacked to a tensor with a first axis more: float32 from numbers, bool from
   * booleans, a tensor's own dtype; strings and other objects become lists. An element that is an array of numbers is a
   * vector; any other array is a tuple, such as `[x, y]`.
   * @throws SHAPE_MISMATCH a leaf's shape differs from that of the group's first element (when read)
   */
  batch(size: number, options?: BatchOptions): Dataset<Stacked<T>> {
    checkInteger("Dataset.batch", "size", size, 1);
    const { dropRemainder = false } = checkOptions("Dataset.batch", options, ["dropRemainder"]);
    checkBoolean("Dataset.batch", "dropRemainder", dropRemainder);
    const count = batches(this.cardinality, size, dropRemainder);
    const { memory } = this;
    const open = memory
      ? function* () {
          const order = memory.order();
          const end = dropRemainder ? order.length - (order.length % size) : order.length;
          for (let i = 0; i < end; i += size)
            yield memory.rows.gather(order.subarray(i, Math.min(i + size, end)));
        }
      : () => streams.batch(this, size, dropRemainder);
    return new Dataset<unknown>(open, count) as Dataset<Stacked<T>>;
  }

  /** The rows of each element, one by one: the opposite of `batch`. */
  unbatch(): Dataset<Unstacked<T>> {
    return new Dataset<unknown>(() => streams.unbatch(this)) as Dataset<Unstacked<T>>;
  }

  /**
   * Elements in a random order. Streams are shuffled through a buffer of `bufferSize` elements, as tf.data does it: take one
   * as large as memory allows. Rows of arrays are shuffled as a whole, and need no `bufferSize`.
   */
  shuffle(bufferSize?: number, options?: ShuffleOptions): Dataset<T> {
    const where = "Dataset.shuffle";
    const o = checkOptions(where, options, ["seed", "reshuffleEachIteration"]);
    const { seed = drawSeed(), reshuffleEachIteration = true } = o;
    checkInteger(where, "seed", seed);
    checkBoolean(where, "reshuffleEachIteration", reshuffleEachIteration);
    const seeds = new PassSeeds(seed, reshuffleEachIteration);
    const { memory } = this;
    if (bufferSize !== undefined || !memory) checkInteger(where, "bufferSize", bufferSize, 1);
    if (memory)
      return Dataset.inMemory({ ...memory, order: () => shuffleOrder(memory.order(), seeds.next()) });
    return new Dataset<T>(() => shuffleStream(this, bufferSize!, seeds.next()), this.cardinality);
  }

  /** Reads up to `count` elements ahead while the reader works. Errors arrive in their place. */
  prefetch(count = 1): Dataset<T> {
    checkInteger("Dataset.prefetch", "count", count, 1);
    return new Dataset<T>(() => prefetch(this, count), this.cardinality);
  }

  /** Keeps the elements of the first pass that is read to its end, and gives those from then on. */
  cache(): Dataset<T> {
    let kept: readonly T[] | undefined;
    const source = this;
    return new Dataset<T>(async function* () {
      if (kept) {
        yield* kept;
        return;
      }
      const elements: T[] = [];
      for await (const element of source) {
        elements.push(element);
        yield element;
      }
      kept ??= elements;
    }, this.cardinality);
  }

  /** The first `count` elements. */
  take(count: number): Dataset<T> {
    checkCount("Dataset.take", count);
    const { memory } = this;
    if (memory) return Dataset.inMemory(part(memory, 0, count));
    return new Dataset<T>(
      () => streams.take(this, count),
      this.cardinality === undefined ? (count === 0 ? 0 : undefined) : Math.min(this.cardinality, count),
    );
  }

  /** All but the first `count` elements. */
  skip(count: number): Dataset<T> {
    checkCount("Dataset.skip", count);
    const { memory } = this;
    if (memory) return Dataset.inMemory(part(memory, count, Infinity));
    return new Dataset<T>(
      () => streams.skip(this, count),
      this.cardinality === undefined ? undefined : Math.max(0, this.cardinality - count),
    );
  }

  /** All elements `count` times over; forever when left out. */
  repeat(count = Infinity): Dataset<T> {
    checkCount("Dataset.repeat", count);
    const n = this.cardinality;
    const total = n === undefined ? (count === 0 ? 0 : undefined) : n === 0 || count === 0 ? 0 : n * count;
    return new Dataset<T>(() => streams.repeat(this, count), total);
  }

  /** The elements of this data set, then those of the others. */
  concatenate<U>(...others: Stream<U>[]): Dataset<T | U> {
    const all = [this, ...others.map((o) => Dataset.from(o))] as Dataset<T | U>[];
    let total: number | undefined = 0;
    for (const d of all)
      total = total === undefined || d.cardinality === undefined ? undefined : total + d.cardinality;
    return new Dataset<T | U>(() => streams.concatenate(all), total);
  }

  /** Pairs of a running number and the element. */
  enumerate(start = 0): Dataset<[number, T]> {
    checkInteger("Dataset.enumerate", "start", start, -Number.MAX_SAFE_INTEGER);
    return new Dataset<[number, T]>(() => streams.enumerate(this, start), this.cardinality);
  }

  /** Elements of this and other data sets side by side. */
  zip<D extends readonly Stream<unknown>[]>(...others: D): Dataset<[T, ...Elements<D>]> {
    return Dataset.zip(this, ...others) as unknown as Dataset<[T, ...Elements<D>]>;
  }

  /**
   * Lists of `size` neighbours, a new one every `shift` elements. Windows at the end have fewer elements unless
   * `dropRemainder` is set.
   * @example Dataset.range(5).window(3, { shift: 1, dropRemainder: true })   // [0, 1, 2], [1, 2, 3], [2, 3, 4]
   */
  window(size: number, options?: WindowOptions): Dataset<T[]> {
    const where = "Dataset.window";
    checkInteger(where, "size", size, 1);
    const o = checkOptions(where, options, ["shift", "stride", "dropRemainder"]);
    const { shift = size, stride = 1, dropRemainder = false } = o;
    checkInteger(where, "shift", shift, 1);
    checkInteger(where, "stride", stride, 1);
    checkBoolean(where, "dropRemainder", dropRemainder);
    const n = this.cardinality;
    const span = (size - 1) * stride + 1;
    const count =
      n === undefined
        ? undefined
        : dropRemainder
          ? Math.max(0, Math.floor((n - span) / shift) + 1)
          : Math.ceil(n / shift);
    return new Dataset<T[]>(() => streams.window(this, size, shift, stride, dropRemainder), count);
  }

  /** The elements of the streams that the function makes of each element, one stream after the other. */
  flatMap<U>(fn: (element: T, index: number) => Stream<U> | Promise<Stream<U>>): Dataset<U> {
    checkFunction("Dataset.flatMap", fn);
    return new Dataset<U>(() => streams.flatMap(this, fn));
  }

  /** Like `flatMap`, with several of the streams open at once and their elements taken in turn. */
  interleave<U>(
    fn: (element: T, index: number) => Stream<U> | Promise<Stream<U>>,
    options?: InterleaveOptions,
  ): Dataset<U> {
    const where = "Dataset.interleave";
    checkFunction(where, fn);
    const o = checkOptions(where, options, ["cycleLength", "blockLength"]);
    const { cycleLength = 4, blockLength = 1 } = o;
    checkInteger(where, "cycleLength", cycleLength, 1);
    checkInteger(where, "blockLength", blockLength, 1);
    return new Dataset<U>(() =>
      interleave(this, (element, index) => streams.open(where, fn, element, index), cycleLength, blockLength),
    );
  }

  /** All elements of one pass. Never ends on an endless data set; refused where that is known. */
  async toArray(): Promise<T[]> {
    if (this.cardinality === Infinity)
      throw new MyelinError(
        "INVALID_ARGUMENT",
        "Dataset.toArray: expected a data set that ends, got one without end; use take(n) first",
      );
    const elements: T[] = [];
    for await (const element of this) elements.push(element);
    return elements;
  }
}

/** What makes TypeScript read `[x, y]` in a function's result as a tuple, not as a list of both types. */
type Mapped =
  | readonly []
  | readonly unknown[]
  | string
  | number
  | boolean
  | bigint
  | object
  | null
  | undefined;

function checkFunction(where: string, fn: unknown): void {
  if (typeof fn !== "function")
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a function, got ${describe(fn)}`);
}

function checkCount(where: string, count: number): void {
  if (count !== Infinity) checkInteger(where, "count", count);
}

function checkStream(where: string, source: unknown, expected: string): asserts source is Stream<unknown> {
  if (!streams.isStream(source))
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected ${expected}, got ${describe(source)}`);
}

function part(memory: InMemory, from: number, count: number): InMemory {
  const begin = Math.min(from, memory.count);
  const end = Math.min(memory.count, begin + count);
  return { rows: memory.rows, count: end - begin, order: () => memory.order().subarray(begin, end) };
}

function batches(count: number | undefined, size: number, dropRemainder: boolean): number | undefined {
  if (count === undefined) return undefined;
  return dropRemainder ? Math.floor(count / size) : Math.ceil(count / size);
}

/** The least of several counts; unknown when an unknown one could be less. */
function least(counts: readonly (number | undefined)[]): number | undefined {
  if (counts.includes(0)) return 0;
  return counts.some((c) => c === undefined) ? undefined : Math.min(...(counts as number[]));
}
