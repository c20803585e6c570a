// Options of the built-in layers: defaults as in Keras, every wrong name, type and range, and inputs that do not fit.

import { describe, expect, test } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import { trace } from "../../src/graph/trace.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import { input } from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { thrown } from "../helpers/thrown.ts";

const base = { trainable: true, dtype: "float32" };

describe("defaults", () => {
  test.each<[string, Layer, object]>([
    [
      "dense",
      layers.dense({ units: 2 }),
      {
        units: 2,
        activation: "linear",
        useBias: true,
        kernelInitializer: { className: "GlorotUniform", config: {} },
        biasInitializer: { className: "Zeros", config: {} },
      },
    ],
    [
      "embedding",
      layers.embedding({ inputDim: 7, outputDim: 3 }),
      {
        inputDim: 7,
        outputDim: 3,
        embeddingsInitializer: {
          className: "RandomUniform",
          config: { minval: -0.05, maxval: 0.05 },
        },
        maskZero: false,
      },
    ],
    ["relu", layers.relu(), { maxValue: null, negativeSlope: 0, threshold: 0 }],
    ["leakyRelu", layers.leakyRelu(), { negativeSlope: 0.3 }],
    ["elu", layers.elu(), { alpha: 1 }],
    ["softmax", layers.softmax(), { axis: -1 }],
    ["prelu", layers.prelu(), { alphaInitializer: { className: "Zeros", config: {} }, sharedAxes: [] }],
    ["dropout", layers.dropout({ rate: 0.5 }), { rate: 0.5, noiseShape: null, seed: null }],
    ["gaussianNoise", layers.gaussianNoise({ stddev: 1 }), { stddev: 1, seed: null }],
    ["gaussianDropout", layers.gaussianDropout({ rate: 0.1, seed: 4 }), { rate: 0.1, seed: 4 }],
    ["concatenate", layers.concatenate(), { axis: -1 }],
    ["dot", layers.dot({ axes: 1 }), { axes: [1, 1], normalize: false }],
    ["rescaling", layers.rescaling({ scale: 2 }), { scale: 2, offset: 0 }],
    ["flatten", layers.flatten(), {}],
  ])("%s", (name, layer, own) => {
    expect(layer.getConfig()).toEqual({ name, ...base, ...own });
  });

  test("an activation given as a function is saved by its name where it has one", () => {
    expect(layers.dense({ units: 1, activation: ops.tanh }).getConfig().activation).toBe("tanh");
    const own = layers.dense({ units: 1, activation: (x) => ops.multiply(x, 2), name: "d" });
    expect(thrown(() => own.getConfig()).message).toContain(
      "d: a function of your own as activation cannot be saved",
    );
    const [y] = evaluate(
      (x) => layers.activation({ activation: (v) => ops.multiply(v, 2) }).apply(x),
      [tensor([1])],
    );
    expect(y!.toArray()).toEqual([2]);
  });
});

describe("wrong options", () => {
  test.each<[() => unknown, string]>([
    [
      () => layers.dense({ units: 1, activaton: "relu" } as never),
      'dense: unknown option "activaton"; did you mean "activation"?',
    ],
    [
      () => layers.dense({ unit: 1, name: "head" } as never),
      'dense "head": unknown option "unit"; did you mean "units"?',
    ],
    [() => layers.dense({} as never), "dense: expected units to be an integer of at least 1, got undefined"],
    [
      () => layers.dense(undefined as never),
      "dense: expected units to be an integer of at least 1, got undefined",
    ],
    [() => layers.dense(8 as never), "dense: expected an options object, got 8"],
    [() => layers.dense({ units: 2.5 }), "dense: expected units to be an integer of at least 1, got 2.5"],
    [
      () => layers.dense({ units: 1, activation: "rely" as never }),
      'dense: unknown activation "rely"; did you mean "relu"?',
    ],
    [
      () => layers.dense({ units: 1, activation: 3 as never }),
      "dense: expected activation to be a name or a function, got 3",
    ],
    [
      () => layers.dense({ units: 1, activation: "toString" as never }),
      'dense: unknown activation "toString"',
    ],
    [
      () => layers.dense({ units: 1, useBias: 0 as never }),
      "dense: expected useBias to be true or false, got 0",
    ],
    [
      () => layers.dense({ units: 1, kernelInitializer: "he" }),
      'dense: unknown kernelInitializer "he"; known: ',
    ],
    [
      () => layers.embedding({ inputDim: 0, outputDim: 3 }),
      "embedding: expected inputDim to be an integer of at least 1, got 0",
    ],
    [
      () => layers.embedding({ inputDim: 7 } as never),
      "embedding: expected outputDim to be an integer of at least 1, got undefined",
    ],
    [() => layers.dense({ units: 1, inputShape: 4 as never }), "dense, inputShape: expected a shape"],
    [
      () => layers.activation({} as never),
      "activation: expected activation to be a name or a function, got undefined",
    ],
    [() => layers.relu({ maxValue: -1 }), "relu: expected maxValue to be a number of at least 0, got -1"],
    [
      () => layers.relu({ negativeSlope: -1 }),
      "relu: expected negativeSlope to be a number of at least 0, got -1",
    ],
    [() => layers.leakyRelu({ alpha: 0.1 } as never), 'leakyRelu: unknown option "alpha"'],
    [
      () => layers.leakyRelu({ negativeSlope: Number.NaN }),
      "leakyRelu: expected negativeSlope to be a number of at least 0, got NaN",
    ],
    [() => layers.elu({ alpha: "1" as never }), 'elu: expected alpha to be a number, got "1"'],
    [() => layers.softmax({ axis: 0.5 }), "softmax: expected axis to be an integer from -8 to 7, got 0.5"],
    [
      () => layers.prelu({ sharedAxes: [0] }),
      "prelu: expected sharedAxes to be a list of integers of at least 1, got [0]",
    ],
    [() => layers.dropout({ rate: 1.5 }), "dropout: expected rate to be a number in [0, 1), got 1.5"],
    [() => layers.dropout({ rate: 1 }), "dropout: expected rate to be a number in [0, 1), got 1"],
    [
      () => layers.dropout({ rate: 0.5, seed: -1 }),
      "dropout: expected seed to be an integer of at least 0, got -1",
    ],
    [() => layers.dropout({ rate: 0.5, noiseShape: 3 as never }), "dropout, noiseShape: expected a shape"],
    [
      () => layers.gaussianNoise({ stddev: -1 }),
      "gaussianNoise: expected stddev to be a number of at least 0, got -1",
    ],
    [
      () => layers.gaussianDropout({ rate: 1 }),
      "gaussianDropout: expected rate to be a number in [0, 1), got 1",
    ],
    [
      () => layers.reshape({} as never),
      "reshape: expected targetShape to be a list of integers of at least -1, got undefined",
    ],
    [
      () => layers.reshape({ targetShape: [-1, -1] }),
      "reshape: expected at most one -1 in targetShape, got [-1,-1]",
    ],
    [() => layers.permute({ dims: [1, 1] }), "permute: expected dims to hold each of 1 to 2 once, got [1,1]"],
    [
      () => layers.permute({ dims: [0, 1] }),
      "permute: expected dims to be a list of integers of at least 1, got [0, 1]",
    ],
    [() => layers.repeatVector({ n: -1 }), "repeatVector: expected n to be an integer of at least 0, got -1"],
    [
      () => layers.concatenate({ axes: 1 } as never),
      'concatenate: unknown option "axes"; did you mean "axis"?',
    ],
    [
      () => layers.dot({} as never),
      "dot: expected axes to be a list of integers other than 0 (the batch), got undefined",
    ],
    [
      () => layers.dot({ axes: [1, 2, 3] as never }),
      "dot: expected axes to be one or two integers, got [1,2,3]",
    ],
    [() => layers.rescaling({} as never), "rescaling: expected scale to be a number, got undefined"],
    [
      () => layers.rescaling({ scale: [1, "2" as never] }),
      'rescaling: expected scale[1] to be a number, got "2"',
    ],
    [
      () => layers.inputLayer({ shape: [1], batchShape: [null, 1] }),
      "input: expected shape (of one sample) or batchShape, got both",
    ],
    [
      () => layers.inputLayer({ batchShape: [null, 1], batchSize: 3 }),
      "input: expected batchSize with shape, not with batchShape",
    ],
    [() => layers.inputLayer({ batchShape: [] }), "input: expected a batchShape with a batch axis, got []"],
    [
      () => layers.identity({ inputShpae: [1] } as never),
      'identity: unknown option "inputShpae"; did you mean "inputShape"?',
    ],
  ])("%#", (fn, message) => {
    const error = thrown(fn);
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(message);
  });

  test("a lambda needs a function, and cannot be saved", () => {
    expect(thrown(() => layers.lambda("x => x" as never)).message).toContain(
      "lambda: expected a function written with ops",
    );
    const layer = layers.lambda((x) => ops.square(x), { name: "sq" });
    const [y] = evaluate((x) => layer.apply(x), [tensor([3])]);
    expect(y!.toArray()).toEqual([9]);
    expect(thrown(() => layer.getConfig()).message).toContain("sq: a lambda layer cannot be saved");
  });
});

describe("inputs that do not fit", () => {
  const of = (...shape: (number | null)[]) => input({ shape });
  test.each<[() => unknown, string, string]>([
    [
      () => layers.dense({ units: 1 }).apply(of()),
      "SHAPE_MISMATCH",
      "dense: expected an input of rank of at least 2 (batch axis included), got shape (null)",
    ],
    [
      () => layers.dense({ units: 1 }).apply(of(null)),
      "SHAPE_MISMATCH",
      "dense: weight kernel: expected a known shape, got [null, 1]",
    ],
    [
      () => layers.dense({ units: 1 }).apply([of(1), of(1)]),
      "INVALID_ARGUMENT",
      "dense: expected one input, got a list of 2",
    ],
    [
      () => layers.flatten().apply({ a: of(1) }),
      "INVALID_ARGUMENT",
      "flatten: expected one input, got a record of 1",
    ],
    [
      () => layers.reshape({ targetShape: [3] }).apply(of(4)),
      "SHAPE_MISMATCH",
      "reshape: cannot view 4 elements as [3]",
    ],
    [
      () => layers.permute({ dims: [2, 1] }).apply(of(4)),
      "SHAPE_MISMATCH",
      "permute: expected an input of rank 3 (batch axis included), got shape (8, 4)",
    ],
    [
      () => layers.repeatVector({ n: 2 }).apply(of(2, 2)),
      "SHAPE_MISMATCH",
      "repeatVector: expected an input of rank 2",
    ],
    [
      () => layers.prelu({ sharedAxes: [2] }).apply(of(3)),
      "SHAPE_MISMATCH",
      "prelu: expected sharedAxes below the input's rank, got 2 for shape (null, 3)",
    ],
    [() => layers.softmax({ axis: 3 }).apply(of(3)), "INVALID_ARGUMENT", "softmax"],
    [
      () => layers.add().apply(of(3)),
      "INVALID_ARGUMENT",
      "add: expected a list of at least 1 input, got one input",
    ],
    [
      () => layers.add().apply([of(3), of(4)]),
      "SHAPE_MISMATCH",
      "add: expected inputs whose shapes broadcast, got [8, 3], [8, 4]",
    ],
    [
      () => layers.subtract().apply([of(3)]),
      "INVALID_ARGUMENT",
      "subtract: expected a list of 2 inputs, got a list of 1",
    ],
    [
      () => layers.concatenate().apply([of(3, 2), of(4, 2)]),
      "SHAPE_MISMATCH",
      "concatenate: expected inputs of equal shape except along axis 2, got [8, 3, 2], [8, 4, 2]",
    ],
    [
      () => layers.concatenate({ axis: 2 }).apply([of(3), of(4)]),
      "INVALID_ARGUMENT",
      "concatenate: expected an axis from -2 to 1 for rank 2, got 2",
    ],
    [
      () => layers.dot({ axes: 1 }).apply([of(3), of(4)]),
      "SHAPE_MISMATCH",
      "dot: expected the same batch and the same size along axes [1,1], got [8, 3] and [8, 4]",
    ],
    [
      () => layers.dot({ axes: -2 }).apply([of(3), of(3)]),
      "SHAPE_MISMATCH",
      "dot: expected axes other than the batch, got -2 for [8, 3]",
    ],
  ])("%#", (fn, code, message) => {
    const error = thrown(fn);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  test("dense used on another width than it was built for", () => {
    const d = layers.dense({ units: 2, name: "d" });
    d.apply(of(3));
    expect(thrown(() => d.apply(of(4))).message).toContain("d: expected a last axis of 3, got shape [8, 4]");
  });

  test("a noise shape that does not fit is found in training", () => {
    const layer = layers.dropout({ rate: 0.5, noiseShape: [null, 2], name: "d" });
    const run = () =>
      trace((x) => [layer.apply(x, { training: true })], [{ shape: [4, 3], dtype: "float32" }]);
    expect(thrown(run).message).toBe("d: expected noiseShape [null, 2] to broadcast to the input [4, 3]");
  });
});

describe("in training", () => {
  const ones = tensor(new Float32Array(4000).fill(1), [40, 100]);
  const train = (layer: Layer) => evaluate((x) => layer.apply(x, { training: true }), [ones])[0]!;
  const stats = (data: ArrayLike<number>) => {
    const values = Array.from(data);
    const mean = values.reduce((s, x) => s + x, 0) / values.length;
    return { mean, variance: values.reduce((s, x) => s + (x - mean) ** 2, 0) / values.length };
  };

  test("dropout zeroes its share and scales the rest", () => {
    const y = train(layers.dropout({ rate: 0.25, seed: 1 }));
    expect(new Set(y.data)).toEqual(new Set([0, Math.fround(4 / 3)]));
    // 4000 draws: the mean of 1 scatters by sqrt(0.25 / 0.75 / 4000) = 0.009; four sigmas.
    expect(Math.abs(stats(y.data).mean - 1)).toBeLessThan(0.037);
    expect(train(layers.dropout({ rate: 0, seed: 1 }))).toEqual(ones);
  });

  test("a noise shape drops whole rows or columns", () => {
    const y = train(layers.dropout({ rate: 0.5, seed: 1, noiseShape: [null, 1] }));
    for (let row = 0; row < 40; row++) expect(new Set(y.slice(row, row + 1).data).size).toBe(1);
    expect(new Set(y.data).size).toBe(2);
  });

  test("gaussian noise and dropout have the mean and variance they promise", () => {
    // 4000 draws: means scatter by sigma / sqrt(4000), variances by sigma^2 * sqrt(2 / 4000); four sigmas.
    const noise = stats(train(layers.gaussianNoise({ stddev: 0.5, seed: 2 })).data);
    expect(Math.abs(noise.mean - 1)).toBeLessThan(4 * 0.5 * 0.0158);
    expect(Math.abs(noise.variance - 0.25)).toBeLessThan(4 * 0.25 * 0.0224);
    const dropped = stats(train(layers.gaussianDropout({ rate: 0.2, seed: 2 })).data);
    expect(Math.abs(dropped.mean - 1)).toBeLessThan(4 * 0.5 * 0.0158);
    expect(Math.abs(dropped.variance - 0.25)).toBeLessThan(4 * 0.25 * 0.0224);
  });
});
