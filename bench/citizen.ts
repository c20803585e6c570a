// npm run bench -- citizen [--json]: what a server feels. A 5 ms timer beside a running fit, XOR as a newcomer writes it,
// and the memory of 100,000 predictions.

import { layers, sequential, tensor } from "../src/index.ts";
import { parseArguments, Report } from "./measure.ts";
import { autoencoder, mlp } from "./workloads/dense.ts";

/** Share of its ticks a 5 ms timer gets during fit of mlp, and its longest gap. */
async function eventLoop(report: Report): Promise<void> {
  const model = mlp.build();
  const { x, y } = mlp.data(64 * mlp.batchSize);
  await model.fit(x, y, { epochs: 1, batchSize: mlp.batchSize, verbose: 0 });
  const fit = model.fit(x, y, { epochs: 30, batchSize: mlp.batchSize, verbose: 0 });
  const start = performance.now();
  let last = start;
  let ticks = 0;
  let gap = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
    ticks++;
  }, 5);
  await fit;
  clearInterval(timer);
  const expected = (performance.now() - start) / 5;
  const base = { peer: "myelin", workload: "mlp", threads: 0, spread: 0 };
  report.figure({ ...base, metric: "ticks", value: (100 * ticks) / expected, unit: "% of ticks" });
  report.figure({ ...base, metric: "gap", value: gap, unit: "ms gap" });
}

/** 5,000 epochs of XOR with a callback per epoch; seconds, and whether it learned. */
async function newcomer(report: Report): Promise<void> {
  const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]); // biome-ignore format: one row a sample
  const y = tensor([[0], [1], [1], [0]]);
  const seconds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const model = sequential(
      [
        layers.dense({ units: 8, activation: "tanh", inputShape: [2] }),
        layers.dense({ units: 1, activation: "sigmoid" }),
      ],
      { seed: round },
    );
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    let epochs = 0;
    const start = performance.now();
    await model.fit(x, y, {
      epochs: 5000,
      batchSize: 4,
      verbose: 0,
      callbacks: [{ onEpochEnd: () => void epochs++ }],
    });
    seconds.push((performance.now() - start) / 1000);
    const guesses = Array.from(model.predictSync(x).data, (p) => Math.round(p));
    if (guesses.join() !== "0,1,1,0" || epochs !== 5000)
      report.note(`  xor round ${round}: answers ${guesses.join()}`);
  }
  const value = seconds.sort((a, b) => a - b)[2]!;
  report.figure({
    peer: "myelin",
    workload: "xor",
    metric: "fit",
    value,
    unit: "s for 5000 epochs",
    threads: 0,
    spread: 0,
  });
}

/** Resident memory over 100,000 predictions, async and sync, after a warm-up. */
async function memory(report: Report): Promise<void> {
  const model = autoencoder.build();
  const x = tensor(new Float32Array(41), [1, 41]);
  const many = async (count: number) => {
    for (let i = 0; i < count; i += 2) {
      model.predictSync(x);
      await model.predict(x);
    }
  };
  const resident = () => {
    globalThis.gc?.();
    return process.memoryUsage.rss() / 2 ** 20;
  };
  await many(20_000);
  const before = resident();
  await many(100_000);
  const grown = resident() - before;
  report.figure({
    peer: "myelin",
    workload: "predict",
    metric: "rss",
    value: grown,
    unit: "MiB grown",
    threads: 0,
    spread: 0,
  });
}

export async function citizen(words: readonly string[]): Promise<void> {
  const report = new Report(parseArguments(words).flags.has("json"));
  await eventLoop(report);
  await newcomer(report);
  await memory(report);
}
