// Log analysis: which runs of a distributed file system went wrong? A network learns which message follows which in normal
// runs; a run with a message it did not expect is reported (HDFS, after DeepLog, CCS 2017).

import { layers, sequential, tensor } from "myelin";
import { readLines } from "myelin/text";
import { dataFile, percent, report, SEED } from "./data.ts";

const LENGTH = 64;
const KEYS = 40;
const [START, END] = [KEYS - 2, KEYS - 1];

async function sessions(file: string): Promise<number[][]> {
  const lines = await readLines(dataFile(`hdfs-sessions/${file}`));
  return lines.filter((l) => l.trim()).map((l) => l.trim().split(/\s+/).map(Number));
}

/** What is said, and what is said next, step by step; 0 after the end. */
function pairs(runs: number[][]) {
  const x = new Int32Array(runs.length * LENGTH);
  const y = new Int32Array(runs.length * LENGTH);
  runs.forEach((run, i) => {
    const keys = [START, ...run, END].slice(0, LENGTH + 1);
    x.set(keys.slice(0, -1), i * LENGTH);
    y.set(keys.slice(1), i * LENGTH);
  });
  return [tensor(x, [runs.length, LENGTH]), tensor(y, [runs.length, LENGTH])] as const;
}

const normal = await sessions("hdfs_train.gz");
const abnormal = await sessions("hdfs_test_abnormal.gz");
const cut = Math.floor(normal.length * 0.7);
const tune = Math.floor(normal.length * 0.8);

const model = sequential(
  [
    layers.embedding({ inputDim: KEYS, outputDim: 16, maskZero: true, inputShape: [LENGTH] }),
    layers.lstm({ units: 64, returnSequences: true }),
    layers.dense({ units: KEYS, activation: "softmax" }),
  ],
  { seed: SEED },
);
model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
const [x, y] = pairs(normal.slice(0, cut));
await model.fit(x, y, { epochs: 20, batchSize: 64, seed: SEED, verbose: 0 });

/** For each run, how far down the list of guesses the least expected message stood. */
async function ranks(runs: number[][]): Promise<number[]> {
  const [said, next] = pairs(runs);
  const guesses = (await model.predict(said, { batchSize: 256 })).data;
  return runs.map((_, i) => {
    let worst = 0;
    for (let at = i * LENGTH; at < (i + 1) * LENGTH && said.data[at] !== 0; at++) {
      const own = guesses[at * KEYS + next.data[at]!]!;
      let above = 0;
      for (let k = 0; k < KEYS; k++) above += Number(guesses[at * KEYS + k]! > own);
      worst = Math.max(worst, above);
    }
    return worst;
  });
}

// The alarm is set by runs known to be normal: at most one of a hundred of them may ring it.
const known = (await ranks(normal.slice(cut, tune))).sort((a, b) => b - a);
const alarm = known[Math.floor(known.length / 100)]!;
const count = (list: number[]) => list.filter((r) => r > alarm).length;
const [falseAlarms, hits] = [count(await ranks(normal.slice(tune))), count(await ranks(abnormal))];
const [precision, recall] = [hits / (hits + falseAlarms), hits / abnormal.length];
const f1 = (2 * precision * recall) / (precision + recall);
report("HDFS logs, F1 of finding abnormal runs", f1.toFixed(3), `0.96 of DeepLog on the full set; ${percent(falseAlarms / (normal.length - tune))} false alarms, ${percent(recall)} found`); // biome-ignore format: one line
