// Convolutional networks: Keras's MNIST example and the ResNet-20 of He et al. 2015 for CIFAR-10.

import { applications, layers, optimizers, sequential } from "../../src/index.ts";
import { labels, uniform, type Workload } from "./workload.ts";

export function cnnModel(dropout = true) {
  return sequential([
    layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu", inputShape: [28, 28, 1] }),
    layers.conv2d({ filters: 64, kernelSize: 3, activation: "relu" }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.dropout({ rate: dropout ? 0.25 : 0 }),
    layers.flatten(),
    layers.dense({ units: 128, activation: "relu" }),
    layers.dropout({ rate: dropout ? 0.5 : 0 }),
    layers.dense({ units: 10, activation: "softmax" }),
  ]);
}

export const cnn: Workload = {
  name: "cnn",
  batchSize: 128,
  stepsPerEpoch: 8,
  flops: 2 * 128 * (2 * 26 * 26 * 9 * 32 + 3 * (24 * 24 * 9 * 32 * 64 + 9216 * 128 + 128 * 10)),
  build({ dropout = true } = {}) {
    const model = cnnModel(dropout);
    model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
    return model;
  },
  data: (rows) => ({ x: uniform(rows, 28, 28, 1), y: labels(10, rows) }),
};

export const resnet20: Workload = {
  name: "resnet20",
  batchSize: 64,
  stepsPerEpoch: 8,
  // 40.6 million multiply-adds an image forward, as much again for each gradient, none for the images themselves.
  flops: 2 * 64 * (3 * 40_813_184 - 32 * 32 * 27 * 16),
  build() {
    const model = applications.resnet({ depth: 20 });
    model.compile({
      optimizer: optimizers.sgd({ learningRate: 0.01, momentum: 0.9, weightDecay: 1e-4 }),
      loss: "sparseCategoricalCrossentropy",
    });
    return model;
  },
  data: (rows) => ({ x: uniform(rows, 32, 32, 3), y: labels(10, rows) }),
};
