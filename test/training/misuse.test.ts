// Every wrong use of compile, fit, evaluate and predict: the error says where, what was expected and what came; and the
// model is as usable afterwards as before.

import { describe, expect, it } from "vitest";
import { MyelinError } from "../../src/core/errors.ts";
import { tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as layers from "../../src/layers/index.ts";
import { Layer } from "../../src/layers/layer.ts";
import * as losses from "../../src/losses/index.ts";
import { input } from "../../src/models/input.ts";
import { model as functional } from "../../src/models/model.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import { availableEngines } from "../helpers/engines.ts";
import { line, spiral, spiralModel, weightsOf, XOR, xorModel } from "../helpers/problems.ts";

const engine = new ReferenceEngine();

/** The error of a failing call, checked to be a MyelinError. */
async function failure(run: () => unknown): Promise<MyelinError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof MyelinError) return error;
    throw error;
  }
  throw new Error("expected a MyelinError, got no error");
}

async function expectFailure(run: () => unknown, code: string, message: string): Promise<void> {
  const error = await failure(run);
  expect(error.message).toContain(message);
  expect(error.code).toBe(code);
}

describe("compile", () => {
  const fresh = () => sequential([layers.dense({ units: 1, inputShape: [2] })]);
  const refuse = (options: object, message: string) =>
    expectFailure(() => fresh().compile(options as never), "INVALID_OPTION", message);

  it("names the nearest right name", async () => {
    await refuse(
      { loss: "mse", optimizer: "adma" },
      'compile: unknown optimizer "adma"; did you mean "adam"?',
    );
    await refuse(
      { loss: "binaryCrossEntropi" },
      'compile: unknown loss "binaryCrossEntropi"; did you mean "binaryCrossentropy"?',
    );
    await refuse(
      { loss: "mse", metrics: ["acuracy"] },
      'compile: unknown metric "acuracy"; did you mean "accuracy"?',
    );
    await refuse({ loss: "mse", metric: [] }, 'compile: unknown option "metric"; did you mean "metrics"?');
    await refuse({ loss: "mse", engine: "nativ" }, 'compile: unknown engine "nativ"; did you mean "native"?');
  });
  it("wants a loss that fits the outputs", async () => {
    await refuse(
      { loss: losses.hinge({ reduction: "none" }) },
      'expected loss hinge to have a reduction for training, got "none"',
    );
    await refuse({ loss: ["mse", "mse"] }, "compile: expected one loss per output (dense), got 2");
    await refuse({ loss: { out: "mse" } }, "compile: expected one loss per output (dense), got out");
    await refuse({ loss: "mse", lossWeights: ["a"] }, 'expected lossWeights to be finite numbers, got "a"');
    await refuse({ loss: "mse", metrics: "accuracy" }, "expected metrics to be a list or a record by output");
    await refuse({ loss: "mse", metrics: { out: "mse" } }, 'expected metrics for outputs dense, got "out"');
    for (const loss of [undefined, null]) {
      const model = fresh();
      model.compile({ optimizer: "adam", loss });
      const message = 'expected a loss: give compile one, e.g. loss: "meanSquaredError"';
      await expectFailure(() => model.fit([[1, 2]], [1]), "INVALID_OPTION", message);
      await expectFailure(() => model.evaluate([[1, 2]], [1]), "INVALID_OPTION", message);
    }
  });
  it("wants an optimizer for every model", () => {
    const optimizer = optimizers.adam();
    const model = fresh();
    model.compile({ optimizer, loss: "mse" });
    model.compile({ optimizer, loss: "mae" });
    expect(() => fresh().compile({ optimizer, loss: "mse" })).toThrow(
      "compile: expected an optimizer of this model's own, got the one of sequential",
    );
  });
  it("must come before training, not before prediction", async () => {
    const message = "expected a compiled model; call model.compile({ optimizer, loss }) first";
    await expectFailure(() => fresh().fit([[1, 2]], [1]), "NOT_COMPILED", `fit: ${message}`);
    await expectFailure(() => fresh().evaluate([[1, 2]], [1]), "NOT_COMPILED", `evaluate: ${message}`);
    await expectFailure(
      () => fresh().trainOnBatch([[1, 2]], [1]),
      "NOT_COMPILED",
      `trainOnBatch: ${message}`,
    );
    await expectFailure(() => fresh().testOnBatch([[1, 2]], [1]), "NOT_COMPILED", `testOnBatch: ${message}`);
    await expectFailure(() => fresh().diagnoseNaN([[1, 2]], [1]), "NOT_COMPILED", `diagnoseNaN: ${message}`);
    expect((await fresh().predict([[1, 2]])).shape).toEqual([1, 1]);
  });
});

describe("options of fit", () => {
  it("are checked by name and value", async () => {
    const model = xorModel(engine);
    const refuse = (options: object, message: string) =>
      expectFailure(() => model.fit(XOR.x, XOR.y, options), "INVALID_OPTION", message);
    await refuse({ epoch: 3 }, 'fit: unknown option "epoch"; did you mean "epochs"?');
    await refuse({ batch_size: 3 }, 'did you mean "batchSize"?');
    await refuse({ epochs: -1 }, "fit: expected epochs to be an integer of at least 0, got -1");
    await refuse({ epochs: 1.5 }, "got 1.5");
    await refuse({ batchSize: 0 }, "fit: expected batchSize to be an integer of at least 1, got 0");
    await refuse({ validationSplit: 1 }, "fit: expected validationSplit to be a number in [0, 1), got 1");
    await expectFailure(
      () => model.fit(XOR.x, XOR.y, { validationData: [XOR.x] as never }),
      "INVALID_DATA",
      "fit: validationData: expected [x, y]",
    );
    await refuse({ validationFreq: 0 }, "expected validationFreq to be an integer of at least 1, got 0");
    await refuse({ shuffle: "batch" }, 'fit: expected shuffle to be true or false, got "batch"');
    await refuse({ seed: 0.5 }, "fit: expected seed to be an integer of at least 0, got 0.5");
    await refuse({ verbose: 3 }, 'fit: expected verbose to be 0, 1, 2 or "auto", got 3');
    await refuse({ signal: {} }, "fit: expected signal to be an AbortSignal");
    await refuse([], "fit: expected an options object");
    await expectFailure(
      () => model.evaluate(XOR.x, XOR.y, { batch: 3 } as never),
      "INVALID_OPTION",
      'evaluate: unknown option "batch"; known: batchSize',
    );
    await expectFailure(
      () => model.predict(XOR.x, { stepz: 3 } as never),
      "INVALID_OPTION",
      'predict: unknown option "stepz"; did you mean "steps"?',
    );
    await model.fit(XOR.x, XOR.y);
  });
});

describe("data", () => {
  const refuse = (x: unknown, y: unknown, code: string, message: string) =>
    expectFailure(() => xorModel(engine).fit(x as never, y as never), code, message);

  it("must be there, rectangular and of numbers", async () => {
    await refuse(undefined, XOR.y, "INVALID_DATA", "fit: x: expected data, got undefined");
    await refuse(XOR.x, undefined, "INVALID_DATA", "fit: y: expected data, got undefined");
    await refuse([[0, 0], [1]], [0, 1], "INVALID_DATA", "fit: x: tensor: ragged array at [1]");
    await refuse(
      [["a", 0]],
      [0],
      "INVALID_DATA",
      'fit: x: tensor: wrong element at [0][0]: expected a number or boolean, got "a"',
    );
    await refuse(new Float32Array(0), [], "INVALID_DATA", "fit: expected at least one row, got none");
    await refuse(
      tensor(new Float32Array(0), [0, 2]),
      [],
      "INVALID_DATA",
      "fit: expected at least one row, got none",
    );
  });
  it("must have the shape of the model's input, and as many rows of targets", async () => {
    await refuse([[1, 2, 3]], [1], "SHAPE_MISMATCH", "fit: x: expected shape [null, 2] for input");
    await refuse(5, [1], "SHAPE_MISMATCH", "fit: x: expected shape [null, 2] for input");
    await refuse(
      new Float32Array(5),
      [1, 2],
      "SHAPE_MISMATCH",
      "fit: x: expected whole rows of shape [2], got 5 elements",
    );
    await refuse(XOR.x, [[0], [1]], "SHAPE_MISMATCH", "fit: y: expected 4 rows like x, got 2");
    await refuse(XOR.x, 1, "SHAPE_MISMATCH", "fit: y: expected 4 rows like x, got a scalar");
    await refuse(
      XOR.x,
      XOR.x,
      "SHAPE_MISMATCH",
      "loss meanSquaredError: expected targets shaped like the predictions [4, 1], got [4, 2]",
    );
    await expectFailure(
      () => xorModel(engine).predict([[1]]),
      "SHAPE_MISMATCH",
      "predict: x: expected shape [null, 2]",
    );
    await expectFailure(
      () => xorModel(engine).predictSync([[1]]),
      "SHAPE_MISMATCH",
      "predictSync: x: expected shape [null, 2]",
    );
  });
  it("must be finite: the first NaN is named", async () => {
    await refuse(
      [
        [0, 0],
        [1, Number.NaN],
      ],
      [0, 1],
      "NOT_A_NUMBER",
      "fit: x: expected finite numbers, got NaN in row 1, column 1",
    );
    await refuse(
      [
        [0, 0],
        [1, 1],
      ],
      [0, Number.POSITIVE_INFINITY],
      "NOT_A_NUMBER",
      "fit: y: expected finite numbers, got Infinity in row 1",
    );
    const validationData = [[[0, Number.NaN]], [0]] as never;
    await expectFailure(
      () => xorModel(engine).fit(XOR.x, XOR.y, { validationData }),
      "NOT_A_NUMBER",
      "fit: validationData: x: expected finite numbers, got NaN in row 0, column 1",
    );
    const images = sequential([layers.flatten({ inputShape: [2, 3] }), layers.dense({ units: 1 })]);
    images.compile({ loss: "mse", engine });
    const x = new Float32Array(12);
    x[10] = Number.NaN;
    await expectFailure(() => images.evaluate(x, [0, 1]), "NOT_A_NUMBER", "got NaN in row 1, element [1][1]");
  });
  it("must hold labels the loss can mean", async () => {
    const { x, y } = spiral(2);
    const model = spiralModel(engine);
    const labels = (list: unknown) => () => model.fit(x, list as never);
    const where = "fit: y: expected labels from 0 to 2 for sparseCategoricalCrossentropy, got";
    await expectFailure(labels([0, 1, 2, 3, 0, 1]), "LABEL_OUT_OF_RANGE", `${where} 3 in row 3`);
    await expectFailure(labels([0, 1, -1, 0, 0, 1]), "LABEL_OUT_OF_RANGE", `${where} -1 in row 2`);
    await expectFailure(
      labels([0, 1, 0.5, 0, 0, 1]),
      "INVALID_DATA",
      "fit: y: expected whole numbers, got 0.5 in row 2",
    );
    await expectFailure(
      labels([0, 1, Number.NaN, 0, 0, 1]),
      "NOT_A_NUMBER",
      "fit: y: expected whole numbers, got NaN in row 2",
    );
    const oneHot = tensor(
      Float32Array.from({ length: 18 }, (_, i) => Number(i % 3 === 0)),
      [6, 3],
    );
    await expectFailure(labels(oneHot), "SHAPE_MISMATCH", "one-hot targets go with categoricalCrossentropy");
    await model.fit(x, y);
    const binary = sequential([layers.dense({ units: 1, activation: "sigmoid", inputShape: [2] })]);
    binary.compile({ loss: "binaryCrossentropy", engine });
    await expectFailure(
      () => binary.fit(XOR.x, [-1, 1, 1, -1]),
      "LABEL_OUT_OF_RANGE",
      "fit: y: expected targets from 0 to 1 for binaryCrossentropy, got -1 in row 0",
    );
  });
  it("for several inputs goes by place or name", async () => {
    const [a, b] = [input({ shape: [1], name: "a" }), input({ shape: [1], name: "b" })];
    const model = functional({ inputs: [a, b], outputs: layers.add().apply([a, b]) });
    model.compile({ loss: "mse", engine });
    const predict = (x: unknown) => () => model.predict(x as never);
    await expectFailure(
      predict([[[1]]]),
      "INVALID_DATA",
      "predict: x: expected a list or record of 2 (a, b)",
    );
    await expectFailure(
      predict({ a: [1], c: [1] }),
      "INVALID_DATA",
      "predict: x: expected data named a, b, got a, c",
    );
    await expectFailure(
      predict([[1, 2], [1]]),
      "SHAPE_MISMATCH",
      "predict: x[1]: expected 2 rows like predict: x[0], got 1",
    );
    expect((await model.predict({ b: [1, 2], a: [10, 20] })).toArray()).toEqual([[11], [22]]);
  });
  it("of too few rows cannot be split", async () => {
    await expectFailure(
      () => xorModel(engine).fit(XOR.x, XOR.y, { validationSplit: 0.9 }),
      "INVALID_DATA",
      "fit: expected validationSplit 0.9 of 4 rows to leave rows on both sides, got 0 and 4",
    );
  });
  it("may come as typed arrays, shaped or not, and with a last axis of 1 missing", async () => {
    const model = xorModel(engine, 1);
    const flat = Float32Array.from(XOR.x.flat());
    const forms = [XOR.x, flat, Float64Array.from(flat), { data: flat, shape: [4, 2] }, tensor(flat, [4, 2])];
    const results = await Promise.all(forms.map((x) => model.evaluate(x, [0, 1, 1, 0])));
    for (const r of results) expect(r).toEqual(results[0]);
    const line = sequential([layers.dense({ units: 1, inputShape: [1] })]);
    line.compile({ loss: "mse", engine });
    expect((await line.predict([1, 2, 3])).shape).toEqual([3, 1]);
  });
  it("of no rows predicts no rows", async () => {
    expect((await xorModel(engine).predict(new Float32Array(0))).shape).toEqual([0, 1]);
  });
  it("goes through layers that were added later, too", async () => {
    const model = sequential([layers.dense({ units: 3, inputShape: [2] })]);
    model.compile({ loss: "mse", engine });
    expect((await model.predict(XOR.x)).shape).toEqual([4, 3]);
    model.add(layers.dense({ units: 1 }));
    expect((await model.predict(XOR.x)).shape).toEqual([4, 1]);
    await model.fit(XOR.x, XOR.y);
    model.pop();
    expect(model.predictSync(XOR.x).shape).toEqual([4, 3]);
  });
  it("decides the input shape of a model that has none", async () => {
    const model = sequential([layers.dense({ units: 1 })]);
    model.compile({ loss: "mse", metrics: ["mae"], engine });
    const { x, y } = line(8);
    await model.fit(x, y);
    expect(model.getWeights().map((w) => w.shape)).toEqual([[2, 1], [1]]);
  });
});

describe("several trainings of one model at once", () => {
  for (const each of availableEngines()) {
    it(`are refused at once, while predictions are welcome (${each.name})`, async () => {
      const { x, y } = spiral(40);
      const model = spiralModel(each);
      const first = model.fit(x, y, { epochs: 20 });
      await expectFailure(
        () => model.fit(x, y),
        "BUSY",
        "fit: expected an idle model, but fit is under way; await it first",
      );
      await expectFailure(() => model.trainOnBatch(x, y), "BUSY", "trainOnBatch: expected an idle model");
      await expectFailure(() => model.compile({ loss: "mse" }), "BUSY", "compile: expected an idle model");
      const during = await model.predict(x);
      expect(during.data.every(Number.isFinite)).toBe(true);
      const measured = await Promise.all([model.evaluate(x, y), model.evaluate(x, y)]);
      expect(measured.every((m) => Number.isFinite(m.loss))).toBe(true);
      const { epoch } = await first;
      expect(epoch.length).toBe(20);
      await model.fit(x, y);
    });
  }
  it("of different models go on side by side", async () => {
    const { x, y } = spiral(10);
    const alone = spiralModel(engine, { seed: 1 });
    await alone.fit(x, y, { epochs: 3 });
    const [a, b] = [spiralModel(engine, { seed: 1 }), spiralModel(engine, { seed: 2 })];
    await Promise.all([a.fit(x, y, { epochs: 3 }), b.fit(x, y, { epochs: 3 })]);
    expect(weightsOf(a)).toEqual(weightsOf(alone));
  });
});

describe("aborting", () => {
  for (const each of availableEngines()) {
    it(`ends fit between steps and keeps the weights (${each.name})`, async () => {
      const { x, y } = spiral(40);
      const model = spiralModel(each, { seed: 1 });
      const controller = new AbortController();
      let abortedAt = 0;
      const abortLater = () => {
        abortedAt = performance.now();
        controller.abort();
      };
      const hook = { onEpochEnd: (epoch: number) => void (epoch === 0 && setTimeout(abortLater, 15)) };
      const error = await failure(() =>
        model.fit(x, y, { epochs: 1e6, batchSize: 8, signal: controller.signal, callbacks: hook }),
      );
      expect([error.name, error.code]).toEqual(["AbortError", "ABORTED"]);
      expect(performance.now() - abortedAt).toBeLessThan(1000);
      const steps = model.optimizer!.iterations.read().item();
      expect(steps).toBeGreaterThanOrEqual(15);
      expect(weightsOf(model).every(Number.isFinite)).toBe(true);
      await model.fit(x, y, { epochs: 1, batchSize: 8 });
      expect(model.optimizer!.iterations.read().item()).toBe(steps + 15);
    });
  }
  it("in the middle of an epoch leaves whole steps", async () => {
    const { x, y } = spiral(20);
    const controller = new AbortController();
    const model = spiralModel(engine, { seed: 1 });
    const stop = { onTrainBatchEnd: (batch: number) => batch === 2 && controller.abort() };
    const error = await failure(() =>
      model.fit(x, y, { batchSize: 10, shuffle: false, signal: controller.signal, callbacks: stop as never }),
    );
    expect(error.code).toBe("ABORTED");
    const byHand = spiralModel(engine, { seed: 1 });
    for (let i = 0; i < 30; i += 10) await byHand.trainOnBatch(x.slice(i, i + 10), y.slice(i, i + 10));
    expect(weightsOf(model)).toEqual(weightsOf(byHand));
  });
  it("before the beginning does nothing", async () => {
    const model = xorModel(engine, 1);
    const before = weightsOf(model);
    const signal = AbortSignal.abort("no");
    const run = [
      () => model.fit(XOR.x, XOR.y, { signal }),
      () => model.evaluate(XOR.x, XOR.y, { signal }),
      () => model.predict(XOR.x, { signal }),
    ];
    for (const each of run) expect((await failure(each)).name).toBe("AbortError");
    expect(weightsOf(model)).toEqual(before);
    await model.fit(XOR.x, XOR.y);
  });
});

describe("diagnoseNaN", () => {
  class Logarithm extends Layer {
    override call(x: Value): Value {
      return ops.log(x);
    }
  }
  const make = () => {
    const model = sequential([
      layers.dense({ units: 2, inputShape: [1], kernelInitializer: "ones" }),
      new Logarithm({ name: "logarithm" }),
      layers.dense({ units: 1 }),
    ]);
    model.compile({ optimizer: "sgd", loss: "mse", engine });
    return model;
  };
  it("names the op and the layer that first made it", async () => {
    const model = make();
    const before = weightsOf(model);
    const found = await model.diagnoseNaN([[1], [-1]], [0, 0]);
    expect(found).toContain("log at logarithm");
    expect(weightsOf(model)).toEqual(before);
  });
  it("says when there is nothing to find, and when the weights are broken already", async () => {
    const model = make();
    expect(await model.diagnoseNaN([[1], [2]], [0, 0])).toBeNull();
    model.setWeights([[[1, Number.NaN]], [0, 0], [[1], [1]], [0]]);
    expect(await model.diagnoseNaN([[1], [2]], [0, 0])).toBe("weight dense/kernel holds NaN or infinity");
  });
});

describe("fit with debug.nan", () => {
  it("says in which step the loss broke and which op did it, and stands before that step", async () => {
    class SquareRoot extends Layer {
      override call(x: Value): Value {
        return ops.sqrt(x);
      }
    }
    const model = sequential([
      layers.dense({ units: 1, inputShape: [1], kernelInitializer: "ones" }),
      new SquareRoot({ name: "root" }),
    ]);
    model.compile({ optimizer: optimizers.sgd({ learningRate: 0.001 }), loss: "mse", engine });
    const x = [[1], [2], [3], [4], [-5], [6], [7]];
    const run = (shuffle: boolean) =>
      model.fit(x, [1, 1, 1, 1, 1, 1, 1], { epochs: 3, batchSize: 2, shuffle, debug: { nan: true } });
    await expectFailure(() => run(false), "NOT_A_NUMBER", "fit: NaN or infinity arose in epoch 0, batch 2: ");
    expect(weightsOf(model).every(Number.isFinite)).toBe(true);
    expect(model.optimizer!.iterations.read().item()).toBe(2);
    const error = await failure(() => run(true));
    expect(error.message).toContain("sqrt at root");
    expect(weightsOf(model).every(Number.isFinite)).toBe(true);
  });
  it("knows updates that overflow", async () => {
    const { x, y } = line(8);
    const model = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    model.compile({ optimizer: optimizers.sgd({ learningRate: 1e39 as number }), loss: "mse", engine });
    await expectFailure(
      () => model.fit(x, y, { epochs: 9, batchSize: 8, debug: { nan: true } }),
      "NOT_A_NUMBER",
      "the weights overflowed in the update; lower the learning rate",
    );
  });
  it("costs nothing but a copy while all is well", async () => {
    const { x, y } = spiral(10);
    const plain = spiralModel(engine, { seed: 1 });
    await plain.fit(x, y, { epochs: 2 });
    const guarded = spiralModel(engine, { seed: 1 });
    await guarded.fit(x, y, { epochs: 2, debug: { nan: true } });
    expect(weightsOf(guarded)).toEqual(weightsOf(plain));
    const wrong = () => guarded.fit(x, y, { debug: { nana: true } as never });
    await expectFailure(wrong, "INVALID_OPTION", 'fit: debug: unknown option "nana"; did you mean "nan"?');
  });
});

describe("training state", () => {
  it("that does not fit changes nothing", async () => {
    const model = xorModel(engine, 1);
    await model.fit(XOR.x, XOR.y, { epochs: 2 });
    const state = model.getTrainingState!()!;
    const other = xorModel(engine, 1);
    const set = (config: object, tensors: object) => () =>
      other.setTrainingState!({
        config: { ...state.config, ...config },
        tensors: { ...state.tensors, ...tensors },
      } as never);
    await expectFailure(
      set({ optimizer: 3 }, {}),
      "INVALID_FILE",
      "training state: expected an optimizer, got 3",
    );
    await expectFailure(set({ seed: -1 }, {}), "INVALID_FILE", "expected a whole number as seed, got -1");
    await expectFailure(set({ objective: 3 }, {}), "INVALID_FILE", "expected losses and metrics, got 3");
    await expectFailure(set({ optimizer: { name: "sgdd" } }, {}), "INVALID_OPTION", 'did you mean "sgd"?');
    await expectFailure(
      set({}, { iterations: tensor([1]) }),
      "INVALID_FILE",
      'training state: expected iterations as int32[], got "float32[1]"',
    );
    expect(other.optimizer!.iterations.read().item()).toBe(0);
  });
  it("of a loss that is code waits for the next compile", async () => {
    const own = (t: Value, p: Value) => ops.square(ops.subtract(t, p));
    const model = xorModel(engine, 1);
    model.compile({ optimizer: optimizers.adam({ learningRate: 0.5 }), loss: own, engine });
    await model.fit(XOR.x, XOR.y, { epochs: 2 });
    const state = JSON.parse(JSON.stringify(model.getTrainingState!()!.config));
    expect(state.objective).toBeNull();
    const next = sequential([
      layers.dense({ units: 8, activation: "tanh", inputShape: [2] }),
      layers.dense({ units: 1, activation: "sigmoid" }),
    ]);
    next.setWeights(model.getWeights());
    next.setTrainingState!({ config: state, tensors: model.getTrainingState!()!.tensors });
    await expectFailure(() => next.fit(XOR.x, XOR.y), "NOT_COMPILED", "fit: expected a compiled model");
    next.compile({ loss: own, engine });
    expect(next.optimizer!.iterations.read().item()).toBe(2);
    await model.fit(XOR.x, XOR.y);
    await next.fit(XOR.x, XOR.y);
    expect(weightsOf(next)).toEqual(weightsOf(model));
  });
});
