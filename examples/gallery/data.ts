// Where the gallery's data lies: public data sets in the folder MYELIN_DATA names, each in a folder of its own.

import { existsSync } from "node:fs";
import { join } from "node:path";

/** The path of a data file, e.g. dataFile("ett/ETTh1.csv"). */
export function dataFile(name: string): string {
  const folder = process.env.MYELIN_DATA;
  if (!folder)
    throw new Error("set MYELIN_DATA to the folder with the data sets (see examples/gallery/README.md)");
  const path = join(folder, name);
  if (!existsSync(path))
    throw new Error(`${path} is missing (see examples/gallery/README.md for where it comes from)`);
  return path;
}

/** Decides all that is left to chance, splits included; the environment variable SEED asks for another. */
export const SEED = Number(process.env.SEED ?? 1);

/** The last line of every example: what was reached on data the model has not seen, beside something to compare it with. */
export function report(what: string, reached: string, comparedWith: string): void {
  console.log(`${what}: ${reached} (compare: ${comparedWith})`);
}

export const percent = (share: number | undefined): string => `${(100 * share!).toFixed(1)} %`;
