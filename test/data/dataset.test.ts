// Dataset: what its steps give, in what order, how early exits and errors travel, and its laws on random input.

import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { Tensor, tensor } from "../../src/core/tensor.ts";
import { Dataset, setRandomSeed } from "../../src/index.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

/** Elements with tensors written as nested arrays. */
function plain(x: unknown): unknown {
  if (x instanceof Tensor) return x.toArray();
  if (Array.isArray(x)) return x.map(plain);
  if (typeof x === "object" && x !== null)
    return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, plain(v)]));
  return x;
}
const all = async (d: AsyncIterable<unknown>): Promise<unknown[]> => {
  const out: unknown[] = [];
  for await (const e of d) out.push(plain(e));
  return out;
};

/** A stream that says when it is closed and how far it was read. */
function watched(count: number): { data: Dataset<number>; seen: { read: number; closed: number } } {
  const seen = { read: 0, closed: 0 };
  const data = Dataset.fromGenerator(async function* () {
    try {
      for (let i = 0; i < count; i++) {
        seen.read++;
        yield i;
      }
    } finally {
      seen.closed++;
    }
  });
  return { data, seen };
}
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("sources", () => {
  it("slices tensors, typed arrays, nested arrays, strings, tuples and records", async () => {
    expect(
      await all(
        Dataset.fromTensorSlices([
          [1, 2],
          [3, 4],
        ]),
      ),
    ).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const nest = {
      x: tensor([
        [1, 2],
        [3, 4],
      ]),
      y: [Int32Array.of(7, 8), ["a", "b"]] as const,
    };
    const data = Dataset.fromTensorSlices(nest);
    expectTypeOf(data).toEqualTypeOf<Dataset<{ x: Tensor | number | boolean; y: [number, string] }>>();
    expectTypeOf(data.batch(2)).toEqualTypeOf<Dataset<{ x: Tensor; y: [Tensor, string[]] }>>();
    const rows = await data.toArray();
    expect(plain(rows)).toEqual([
      { x: [1, 2], y: [7, "a"] },
      { x: [3, 4], y: [8, "b"] },
    ]);
    const [batch] = await data.batch(2).toArray();
    expect(batch!.y[0].dtype).toBe("int32");
    expect(data.cardinality).toBe(2);
  });

  it("refuses parts without rows or of different numbers of rows", () => {
    const of = (nest: unknown) => thrown(() => Dataset.fromTensorSlices(nest as never));
    expect(of({ x: [1, 2], y: [1, 2, 3] }).message).toBe(
      "Dataset.fromTensorSlices.y: expected 2 rows like .x, got 3",
    );
    expect(of([tensor([1]), 3]).message).toContain("[1]: expected tensors");
    expect(of(tensor(1)).message).toContain("got a scalar");
    expect(of([[[0, 1]], [0]]).message).toContain("write { x, y }");
    expect(of(null).code).toBe("INVALID_DATA");
    expect(of(["a", 1]).message).toContain("[1]");
  });

  it("reads iterables, async iterables, functions and generators, as often as asked", async () => {
    for (const d of [
      Dataset.from([1, 2]),
      Dataset.from(new Set([1, 2])),
      Dataset.from(async () => [1, 2]),
      Dataset.fromGenerator(function* () {
        yield 1;
        yield 2;
      }),
      Dataset.from(Dataset.range(1, 3)),
    ])
      for (let pass = 0; pass < 2; pass++) expect(await all(d)).toEqual([1, 2]);
    expect(await all(Dataset.range(10, 0, -3))).toEqual([10, 7, 4, 1]);
    expect(Dataset.range(0, 7, 3).cardinality).toBe(3);
  });

  it("says that a generator object is used up", async () => {
    const d = Dataset.from(
      (function* () {
        yield 1;
      })(),
    );
    expect(await all(d)).toEqual([1]);
    await expect(d.toArray()).rejects.toThrow("has been read already");
  });

  it("zips until the shortest ends and closes the rest", async () => {
    const { data, seen } = watched(10);
    const d = Dataset.zip(Dataset.range(2), data);
    expectTypeOf(d).toEqualTypeOf<Dataset<[number, number]>>();
    expect(await all(d)).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(seen.closed).toBe(1);
    expect(Dataset.zip(Dataset.range(2), data).cardinality).toBeUndefined();
    expect(Dataset.zip(Dataset.range(2), Dataset.range(5)).cardinality).toBe(2);
  });

  it("refuses what is no stream", async () => {
    expect(thrown(() => Dataset.from(3 as never)).message).toContain("expected an iterable");
    expect(thrown(() => Dataset.from("abc" as never)).message).toContain("expected an iterable");
    expect(thrown(() => Dataset.fromGenerator([] as never)).message).toContain("generator function");
    expect((await rejected(Dataset.from(() => 3 as never).toArray())).message).toContain("from the function");
    expect(thrown(() => Dataset.range(0, 3, 0)).message).toContain("other than 0");
    expect(thrown(() => Dataset.zip()).message).toContain("at least one");
  });
});

describe("map and filter", () => {
  it("takes async functions and passes the index", async () => {
    const d = Dataset.range(4).map(async (x, i) => x * 10 + i);
    expect(await all(d.filter(async (x) => x > 5))).toEqual([11, 22, 33]);
  });

  it("reads [x, y] from a function as a tuple", () => {
    const pairs = Dataset.range(3).map((i) => [[i, i], i]);
    expectTypeOf(pairs.batch(2)).toEqualTypeOf<Dataset<[Tensor, Tensor]>>();
    const named = Dataset.range(3).map((i) => ({ x: [i, i], y: `${i}` }));
    expectTypeOf(named.batch(2)).toEqualTypeOf<Dataset<{ x: Tensor; y: string[] }>>();
  });

  it("runs several calls at once, in order", async () => {
    let running = 0;
    let most = 0;
    const d = Dataset.range(12).map(
      async (x) => {
        most = Math.max(most, ++running);
        await later((x * 7) % 5);
        running--;
        return x;
      },
      { parallel: 4 },
    );
    expect(await all(d)).toEqual([...Array(12).keys()]);
    expect(most).toBe(4);
    expect(d.cardinality).toBe(12);
  });

  for (const parallel of [1, 3]) {
    it(`names the element that failed, after those before it (parallel ${parallel})`, async () => {
      const boom = new TypeError("boom");
      const { data, seen } = watched(9);
      const d = data.map(
        async (x) => {
          await later(5 - x);
          if (x === 2) throw boom;
          return x;
        },
        { parallel },
      );
      const got: number[] = [];
      const error = await rejected(
        (async () => {
          for await (const x of d) got.push(x);
        })(),
      );
      expect(got).toEqual([0, 1]);
      expect(error.message).toBe("Dataset.map: element 2: boom");
      expect(error.cause).toBe(boom);
      expect(seen.closed).toBe(1);
    });
  }

  it("leaves aborts as they are", async () => {
    const d = Dataset.range(3).map(() => {
      throw new DOMException("stop", "AbortError");
    });
    await expect(d.toArray()).rejects.toMatchObject({ name: "AbortError" });
  });

  it("gives what came before an upstream failure", async () => {
    for (const step of [
      (d: Dataset<number>) => d.map((x) => x, { parallel: 4 }),
      (d: Dataset<number>) => d.prefetch(4),
    ]) {
      const d = step(
        Dataset.fromGenerator(function* () {
          yield 0;
          yield 1;
          throw new Error("disk");
        }),
      );
      const got: number[] = [];
      await expect(
        (async () => {
          for await (const x of d) got.push(x);
        })(),
      ).rejects.toThrow("disk");
      expect(got).toEqual([0, 1]);
    }
  });
});

describe("batch and unbatch", () => {
  it("stacks numbers, booleans, tensors, vectors, strings and objects", async () => {
    const at = new Date(0);
    const d = Dataset.range(3).map((i) => ({
      n: i,
      b: i === 1,
      t: tensor([i, i], undefined, "int32"),
      v: [i, [i, i][0]!],
      f: Float32Array.of(i),
      s: `${i}`,
      o: at,
    }));
    const [first, last] = await d.batch(2).toArray();
    expect(plain(first)).toEqual({
      n: [0, 1],
      b: [false, true],
      t: [
        [0, 0],
        [1, 1],
      ],
      v: [
        [0, 0],
        [1, 1],
      ],
      f: [[0], [1]],
      s: ["0", "1"],
      o: plain([at, at]),
    });
    expect((first as { t: Tensor }).t.dtype).toBe("int32");
    expect((last as { n: Tensor }).n.shape).toEqual([1]);
    expect((await d.batch(2, { dropRemainder: true }).toArray()).length).toBe(1);
    expect(d.batch(2).cardinality).toBe(2);
    expect(d.batch(2, { dropRemainder: true }).cardinality).toBe(1);
  });

  it("says which element does not fit, and how", async () => {
    const ragged = Dataset.from([[1], [2], [3, 4]]).map((v) => ({ x: v }));
    const error = await rejected(ragged.batch(3).toArray());
    expect(error.code).toBe("SHAPE_MISMATCH");
    expect(error.message).toBe("Dataset.batch: element 2.x: expected shape [1] like element 0, got [2]");
    const of = async (...elements: unknown[]) =>
      (await rejected(Dataset.from(elements).batch(2).toArray())).message;
    expect(await of(1, 2, 3, "a")).toBe('Dataset.batch: element 3: expected a number, got "a"');
    expect(await of([1, 2], [1])).toContain("element 1: expected shape [2] like element 0, got [1]");
    expect(await of([[1], 2], [[1]])).toContain("element 1: expected 2 parts like element 0");
    expect(await of({ x: 1 }, { y: 1 })).toContain("element 1: expected parts named x like element 0");
    expect(await of([1, null], [1, null])).toContain("element 0[1]: expected a value, got null");
    expect(await of({ x: [[1], [2, 3]] }, { x: [] })).toContain("element 0.x: tensor: ragged");
  });

  it("unbatches, and refuses parts of different lengths", async () => {
    const d = Dataset.from([{ x: tensor([[1], [2]]), y: ["a", "b"] }]).unbatch();
    expectTypeOf(d).toEqualTypeOf<Dataset<{ x: Tensor | number | boolean; y: string }>>();
    expect(await all(d)).toEqual([
      { x: [1], y: "a" },
      { x: [2], y: "b" },
    ]);
    const wrong = Dataset.from([{ x: tensor([1, 2]), y: ["a"] }]).unbatch();
    expect((await rejected(wrong.toArray())).message).toBe(
      "Dataset.unbatch: element 0.y: expected 2 rows like .x, got 1",
    );
    expect((await rejected(Dataset.from([3]).unbatch().toArray())).message).toContain("element 0: expected");
    expect(
      (
        await rejected(
          Dataset.from([tensor(3)])
            .unbatch()
            .toArray(),
        )
      ).message,
    ).toContain("got a scalar");
  });

  it("unbatch undoes batch", async () => {
    const row = fc.record({ x: fc.array(fc.integer(), { minLength: 2, maxLength: 2 }), s: fc.string() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 20 }),
        fc.integer({ min: 1, max: 7 }),
        async (rows, size) => {
          const back = await all(Dataset.from(rows).batch(size).unbatch());
          const rounded = rows.map((r) => ({ x: r.x.map(Math.fround), s: r.s }));
          expect(back).toEqual(rounded);
        },
      ),
    );
  });

  it("gathers batches of arrays as row by row stacking would", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.constantFrom(0, 1, 3, 20),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        fc.boolean(),
        async (count, width, size, dropRemainder, shuffled) => {
          const x = new Tensor(
            Float32Array.from({ length: count * width }, (_, i) => i),
            [count, width],
            "float32",
          );
          const make = () => {
            const d = Dataset.fromTensorSlices([x, Int32Array.from({ length: count }, (_, i) => i)]);
            return shuffled ? d.shuffle(count + 1, { seed: 3 }) : d;
          };
          const fast = make().batch(size, { dropRemainder });
          const slow = make()
            .map((e) => e)
            .batch(size, { dropRemainder });
          expect(fast.cardinality).toBe(slow.cardinality);
          expect(await all(fast)).toEqual(await all(slow));
        },
      ),
    );
  });
});

describe("shuffle", () => {
  it("is a permutation, the same for the same seed, through any buffer", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 1, max: 80 }),
        fc.nat(),
        fc.boolean(),
        async (count, size, seed, memory) => {
          const make = () => {
            const source = memory
              ? Dataset.fromTensorSlices(Float32Array.from({ length: count }, (_, i) => i)).shuffle(size, {
                  seed,
                })
              : Dataset.range(count).shuffle(size, { seed });
            return source as Dataset<unknown>;
          };
          const [a, b] = [await all(make()), await all(make())];
          expect(a).toEqual(b);
          expect((a as number[]).toSorted((p, q) => p - q)).toEqual([...Array(count).keys()]);
          // From a buffer nothing comes out before it has come in.
          if (!memory) for (const [i, e] of a.entries()) expect(e).toBeLessThan(i + size);
        },
      ),
    );
  });

  it("gives another order in every pass unless told not to", async () => {
    for (const source of [
      Dataset.range(30),
      Dataset.fromTensorSlices(new Float32Array(30).map((_, i) => i)),
    ]) {
      const d = source.shuffle(30, { seed: 1 });
      const passes = [await all(d), await all(d)];
      expect(passes[0]).not.toEqual(passes[1]);
      const again = source.shuffle(30, { seed: 1 });
      expect([await all(again), await all(again)]).toEqual(passes);
      const same = source.shuffle(30, { seed: 1, reshuffleEachIteration: false });
      expect(await all(same)).toEqual(await all(same));
    }
  });

  it("follows setRandomSeed without a seed of its own", async () => {
    const order = async (seed: number): Promise<unknown[]> => {
      setRandomSeed(seed);
      return all(Dataset.range(30).shuffle(30));
    };
    expect(await order(5)).toEqual(await order(5));
    expect(await order(5)).not.toEqual(await order(6));
  });
});

describe("prefetch", () => {
  it("reads ahead, but not further than asked", async () => {
    const { data, seen } = watched(100);
    const reader = data.prefetch(3)[Symbol.asyncIterator]();
    expect((await reader.next()).value).toBe(0);
    await later(5);
    // One handed over, three waiting.
    expect(seen.read).toBe(4);
    await reader.return?.();
    expect(seen.closed).toBe(1);
  });

  it("ends cleanly when the reader leaves, with a fetch under way", async () => {
    let closed = 0;
    const slow = Dataset.fromGenerator(async function* () {
      try {
        for (let i = 0; ; i++) {
          yield i;
          await later(3);
        }
      } finally {
        closed++;
      }
    });
    for await (const x of slow.map((x) => x, { parallel: 3 }).prefetch(2)) if (x === 1) break;
    expect(closed).toBe(1);
  });

  it("changes nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer()), fc.integer({ min: 1, max: 5 }), async (values, n) => {
        expect(await all(Dataset.from(values).prefetch(n))).toEqual(values);
      }),
    );
  });
});

describe("leaving early", () => {
  it("closes the source through every step", async () => {
    const { data, seen } = watched(1000);
    const steps: Dataset<unknown>[] = [
      data,
      data.map((x) => x),
      data.map((x) => x, { parallel: 3 }),
      data.filter(() => true),
      data.batch(2),
      data.prefetch(4),
      data.shuffle(5),
      data.window(2),
      data.take(9),
      data.skip(1),
      data.repeat(2),
      Dataset.zip(data),
      data.cache(),
      data.enumerate(),
      data.concatenate([1]),
      data.flatMap((x) => [x]),
      data.interleave((x) => [x]),
      data.map((x) => tensor([x])).unbatch(),
    ];
    for (const [i, step] of steps.entries()) {
      for await (const _ of step) break;
      expect(seen.closed).toBe(i + 1);
    }
  });
});

describe("the other steps", () => {
  it("cache keeps only complete passes", async () => {
    const { data, seen } = watched(3);
    const d = data.cache();
    for await (const x of d) if (x === 1) break;
    expect(await all(d)).toEqual([0, 1, 2]);
    expect(await all(d)).toEqual([0, 1, 2]);
    expect(seen.closed).toBe(2);
  });

  it("take, skip, repeat, concatenate, enumerate", async () => {
    const { data, seen } = watched(5);
    expect(await all(data.take(2))).toEqual([0, 1]);
    expect(seen).toEqual({ read: 2, closed: 1 });
    expect(await all(data.take(0))).toEqual([]);
    expect(await all(data.skip(3))).toEqual([3, 4]);
    expect(await all(data.take(2).repeat(2))).toEqual([0, 1, 0, 1]);
    expect(await all(Dataset.range(2).repeat().take(5))).toEqual([0, 1, 0, 1, 0]);
    expect(await all(Dataset.range(0).repeat())).toEqual([]);
    expect(await all(Dataset.range(2).concatenate(["a"]))).toEqual([0, 1, "a"]);
    expect(await all(Dataset.range(2).enumerate(4))).toEqual([
      [4, 0],
      [5, 1],
    ]);
    const rows = Dataset.fromTensorSlices([1, 2, 3, 4]);
    expect(await all(rows.skip(1).take(2).batch(2))).toEqual([[2, 3]]);
    expect(await all(rows.take(9).skip(9))).toEqual([]);
    expect(rows.repeat().cardinality).toBe(Infinity);
    expect(rows.skip(1).concatenate(rows).batch(2).cardinality).toBe(4);
    expect(Dataset.range(10).repeat(3).skip(4).take(50).cardinality).toBe(26);
    expect(rows.filter(() => true).cardinality).toBeUndefined();
  });

  it("window slides", async () => {
    const range = Dataset.range(7);
    // As tf.data: range(7).window(3, 1, 1, drop_remainder) and window(3, stride=2), window(2, shift=3).
    expect(await all(range.window(3, { shift: 2, dropRemainder: true }))).toEqual([
      [0, 1, 2],
      [2, 3, 4],
      [4, 5, 6],
    ]);
    expect(await all(range.window(3))).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(await all(range.window(3, { stride: 2 }))).toEqual([[0, 2, 4], [3, 5], [6]]);
    expect(await all(range.window(2, { shift: 3 }))).toEqual([[0, 1], [3, 4], [6]]);
    const options = fc.record({
      n: fc.integer({ min: 0, max: 30 }),
      size: fc.integer({ min: 1, max: 5 }),
      shift: fc.integer({ min: 1, max: 12 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dropRemainder: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(options, async ({ n, size, ...o }) => {
        const expected: number[][] = [];
        for (let start = 0; start < n; start += o.shift) {
          const w = Array.from({ length: size }, (_, i) => start + i * o.stride).filter((x) => x < n);
          if (w.length === size || !o.dropRemainder) expected.push(w);
        }
        const d = Dataset.range(n).window(size, o);
        expect(await all(d)).toEqual(expected);
        expect(d.cardinality).toBe(expected.length);
      }),
    );
  });

  it("flatMap and interleave open streams and close them", async () => {
    const { data, seen } = watched(3);
    expect(await all(data.flatMap((x) => Dataset.range(x).map((y) => [x, y])))).toEqual([
      [1, 0],
      [2, 0],
      [2, 1],
    ]);
    const turns = Dataset.range(3).interleave((x) => [x, x, x], { cycleLength: 2, blockLength: 2 });
    expect(await all(turns)).toEqual([0, 0, 1, 1, 0, 1, 2, 2, 2]);
    for await (const _ of data.interleave(() => [1, 2, 3])) break;
    expect(seen.closed).toBe(2);
    expect(
      (
        await rejected(
          Dataset.range(1)
            .flatMap(() => 3 as never)
            .toArray(),
        )
      ).message,
    ).toContain("element 0");
  });

  it("checks options", () => {
    const d = Dataset.range(3);
    const of = (fn: () => unknown) => thrown(fn).message;
    expect(of(() => d.batch(0))).toBe("Dataset.batch: expected size to be an integer of at least 1, got 0");
    expect(of(() => d.batch(2, { drop: true } as never))).toContain('unknown option "drop"');
    expect(of(() => (d.shuffle as () => unknown)())).toContain("bufferSize");
    expect(of(() => d.shuffle(2, { seed: -1 }))).toContain("seed");
    expect(of(() => d.map(3 as never))).toContain("expected a function");
    expect(of(() => d.map((x) => x, { parallel: 0 }))).toContain("parallel");
    expect(of(() => d.take(-1))).toContain("count");
    expect(of(() => d.prefetch(0))).toContain("count");
    expect(of(() => d.window(2, { stride: 0 }))).toContain("stride");
    expect(of(() => d.interleave(() => [], { cycleLength: 0 }))).toContain("cycleLength");
  });

  it("refuses to collect what never ends", async () => {
    expect((await rejected(Dataset.range(2).repeat().toArray())).message).toContain("take(n)");
  });
});
