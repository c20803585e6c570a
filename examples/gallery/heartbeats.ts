// Health: heartbeats that are not normal. An autoencoder learns to draw 200 normal ones; what it draws badly is reported
// (ECG5000).

import { layers, MetricState, metrics, sequential, type Tensor, tensor } from "myelin";
import { readLines } from "myelin/text";
import { dataFile, percent, report, SEED } from "./data.ts";

const SAMPLES = 140;
const beats = (await readLines(dataFile("ecg5000/ECG5000_TRAIN.txt.gz"))).filter((l) => l.trim()).map((l) => l.trim().split(/\s+/).map(Number)); // biome-ignore format: one line
const stack = (rows: number[][]) =>
  tensor(Float32Array.from(rows.flatMap((row) => row.slice(1))), [rows.length, SAMPLES]);
const normal = beats.filter(([kind]) => kind === 1);
const train = stack(normal.slice(0, 180));
const held = normal.slice(200);
const ill = beats.filter(([kind]) => kind !== 1);
const test = stack([...held, ...ill]);

const coder = sequential(
  [
    layers.dense({ units: 32, activation: "relu", inputShape: [SAMPLES] }),
    layers.dense({ units: 8, activation: "relu" }),
    layers.dense({ units: 32, activation: "relu" }),
    layers.dense({ units: SAMPLES }),
  ],
  { seed: SEED },
);
coder.compile({ optimizer: "adam", loss: "meanAbsoluteError" });
await coder.fit(train, train, { epochs: 100, batchSize: 16, seed: SEED, verbose: 0 });

/** Mean distance of every beat from a drawing of it. */
function distances(x: Tensor, drawn: (row: number, i: number) => number): Float32Array {
  const one = (row: number) => {
    let sum = 0;
    for (let i = 0; i < SAMPLES; i++) sum += Math.abs(x.at(row, i) - drawn(row, i));
    return sum / SAMPLES;
  };
  return Float32Array.from({ length: x.shape[0]! }, (_, row) => one(row));
}
async function surprise(x: Tensor): Promise<Float32Array> {
  const made = await coder.predict(x);
  return distances(x, (row, i) => made.at(row, i));
}

const truth = Float32Array.from({ length: held.length + ill.length }, (_, i) => Number(i >= held.length));
function area(scores: Float32Array): string {
  const state = new MetricState(metrics.auc({ numThresholds: 2000 }));
  state.updateState(truth, scores.map((s) => s / (1 + s))); // biome-ignore format: one line
  return state.result().toFixed(3);
}
// The alarm rings above what 97 of 100 normal beats kept back for it stay below.
const calm = (await surprise(stack(normal.slice(0, 200)))).sort();
const alarm = calm[Math.floor(0.97 * calm.length)]!;
const scores = await surprise(test);
const right = scores.filter((s, i) => Number(s > alarm) === truth[i]).length / truth.length;
const mean = Array.from(
  { length: SAMPLES },
  (_, i) => normal.slice(0, 180).reduce((s, b) => s + b[i + 1]!, 0) / 180,
);
report("ECG5000, accuracy of finding abnormal beats", percent(right), `ROC AUC ${area(scores)}, ${area(distances(test, (_, i) => mean[i]!))} of the distance from the mean beat`); // biome-ignore format: one line
