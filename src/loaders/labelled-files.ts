// Folders of files as a Dataset to train on: the part that texts, sounds and images have in common. What a file holds is
// read when it is needed.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOneOf } from "../core/options.ts";
import { drawSeed } from "../core/seed.ts";
import { Tensor } from "../core/tensor.ts";
import { Dataset } from "../data/dataset.ts";
import { toCategorical } from "../data/encode.ts";
import { indexDirectory, orderFiles } from "./directory.ts";

type LabelMode = "int" | "categorical" | "binary";

export interface DirectoryOptions {
  /** "inferred": the folders' names are the classes; a list with one label per file (files sorted); null: none. Default "inferred". */
  labels?: "inferred" | readonly number[] | null;
  /** "int": int32 [batch]; "categorical": one-hot float32 [batch, classes]; "binary": float32 [batch, 1]. Default "int". */
  labelMode?: LabelMode | null;
  /** Folders to take, in the order of their labels. Default: all, sorted. */
  classNames?: readonly string[];
  /** Files in a batch; null for single ones. Default 32. */
  batchSize?: number | null;
  /** Files in random order, a new one in each pass. Default true. */
  shuffle?: boolean;
  /** Default: follows from `setRandomSeed`. */
  seed?: number;
  /** Share of files kept for `validation`, in [0, 1). Default 0. */
  validationSplit?: number;
  /** What names of files end in. */
  extensions?: readonly string[];
}

export const DIRECTORY_OPTIONS = [
  "labels",
  "labelMode",
  "classNames",
  "batchSize",
  "shuffle",
  "seed",
  "validationSplit",
  "extensions",
] as const satisfies readonly (keyof DirectoryOptions)[];

/** Elements by the options: with or without labels, in batches or single. */
export type DirectoryElement<O, One, Many> = O extends { labels: null } | { labelMode: null }
  ? O extends { batchSize: null }
    ? One
    : Many
  : O extends { batchSize: null }
    ? [x: One, label: number | Tensor]
    : [x: Many, labels: Tensor];

export interface Directory<E> {
  /** Files with labels, to train on. */
  readonly dataset: Dataset<E>;
  /** The share held out by `validationSplit`, in a fixed order. Empty without it. */
  readonly validation: Dataset<E>;
  readonly classNames: readonly string[];
  /** All files, in the order of their names. */
  readonly paths: readonly string[];
  /** The class of each of `paths`. */
  readonly labels: Int32Array | undefined;
}

/** How files of a kind are found and read. */
export interface FileKind<One, Many> {
  readonly extensions: readonly string[];
  readonly read: (path: string) => Promise<One>;
  readonly stack: (files: readonly One[]) => Many;
}

/** @throws INVALID_FILE the folder is not there; INVALID_DATA no files in it, or labels that do not fit */
export async function labelledFiles<One, Many>(
  where: string,
  directory: string,
  o: DirectoryOptions,
  kind: FileKind<One, Many>,
): Promise<Directory<unknown>> {
  const mode =
    o.labelMode === null
      ? null
      : checkOneOf(where, "labelMode", o.labelMode ?? "int", ["int", "categorical", "binary"]);
  const batchSize = o.batchSize === null ? null : checkInteger(where, "batchSize", o.batchSize ?? 32, 1);
  const shuffle = checkBoolean(where, "shuffle", o.shuffle ?? true);
  const seed = checkInteger(where, "seed", o.seed ?? drawSeed());
  const share = (x: number) => x >= 0 && x < 1;
  const split = checkNumber(where, "validationSplit", o.validationSplit ?? 0, "in [0, 1)", share);
  const wanted = mode === null ? null : o.labels === undefined ? "inferred" : o.labels;
  if (wanted !== "inferred" && o.classNames !== undefined)
    throw new MyelinError("INVALID_OPTION", `${where}: expected classNames only with labels "inferred"`);
  const extensions = o.extensions ?? kind.extensions;
  const { paths, labels, classNames } = await indexDirectory(
    where,
    directory,
    wanted,
    extensions,
    o.classNames,
  );
  if (mode === "binary" && labels && classNames.length !== 2)
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected two classes for labelMode "binary", got ${classNames.length} (${classNames.join(", ")})`,
    );

  const contents = async (names: unknown): Promise<One | Many> =>
    Array.isArray(names)
      ? kind.stack(await Promise.all(names.map((name) => kind.read(name))))
      : kind.read(names as string);
  const datasetOf = (files: Int32Array, isMixed: boolean): Dataset<unknown> => {
    const names = Array.from(files, (i) => paths[i]!);
    const chosen = labels && Int32Array.from(files, (i) => labels[i]!);
    const targets = chosen && encodeLabels(chosen, mode!, classNames.length);
    let rows: Dataset<unknown> = Dataset.fromTensorSlices(targets ? [names, targets] : names);
    if (isMixed) rows = rows.shuffle(undefined, { seed });
    // Labels are batched before files are read, so that they keep their dtype.
    if (batchSize !== null) rows = rows.batch(batchSize);
    return rows.map(async (row) => {
      if (!targets) return contents(row);
      const [files, label] = row as [unknown, unknown];
      return [await contents(files), label];
    });
  };
  const [training, held] = orderFiles(paths.length, shuffle ? seed : undefined, split);
  return {
    dataset: datasetOf(training, shuffle),
    validation: held.length > 0 ? datasetOf(held, false) : Dataset.from<unknown>([]),
    classNames,
    paths,
    labels,
  };
}

function encodeLabels(labels: Int32Array, mode: LabelMode, classes: number): Tensor {
  if (mode === "int") return new Tensor(labels, [labels.length], "int32");
  if (mode === "binary") return new Tensor(Float32Array.from(labels), [labels.length, 1], "float32");
  return toCategorical(labels, classes);
}
