// fit, evaluate and predict on batches from datasets, generators and iterables: the same as on arrays, and well-mannered.

import { describe, expect, it, vi } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import { Dataset } from "../../src/data/dataset.ts";
import * as layers from "../../src/layers/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import "../../src/training/attach.ts";
import type { BatchSource } from "../../src/training/source.ts";
import { availableEngines } from "../helpers/engines.ts";
import { rejected } from "../helpers/thrown.ts";

const ROWS = 22;
const x = tensor(
  Float32Array.from({ length: ROWS * 3 }, (_, i) => Math.sin(i)),
  [ROWS, 3],
);
const y = tensor(Int32Array.from({ length: ROWS }, (_, i) => i % 2));
const batches = (size = 4) => Dataset.fromTensorSlices([x, y] as const).batch(size);

function compiled(engine?: never) {
  const m = sequential(
    [
      layers.dense({ units: 5, activation: "tanh", inputShape: [3] }),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 2, activation: "softmax" }),
    ],
    { seed: 3 },
  );
  const optimizer = optimizers.adam({ learningRate: 0.01 });
  m.compile({ optimizer, loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"], engine });
  return m;
}

const quiet = { verbose: 0, seed: 1 } as const;

describe.each(availableEngines().map((e) => [e.name, e] as const))("on the %s engine", (_, engine) => {
  it("does what it does on arrays, bit for bit", async () => {
    const [a, b] = [compiled(engine as never), compiled(engine as never)];
    const options = { ...quiet, epochs: 3 };
    const one = await a.fit(x, y, { ...options, batchSize: 4, shuffle: false, validationData: [x, y], validationBatchSize: 8 }); // biome-ignore format: one line
    const two = await b.fit(batches() as BatchSource, {
      ...options,
      validationData: batches(8) as BatchSource,
    });
    expect(two.history).toEqual(one.history);
    expect(b.getWeights()).toEqual(a.getWeights());
    expect(await b.evaluate(batches() as BatchSource, { verbose: 0 })).toEqual(await a.evaluate(x, y, { batchSize: 4, verbose: 0 })); // biome-ignore format: one line
    const predicted = await b.predict(batches(5) as never);
    expect(predicted).toEqual(await a.predict(x, { batchSize: 5 }));
  });
});

describe("sources", () => {
  it("may be iterables of records, async generators, functions", async () => {
    const m = compiled();
    const record = { x: x.slice(0, 4), y: y.slice(0, 4), sampleWeight: [1, 1, 0, 0] };
    await m.fit(new Set([record]), quiet);
    async function* generate() {
      yield [x, y] as const;
    }
    const history = await m.fit(generate, { ...quiet, epochs: 2 });
    expect(history.history.loss).toHaveLength(2);
    await m.fit(generate(), quiet);
    expect((await m.predict(Dataset.from([x.slice(0, 2), x.slice(2, 3)]) as never)).shape).toEqual([3, 2]);
  });

  it("give so many batches an epoch, going on where the last one ended", async () => {
    const seen: number[] = [];
    const numbered = Dataset.range(100).map((i) => {
      seen.push(i);
      return [x.slice(i % 20, (i % 20) + 2), y.slice(i % 20, (i % 20) + 2)] as const;
    });
    const batchesSeen: number[] = [];
    await compiled().fit(numbered, {
      ...quiet,
      epochs: 3,
      stepsPerEpoch: 4,
      callbacks: { onTrainBatchEnd: (b) => void batchesSeen.push(b) },
    });
    expect(batchesSeen).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    // One is fetched ahead.
    expect(seen).toEqual(Array.from({ length: 13 }, (_, i) => i));
  });

  it("stepsPerEpoch divides arrays, too", async () => {
    const m = compiled();
    let steps = 0;
    const counting = { onTrainBatchEnd: () => void steps++ };
    await m.fit(x, y, { ...quiet, epochs: 3, batchSize: 4, stepsPerEpoch: 2, callbacks: counting });
    expect(steps).toBe(6);
    const two = await m.evaluate(x, y, { steps: 2, batchSize: 4, verbose: 0 });
    expect(two).toEqual(await m.evaluate(x.slice(0, 8), y.slice(0, 8), { batchSize: 4, verbose: 0 }));
    expect((await m.predict(x, { steps: 2, batchSize: 4 })).shape).toEqual([8, 2]);
  });

  it("validation takes validationSteps, after the epochs asked for", async () => {
    const h = await compiled().fit(batches() as BatchSource, {
      ...quiet,
      epochs: 4,
      validationData: batches(2).repeat() as BatchSource,
      validationSteps: 3,
      validationFreq: [2, 4],
    });
    expect(h.history.loss).toHaveLength(4);
    expect(h.history.valLoss).toHaveLength(2);
  });

  it("that end early are warned of once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await compiled().fit(batches(11) as BatchSource, { ...quiet, epochs: 3, stepsPerEpoch: 5 });
    expect(warn.mock.calls).toEqual([[expect.stringContaining("the data ended after 2 of 5 batches")]]);
    warn.mockRestore();
  });

  it("are closed when a training is stopped, aborted or fails", async () => {
    let closed = 0;
    const source = async function* () {
      try {
        for (;;) yield [x, y] as const;
      } finally {
        closed++;
      }
    };
    const m = compiled();
    const stop = (b: number) => {
      m.stopTraining = b === 2;
    };
    await m.fit(source, { ...quiet, callbacks: { onTrainBatchEnd: stop } });
    expect(closed).toBe(1);
    const controller = new AbortController();
    const abort = { onTrainBatchEnd: (b: number) => b === 2 && controller.abort() } as never;
    const error = await rejected(m.fit(source, { ...quiet, signal: controller.signal, callbacks: abort }));
    expect(error.name).toBe("AbortError");
    expect(closed).toBe(2);
    await m.fit(source, { ...quiet, stepsPerEpoch: 2 });
    expect(closed).toBe(3);
    await expect(m.fit(Dataset.range(9).map((i) => { if (i > 2) throw new Error("disk gone"); return [x, y] as const; }), quiet)).rejects.toThrow("disk gone"); // biome-ignore format: one line
    await m.fit(x, y, quiet);
  });

  it("do not hold up who aborts while they are waited for", async () => {
    let isClosed = false;
    const stuck = {
      [Symbol.asyncIterator]: () => {
        let n = 0;
        return {
          next: () => (n++ === 0 ? Promise.resolve({ done: false, value: [x, y] }) : new Promise(() => {})),
          return: () => {
            isClosed = true;
            return new Promise(() => {});
          },
        };
      },
    } as unknown as BatchSource;
    const m = compiled();
    for (const use of ["fit", "evaluate", "predict"] as const) {
      isClosed = false;
      const controller = new AbortController();
      setTimeout(() => controller.abort("enough"), 20);
      const run = m[use].bind(m) as (source: unknown, options: object) => Promise<unknown>;
      const error = await rejected(run(stuck, { verbose: 0, signal: controller.signal }));
      expect([error.name, error.cause, isClosed]).toEqual(["AbortError", "enough", true]);
    }
    await m.fit(x, y, quiet);
  });

  const pair = [x, y] as const;
  it.each([
    ["an empty one", [], "expected batches, got none"],
    ["no pair", [[x]], "fit: batch 0: expected [x, y], [x, y, sampleWeight]"],
    ["a wrong shape", [pair, [x.reshape([11, 6]), y]], "fit: batch 1: x: expected shape [null, 3]"],
    ["rows that differ", [[x, y.slice(1)]], "fit: batch 0: y: expected 22 rows like x, got 21"],
    [
      "a label out of range",
      [pair, [x, new Int32Array(ROWS).fill(2)]],
      "fit: batch 1: y: expected labels from 0 to 1",
    ],
    ["NaN", [[new Float32Array(3).fill(Number.NaN), [0]]], "fit: batch 0: x: expected finite numbers"],
  ])("refuse %s", async (_, list, message) => {
    const error = await rejected(
      compiled().fit(Dataset.from(list as never) as BatchSource, { ...quiet, epochs: 1 }),
    );
    expect(error.message).toContain(message);
  });

  it("refuse to go on for ever", async () => {
    const endless = batches().repeat() as BatchSource;
    const m = compiled();
    for (const [run, message] of [
      [() => m.fit(endless, quiet), "fit: expected stepsPerEpoch for a dataset without end"],
      [
        () => m.fit(x, y, { ...quiet, validationData: endless }),
        "fit: validationData: expected validationSteps",
      ],
      [() => m.evaluate(endless, { verbose: 0 }), "evaluate: expected steps"],
      [() => m.predict(endless as never), "predict: expected steps"],
    ] as const) {
      expect((await rejected(run())).message).toContain(message);
    }
    await m.fit(endless, { ...quiet, stepsPerEpoch: 3 });
    expect((await m.predict(endless as never, { steps: 2 })).shape).toEqual([8, 2]);
  });

  it("refuse what they bring themselves, and generators that have had their day", async () => {
    const m = compiled();
    const source = batches() as BatchSource;
    for (const options of [{ batchSize: 3 }, { validationSplit: 0.2 }, { sampleWeight: [1] }]) {
      expect((await rejected(m.fit(source, { ...quiet, ...options }))).message).toContain(
        "beside a source of batches",
      );
    }
    expect((await rejected(m.fit(source as never, y, quiet))).message).toContain("expected no y");
    const once = (function* () {
      yield pair;
    })();
    const error = await rejected(m.fit(once as never, { ...quiet, epochs: 2 }));
    expect(error.message).toContain("a generator lasts one pass");
    expect((await rejected(m.fit((() => 3) as never, quiet))).message).toContain(
      "an iterable of batches, got 3",
    );
  });

  it("shows steps as they come while nobody knows how many there are", async () => {
    const lines: string[] = [];
    const stream = { write: (s: string) => void lines.push(s) };
    await compiled().fit((() => [pair, pair]) as never, { seed: 1, verbose: 2, stream, epochs: 2 });
    expect(lines[0]).toMatch(/^Epoch 1\/2 {2}2\/2/);
  });
});
