// A training that may be killed at any moment: trained.mjs FOLDER. Says "begun" when it trains; writes result.json at the end.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { callbacks, layers, sequential, tensor } from "../../dist/index.js";

const folder = argv[2];
const x = tensor(
  Float32Array.from({ length: 512 * 32 }, (_, i) => Math.sin(i * i)),
  [512, 32],
);
const y = tensor(
  Float32Array.from({ length: 512 }, (_, i) => Math.cos(i)),
  [512, 1],
);
const model = sequential(
  [
    layers.dense({ units: 256, activation: "relu", inputShape: [32] }),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: 1 }),
  ],
  { seed: 1 },
);
model.compile({ optimizer: "adam", loss: "meanSquaredError" });
await model.fit(x, y, {
  epochs: 60,
  batchSize: 16,
  seed: 7,
  verbose: 0,
  callbacks: [
    { onTrainBegin: () => console.log("begun") },
    callbacks.modelCheckpoint(join(folder, "checkpoint.myelin")),
    callbacks.backupAndRestore(join(folder, "backup"), { saveFreq: 5 }),
  ],
});
const hash = createHash("sha256");
for (const { data } of model.getWeights())
  hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
writeFileSync(join(folder, "result.json"), hash.digest("hex"));
