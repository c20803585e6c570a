// Time series: the next 24 hours of seven quantities of an electricity transformer, from the last 336 (ETTh1).

import { input, layers, model, type Tensor, tensor } from "myelin";
import { readCsv } from "myelin/csv";
import { dataFile, report, SEED } from "./data.ts";

const PAST = 336;
const AHEAD = 24;
const MONTH = 30 * 24;

const table = (await readCsv(dataFile("ett/ETTh1.csv"))).drop(["date"]);
const width = table.names.length;
const columns = table.names.map((name) => Float64Array.from(table.numbers(name)));

// Standardised with the year that is trained on.
const scaled = columns.map((column) => {
  const known = column.slice(0, 12 * MONTH);
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const spread = Math.sqrt(known.reduce((a, b) => a + (b - mean) ** 2, 0) / known.length);
  return Float32Array.from(column, (v) => (v - mean) / spread);
});

/** Windows of the past and the hours that follow them, for the months from `from` to `to`. */
function windows(from: number, to: number): [past: Tensor, ahead: Tensor] {
  const first = Math.max(0, from * MONTH - PAST);
  const count = to * MONTH - first - PAST - AHEAD + 1;
  const part = (begin: number, steps: number) => {
    const out = new Float32Array(count * steps * width);
    let at = 0;
    for (let i = 0; i < count; i++)
      for (let t = 0; t < steps; t++) for (const column of scaled) out[at++] = column[first + i + begin + t]!;
    return tensor(out, [count, steps, width]);
  };
  return [part(0, PAST), part(PAST, AHEAD)];
}

// What differs from the last hour, each quantity by itself: a linear layer over time and a small network beside it.
const past = input({ shape: [PAST, width] });
const last = layers.flatten().apply(layers.cropping1d({ cropping: [PAST - 1, 0] }).apply(past));
const repeated = (n: number) => layers.repeatVector({ n }).apply(last);
const change = layers.permute({ dims: [2, 1] }).apply(layers.subtract().apply([past, repeated(PAST)]));
const hidden = layers
  .dropout({ rate: 0.3 })
  .apply(layers.dense({ units: 64, activation: "relu" }).apply(change));
const linear = layers.dense({ units: AHEAD }).apply(change);
const bent = layers.dense({ units: AHEAD, kernelInitializer: "zeros" }).apply(hidden);
const steps = layers.permute({ dims: [2, 1] }).apply(layers.add().apply([linear, bent]));
const forecaster = model({ inputs: past, outputs: layers.add().apply([steps, repeated(AHEAD)]), seed: SEED });

forecaster.compile({ optimizer: "adam", loss: "meanSquaredError" });
const [x, y] = windows(0, 12);
await forecaster.fit(x, y, {
  epochs: 8,
  batchSize: 32,
  seed: SEED,
  verbose: 2,
  validationData: windows(12, 16),
});

const [testX, testY] = windows(16, 20);
const { loss } = await forecaster.evaluate(testX, testY, { verbose: 0 });
// The naive forecast: tomorrow will be as today.
let error = 0;
for (let i = 0; i < testY.shape[0]!; i++)
  for (let k = 0; k < AHEAD * width; k++)
    error += (testX.data[(i * PAST + PAST - AHEAD) * width + k]! - testY.data[i * AHEAD * width + k]!) ** 2;
const naive = error / testY.size;
const better = (100 * (1 - loss! / naive)).toFixed(0);
report(
  "ETTh1, squared error 24 hours ahead",
  loss!.toFixed(3),
  `${naive.toFixed(3)} of today's values again: ${better} % less`,
);
