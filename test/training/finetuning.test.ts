// Frozen layers, cut and regrown models, training batch by batch: against recorded Keras trainings on both engines.

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { type NestedArray, Tensor, tensor } from "../../src/core/tensor.ts";
import type { Engine } from "../../src/engine/engine.ts";
import * as layers from "../../src/layers/index.ts";
import { input } from "../../src/models/input.ts";
import { loadModel } from "../../src/models/loading.ts";
import { type Model, model } from "../../src/models/model.ts";
import { type Sequential, sequential } from "../../src/models/sequential.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import "../../src/training/attach.ts";
import { availableEngines } from "../helpers/engines.ts";

interface Weights {
  readonly [layer: string]: readonly (readonly number[])[];
}
const fixture = JSON.parse(readFileSync(new URL("../fixtures/finetuning.json", import.meta.url), "utf8")) as {
  data: Record<string, NestedArray>;
  phases: { frozen: string[]; history: Record<string, number[]>; weights: Weights }[];
  batches: {
    calls: { kind: "train" | "test"; options: string[]; negative: boolean; logs: Record<string, number> }[];
    weights: Weights;
  };
};
const x = tensor(fixture.data.x!);
const y = tensor(fixture.data.y!);
const labels = tensor(Int32Array.from(fixture.data.labels as number[]));
const w = tensor(fixture.data.w!);

/** As the recording script fills weights. */
const wave = (shape: readonly number[], shift: number, change = (v: number) => v) => {
  const n = shape.reduce((a, b) => a * b, 1);
  const of = (_: unknown, i: number) => change(Math.round(Math.sin(i * 1.7 + shift) * 1000) / 1000);
  return tensor(Float32Array.from({ length: n }, of), shape);
};

function base(): Sequential {
  const m = sequential([
    layers.dense({ units: 4, activation: "tanh", inputShape: [3], name: "first" }),
    layers.batchNormalization({ momentum: 0.8, name: "norm" }),
    layers.dense({ units: 3, name: "old" }),
  ]);
  m.layers.forEach((layer, i) => {
    const change = layer.name === "norm" ? (v: number) => Math.abs(v) + 0.2 : undefined;
    layer.setWeights(layer.weights.map((v, j) => wave(v.shape, i + j, change)));
  });
  return m;
}

/** The base without its last layer, under a new head. */
function withHead(from: Sequential): Model {
  const head = layers.dense({ units: 1, name: "head" });
  const m = model({ inputs: from.inputs, outputs: head.apply(from.getLayer("norm").output as never) });
  head.setWeights(head.weights.map((v, j) => wave(v.shape, 7 + j)));
  return m;
}

function expectWeights(m: Model, recorded: Weights) {
  for (const [layer, arrays] of Object.entries(recorded)) {
    const ours = m.getLayer(layer).weights.map((v) => v.read().data);
    arrays.forEach((values, i) => {
      values.forEach((v, j) => {
        expect(ours[i]![j], `${layer} ${i}[${j}]`).toBeCloseTo(v, 4);
      });
    });
  }
}

const quiet = { verbose: 0, shuffle: false, batchSize: 4, epochs: 2 } as const;
const valuesOf = (m: Model, layer: string) =>
  m
    .getLayer(layer)
    .getWeights()
    .map((t) => [...t.data]);

describe.each(availableEngines().map((engine) => [engine.name, engine] as const))(
  "as Keras on the %s engine",
  (_, engine: Engine) => {
    it("trains a new head on a frozen base, then the base", async () => {
      const m = withHead(base());
      const ways = [
        optimizers.adam({ learningRate: 0.05 }),
        optimizers.sgd({ learningRate: 0.1, momentum: 0.9 }),
        optimizers.adam({ learningRate: 0.01 }),
      ];
      for (const [i, { frozen, history: theirs, weights }] of fixture.phases.entries()) {
        for (const layer of m.layers) layer.trainable = !frozen.includes(layer.name);
        const before = frozen.map((name) => valuesOf(m, name));
        m.compile({ optimizer: ways[i], loss: "mse", engine });
        const { history } = await m.fit(x, y, { ...quiet, validationData: [x, y] });
        for (const key of ["loss", "valLoss"]) {
          theirs[key]!.forEach((v, e) => {
            expect(history[key]![e], `phase ${i} ${key}[${e}]`).toBeCloseTo(v, 4);
          });
        }
        expectWeights(m, weights);
        // Not a bit of what is frozen moves, statistics of batches included.
        expect(frozen.map((name) => valuesOf(m, name))).toEqual(before);
      }
    });

    it("trains and tests batch by batch, each call counting for itself", async () => {
      const m = sequential([
        layers.dense({ units: 3, activation: "softmax", inputShape: [3], name: "dense" }),
      ]);
      m.layers[0]!.setWeights([wave([3, 3], 0.5), wave([3], 1.5)]);
      m.compile({
        optimizer: optimizers.sgd({ learningRate: 0.1 }),
        loss: "sparseCategoricalCrossentropy",
        metrics: ["accuracy"],
        weightedMetrics: ["accuracy"],
        engine,
      });
      const negative = new Tensor(w.data.map((v) => -v) as Float32Array, w.shape, "float32");
      for (const call of fixture.batches.calls) {
        const options = {
          ...(call.options.includes("sample_weight") ? { sampleWeight: call.negative ? negative : w } : {}),
          ...(call.options.includes("class_weight") ? { classWeight: { 0: 2, 2: 0.25 } } : {}),
        };
        const logs =
          call.kind === "train"
            ? await m.trainOnBatch(x, labels, options)
            : await m.testOnBatch(x, labels, options);
        expect(logs.loss).toBeCloseTo(call.logs.loss!, 5);
        expect(logs.accuracy).toBeCloseTo(call.logs.accuracy!, 5);
        expect(logs.accuracy_1).toBeCloseTo(call.logs.weighted_accuracy!, 5);
      }
      expectWeights(m, fixture.batches.weights);
    });
  },
);

describe("trainable", () => {
  it("changes with the next compile, whatever shapes come until then", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const [m, untouched] = [withHead(base()), withHead(base())];
    const optimizer = () => optimizers.sgd({ learningRate: 0.1 });
    for (const each of [m, untouched]) each.compile({ optimizer: optimizer(), loss: "mse" });
    await m.fit(x, y, quiet);
    await untouched.fit(x, y, quiet);
    expect(warn).not.toHaveBeenCalled();
    m.getLayer("first").trainable = false;
    m.getLayer("norm").trainable = false;
    await m.fit(x, y, { ...quiet, batchSize: 3 });
    await m.trainOnBatch(x, y);
    await untouched.fit(x, y, { ...quiet, batchSize: 3 });
    await untouched.trainOnBatch(x, y);
    expect(m.getWeights()).toEqual(untouched.getWeights());
    expect(warn.mock.calls).toEqual([
      [
        "myelin: fit: trainable of first, norm has changed since compile, which takes effect with the next compile",
      ],
    ]);
    expect(m.getLayer("first").trainable).toBe(false);
    const before = ["first", "norm"].map((name) => valuesOf(m, name));
    m.compile({ optimizer: optimizer(), loss: "mse" });
    await m.fit(x, y, quiet);
    expect(["first", "norm"].map((name) => valuesOf(m, name))).toEqual(before);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });

  it("lets two models train their shares of the same layers", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const critic = sequential([
      layers.dense({ units: 4, activation: "tanh", inputShape: [3], name: "seen" }),
      layers.batchNormalization({ name: "norm" }),
      layers.dense({ units: 1, activation: "sigmoid", name: "verdict" }),
    ]);
    critic.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: "binaryCrossentropy" });
    critic.trainable = false;
    const z = input({ shape: [2] });
    const maker = layers.dense({ units: 3, name: "maker" });
    const both = model({ inputs: z, outputs: critic.apply(maker.apply(z)) });
    both.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: "binaryCrossentropy" });
    const ones = new Float32Array(10).fill(1);
    const noise = wave([10, 2], 1);
    const [made, judged] = [maker.getWeights(), critic.getWeights()];
    await both.trainOnBatch(noise, ones);
    expect(critic.getWeights()).toEqual(judged);
    expect(maker.getWeights()).not.toEqual(made);
    const madeNow = maker.getWeights();
    await critic.trainOnBatch(x, ones);
    expect(maker.getWeights()).toEqual(madeNow);
    critic.getWeights().forEach((t, i) => {
      expect(t, `weight ${i}`).not.toEqual(judged[i]);
    });
    warn.mockRestore();
  });

  it("is saved, and a loaded model goes on as its original", async () => {
    const folder = await mkdtemp(join(tmpdir(), "finetuning-"));
    try {
      const m = withHead(base());
      m.getLayer("first").trainable = false;
      m.compile({ optimizer: optimizers.adam({ learningRate: 0.01 }), loss: "mse" });
      await m.fit(x, y, quiet);
      await m.save(folder);
      const again = await loadModel(folder);
      expect(again.getLayer("first").trainable).toBe(false);
      await m.fit(x, y, quiet);
      await again.fit(x, y, quiet);
      expect(again.getWeights()).toEqual(m.getWeights());
      expect(valuesOf(again, "first")).toEqual(valuesOf(base(), "first"));
      // Let go without compiling: the file's model begins with what the flags say then.
      m.getLayer("first").trainable = true;
      await m.save(folder);
      const free = await loadModel(folder);
      await free.fit(x, y, quiet);
      expect(valuesOf(free, "first")).not.toEqual(valuesOf(m, "first"));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("false freezes a model used as a layer; a call may be told to stay as it is", async () => {
    const inner = base();
    inner.trainable = false;
    const z = input({ shape: [3] });
    const features = inner.apply(z, { training: false });
    const m = model({ inputs: z, outputs: layers.dense({ units: 1 }).apply(features) });
    m.compile({ optimizer: "adam", loss: "mse" });
    expect(m.trainableWeights).toHaveLength(2);
    const before = inner.getWeights();
    await m.fit(x, y, quiet);
    expect(inner.getWeights()).toEqual(before);
    inner.trainable = true;
    m.compile({ optimizer: "adam", loss: "mse" });
    await m.fit(x, y, quiet);
    // Thawed, its weights move; told to run as in inference, its statistics do not.
    expect(inner.getLayer("norm").getWeights()[2]).toEqual(before[4]);
    expect(inner.getWeights()[0]).not.toEqual(before[0]);
  });
});
