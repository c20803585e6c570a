// Small problems that networks must learn, with the networks, for the tests of training.

import { Random } from "../../src/core/random.ts";
import { Tensor } from "../../src/core/tensor.ts";
import type { Engine } from "../../src/engine/engine.ts";
import * as layers from "../../src/layers/index.ts";
import { type Sequential, sequential } from "../../src/models/sequential.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import "../../src/training/attach.ts";

export const XOR = {
  x: [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ],
  y: [[0], [1], [1], [0]],
};

export function xorModel(engine: Engine, seed?: number): Sequential {
  const model = sequential(
    [
      layers.dense({ units: 8, activation: "tanh", inputShape: [2] }),
      layers.dense({ units: 1, activation: "sigmoid" }),
    ],
    { seed },
  );
  model.compile({ optimizer: optimizers.adam({ learningRate: 0.05 }), loss: "meanSquaredError", engine });
  return model;
}

/** Three arms of a spiral: 3 classes, not separable by lines. */
export function spiral(perClass: number, seed = 5): { x: Tensor; y: Tensor } {
  const random = new Random(seed);
  const rows = 3 * perClass;
  const x = new Float32Array(rows * 2);
  const y = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    const arm = i % 3;
    const t = Math.floor(i / 3) / perClass;
    const angle = arm * ((2 * Math.PI) / 3) + 3 * t + 0.15 * random.normal();
    x[2 * i] = (0.1 + t) * Math.cos(angle);
    x[2 * i + 1] = (0.1 + t) * Math.sin(angle);
    y[i] = arm;
  }
  return { x: new Tensor(x, [rows, 2], "float32"), y: new Tensor(y, [rows], "int32") };
}

/** With dropout, so that randomness inside the Program is part of what the tests see. */
export function spiralModel(engine: Engine, options: { seed?: number; rate?: number } = {}): Sequential {
  const { seed, rate = 0.1 } = options;
  const model = sequential(
    [
      layers.dense({ units: 24, activation: "relu", inputShape: [2] }),
      layers.dropout({ rate }),
      layers.dense({ units: 24, activation: "tanh" }),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    { seed },
  );
  model.compile({
    optimizer: optimizers.adam({ learningRate: 0.02 }),
    loss: "sparseCategoricalCrossentropy",
    metrics: ["accuracy"],
    engine,
  });
  return model;
}

/** y = 2 a - 3 b + 1, exactly. */
export function line(rows: number, seed = 3): { x: Tensor; y: Tensor } {
  const random = new Random(seed);
  const x = Float32Array.from({ length: 2 * rows }, () => random.uniform() * 2 - 1);
  const y = Float32Array.from({ length: rows }, (_, i) => 2 * x[2 * i]! - 3 * x[2 * i + 1]! + 1);
  return { x: new Tensor(x, [rows, 2], "float32"), y: new Tensor(y, [rows], "float32") };
}

/** All weights in one array. */
export function weightsOf(model: Sequential): number[] {
  return model.getWeights().flatMap((w) => Array.from(w.data));
}
