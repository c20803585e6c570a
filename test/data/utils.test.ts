// utils: against what Keras gives, and the properties that a split must have.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/core/tensor.ts";
import { tensor } from "../../src/core/tensor.ts";
import { Dataset, utils } from "../../src/index.ts";
import fixtures from "../fixtures/data.json" with { type: "json" };
import { rejected, thrown } from "../helpers/thrown.ts";

describe("as Keras", () => {
  it.each(fixtures.pads)("padSequences $options", ({ options, result }) => {
    expect(utils.padSequences(fixtures.sequences, options as utils.PadOptions).toArray()).toEqual(result);
  });
  it.each(fixtures.vectorPads)("padSequences of vectors $options", ({ options, result }) => {
    expect(utils.padSequences(fixtures.vectors, options as utils.PadOptions).toArray()).toEqual(result);
  });
  it.each(fixtures.series)("timeseriesFromArray $options", async ({ options, targets, windows, picked }) => {
    const camel = Object.entries(options).map(([k, v]) => [k.replace(/_(.)/g, (_, c) => c.toUpperCase()), v]);
    const o = { ...Object.fromEntries(camel), targets } as utils.TimeseriesOptions;
    const data = Float32Array.from({ length: 12 }, (_, i) => i);
    for (const batchSize of [null, 2, 128]) {
      const batches = utils.timeseriesFromArray(data, { ...o, batchSize });
      const rows = await (batchSize === null ? batches : batches.unbatch()).toArray();
      const pairs = rows.map((r) => (Array.isArray(r) ? r : [r, undefined])) as [
        Tensor,
        number | undefined,
      ][];
      expect(pairs.map(([w]) => w.toArray())).toEqual(windows);
      if (picked) expect(pairs.map(([, t]) => t)).toEqual(picked);
    }
  });
  it.each(fixtures.categorical)("toCategorical $labels", ({ labels, numClasses, result }) => {
    expect(utils.toCategorical(labels, numClasses ?? undefined).toArray()).toEqual(result);
  });
  it.each(fixtures.norms)("normalize order $order", ({ axis, order, result }) => {
    const x = [[3, 4], [0, 0], [-1, 2.5]]; // biome-ignore format: rows
    const ours = utils.normalize(x, {
      axis,
      order: order === "inf" ? Number.POSITIVE_INFINITY : (order as number),
    });
    result.flat().forEach((v, i) => {
      expect(ours.data[i]).toBeCloseTo(v, 6);
    });
  });
});

describe("timeseriesFromArray", () => {
  const data = Float32Array.from({ length: 10 }, (_, i) => i);

  it("makes windows, and targets for them", async () => {
    const plain = await utils.timeseriesFromArray(data, { sequenceLength: 3, sequenceStride: 2, samplingRate: 2 }).toArray(); // biome-ignore format: one line
    expect((plain[0] as Tensor).toArray()).toEqual([[0, 2, 4], [2, 4, 6], [4, 6, 8]]); // biome-ignore format: rows
    const pairs = utils.timeseriesFromArray(data, { targets: data.slice(3), sequenceLength: 3, batchSize: 5, startIndex: 1 }); // biome-ignore format: one line
    const [first, last] = (await pairs.toArray()) as [Tensor, Tensor][];
    expect(first![0].toArray()[0 as never]).toEqual([1, 2, 3]);
    expect(first![1].toArray()).toEqual([4, 5, 6, 7, 8]);
    expect(last![1].toArray()).toEqual([9]);
  });

  it("shuffles windows and refuses what is too short", async () => {
    const o = { sequenceLength: 2, shuffle: true, seed: 1, batchSize: 100 };
    const [batch] = (await utils.timeseriesFromArray(data, o).toArray()) as Tensor[];
    const starts = Array.from({ length: 9 }, (_, i) => batch!.at(i, 0));
    expect(starts).not.toEqual([...starts].sort());
    expect([...starts].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(thrown(() => utils.timeseriesFromArray(data, { sequenceLength: 11 })).code).toBe("INVALID_DATA");
  });
});

describe("splits", () => {
  it("keeps rows together and both sides apart", () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 0, max: 9 }), (n, seed) => {
        const x = tensor(Float32Array.from({ length: n * 2 }, (_, i) => i), [n, 2]); // biome-ignore format: one line
        const names = Array.from({ length: n }, (_, i) => `r${i}`);
        const [xa, xb, na, nb] = utils.trainTestSplit([x, names], { testSize: 0.3, seed });
        expect(xa.shape[0]! + xb.shape[0]!).toBe(n);
        expect(xb.shape[0]).toBe(Math.ceil(n * 0.3));
        na.forEach((name, i) => {
          expect(name).toBe(`r${xa.at(i, 0) / 2}`);
        });
        expect(new Set([...na, ...nb]).size).toBe(n);
      }),
    ));

  it("keeps the shares of labels where asked", () => {
    const y = Int32Array.from({ length: 100 }, (_, i) => Number(i < 20));
    const [, test] = utils.trainTestSplit([y], { testSize: 0.25, seed: 2, stratify: y });
    expect(Array.from(test.data).reduce((a, b) => a + b, 0)).toBe(5);
    expect(test.size).toBe(25);
    for (const { train, test } of utils.stratifiedKFold(y, { splits: 4 })) {
      expect(test.filter((r) => y[r] === 1)).toHaveLength(5);
      expect(train.length + test.length).toBe(100);
    }
  });

  it("tests every row once", () => {
    const seen = [...utils.kFold(11, { splits: 3, seed: 5 })].flatMap(({ test }) => [...test]);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, i) => i));
    const [fold] = utils.kFold(6, { splits: 3, shuffle: false });
    expect([...fold!.test]).toEqual([0, 1]);
  });

  it("takes and shuffles rows of several arrays alike", () => {
    expect(utils.takeRows(["a", "b", "c"], [2, 0])).toEqual(["c", "a"]);
    const [x, y] = utils.shuffle([tensor([0, 1, 2, 3]), ["0", "1", "2", "3"]], { seed: 1 });
    expect([...x.data].map(String)).toEqual(y);
  });

  it("splits datasets", async () => {
    const [left, right] = await utils.splitDataset(Dataset.range(10), { leftSize: 0.7 });
    expect(await left.toArray()).toHaveLength(7);
    expect(await right.toArray()).toEqual([7, 8, 9]);
    const sizes = async (n: number, options: object) => {
      const [a, b] = await utils.splitDataset(Dataset.range(n), options);
      return [await a.toArray(), await b.toArray()];
    };
    expect(await sizes(8, { leftSize: 2, rightSize: 0.25 })).toEqual([
      [0, 1],
      [6, 7],
    ]);
    expect(await sizes(10, { leftSize: 0.25 })).toEqual([
      [0, 1],
      [2, 3, 4, 5, 6, 7, 8, 9],
    ]);
    const mixed = await sizes(9, { rightSize: 4, shuffle: true, seed: 1 });
    expect(mixed.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const options of [{ leftSize: 3 }, { leftSize: 2, rightSize: 2 }, { leftSize: 0.1 }])
      expect((await rejected(utils.splitDataset(Dataset.range(3), options))).code).toBe("INVALID_DATA");
    expect((await rejected(utils.splitDataset(Dataset.range(3), {}))).message).toContain(
      "leftSize or rightSize",
    );
  });
});

it("refuses wrong arguments", () => {
  const wrong: (() => unknown)[] = [
    () => utils.padSequences([[1, "a" as never]]),
    () => utils.padSequences([3 as never]),
    () => utils.padSequences([[[1, 2]], [[1]]]),
    () => utils.padSequences([[[1, 2]], [1]]),
    () => utils.padSequences([[1]], { dtype: "float64" as never }),
    () => utils.timeseriesFromArray([1, 2, 3], { sequenceLength: 0 }),
    () => utils.timeseriesFromArray([1, 2, 3], { sequenceLength: 2, batchSize: 0 }),
    () => utils.timeseriesFromArray([1, 2, 3], { sequenceLength: 1, startIndex: 2, endIndex: 1 }),
    () => utils.padSequences([[1]], { padding: "left" as never }),
    () => utils.toCategorical([0, 3], 3),
    () => utils.toCategorical([0.5]),
    () => utils.toCategorical([-1]),
    () => utils.normalize([1], { order: 0 }),
    () => utils.trainTestSplit([[1, 2]], { testSize: 2 }),
    () => utils.trainTestSplit([[1, 2], [1]]), // biome-ignore format: one line
    () => utils.trainTestSplit([[1, 2]], { stratify: [1] }),
    () => [...utils.kFold(3, { splits: 4 })],
    () => [...utils.stratifiedKFold([0, 0, 1], { splits: 2 })],
    () => utils.takeRows([1, 2], [2]),
  ];
  for (const call of wrong) expect(thrown(call).message).toMatch(/expected|unknown/);
});
