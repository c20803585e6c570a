// The well-known models against recorded results of keras.applications (scripts/record-applications-fixtures.py) and
// published numbers of parameters.

import { describe, expect, test } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import "../../src/training/index.ts";
import { applications, type Model, modelFromJSON } from "../../src/models/index.ts";
import recorded from "../fixtures/applications.json" with { type: "json" };
import { availableEngines } from "../helpers/engines.ts";
import { fillWeights, numbers } from "../helpers/formula.ts";
import { difference } from "../helpers/matcher.ts";
import { thrown } from "../helpers/thrown.ts";

type Options = Record<string, unknown>;

/** "resnet 50 1" and so on, as the fixture names them. */
function make(name: string, options: Options = {}): Model {
  const [kind, a, b] = name.split(" ") as [string, string, string];
  if (kind === "resnet") {
    return applications.resnet({ depth: Number(a) as 50, version: Number(b) as 1, ...options });
  }
  if (kind === "vgg") return applications.vgg({ depth: Number(a) as 16, ...options });
  return applications.mobilenetV2({ alpha: Number(a), ...options });
}

describe("as in keras.applications", () => {
  test.each(Object.entries(recorded.counts))("%s: parameters, layers and their shapes", (name, expected) => {
    const m = make(name);
    expect(m.countParams()).toBe(expected.params);
    if (!expected.shapes) return;
    const shapes = new Map(Object.entries(expected.shapes));
    for (const layer of m.layers) {
      const { name: own } = layer;
      // Layers that Keras numbers (max_pooling2d_3, global_average_pooling2d) have no name to compare.
      if (layer.calls[0]!.inputs.length === 0 || !shapes.has(own)) continue;
      expect([own, layer.calls[0]!.outputs[0]!.shape]).toEqual([own, shapes.get(own)]);
      shapes.delete(own);
    }
    const left = [...shapes.keys()].filter((n) => !/pad$|^max_pooling2d|^global_average/.test(n));
    expect(left).toEqual([]);
  });

  for (const engine of availableEngines()) {
    describe(engine.name, () => {
      // One of them says enough of the reference engine, which takes seconds for each.
      const cases = Object.entries(recorded.outputs).filter(
        ([name]) => engine.name === "native" || name.startsWith("mobilenet"),
      );
      test.each(cases)("%s: outputs with the same weights", (name, { size, output }) => {
        const m = make(name, { inputShape: [size, size, 3], classes: 7, classifierActivation: "linear" });
        m.compile({ loss: "meanSquaredError", engine });
        fillWeights(m);
        const x = Float32Array.from(numbers("input", 2 * size * size * 3), (v) => 4 * v);
        const y = m.predictSync(tensor(x, [2, size, size, 3]));
        // Up to 152 roundings in a row, in other orders.
        expect(difference(y, tensor(output, [2, 7]), { norm: 2e-5 })).toBeUndefined();
      });
    });
  }
});

describe("published numbers of parameters", () => {
  const cases: [string, () => Model, number][] = [
    // torchvision's documentation
    ["resnet18", () => applications.resnet({ depth: 18 }), 11_689_512],
    ["resnet34", () => applications.resnet({ depth: 34 }), 21_797_672],
    ["vgg11", () => applications.vgg({ depth: 11 }), 132_863_336],
    ["vgg13", () => applications.vgg({ depth: 13 }), 133_047_848],
    ["vgg16_bn", () => applications.vgg({ depth: 16, batchNormalization: true }), 138_365_992],
    // milesial/Pytorch-UNet
    [
      "unet",
      () => applications.unet({ inputShape: [null, null, 3], classes: 2, batchNormalization: true }),
      31_037_698,
    ],
    // GPT-2, small
    [
      "gpt2",
      () =>
        applications.gpt({ vocabularySize: 50257, sequenceLength: 1024, width: 768, heads: 12, blocks: 12 }),
      124_439_808,
    ],
  ];
  test.each(cases)("%s", (_, build, count) => {
    const m = build();
    const trainable = m.trainableWeights.reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0);
    expect(trainable).toBe(count);
  });

  test("of the small residual networks: 6n + 2 layers with weights", () => {
    for (const [depth, millions] of [
      [20, 0.27],
      [32, 0.46],
      [44, 0.66],
      [56, 0.85],
      [110, 1.7],
    ] as const) {
      const m = applications.resnet({ depth });
      // He et al. 2015, table 6. Projections, which their small networks do without, add less than 3,000.
      expect(Math.abs(m.countParams() / 1e6 - millions)).toBeLessThan(0.045);
      const main = m.layers.filter((l) => /^(conv\d+(_block\d+_[12])?_conv|predictions)$/.test(l.name));
      expect(main.length).toBe(depth);
      expect(applications.resnet({ depth, version: 2 }).outputSpecs[0]!.shape).toEqual([null, 10]);
    }
  });
});

describe("what they take and give", () => {
  const shape = (m: Model) => m.outputSpecs[0]!.shape;

  test("without a top, pooled or not", () => {
    const base = { inputShape: [64, 64, 3], includeTop: false } as const;
    expect(shape(applications.resnet({ ...base, depth: 18 }))).toEqual([null, 2, 2, 512]);
    expect(shape(applications.resnet({ ...base, depth: 50, pooling: "avg" }))).toEqual([null, 2048]);
    expect(shape(applications.mobilenetV2({ ...base, pooling: "max" }))).toEqual([null, 1280]);
    expect(shape(applications.vgg({ ...base, depth: 11, pooling: "max" }))).toEqual([null, 512]);
    expect(shape(applications.mobilenetV2({ inputShape: [null, null, 1] }))).toEqual([null, 1000]);
  });

  test("mlp", () => {
    const m = applications.mlp({ inputShape: [4, 2], hiddenUnits: [8, 8], units: 3, dropout: 0.5 });
    expect(m.layers.map((l) => l.className)).toEqual(
      "InputLayer Flatten Dense Dropout Dense Dropout Dense".split(" "),
    );
    expect(shape(m)).toEqual([null, 3]);
    const n = applications.mlp({ inputShape: [4], hiddenUnits: [8], units: 1, batchNormalization: true });
    expect(n.countParams()).toBe(4 * 8 + 4 * 8 + 8 + 1);
  });

  test("unet", () => {
    const m = applications.unet({ inputShape: [32, 48, 1], filters: 4, depth: 3, classes: 3, dropout: 0.2 });
    expect(shape(m)).toEqual([null, 32, 48, 3]);
    const bilinear = applications.unet({
      inputShape: [16, 16, 1],
      filters: 4,
      depth: 2,
      upSampling: "bilinear",
    });
    expect(shape(bilinear)).toEqual([null, 16, 16, 1]);
    expect(bilinear.getLayer("predictions").getConfig()).toMatchObject({ activation: "sigmoid" });
  });

  test("classifiers of sequences", () => {
    const words = applications.lstmClassifier({ vocabularySize: 50, bidirectional: true, units: [8, 4] });
    expect(shape(words)).toEqual([null, 2]);
    expect(words.inputSpecs).toEqual([{ name: "tokens", shape: [null, null], dtype: "int32" }]);
    const beats = applications.lstmClassifier({ inputShape: [20, 3], classes: 1 });
    expect(beats.getLayer("predictions").getConfig()).toMatchObject({ activation: "sigmoid" });
    // Padding counts nowhere, wherever it is: the same three tokens alone have the same classes.
    const m = applications.transformerClassifier({
      vocabularySize: 50,
      sequenceLength: 6,
      width: 8,
      seed: 1,
    });
    expect(shape(m)).toEqual([null, 2]);
    const short = applications.transformerClassifier({ vocabularySize: 50, sequenceLength: 3, width: 8 });
    const weights = m.getWeights();
    const at = m.namedWeights().findIndex((w) => w.path.startsWith("positions/"));
    weights[at] = tensor(weights[at]!.data.slice(0, 24), [3, 8]);
    short.setWeights(weights);
    const [padded, bare] = [m.predictSync([[3, 4, 5, 0, 0, 0]]), short.predictSync([[3, 4, 5]])];
    expect(difference(padded, bare, { norm: 1e-5 })).toBeUndefined();
    const vectors = applications.transformerClassifier({
      inputShape: [6, 3],
      width: 8,
      normalization: "post",
      includeTop: false,
    });
    expect(shape(vectors)).toEqual([null, 6, 8]);
  });

  test("all come back from JSON", () => {
    const models = [
      applications.mlp({ inputShape: [4], hiddenUnits: [3], units: 2 }),
      applications.resnet({ depth: 20, version: 2 }),
      applications.mobilenetV2({ inputShape: [32, 32, 3] }),
      applications.unet({ inputShape: [16, 16, 1], filters: 2 }),
      applications.lstmClassifier({ vocabularySize: 9 }),
      applications.transformerClassifier({ vocabularySize: 9, sequenceLength: 4 }),
      applications.gpt({ vocabularySize: 9, sequenceLength: 4, name: "tiny" }),
    ];
    for (const m of models) {
      const again = modelFromJSON(JSON.stringify(m));
      expect(again.toJSON()).toEqual(m.toJSON());
      expect(again.namedWeights().map((w) => w.path)).toEqual(m.namedWeights().map((w) => w.path));
    }
  });

  test("wrong options say what was expected", () => {
    const cases: [() => unknown, string][] = [
      [() => applications.resnet({ depth: 21 as 20 }), "resnet: expected depth to be one of 20, 32, 44, 56, 110, 18, 34, 50, 101, 152, got 21"],
      [() => applications.resnet({ depth: 20, version: 3 as 1 }), "resnet: expected version to be 1 or 2, got 3"],
      [() => applications.resnet({ depth: 20, depht: 1 } as never), 'resnet: unknown option "depht"; did you mean "depth"?'],
      [() => applications.resnet({ depth: 50, inputShape: [16, 16, 3] }), "resnet: expected inputShape [height, width, channels] with height and width of at least 32, got [16, 16, 3]"],
      [() => applications.resnet({ depth: 20, pooling: "mean" as "avg", includeTop: false }), 'resnet: unknown pooling "mean"'],
      [() => applications.vgg({ depth: 12 as 11 }), "vgg: expected depth to be one of 11, 13, 16, 19, got 12"],
      [() => applications.mobilenetV2({ alpha: 0 }), "mobilenetV2: expected alpha to be a number greater than 0, got 0"],
      [() => applications.mlp({ inputShape: [4], hiddenUnits: [0], units: 1 }), "mlp: expected hiddenUnits to be a list of integers of at least 1, got [0]"],
      [() => applications.mlp({ inputShape: [null], hiddenUnits: [1], units: 1 }), "mlp: expected inputShape of one sample, all sizes known, got [null]"],
      [() => applications.unet({ inputShape: [20, 16, 1] }), "unet: expected height and width to be multiples of 16 for a depth of 4, got [20, 16, 1]"],
      [() => applications.lstmClassifier({}), "lstmClassifier: expected vocabularySize (for tokens) or inputShape [steps, features], got neither"],
      [() => applications.lstmClassifier({ inputShape: [3] }), "lstmClassifier: expected inputShape [steps, features], got [3]"],
      [() => applications.transformerClassifier({ vocabularySize: 5 }), "transformerClassifier: expected sequenceLength to be an integer of at least 1, got undefined"],
      [() => applications.gpt({ vocabularySize: 5, sequenceLength: 4, width: 6, heads: 4 }), "gpt: expected width to be a multiple of heads, got width 6 and heads 4"],
    ]; // biome-ignore format: one line each
    for (const [build, message] of cases) {
      const error = thrown(build);
      expect(error).toMatchObject({ code: "INVALID_OPTION" });
      expect(error.message).toContain(message);
    }
  });
});
