// npm run demo: trains a convolutional network on real digits and shows what it does. The code to read first is digits.ts;
// this file adds the pictures and the comparison of the two engines.

import { engineInfo, type Layer, layers, type Model, optimizers, sequential, setEngine } from "myelin";
import { type Digits, loadDigits } from "./load-digits.ts";

const EPOCHS = 10;
const BATCH = 128;

/** Two convolutions find strokes and their parts, two dense layers tell what they make up. */
function convolutional(): Layer[] {
  return [
    layers.reshape({ targetShape: [28, 28, 1], inputShape: [784] }),
    layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu" }),
    layers.conv2d({ filters: 64, kernelSize: 3, activation: "relu" }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.dropout({ rate: 0.25 }),
    layers.flatten(),
    layers.dense({ units: 128, activation: "relu" }),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 10, activation: "softmax" }),
  ];
}

/** What the reference engine gets through in the time. */
function dense(): Layer[] {
  return [
    layers.dense({ units: 512, activation: "relu", inputShape: [784] }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 256, activation: "relu" }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 10, activation: "softmax" }),
  ];
}

function digitNetwork(kind: () => Layer[]): Model {
  const model = sequential(kind(), { name: "digits", seed: 7 });
  model.compile({
    optimizer: optimizers.adam({ learningRate: 1e-3 }),
    loss: "sparseCategoricalCrossentropy",
    metrics: ["accuracy"],
  });
  return model;
}

function bestOf(probabilities: ArrayLike<number>, row: number): number {
  let best = 0;
  for (let digit = 1; digit < 10; digit++) {
    if (probabilities[row * 10 + digit]! > probabilities[row * 10 + best]!) best = digit;
  }
  return best;
}

/** Rows: what it is; columns: what the network says. */
function printConfusion(labels: ArrayLike<number>, guesses: readonly number[]): void {
  const counts = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
  for (const [i, guess] of guesses.entries()) counts[labels[i]!]![guess]!++;
  console.log("\nConfusion matrix (row: the digit, column: the answer)\n");
  console.log(`     ${Array.from({ length: 10 }, (_, d) => String(d).padStart(5)).join("")}`);
  for (const [digit, row] of counts.entries()) {
    const cells = row.map((n, d) =>
      n === 0 ? "    ·" : d === digit ? String(n).padStart(5) : `\u001b[31m${String(n).padStart(5)}\u001b[0m`,
    );
    console.log(`${String(digit).padStart(4)} ${cells.join("")}`);
  }
}

/** Draws digits side by side, two pixel rows a text line, with the answer under each. */
function drawDigits(digits: Digits, rows: readonly number[], captions: readonly string[]): void {
  const shades = " .:-=+*#%@";
  const pixel = (row: number, y: number, x: number) => digits.images.data[row * 784 + y * 28 + x]!;
  for (let y = 2; y < 26; y += 2) {
    const line = rows.map((row) => {
      let text = "";
      for (let x = 2; x < 26; x++) {
        const ink = Math.max(pixel(row, y, x), pixel(row, y + 1, x));
        text += shades[Math.min(9, Math.floor(ink * 10))];
      }
      return text;
    });
    console.log(`  ${line.join("   ")}`);
  }
  console.log(`  ${captions.map((c) => c.padEnd(24)).join("   ")}`);
}

/** Milliseconds per training step of the dense network on one engine. */
async function stepTime(engine: "native" | "reference", data: Digits, epochs: number): Promise<number> {
  setEngine(engine);
  const model = digitNetwork(dense);
  const images = data.images.slice(0, data.images.shape[0]! - (data.images.shape[0]! % BATCH));
  const labels = data.labels.slice(0, images.shape[0]);
  let start = 0;
  let elapsed = 0;
  const clock = {
    onEpochBegin: () => {
      start = performance.now();
    },
    onEpochEnd: () => {
      elapsed += performance.now() - start;
    },
  };
  await model.fit(images, labels, { epochs, batchSize: BATCH, seed: 7, verbose: 0, callbacks: [clock] });
  return elapsed / (epochs * (images.shape[0]! / BATCH));
}

const { train, test } = loadDigits();
const info = engineInfo();
console.log(`myelin ${info.version}: ${info.name} engine, ${info.level} kernels, ${info.threads} threads\n`);

const model = digitNetwork(info.name === "native" ? convolutional : dense);
model.summary();
console.log(
  `\nTraining on ${train.labels.size} digits, ${EPOCHS} epochs of ${Math.ceil(train.labels.size / BATCH)} steps`,
);
const start = performance.now();
await model.fit(train.images, train.labels, {
  epochs: EPOCHS,
  batchSize: BATCH,
  seed: 7,
  verbose: process.stdout.isTTY ? 1 : 2,
});
console.log(`trained in ${((performance.now() - start) / 1000).toFixed(2)} s`);

const { loss, accuracy } = await model.evaluate(test.images, test.labels, { verbose: 0 });
const probabilities = await model.predict(test.images);
const guesses = Array.from({ length: test.labels.size }, (_, row) => bestOf(probabilities.data, row));
printConfusion(test.labels.data, guesses);
console.log(
  `\nOn ${test.labels.size} held-out digits: accuracy ${(100 * accuracy!).toFixed(2)} %, loss ${loss!.toFixed(4)}\n`,
);

const wrong = guesses.flatMap((guess, row) => (guess === test.labels.data[row] ? [] : [row])).slice(0, 2);
const shown = [0, 1, ...wrong];
const caption = (row: number) => {
  const sure = (100 * probabilities.data[row * 10 + guesses[row]!]!).toFixed(0);
  return `says ${guesses[row]} (${sure} %), is ${test.labels.data[row]}`;
};
drawDigits(test, shown, shown.map(caption));

console.log("\nA training step of a dense network, 784-512-256-10, on both engines");
const reference = await stepTime(
  "reference",
  { images: train.images.slice(0, 512), labels: train.labels.slice(0, 512) },
  1,
);
console.log(`  reference (TypeScript)  ${reference.toFixed(1).padStart(8)} ms a step`);
if (info.name === "native") {
  const native = await stepTime("native", train, 3);
  console.log(
    `  native (${info.level})`.padEnd(26) +
      `${native.toFixed(2).padStart(8)} ms a step, ${(reference / native).toFixed(0)} times as fast`,
  );
}
