// Layers that pool, resize, pad and cut images against recorded results of Keras 3.15 (scripts/record-pooling-fixtures.py):
// outputs and gradients by the input, on every engine. And defaults, masks, and every option and shape that is refused.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { build } from "../../src/compile.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { trace } from "../../src/graph/trace.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import * as ops from "../../src/ops/index.ts";
import recorded from "../fixtures/pooling.json" with { type: "json" };
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

/** The layer's output, and the gradient of sum(output * seed) by the input. */
const withGradient =
  (layer: Layer) =>
  (x: Value, seed: Value): Value[] => {
    const y = layer.apply(x);
    return [y, ...backward([y], [seed], [x])];
  };

for (const engine of availableEngines()) {
  describe(`as in Keras, ${engine.name} engine`, () => {
    recorded.cases.forEach(({ factory, options, ...expected }, i) => {
      test(`${i}: ${factory} ${JSON.stringify(options)}`, () => {
        const layer = factories[factory]!(options);
        const args = [restore(expected.input), restore(expected.seed)];
        expect(layer.computeOutputShape([null, ...args[0]!.shape.slice(1)])).toEqual(expected.outputShape);
        const fn = withGradient(layer) as (...xs: Value[]) => Value[];
        const [output, gradient] = build(fn, args, { engine }).runSync(args);
        expect(difference(output!, restore(expected.output), CLOSE)).toBeUndefined();
        expect(difference(gradient!, restore(expected.inputGradient), CLOSE)).toBeUndefined();
        const again = factories[factory]!(JSON.parse(JSON.stringify(layer.getConfig())));
        expect(again.getConfig()).toEqual(layer.getConfig());
      });
    });
  });
}

describe("where Keras's backends differ", () => {
  // On TensorFlow and JAX the mean is that of the elements that exist; Keras on PyTorch repeats the edge.
  test("averages over an uneven edge", () => {
    const layer = layers.averagePooling1d({ poolSize: 2, padding: "same" });
    const [y, dx] = evaluate(withGradient(layer) as (...xs: Value[]) => Value[], [
      tensor([[[1], [3], [8]]]),
      tensor([[[2], [5]]]),
    ]);
    expect(y!.toArray()).toEqual([[[2], [8]]]);
    expect(dx!.toArray()).toEqual([[[1], [1], [5]]]);
  });
});

describe("defaults", () => {
  const base = { trainable: true, dtype: "float32" };
  const dataFormat = "channelsLast";
  test.each<[Layer, object]>([
    [
      layers.maxPooling2d(),
      { name: "maxPooling2d", dataFormat, poolSize: [2, 2], strides: [2, 2], padding: "valid" },
    ],
    [
      layers.averagePooling3d({ poolSize: [1, 2, 3] }),
      { name: "averagePooling3d", dataFormat, poolSize: [1, 2, 3], strides: [1, 2, 3], padding: "valid" },
    ],
    [layers.globalMaxPooling1d(), { name: "globalMaxPooling1d", dataFormat, keepDims: false }],
    [
      layers.adaptiveMaxPooling2d({ outputSize: 3 }),
      { name: "adaptiveMaxPooling2d", dataFormat, outputSize: [3, 3] },
    ],
    [layers.upSampling1d(), { name: "upSampling1d", size: 2 }],
    [layers.upSampling2d(), { name: "upSampling2d", dataFormat, size: [2, 2], interpolation: "nearest" }],
    [layers.upSampling3d(), { name: "upSampling3d", dataFormat, size: [2, 2, 2] }],
    [layers.zeroPadding1d(), { name: "zeroPadding1d", dataFormat, padding: [1, 1] }],
    [
      layers.zeroPadding2d(),
      {
        name: "zeroPadding2d",
        dataFormat,
        padding: [
          [1, 1],
          [1, 1],
        ],
      },
    ],
    [layers.cropping1d(), { name: "cropping1d", cropping: [1, 1] }],
    [
      layers.cropping2d(),
      {
        name: "cropping2d",
        dataFormat,
        cropping: [
          [0, 0],
          [0, 0],
        ],
      },
    ],
    [
      layers.cropping3d(),
      {
        name: "cropping3d",
        dataFormat,
        cropping: [
          [1, 1],
          [1, 1],
          [1, 1],
        ],
      },
    ],
    [
      layers.resizing({ height: 3, width: 4 }),
      {
        name: "resizing",
        dataFormat,
        height: 3,
        width: 4,
        interpolation: "bilinear",
        cropToAspectRatio: false,
        padToAspectRatio: false,
        fillMode: "constant",
        fillValue: 0,
        antialias: false,
      },
    ],
    [layers.spatialDropout1d({ rate: 0.5 }), { name: "spatialDropout1d", rate: 0.5, seed: null }],
    [layers.spatialDropout2d({ rate: 0.5 }), { name: "spatialDropout2d", rate: 0.5, seed: null, dataFormat }],
  ])("%s", (layer, own) => {
    expect(layer.getConfig()).toEqual({ ...base, ...own });
    expect(factories[layer.name]!(layer.getConfig()).getConfig()).toEqual(layer.getConfig());
  });
});

describe("masks", () => {
  const x = tensor([
    [[1], [2], [6]],
    [[4], [5], [6]],
  ]);
  const mask = tensor([1, 0, 1, 0, 0, 1], [2, 3], "bool");
  test("globalAveragePooling1d counts the steps of its mask", () => {
    const layer = layers.globalAveragePooling1d({ keepDims: true });
    const [y] = evaluate((v, m) => layer.apply(layers.setMask(ops.identity(v!), m!)), [x, mask]);
    expect(y!.toArray()).toEqual([[[3.5]], [[6]]]);
    const nothing = tensor([1, 0, 1, 0, 0, 0], [2, 3], "bool");
    const [z] = evaluate((v, m) => layer.apply(layers.setMask(ops.identity(v!), m!)), [x, nothing]);
    expect(z!.toArray()).toEqual([[[3.5]], [[0]]]);
    evaluate(
      (v, m) => {
        const pooled = layer.apply(layers.setMask(ops.identity(v!), m!));
        expect(layers.maskOf(pooled)).toBeNull();
        return pooled;
      },
      [x, mask],
    );
  });
});

describe("spatial dropout", () => {
  const image = ops.ones;
  test.each([
    [layers.spatialDropout1d, [4, 5, 50]],
    [layers.spatialDropout2d, [4, 3, 2, 50]],
    [layers.spatialDropout3d, [4, 2, 1, 3, 50]],
  ])("drops whole channels (%#)", (make, shape) => {
    const layer = make({ rate: 0.25, seed: 3 });
    const [y] = evaluate(() => layer.apply(image(shape), { training: true }), []);
    const [batch, channels] = [shape[0]!, shape.at(-1)!];
    const perSample = y!.size / batch;
    let dropped = 0;
    for (let b = 0; b < batch; b++) {
      for (let c = 0; c < channels; c++) {
        const first = y!.data[b * perSample + c]!;
        expect([0, Math.fround(4 / 3)]).toContain(first);
        if (first === 0) dropped++;
        for (let i = c; i < perSample; i += channels) expect(y!.data[b * perSample + i]).toBe(first);
      }
    }
    expect(dropped).toBeGreaterThan(25);
    expect(dropped).toBeLessThan(75);
    const [same] = evaluate(() => layer.apply(image(shape)), []);
    expect(same!.data.every((v) => v === 1)).toBe(true);
  });
});

describe("wrong options", () => {
  const NAMES = /^([a-z0-9]+: )/i;
  test.each<[() => unknown, string]>([
    [
      () => layers.maxPooling2d({ poolSiz: 2 } as never),
      'maxPooling2d: unknown option "poolSiz"; did you mean "poolSize"?',
    ],
    [
      () => layers.maxPooling1d({ poolSize: [2, 2] }),
      "maxPooling1d: expected poolSize to be an integer of at least 1, or 1 of them, got [2, 2]",
    ],
    [
      () => layers.averagePooling2d({} as never),
      "averagePooling2d: expected poolSize to be an integer of at least 1, or 2 of them, got undefined",
    ],
    [
      () => layers.averagePooling2d(undefined as never),
      "averagePooling2d: expected poolSize to be an integer of at least 1, or 2 of them, got undefined",
    ],
    [
      () => layers.maxPooling3d({ strides: 0 }),
      "maxPooling3d: expected strides to be an integer of at least 1, or 3 of them, got 0",
    ],
    [
      () => layers.maxPooling2d({ padding: "causal" as never }),
      'maxPooling2d: unknown padding "causal"; known: valid, same',
    ],
    [
      () => layers.maxPooling2d({ dataFormat: "channelsFirst" as never }),
      'maxPooling2d: expected dataFormat "channelsLast"',
    ],
    [
      () => layers.globalMaxPooling2d({ keepDims: 1 as never }),
      "globalMaxPooling2d: expected keepDims to be true or false, got 1",
    ],
    [
      () => layers.adaptiveMaxPooling1d({} as never),
      "adaptiveMaxPooling1d: expected outputSize to be an integer of at least 1, or 1 of them, got undefined",
    ],
    [
      () => layers.upSampling1d({ size: [2] as never }),
      "upSampling1d: expected size to be an integer of at least 1, got [2]",
    ],
    [
      () => layers.upSampling2d({ interpolation: "bicubic" as never }),
      'upSampling2d: unknown interpolation "bicubic"; known: nearest, bilinear',
    ],
    [
      () => layers.upSampling3d({ size: [1, 2] }),
      "upSampling3d: expected size to be an integer of at least 1, or 3 of them, got [1, 2]",
    ],
    [
      () => layers.zeroPadding1d({ padding: -1 }),
      "zeroPadding1d: expected padding to be an integer of at least 0 or [before, after], got -1",
    ],
    [
      () => layers.zeroPadding2d({ padding: [1, 2, 3] as never }),
      "zeroPadding2d: expected padding to be an integer of at least 0, or 2 times an integer of at least 0 or [before, after], got [1, 2, 3]",
    ],
    [
      () => layers.cropping1d({ dataFormat: "channelsLast" } as never),
      'cropping1d: unknown option "dataFormat"',
    ],
    [
      () => layers.cropping3d({ cropping: [1, 1, [1]] as never }),
      "cropping3d: expected cropping to be an integer of at least 0, or 3 times",
    ],
    [
      () => layers.resizing({ height: 3 } as never),
      "resizing: expected width to be an integer of at least 1, got undefined",
    ],
    [
      () => layers.resizing({ height: 3, width: 3, fillMode: "reflect" as never }),
      'resizing: unknown fillMode "reflect"; known: constant',
    ],
    [
      () => layers.resizing({ height: 3, width: 3, cropToAspectRatio: true, padToAspectRatio: true }),
      "resizing: expected at most one of cropToAspectRatio and padToAspectRatio, got both",
    ],
    [
      () => layers.spatialDropout2d({ rate: 1 }),
      "spatialDropout2d: expected rate to be a number in [0, 1), got 1",
    ],
    [
      () => layers.spatialDropout1d({ rate: 0.5, dataFormat: "channelsLast" }),
      'spatialDropout1d: unknown option "dataFormat"',
    ],
  ])("%s", (make, message) => {
    const error = thrown(make);
    expect(error.message).toMatch(NAMES);
    expect(error.message).toContain(message);
    expect((error as { code?: string }).code).toBe("INVALID_OPTION");
  });
});

describe("inputs that do not fit", () => {
  test.each<[string, Layer, number[], string]>([
    [
      "rank",
      layers.maxPooling2d(),
      [2, 4, 4],
      "maxPooling2d: expected an input of rank 4 (batch axis included), got shape (2, 4, 4)",
    ],
    [
      "small image",
      layers.averagePooling2d({ poolSize: [2, 3] }),
      [2, 4, 2, 1],
      "averagePooling2d: expected spatial sizes of at least poolSize [2, 3], got an input [2, 4, 2, 1]",
    ],
    ["global", layers.globalMaxPooling1d(), [2, 3], "globalMaxPooling1d: expected an input of rank 3"],
    [
      "cropping",
      layers.cropping2d({
        cropping: [
          [1, 1],
          [0, 2],
        ],
      }),
      [1, 4, 2, 3],
      "cropping2d: expected spatial sizes above cropping [[1,1],[0,2]], got an input [1, 4, 2, 3]",
    ],
    [
      "dropout",
      layers.spatialDropout3d({ rate: 0.5 }),
      [1, 4, 2, 3],
      "spatialDropout3d: expected an input of rank 5",
    ],
  ])("%s", (_name, layer, shape, message) => {
    const error = thrown(() =>
      trace((x) => [layer.apply(x, { training: true })], [{ shape, dtype: "float32" }]),
    );
    expect(error.message).toContain(message);
    expect((error as { code?: string }).code).toBe("SHAPE_MISMATCH");
  });
});
