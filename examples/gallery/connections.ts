// The connections of NSL-KDD as rows of numbers, for intrusion.ts and intrusion-autoencoder.ts.

import { layers, ops, type Table, type Tensor, tensor, type Value } from "myelin";
import { readCsv } from "myelin/csv";
import { dataFile } from "./data.ts";

const fields = await readCsv(dataFile("nsl-kdd/Field_Names.csv"), { columns: ["name", "kind"] });
const symbolic = ["protocol_type", "service", "flag"];
const numeric = fields.strings("name").filter((name) => !symbolic.includes(name));

async function read(file: string): Promise<Table> {
  const columns = [...fields.strings("name"), "label", "difficulty"];
  let table = await readCsv(dataFile(`nsl-kdd/${file}`), { columns });
  // Bytes and seconds go over many orders of magnitude: their logarithms do not.
  for (const name of numeric) table = table.withColumn(name, (row) => Math.log1p(Number(row[name])));
  return table;
}

/** A fifth of the official training set, and the test set, with attacks that the training set has not. */
export const [train, test] = [await read("KDDTrain+_20Percent.txt.gz"), await read("KDDTest+.txt.gz")];

/** 1 for attacks, [rows, 1]. */
export function isAttack(table: Table): Tensor {
  const labels = table.strings("label");
  return tensor(Float32Array.from(labels, (label) => Number(label !== "normal")), [labels.length, 1]); // biome-ignore format: one line
}

/** Standardised numbers and one-hot names, by what some connections are like. */
export function features(of: Table) {
  const kinds = { ...Object.fromEntries(numeric.map((name) => [name, "floatNormalized" as const])), ...Object.fromEntries(symbolic.map((name) => [name, "stringCategorical" as const])) }; // biome-ignore format: one line
  const space = layers.featureSpace({ features: kinds });
  space.adapt(of);
  return space;
}

/** Numbers far off count as five standard deviations: first layer of the networks. */
export const clipped = (inputShape: readonly number[]) =>
  layers.lambda((x) => ops.clip(x as Value, -5, 5), { inputShape });
