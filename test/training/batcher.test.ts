import { describe, expect, it } from "vitest";
import {
  engineInfo,
  input,
  layers,
  type Model,
  model,
  sequential,
  setEngine,
  type Tensor,
  tensor,
} from "../../src/index.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

const rows = (n: number, from = 0) =>
  tensor(
    Float32Array.from({ length: n * 3 }, (_, i) => Math.sin(from * 3 + i)),
    [n, 3],
  );

function net(): Model {
  return sequential([
    layers.dense({ units: 8, activation: "tanh", inputShape: [3] }),
    layers.dense({ units: 2, activation: "softmax" }),
  ]);
}

function near(a: Tensor, b: Tensor): void {
  expect(a.shape).toEqual(b.shape);
  for (let i = 0; i < a.size; i++) expect(Math.abs(a.data[i]! - b.data[i]!)).toBeLessThan(1e-6);
}

describe.each(["native", "reference"] as const)("batcher on %s", (engine) => {
  it("gives every call its own rows, in few runs", async () => {
    setEngine(engine);
    expect(engineInfo().name).toBe(engine);
    const m = net();
    const batcher = m.batcher({ maxBatch: 16 });
    const sizes = [1, 2, 1, 5, 3, 1, 1, 7, 16, 2, 1];
    const inputs = sizes.map((n, i) => rows(n, 10 * i));
    const outputs = await Promise.all(inputs.map((x) => batcher.predict(x)));
    for (const [i, out] of outputs.entries()) near(out, m.predictSync(inputs[i]!));
    const { calls, runs, rows: all, waiting } = batcher.stats;
    expect({ calls, all, waiting }).toEqual({ calls: sizes.length, all: 40, waiting: 0 });
    expect(runs).toBeLessThanOrEqual(5);
    // No answer shows those of others.
    expect(outputs[0]!.data.buffer.byteLength).toBe(8);
    setEngine("auto");
  });
});

describe("batcher", () => {
  it("waits maxDelayMs for others, and no longer once a batch is full", async () => {
    const batcher = net().batcher({ maxBatch: 2, maxDelayMs: 10_000 });
    const both = [batcher.predict(rows(1)), batcher.predict(rows(1, 1))];
    await Promise.all(both);
    expect(batcher.stats.runs).toBe(1);
    const patient = net().batcher({ maxDelayMs: 30 });
    const first = patient.predict(rows(1));
    await new Promise((done) => setTimeout(done, 5));
    await Promise.all([first, patient.predict(rows(1, 1))]);
    expect(patient.stats.runs).toBe(1);
  });

  it("keeps sequences of different lengths apart", async () => {
    const x = input({ shape: [null, 3] });
    const m = model({ inputs: x, outputs: layers.lstm({ units: 4 }).apply(x) });
    const batcher = m.batcher();
    const data = [4, 6, 4, 6].map((steps, i) =>
      tensor(
        Float32Array.from({ length: steps * 3 }, (_, j) => Math.cos(i + j)),
        [1, steps, 3],
      ),
    );
    const outputs = await Promise.all(data.map((d) => batcher.predict(d)));
    for (const [i, out] of outputs.entries()) near(out, await m.predict(data[i]!));
    expect(batcher.stats.runs).toBe(2);
  });

  it("gives several outputs in the model's layout", async () => {
    const x = input({ shape: [3] });
    const outputs = { a: layers.dense({ units: 1 }).apply(x), b: layers.dense({ units: 2 }).apply(x) };
    const m = model({ inputs: { x }, outputs });
    const batcher = m.batcher();
    const [one, two] = await Promise.all([
      batcher.predict<Record<string, Tensor>>({ x: rows(1) }),
      batcher.predict<Record<string, Tensor>>({ x: rows(2) }),
    ]);
    expect([one.a!.shape, one.b!.shape, two.a!.shape]).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
    ]);
  });

  it("refuses when the queue is full, and goes on", async () => {
    const batcher = net().batcher({ maxBatch: 2, maxQueue: 4 });
    const calls = Array.from({ length: 6 }, (_, i) => batcher.predict(rows(1, i)));
    const settled = await Promise.allSettled(calls);
    expect(settled.map((s) => s.status)).toEqual([
      ...Array(4).fill("fulfilled"),
      ...Array(2).fill("rejected"),
    ]);
    expect((settled[5] as PromiseRejectedResult).reason).toMatchObject({ code: "BUSY" });
    expect(batcher.stats.refused).toBe(2);
    expect((await batcher.predict(rows(1))).shape).toEqual([1, 2]);
  });

  it("takes an aborted call out and answers the others", async () => {
    const batcher = net().batcher({ maxDelayMs: 20 });
    const control = new AbortController();
    const gone = batcher.predict(rows(1), { signal: control.signal });
    const stays = batcher.predict(rows(1, 1));
    control.abort();
    expect(await rejected(gone)).toMatchObject({ code: "ABORTED", name: "AbortError" });
    expect((await stays).shape).toEqual([1, 2]);
    expect(batcher.stats).toMatchObject({ rows: 1, waiting: 0 });
  });

  it("leaves nothing behind on a signal that serves many calls", async () => {
    const batcher = net().batcher();
    const { signal } = new AbortController();
    let listeners = 0;
    const counted = (name: "addEventListener" | "removeEventListener", by: number) => {
      const original = signal[name].bind(signal) as (...args: unknown[]) => void;
      signal[name] = (...args: unknown[]) => {
        listeners += by;
        original(...args);
      };
    };
    counted("addEventListener", 1);
    counted("removeEventListener", -1);
    await Promise.all(Array.from({ length: 5 }, (_, i) => batcher.predict(rows(1, i), { signal })));
    expect(listeners).toBe(0);
  });

  it("answers what waits when it is closed, then takes no more", async () => {
    const batcher = net().batcher({ maxDelayMs: 5 });
    const call = batcher.predict(rows(1));
    await batcher.close();
    await call;
    expect(await rejected(batcher.predict(rows(1)))).toMatchObject({ code: "BUSY" });
  });

  it("refuses wrong input without harm to others", async () => {
    const batcher = net().batcher({ maxBatch: 4 });
    const good = batcher.predict(rows(2));
    expect(await rejected(batcher.predict(tensor([[1, 2]])))).toMatchObject({ code: "SHAPE_MISMATCH" });
    expect(await rejected(batcher.predict(rows(5)))).toMatchObject({
      code: "INVALID_DATA",
      message: "batcher.predict: expected 1 to 4 rows (maxBatch), got 5",
    });
    expect((await good).shape).toEqual([2, 2]);
  });

  it("refuses wrong options and models with a fixed batch", () => {
    const wrong = (make: () => unknown) => thrown(make).code;
    expect(wrong(() => net().batcher({ maxBatch: 0 }))).toBe("INVALID_OPTION");
    expect(wrong(() => net().batcher({ maxDelayMs: -1 }))).toBe("INVALID_OPTION");
    expect(wrong(() => net().batcher({ maxDelay: 1 } as object))).toBe("INVALID_OPTION");
    const fixed = sequential([layers.dense({ units: 2, batchInputShape: [4, 3] })]);
    expect(wrong(() => fixed.batcher())).toBe("SHAPE_MISMATCH");
  });
});
