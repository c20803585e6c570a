// Predictive maintenance: how many flights does a turbofan engine have left? From the sensors of its last 40 flights
// (C-MAPSS FD001).

import { layers, sequential, tensor } from "myelin";
import { readLines } from "myelin/text";
import { dataFile, report, SEED } from "./data.ts";

const FLIGHTS = 40;
const MOST = 125; // Long before the end nothing tells how long.
const SENSORS = [2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21].map((s) => s + 4);

const numbers = (line: string) => line.trim().split(/\s+/).map(Number);

/** The flights of each engine, in order. */
async function engines(file: string): Promise<number[][][]> {
  const fleet: number[][][] = [];
  for (const line of await readLines(dataFile(`cmapss-fd001/${file}`))) {
    const row = numbers(line);
    if (row.length === 1) continue;
    if (fleet.length < row[0]!) fleet.push([]);
    fleet.at(-1)!.push(SENSORS.map((s) => row[s]!));
  }
  return fleet;
}

const fleet = await engines("train_FD001.txt.gz");
const flights = fleet.flat();
const means = SENSORS.map((_, s) => flights.reduce((sum, f) => sum + f[s]!, 0) / flights.length);
const spreads = SENSORS.map((_, s) => Math.sqrt(flights.reduce((sum, f) => sum + (f[s]! - means[s]!) ** 2, 0) / flights.length)); // biome-ignore format: one line

/** The flights before number `end`; a young engine's first one counts for those it has not made. */
const window = (engine: number[][], end: number) =>
  Array.from({ length: FLIGHTS }, (_, i) => engine[Math.max(0, end - FLIGHTS + i)]!).flatMap((flight) =>
    flight.map((v, s) => (v - means[s]!) / spreads[s]!),
  );
const stack = (windows: number[][]) =>
  tensor(Float32Array.from(windows.flat()), [windows.length, FLIGHTS, SENSORS.length]);

const windows: number[][] = [];
const left: number[] = [];
for (const engine of fleet)
  for (let end = FLIGHTS; end <= engine.length; end++) {
    windows.push(window(engine, end));
    left.push(Math.min(MOST, engine.length - end) / MOST);
  }

const model = sequential(
  [
    layers.lstm({ units: 64, returnSequences: true, inputShape: [FLIGHTS, SENSORS.length] }),
    layers.dropout({ rate: 0.2 }),
    layers.lstm({ units: 32 }),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: 1 }),
  ],
  { seed: SEED },
);
model.compile({ optimizer: "adam", loss: "meanSquaredError" });
await model.fit(stack(windows), left, { epochs: 8, batchSize: 128, seed: SEED, verbose: 2 });

const test = await engines("test_FD001.txt.gz");
const truth = (await readLines(dataFile("cmapss-fd001/RUL_FD001.txt"))).filter((l) => l.trim()).map(Number);
const guess = await model.predict(stack(test.map((engine) => window(engine, engine.length))));
const rmse = (of: (i: number) => number) =>
  Math.sqrt(truth.reduce((sum, t, i) => sum + (of(i) - t) ** 2, 0) / truth.length);
const mean = (left.reduce((a, b) => a + b, 0) / left.length) * MOST;
report(
  "C-MAPSS FD001, error in flights on 100 engines",
  rmse((i) => guess.data[i]! * MOST).toFixed(1),
  `16.1 of an LSTM (Zheng 2017), 18.4 of a CNN (Babu 2016), ${rmse(() => mean).toFixed(1)} of the mean`,
);
