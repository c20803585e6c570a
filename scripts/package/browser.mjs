// The digits of the demo, in a browser: trains on real handwritten digits with the reference engine and leaves what it
// reached where scripts/check-browser.mjs reads it.
import { engineInfo, layers, sequential, tensor } from "myelin";

async function main() {
  const { train, test } = await (await fetch("digits.json")).json();
  const images = (d) =>
    tensor(
      Float32Array.from(d.images, (v) => v / 255),
      [d.labels.length, 784],
    );
  const labels = (d) => tensor(Int32Array.from(d.labels), [d.labels.length]);
  const model = sequential([
    layers.dense({ units: 64, activation: "relu", inputShape: [784] }),
    layers.dense({ units: 10, activation: "softmax" }),
  ]);
  model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
  await model.fit(images(train), labels(train), { epochs: 5, batchSize: 64, seed: 1, verbose: 0 });
  const { accuracy } = await model.evaluate(images(test), labels(test));
  const refused = await model.save("anywhere").then(
    () => "no error",
    (error) => error.message,
  );
  return JSON.stringify({ engine: engineInfo().name, accuracy, refused });
}

main().then(
  (text) => {
    document.title = text;
  },
  (error) => {
    document.title = JSON.stringify({ error: String(error.stack) });
  },
);
