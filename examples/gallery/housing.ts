// Tables: what is a house worth? The median price in every district of California by place, rooms, people and income
// (California housing, 1990). Beside the network: a linear model of the same columns.

import { layers, optimizers, sequential, type Table, type Tensor } from "myelin";
import { readCsv } from "myelin/csv";
import { dataFile, report, SEED } from "./data.ts";

const EPOCHS = 100;
const BATCH = 128;

const file = await readCsv(dataFile("california-housing/housing.csv.gz"));
const counts = ["total_rooms", "total_bedrooms", "population", "households"] as const;
let districts = file.fillMissing("total_bedrooms", "median");
// What counts is rooms, bedrooms and people to a household, and how many there are only in orders of magnitude.
const ratio = (a: string, b: string) => (row: Record<string, unknown>) =>
  Math.log(Number(row[a]) / Number(row[b]));
districts = districts
  .withColumn("rooms", ratio("total_rooms", "households"))
  .withColumn("bedrooms", ratio("total_bedrooms", "total_rooms"))
  .withColumn("people", ratio("population", "households"));
for (const name of counts) districts = districts.withColumn(name, (row) => Math.log(Number(row[name])));
const [train, test] = districts.split({ testSize: 0.2, seed: SEED });

const space = layers.featureSpace({
  features: {
    longitude: "floatNormalized",
    latitude: "floatNormalized",
    housing_median_age: "floatNormalized",
    median_income: "floatNormalized",
    ...Object.fromEntries(
      [...counts, "rooms", "bedrooms", "people"].map((name) => [name, "floatNormalized" as const]),
    ),
    ocean_proximity: "stringCategorical",
  },
});
space.adapt(train);
const [x, testX] = [space.encode(train), space.encode(test)];
const price = (table: Table): Tensor => table.toTensor(["median_house_value"]);

/** Trained with a learning rate that falls to nothing; measured with the mean of its last weights. */
async function errorOf(hidden: number[], seed: number): Promise<number> {
  const learningRate = optimizers.schedules.cosineDecay({
    initialLearningRate: 0.004,
    decaySteps: EPOCHS * Math.ceil(train.numRows / BATCH),
  });
  const model = sequential(
    [
      layers.inputLayer({ shape: x.shape.slice(1) }),
      ...hidden.flatMap((units) => [
        layers.dense({ units, activation: "silu" }),
        layers.dropout({ rate: 0.1 }),
      ]),
      layers.dense({ units: 1 }),
      // The network works in units of a hundred thousand dollars.
      layers.rescaling({ scale: 100_000, offset: 200_000 }),
    ],
    { seed },
  );
  model.compile({
    optimizer: optimizers.adamW({ learningRate, weightDecay: 0.01, useEma: true, emaMomentum: 0.995 }),
    loss: "meanAbsoluteError",
    metrics: ["rootMeanSquaredError"],
  });
  await model.fit(x, price(train), { epochs: EPOCHS, batchSize: BATCH, seed, verbose: 0 });
  return (await model.evaluate(testX, price(test), { verbose: 0 })).rootMeanSquaredError!;
}

const dollars = (x: number) => `${Math.round(x).toLocaleString("en-US")} dollars`;
const network = await errorOf([256, 256, 256], SEED);
report("California housing, root of the mean squared error on a fifth of the districts", dollars(network), `${dollars(await errorOf([], SEED))} of a linear model, 47,000 to 50,000 of a random forest`); // biome-ignore format: one line
