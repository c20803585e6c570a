// Images: a convolutional network that tells ten kinds of clothes apart (Fashion-MNIST). Takes some minutes.

import { layers, optimizers, sequential, type Tensor, tensor } from "myelin";
import { readIdx } from "myelin/idx";
import { dataFile, percent, report, SEED } from "./data.ts";

const EPOCHS = 8;
const BATCH = 100;

async function load(part: "train" | "t10k"): Promise<[images: Tensor, labels: Tensor]> {
  const pixels = await readIdx(dataFile(`fashion-mnist/${part}-images-idx3-ubyte.gz`));
  const labels = await readIdx(dataFile(`fashion-mnist/${part}-labels-idx1-ubyte.gz`));
  const images = tensor(
    Float32Array.from(pixels.data, (v) => v / 255),
    [pixels.shape[0]!, 28, 28, 1],
  );
  return [images, tensor(Int32Array.from(labels.data))];
}

const [x, y] = await load("train");
const [testX, testY] = await load("t10k");

const conv = (filters: number) => [
  layers.conv2d({ filters, kernelSize: 3, padding: "same", useBias: false }),
  layers.batchNormalization({ momentum: 0.9 }),
  layers.relu(),
];
const model = sequential(
  [
    layers.inputLayer({ shape: [28, 28, 1] }),
    ...conv(32),
    ...conv(32),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.dropout({ rate: 0.2 }),
    ...conv(64),
    ...conv(64),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.dropout({ rate: 0.3 }),
    layers.flatten(),
    layers.dense({ units: 128, activation: "relu" }),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 10, activation: "softmax" }),
  ],
  { seed: SEED },
);
const decaySteps = (EPOCHS * x.shape[0]!) / BATCH;
model.compile({
  optimizer: optimizers.adam({
    learningRate: optimizers.schedules.cosineDecay({ initialLearningRate: 2e-3, decaySteps }),
  }),
  loss: "sparseCategoricalCrossentropy",
  metrics: ["accuracy"],
});
await model.fit(x, y, { epochs: EPOCHS, batchSize: BATCH, seed: SEED, verbose: 2 });

const { accuracy } = await model.evaluate(testX, testY, { batchSize: 250, verbose: 0 });
report(
  "Fashion-MNIST, accuracy on 10,000 test images",
  percent(accuracy),
  "83.5 % of people, about 89 % of a dense network",
);
