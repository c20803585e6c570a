// Sample weights, class weights and several outputs, against recorded Keras trainings on both engines; and what is refused.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type NestedArray, Tensor, tensor } from "../../src/core/tensor.ts";
import type { Engine } from "../../src/engine/engine.ts";
import * as layers from "../../src/layers/index.ts";
import { input } from "../../src/models/input.ts";
import { type Model, model } from "../../src/models/model.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import type { FitOptions } from "../../src/training/fit-options.ts";
import type { CompileOptions } from "../../src/training/trainer.ts";
import "../../src/training/attach.ts";
import { availableEngines } from "../helpers/engines.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

interface Case {
  name: string;
  history: Record<string, number[]>;
  /** By layer. */
  weights: Record<string, number[][]>;
}

const fixture = JSON.parse(readFileSync(new URL("../fixtures/weighting.json", import.meta.url), "utf8")) as {
  data: Record<string, NestedArray>;
  cases: Case[];
};
const data = (name: string) => tensor(fixture.data[name]!);
const reversed = (t: Tensor) => new Tensor(t.data.slice().reverse() as Float32Array, t.shape, "float32");
const recorded = (name: string) => fixture.cases.find((c) => c.name === name)!;

/** As the recording script fills kernels. */
const wave = (shape: readonly number[], shift: number) => {
  const n = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: n }, (_, i) => Math.round(Math.sin(i * 1.7 + shift) * 1000) / 1000); // biome-ignore format: one line
  return tensor(values, shape);
};

function fill(
  layer: { weights: readonly { shape: readonly number[] }[]; setWeights(w: Tensor[]): void },
  shift: number,
) {
  layer.setWeights(layer.weights.map((w, i) => wave(w.shape, shift + i)));
}

function dense(units: number, activation: "sigmoid" | "softmax" | "linear", inputShape: number[]): Model {
  const m = sequential([layers.dense({ units, activation, inputShape, name: "dense" })]);
  fill(m.layers[0]!, 0.5);
  return m;
}

async function check(
  name: string,
  m: Model,
  [x, y]: readonly [never, never],
  compile: Omit<CompileOptions, "optimizer">,
  fit: FitOptions,
  rename: Record<string, string> = {},
) {
  m.compile({ ...compile, optimizer: optimizers.sgd({ learningRate: 0.1 }) });
  const { history } = await m.fit(x, y, { ...fit, epochs: 2, batchSize: 4, shuffle: false, verbose: 0 });
  const { history: theirs, weights } = recorded(name);
  for (const [key, values] of Object.entries(theirs)) {
    const ours = history[rename[key] ?? key];
    expect(ours, key).toHaveLength(values.length);
    values.forEach((v, i) => {
      expect(ours![i], `${key}[${i}]`).toBeCloseTo(v, 5);
    });
  }
  for (const [layer, arrays] of Object.entries(weights)) {
    const ours = m.getLayer(layer).weights.map((w) => w.read().data);
    arrays.forEach((values, i) => {
      values.forEach((v, j) => {
        expect(ours[i]![j], `${layer} ${i}[${j}]`).toBeCloseTo(v, 5);
      });
    });
  }
}

function twoInputs(): Model {
  const [a, b] = [input({ shape: [3], name: "a" }), input({ shape: [3], name: "b" })];
  const shared = layers.dense({ units: 4, activation: "tanh", name: "shared" });
  const joined = layers.concatenate().apply([shared.apply(a), shared.apply(b)]);
  const value = layers.dense({ units: 1, name: "value" });
  const kind = layers.dense({ units: 3, activation: "softmax", name: "kind" });
  const extra = layers.dense({ units: 2, name: "extra" });
  const outputs = { value: value.apply(joined), kind: kind.apply(joined), extra: extra.apply(joined) };
  const m = model({ inputs: { a, b }, outputs });
  for (const [i, layer] of [shared, value, kind, extra].entries()) fill(layer, i + 0.25);
  return m;
}

const engines = availableEngines();

describe.each(engines.map((engine) => [engine.name, engine] as const))(
  "as Keras on the %s engine",
  (_, engine: Engine) => {
    const binary = [data("x"), data("binary")] as const;

    it("weighs samples", () =>
      check(
        "sampleWeight",
        dense(1, "sigmoid", [3]),
        binary as never,
        { engine, loss: "binaryCrossentropy", metrics: ["accuracy"], weightedMetrics: ["accuracy", "mse"] },
        { sampleWeight: data("w"), validationData: [...binary, reversed(data("w"))] },
        {
          val_loss: "valLoss",
          val_accuracy: "valAccuracy",
          weighted_accuracy: "accuracy_1",
          val_weighted_accuracy: "valAccuracy_1",
          val_mse: "valMse",
        },
      ));

    const classWeight = { 0: 2, 2: 0.25 };
    it("weighs classes by label", () =>
    check("classWeight", dense(3, "softmax", [3]), [data("x"), data("labels")] as never, { engine, loss: "sparseCategoricalCrossentropy", weightedMetrics: ["accuracy"] }, { classWeight })); // biome-ignore format: one line
    it("weighs classes of one-hot rows", () =>
    check("classWeightOneHot", dense(3, "softmax", [3]), [data("x"), data("oneHot")] as never, { engine, loss: "categoricalCrossentropy" }, { classWeight: new Map(Object.entries(classWeight).map(([k, v]) => [Number(k), v])) })); // biome-ignore format: one line
    it("weighs the two classes of one output", () =>
    check("classWeightBinary", dense(1, "sigmoid", [3]), binary as never, { engine, loss: "binaryCrossentropy" }, { classWeight: { 0: 0.5, 1: 3 } })); // biome-ignore format: one line
    it("weighs steps of a sequence", () =>
    check("temporal", dense(1, "linear", [4, 3]), [data("xs"), data("series")] as never, { engine, loss: "meanSquaredError", weightedMetrics: ["mae"] }, { sampleWeight: data("ws") })); // biome-ignore format: one line

    it("trains several outputs, one of them without a loss", () =>
      check(
        "outputs",
        twoInputs(),
        [
          { a: data("x"), b: data("x2") },
          { value: data("value"), kind: data("labels") },
        ] as never,
        {
          engine,
          loss: { value: "mse", kind: "sparseCategoricalCrossentropy" },
          lossWeights: { value: 0.5, kind: 2 },
          metrics: { value: ["mae"], kind: ["accuracy"] },
          weightedMetrics: { value: ["mae"] },
        },
        { sampleWeight: { value: data("w"), kind: reversed(data("w")) } },
        {
          value_loss: "valueLoss",
          kind_loss: "kindLoss",
          value_mae: "valueMae",
          kind_accuracy: "kindAccuracy",
          value_weighted_mae: "valueMae_1",
        },
      ));
  },
);

describe("weights", () => {
  const x = data("x");
  const y = data("binary");
  const compiled = () => {
    const m = dense(1, "sigmoid", [3]);
    m.compile({ optimizer: "sgd", loss: "binaryCrossentropy" });
    return m;
  };

  it("of one leave everything as it is, bit for bit", async () => {
    const [a, b] = [compiled(), compiled()];
    const ones = new Float32Array(10).fill(1);
    await a.fit(x, y, { epochs: 2, batchSize: 4, seed: 1, verbose: 0 });
    await b.fit(x, y, { epochs: 2, batchSize: 4, seed: 1, verbose: 0, classWeight: { 1: 1 } });
    b.weights.forEach((w, i) => {
      w.read().data.forEach((v: number, j: number) => {
        expect(v).toBeCloseTo(a.weights[i]!.read().data[j]!, 6);
      });
    });
    const plain = await a.evaluate(x, y, { verbose: 0 });
    expect((await a.evaluate(x, y, { verbose: 0, sampleWeight: ones })).loss).toBeCloseTo(plain.loss!, 6);
  });

  it("of zero take samples out", async () => {
    const m = compiled();
    const w = Float32Array.from({ length: 10 }, (_, i) => Number(i < 4));
    const part = await m.testOnBatch(x.slice(0, 4), y.slice(0, 4));
    const all = await m.testOnBatch(x, y, { sampleWeight: w });
    expect(all.loss).toBeCloseTo((part.loss! * 4) / 10, 6);
    const before = m.getWeights();
    await m.trainOnBatch(x, y, { sampleWeight: new Float32Array(10) });
    expect(m.getWeights()).toEqual(before);
  });

  it.each([
    [
      "too few",
      { sampleWeight: [1, 2] },
      /fit: sampleWeight: expected one weight per row .* y \[10, 1\], got \[2\]/,
    ],
    [
      "no numbers",
      { sampleWeight: new Float32Array(10).fill(Number.NaN) },
      /sampleWeight: expected finite numbers, got NaN in row 0/,
    ],
    [
      "both kinds",
      { sampleWeight: new Float32Array(10), classWeight: { 0: 1 } },
      /sampleWeight or classWeight, got both/,
    ],
    ["no class", { classWeight: { one: 1 } }, /expected classWeight to give classes/],
    ["a negative one", { classWeight: { 0: -1 } }, /expected classWeight to give classes/],
    ["a list", { classWeight: [1, 2] }, /record of weights by class/],
  ])("refuses %s", async (_, options, message) => {
    const error = await rejected(compiled().fit(x, y, { verbose: 0, ...(options as object) }));
    expect(error.message).toMatch(message);
  });

  it("goes with epochs that are no whole passes", async () => {
    const options = { batchSize: 5, shuffle: false, verbose: 0 } as const;
    const [whole, parted] = [compiled(), compiled()];
    for (const classWeight of [undefined, { 0: 0.5, 1: 3 }]) {
      await whole.fit(x, y, { ...options, epochs: 2, classWeight });
      await parted.fit(x, y, { ...options, epochs: 4, stepsPerEpoch: 1, classWeight });
    }
    expect(parted.getWeights()).toEqual(whole.getWeights());
    const models = [twoInputs(), twoInputs()];
    const given = [
      { a: x, b: data("x2") },
      { value: data("value"), kind: data("labels") },
    ] as const;
    for (const m of models) {
      m.compile({ optimizer: "sgd", loss: { value: "mse", kind: "sparseCategoricalCrossentropy" } });
    }
    const sampleWeight = { kind: data("w") };
    await models[0]!.fit(...given, { ...options, epochs: 1, sampleWeight });
    await models[1]!.fit(...given, { ...options, epochs: 2, stepsPerEpoch: 1, sampleWeight });
    expect(models[1]!.getWeights()).toEqual(models[0]!.getWeights());
  });

  it("refuses class weights for several outputs, targets that are missing, losses for nothing", async () => {
    const m = twoInputs();
    const inputs = { a: x, b: data("x2") };
    m.compile({ optimizer: "sgd", loss: { value: "mse", kind: "sparseCategoricalCrossentropy" } });
    const ys = { value: data("value"), kind: data("labels") };
    expect((await rejected(m.fit(inputs, ys, { classWeight: { 0: 1 }, verbose: 0 }))).message).toContain(
      "use sampleWeight",
    );
    expect((await rejected(m.fit(inputs, { value: data("value") }, { verbose: 0 }))).message).toContain(
      "expected data named value, kind",
    );
    expect(thrown(() => m.compile({ loss: { value: null } })).message).toContain(
      "a loss for at least one output",
    );
    m.compile({ loss: { value: "mse" }, metrics: { extra: ["mae"] } });
    expect((await rejected(m.fit(inputs, { value: data("value") }, { verbose: 0 }))).message).toContain(
      "targets for output extra, got none",
    );
  });
});
