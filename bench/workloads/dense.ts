// Networks of dense layers: from four samples of XOR to MNIST's images.

import { layers, type Model, sequential, tensor } from "../../src/index.ts";
import { labels, uniform, type Workload } from "./workload.ts";

const { dense } = layers;

export function mlpModel(): Model {
  return sequential([
    dense({ units: 512, activation: "relu", inputShape: [784] }),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 10, activation: "softmax" }),
  ]);
}

export const mlp: Workload = {
  name: "mlp",
  batchSize: 128,
  stepsPerEpoch: 64,
  // Forward and the gradients of weights and inputs; the first layer's input has no gradient.
  flops: 2 * 128 * (2 * 784 * 512 + 3 * (512 * 256 + 256 * 10)),
  build() {
    const model = mlpModel();
    model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
    return model;
  },
  data: (rows) => ({ x: uniform(rows, 784), y: labels(10, rows) }),
};

export const autoencoder: Workload = {
  name: "autoencoder",
  batchSize: 256,
  stepsPerEpoch: 64,
  flops: 2 * 256 * (2 * 41 * 32 + 3 * (32 * 8 + 8 * 32 + 32 * 41)),
  build() {
    const model = sequential([
      dense({ units: 32, activation: "relu", inputShape: [41] }),
      dense({ units: 8, activation: "relu" }),
      dense({ units: 32, activation: "relu" }),
      dense({ units: 41 }),
    ]);
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    return model;
  },
  data(rows) {
    const x = uniform(rows, 41);
    return { x, y: x };
  },
};

export const xor: Workload = {
  name: "xor",
  batchSize: 4,
  stepsPerEpoch: 16384,
  flops: 2 * 4 * (2 * 2 * 8 + 3 * 8),
  build() {
    const model = sequential([
      dense({ units: 8, activation: "tanh", inputShape: [2] }),
      dense({ units: 1, activation: "sigmoid" }),
    ]);
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    return model;
  },
  data(rows) {
    // The four cases over and over, so that an epoch is many steps.
    const x = Float32Array.from({ length: rows * 2 }, (_, i) => [0, 0, 0, 1, 1, 0, 1, 1][i % 8]!);
    const y = Float32Array.from({ length: rows }, (_, i) => [0, 1, 1, 0][i % 4]!);
    return { x: tensor(x, [rows, 2]), y: tensor(y, [rows, 1]) };
  },
};
