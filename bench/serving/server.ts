// One server of the serving benchmark: server.ts BACKEND NETWORK PATH [fit]. Prints its address when it listens.

import { createRequire } from "node:module";
import { buildApp, type Served } from "../../examples/serve/app.ts";
import { loadModel, Tensor } from "../../src/index.ts";
import { mlpModel } from "../workloads/dense.ts";
import { labels, uniform } from "../workloads/workload.ts";

const FEATURES = 784;
const MAX_ROWS = 64;
const [backend, network, path, fit] = process.argv.slice(2) as [string, string, string, string | undefined];

async function predictor(): Promise<Served["predict"]> {
  if (backend === "onnxruntime") {
    const require = createRequire(new URL("../compare/package.json", import.meta.url));
    const ort = require("onnxruntime-node");
    const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 2 });
    const shape = network === "cnn" ? [1, 28, 28] : [FEATURES];
    return async (rows) => {
      const x = new ort.Tensor("float32", rows, [rows.length / FEATURES, ...shape]);
      return (await session.run({ x })).y.data;
    };
  }
  const model = await loadModel(path);
  const shape = network === "cnn" ? [28, 28, 1] : [FEATURES];
  const batcher = backend === "batcher" ? model.batcher({ maxBatch: MAX_ROWS }) : model;
  return async (rows) => {
    const y = await batcher.predict(new Tensor(rows, [rows.length / FEATURES, ...shape], "float32"));
    return y.data as Float32Array;
  };
}

const app = buildApp({ features: FEATURES, maxRows: MAX_ROWS, predict: await predictor() });

/** A training that goes on and off: what the server's event loop has to live with. */
let stop: AbortController | undefined;
app.post("/resume", async () => {
  if (!fit || stop) return {};
  const control = new AbortController();
  stop = control;
  const model = mlpModel();
  model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
  const data = [uniform(4096, FEATURES), labels(10, 4096)] as const;
  void model
    .fit(...data, { epochs: 1e6, batchSize: 128, verbose: 0, signal: control.signal })
    .catch((error: Error) => {
      if (error.name !== "AbortError") throw error;
    });
  return {};
});
app.post("/pause", async () => {
  stop?.abort();
  stop = undefined;
  return {};
});
console.log(await app.listen({ port: 0, host: "127.0.0.1" }));
