// The models the step benchmarks train. Random data of the right shape: speed does not depend on the values.

import { layers, type Model, sequential, type Tensor, tensor } from "../src/index.ts";

export interface Workload {
  readonly name: string;
  readonly batchSize: number;
  /** Steps of one epoch over the data below. */
  readonly stepsPerEpoch: number;
  build(): Model;
  data(): { x: Tensor; y: Tensor };
}

function uniform(rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, () => Math.random());
}

const mlp: Workload = {
  name: "mlp",
  batchSize: 128,
  stepsPerEpoch: 64,
  build() {
    const model = sequential([
      layers.dense({ units: 512, activation: "relu", inputShape: [784] }),
      layers.dense({ units: 256, activation: "relu" }),
      layers.dense({ units: 10, activation: "softmax" }),
    ]);
    model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
    return model;
  },
  data() {
    const rows = 64 * 128;
    const labels = Int32Array.from({ length: rows }, () => Math.floor(Math.random() * 10));
    return { x: tensor(uniform(rows, 784), [rows, 784]), y: tensor(labels) };
  },
};

const autoencoder: Workload = {
  name: "autoencoder",
  batchSize: 256,
  stepsPerEpoch: 64,
  build() {
    const model = sequential([
      layers.dense({ units: 32, activation: "relu", inputShape: [41] }),
      layers.dense({ units: 8, activation: "relu" }),
      layers.dense({ units: 32, activation: "relu" }),
      layers.dense({ units: 41 }),
    ]);
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    return model;
  },
  data() {
    const x = tensor(uniform(64 * 256, 41), [64 * 256, 41]);
    return { x, y: x };
  },
};

const xor: Workload = {
  name: "xor",
  batchSize: 4,
  stepsPerEpoch: 16384,
  build() {
    const model = sequential([
      layers.dense({ units: 8, activation: "tanh", inputShape: [2] }),
      layers.dense({ units: 1, activation: "sigmoid" }),
    ]);
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    return model;
  },
  data() {
    // The four cases over and over, so that an epoch is many steps.
    const x = Float32Array.from({ length: 16384 * 8 }, (_, i) => [0, 0, 0, 1, 1, 0, 1, 1][i % 8]!);
    const y = Float32Array.from({ length: 16384 * 4 }, (_, i) => [0, 1, 1, 0][i % 4]!);
    return { x: tensor(x, [16384 * 4, 2]), y: tensor(y, [16384 * 4, 1]) };
  },
};

export const WORKLOADS: readonly Workload[] = [xor, mlp, autoencoder];
