// Convolution layers against recorded results of Keras 3.15 (scripts/record-conv-fixtures.py): outputs, gradients by input
// and weights, ten steps of training. And every option and shape that is refused.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { readVariable } from "../../src/graph/trace.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import { input } from "../../src/models/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import { sgd } from "../../src/optimizers/index.ts";
import "../../src/training/attach.ts";
import recorded from "../fixtures/conv.json" with { type: "json" };
import { availableEngines } from "../helpers/engines.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { difference } from "../helpers/matcher.ts";
import { thrown } from "../helpers/thrown.ts";

interface Recorded {
  shape: number[];
  data: number[];
}

const restore = ({ data, shape }: Recorded): Tensor => tensor(data, shape, "float32");
const factories = layers as unknown as Record<string, (options: object) => Layer>;
// Both sides round to float32 at every step, in different orders: a few units in 2^-24 of the whole.
const CLOSE = { norm: 5e-7 };

describe("as in Keras", () => {
  recorded.cases.forEach(({ factory, options, ...expected }, i) => {
    test(`${i}: ${factory} ${JSON.stringify(options)}`, () => {
      const layer = factories[factory]!(options);
      const x = restore(expected.input);
      expect(layer.computeOutputShape([null, ...x.shape.slice(1)])).toEqual(expected.outputShape);
      expect(layer.namedWeights().map((w) => w.path)).toEqual(expected.weightNames);
      layer.setWeights(expected.weights.map(restore));
      const [output, ...gradients] = evaluate(
        (v, seed) => {
          const y = layer.apply(v);
          return [y, ...backward([y], [seed], [v, ...layer.trainableWeights.map(readVariable)])];
        },
        [x, restore(expected.seed)],
      );
      expect(difference(output!, restore(expected.output), CLOSE)).toBeUndefined();
      [expected.inputGradient, ...expected.weightGradients].forEach((g, j) => {
        expect(difference(gradients[j]!, restore(g), CLOSE), `gradient ${j}`).toBeUndefined();
      });
      const again = factories[factory]!(JSON.parse(JSON.stringify(layer.getConfig())));
      expect(again.getConfig()).toEqual(layer.getConfig());
    });
  });
});

for (const engine of availableEngines()) {
  describe(`ten steps as in Keras, ${engine.name} engine`, () => {
    for (const { factory, options, ...run } of recorded.trainings) {
      test(`${factory} ${JSON.stringify(options)}`, async () => {
        const model = sequential([
          factories[factory]!({ ...options, inputShape: run.x.shape.slice(1) }),
          layers.flatten(),
          layers.dense({ units: 2 }),
        ]);
        model.setWeights(run.weights.map(restore));
        model.compile({ optimizer: sgd({ learningRate: 0.02, momentum: 0.9 }), loss: "mse", engine });
        for (const expected of run.losses) {
          const { loss } = await model.trainOnBatch(restore(run.x), restore(run.y));
          expect(Math.abs(loss! - expected)).toBeLessThan(5e-6 * expected);
        }
        model.getWeights().forEach((w, i) => {
          expect(difference(w, restore(run.after[i]!), { norm: 5e-6 })).toBeUndefined();
        });
      });
    }
  });
}

describe("defaults and names", () => {
  test("conv2d", () => {
    expect(layers.conv2d({ filters: 2, kernelSize: 3 }).getConfig()).toEqual({
      name: "conv2d",
      trainable: true,
      dtype: "float32",
      filters: 2,
      kernelSize: [3, 3],
      strides: [1, 1],
      padding: "valid",
      dataFormat: "channelsLast",
      dilationRate: [1, 1],
      groups: 1,
      activation: "linear",
      useBias: true,
      kernelInitializer: { className: "GlorotUniform", config: {} },
      biasInitializer: { className: "Zeros", config: {} },
    });
  });

  test("of the other families", () => {
    const transposed = layers.conv1dTranspose({ filters: 2, kernelSize: 3 }).getConfig();
    expect(transposed).toMatchObject({ name: "conv1dTranspose", outputPadding: null });
    const depthwise = layers.depthwiseConv2d({ kernelSize: [3, 5] }).getConfig();
    expect(depthwise).toMatchObject({ name: "depthwiseConv2d", kernelSize: [3, 5], depthMultiplier: 1 });
    const separable = layers.separableConv1d({ filters: 1, kernelSize: 2 }).getConfig();
    expect(separable).toMatchObject({ name: "separableConv1d", strides: [1], depthMultiplier: 1 });
  });

  test("unknown sizes of the image stay unknown", () => {
    const x = input({ shape: [null, null, 3] });
    expect(layers.conv2d({ filters: 4, kernelSize: 3 }).apply(x).shape).toEqual([null, null, null, 4]);
  });
});

describe("wrong options", () => {
  const conv = (options: object) => () => layers.conv2d({ filters: 2, kernelSize: 3, ...options } as never);
  test.each<[() => unknown, string]>([
    [conv({ kernelsize: 3 }), 'conv2d: unknown option "kernelsize"; did you mean "kernelSize"?'],
    [conv({ filters: 0 }), "conv2d: expected filters to be an integer of at least 1, got 0"],
    [conv({ filters: undefined }), "conv2d: expected filters to be an integer of at least 1, got undefined"],
    [conv({ kernelSize: 0 }), "conv2d: expected kernelSize to be an integer from 1"],
    [conv({ kernelSize: undefined }), "conv2d: expected kernelSize to be an integer"],
    [conv({ kernelSize: [3] }), "conv2d: expected kernelSize to hold 2 numbers, got [3]"],
    [conv({ strides: [1, 0.5] }), "conv2d: expected strides to be an integer from 1"],
    [conv({ dilationRate: -1 }), "conv2d: expected dilationRate to be an integer from 1"],
    [conv({ padding: "causal" }), 'conv2d: unknown padding "causal"; known: valid, same'],
    [conv({ padding: 1 }), "conv2d: unknown padding 1"],
    [
      conv({ dataFormat: "channelsFirst", name: "c" }),
      'conv2d "c": expected dataFormat "channelsLast" (images are [batch, *spatial, channels]), got "channelsFirst"',
    ],
    [conv({ groups: 0 }), "conv2d: expected groups to be an integer of at least 1, got 0"],
    [
      conv({ groups: 3, filters: 4 }),
      "conv2d: expected groups to divide filters, got groups 3 and filters 4",
    ],
    [
      conv({ strides: 2, dilationRate: [1, 2] }),
      "conv2d: expected strides or dilationRate of 1, got strides [2,2] and dilationRate [1,2]",
    ],
    [conv({ useBias: 1 }), "conv2d: expected useBias to be true or false, got 1"],
    [conv({ activation: "rely" }), 'conv2d: unknown activation "rely"; did you mean "relu"?'],
    [conv({ biasInitializer: "zero" }), 'conv2d: unknown biasInitializer "zero"'],
    [conv({ outputPadding: 1 }), 'conv2d: unknown option "outputPadding"'],
    [
      () => layers.conv2dTranspose({ filters: 1, kernelSize: 3, strides: 2, outputPadding: 2 }),
      "conv2dTranspose: expected outputPadding below strides, got outputPadding [2,2] and strides [2,2]",
    ],
    [
      () => layers.conv1dTranspose({ filters: 1, kernelSize: 3, outputPadding: -1 }),
      "conv1dTranspose: expected outputPadding to be an integer from 0",
    ],
    [
      () => layers.conv3dTranspose({ filters: 1, kernelSize: 3, strides: 2, dilationRate: 2 }),
      "conv3dTranspose: expected strides or dilationRate of 1",
    ],
    [
      () => layers.conv1dTranspose({ filters: 1, kernelSize: 3, groups: 2 } as never),
      'conv1dTranspose: unknown option "groups"',
    ],
    [
      () => layers.depthwiseConv1d({ kernelSize: 3, depthMultiplier: 0 }),
      "depthwiseConv1d: expected depthMultiplier to be an integer of at least 1, got 0",
    ],
    [
      () => layers.depthwiseConv2d({ kernelSize: 3, filters: 4 } as never),
      'depthwiseConv2d: unknown option "filters"',
    ],
    [
      () => layers.separableConv1d({ filters: 1, kernelSize: 3, padding: "causal" as never }),
      'separableConv1d: unknown padding "causal"',
    ],
    [
      () => layers.separableConv2d({ filters: 1, kernelSize: 3, pointwiseInitializer: "he" }),
      'separableConv2d: unknown pointwiseInitializer "he"',
    ],
  ])("%#", (fn, message) => {
    const error = thrown(fn);
    expect(error.message).toContain(message);
    expect(error.code).toBe("INVALID_OPTION");
  });
});

describe("inputs that do not fit", () => {
  const of = (...shape: (number | null)[]) => input({ shape });
  test.each<[() => unknown, string]>([
    [
      () => layers.conv2d({ filters: 1, kernelSize: 3 }).apply(of(5, 3)),
      "conv2d: expected an input of rank 4 (batch axis included), got shape (null, 5, 3)",
    ],
    [
      () => layers.conv1d({ filters: 1, kernelSize: 3 }).apply(of(5, null)),
      "conv1d: expected a known number of channels, got shape (null, 5, null)",
    ],
    [
      () => layers.conv2d({ filters: 4, kernelSize: 3, groups: 2 }).apply(of(5, 5, 3)),
      "conv2d: expected groups to divide the input's channels, got groups 2 and 3 channels",
    ],
    [
      () => layers.conv2d({ filters: 4, kernelSize: 3, dilationRate: 2 }).apply(of(5, 4, 3)),
      "conv2d: expected an image of at least [5, 5], as far as the kernel reaches, got shape (8, 5, 4, 3)",
    ],
    [
      () => layers.depthwiseConv1d({ kernelSize: 3 }).apply(of(2, 3)),
      "depthwiseConv1d: expected an image of at least [3], as far as the kernel reaches, got shape (8, 2, 3)",
    ],
  ])("%#", (fn, message) => {
    const error = thrown(fn);
    expect(error.message).toContain(message);
    expect(error.code).toBe("SHAPE_MISMATCH");
  });

  test("a layer used on other channels than it was built for", () => {
    const layer = layers.separableConv2d({ filters: 1, kernelSize: 3, name: "s" });
    layer.apply(of(5, 5, 3));
    expect(thrown(() => layer.apply(of(5, 5, 4))).message).toContain(
      "s: expected 3 channels in the last axis, got shape (8, 5, 5, 4)",
    );
  });
});
