// Draws the pictures of docs/models.md into docs/images.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  applications,
  input,
  layers,
  model,
  modelToSvg,
  type PlotOptions,
  type Sequential,
} from "../src/index.ts";

const mlp = applications.mlp({
  inputShape: [4],
  hiddenUnits: [8, 6],
  units: 3,
  outputActivation: "softmax",
  seed: 1,
});

/** A picture and a table in, a price out. */
function twoInputs() {
  const image = input({ shape: [28, 28, 1], name: "image" });
  const table = input({ shape: [10], name: "table" });
  const seen = layers.conv2d({ filters: 8, kernelSize: 3, activation: "relu" }).apply(image);
  const read = layers.dense({ units: 16, activation: "relu" }).apply(table);
  const both = layers.concatenate().apply([layers.flatten().apply(seen), read]);
  const outputs = layers.dense({ units: 1, name: "price" }).apply(both);
  return model({ inputs: [image, table], outputs });
}

/** Models inside a model. */
function autoencoder() {
  const x = input({ shape: [64] });
  const encoder = applications.mlp({ inputShape: [64], hiddenUnits: [32], units: 8, name: "encoder" });
  const decoder = applications.mlp({ inputShape: [8], hiddenUnits: [32], units: 64, name: "decoder" });
  return model({ inputs: x, outputs: decoder.apply(encoder.apply(x)) });
}

const pictures: Readonly<Record<string, [ReturnType<typeof twoInputs> | Sequential, PlotOptions]>> = {
  neurons: [mlp, { style: "neurons" }],
  "two-inputs": [twoInputs(), { showShapes: true, showLayerNames: true, showLayerActivations: true }],
  nested: [autoencoder(), { expandNested: true, showLayerNames: true, rankdir: "LR" }],
  unet: [applications.unet({ inputShape: [64, 64, 1], filters: 8, depth: 2 }), { showShapes: true }],
};

for (const [name, [drawn, options]] of Object.entries(pictures)) {
  const path = fileURLToPath(new URL(`../docs/images/${name}.svg`, import.meta.url));
  writeFileSync(path, modelToSvg(drawn, options));
}
