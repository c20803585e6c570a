// Faces: do two pictures show one person? An embedding puts the pictures of a person close together; it is asked about
// people it has never seen (Olivetti).

import { compile, layers, losses, MetricState, metrics, ops, sequential, type Tensor, utils, type Value } from "myelin"; // biome-ignore format: one line
import { readIdx } from "myelin/idx";
import { dataFile, percent, report, SEED } from "./data.ts";

// In order: ten pictures of the first person, ten of the second, ...
const [PEOPLE, EACH] = [40, 10];
const pictures = (await readIdx(dataFile("olivetti-faces/faces-images-idx3-ubyte.gz"))).reshape([-1, 64, 64, 1]); // biome-ignore format: one line
const personOf = (row: number) => Math.floor(row / EACH);
const picturesOf = (people: Int32Array) =>
  utils.takeRows(
    pictures,
    Int32Array.from({ length: people.length * EACH }, (_, i) => people[personOf(i)]! * EACH + (i % EACH)),
  );

const conv = (filters: number) => [
  layers.conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu" }),
  layers.batchNormalization({ momentum: 0.9 }),
  layers.maxPooling2d({ poolSize: 2 }),
];
const network = () =>
  sequential(
    [
      layers.inputLayer({ shape: [64, 64, 1], dtype: "uint8" }),
      layers.rescaling({ scale: 1 / 255, offset: -0.5 }),
      layers.averagePooling2d({ poolSize: 2 }),
      layers.randomFlip({ mode: "horizontal" }),
      layers.randomTranslation({ heightFactor: 0.08, widthFactor: 0.08, fillMode: "nearest" }),
      layers.randomRotation({ factor: 0.03, fillMode: "nearest" }),
      ...[32, 64, 64].flatMap(conv),
      layers.flatten(),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 64 }),
      layers.unitNormalization(),
    ],
    { seed: SEED },
  );

/** How alike every two rows are: from 0, the most distant ones, to 1. */
const likeness = compile((rows: Value) => {
  const x = ops.reshape(ops.cast(rows, "float32"), [rows.shape[0]!, -1]);
  const squares = ops.sum(ops.square(x), { axis: 1, keepDims: true });
  const products = ops.multiply(2, ops.matmul(x, x, { transposeB: true }));
  const distance = ops.sqrt(ops.relu(ops.subtract(ops.add(squares, ops.transpose(squares)), products)));
  return ops.subtract(1, ops.divide(distance, ops.max(distance)));
});

const areaOf = () => new MetricState(metrics.auc({ numThresholds: 2000 }));
const foundOf = () => new MetricState(metrics.sensitivityAtSpecificity({ specificity: 0.99, numThresholds: 2000 })); // biome-ignore format: one line
/** Adds all pairs of pictures. */
async function add(states: readonly MetricState[], rows: Tensor): Promise<void> {
  const alike = await likeness(rows);
  const count = rows.shape[0]!;
  const pairs = Array.from({ length: count * count }, (_, k) => [Math.floor(k / count), k % count] as const).filter(([i, j]) => j < i); // biome-ignore format: one line
  const isOne = pairs.map(([i, j]) => Number(personOf(i) === personOf(j)));
  for (const state of states) state.updateState(isOne, pairs.map(([i, j]) => alike.at(i, j))); // biome-ignore format: one line
}

const learnt = [foundOf(), areaOf()] as const;
const raw = [foundOf(), areaOf()] as const;
// Four times, with ten other people held out each time.
for (const { train, test } of utils.kFold(PEOPLE, { splits: 4, seed: SEED })) {
  const model = network();
  model.compile({ optimizer: "adam", loss: losses.circle() });
  const people = Int32Array.from({ length: train.length * EACH }, (_, i) => personOf(i));
  await model.fit(picturesOf(train), people, { epochs: 100, batchSize: 100, seed: SEED, verbose: 0 });
  await add(learnt, await model.predict(picturesOf(test)));
  await add(raw, picturesOf(test));
}
const shown = ([found, area]: typeof raw) =>
  `${percent(found.result())}, ROC AUC ${area.result().toFixed(3)}`;
report("Olivetti faces, pairs of one person found with 1 % false alarms", shown(learnt), `${shown(raw)} of the distance of pixels`); // biome-ignore format: one line
