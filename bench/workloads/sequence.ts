// Sequences: two LSTM layers over numbers, a bidirectional GRU over words, a small GPT over characters.

import { applications, layers, optimizers, sequential } from "../../src/index.ts";
import { coins, labels, uniform, type Workload } from "./workload.ts";

export const lstm: Workload = {
  name: "lstm",
  batchSize: 32,
  stepsPerEpoch: 8,
  flops: 2 * 32 * 100 * 512 * (2 * 64 + 3 * (128 + 128 + 128)),
  build() {
    const model = sequential([
      layers.lstm({ units: 128, returnSequences: true, inputShape: [100, 64] }),
      layers.lstm({ units: 128 }),
      layers.dense({ units: 10, activation: "softmax" }),
    ]);
    model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
    return model;
  },
  data: (rows) => ({ x: uniform(rows, 100, 64), y: labels(10, rows) }),
};

export const textgru: Workload = {
  name: "textgru",
  batchSize: 32,
  stepsPerEpoch: 8,
  flops: 3 * 2 * 2 * 32 * 80 * 192 * (128 + 64),
  build() {
    const model = sequential([
      layers.embedding({ inputDim: 10000, outputDim: 128, inputShape: [80] }),
      layers.bidirectional({ layer: layers.gru({ units: 64 }) }),
      layers.dense({ units: 1, activation: "sigmoid" }),
    ]);
    model.compile({ optimizer: "adam", loss: "binaryCrossentropy" });
    return model;
  },
  data: (rows) => ({ x: labels(10000, rows, 80), y: coins(rows, 1) }),
};

/** The CPU model of nanoGPT: 4 blocks, 4 heads, 128 wide, 64 characters of context. */
const GPT = { blocks: 4, heads: 4, width: 128, sequenceLength: 64, vocabularySize: 65 };

export const gpt: Workload = {
  name: "gpt",
  batchSize: 12,
  stepsPerEpoch: 16,
  flops: 3 * 2 * 12 * 64 * (4 * (12 * 128 * 128 + 2 * 64 * 128) + 128 * 65),
  build() {
    const model = applications.gpt(GPT);
    model.compile({
      optimizer: optimizers.adamW({ learningRate: 1e-3 }),
      loss: "sparseCategoricalCrossentropy",
    });
    return model;
  },
  data: (rows) => ({ x: labels(65, rows, 64), y: labels(65, rows, 64) }),
};
