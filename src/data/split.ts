// Dividing data for honest measurement: train and test, folds, and the same shuffle for several arrays.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { Random } from "../core/random.ts";
import { Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import { Dataset } from "./dataset.ts";
import { gatherRows } from "./rows.ts";

/** Arrays with rows: Tensors and what makes one, or lists of anything. */
export type RowArray = TensorLike | readonly unknown[];

/** What rows picked from an array are: a Tensor, or a list where the array was one of other things than numbers. */
export type Picked<T> = T extends readonly (infer U)[] ? (U extends number | boolean | readonly unknown[] ? Tensor : U[]) : Tensor; // biome-ignore format: one line

export interface SplitOptions {
  /** Share (below 1) or number of rows held out. Default 0.25. */
  testSize?: number;
  /** Rows in a new order first. Default true. */
  shuffle?: boolean;
  /** Same seed, same split. Default 0. */
  seed?: number;
  /** One label per row: both sides get the same shares of each. */
  stratify?: ArrayLike<unknown>;
}

export interface FoldOptions {
  /** Number of folds. Default 5. */
  splits?: number;
  /** Rows in a new order first. Default true. */
  shuffle?: boolean;
  /** Default 0. */
  seed?: number;
}

/** Rows to train on and rows to test on, by number. */
export interface Fold {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

const SPLIT_STREAM = 0x59117;

/**
 * Splits arrays row by row into a part to train on and one to test on.
 * @returns for arrays a, b: `[aTrain, aTest, bTrain, bTest]`, as scikit-learn's `train_test_split`
 * @example const [xTrain, xTest, yTrain, yTest] = utils.trainTestSplit([x, y], { testSize: 0.2, seed: 1, stratify: y.data });
 */
export function trainTestSplit<const A extends readonly RowArray[]>(
  arrays: A,
  options?: SplitOptions,
): { [K in keyof A]: [Picked<A[K]>, Picked<A[K]>] } extends infer P ? Flattened<P> : never {
  const where = "trainTestSplit";
  const o = checkOptions(where, options, ["testSize", "shuffle", "seed", "stratify"]);
  const count = sameRows(where, arrays);
  const size = checkNumber(where, "testSize", o.testSize ?? 0.25, "above 0", (x) => x > 0);
  const held = size < 1 ? Math.ceil(count * size) : checkInteger(where, "testSize", size);
  if (held >= count) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected testSize ${size} of ${count} rows to leave rows on both sides`,
    );
  }
  const order = shuffledRows(where, count, o);
  const test =
    o.stratify === undefined ? order.subarray(0, held) : stratified(where, order, o.stratify, held);
  const isTest = new Uint8Array(count);
  for (const row of test) isTest[row] = 1;
  const train = order.filter((row) => isTest[row] === 0);
  return arrays.flatMap((a) => [pickRows(a, train), pickRows(a, test)]) as never;
}

type Flattened<P> = P extends readonly [infer H, ...infer R]
  ? H extends readonly [infer A, infer B]
    ? [A, B, ...Flattened<R>]
    : never
  : P extends readonly []
    ? []
    : P extends readonly (infer Q)[]
      ? Q extends readonly [infer A, infer B]
        ? (A | B)[]
        : never
      : never;

/**
 * Folds for cross-validation: each row is tested on exactly once.
 * @param count how many rows there are
 * @example for (const { train, test } of utils.kFold(x.shape[0], { splits: 5, seed: 1 })) { const xTrain = utils.takeRows(x, train); ... }
 */
export function* kFold(count: number, options?: FoldOptions): Generator<Fold> {
  const where = "kFold";
  const o = checkOptions(where, options, ["splits", "shuffle", "seed"]);
  checkInteger(where, "count", count, 2);
  const splits = checkInteger(where, "splits", o.splits ?? 5, 2, count);
  const order = shuffledRows(where, count, o);
  let from = 0;
  for (let fold = 0; fold < splits; fold++) {
    const to = from + Math.floor(count / splits) + (fold < count % splits ? 1 : 0);
    yield foldOf(order, (_, place) => place >= from && place < to);
    from = to;
  }
}

/** The same with equal shares of each label in every fold. */
export function* stratifiedKFold(labels: ArrayLike<unknown>, options?: FoldOptions): Generator<Fold> {
  const where = "stratifiedKFold";
  const o = checkOptions(where, options, ["splits", "shuffle", "seed"]);
  const splits = checkInteger(where, "splits", o.splits ?? 5, 2);
  const order = shuffledRows(where, labels.length, o);
  const foldOfRow = new Int32Array(labels.length);
  // Rows of each label are dealt out in turn; where one label stops the next goes on, which keeps folds of equal size.
  let next = 0;
  for (const [label, rows] of byLabel(order, labels)) {
    if (rows.length < splits) {
      throw new MyelinError(
        "INVALID_DATA",
        `${where}: expected at least ${splits} rows of each label, got ${rows.length} of ${describe(label)}`,
      );
    }
    for (const row of rows) foldOfRow[row] = next++ % splits;
  }
  for (let fold = 0; fold < splits; fold++) yield foldOf(order, (row) => foldOfRow[row] === fold);
}

/** Rows of an array by number: a Tensor, or a list where the array is one of other things than numbers. */
export function takeRows<const T extends RowArray>(array: T, rows: ArrayLike<number>): Picked<T> {
  const count = sameRows("takeRows", [array]);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (Number.isInteger(row) && row >= 0 && row < count) continue;
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `takeRows: expected rows from 0 to ${count - 1}, got ${describe(row)}`,
    );
  }
  return pickRows(array, rows) as never;
}

/** Arrays with their rows in one new order, the same for all. */
export function shuffle<const A extends readonly RowArray[]>(
  arrays: A,
  options?: { seed?: number },
): { -readonly [K in keyof A]: Picked<A[K]> } {
  const count = sameRows("shuffle", arrays);
  const order = shuffledRows("shuffle", count, checkOptions("shuffle", options, ["seed"]));
  return arrays.map((a) => pickRows(a, order)) as never;
}

/**
 * A dataset in two (Keras `split_dataset`): its first `leftSize` and its last `rightSize` elements, given as shares below 1
 * or counts; by default all that the other leaves. Reads the dataset once and keeps its elements.
 */
export async function splitDataset<T>(
  dataset: Dataset<T>,
  options: { leftSize?: number; rightSize?: number; shuffle?: boolean; seed?: number },
): Promise<[left: Dataset<T>, right: Dataset<T>]> {
  const where = "splitDataset";
  const o = checkOptions(where, options, ["leftSize", "rightSize", "shuffle", "seed"]);
  const isMixed = checkBoolean(where, "shuffle", o.shuffle ?? false);
  if (o.leftSize === undefined && o.rightSize === undefined) {
    throw new MyelinError("INVALID_OPTION", `${where}: expected leftSize or rightSize, got neither`);
  }
  const all = await (isMixed ? Dataset.from(dataset).shuffle(2 ** 31 - 1, { seed: o.seed }) : dataset).toArray(); // biome-ignore format: one line
  const read = (name: string, size: number | undefined) => {
    if (size === undefined) return undefined;
    checkNumber(where, name, size, "above 0", (x) => x > 0);
    return size < 1 ? roundHalfEven(all.length * size) : checkInteger(where, name, size);
  };
  const right = read("rightSize", o.rightSize);
  const left = read("leftSize", o.leftSize) ?? all.length - right!;
  const rest = right ?? all.length - left;
  if (left + rest > all.length || left <= 0 || rest <= 0) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected two parts of ${all.length} elements, got ${left} and ${rest}`,
    );
  }
  return [Dataset.from(all.slice(0, left)), Dataset.from(all.slice(all.length - rest))];
}

// ---- inside

/** As Python rounds shares. */
function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

/** Whether rows are numbers, which a Tensor holds. */
function isNumeric(array: RowArray): array is TensorLike {
  if (!Array.isArray(array)) return true;
  let first: unknown = array[0];
  while (Array.isArray(first)) first = first[0];
  return typeof first === "number" || typeof first === "boolean";
}

function pickRows(array: RowArray, rows: ArrayLike<number>): Tensor | unknown[] {
  if (isNumeric(array)) return gatherRows(tensor(array), rows);
  return Array.from(rows, (row) => (array as readonly unknown[])[row]);
}

function sameRows(where: string, arrays: readonly RowArray[]): number {
  if (!Array.isArray(arrays) || arrays.length === 0) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a list of arrays, got ${describe(arrays)}`);
  }
  const counts = arrays.map((a) => {
    const rows = a instanceof Tensor ? a.shape[0] : (a as { length?: number } | null)?.length;
    if (typeof rows === "number") return rows;
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected arrays of rows, got ${describe(a)}`);
  });
  const odd = counts.find((c) => c !== counts[0]);
  if (odd === undefined) return counts[0]!;
  throw new MyelinError("SHAPE_MISMATCH", `${where}: expected ${counts[0]} rows in every array, got ${odd}`);
}

function shuffledRows(where: string, count: number, o: { shuffle?: boolean; seed?: number }): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const seed = checkInteger(where, "seed", o.seed ?? 0);
  if (checkBoolean(where, "shuffle", o.shuffle ?? true)) new Random(seed, SPLIT_STREAM).shuffle(order);
  return order;
}

function byLabel(order: Int32Array, labels: ArrayLike<unknown>): Map<unknown, number[]> {
  const groups = new Map<unknown, number[]>();
  for (const row of order) {
    const group = groups.get(labels[row]);
    if (group) group.push(row);
    else groups.set(labels[row], [row]);
  }
  return groups;
}

/** `held` rows with the labels' shares of the whole: whole numbers first, what is left by largest remainder. */
function stratified(where: string, order: Int32Array, labels: ArrayLike<unknown>, held: number): Int32Array {
  if (labels.length !== order.length) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected stratify to have ${order.length} labels, got ${labels.length}`,
    );
  }
  const groups = [...byLabel(order, labels).values()].map((rows) => {
    const share = (rows.length * held) / order.length;
    return { rows, take: Math.floor(share), rest: share % 1 };
  });
  let missing = held - groups.reduce((sum, g) => sum + g.take, 0);
  for (const group of [...groups].sort((a, b) => b.rest - a.rest)) {
    if (missing-- <= 0) break;
    group.take++;
  }
  return Int32Array.from(groups.flatMap((g) => g.rows.slice(0, g.take)));
}

function foldOf(order: Int32Array, isTest: (row: number, place: number) => boolean): Fold {
  return { train: order.filter((row, i) => !isTest(row, i)), test: order.filter((row, i) => isTest(row, i)) };
}
