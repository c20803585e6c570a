// fit, evaluate and predict: against a recorded Keras training, on problems that must be learnt, and bit for bit against
// themselves (seeds, threads, pauses).

import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { type NestedArray, type Tensor, tensor } from "../../src/core/tensor.ts";
import { NativeEngine } from "../../src/engine/native.ts";
import * as layers from "../../src/layers/index.ts";
import { input } from "../../src/models/input.ts";
import { model as functional } from "../../src/models/model.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import { availableEngines } from "../helpers/engines.ts";
import { line, spiral, spiralModel, weightsOf, XOR, xorModel } from "../helpers/problems.ts";

const fixture = JSON.parse(readFileSync(new URL("../fixtures/fit.json", import.meta.url), "utf8")) as {
  x: number[][];
  y: number[];
  weights: NestedArray[];
  history: Record<string, number[]>;
  after: NestedArray[];
  evaluated: [number, number];
  predicted: number[][];
};

const NAMES: Record<string, string> = { val_loss: "valLoss", val_accuracy: "valAccuracy" };

const engines = availableEngines();

for (const engine of engines) {
  describe(`fit on the ${engine.name} engine`, () => {
    it("says once that a loss has become NaN, and trains on", async () => {
      const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
      const model = xorModel(engine);
      const broken = (t: ops.Operand, p: ops.Operand) =>
        ops.multiply(ops.mean(ops.subtract(t, p)), Number.NaN);
      model.compile({ optimizer: "sgd", loss: broken as never, engine });
      const { history } = await model.fit(XOR.x, XOR.y, { epochs: 6, verbose: 0 });
      expect(history.loss).toHaveLength(6);
      expect(history.loss!.at(-1)).toBeNaN();
      expect(warn.mock.calls.map(([text]) => text)).toEqual([
        expect.stringContaining("fit: the loss is NaN in epoch 1; fit(..., { debug: { nan: true } })"),
      ]);
      warn.mockRestore();
    });

    it("takes targets that are the inputs themselves, and others after them", async () => {
      const x = tensor(
        Float32Array.from({ length: 21 }, (_, i) => Math.sin(i)),
        [7, 3],
      );
      const others = tensor(x.data.map((v) => v / 2) as Float32Array, [7, 3]);
      const copy = tensor(x.data.slice() as Float32Array, [7, 3]);
      const weights = async (...targets: Tensor[]) => {
        const model = sequential([layers.dense({ units: 3, activation: "tanh", inputShape: [3] })], {
          seed: 3,
        });
        model.compile({ optimizer: "adam", loss: "meanSquaredError", engine });
        for (const y of targets) await model.fit(x, y, { epochs: 2, batchSize: 2, seed: 1 });
        return model.getWeights().map((w) => Array.from(w.data));
      };
      expect(await weights(x, others, x)).toEqual(await weights(copy, others, copy));
    });

    it("does what Keras does: uneven last batch, validation split, metrics", async () => {
      const model = sequential([
        layers.dense({ units: 6, activation: "tanh", inputShape: [4] }),
        layers.dense({ units: 3, activation: "softmax" }),
      ]);
      model.setWeights(fixture.weights.map((w) => tensor(w)));
      const optimizer = optimizers.adam({ learningRate: 0.02 });
      model.compile({ optimizer, loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"], engine });
      const { history, epoch } = await model.fit(fixture.x, fixture.y, {
        epochs: 4,
        batchSize: 5,
        shuffle: false,
        validationSplit: 0.2,
      });
      expect(epoch).toEqual([0, 1, 2, 3]);
      expect(Object.keys(history)).toEqual(["loss", "accuracy", "valLoss", "valAccuracy"]);
      // Sixteen Adam steps apart, each rounding differently.
      for (const [name, values] of Object.entries(fixture.history)) {
        values.forEach((v, i) => {
          expect(history[NAMES[name] ?? name]![i]).toBeCloseTo(v, 5);
        });
      }
      model.getWeights().forEach((w, i) => {
        const expected = tensor(fixture.after[i]!);
        expect(Math.max(...w.data.map((v, j) => Math.abs(v - expected.data[j]!)))).toBeLessThan(1e-5);
      });
      const measured = await model.evaluate(fixture.x, fixture.y, { batchSize: 5 });
      expect(measured.loss).toBeCloseTo(fixture.evaluated[0], 5);
      expect(measured.accuracy).toBeCloseTo(fixture.evaluated[1], 6);
      const predicted = await model.predict(fixture.x, { batchSize: 4 });
      expect(predicted.shape).toEqual([23, 3]);
      const expected = fixture.predicted.flat();
      expect(Math.max(...predicted.data.map((v, i) => Math.abs(v - expected[i]!)))).toBeLessThan(1e-5);
      expect(model.predictSync(fixture.x).shape).toEqual([23, 3]);
    });

    it("learns xor", async () => {
      const model = xorModel(engine);
      const { history } = await model.fit(XOR.x, XOR.y, { epochs: 400, batchSize: 4, seed: 7 });
      expect(history.loss!.at(-1)).toBeLessThan(0.01);
      const p = model.predictSync(XOR.x);
      expect(Array.from(p.data, (v) => Math.round(v))).toEqual([0, 1, 1, 0]);
    });

    it("learns a line", async () => {
      const { x, y } = line(64);
      const model = sequential([layers.dense({ units: 1, inputShape: [2] })]);
      model.compile({ optimizer: optimizers.sgd({ learningRate: 0.2, momentum: 0.5 }), loss: "mse", engine });
      await model.fit(x, y, { epochs: 60, batchSize: 16, seed: 1 });
      const [kernel, bias] = model.getWeights() as [Tensor, Tensor];
      expect(kernel.data[0]).toBeCloseTo(2, 2);
      expect(kernel.data[1]).toBeCloseTo(-3, 2);
      expect(bias.data[0]).toBeCloseTo(1, 2);
    });

    it("learns a spiral of three classes", async () => {
      const { x, y } = spiral(60);
      const model = spiralModel(engine);
      const { history } = await model.fit(x, y, { epochs: 80, batchSize: 32, seed: 7 });
      expect(history.accuracy!.at(-1)).toBeGreaterThan(0.9);
      const { accuracy } = await model.evaluate(x, y);
      expect(accuracy).toBeGreaterThan(0.95);
    });

    it("gives the same bits for the same seed, and others for another", async () => {
      const { x, y } = spiral(20);
      const train = async (seed: number) => {
        const model = spiralModel(engine);
        const { history } = await model.fit(x, y, { epochs: 3, batchSize: 16, seed });
        return [...history.loss!, ...weightsOf(model)];
      };
      const first = await train(7);
      expect(await train(7)).toEqual(first);
      expect(await train(8)).not.toEqual(first);
    });

    it("goes on after a pause as if there had been none", async () => {
      const { x, y } = spiral(20);
      const unbroken = spiralModel(engine, { seed: 3 });
      const whole = await unbroken.fit(x, y, { epochs: 4, batchSize: 16 });
      const paused = spiralModel(engine, { seed: 3 });
      await paused.fit(x, y, { epochs: 2, batchSize: 16 });
      await paused.evaluate(x, y);
      const rest = await paused.fit(x, y, { epochs: 4, batchSize: 16, initialEpoch: 2 });
      expect(rest.epoch).toEqual([2, 3]);
      expect(rest.history.loss).toEqual(whole.history.loss!.slice(2));
      expect(weightsOf(paused)).toEqual(weightsOf(unbroken));
    });

    it("goes on from a training state as if unbroken, dropout and shuffles included", async () => {
      const { x, y } = spiral(20);
      const unbroken = spiralModel(engine);
      await unbroken.fit(x, y, { epochs: 4, batchSize: 16, seed: 9 });
      const first = spiralModel(engine);
      await first.fit(x, y, { epochs: 2, batchSize: 16, seed: 9 });
      const state = first.getTrainingState!()!;
      const json = JSON.parse(JSON.stringify(state.config)) as typeof state.config;
      const second = spiralModel(engine, { seed: 1 });
      second.setWeights(first.getWeights());
      second.namedRandomState().forEach(({ variable }, i) => {
        variable.write(first.namedRandomState()[i]!.variable.read());
      });
      second.setTrainingState!({ config: json, tensors: state.tensors });
      expect(second.optimizer!.learningRate).toBe(0.02);
      await second.fit(x, y, { epochs: 4, initialEpoch: 2, batchSize: 16 });
      expect(weightsOf(second)).toEqual(weightsOf(unbroken));
    });

    it("trains on batches by hand as fit does", async () => {
      const { x, y } = spiral(10);
      const byFit = spiralModel(engine, { seed: 4 });
      await byFit.fit(x, y, { epochs: 2, batchSize: 10, shuffle: false });
      const byHand = spiralModel(engine, { seed: 4 });
      for (let epoch = 0; epoch < 2; epoch++) {
        for (let i = 0; i < 30; i += 10) await byHand.trainOnBatch(x.slice(i, i + 10), y.slice(i, i + 10));
      }
      expect(weightsOf(byHand)).toEqual(weightsOf(byFit));
      const logs = await byHand.testOnBatch(x, y);
      const evaluated = await byHand.evaluate(x, y, { batchSize: 30 });
      expect(logs).toEqual(evaluated);
    });

    it("takes a batch larger than the data as one batch", async () => {
      const small = xorModel(engine, 2);
      await small.fit(XOR.x, XOR.y, { epochs: 3, batchSize: 4 });
      const large = xorModel(engine, 2);
      await large.fit(XOR.x, XOR.y, { epochs: 3, batchSize: 1000 });
      expect(weightsOf(large)).toEqual(weightsOf(small));
    });

    it("does nothing for 0 epochs", async () => {
      const model = xorModel(engine, 2);
      const before = weightsOf(model);
      const { epoch, history } = await model.fit(XOR.x, XOR.y, { epochs: 0 });
      expect([epoch, history]).toEqual([[], {}]);
      expect(weightsOf(model)).toEqual(before);
    });

    it("shuffles: every row once an epoch, in an order of its own", async () => {
      const rows = 10;
      const x = tensor(
        Float32Array.from({ length: rows }, (_, i) => i),
        [rows, 1],
      );
      const model = sequential([
        layers.dense({ units: 1, inputShape: [1], useBias: false, kernelInitializer: "ones" }),
      ]);
      const seen: number[] = [];
      // The prediction is the row's number, and with a learning rate of 0 it stays so.
      const which = (_t: ops.Operand, p: ops.Operand) => ops.sum(p);
      model.compile({
        optimizer: optimizers.sgd({ learningRate: 0 }),
        loss: "mse",
        metrics: [which as never],
        engine,
      });
      let sum = 0;
      await model.fit(x, x, {
        epochs: 2,
        batchSize: 1,
        seed: 5,
        callbacks: {
          onEpochBegin() {
            sum = 0;
          },
          onTrainBatchEnd(batch, logs) {
            // The running mean times the batches so far is the sum of the rows so far.
            const total = Math.round(logs.which! * (batch + 1));
            seen.push(total - sum);
            sum = total;
          },
        },
      });
      const [first, second] = [seen.slice(0, rows), seen.slice(rows)];
      const sorted = (list: number[]) => [...list].sort((a, b) => a - b);
      expect(sorted(first)).toEqual(Array.from({ length: rows }, (_, i) => i));
      expect(sorted(second)).toEqual(sorted(first));
      expect(first).not.toEqual(sorted(first));
      expect(second).not.toEqual(first);
    });

    it("trains several outputs with losses, weights and metrics of their own", async () => {
      const a = input({ shape: [2], name: "a" });
      const b = input({ shape: [1], name: "b" });
      const both = layers.concatenate().apply([a, b]);
      const make = () =>
        functional({
          inputs: [a, b],
          outputs: {
            sum: layers.dense({ units: 1, name: "sum" }).apply(both),
            sign: layers.dense({ units: 1, name: "sign", activation: "sigmoid" }).apply(both),
          },
        });
      const { x } = line(32);
      const extra = tensor(
        Float32Array.from({ length: 32 }, (_, i) => (i % 5) / 5),
        [32, 1],
      );
      const sum = Float32Array.from(extra.data, (e, i) => e + x.data[2 * i]!);
      const sign = Uint8Array.from(sum, (s) => Number(s > 0.4));
      const model = make();
      model.compile({
        optimizer: optimizers.adam({ learningRate: 0.1 }),
        loss: { sum: "mse", sign: "binaryCrossentropy" },
        lossWeights: { sum: 2, sign: 1 },
        metrics: { sign: ["accuracy"] },
        engine,
      });
      const { history } = await model.fit(
        { a: x, b: extra },
        { sum, sign },
        { epochs: 60, batchSize: 8, seed: 2 },
      );
      expect(Object.keys(history)).toEqual(["loss", "sumLoss", "signLoss", "signAccuracy"]);
      expect(history.loss![0]).toBeCloseTo(2 * history.sumLoss![0]! + history.signLoss![0]!, 5);
      expect(history.sumLoss!.at(-1)).toBeLessThan(0.02);
      expect(history.signAccuracy!.at(-1)).toBeGreaterThan(0.9);
      const out = await model.predict<Record<string, Tensor>>([x, extra]);
      expect(out.sum!.shape).toEqual([32, 1]);
      expect(Object.keys(out)).toEqual(["sum", "sign"]);
    });

    it("keeps images as bytes and trains on them", async () => {
      const { x, y } = spiral(10);
      const bytes = tensor(
        Uint8Array.from(x.data, (v) => 128 + 100 * v),
        [30, 2],
      );
      const model = sequential([
        layers.dense({ units: 8, activation: "relu", inputShape: [2] }),
        layers.dense({ units: 3, activation: "softmax" }),
      ]);
      model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy", engine });
      const floats = tensor(Float32Array.from(bytes.data), [30, 2]);
      expect((await model.evaluate(bytes, y)).loss).toBe((await model.evaluate(floats, y)).loss);
      const { history } = await model.fit(bytes, y, { epochs: 2, batchSize: 8 });
      expect(history.loss!.every(Number.isFinite)).toBe(true);
    });
  });
}

const native = engines.find((e) => e.name === "native");

describe.skipIf(!native)("the native engine", () => {
  it("gives the same bits with 1 and 2 threads", async () => {
    const { x, y } = spiral(200);
    const train = async (threads: number) => {
      const engine = new NativeEngine({ threads });
      const model = sequential([
        layers.dense({ units: 96, activation: "relu", inputShape: [2] }),
        layers.dense({ units: 96, activation: "relu" }),
        layers.dropout({ rate: 0.2 }),
        layers.dense({ units: 3, activation: "softmax" }),
      ]);
      model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy", engine });
      await model.fit(x, y, { epochs: 2, batchSize: 128, seed: 7 });
      return weightsOf(model);
    };
    expect(await train(2)).toEqual(await train(1));
  });

  it("agrees with the reference engine over a training", async () => {
    const { x, y } = spiral(40);
    const losses: number[][] = [];
    for (const engine of engines) {
      const model = spiralModel(engine, { seed: 11 });
      const { history } = await model.fit(x, y, { epochs: 5, batchSize: 32 });
      losses.push(history.loss!);
    }
    // 20 steps of Adam amplify differences of single roundings.
    losses[0]!.forEach((v, i) => {
      expect(losses[1]![i]).toBeCloseTo(v, 4);
    });
  });

  it("lets timers run during fit", async () => {
    const { x, y } = spiral(400);
    const model = sequential([
      layers.dense({ units: 256, activation: "relu", inputShape: [2] }),
      layers.dense({ units: 256, activation: "relu" }),
      layers.dense({ units: 3, activation: "softmax" }),
    ]);
    model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy", engine: native });
    await model.fit(x, y, { epochs: 1, batchSize: 64 });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const before = performance.eventLoopUtilization();
    await model.fit(x, y, { epochs: 40, batchSize: 64 });
    const { active, idle, utilization } = performance.eventLoopUtilization(before);
    clearInterval(timer);
    expect(active + idle).toBeGreaterThan(50);
    expect(ticks).toBeGreaterThan(0);
    // Near 1 if training sat on the loop. Not counted in ticks: those depend on what else this machine does; the
    // benchmark counts them.
    expect(utilization).toBeLessThan(0.5);
  });
});
