// Regularizers, constraints and losses that layers add: training steps against recorded ones of Keras, configurations,
// and what is refused.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type NestedArray, type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { constraints, input, Layer, layers, type Model, model, modelFromJSON, ops, optimizers, regularizers, sequential } from "../../src/index.ts"; // biome-ignore format: one line
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

interface Case {
  name: keyof typeof LAYERS;
  shape: number[];
  outputShape: number[];
  ids?: NestedArray;
  evaluated: number;
  losses: number[];
  weights: number[][];
}

const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/regularization.json", import.meta.url), "utf8"),
) as { cases: Case[] };

/** As the recording script fills weights. */
function wave(shape: readonly number[], shift: number): Tensor {
  const n = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from(
    { length: n },
    (_, i) => Math.round(Math.sin(i * 1.7 + shift) * 1000) / 1000,
  );
  return tensor(values, shape);
}

const r = regularizers;
const c = constraints;
const l2 = (factor: number) => r.l2({ l2: factor });
const l1 = (factor: number) => r.l1({ l1: factor });

const LAYERS = {
  dense: () =>
    layers.dense({
      units: 3,
      kernelRegularizer: l2(0.1),
      biasRegularizer: l1(0.2),
      activityRegularizer: r.l1l2({ l1: 0.03, l2: 0.05 }),
      kernelConstraint: c.maxNorm({ maxValue: 0.7 }),
      biasConstraint: c.nonNeg(),
    }),
  orthogonalRows: () =>
    layers.dense({ units: 3, kernelRegularizer: r.orthogonalRegularizer({ factor: 0.5 }) }),
  orthogonalColumns: () =>
    layers.dense({ units: 3, kernelRegularizer: r.orthogonalRegularizer({ factor: 0.5, mode: "columns" }) }),
  named: () =>
    layers.dense({ units: 3, kernelRegularizer: "l1", biasRegularizer: "l2", activityRegularizer: "l2" }),
  einsumDense: () =>
    layers.einsumDense({
      equation: "abc,cd->abd",
      outputShape: [2, 3],
      biasAxes: "d",
      kernelRegularizer: l2(0.1),
      biasConstraint: "nonNeg",
      kernelConstraint: "unitNorm",
    }),
  conv2d: () =>
    layers.conv2d({
      filters: 2,
      kernelSize: 2,
      kernelRegularizer: l1(0.1),
      biasRegularizer: l2(0.1),
      activityRegularizer: l2(0.01),
      kernelConstraint: c.minMaxNorm({ minValue: 0.2, maxValue: 0.9, rate: 0.5, axis: [0, 1, 2] }),
    }),
  depthwiseConv2d: () =>
    layers.depthwiseConv2d({
      kernelSize: 2,
      depthwiseRegularizer: l2(0.1),
      depthwiseConstraint: c.maxNorm({ maxValue: 0.5, axis: [0, 1] }),
    }),
  separableConv2d: () =>
    layers.separableConv2d({
      filters: 2,
      kernelSize: 2,
      depthwiseRegularizer: l2(0.1),
      pointwiseRegularizer: l1(0.1),
      pointwiseConstraint: c.nonNeg(),
      biasRegularizer: l2(0.2),
    }),
  lstm: () =>
    layers.lstm({
      units: 2,
      kernelRegularizer: l2(0.1),
      recurrentRegularizer: l1(0.05),
      biasRegularizer: l2(0.1),
      recurrentConstraint: c.maxNorm({ maxValue: 0.8 }),
      activityRegularizer: l2(0.1),
    }),
  gru: () =>
    layers.gru({
      units: 2,
      kernelConstraint: "unitNorm",
      recurrentRegularizer: l2(0.1),
      biasConstraint: "nonNeg",
    }),
  layerNormalization: () =>
    layers.layerNormalization({
      gammaRegularizer: l2(0.1),
      betaRegularizer: l1(0.1),
      gammaConstraint: "nonNeg",
      betaConstraint: "nonNeg",
    }),
  prelu: () => layers.prelu({ alphaRegularizer: l1(0.2), alphaConstraint: "nonNeg" }),
  multiHeadAttention: () =>
    layers.multiHeadAttention({
      numHeads: 2,
      keyDim: 3,
      kernelRegularizer: l2(0.1),
      biasRegularizer: l1(0.1),
      activityRegularizer: l2(0.02),
      kernelConstraint: c.maxNorm({ maxValue: 0.6 }),
    }),
  activityRegularization: () => layers.activityRegularization({ l1: 0.1, l2: 0.2 }),
  embedding: () =>
    layers.embedding({
      inputDim: 5,
      outputDim: 3,
      embeddingsRegularizer: l2(0.1),
      embeddingsConstraint: c.unitNorm({ axis: 1 }),
    }),
};

/** A dense layer in front, as recorded, then the layer. */
function build({ name, shape, ids }: Case): { model: Model; layer: Layer } {
  const layer = LAYERS[name]() as Layer;
  const x = input({ shape, dtype: ids ? "int32" : "float32" });
  const first = layers.dense({ units: shape.at(-1)! });
  const h = ids ? x : first.apply(x);
  const y = layer.apply(name === "multiHeadAttention" ? [h, h] : h);
  const made = model({ inputs: x, outputs: y });
  const parts: Layer[] = ids ? [layer] : [first, layer];
  parts.forEach((part, i) => {
    part.setWeights(part.weights.map((w, k) => wave(w.shape, (ids ? 5 : i * 5) + k)));
  });
  return { model: made, layer };
}

describe.each(availableEngines().map((e) => [e.name, e] as const))(
  "as Keras on the %s engine",
  (_, engine) => {
    it.each(fixture.cases.map((x) => [x.name, x] as const))("%s", async (_, recorded) => {
      const { model, layer } = build(recorded);
      const x = recorded.ids ? tensor(recorded.ids, undefined, "int32") : wave([5, ...recorded.shape], 1);
      const y = wave([5, ...recorded.outputShape], 2);
      model.compile({ engine, optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: "meanSquaredError" });
      expect((await model.evaluate(x, y, { verbose: 0 })).loss).toBeCloseTo(recorded.evaluated, 4);
      // Keras gives the mean of the steps so far; ours are each step's own.
      const first = (await model.trainOnBatch(x, y)).loss!;
      const second = (await model.trainOnBatch(x, y)).loss!;
      expect(first).toBeCloseTo(recorded.losses[0]!, 4);
      expect(second).toBeCloseTo(recorded.losses[1]!, 4);
      recorded.weights.forEach((values, i) => {
        const ours = layer.weights[i]!.read().data;
        values.forEach((v, j) => {
          expect(ours[j], `weight ${i}[${j}]`).toBeCloseTo(v, 5);
        });
      });
    });
  },
);

describe("configurations", () => {
  it.each(fixture.cases.map((x) => [x.name, x] as const))("%s makes itself again", (_, recorded) => {
    const { model } = build(recorded);
    const json = JSON.parse(JSON.stringify(model.toJSON())) as ReturnType<Model["toJSON"]>;
    expect(modelFromJSON(json).toJSON()).toEqual(json);
  });

  it("hold every option", () => {
    const { kernelRegularizer, kernelConstraint, activityRegularizer } = layers
      .dense({ units: 1, kernelRegularizer: l1(0.5), kernelConstraint: c.minMaxNorm({ rate: 0.5, axis: [0] }), activityRegularizer: r.orthogonalRegularizer({ mode: "columns" }) }) // biome-ignore format: one line
      .getConfig();
    expect(kernelRegularizer).toEqual({ className: "L1", config: { l1: 0.5 } });
    expect(kernelConstraint).toEqual({ className: "MinMaxNorm", config: { minValue: 0, maxValue: 1, rate: 0.5, axis: [0] } }); // biome-ignore format: one line
    expect(activityRegularizer).toEqual({ className: "OrthogonalRegularizer", config: { factor: 0.01, mode: "columns" } }); // biome-ignore format: one line
  });

  it("refuse functions with a reason", () => {
    const layer = layers.dense({ units: 1, kernelRegularizer: (x) => ops.sum(ops.abs(x)) });
    expect(thrown(() => layer.getConfig()).message).toContain("got a function");
  });
});

describe("own rules", () => {
  const x = wave([6, 3], 1);
  const y = wave([6, 1], 2);

  it("are functions of a weight, and only count while the weight is trained", async () => {
    const layer = layers.dense({
      units: 1,
      inputShape: [3],
      kernelRegularizer: (w) => ops.multiply(ops.sum(ops.abs(w)), 0.1),
      kernelConstraint: (w) => ops.clip(w, -0.25, 0.25),
    });
    const m = sequential([layer]);
    m.compile({ optimizer: "sgd", loss: "mse", metrics: ["mse"] });
    await m.trainOnBatch(x, y);
    const kernel = layer.kernel.read().data as Float32Array;
    expect(Math.max(...kernel.map(Math.abs))).toBeLessThanOrEqual(0.25);
    const { loss, mse } = await m.evaluate(x, y, { verbose: 0 });
    const penalty = 0.1 * kernel.reduce((a, b) => a + Math.abs(b), 0);
    expect(loss! - mse!).toBeCloseTo(penalty, 5);
    layer.trainable = false;
    m.compile({ optimizer: "sgd", loss: "mse", metrics: ["mse"] });
    const frozen = await m.evaluate(x, y, { verbose: 0 });
    expect(frozen.loss).toBeCloseTo(frozen.mse!, 6);
  });

  it("are losses that a layer adds in its call", async () => {
    class Charging extends Layer {
      override call(x: Value): Value {
        this.addLoss(ops.mean(ops.square(x)));
        return x;
      }
    }
    const m = sequential([new Charging({ inputShape: [3] }), layers.dense({ units: 1 })]);
    m.compile({ optimizer: "sgd", loss: "mse", metrics: ["mse"] });
    const { loss, mse } = await m.evaluate(x, y, { verbose: 0 });
    const mean = Array.from(x.data).reduce((a, b) => a + b * b, 0) / x.size;
    expect(loss! - mse!).toBeCloseTo(mean, 5);
  });
});

it("refuses wrong options", () => {
  const wrong: [() => unknown, RegExp][] = [
    [() => layers.dense({ units: 1, kernelRegularizer: "l3" as never }), /unknown kernelRegularizer "l3"/],
    [
      () => layers.dense({ units: 1, kernelRegularizer: 3 as never }),
      /expected kernelRegularizer to be a name, a regularizer/,
    ],
    [() => layers.dense({ units: 1, kernelConstraint: "l2" as never }), /unknown kernelConstraint/],
    [() => layers.flatten({ kernelRegularizer: "l2" } as never), /unknown option "kernelRegularizer"/],
    [
      () => layers.dense({ units: 1, kernelRegularizer: { className: "L9", config: {} } }),
      /unknown regularizer "L9"/,
    ],
    [() => r.l1({ l1: -1 }), /l1 to be a number of at least 0, got -1/],
    [() => r.l2({ l: 1 } as never), /unknown option "l"/],
    [() => r.orthogonalRegularizer({ mode: "diagonal" as never }), /unknown mode/],
    [() => c.maxNorm({ maxValue: -1 }), /maxValue to be a number of at least 0/],
    [() => c.maxNorm({ axis: "0" as never }), /axis to be whole numbers/],
    [() => c.minMaxNorm({ minValue: 2, maxValue: 1 }), /maxValue to be a number of at least 2/],
    [() => c.minMaxNorm({ rate: 2 }), /rate to be a number in \[0, 1\]/],
    [() => layers.activityRegularization({ l1: -1 }), /l1 to be a number of at least 0/],
  ];
  for (const [call, message] of wrong) expect(thrown(call).message).toMatch(message);
});
