// `using` on models: memory comes back at once, and what is gone says so.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { currentEngine } from "../../src/engine/select.ts";
import { input, layers, model, sequential, Tensor } from "../../src/index.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

const x = new Tensor(
  Float32Array.from({ length: 60 * 4 }, (_, i) => Math.sin(i)),
  [60, 4],
  "float32",
);
const y = new Tensor(
  Float32Array.from({ length: 60 }, (_, i) => i % 2),
  [60, 1],
  "float32",
);

function make() {
  const made = sequential([
    layers.dense({ units: 500, activation: "relu", inputShape: [4] }),
    layers.batchNormalization(),
    layers.dropout({ rate: 0.1 }),
    layers.dense({ units: 1 }),
  ]);
  made.compile({ optimizer: "adam", loss: "meanSquaredError" });
  return made;
}

const held = () => {
  const { bufferBytes, ...info } = currentEngine().info() as ReturnType<typeof currentEngine.prototype.info>;
  return { bufferBytes, buffers: info.buffers, executables: info.executables };
};

describe("a model that is disposed of", () => {
  it("gives back all memory at once", async () => {
    // What engines and layers keep for good is there from the first model on.
    const first = make();
    await first.fit(x, y, { batchSize: 16, verbose: 0, validationSplit: 0.2 });
    first[Symbol.dispose]();
    const before = held();
    const second = make();
    await second.fit(x, y, { batchSize: 16, verbose: 0, validationSplit: 0.2 });
    await second.evaluate(x, y, { verbose: 0 });
    await second.predict(x);
    second.predictSync(x.slice(0, 1));
    await second.trainOnBatch(x, y);
    expect(held().bufferBytes).toBeGreaterThan(before.bufferBytes + 500 * 4 * 4);
    second[Symbol.dispose]();
    expect(held()).toEqual(before);
    second[Symbol.dispose]();
    expect(held()).toEqual(before);
  });

  it("says so, whatever is asked of it", async () => {
    const gone = make();
    await gone.fit(x, y, { verbose: 0 });
    const batcher = gone.batcher();
    gone[Symbol.dispose]();
    const calls: Promise<unknown>[] = [
      gone.predict(x),
      gone.evaluate(x, y),
      gone.fit(x, y),
      gone.trainOnBatch(x, y),
      gone.predictOnBatch(x),
      batcher.predict(x.slice(0, 1)),
      gone.save(join(tmpdir(), "never.myelin")),
    ];
    for (const call of calls) expect(await rejected(call)).toMatchObject({ code: "DISPOSED" });
    const others = [
      () => gone.predictSync(x),
      () => gone.compile({ loss: "meanSquaredError" }),
      () => gone.getWeights(),
      () => gone.setWeights(make().getWeights()),
      () => gone.layers[0]!.weights[0]!.read(),
    ];
    for (const call of others) expect(thrown(call)).toMatchObject({ code: "DISPOSED" });
    expect(thrown(() => gone.getWeights()).message).toContain(
      "expected a live model, got one that was disposed",
    );
    expect(gone.summary({ print: false })).toContain("dense");
  });

  it("lets predictions end that have begun", async () => {
    const expected = make();
    const weights = expected.getWeights();
    const want = await expected.predict(x, { batchSize: 60 });
    const gone = make();
    gone.setWeights(weights);
    gone.predictSync(x);
    const running = gone.predict(x, { batchSize: 60 });
    await Promise.resolve();
    gone[Symbol.dispose]();
    const got = await running.catch((error) => error as Error & { code: string });
    if (got instanceof Tensor) expect(got.data).toEqual(want.data);
    else expect(got.code).toBe("DISPOSED"); // it had not begun
  });

  it("is not disposed of while it trains", async () => {
    const busy = make();
    const training = busy.fit(x, y, { epochs: 3, verbose: 0 });
    expect(thrown(() => busy[Symbol.dispose]())).toMatchObject({ code: "BUSY" });
    await training;
    busy[Symbol.dispose]();
  });

  it("may never have been used, built or compiled", () => {
    sequential([layers.dense({ units: 1 })])[Symbol.dispose]();
    const built = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    built[Symbol.dispose]();
    expect(thrown(() => built.predictSync([[1, 2]]))).toMatchObject({ code: "DISPOSED" });
  });

  it("takes layers with it that others share", async () => {
    const a = input({ shape: [4] });
    const code = layers.dense({ units: 2, name: "code" }).apply(a);
    const [encoder, whole] = [
      model({ inputs: a, outputs: code }),
      model({ inputs: a, outputs: layers.dense({ units: 4 }).apply(code) }),
    ];
    await whole.predict(x);
    encoder[Symbol.dispose]();
    expect(await rejected(whole.predict(x))).toMatchObject({
      code: "DISPOSED",
      message: expect.stringContaining("kernel"),
    });
  });

  it("works with using, and batchers with await using", async () => {
    let kept: ReturnType<typeof make>;
    {
      using own = make();
      await using batcher = own.batcher();
      expect((await batcher.predict(x.slice(0, 2))).shape).toEqual([2, 1]);
      kept = own;
    }
    expect(await rejected(kept.predict(x))).toMatchObject({ code: "DISPOSED" });
    const folder = await mkdtemp(join(tmpdir(), "myelin-dispose-"));
    expect(await rejected(kept.save(join(folder, "m")))).toMatchObject({ code: "DISPOSED" });
    await rm(folder, { recursive: true });
  });
});
