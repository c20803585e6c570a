// Trains, and says what came of it: threads, the last loss, a checksum of the weights. With an argument it ends itself in the
// middle, in the way that it names.

import { createHash } from "node:crypto";
import process, { argv } from "node:process";
import { engineInfo, layers, sequential, tensor } from "../../dist/index.js";

const ending = argv[2];
const model = sequential([
  layers.dense({ units: 256, activation: "relu", inputShape: [64] }),
  layers.dropout({ rate: 0.1 }),
  layers.dense({ units: 10, activation: "softmax" }),
]);
model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
const rows = 2048;
const x = tensor(
  Float32Array.from({ length: rows * 64 }, (_, i) => Math.sin(i)),
  [rows, 64],
);
const y = tensor(
  Int32Array.from({ length: rows }, (_, i) => (i * 7) % 10),
  [rows],
);
if (ending !== undefined) {
  const end = {
    exit: () => process.exit(3),
    throw: () => {
      throw new Error("on purpose");
    },
    signal: () => process.kill(process.pid, "SIGTERM"),
    wait: () => {},
  }[ending];
  setTimeout(end, 150);
}
const { history } = await model.fit(x, y, { epochs: ending ? 100_000 : 5, seed: 1, verbose: 0 });
const hash = createHash("sha256");
for (const w of model.getWeights()) hash.update(w.data);
const { threads } = engineInfo();
const result = { threads, loss: history.loss.at(-1), weights: hash.digest("hex").slice(0, 16) };
if (process.send) process.send(result, () => process.disconnect());
else console.log(JSON.stringify(result));
