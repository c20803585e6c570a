// Masks: who passes them on, what losses and metrics make of them (against Keras 3.15, scripts/record-masking-fixtures.py),
// and how layers of one's own use them.

import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import type { DType } from "../../src/core/dtype.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as layers from "../../src/layers/index.ts";
import { type CallContext, Layer } from "../../src/layers/layer.ts";
import type { BatchShape } from "../../src/layers/symbolic.ts";
import * as losses from "../../src/losses/index.ts";
import * as metrics from "../../src/metrics/index.ts";
import { input, type Model, model, modelFromJSON, sequential } from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import "../../src/training/index.ts";
import recorded from "../fixtures/masking.json" with { type: "json" };
import { availableEngines } from "../helpers/engines.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { difference } from "../helpers/matcher.ts";
import { thrown } from "../helpers/thrown.ts";

interface Recorded {
  shape: number[];
  dtype: string;
  data: (number | boolean)[];
}

const restore = ({ data, shape, dtype }: Recorded): Tensor => tensor(data.map(Number), shape, dtype as DType);
const factories = layers as unknown as Record<string, (options: object) => Layer>;

let warned: MockInstance;
beforeEach(() => {
  warned = vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => {
  warned.mockRestore();
});

/** The mask of a function's result, as a tensor, or null when it has none. */
function maskAfter(fn: (...xs: Value[]) => Value, inputs: readonly Tensor[]): Tensor | null {
  let has = false;
  const [mask] = evaluate((...xs) => {
    const y = fn(...xs);
    has = layers.maskOf(y) !== null;
    return layers.maskOf(y) ?? y;
  }, inputs);
  return has ? mask! : null;
}

describe("which layers pass masks on, as in Keras", () => {
  recorded.passing.forEach(({ factory, options, masked, mask }, i) => {
    test(`${i}: ${factory} ${JSON.stringify(options)} of ${masked.map((m) => (m ? "masked" : "plain"))}`, () => {
      const layer = factories[factory]!(options);
      const own = (recorded.inputs as Recorded[]).slice(0, masked.length).map(restore);
      const seen = maskAfter((...xs) => {
        const inputs = xs.map((x, j) => (masked[j] ? layers.masking().apply(x) : x));
        return layer.apply(inputs.length === 1 ? inputs[0]! : inputs);
      }, own);
      if (!mask) expect(seen).toBeNull();
      else expect(difference(seen!, restore(mask), { exact: true })).toBeUndefined();
      expect(warned).toHaveBeenCalledTimes(layer.supportsMasking ? 0 : 1);
    });
  });

  test("a warning names the layer, once", () => {
    const flatten = layers.flatten({ name: "flat" });
    for (let i = 0; i < 2; i++) {
      evaluate((x) => flatten.apply(layers.masking().apply(x)), [restore(recorded.inputs[0] as Recorded)]);
    }
    expect(warned.mock.calls).toEqual([
      ["myelin: flat: came with a mask, which Flatten does not support; layers after it will not see it"],
    ]);
  });
});

const steps = (units: number, activation = "linear", options = {}): Model =>
  sequential([
    layers.masking({ ...options, inputShape: [5, 3] }),
    layers.dense({ units: 4, activation: "tanh" }),
    layers.dense({ units, activation: activation as "linear" }),
  ]);

function merged(layer: Layer): Model {
  const [a, b] = [input({ shape: [5, 3] }), input({ shape: [5, 3] })];
  const masked = [a, b].map((x) => layers.masking().apply(x));
  return model({ inputs: [a, b], outputs: layers.dense({ units: 2 }).apply(layer.apply(masked)) });
}

/** The models of the recording script, by the same names. */
const MODELS: Record<string, (...args: never[]) => Model> = {
  steps,
  sum: steps,
  add: () => merged(layers.add()),
  concatenate: () => merged(layers.concatenate({ axis: 1 })),
  nested() {
    const inner = sequential([
      layers.masking({ inputShape: [5, 3] }),
      layers.dense({ units: 4, activation: "tanh" }),
    ]);
    const x = input({ shape: [5, 3] });
    return model({ inputs: x, outputs: layers.dense({ units: 2 }).apply(inner.apply(x)) });
  },
  dropped: () =>
    sequential([
      layers.masking({ inputShape: [5, 3] }),
      layers.reshape({ targetShape: [5, 3] }),
      layers.dense({ units: 2 }),
    ]),
  around() {
    const inner = sequential([
      layers.dense({ units: 4, activation: "tanh", inputShape: [5, 3] }),
      layers.dropout({ rate: 0 }),
    ]);
    const x = input({ shape: [5, 3] });
    return model({
      inputs: x,
      outputs: layers.dense({ units: 2 }).apply(inner.apply(layers.masking().apply(x))),
    });
  },
};

const METRICS: Record<string, () => metrics.Metric> = {
  sparseTopKCategoricalAccuracy: () => metrics.sparseTopKCategoricalAccuracy({ k: 2 }),
};

for (const engine of availableEngines()) {
  describe(`losses and metrics of masked outputs on the ${engine.name} engine`, () => {
    recorded.trained.forEach(({ model: name, args, loss, metrics: names, ...run }, i) => {
      test(`${i}: ${name} ${loss}`, async () => {
        const made = MODELS[name]!(...(args as never[]));
        // What is saved is the same model.
        const m = modelFromJSON(JSON.stringify(made));
        m.setWeights((run.weights as Recorded[]).map(restore));
        m.compile({
          optimizer: optimizers.sgd({ learningRate: 0.125 }),
          loss: loss === "sum" ? losses.meanSquaredError({ reduction: "sum" }) : (loss as "logCosh"),
          metrics: names.map((n) => METRICS[n]?.() ?? (n as "accuracy")),
          engine,
        });
        const inputs = (run.inputs as Recorded[]).map(restore);
        const x = inputs.length === 1 ? inputs[0]! : inputs;
        const targets = restore(run.targets as Recorded);
        for (const expected of run.logs) {
          const logs = Object.values(await m.trainOnBatch(x, targets));
          expect(logs).toHaveLength(expected.length);
          // Ten steps apart, each side rounding its own way.
          logs.forEach((v, j) => {
            expect(Math.abs(v - expected[j]!)).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected[j]!)));
          });
        }
        m.getWeights().forEach((w, j) => {
          expect(difference(w, restore(run.after[j] as Recorded), { norm: 1e-5 })).toBeUndefined();
        });
        const evaluated = Object.values(await m.evaluate(x, targets, { batchSize: 3, verbose: 0 }));
        evaluated.forEach((v, j) => {
          expect(Math.abs(v - run.evaluated[j]!)).toBeLessThan(
            2e-6 * Math.max(1, Math.abs(run.evaluated[j]!)),
          );
        });
      });
    });
  });
}

/** The mean over the steps that count; the steps themselves are gone, and the mask with them. */
class MeanOverSteps extends Layer {
  override supportsMasking = true;
  override call(x: Value, _: CallContext, mask: Value | null) {
    if (!mask) return ops.mean(x, { axis: 1 });
    const weight = ops.cast(ops.expandDims(mask, -1), "float32");
    return ops.divide(
      ops.sum(ops.multiply(x, weight), { axis: 1 }),
      ops.maximum(ops.sum(weight, { axis: 1 }), 1),
    );
  }
  override computeMask() {
    return null;
  }
}

/** Gives its input a mask of its own, and uses layers inside. */
class Doubled extends Layer {
  readonly inner = layers.dense({ units: 2, useBias: false });
  override build(inputShape: BatchShape) {
    this.inner.build(inputShape);
  }
  override call(x: Value) {
    return this.inner.apply(ops.multiply(x, 2));
  }
  override computeMask(x: Value) {
    return ops.any(ops.greater(x, 0), { axis: -1 });
  }
}

describe("masks in layers of one's own", () => {
  const x = tensor([
    [
      [1, 2],
      [0, 0],
      [3, -4],
    ],
    [
      [0, 0],
      [0, 0],
      [-1, -1],
    ],
  ]);

  test("call is given the mask", () => {
    const layer = new MeanOverSteps();
    const [y] = evaluate((v) => layer.apply(layers.masking().apply(v)), [x]);
    expect([...y!.data]).toEqual([2, -1, -1, -1]);
    expect(warned).not.toHaveBeenCalled();
  });

  test("a mask can be given with the call, or kept back", () => {
    const layer = new MeanOverSteps();
    const mask = tensor([1, 0, 0, 0, 0, 1], [2, 3], "bool");
    const [given] = evaluate((v, m) => layer.apply(v, { training: false }, m), [x, mask]);
    expect([...given!.data]).toEqual([1, 2, -1, -1]);
    const [none] = evaluate(
      (v) => layer.apply(layers.masking().apply(v), { training: false }, null),
      [tensor([[[3], [0], [3]]])],
    );
    expect([...none!.data]).toEqual([2]);
  });

  test("having a computeMask means supporting masks", () => {
    const layer = new Doubled();
    expect(layer.supportsMasking).toBe(true);
    const mask = maskAfter((v) => layer.apply(v), [x]);
    expect([...mask!.data]).toEqual([1, 0, 1, 0, 0, 0]);
  });

  test("setMask gives a Value its mask, as bool", () => {
    const mask = maskAfter(
      (v) => layers.dropout({ rate: 0.5 }).apply(layers.setMask(v, ops.sum(v, { axis: -1 }))),
      [x],
    );
    expect(mask!.dtype).toBe("bool");
    expect([...mask!.data]).toEqual([1, 0, 1, 0, 0, 1]);
  });

  test("lambda passes it to its function", () => {
    const seen = layers.lambda((v: Value, _, mask) => ops.cast((mask as Value | null) ?? v, "float32"));
    const [y] = evaluate((v) => seen.apply(layers.masking().apply(v)), [x]);
    expect(y!.shape).toEqual([2, 3]);
  });

  test("softmax hides elements, as in Keras, and says what it cannot hide", () => {
    const softmax = layers.softmax();
    const scores = tensor([
      [1, 1, 5],
      [2, 1, 2],
    ]);
    const mask = tensor([1, 1, 0, 1, 0, 1], [2, 3], "bool");
    const [y] = evaluate((v, m) => softmax.apply(layers.setMask(v, m)), [scores, mask]);
    expect([...y!.data]).toEqual([0.5, 0.5, 0, 0.5, 0, 0.5]);
    const error = thrown(() => evaluate((v) => softmax.apply(layers.masking().apply(v)), [x]));
    expect(error.code).toBe("SHAPE_MISMATCH");
    expect(error.message).toMatch(/expected a mask that broadcasts to the input \[2, 3, 2\], got \[2, 3\]/);
  });

  test("a loss whose values do not fit the mask says so", async () => {
    const m = sequential([layers.masking({ inputShape: [3, 2] })]);
    const perSample = (t: Value, p: Value) => ops.mean(ops.square(ops.subtract(t, p)), { axis: [1, 2] });
    m.compile({ optimizer: "sgd", loss: perSample });
    await expect(m.testOnBatch(x, x)).rejects.toThrow(
      /loss perSample: expected values \[2\] to begin with the axes of the predictions' mask \[2, 3\]/,
    );
  });

  test("wrong options", () => {
    expect(thrown(() => layers.masking({ maskValue: "0" as unknown as number })).message).toMatch(
      /masking: expected maskValue/,
    );
    expect(() => layers.masking({ value: 1 } as object)).toThrow(/masking: unknown option "value"/);
  });
});
