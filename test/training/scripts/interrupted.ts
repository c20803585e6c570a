// A training that a test kills and starts again: its folder, how often it saves, and after how many batches it ends itself.

import { readFileSync, writeFileSync } from "node:fs";
import { callbacks, layers, optimizers, sequential, tensor } from "../../../src/index.ts";

const [folder, saveFreq, killAfter] = process.argv.slice(2) as [string, string, string];
const x = tensor(Float32Array.from({ length: 90 }, (_, i) => Math.sin(i * 1.3)), [30, 3]); // biome-ignore format: one line
const y = tensor(Int32Array.from({ length: 30 }, (_, i) => i % 2));
const model = sequential(
  [
    layers.dense({ units: 6, activation: "tanh", inputShape: [3] }),
    layers.dropout({ rate: 0.3 }),
    layers.batchNormalization(),
    layers.dense({ units: 2, activation: "softmax" }),
  ],
  { seed: 3 },
);
const learningRate = optimizers.schedules.exponentialDecay({
  initialLearningRate: 0.05,
  decaySteps: 7,
  decayRate: 0.9,
});
model.compile({ optimizer: optimizers.adam({ learningRate, useEma: true }), loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] }); // biome-ignore format: one line
let batches = 0;
const kill = {
  onTrainBatchEnd() {
    if (++batches === Number(killAfter)) process.kill(process.pid, "SIGKILL");
  },
};
const history = await model.fit(x, y, {
  epochs: 5,
  batchSize: 4,
  seed: 11,
  validationSplit: 0.2,
  verbose: 0,
  callbacks: [
    callbacks.earlyStopping({ monitor: "loss", patience: 50, restoreBestWeights: true }),
    callbacks.csvLogger(`${folder}/log.csv`),
    kill,
    callbacks.backupAndRestore(folder, {
      saveFreq: saveFreq === "epoch" ? "epoch" : Number(saveFreq),
      deleteCheckpoint: false,
    }),
  ],
});
const result = {
  weights: model.getWeights().map((w) => [...w.data]),
  history: history.history,
  epoch: history.epoch,
  log: readFileSync(`${folder}/log.csv`, "utf8"),
};
writeFileSync(`${folder}/result.json`, JSON.stringify(result));
