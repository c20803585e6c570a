// npm run check:soak [-- --predictions=1000000 --models=10000 --rounds=200]: memory over very many predictions and over models
// that are made, trained and dropped; eight workers that train and are ended in the middle, round after round. Resident
// memory is read after garbage collection, at ten points; it must not grow from the third to the last.
// Runs dist/; node needs --expose-gc, which the npm script gives.

import process, { argv } from "node:process";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { engineInfo, layers, optimizers, sequential, tensor } from "../dist/index.js";

const MAX_GROWTH_MB = 8;
const option = (name, value) => Number(argv.find((a) => a.startsWith(`--${name}=`))?.split("=")[1] ?? value);

function made() {
  const model = sequential([
    layers.dense({ units: 32, activation: "relu", inputShape: [16] }),
    layers.dropout({ rate: 0.1 }),
    layers.dense({ units: 4, activation: "softmax" }),
  ]);
  model.compile({ optimizer: optimizers.adam(), loss: "sparseCategoricalCrossentropy" });
  return model;
}
const x = tensor(
  Float32Array.from({ length: 64 * 16 }, (_, i) => Math.sin(i)),
  [64, 16],
);
const y = tensor(
  Int32Array.from({ length: 64 }, (_, i) => i % 4),
  [64],
);

async function resident() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await later(20);
  }
  return process.memoryUsage.rss() / 2 ** 20;
}

async function soak(name, count, step) {
  const marks = [];
  const begin = performance.now();
  for (let part = 0; part < 10; part++) {
    for (let i = 0; i < count / 10; i++) await step(i);
    marks.push(await resident());
  }
  const seconds = (performance.now() - begin) / 1000;
  const grown = marks.at(-1) - marks[2];
  const { buffers, executables } = engineInfo();
  const text = `${name}: ${count} in ${seconds.toFixed(0)} s; resident MB ${marks.map((m) => m.toFixed(0)).join(" ")}; ${buffers} buffers, ${executables} programs held`;
  console.log(`${grown <= MAX_GROWTH_MB ? "ok  " : "FAIL"} ${text}`);
  if (grown > MAX_GROWTH_MB) process.exitCode = 1;
}

async function workers(rounds) {
  const script = fileURLToPath(import.meta.url);
  let ended = 0;
  const marks = [];
  for (let round = 0; round < rounds; round++) {
    const all = Array.from({ length: 8 }, () => new Worker(script, { argv: ["--worker"] }));
    await Promise.all(
      all.map((w) => new Promise((done, fail) => w.once("message", done).once("error", fail))),
    );
    await later(Math.random() * 10);
    await Promise.all(all.map((w) => w.terminate()));
    ended += all.length;
    if ((round + 1) % Math.ceil(rounds / 10) === 0) marks.push(await resident());
  }
  const grown = marks.at(-1) - marks[2];
  console.log(
    `${grown <= 4 * MAX_GROWTH_MB ? "ok  " : "FAIL"} workers: ${ended} ended in the middle of training; resident MB ${marks.map((m) => m.toFixed(0)).join(" ")}`,
  );
  if (grown > 4 * MAX_GROWTH_MB) process.exitCode = 1;
}

if (isMainThread) {
  const model = made();
  const one = tensor(x.data.slice(0, 16), [1, 16]);
  await soak("predict", option("predictions", 1_000_000), () => model.predict(one));
  await soak("models", option("models", 10_000), async () => {
    const m = made();
    await m.fit(x, y, { epochs: 1, batchSize: 32, verbose: 0 });
    await m.predict(one);
  });
  await workers(option("rounds", 200));
} else {
  const model = made();
  const training = model.fit(x, y, {
    epochs: 1e9,
    verbose: 0,
    callbacks: { onEpochEnd: (epoch) => epoch === 2 && parentPort.postMessage("trains") },
  });
  await training;
}
