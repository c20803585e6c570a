// Recommendation: two embeddings and a small tower, whose step is mostly the update of dense tables.

import { input, layers, model } from "../../src/index.ts";
import { coins, labels, type Workload } from "./workload.ts";

export const recsys: Workload = {
  name: "recsys",
  batchSize: 256,
  stepsPerEpoch: 32,
  flops: 3 * 2 * 256 * (128 * 128 + 128 * 64 + 64),
  build() {
    const user = input({ shape: [], dtype: "int32", name: "user" });
    const item = input({ shape: [], dtype: "int32", name: "item" });
    const x = layers
      .concatenate()
      .apply([
        layers.embedding({ inputDim: 10000, outputDim: 64 }).apply(user),
        layers.embedding({ inputDim: 5000, outputDim: 64 }).apply(item),
      ]);
    const hidden1 = layers.dense({ units: 128, activation: "relu" }).apply(x);
    const hidden2 = layers.dense({ units: 64, activation: "relu" }).apply(hidden1);
    const outputs = layers.dense({ units: 1, activation: "sigmoid" }).apply(hidden2);
    const m = model({ inputs: [user, item], outputs });
    m.compile({ optimizer: "adam", loss: "binaryCrossentropy" });
    return m;
  },
  data: (rows) => ({ x: [labels(10000, rows), labels(5000, rows)], y: coins(rows, 1) }),
};
