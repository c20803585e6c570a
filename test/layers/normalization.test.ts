// Normalization layers against recorded results of Keras 3.15 (scripts/record-normalization-fixtures.py), and what they refuse.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { build } from "../../src/compile.ts";
import type { DType } from "../../src/core/dtype.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { readVariable, trace } from "../../src/graph/trace.ts";
import { modelFromJSON, sequential } from "../../src/index.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import { multiply, sum, toValue } from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import recorded from "../fixtures/normalization.json" with { type: "json" };
import { availableEngines } from "../helpers/engines.ts";
import { difference } from "../helpers/matcher.ts";
import { thrown } from "../helpers/thrown.ts";

interface Recorded {
  shape: number[];
  dtype: string;
  data: number[];
}

const restore = ({ data, shape, dtype }: Recorded): Tensor => tensor(data, shape, dtype as DType);
const factories = layers as unknown as Record<string, (options: object) => Layer>;

/** Both sides round to float32 at every step, and Keras takes variances as E[x^2] - E[x]^2. */
const NEAR = { norm: 2e-6 };

for (const engine of availableEngines()) {
  describe(`normalization layers as in Keras, ${engine.name} engine`, () => {
    recorded.layers.forEach(({ factory, options, ...r }, i) => {
      test(`${i}: ${factory} ${JSON.stringify(options)}`, () => {
        const layer = factories[factory]!(options);
        const [x, dy] = [restore(r.x), restore(r.dy)];
        layer.computeOutputShape([null, ...x.shape.slice(1)]);
        expect(layer.namedWeights().map((w) => w.path)).toEqual(r.weightNames);
        layer.setWeights(r.weights.map(restore));
        const inference = build((v) => [layer.apply(v!, { training: false })], [x], { engine }).runSync([x]);
        expect(difference(inference[0]!, restore(r.inference), NEAR)).toBeUndefined();

        const step = build(
          (v, g) => {
            const mask = "mask" in r ? tensor(r.mask as number[][], undefined, "bool") : null;
            const y = layer.apply(v!, { training: true }, mask && toValue(mask));
            const trained = layer.trainableWeights.map(readVariable);
            return [y, ...backward([sum(multiply(y, g!))], [], [v!, ...trained])];
          },
          [x, dy],
          { engine },
        );
        const [y, ...gradients] = step.runSync([x, dy]);
        expect(difference(y!, restore(r.training), NEAR)).toBeUndefined();
        expect(gradients).toHaveLength(r.gradients.length);
        gradients.forEach((g, k) => {
          expect(difference(g, restore(r.gradients[k]!), { norm: 1e-5 }), `gradient ${k}`).toBeUndefined();
        });
        // Three training calls in all.
        for (let k = 0; k < 2; k++) step.runSync([x, dy]);
        layer.getWeights().forEach((w, k) => {
          expect(difference(w, restore(r.after[k]!), NEAR), r.weightNames[k]).toBeUndefined();
        });
        const again = factories[factory]!(JSON.parse(JSON.stringify(layer.getConfig())));
        expect(again.getConfig()).toEqual(layer.getConfig());
      });
    });
  });

  describe(`ten Adam steps as in Keras, ${engine.name} engine`, () => {
    recorded.runs.forEach(({ factory, options, ...r }, i) => {
      test(`${i}: ${factory} ${JSON.stringify(options)}`, async () => {
        const own = factory === "spectralNormalization" ? { layer: layers.dense({ units: 4 }) } : {};
        const model = sequential([
          layers.dense({ units: 6, activation: "tanh", inputShape: [3] }),
          factories[factory]!({ ...own, ...options }),
          layers.dense({ units: 2 }),
        ]);
        model.setWeights(r.weights.map(restore));
        model.compile({
          optimizer: optimizers.adam({ learningRate: 0.02 }),
          loss: "meanSquaredError",
          engine,
        });
        const [x, y] = [restore(r.x), restore(r.y)];
        const { history } = await model.fit(x, y, { epochs: 10, batchSize: 8, shuffle: false });
        r.losses.forEach((loss, k) => {
          expect(Math.abs(history.loss![k]! - loss) / loss, `step ${k}`).toBeLessThan(1e-4);
        });
        model.getWeights().forEach((w, k) => {
          expect(difference(w, restore(r.after[k]!), { norm: 1e-4 }), `weight ${k}`).toBeUndefined();
        });
        expect(difference(model.predictSync(x), restore(r.predicted), { norm: 1e-4 })).toBeUndefined();
      });
    });
  });
}

describe("batch normalization", () => {
  test("outside of training is a multiplication and an addition that fuse with what comes before", () => {
    const layer = layers.batchNormalization();
    const { graph } = trace((x) => [layer.apply(x!)], [{ shape: [2, 3], dtype: "float32" }]);
    expect(graph.nodes.map((n) => n.op.name)).not.toContain("batchNorm");
    expect(graph.nodes.slice(-2).map((n) => n.op.name)).toEqual(["multiply", "add"]);
  });

  test("keeps its statistics when it is not trainable", () => {
    const layer = layers.batchNormalization({ trainable: false });
    const updates = trace(
      (x) => [layer.apply(x!, { training: true })],
      [{ shape: [2, 3], dtype: "float32" }],
    );
    expect(updates.graph.updates).toEqual([undefined]);
    expect(layer.nonTrainableWeights).toHaveLength(4);
  });

  test("variance far from the mean keeps its digits", () => {
    for (const engine of availableEngines()) {
      const data = Float32Array.from({ length: 4096 * 3 }, (_, i) => 10000 + ((i * 7919) % 64) / 16);
      const x = tensor(data, [4096, 3]);
      const layer = layers.batchNormalization({ momentum: 0 });
      build((v) => [layer.apply(v!, { training: true })], [x], { engine }).runSync([x]);
      for (let c = 0; c < 3; c++) {
        const column = Array.from({ length: 4096 }, (_, r) => data[3 * r + c]!);
        const mean = column.reduce((s, v) => s + v, 0) / 4096;
        const variance = column.reduce((s, v) => s + (v - mean) ** 2, 0) / 4096;
        expect(Math.abs(layer.movingVariance.read().data[c]! - variance) / variance).toBeLessThan(1e-5);
      }
    }
  });
});

describe("spectral normalization", () => {
  test("leaves a kernel of zeros and its vector alone", () => {
    const layer = layers.spectralNormalization({
      layer: layers.dense({ units: 2, kernelInitializer: "zeros" }),
    });
    for (const engine of availableEngines()) {
      const x = tensor([[1, 2, 3]]);
      const before = layer.built ? layer.getWeights().map((w) => [...w.data]) : undefined;
      build((v) => [layer.apply(v!, { training: true })], [x], { engine }).runSync([x]);
      const after = layer.getWeights().map((w) => [...w.data]);
      expect(after[0]).toEqual([0, 0, 0, 0, 0, 0]);
      if (before) expect(after).toEqual(before);
    }
  });

  test("comes back from its configuration with the layer inside", () => {
    const m = sequential([
      layers.spectralNormalization({
        layer: layers.dense({ units: 2 }),
        powerIterations: 2,
        inputShape: [3],
      }),
    ]);
    const again = modelFromJSON(JSON.stringify(m.toJSON()));
    expect(again.layers[0]!.getConfig()).toEqual(m.layers[0]!.getConfig());
    expect(again.weights.map((w) => w.shape)).toEqual([[3, 2], [1, 2], [2]]);
  });
});

describe("refused", () => {
  test.each<[() => unknown, string]>([
    [
      () => layers.batchNormalization({ synchronized: true as never }),
      "batchNormalization: expected synchronized to be false",
    ],
    [
      () => layers.batchNormalization({ renormClipping: { rmin: 2, rmax: 1 } }),
      "batchNormalization, renormClipping: expected rmax to be a number above rmin, got 1",
    ],
    [
      () => layers.batchNormalization({ renormClipping: { max: 1 } as never }),
      'batchNormalization, renormClipping: unknown option "max"',
    ],
    [
      () => layers.batchNormalization({ renormMomentum: 2 }),
      "batchNormalization: expected renormMomentum to be a number in [0, 1], got 2",
    ],
    [
      () => layers.batchNormalization({ momentum: 2 }),
      "batchNormalization: expected momentum to be a number in [0, 1], got 2",
    ],
    [
      () => layers.batchNormalization({ epsilon: -1 }),
      "batchNormalization: expected epsilon to be a number of at least 0",
    ],
    [
      () => layers.batchNormalization({ axis: 1.5 }),
      "batchNormalization: expected axis to be an integer from -8 to 7",
    ],
    [
      () => layers.batchNormalization({ axes: 1 } as never),
      'batchNormalization: unknown option "axes"; did you mean "axis"?',
    ],
    [
      () => layers.batchNormalization({ scale: 1 as never }),
      "batchNormalization: expected scale to be true or false, got 1",
    ],
    [
      () => layers.layerNormalization({ axis: [1.5] }),
      "layerNormalization: expected axis to be a list of integers from -8 to 7",
    ],
    [
      () => layers.layerNormalization({ epsilon: Number.NaN }),
      "layerNormalization: expected epsilon to be a number of at least 0",
    ],
    [
      () => layers.layerNormalization({ gammaInitializer: "one" }),
      'layerNormalization: unknown gammaInitializer "one"',
    ],
    [
      () => layers.groupNormalization({ groups: 0 }),
      "groupNormalization: expected groups to be an integer of at least 1, got 0",
    ],
    [() => layers.rmsNormalization({ center: true } as never), 'rmsNormalization: unknown option "center"'],
    [
      () => layers.unitNormalization({ axis: 9 }),
      "unitNormalization: expected axis to be an integer from -8 to 7, got 9",
    ],
    [
      () => layers.batchNormalization({ axis: 1 }).computeOutputShape([null, null, 3]),
      "weight gamma: expected a known shape, got [null]",
    ],
    [
      () => layers.batchNormalization({ axis: 3 }).computeOutputShape([null, 3]),
      "batchNormalization: expected an axis from -2 to 1 for rank 2, got 3",
    ],
    [() => layers.batchNormalization().computeOutputShape([null]), "expected an input of rank of at least 2"],
    [
      () => layers.groupNormalization({ groups: 3 }).computeOutputShape([null, 4]),
      "groupNormalization: expected channels that are a multiple of 3 groups, got 4",
    ],
    [
      () => layers.groupNormalization({ groups: 3, axis: 0 }).computeOutputShape([null, 4]),
      "groupNormalization: expected an axis other than the batch, got 0",
    ],
    [
      () =>
        trace(
          (x, mask) => [layers.batchNormalization().apply(x!, { training: true }, mask!)],
          [
            { shape: [2, 3], dtype: "float32" },
            { shape: [2, 3], dtype: "bool" },
          ],
        ),
      "expected a mask of the input's shape without its last axis, got [2, 3] for [2, 3]",
    ],
    [() => used(layers.batchNormalization(), [2, 3], [2, 4]), "expected axis 1 of 3, got shape [2, 4]"],
    [
      () => used(layers.layerNormalization({ axis: [1, 2] }), [2, 3, 4], [2, 3, 5]),
      "expected sizes [3, 4] over axis [1, 2], got shape [2, 3, 5]",
    ],
    [
      () => used(layers.groupNormalization({ groups: 1 }), [2, 3], [2, 4]),
      "expected axis 1 of 3, got shape [2, 4]",
    ],
    [
      () => used(layers.rmsNormalization(), [2, 3], [2, 4]),
      "expected sizes [3] over axis [-1], got shape [2, 4]",
    ],
  ])("%#", (make, message) => {
    expect(thrown(make).message).toContain(message);
  });
});

/** Applies a layer to inputs of one shape and then of another. */
function used(layer: Layer, ...shapes: number[][]): void {
  for (const shape of shapes) trace((x) => [layer.apply(x!)], [{ shape, dtype: "float32" }]);
}
