// Callbacks: Keras's hooks in Keras's order, what they are told, and the stock ones.

import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import * as layers from "../../src/layers/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import { Callback, callbacks, type Logs } from "../../src/training/index.ts";
import { line, spiral, spiralModel, weightsOf, XOR, xorModel } from "../helpers/problems.ts";

const engine = new ReferenceEngine();

/** Writes down every hook with its number. */
function recorder(log: string[]): Record<string, (first: unknown, logs?: Logs) => void> {
  const note = (name: string) => (first: unknown) => {
    log.push(typeof first === "number" ? `${name} ${first}` : name);
  };
  const names = ["TrainBegin", "TrainEnd", "EpochBegin", "EpochEnd", "TrainBatchBegin", "TrainBatchEnd"];
  const tests = ["TestBegin", "TestEnd", "TestBatchBegin", "TestBatchEnd"];
  const predicts = ["PredictBegin", "PredictEnd", "PredictBatchBegin", "PredictBatchEnd"];
  return Object.fromEntries([...names, ...tests, ...predicts].map((n) => [`on${n}`, note(n)]));
}

describe("hooks", () => {
  it("come in Keras's order in fit", async () => {
    const log: string[] = [];
    const { x, y } = spiral(1);
    const model = spiralModel(engine);
    await model.fit(x, y, { epochs: 2, batchSize: 2, validationData: [x, y], callbacks: recorder(log) });
    const test = [
      "TestBegin",
      "TestBatchBegin 0",
      "TestBatchEnd 0",
      "TestBatchBegin 1",
      "TestBatchEnd 1",
      "TestEnd",
    ];
    const train = ["TrainBatchBegin 0", "TrainBatchEnd 0", "TrainBatchBegin 1", "TrainBatchEnd 1"];
    const epoch = (n: number) => [`EpochBegin ${n}`, ...train, ...test, `EpochEnd ${n}`];
    expect(log).toEqual(["TrainBegin", ...epoch(0), ...epoch(1), "TrainEnd"]);
  });

  it("come in Keras's order in evaluate and predict", async () => {
    const log: string[] = [];
    const { x, y } = spiral(1);
    const model = spiralModel(engine);
    await model.evaluate(x, y, { batchSize: 2, callbacks: [recorder(log)] });
    expect(log).toEqual([
      "TestBegin",
      "TestBatchBegin 0",
      "TestBatchEnd 0",
      "TestBatchBegin 1",
      "TestBatchEnd 1",
      "TestEnd",
    ]);
    log.length = 0;
    await model.predict(x, { batchSize: 2, callbacks: recorder(log) });
    expect(log).toEqual([
      "PredictBegin",
      "PredictBatchBegin 0",
      "PredictBatchEnd 0",
      "PredictBatchBegin 1",
      "PredictBatchEnd 1",
      "PredictEnd",
    ]);
  });

  it("are told running means per batch and final values per epoch", async () => {
    const batches: Logs[] = [];
    const { x, y } = line(10);
    const model = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    model.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: "mse", engine });
    const { history } = await model.fit(x, y, {
      batchSize: 4,
      shuffle: false,
      callbacks: { onTrainBatchEnd: (_batch, logs) => void batches.push(logs) },
    });
    const parts = [
      [0, 4],
      [4, 8],
      [8, 10],
    ] as const;
    let sum = 0;
    for (const [i, [from, to]] of parts.entries()) {
      const { loss } = await model.testOnBatch(x.slice(from, to), y.slice(from, to));
      sum += loss! * (to - from);
      expect(batches[i]!.loss).toBeCloseTo(sum / to, 5);
    }
    expect(history.loss).toEqual([batches[2]!.loss]);
  });

  it("give the same training whether or not somebody listens to batches", async () => {
    const { x, y } = spiral(10);
    const quiet = spiralModel(engine, { seed: 6 });
    await quiet.fit(x, y, { epochs: 2, batchSize: 8 });
    const loud = spiralModel(engine, { seed: 6 });
    let told = 0;
    await loud.fit(x, y, { epochs: 2, batchSize: 8, callbacks: { onBatchEnd: () => void told++ } });
    expect(told).toBe(8);
    expect(weightsOf(loud)).toEqual(weightsOf(quiet));
  });

  it("may be async, and may add to the logs", async () => {
    const order: string[] = [];
    const model = xorModel(engine);
    const history = await model.fit(XOR.x, XOR.y, {
      epochs: 2,
      callbacks: [
        {
          async onEpochEnd(epoch, logs) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            order.push(`first ${epoch}`);
            logs.extra = epoch * 10;
          },
        },
        { onEpochEnd: (epoch) => void order.push(`second ${epoch}`) },
      ],
    });
    expect(order).toEqual(["first 0", "second 0", "first 1", "second 1"]);
    expect(history.history.extra).toEqual([0, 10]);
    expect(model.history).toBe(history);
  });

  it("that throw end the training with their error, and the model can be used again", async () => {
    const model = xorModel(engine);
    const failing = { onEpochEnd: () => Promise.reject(new Error("disk full")) };
    await expect(model.fit(XOR.x, XOR.y, { callbacks: failing })).rejects.toThrow("disk full");
    const { epoch } = await model.fit(XOR.x, XOR.y);
    expect(epoch).toEqual([0]);
  });

  it("know the model and the training in a class", async () => {
    class Halve extends Callback {
      override onEpochEnd(): void {
        this.model.optimizer!.learningRate /= 2;
      }
    }
    const halve = new Halve();
    const model = xorModel(engine);
    await model.fit(XOR.x, XOR.y, { epochs: 3, callbacks: halve });
    expect(model.optimizer!.learningRate).toBeCloseTo(0.05 / 8, 10);
    expect(model.optimizer!.learningRateVariable.read().item()).toBe(Math.fround(0.05 / 8));
    expect(halve.params).toMatchObject({ epochs: 3, steps: 1, samples: 4 });
    expect([...halve.params.metrics]).toEqual([["loss", "min"]]);
  });

  it("with unknown names or of a wrong kind are refused", async () => {
    const model = xorModel(engine);
    const train = (callback: unknown) => model.fit(XOR.x, XOR.y, { callbacks: callback as never });
    await expect(train({ onEpochEnded() {} })).rejects.toThrow(
      'fit: unknown callback hook "onEpochEnded"; did you mean "onEpochEnd"?',
    );
    await expect(train([3])).rejects.toThrow("fit: expected a Callback or an object of hooks, got 3");
    await expect(train({ onEpochEnd: 3 })).rejects.toThrow(
      "fit: expected onEpochEnd of a callback to be a function, got 3",
    );
    expect(() => callbacks.lambda({ onEpoch() {} } as never)).toThrow('unknown callback hook "onEpoch"');
  });
});

describe("stopTraining", () => {
  it("ends after the epoch, or after the batch when set there", async () => {
    const { x, y } = spiral(10);
    const model = spiralModel(engine);
    const byEpoch = await model.fit(x, y, {
      epochs: 9,
      callbacks: {
        onEpochEnd: (epoch) => {
          model.stopTraining = epoch === 1;
        },
      },
    });
    expect(byEpoch.epoch).toEqual([0, 1]);
    const log: string[] = [];
    const byBatch = await model.fit(x, y, {
      epochs: 9,
      batchSize: 5,
      callbacks: [
        recorder(log),
        {
          onTrainBatchEnd: (batch) => {
            model.stopTraining = batch === 2;
          },
        },
      ],
    });
    expect(byBatch.epoch).toEqual([0]);
    expect(log.filter((l) => l.startsWith("TrainBatchEnd"))).toEqual(
      [0, 1, 2].map((n) => `TrainBatchEnd ${n}`),
    );
    expect(log.at(-1)).toBe("TrainEnd");
    // What comes next begins at the first batch again.
    const before = model.optimizer!.iterations.read().item();
    await model.fit(x, y, { batchSize: 5 });
    expect(model.optimizer!.iterations.read().item()).toBe(before + 6);
  });
});

/** A model whose validation loss per epoch is scripted: the prediction is its one weight, which a callback sets. */
function scripted(values: readonly number[]) {
  const model = sequential([
    layers.dense({ units: 1, useBias: false, kernelInitializer: "zeros", inputShape: [1] }),
  ]);
  const fn = (_t: ops.Operand, p: ops.Operand) => ops.mean(p);
  model.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: fn as never, engine });
  const script = { onEpochBegin: (epoch: number) => model.setWeights([[[values[epoch]!]]]) };
  const train = (callback: Callback) =>
    model.fit([[1]], [[0]], {
      epochs: values.length,
      validationData: [[[1]], [[0]]],
      callbacks: [script, callback],
    });
  return { model, train };
}

describe("earlyStopping", () => {
  it("stops when patience is over, and counts as Keras does", async () => {
    const values = [5, 4, 3, 3.5, 3.2, 3.1, 1];
    const expected: [number, number[]][] = [
      [0, [0, 1, 2, 3]],
      [1, [0, 1, 2, 3]],
      [2, [0, 1, 2, 3, 4]],
      [4, [0, 1, 2, 3, 4, 5, 6]],
    ];
    for (const [patience, epochs] of expected) {
      const stopping = callbacks.earlyStopping({ patience });
      const { epoch, history } = await scripted(values).train(stopping);
      expect(epoch).toEqual(epochs);
      expect(history.valLoss).toEqual(epochs.map((e) => Math.fround(values[e]!)));
      expect(stopping.stoppedEpoch).toBe(epochs.length < 7 ? epochs.at(-1) : 0);
    }
  });
  it("restores the best weights, also when it never stopped", async () => {
    const best = callbacks.earlyStopping({ patience: 1, restoreBestWeights: true });
    const { model, train } = scripted([3, 2, 4, 5, 6]);
    await train(best);
    expect(model.getWeights()[0]!.item()).toBe(2);
    expect([best.bestEpoch, best.best]).toEqual([1, 2]);
    const last = scripted([3, 2, 4]);
    await last.train(callbacks.earlyStopping({ patience: 9, restoreBestWeights: true }));
    expect(last.model.getWeights()[0]!.item()).toBe(2);
    const kept = scripted([3, 2, 4]);
    await kept.train(callbacks.earlyStopping({ patience: 1 }));
    expect(kept.model.getWeights()[0]!.item()).toBe(4);
  });
  it("knows minDelta, baseline, startFromEpoch, mode and other monitors", async () => {
    const run = async (options: object, values: number[]) =>
      (await scripted(values).train(callbacks.earlyStopping(options))).epoch.length;
    expect(await run({ minDelta: 0.5 }, [5, 4.8, 4.6, 1])).toBe(2);
    expect(await run({ baseline: 2, patience: 2 }, [5, 4, 3, 1])).toBe(4);
    expect(await run({ baseline: 2, patience: 2 }, [5, 4, 4, 1])).toBe(3);
    expect(await run({ startFromEpoch: 2 }, [1, 2, 3, 4, 5])).toBe(4);
    expect(await run({ mode: "max" }, [1, 2, 1, 5])).toBe(3);
    expect(await run({ monitor: "loss" }, [3, 2, 3, 1])).toBe(3);
    expect(await run({ patience: 1 }, [Number.NaN, Number.NaN, 1])).toBe(2);
  });
  it("knows which way is better from the metric", async () => {
    const { x, y } = spiral(3);
    const model = spiralModel(engine);
    const stopping = callbacks.earlyStopping({ monitor: "valAccuracy", patience: 100 });
    await model.fit(x, y, { epochs: 2, validationData: [x, y], callbacks: stopping });
    expect(stopping.params.metrics.get("valAccuracy")).toBe("max");
  });
  it("says before any training what it cannot watch", async () => {
    const model = xorModel(engine);
    const before = weightsOf(model);
    const train = (options: object) =>
      model.fit(XOR.x, XOR.y, { callbacks: callbacks.earlyStopping(options) });
    await expect(train({})).rejects.toThrow(
      'earlyStopping: expected monitor to be one of loss, got "valLoss"; give fit validationData or validationSplit',
    );
    const score = (_t: ops.Operand, p: ops.Operand) => ops.mean(p);
    model.compile({ optimizer: "sgd", loss: "mse", metrics: [score as never], engine });
    await expect(train({ monitor: "score" })).rejects.toThrow('expected mode "min" or "max" for "score"');
    expect(weightsOf(model)).toEqual(before);
  });
  it("refuses unknown options", () => {
    expect(() => callbacks.earlyStopping({ patiance: 2 } as never)).toThrow('did you mean "patience"?');
    expect(() => callbacks.earlyStopping({ patience: -1 })).toThrow(
      "expected patience to be an integer of at least 0, got -1",
    );
    expect(() => callbacks.earlyStopping({ mode: "up" as never })).toThrow(
      'earlyStopping: unknown mode "up"',
    );
    expect(() => callbacks.earlyStopping({ monitor: 1 as never })).toThrow(
      "expected monitor to be a log name, got 1",
    );
  });
});

describe("terminateOnNaN", () => {
  it("stops at the batch that makes the loss NaN", async () => {
    const { x, y } = line(20);
    const model = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    model.compile({ optimizer: optimizers.sgd({ learningRate: 1e30 }), loss: "mse", engine });
    let batches = 0;
    const count = { onTrainBatchEnd: () => void batches++ };
    const { epoch } = await model.fit(x, y, {
      epochs: 50,
      batchSize: 2,
      callbacks: [callbacks.terminateOnNaN(), count],
    });
    expect(epoch).toEqual([0]);
    expect(batches).toBeLessThan(10);
  });
});

describe("history", () => {
  it("as a callback records what fit returns", async () => {
    const own = callbacks.history();
    const returned = await xorModel(engine).fit(XOR.x, XOR.y, { epochs: 3, callbacks: own });
    expect(own.history).toEqual(returned.history);
    expect(own.epoch).toEqual([0, 1, 2]);
    expect(Object.keys(JSON.parse(JSON.stringify(own)))).toEqual(["epoch", "history"]);
  });
});
