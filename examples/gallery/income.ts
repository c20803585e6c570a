// Tables: does a person earn more than 50,000 dollars a year? By age, work, school and family, from a census (Adult).

import { layers, sequential, type Table, tensor } from "myelin";
import { readCsv } from "myelin/csv";
import { dataFile, percent, report, SEED } from "./data.ts";

const logarithm = (v: unknown) => Math.log1p(Number(v));

async function read(file: string): Promise<Table> {
  // biome-ignore format: as in adult.names
  const columns = ["age", "workclass", "fnlwgt", "education", "educationYears", "maritalStatus", "occupation",
    "relationship", "race", "sex", "capitalGain", "capitalLoss", "hoursPerWeek", "nativeCountry", "income"];
  const table = await readCsv(dataFile(`adult-income/${file}`), { columns });
  // A few people gain very much: on a logarithmic scale they do not drown out the others.
  return table
    .withColumn("capitalGain", (row) => logarithm(row.capitalGain))
    .withColumn("capitalLoss", (row) => logarithm(row.capitalLoss));
}
const [train, test] = [await read("adult-train.csv.gz"), await read("adult-test.csv.gz")];
const isRich = (table: Table) => {
  const labels = table.strings("income");
  return tensor(Float32Array.from(labels, (label) => Number(label.startsWith(">50K"))), [labels.length, 1]); // biome-ignore format: one line
};

const space = layers.featureSpace({
  features: {
    age: "floatNormalized",
    educationYears: "floatNormalized",
    capitalGain: "floatNormalized",
    capitalLoss: "floatNormalized",
    hoursPerWeek: "floatNormalized",
    workclass: "stringCategorical",
    education: "stringCategorical",
    maritalStatus: "stringCategorical",
    occupation: "stringCategorical",
    relationship: "stringCategorical",
    race: "stringCategorical",
    sex: "stringCategorical",
    nativeCountry: "stringCategorical",
  },
});
space.adapt(train);
const x = space.encode(train);
const model = sequential(
  [
    layers.dense({ units: 64, activation: "relu", inputShape: x.shape.slice(1) }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 32, activation: "relu" }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 1, activation: "sigmoid" }),
  ],
  { seed: SEED },
);
model.compile({ optimizer: "adam", loss: "binaryCrossentropy", metrics: ["accuracy"] });
await model.fit(x, isRich(train), { epochs: 20, batchSize: 128, seed: SEED });

const { accuracy } = await model.evaluate(space.encode(test), isRich(test), { verbose: 0 });
const poor = 1 - Array.from(isRich(test).data).filter(Boolean).length / test.numRows;
report("Adult income, accuracy on the test file", percent(accuracy), `84.5 % of a decision tree (C4.5), ${percent(poor)} of always saying no`); // biome-ignore format: one line
