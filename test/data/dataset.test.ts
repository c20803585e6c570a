// Dataset: its methods against what arrays do, its laws on random input, and its manners: closing sources, errors in order.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tensor, tensor } from "../../src/core/tensor.ts";
import { Dataset } from "../../src/data/dataset.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

const numbers = (n: number) => Dataset.range(n);
const plain = (x: unknown): unknown =>
  x instanceof Tensor
    ? x.toArray()
    : Array.isArray(x)
      ? x.map(plain)
      : typeof x === "object" && x !== null
        ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, plain(v)]))
        : x;

describe("sources", () => {
  it("slices tensors, typed arrays, nested arrays and strings alike", async () => {
    const all = await Dataset.fromTensorSlices({
      x: tensor([[1, 2], [3, 4]]), // biome-ignore format: rows
      y: Int32Array.of(5, 6),
      name: ["a", "b"],
    }).toArray();
    expect(plain(all)).toEqual([
      { x: [1, 2], y: 5, name: "a" },
      { x: [3, 4], y: 6, name: "b" },
    ]);
  });

  it("starts every pass anew", async () => {
    let made = 0;
    const d = Dataset.fromGenerator(function* () {
      made++;
      yield* [1, 2];
    });
    expect([await d.toArray(), await d.toArray()]).toEqual([[1, 2], [1, 2]]); // biome-ignore format: passes
    expect(made).toBe(2);
  });

  it("knows sizes where they can be known", () => {
    expect(numbers(10).batch(4).cardinality).toBe(3);
    expect(numbers(10).batch(4, { dropRemainder: true }).cardinality).toBe(2);
    expect(numbers(10).repeat().cardinality).toBe(Number.POSITIVE_INFINITY);
    expect(numbers(10).repeat(3).skip(4).take(50).cardinality).toBe(26);
    expect(numbers(10).filter(() => true).cardinality).toBeUndefined();
    expect(Dataset.zip(numbers(3), numbers(5)).cardinality).toBe(3);
    expect(Dataset.range(10, 0, -3).cardinality).toBe(4);
  });
});

describe("methods", () => {
  it("map, filter, take, skip, concatenate, enumerate, flatMap, repeat", async () => {
    const d = numbers(6)
      .map(async (x) => x * 10)
      .filter((x) => x !== 20)
      .skip(1)
      .take(3);
    expect(await d.toArray()).toEqual([10, 30, 40]);
    expect(await numbers(2).concatenate(numbers(1)).repeat(2).toArray()).toEqual([0, 1, 0, 0, 1, 0]);
    expect(await numbers(2).enumerate(5).toArray()).toEqual([[5, 0], [6, 1]]); // biome-ignore format: pairs
    expect(await numbers(3).flatMap((n) => Array(n).fill(n)).toArray()).toEqual([1, 2, 2]); // biome-ignore format: one line
  });

  it("batches every leaf of a layout", async () => {
    const d = Dataset.from([{ x: [1, 2], s: "a" }, { x: [3, 4], s: "b" }, { x: [5, 6], s: "c" }]); // biome-ignore format: rows
    expect(plain(await d.batch(2).toArray())).toEqual([
      { x: [[1, 2], [3, 4]], s: ["a", "b"] }, // biome-ignore format: rows
      { x: [[5, 6]], s: ["c"] },
    ]);
  });

  it("gathers batches of sliced arrays as it stacks batches of elements", async () => {
    const x = tensor(Float32Array.from({ length: 21 }, (_, i) => i), [7, 3]); // biome-ignore format: one line
    const y = Int32Array.from({ length: 7 }, (_, i) => i);
    const d = Dataset.fromTensorSlices([x, y] as const).shuffle(7, { seed: 3 });
    const gathered = await d.batch(3).toArray();
    const [first, last] = [
      gathered[0] as unknown as [Tensor, Tensor],
      gathered[2] as unknown as [Tensor, Tensor],
    ];
    expect(first[0].shape).toEqual([3, 3]);
    expect(last[0].shape).toEqual([1, 3]);
    expect(first[1].dtype).toBe("int32");
    const rows = gathered.flatMap((b) => [...(b as unknown as [Tensor, Tensor])[1].data]);
    expect([...rows].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const batch of gathered) {
      const [bx, by] = batch as unknown as [Tensor, Tensor];
      for (const [i, row] of by.data.entries()) expect(bx.at(i, 0)).toBe(row * 3);
    }
  });

  it("windows", async () => {
    const windows = (options: object, size = 3) => numbers(7).window(size, options).toArray();
    expect(await windows({})).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(await windows({ shift: 2, dropRemainder: true })).toEqual([[0, 1, 2], [2, 3, 4], [4, 5, 6]]); // biome-ignore format: rows
    expect(await windows({ shift: 1, stride: 2, dropRemainder: true })).toEqual([[0, 2, 4], [1, 3, 5], [2, 4, 6]]); // biome-ignore format: rows
    expect(await windows({ shift: 4, dropRemainder: true }, 2)).toEqual([[0, 1], [4, 5]]); // biome-ignore format: rows
  });

  it("caches complete passes only", async () => {
    let made = 0;
    const d = Dataset.fromGenerator(function* () {
      for (let i = 0; i < 3; i++) {
        made++;
        yield i;
      }
    }).cache();
    for await (const x of d) if (x === 1) break;
    expect(await d.toArray()).toEqual([0, 1, 2]);
    expect(await d.toArray()).toEqual([0, 1, 2]);
    expect(made).toBe(5);
  });
});

describe("laws", () => {
  const sizes = { n: fc.integer({ min: 0, max: 40 }), size: fc.integer({ min: 1, max: 12 }) };

  it("unbatch undoes batch", () =>
    fc.assert(
      fc.asyncProperty(sizes.n, sizes.size, async (n, size) => {
        expect(await numbers(n).batch(size).unbatch().toArray()).toEqual(await numbers(n).toArray());
      }),
    ));

  it("a shuffle is a permutation, the same for the same seed, another in the next pass", () =>
    fc.assert(
      fc.asyncProperty(sizes.n, sizes.size, fc.integer({ min: 0, max: 99 }), async (n, size, seed) => {
        const make = () => numbers(n).shuffle(size, { seed });
        const d = make();
        const first = await d.toArray();
        expect([...first].sort((a, b) => a - b)).toEqual(await numbers(n).toArray());
        expect(await make().toArray()).toEqual(first);
        const fixed = numbers(n).shuffle(size, { seed, reshuffleEachIteration: false });
        expect(await fixed.toArray()).toEqual(await fixed.toArray());
        if (n > 20 && size > 8) expect(await d.toArray()).not.toEqual(first);
      }),
    ));

  it("prefetch and parallel map change nothing but time", () =>
    fc.assert(
      fc.asyncProperty(sizes.n, sizes.size, async (n, ahead) => {
        const slow = numbers(n).map((x) => new Promise<number>((ok) => setImmediate(() => ok(x * x))), { parallel: ahead }); // biome-ignore format: one line
        expect(await slow.prefetch(ahead).toArray()).toEqual(Array.from({ length: n }, (_, i) => i * i));
      }),
      { numRuns: 30 },
    ));
});

describe("manners", () => {
  it("closes its source when it is left early, through every stage", async () => {
    let closed = 0;
    const d = Dataset.fromGenerator(async function* () {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        closed++;
      }
    });
    const stages = [d, d.map((x) => x), d.map((x) => x, { parallel: 3 }), d.filter(() => true), d.batch(2), d.prefetch(4), d.shuffle(5), d.window(2), d.take(9), d.skip(1), d.repeat(2), Dataset.zip(d), d.cache()]; // biome-ignore format: list
    for (const [i, stage] of stages.entries()) {
      for await (const _ of stage as Dataset<unknown>) break;
      expect(closed).toBe(i + 1);
    }
  });

  it("passes errors on after what came before them", async () => {
    const d = Dataset.range(5)
      .map(
        (x) => {
          if (x === 3) throw new Error("bad row");
          return x;
        },
        { parallel: 2 },
      )
      .prefetch(3);
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const x of d) seen.push(x);
      })(),
    ).rejects.toThrow("bad row");
    expect(seen).toEqual([0, 1, 2]);
  });

  it("says which element does not fit its batch", async () => {
    const ragged = await rejected(Dataset.from([[1, 2], [3, 4], [5]]).batch(3).toArray()); // biome-ignore format: rows
    expect(ragged.code).toBe("SHAPE_MISMATCH");
    expect(ragged.message).toContain("element 2 to be float32[2] like element 0, got float32[1]");
    const mixed = await rejected(
      Dataset.from<unknown>([{ a: 1 }, { b: 1 }])
        .batch(2)
        .toArray(),
    );
    expect(mixed.message).toContain("element 1 laid out like element 0");
    expect(
      (
        await rejected(
          Dataset.from<unknown>([{ a: null }])
            .batch(1)
            .toArray(),
        )
      ).message,
    ).toContain("element 0.a");
  });

  it("refuses wrong arguments", async () => {
    const d = numbers(3);
    const wrong: (() => unknown)[] = [
      () => d.batch(0),
      () => d.batch(2, { dropReminder: true } as never),
      () => d.shuffle(0),
      () => d.shuffle(1, { seed: -1 }),
      () => d.map(3 as never),
      () => d.take(-1),
      () => d.window(2, { shift: 0 }),
      () => d.prefetch(0),
      () => d.concatenate([1] as never),
      () => Dataset.from(3 as never),
      () => Dataset.range(0, 5, 0),
      () => Dataset.zip([1] as never),
      () => Dataset.fromTensorSlices({ a: [1, 2], b: [1] }),
      () => Dataset.fromTensorSlices([]),
    ];
    for (const call of wrong) expect(thrown(call).message).toMatch(/expected|unknown/);
    expect((await rejected(d.repeat().toArray())).message).toContain("has none");
  });
});
