// Two hundred hidden layers: plain ones with a starting point that keeps signals as they are, and residual ones. Here a first
// epoch, tracing and compiling included, takes 0.3 s for 200 layers and 0.6 s for 400; before 200 layers train, making them takes
// 0.04 s.

import { expect, test } from "vitest";
import * as layers from "../../src/layers/index.ts";
import type { SymbolicTensor } from "../../src/layers/symbolic.ts";
import { input, type Model, model, modelFromJSON, sequential } from "../../src/models/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import "../../src/training/index.ts";

const WIDTH = 24;
const x = Array.from({ length: 128 }, (_, i) =>
  Array.from({ length: 8 }, (_, j) => Math.sin(i * 7.3 + j * 1.7 + i * j * 0.3)),
);
const y = x.map((row) => [Math.tanh(row[0]! + row[1]! * row[2]!)]);

/** Tanh is near the identity for small numbers, which orthogonal kernels pass on at their size (Saxe et al. 2014). */
function plain(depth: number): Model {
  const hidden = Array.from({ length: depth }, () =>
    layers.dense({ units: WIDTH, activation: "tanh", kernelInitializer: "orthogonal" }),
  );
  return sequential([layers.inputLayer({ shape: [8] }), ...hidden, layers.dense({ units: 1 })], { seed: 1 });
}

/** Pre-norm residual blocks of two layers. */
function residual(depth: number): Model {
  const inputs = input({ shape: [8] });
  let stream: SymbolicTensor = layers.dense({ units: WIDTH }).apply(inputs);
  for (let i = 0; i < depth / 2; i++) {
    const normed = layers.layerNormalization().apply(stream);
    const hidden = layers
      .dense({ units: WIDTH, activation: "relu", kernelInitializer: "heNormal" })
      .apply(normed);
    stream = layers.add().apply([stream, layers.dense({ units: WIDTH }).apply(hidden)]);
  }
  const outputs = layers.dense({ units: 1 }).apply(layers.layerNormalization().apply(stream));
  return model({ inputs, outputs, seed: 1 });
}

async function train(m: Model, learningRate: number, epochs: number): Promise<number[]> {
  m.compile({ optimizer: optimizers.adam({ learningRate, clipnorm: 1 }), loss: "meanSquaredError" });
  const { history } = await m.fit(x, y, { epochs, batchSize: 32, seed: 1, verbose: 0 });
  return history.loss as number[];
}

test.each([
  ["plain", plain, 3e-4],
  ["residual", residual, 1e-3],
] as const)("200 %s hidden layers train", async (_, make, rate) => {
  const m = make(200);
  const losses = await train(m, rate, 60);
  // The variance of the targets is 0.37: what a network reaches that has learnt nothing but their mean.
  expect(losses.at(-1)!).toBeLessThan(0.1);
  expect(losses.at(-1)!).toBeLessThan(0.4 * losses[0]!);
  // And everything else goes down all the way, too.
  expect(m.predictSync(x).shape).toEqual([128, 1]);
  expect(modelFromJSON(JSON.stringify(m)).countParams()).toBe(m.countParams());
  expect(m.summary({ print: false }).split("\n").length).toBeGreaterThan(400);
});

test("compiling takes time in proportion to depth", async () => {
  const seconds = async (depth: number) => {
    const start = performance.now();
    await train(residual(depth), 1e-3, 1);
    return (performance.now() - start) / 1000;
  };
  await seconds(100); // Once for the compiler of JavaScript.
  const [small, large] = [await seconds(100), await seconds(400)];
  // Four times as much; the bound leaves room for a busy machine, and would not for growth by the square.
  expect(large / small).toBeLessThan(12);
});

test("a thousand layers do not exhaust the stack", () => {
  const m = plain(1000);
  expect(m.predictSync([[1, 2, 3, 4, 5, 6, 7, 8]]).shape).toEqual([1, 1]);
});
