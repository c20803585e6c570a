// Training steps of the benchmark workloads on a tfjs backend, driven over stdin/stdout (see bench/peers.ts).

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";

const backend = process.argv[2];
if (backend === "wasm") {
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(fileURLToPath(new URL("node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url)));
}
await tf.setBackend(backend);
await tf.ready();

const dense = (units, activation, inputShape) => tf.layers.dense({ units, activation, inputShape });

const workloads = {
  mlp: () => ({
    model: tf.sequential({ layers: [dense(512, "relu", [784]), dense(256, "relu"), dense(10, "softmax")] }),
    loss: "categoricalCrossentropy",
    x: tf.randomUniform([128, 784]),
    y: tf.oneHot(tf.randomUniform([128], 0, 10, "int32"), 10),
  }),
  autoencoder: () => {
    const x = tf.randomUniform([256, 41]);
    const layers = [dense(32, "relu", [41]), dense(8, "relu"), dense(32, "relu"), dense(41)];
    return { model: tf.sequential({ layers }), loss: "meanSquaredError", x, y: x };
  },
  xor: () => ({
    model: tf.sequential({ layers: [dense(8, "tanh", [2]), dense(1, "sigmoid")] }),
    loss: "meanSquaredError",
    x: tf.tensor2d([[0, 0], [0, 1], [1, 0], [1, 1]]), // biome-ignore format: one row a sample
    y: tf.tensor2d([[0], [1], [1], [0]]),
  }),
};

const state = {};
for await (const line of createInterface({ input: process.stdin })) {
  const { workload, seconds } = JSON.parse(line);
  if (!state[workload]) {
    state[workload] = workloads[workload]();
    state[workload].model.compile({ optimizer: tf.train.adam(1e-3), loss: state[workload].loss });
  }
  const { model, x, y } = state[workload];
  const start = performance.now();
  let steps = 0;
  let elapsed = 0;
  while (elapsed < seconds) {
    await model.trainOnBatch(x, y);
    steps++;
    elapsed = (performance.now() - start) / 1000;
  }
  console.log(JSON.stringify({ steps, seconds: elapsed }));
}
