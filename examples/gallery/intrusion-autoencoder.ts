// Intrusion detection without a single attack to learn from: an autoencoder learns to draw normal connections, and what it
// draws badly rings the alarm (NSL-KDD).

import { compile, layers, MetricState, metrics, ops, sequential, type Table, type Value } from "myelin";
import { clipped, features, isAttack, test, train } from "./connections.ts";
import { percent, report, SEED } from "./data.ts";

// Four fifths of the normal connections to learn from, the rest to set the alarm by.
const [normal, kept] = train.filter((row) => row.label === "normal").split({ testSize: 0.2, seed: SEED });
const space = features(normal);
const x = space.encode(normal);
const width = x.shape[1]!;
const coder = sequential(
  [
    clipped([width]),
    layers.dropout({ rate: 0.1 }),
    layers.dense({ units: 64, activation: "relu" }),
    layers.dense({ units: 12, activation: "relu" }),
    layers.dense({ units: 64, activation: "relu" }),
    layers.dense({ units: width }),
  ],
  { seed: SEED },
);
const drawn = (x: Value) => ops.clip(x, -5, 5);
const distance = (x: Value, y: Value) => ops.mean(ops.square(ops.subtract(drawn(x), y)), { axis: -1 });
coder.compile({ optimizer: "adam", loss: distance });
await coder.fit(x, x, { epochs: 30, batchSize: 128, seed: SEED, verbose: 0 });

const measure = compile(distance);
/** How badly each connection is drawn. */
async function surprise(table: Table): Promise<Float32Array> {
  const rows = space.encode(table);
  const distances = await measure(rows, await coder.predict(rows, { batchSize: 512 }));
  return distances.data as Float32Array;
}
// The alarm rings above what 93 of 100 normal connections stay below.
const calm = (await surprise(kept)).sort();
const alarm = calm[Math.floor(0.93 * calm.length)]!;
const scores = await surprise(test);
const truth = isAttack(test);
const right = scores.filter((score, i) => Number(score > alarm) === truth.at(i, 0)).length;
const area = new MetricState(metrics.auc({ numThresholds: 2000 }));
area.updateState(truth, scores.map((score) => score / (score + alarm))); // biome-ignore format: one line
const always = Array.from(truth.data).filter(Boolean).length / test.numRows;
report("NSL-KDD, accuracy of an autoencoder that has seen no attack", `${percent(right / test.numRows)}, ROC AUC ${area.result().toFixed(3)}`, `${percent(always)} of always saying attack, 77.4 % of a network that has seen attacks (Tavallaee et al. 2009)`); // biome-ignore format: one line
