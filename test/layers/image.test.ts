// Image layers: what is done with given draws against Keras, on both engines; what is drawn, by its statistics; mixing;
// configurations and what is refused.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { type NestedArray, type Tensor, tensor } from "../../src/core/tensor.ts";
import { engineNamed } from "../../src/engine/select.ts";
import type { Value } from "../../src/graph/graph.ts";
import { input, type Layer, layers, model, modelFromJSON, ops, sequential } from "../../src/index.ts";
import { type Change, oneOf } from "../../src/layers/image/choice.ts";
import type { RandomImage } from "../../src/layers/image/random-image.ts";
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

interface Case {
  name: keyof typeof layers;
  options: Record<string, unknown>;
  drawn: Record<string, number[]>;
  result: NestedArray;
}
const fixture = JSON.parse(readFileSync(new URL("../fixtures/image.json", import.meta.url), "utf8")) as {
  images: NestedArray;
  cases: Case[];
  plain: Omit<Case, "drawn">[];
};
const images = tensor(fixture.images);
const make = (name: string, options: object): Layer =>
  (layers as never as Record<string, (o: object) => Layer>)[name]!(options);

/** What the layers draw, from numbers per image; [batch, 1] for coordinates, [batch, 1, 1, 1] otherwise. */
function drawn(name: string, values: Record<string, number[]>): unknown {
  const isBool = ["randomFlip", "randomInvert", "randomGrayscale"].includes(name);
  const isFlat = ["randomTranslation", "randomRotation", "randomZoom", "randomShear"].includes(name);
  const value = (v: number[], bool = isBool) => {
    const t = tensor(Float32Array.from(v), isFlat ? [2, 1] : [2, 1, 1, 1]);
    return bool ? ops.cast(ops.constant(t), "bool") : ops.constant(t);
  };
  if (name === "randomPerspective") {
    const corners = (of: number[][]) => [0, 1, 2, 3].map((k) => ops.constant(tensor([[of[0]![k]!], [of[1]![k]!]]))); // biome-ignore format: one line
    const [x, y] = [values.x, values.y] as never as [number[][], number[][]];
    return { isChosen: value([1, 1], true), x: corners(x), y: corners(y) };
  }
  if (name === "randomElasticTransform") {
    const push = (of: unknown) => ops.constant(tensor(of as number[][]));
    return { isChosen: value([1, 1], true), dx: push(values.dx), dy: push(values.dy) };
  }
  if (name === "randomGaussianBlur") {
    const [a, b] = values.sigma!.map((s) => ops.constant(tensor(s)));
    return { isBlurred: value(values.isBlurred!, true), sigma: [a, b] };
  }
  const entries = Object.entries(values).map(([k, v]) => [k, value(v)] as const);
  return entries.length === 1 ? entries[0]![1] : Object.fromEntries(entries);
}

function close(ours: Tensor, theirs: NestedArray, limit = 0.02): void {
  const wanted = (theirs as number[][][][]).flat(3);
  expect(ours.size).toBe(wanted.length);
  wanted.forEach((v, i) => {
    expect(Math.abs(ours.data[i]! - v), `element ${i}: ${ours.data[i]} for ${v}`).toBeLessThan(limit);
  });
}

describe.each(availableEngines().map((e) => [e.name, e] as const))(
  "as Keras on the %s engine",
  (_, engine) => {
    it.each(fixture.cases.map((c) => [`${c.name} ${JSON.stringify(c.options)}`, c] as const))(
      "%s",
      (_, c) => {
        const layer = make(c.name, c.options) as unknown as RandomImage<unknown>;
        const isUnit = JSON.stringify(c.options.valueRange) === "[0,1]";
        const x = isUnit ? tensor(Float32Array.from(images.data, (v) => v / 255), images.shape) : images; // biome-ignore format: one line
        const program = build((v: Value) => [layer.transform(v, drawn(c.name, c.drawn))], [x], { engine });
        // The images have values up to 255; coordinates are float32 in both.
        close(program.runSync([x])[0]!, c.result, isUnit ? 1e-4 : 0.02);
      },
    );
    it.each(fixture.plain.map((c) => [`${c.name} ${JSON.stringify(c.options)}`, c] as const))(
      "%s",
      async (_, c) => {
        const m = sequential([make(c.name, { ...c.options, inputShape: [5, 6, 3] })]);
        m.compile({ engine, loss: "mse" });
        close(await m.predict(images), c.result);
      },
    );
  },
);

/** One training pass of a layer over many copies of the images. */
function trained(layer: Layer, copies: number, seed = 1): Tensor {
  const x = tensor(Float32Array.from({ length: copies * images.size }, (_, i) => images.data[i % images.size]!), [copies * 2, 5, 6, 3]); // biome-ignore format: one line
  const m = sequential([layers.inputLayer({ shape: [5, 6, 3] }), layer], { seed });
  const run = (v: Value) => m.callFlat([v], { training: true });
  return build(run, [x], { engine: engineNamed("reference", "test") }).runSync([x])[0]!;
}

const RANDOM: [string, object][] = [
  ["randomFlip", {}],
  ["randomTranslation", { heightFactor: 0.3, widthFactor: 0.3 }],
  ["randomRotation", { factor: 0.2 }],
  ["randomZoom", { heightFactor: 0.3 }],
  ["randomShear", { xFactor: 0.4, yFactor: 0.2 }],
  ["randomBrightness", { factor: 0.3 }],
  ["randomContrast", { factor: 0.5 }],
  ["randomHue", { factor: 0.5 }],
  ["randomSaturation", { factor: [0.2, 0.8] }],
  ["randomColorDegeneration", { factor: 0.8 }],
  ["randomPosterization", { factor: [1, 6] }],
  ["randomInvert", { factor: 0.5 }],
  ["randomGrayscale", {}],
  ["solarization", { additionFactor: 0.4, thresholdFactor: 0.7 }],
  ["randomSharpness", { factor: 0.9 }],
  ["randomGaussianBlur", { factor: 0.5 }],
  ["randomErasing", {}],
  ["randomPerspective", { scale: 0.6 }],
  ["randomElasticTransform", { scale: 0.8 }],
  ["randAugment", {}],
  ["augMix", { numChains: 2 }],
  ["augMix", { allOps: false, chainDepth: 1, alpha: 0.5 }],
  [
    "randomColorJitter",
    { brightnessFactor: 0.2, contrastFactor: 0.3, saturationFactor: 0.3, hueFactor: 0.1 },
  ],
];

describe("chance", () => {
  it.each(RANDOM)("%s treats every image by itself, the same for the same seed", (name, options) => {
    const y = trained(make(name, options), 12);
    const kinds = new Set(Array.from({ length: 12 }, (_, i) => y.slice(2 * i, 2 * i + 1).data.join()));
    expect(kinds.size).toBeGreaterThan(1);
    expect(trained(make(name, options), 12).data).toEqual(y.data);
    expect(trained(make(name, options), 12, 2).data).not.toEqual(y.data);
    expect(y.data.every((v: number) => Number.isFinite(v))).toBe(true);
  });

  it.each(RANDOM)(
    "%s leaves images alone outside of training, and makes itself again",
    async (name, options) => {
      const m = sequential([make(name, { ...options, seed: 4, inputShape: [5, 6, 3] })]);
      m.compile({ loss: "mse" });
      expect((await m.predict(images)).data).toEqual(images.data);
      const json = JSON.parse(JSON.stringify(m.toJSON())) as ReturnType<typeof m.toJSON>;
      expect(modelFromJSON(json).toJSON()).toEqual(json);
    },
  );

  it("draws brightness evenly over its range", () => {
    const y = trained(layers.randomBrightness({ factor: [0, 0.2], valueRange: [-1000, 1000] }), 200);
    const shifts = Array.from({ length: 400 }, (_, i) => y.data[i * 90]! - images.data[(i % 2) * 90]!);
    expect(Math.min(...shifts)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...shifts)).toBeLessThan(400.01);
    expect(shifts.reduce((a, b) => a + b, 0) / 400).toBeGreaterThan(170);
    expect(shifts.reduce((a, b) => a + b, 0) / 400).toBeLessThan(230);
  });

  it("bends images smoothly, some of them", () => {
    const chosen = layers.randomElasticTransform({ factor: [0.5, 0.5] });
    const y = trained(chosen, 40);
    const kept = Array.from({ length: 80 }, (_, i) => y.slice(i, i + 1).data.join() === images.slice(i % 2, (i % 2) + 1).data.join()); // biome-ignore format: one line
    const share = kept.filter(Boolean).length / 80;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.7);
  });

  it("gives every change the same chance, to every image, whatever the size of the batch", () => {
    const add =
      (n: number): Change =>
      (x) =>
        ops.add(x, n);
    const changes = [add(1), add(2), add(3)];
    for (const batch of [2, 3, 8, 3000]) {
      const x = tensor(Float32Array.from({ length: batch }, (_, i) => 10 * i), [batch, 1, 1, 1]); // biome-ignore format: one line
      const run = (v: Value) => [oneOf(v, changes, new ops.SeedGenerator(batch))];
      const y = build(run, [x], { engine: engineNamed("reference", "test") }).runSync([x])[0]!;
      const chosen = Array.from(y.data, (v, i) => v - 10 * i);
      expect(chosen.every((c) => [1, 2, 3].includes(c))).toBe(true);
      if (batch < 3000) continue;
      // An image's change has nothing to do with where it stands.
      for (const half of [chosen.slice(0, 1500), chosen.slice(1500)])
        for (const n of [1, 2, 3])
          expect(Math.abs(half.filter((c) => c === n).length - 500)).toBeLessThan(90);
    }
  });

  it("cuts out parts that are there", () => {
    const y = trained(layers.randomCrop({ height: 3, width: 2 }), 1);
    expect(y.shape).toEqual([2, 3, 2, 3]);
    expect(y.data.every((v: number) => (images.data as Float32Array).includes(v))).toBe(true);
  });

  it("crops the middle outside of training, where Keras 3.15 gives images of another size", async () => {
    const m = sequential([layers.randomCrop({ height: 3, width: 2, inputShape: [5, 6, 3] })]);
    m.compile({ loss: "mse" });
    expect((await m.predict(images)).shape).toEqual([2, 3, 2, 3]);
  });

  it("lets gradients through", () => {
    const layer = layers.randomRotation({ factor: 0.1 });
    const m = sequential([layers.conv2d({ filters: 3, kernelSize: 1, inputShape: [5, 6, 3] }), layer]);
    m.compile({ optimizer: "sgd", loss: "mse" });
    const before = m.getWeights()[0]!.data.slice();
    return m.trainOnBatch(images, images).then(() => expect(m.getWeights()[0]!.data).not.toEqual(before));
  });
});

describe("pipeline", () => {
  it("does what its layers do one after another, with weights and masks of theirs", async () => {
    const inner = () => [layers.rescaling({ scale: 1 / 255 }), layers.randomFlip({ seed: 3 }), layers.conv2d({ filters: 2, kernelSize: 3 })]; // biome-ignore format: one line
    const piped = sequential([layers.inputLayer({ shape: [5, 6, 3] }), layers.pipeline({ layers: inner() })], { seed: 1 }); // biome-ignore format: one line
    const plain = sequential([layers.inputLayer({ shape: [5, 6, 3] }), ...inner()], { seed: 1 });
    plain.setWeights(piped.getWeights());
    expect(piped.trainableWeights).toHaveLength(2);
    expect((await piped.predict(images)).data).toEqual((await plain.predict(images)).data);
    const json = JSON.parse(JSON.stringify(piped.toJSON())) as ReturnType<typeof piped.toJSON>;
    const again = modelFromJSON(json);
    expect(again.toJSON()).toEqual(json);
    expect(trained(layers.pipeline({ layers: [layers.randomInvert({ factor: 1 })] }), 1).data[0]).toBeCloseTo(255 - images.data[0]!, 3); // biome-ignore format: one line
  });
});

describe("gamma and beta", () => {
  const draw = (fn: () => Value) => build(() => [fn()], [], { engine: engineNamed("reference", "test") }).runSync([])[0]!.data; // biome-ignore format: one line
  const mean = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0) / x.length;
  const variance = (x: ArrayLike<number>) => mean(Array.from(x, (v) => (v - mean(x)) ** 2));

  it.each([0.3, 1, 4.5])("gamma(%s) has its mean and variance", (alpha) => {
    const x = draw(() => ops.random.gamma([4000], alpha, { seed: 5 }));
    expect(Math.abs(mean(x) - alpha)).toBeLessThan(4 * Math.sqrt(alpha / 4000));
    expect(Math.abs(variance(x) / alpha - 1)).toBeLessThan(0.25);
  });

  it.each([
    [0.2, 0.2],
    [2, 5],
    [1e-6, 1e-6],
  ] as const)("beta(%s, %s) has its mean and variance", (a, b) => {
    // biome-ignore format: one line
    const x = draw(() => ops.random.beta([4000], a, b, { seed: 6 }));
    const v = (a * b) / ((a + b) ** 2 * (a + b + 1));
    expect(Math.abs(mean(x) - a / (a + b))).toBeLessThan(4 * Math.sqrt(v / 4000));
    expect(Math.abs(variance(x) / v - 1)).toBeLessThan(0.12);
  });
});

describe("mixing", () => {
  const y = tensor([[1, 0], [0, 1]]); // biome-ignore format: rows
  const mixed = (layer: Layer, training: boolean, seed: number): [Tensor, Tensor] => {
    const x = { images: input({ shape: [5, 6, 3] }), labels: input({ shape: [2] }) };
    const m = model({ inputs: x, outputs: layer.apply(x as never) as never, seed });
    const run = (...v: Value[]) => m.callFlat(v, { training });
    return build(run, [images, y], { engine: engineNamed("reference", "test") }).runSync([images, y]) as [
      Tensor,
      Tensor,
    ];
  };

  it.each([
    ["mixUp", { alpha: 1 }],
    ["cutMix", {}],
  ] as const)("%s mixes labels as it mixes images", (name, options) => {
    // biome-ignore format: one line
    let changed = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const [x, labels] = mixed(make(name, options), true, seed);
      for (const row of [0, 1]) {
        expect(labels.at(row, 0) + labels.at(row, 1)).toBeCloseTo(1, 5);
        const other = labels.at(row, 1 - row);
        const pixel = (i: number) => images.data[row * 90 + i]!;
        const theirs = (i: number) => images.data[(1 - row) * 90 + i]!;
        if (name === "mixUp") {
          for (let i = 0; i < 90; i++)
            expect(x.data[row * 90 + i]).toBeCloseTo(pixel(i) + other * (theirs(i) - pixel(i)), 2);
        } else {
          for (let i = 0; i < 90; i++) expect([pixel(i), theirs(i)]).toContain(x.data[row * 90 + i]);
        }
        changed += Number(other > 0);
      }
    }
    expect(changed).toBeGreaterThan(0);
    expect(mixed(make(name, options), false, 1)[0].data).toEqual(images.data);
  });
});

it("refuses wrong options and inputs", () => {
  const l = layers;
  const wrong: [() => unknown, RegExp][] = [
    [() => l.randomFlip({ mode: "diagonal" as never }), /unknown mode "diagonal"/],
    [() => l.randomRotation({ factor: 2 }), /factor to be a number, or two, from -1 to 1, got 2/],
    [() => l.randomRotation({} as never), /factor to be a number, or two/],
    [() => l.randomZoom({ heightFactor: [0.1] as never }), /heightFactor to be a number, or two/],
    [
      () => l.randomTranslation({ heightFactor: 0, widthFactor: 0, fillMode: "edge" as never }),
      /unknown fillMode/,
    ],
    [
      () => l.randomBrightness({ factor: 0.1, valueRange: [1, 0] }),
      /valueRange to be two numbers, the smaller first/,
    ],
    [() => l.randomPosterization({ factor: 9 }), /from 1 to 8, got 9/],
    [() => l.randomGaussianBlur({ kernelSize: 2 }), /kernelSize to be odd/],
    [() => l.randomErasing({ fillValue: "noise" as never }), /fillValue to be a number/],
    [() => l.randomGrayscale({ factor: 2 }), /factor to be a number in \[0, 1\]/],
    [() => l.randomPerspective({ scale: 2 }), /scale to be a number in \[0, 1\], got 2/],
    [() => l.randomElasticTransform({ scale: -0.1 }), /scale to be a number, or two, from 0 to 1/],
    [() => l.randAugment({ numOps: 0 }), /numOps to be an integer of at least 1/],
    [() => l.augMix({ alpha: 0 }), /alpha to be a number above 0/],
    [() => l.augMix({ allOps: 1 as never }), /allOps to be true or false/],
    [() => l.equalization({ bins: 1 }), /bins to be an integer of at least 2/],
    [() => l.contrastLimitedAdaptiveHistogramEqualization({ tileGridSize: 8 as never }), /tileGridSize to be \[rows, columns\], got 8/], // biome-ignore format: one line
    [() => l.pipeline({ layers: [] }), /layers to be a list of at least one layer/],
    [() => l.mixUp({ alpha: 0 }), /alpha to be a number above 0/],
    [() => l.centerCrop({ height: 0, width: 1 }), /height to be an integer of at least 1/],
    [() => sequential([l.randomFlip({ inputShape: [3] }), l.flatten()]).predictSync([[1, 2, 3]]) && trained(l.flatten(), 1) && l.randomFlip().apply(input({ shape: [4] }), { training: true }), /images \[batch, height, width, channels\]/], // biome-ignore format: one line
  ];
  for (const [call, message] of wrong) expect(thrown(call).message).toMatch(message);
});
