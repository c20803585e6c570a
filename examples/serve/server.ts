// Serves a saved model: npx tsx examples/serve/server.ts digits.myelin [port]. Without a model it trains one on digits first.
//   curl localhost:3000/predict -H 'content-type: application/json' -d '{"rows": [[0, 0, ...]]}'

import { layers, loadModel, type Model, sequential, Tensor } from "myelin";
import { loadDigits } from "../load-digits.ts";
import { buildApp } from "./app.ts";

async function trained(): Promise<Model> {
  console.log("no model given: training one on handwritten digits");
  const { train } = loadDigits();
  const model = sequential([
    layers.dense({ units: 128, activation: "relu", inputShape: [784] }),
    layers.dense({ units: 10, activation: "softmax" }),
  ]);
  model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
  await model.fit(train.images, train.labels, { epochs: 3 });
  return model;
}

const [path, port = "3000"] = process.argv.slice(2);
const model = path ? await loadModel(path) : await trained();
const shape = model.inputSpecs[0]!.shape.slice(1) as number[];
const features = shape.reduce((a, b) => a * b, 1);
const maxRows = 64;
const batcher = model.batcher({ maxBatch: maxRows });

const app = buildApp({
  features,
  maxRows,
  async predict(rows) {
    const y = await batcher.predict(new Tensor(rows, [rows.length / features, ...shape], "float32"));
    return y.data as Float32Array;
  },
  stats: () => {
    const { calls, refused, runs, rows, waiting } = batcher.stats;
    return {
      calls_total: calls,
      calls_refused_total: refused,
      runs_total: runs,
      rows_total: rows,
      rows_waiting: waiting,
    };
  },
});
console.log(`listening on ${await app.listen({ port: Number(port) })}`);

// What has come in is answered, nothing more is taken, and the process ends.
process.once("SIGTERM", async () => {
  await app.close();
  await batcher.close();
});
