// Learn to read handwritten digits. Run it with: npx tsx examples/digits.ts

import { tmpdir } from "node:os";
import { join } from "node:path";
import { callbacks, layers, loadModel, optimizers, sequential } from "myelin";
import { loadDigits } from "./load-digits.ts";

const { train, test } = loadDigits();

// 784 pixels in, two hidden layers, ten probabilities out; dropout keeps it from learning the digits by heart.
const model = sequential([
  layers.dropout({ rate: 0.1, inputShape: [784] }),
  layers.dense({ units: 512, activation: "relu" }),
  layers.dropout({ rate: 0.3 }),
  layers.dense({ units: 256, activation: "relu" }),
  layers.dropout({ rate: 0.3 }),
  layers.dense({ units: 10, activation: "softmax" }),
]);
model.summary();

model.compile({
  optimizer: optimizers.adam({ learningRate: 1e-3 }),
  loss: "sparseCategoricalCrossentropy",
  metrics: ["accuracy"],
});

// Training runs on its own threads; this program's event loop stays free.
await model.fit(train.images, train.labels, {
  epochs: 20,
  batchSize: 128,
  validationSplit: 0.1,
  seed: 7,
  callbacks: [callbacks.earlyStopping({ monitor: "valLoss", patience: 2, restoreBestWeights: true })],
});

const { accuracy } = await model.evaluate(test.images, test.labels);
console.log(`accuracy on ${test.labels.size} digits it has never seen: ${(100 * accuracy!).toFixed(1)} %`);

// Keep it, and use it again: a folder with model.json and weights.safetensors.
const folder = join(tmpdir(), "digits.myelin");
await model.save(folder);
const again = await loadModel(folder);
const probabilities = again.predictSync(test.images.slice(0, 1));
const guess = probabilities.data.indexOf(Math.max(...probabilities.data));
console.log(`the first of them is a ${test.labels.at(0)}; the network says ${guess}`);
