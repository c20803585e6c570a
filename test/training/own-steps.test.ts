// Models that say themselves what a step is: losses from layers alone, computeLoss, trainStep and testStep.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Tensor } from "../../src/core/tensor.ts";
import { Dataset } from "../../src/data/dataset.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { valueAndGrad } from "../../src/functions.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as layers from "../../src/layers/index.ts";
import { Layer } from "../../src/layers/layer.ts";
import { input } from "../../src/models/input.ts";
import { loadModel } from "../../src/models/loading.ts";
import { Model, model } from "../../src/models/model.ts";
import { Sequential, sequential } from "../../src/models/sequential.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import type { LossData, StepData } from "../../src/training/steps.ts";
import "../../src/training/attach.ts";
import { availableEngines } from "../helpers/engines.ts";
import { rejected } from "../helpers/thrown.ts";

const ROWS = 22;
const waves = (columns: number, shift: number) =>
  new Tensor(
    Float32Array.from({ length: ROWS * columns }, (_, i) => Math.sin(i * 1.7 + shift)),
    [ROWS, columns],
    "float32",
  );
const x = waves(3, 0);
const y = waves(2, 1);
const w = Float32Array.from({ length: ROWS }, (_, i) => 0.25 * (i % 5));

/** The error of a reconstruction as the layer's own loss. */
class Rebuilt extends Layer {
  override call([from, to]: readonly Value[]): Value {
    this.addLoss(ops.mean(ops.square(ops.subtract(from!, to!))));
    return to!;
  }
}

function connect() {
  const from = input({ shape: [3] });
  const hidden = layers.dense({ units: 4, activation: "tanh", name: "hidden" }).apply(from);
  const dropped = layers.dropout({ rate: 0.2 }).apply(hidden);
  return { inputs: from, outputs: layers.dense({ units: 2, name: "out" }).apply(dropped), seed: 5 };
}

const mse = (yTrue: Value, yPred: Value) => ops.mean(ops.square(ops.subtract(yTrue, yPred)));

/** What compile with "mse" does, by hand. */
class ByHand extends Model {
  override trainStep({ x, y }: StepData) {
    const loss = (x: Value) => mse(y, this.apply(x, { training: true }));
    const { value, gradient } = valueAndGrad(loss, { wrt: this.trainableWeights })(x);
    this.optimizer!.apply(gradient, this.trainableWeights);
    return { loss: value, size: ops.mean(ops.abs(y)) };
  }
  override testStep({ x, y }: StepData) {
    return { loss: mse(y, this.apply(x)) };
  }
}

class Bounded extends Model {
  override computeLoss({ yPred, loss, sampleWeight, training }: LossData): Value {
    const penalty = ops.multiply(ops.mean(ops.square(yPred)), training ? 0.1 : 0);
    return ops.add(loss!, sampleWeight ? ops.multiply(penalty, 0) : penalty);
  }
}

/** Two networks against each other, trained in turn within one step. */
class Gan extends Model {
  private readonly criticOptimizer = optimizers.adam({ learningRate: 0.01, beta1: 0.5 });
  constructor(
    readonly maker: Sequential,
    readonly critic: Sequential,
  ) {
    super({ inputs: maker.inputs, outputs: maker.outputs, seed: 1 });
  }
  override trainStep({ x, y: real }: StepData) {
    const noise = ops.random.normal(x.shape);
    const judge = (v: Value) => this.critic.apply(v, { training: true });
    const cross = (logits: Value, target: number) =>
      ops.mean(ops.softplus(ops.multiply(logits, target === 1 ? -1 : 1)));
    const made = this.maker.apply(noise, { training: true });
    const criticLoss = (real: Value) =>
      ops.add(cross(judge(real), 1), cross(judge(ops.stopGradient(made)), 0));
    const critic = valueAndGrad(criticLoss, { wrt: this.critic.trainableWeights })(real);
    this.criticOptimizer.apply(critic.gradient, this.critic.trainableWeights);
    const makerLoss = (noise: Value) => cross(judge(this.maker.apply(noise, { training: true })), 1);
    const maker = valueAndGrad(makerLoss, { wrt: this.maker.trainableWeights })(noise);
    this.optimizer!.apply(maker.gradient, this.maker.trainableWeights);
    return { criticLoss: critic.value, makerLoss: maker.value };
  }
}

const quiet = { verbose: 0, batchSize: 4, epochs: 3, seed: 2 } as const;

describe.each(availableEngines().map((engine) => [engine.name, engine] as const))(
  "on the %s engine",
  (_, engine: Engine) => {
    const sgd = () => optimizers.sgd({ learningRate: 0.1 });

    it("a step by hand does what compile says", async () => {
      const [own, usual] = [new ByHand(connect()), model(connect())];
      own.compile({ optimizer: sgd(), engine });
      usual.compile({ optimizer: sgd(), loss: "mse", engine });
      const ours = await own.fit(x, y, { ...quiet, validationData: [x, y] });
      const theirs = await usual.fit(x, y, { ...quiet, validationData: [x, y] });
      expect(ours.history.loss!.map((v) => v.toFixed(5))).toEqual(
        theirs.history.loss!.map((v) => v.toFixed(5)),
      );
      expect(ours.history.valLoss!.map((v) => v.toFixed(5))).toEqual(
        theirs.history.valLoss!.map((v) => v.toFixed(5)),
      );
      expect(ours.history.size).toHaveLength(3);
      own.getWeights().forEach((t, i) => {
        t.data.forEach((v, j) => {
          expect(v).toBeCloseTo(usual.getWeights()[i]!.data[j]!, 5);
        });
      });
      expect(Object.keys(await own.trainOnBatch(x, y))).toEqual(["loss", "size"]);
      expect(Object.keys(await own.testOnBatch(x, y))).toEqual(["loss"]);
    });

    it("computeLoss changes what compile's losses come to", async () => {
      const own = new Bounded(connect());
      own.compile({ optimizer: sgd(), loss: "mse", metrics: ["mse"], engine });
      const logs = await own.trainOnBatch(x, y);
      expect(logs.loss).toBeGreaterThan(logs.mse!);
      const tested = await own.testOnBatch(x, y);
      expect(tested.loss).toBeCloseTo(tested.mse!, 6);
      const plain = model(connect());
      plain.compile({ optimizer: sgd(), loss: "mse", engine });
      const weighed = new Bounded(connect());
      weighed.compile({ optimizer: sgd(), loss: "mse", engine });
      const options = { sampleWeight: w };
      for (const m of [plain, weighed]) await m.fit(x, y, { ...quiet, ...options });
      weighed.getWeights().forEach((t, i) => {
        t.data.forEach((v, j) => {
          expect(v).toBeCloseTo(plain.getWeights()[i]!.data[j]!, 5);
        });
      });
    });

    it("losses of layers are enough, and need no targets", async () => {
      const build = () => {
        const from = input({ shape: [3] });
        const hidden = layers.dense({ units: 4, activation: "tanh" }).apply(from);
        return { from, to: layers.dense({ units: 3 }).apply(hidden) };
      };
      const [a, b] = [build(), build()];
      const own = model({ inputs: a.from, outputs: new Rebuilt().apply([a.from, a.to]), seed: 5 });
      const usual = model({ inputs: b.from, outputs: b.to, seed: 5 });
      own.compile({ optimizer: sgd(), engine });
      usual.compile({ optimizer: sgd(), loss: "mse", engine });
      await usual.fit(x, x, { ...quiet, shuffle: false });
      const rows = Dataset.fromTensorSlices(x).batch(4);
      await own.fit(x, null, { ...quiet, epochs: 1, shuffle: false });
      await own.fit(rows as never, { verbose: 0, epochs: 1 });
      await own.fit(
        rows.map((batch) => ({ x: batch as Tensor })),
        { verbose: 0, epochs: 1 },
      );
      own.getWeights().forEach((t, i) => {
        t.data.forEach((v, j) => {
          expect(v).toBeCloseTo(usual.getWeights()[i]!.data[j]!, 5);
        });
      });
      const { loss } = await own.evaluate(x, null, { verbose: 0 });
      expect(loss).toBeCloseTo((await usual.evaluate(x, x, { verbose: 0 })).loss!, 5);
    });

    it("two networks train against each other in one step", async () => {
      const maker = sequential([
        layers.dense({ units: 8, activation: "tanh", inputShape: [2] }),
        layers.dense({ units: 1 }),
      ]);
      const critic = sequential([
        layers.dense({ units: 8, activation: "tanh", inputShape: [1] }),
        layers.dense({ units: 1 }),
      ]);
      const gan = new Gan(maker, critic);
      gan.compile({ optimizer: optimizers.adam({ learningRate: 0.01, beta1: 0.5 }), engine });
      const real = new Tensor(
        Float32Array.from({ length: 32 }, (_, i) => 3 + 0.1 * Math.sin(i * 1.7)),
        [32, 1],
        "float32",
      );
      const zeros = new Tensor(new Float32Array(64), [32, 2], "float32");
      const { history } = await gan.fit(zeros, real, {
        epochs: 300,
        batchSize: 32,
        verbose: 0,
        seed: 3,
      });
      expect(Object.keys(history)).toEqual(["criticLoss", "makerLoss"]);
      const made = (await gan.predict(waves(2, 4))).data;
      const mean = Array.from(made).reduce((sum, v) => sum + v, 0) / made.length;
      expect(Math.abs(mean - 3)).toBeLessThan(0.3);
    });
  },
);

it("a subclass is saved and loaded as what it is, and goes on", async () => {
  class Chain extends Sequential {
    override computeLoss({ loss }: LossData) {
      return ops.multiply(loss!, 2);
    }
  }
  const folder = await mkdtemp(join(tmpdir(), "own-steps-"));
  try {
    const made = [
      new Bounded(connect()),
      new Chain([layers.dense({ units: 2, inputShape: [3] })], { seed: 4 }),
    ];
    for (const m of made) {
      m.compile({ optimizer: "adam", loss: "mse" });
      await m.fit(x, y, quiet);
      await m.save(folder);
      expect((await rejected(loadModel(folder))).message).toContain(`unknown layer class "${m.className}"`);
      const again = await loadModel(folder, { customLayers: [Bounded, Chain] });
      expect(again).toBeInstanceOf(m.constructor);
      expect(await again.trainOnBatch(x, y)).toEqual(await m.trainOnBatch(x, y));
      expect(again.getWeights()).toEqual(m.getWeights());
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("steps of a model's own are refused", () => {
  const failing = (step: () => unknown) => {
    class Failing extends Model {
      override trainStep() {
        return step() as never;
      }
    }
    const m = new Failing(connect());
    m.compile({ optimizer: "sgd" });
    return m;
  };
  const one = () => ops.ones([]);

  it.each([
    ["without a record", () => one(), "trainStep: expected a record of scalars to be logged, got"],
    ["with nothing in it", () => ({}), "trainStep: expected a record of scalars"],
    [
      "with vectors",
      () => ({ loss: ops.ones([2]) }),
      "trainStep: loss: expected a scalar made with ops, got float32[2]",
    ],
    ["with numbers", () => ({ loss: 3 }), "trainStep: loss: expected a scalar made with ops, got 3"],
  ])("%s", async (_, step, message) => {
    expect((await rejected(failing(step).fit(x, y, quiet))).message).toContain(message);
  });

  it("where NaN is looked for", async () => {
    const m = failing(() => ({ loss: one() }));
    expect((await rejected(m.diagnoseNaN(x, y))).message).toContain("with a trainStep of its own");
    expect((await rejected(m.fit(x, y, { ...quiet, debug: { nan: true } }))).message).toContain(
      "no debug.nan",
    );
    await m.fit(x, y, quiet);
  });

  it("when computeLoss gives no scalar", async () => {
    class Wrong extends Model {
      override computeLoss({ yPred }: LossData) {
        return yPred;
      }
    }
    const m = new Wrong(connect());
    m.compile({ optimizer: "sgd" });
    expect((await rejected(m.fit(x, y, quiet))).message).toContain(
      "computeLoss: expected a scalar made with ops, got float32[4,2]",
    );
  });
});
