// Dataset: a lazy sequence that can be gone over again and again. What fit, evaluate and predict take when data does not
// fit in memory or is made on the way. After tf.data (Murray et al., "tf.data: A Machine Learning Data Processing
// Framework", VLDB 2021).

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import { Random } from "../core/random.ts";
import * as flows from "./flows.ts";
import { type Batched, type Sliced, Slices } from "./rows.ts";

/** Anything that can be gone over: an iterable, an async one, or a function that makes one for each pass. */
export type Source<T> =
  | Iterable<T>
  | AsyncIterable<T>
  | (() => Iterable<T> | AsyncIterable<T> | Promise<Iterable<T> | AsyncIterable<T>>);

export interface ShuffleOptions {
  /** Same seed, same order. Default 0. */
  seed?: number;
  /** A new order with every pass. Default true. */
  reshuffleEachIteration?: boolean;
}

export interface WindowOptions {
  /** Elements from the beginning of one window to that of the next. Default: `size`. */
  shift?: number;
  /** Elements between two of one window. Default 1. */
  stride?: number;
  /** Leave out windows that the end cuts short. Default false. */
  dropRemainder?: boolean;
}

/** Keeps the orders of datasets apart from other numbers drawn from the same seed. */
const SHUFFLE_STREAM = 0xda7a;

interface Parts<T> {
  readonly iterate: (pass: number) => AsyncIterable<T> | Iterable<T>;
  readonly cardinality: number | undefined;
  /** Whole arrays behind it: batches are then gathered without an object per row. */
  readonly slices?: Slices;
  readonly order?: (pass: number) => Int32Array;
}

export class Dataset<T> implements AsyncIterable<T> {
  /** Elements of one pass; Infinity for an endless one, undefined where nobody can know. */
  readonly cardinality: number | undefined;
  readonly #parts: Parts<T>;
  #passes = 0;

  private constructor(parts: Parts<T>) {
    this.#parts = parts;
    this.cardinality = parts.cardinality;
  }

  /** Each pass starts anew. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return flows.run(this.#parts.iterate(this.#passes++));
  }

  // ---- sources

  /**
   * The rows of whole arrays: a Tensor, typed array, nested array, list of strings, or tuples and records of these.
   * @throws SHAPE_MISMATCH when they have different numbers of rows
   * @example Dataset.fromTensorSlices({ x: images, y: labels }).shuffle(10_000, { seed: 1 }).batch(32)
   */
  static fromTensorSlices<const N>(arrays: N): Dataset<Sliced<N>> {
    const slices = new Slices("Dataset.fromTensorSlices", arrays);
    return new Dataset<Sliced<N>>({
      cardinality: slices.count,
      slices,
      *iterate() {
        for (let i = 0; i < slices.count; i++) yield slices.at(i) as Sliced<N>;
      },
    });
  }

  /** Elements of an iterable, an async iterable, or of what a function makes for each pass. A generator object lasts one pass. */
  static from<T>(source: Source<T>): Dataset<T> {
    if (source instanceof Dataset) return source as Dataset<T>;
    const isIterable = (x: unknown): x is Iterable<T> | AsyncIterable<T> =>
      typeof x === "object" && x !== null && (Symbol.iterator in x || Symbol.asyncIterator in x);
    if (!isIterable(source) && typeof source !== "function") {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `Dataset.from: expected an iterable or a function that makes one, got ${describe(source)}`,
      );
    }
    return new Dataset<T>({
      cardinality: Array.isArray(source) ? source.length : undefined,
      async *iterate() {
        const made = typeof source === "function" ? await source() : source;
        if (!isIterable(made)) {
          throw new MyelinError(
            "INVALID_ARGUMENT",
            `Dataset.from: expected the function to make an iterable, got ${describe(made)}`,
          );
        }
        yield* made;
      },
    });
  }

  /** Elements of a generator function, called for each pass. */
  static fromGenerator<T>(generator: () => Iterable<T> | AsyncIterable<T>): Dataset<T> {
    if (typeof generator === "function") return Dataset.from(generator);
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `Dataset.fromGenerator: expected a function, got ${describe(generator)}`,
    );
  }

  /** Whole numbers: range(stop), range(start, stop) or range(start, stop, step). */
  static range(start: number, stop?: number, step = 1): Dataset<number> {
    const [from, to] = stop === undefined ? [0, start] : [start, stop];
    for (const n of [from, to, step]) {
      if (!Number.isInteger(n))
        throw new MyelinError(
          "INVALID_ARGUMENT",
          `Dataset.range: expected whole numbers, got ${describe(n)}`,
        );
    }
    if (step === 0) throw new MyelinError("INVALID_ARGUMENT", "Dataset.range: expected a step other than 0");
    const cardinality = Math.max(0, Math.ceil((to - from) / step));
    return new Dataset<number>({
      cardinality,
      *iterate() {
        for (let i = 0; i < cardinality; i++) yield from + i * step;
      },
    });
  }

  /** Tuples of the elements of several datasets; ends with the shortest. */
  static zip<T extends readonly unknown[]>(...datasets: { [K in keyof T]: Dataset<T[K]> }): Dataset<T> {
    for (const d of datasets) {
      if (!(d instanceof Dataset))
        throw new MyelinError("INVALID_ARGUMENT", `Dataset.zip: expected datasets, got ${describe(d)}`);
    }
    const sizes = datasets.map((d) => d.cardinality);
    return new Dataset<T>({
      cardinality: sizes.includes(undefined) ? undefined : Math.min(...(sizes as number[])),
      iterate: () => flows.zip(datasets) as AsyncIterable<T>,
    });
  }

  // ---- from one dataset to another

  /**
   * Every element through a function, which may be async.
   * @param options.parallel how many calls may be under way at once; results keep their order. Default 1
   */
  map<U>(fn: (element: T, index: number) => U | Promise<U>, options?: { parallel?: number }): Dataset<U> {
    const where = "Dataset.map";
    checkFunction(where, fn);
    const { parallel = 1 } = checkOptions(where, options, ["parallel"]);
    checkInteger(where, "parallel", parallel, 1, 1024);
    return this.#then(this.cardinality, (source) => flows.map(source, fn, parallel));
  }

  /** The elements a function says true to. */
  filter(keep: (element: T, index: number) => boolean | Promise<boolean>): Dataset<T> {
    checkFunction("Dataset.filter", keep);
    return this.#then(this.cardinality === 0 ? 0 : undefined, (source) => flows.filter(source, keep));
  }

  /** All elements of the iterables that a function makes of each element. */
  flatMap<U>(fn: (element: T, index: number) => Iterable<U> | AsyncIterable<U>): Dataset<U> {
    checkFunction("Dataset.flatMap", fn);
    return this.#then(undefined, (source) => flows.flatMap(source, fn));
  }

  /**
   * Puts `size` elements together: numbers and Tensors become Tensors with a first axis more, strings lists; the layout stays.
   * @param options.dropRemainder leave out a last batch that is smaller. Default false
   * @throws SHAPE_MISMATCH, INVALID_DATA when elements of a batch differ in shape, dtype or layout
   */
  batch(size: number, options?: { dropRemainder?: boolean }): Dataset<Batched<T>> {
    const where = "Dataset.batch";
    checkInteger(where, "size", size, 1);
    const { dropRemainder = false } = checkOptions(where, options, ["dropRemainder"]);
    checkBoolean(where, "dropRemainder", dropRemainder);
    const { slices, order } = this.#parts;
    const count = this.cardinality;
    const cardinality =
      count === undefined ? undefined : Math[dropRemainder ? "floor" : "ceil"](count / size);
    if (!slices) return this.#then(cardinality, (s) => flows.batch(s, size, dropRemainder)) as never;
    return new Dataset<Batched<T>>({
      cardinality,
      *iterate(pass) {
        const rows = order?.(pass);
        for (let i = 0; i < cardinality!; i++) {
          yield slices.gather(rows, i * size, Math.min(slices.count, (i + 1) * size)) as Batched<T>;
        }
      },
    });
  }

  /** Takes batches apart: the rows of every element, one by one. */
  unbatch(): Dataset<unknown> {
    return this.#then(undefined, (source) => flows.unbatch(source));
  }

  /**
   * A random order: each element is drawn from a buffer of the next `bufferSize`; a buffer of all elements gives every
   * order the same chance. Rows of arrays are shuffled by index, at no cost of memory.
   */
  shuffle(bufferSize: number, options?: ShuffleOptions): Dataset<T> {
    const where = "Dataset.shuffle";
    checkInteger(where, "bufferSize", bufferSize, 1);
    const given = checkOptions(where, options, ["seed", "reshuffleEachIteration"]);
    const seed = checkInteger(where, "seed", given.seed ?? 0);
    const isNew = checkBoolean(where, "reshuffleEachIteration", given.reshuffleEachIteration ?? true);
    const random = (pass: number) => new Random(seed, SHUFFLE_STREAM, isNew ? pass : 0);
    const { slices, order } = this.#parts;
    if (!slices || order || bufferSize < slices.count) {
      const { iterate } = this.#parts;
      return new Dataset<T>({
        cardinality: this.cardinality,
        iterate: (pass) => flows.shuffle(iterate(pass), bufferSize, random(pass)),
      });
    }
    const shuffled = (pass: number) => {
      const rows = Int32Array.from({ length: slices.count }, (_, i) => i);
      random(pass).shuffle(rows);
      return rows;
    };
    return new Dataset<T>({
      cardinality: slices.count,
      slices,
      order: shuffled,
      *iterate(pass) {
        for (const row of shuffled(pass)) yield slices.at(row) as T;
      },
    });
  }

  /** Keeps up to `count` elements ready ahead of whoever takes them. Default 1. */
  prefetch(count = 1): Dataset<T> {
    checkInteger("Dataset.prefetch", "count", count, 1);
    return this.#then(this.cardinality, (source) => flows.prefetch(source, count));
  }

  /** Remembers the elements of the first complete pass; later passes take them from memory. */
  cache(): Dataset<T> {
    let kept: readonly T[] | undefined;
    const { iterate } = this.#parts;
    return new Dataset<T>({
      cardinality: this.cardinality,
      async *iterate(pass) {
        if (kept) {
          yield* kept;
          return;
        }
        const seen: T[] = [];
        for await (const element of iterate(pass)) {
          seen.push(element);
          yield element;
        }
        kept = seen;
      },
    });
  }

  /** The first `count` elements. */
  take(count: number): Dataset<T> {
    checkInteger("Dataset.take", "count", count);
    const size = this.cardinality === undefined ? undefined : Math.min(count, this.cardinality);
    return this.#then(size, (source) => flows.take(source, count));
  }

  /** All but the first `count` elements. */
  skip(count: number): Dataset<T> {
    checkInteger("Dataset.skip", "count", count);
    const size = this.cardinality === undefined ? undefined : Math.max(0, this.cardinality - count);
    return this.#then(size, (source) => flows.skip(source, count));
  }

  /** Goes over it `count` times, each pass anew; endlessly when left out. */
  repeat(count = Number.POSITIVE_INFINITY): Dataset<T> {
    if (count !== Number.POSITIVE_INFINITY) checkInteger("Dataset.repeat", "count", count);
    const once = this.cardinality;
    const size = once === undefined ? undefined : once === 0 || count === 0 ? 0 : once * count;
    return new Dataset<T>({ cardinality: size, iterate: () => flows.repeat(this, count) });
  }

  /** This one, then another. */
  concatenate<U>(other: Dataset<U>): Dataset<T | U> {
    if (!(other instanceof Dataset)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `Dataset.concatenate: expected a dataset, got ${describe(other)}`,
      );
    }
    const [a, b] = [this.cardinality, other.cardinality];
    const size = a === undefined || b === undefined ? undefined : a + b;
    return new Dataset<T | U>({ cardinality: size, iterate: () => flows.concatenate<T | U>([this, other]) });
  }

  /** Tuples of the number of an element and the element. */
  enumerate(start = 0): Dataset<[index: number, element: T]> {
    checkInteger("Dataset.enumerate", "start", start, Number.MIN_SAFE_INTEGER);
    return this.map((element, i) => [start + i, element] as [number, T]);
  }

  /** Windows over the elements, each a list. */
  window(size: number, options?: WindowOptions): Dataset<T[]> {
    const where = "Dataset.window";
    checkInteger(where, "size", size, 1);
    const o = checkOptions(where, options, ["shift", "stride", "dropRemainder"]);
    const shift = checkInteger(where, "shift", o.shift ?? size, 1);
    const stride = checkInteger(where, "stride", o.stride ?? 1, 1);
    const dropRemainder = checkBoolean(where, "dropRemainder", o.dropRemainder ?? false);
    return this.#then(undefined, (source) => flows.window(source, { size, shift, stride, dropRemainder }));
  }

  // ---- out of it

  /** All elements. @throws INVALID_ARGUMENT for an endless dataset */
  async toArray(): Promise<T[]> {
    if (this.cardinality === Number.POSITIVE_INFINITY) {
      throw new MyelinError("INVALID_ARGUMENT", "Dataset.toArray: expected an end, but the dataset has none");
    }
    const all: T[] = [];
    for await (const element of this) all.push(element);
    return all;
  }

  #then<U>(
    cardinality: number | undefined,
    flow: (source: AsyncIterable<T> | Iterable<T>) => AsyncIterable<U>,
  ): Dataset<U> {
    const { iterate } = this.#parts;
    return new Dataset<U>({ cardinality, iterate: (pass) => flow(iterate(pass)) });
  }
}

function checkFunction(where: string, fn: unknown): void {
  if (typeof fn === "function") return;
  throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a function, got ${describe(fn)}`);
}
