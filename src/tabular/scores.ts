// How good the predictions of a tabular model are, next to what knowing nothing but the target gives.

import type { Cell } from "../data/columns.ts";

export interface LabelScore {
  readonly label: Cell;
  readonly rows: number;
  /** Of the rows predicted to be of this label, the share that is; 0 where there are none. */
  readonly precision: number;
  /** Of the rows of this label, the share that was predicted; 0 where there are none. */
  readonly recall: number;
  readonly f1: number;
}

export interface ClassificationScores {
  readonly task: "classification";
  readonly rows: number;
  readonly accuracy: number;
  /** Mean over labels. */
  readonly f1: number;
  /** Area under the ROC curve, the second label being the positive one; only for two labels, NaN where a label has no rows. */
  readonly auc?: number;
  /** Mean negative logarithm of the probability given to the right label. */
  readonly crossentropy: number;
  /** Accuracy of always saying the most frequent label of these rows. */
  readonly baseline: number;
  readonly labels: readonly LabelScore[];
  /** Rows by true label (first index) and predicted label (second). */
  readonly confusion: readonly (readonly number[])[];
}

export interface RegressionScores {
  readonly task: "regression";
  readonly rows: number;
  readonly rootMeanSquaredError: number;
  readonly meanAbsoluteError: number;
  /** 1 less the share of the variance that is left unexplained. */
  readonly r2: number;
  /** Root mean squared error of always saying the mean of these rows. */
  readonly baseline: number;
}

export type Scores = ClassificationScores | RegressionScores;

/** @param probabilities row by row, one per label */
export function scoreClasses(
  labels: readonly Cell[],
  truth: Int32Array,
  probabilities: ArrayLike<number>,
): ClassificationScores {
  const [rows, k] = [truth.length, labels.length];
  const confusion = labels.map(() => new Array<number>(k).fill(0));
  let crossentropy = 0;
  for (let row = 0; row < rows; row++) {
    confusion[truth[row]!]![likeliest(probabilities, row * k, k)]!++;
    crossentropy -= Math.log(Math.max(1e-7, probabilities[row * k + truth[row]!]!)) / rows;
  }
  const scores = labels.map((label, i) => {
    const own = sum(confusion[i]!);
    const predicted = sum(confusion.map((line) => line[i]!));
    const hits = confusion[i]![i]!;
    const precision = predicted === 0 ? 0 : hits / predicted;
    const recall = own === 0 ? 0 : hits / own;
    const f1 = hits === 0 ? 0 : (2 * precision * recall) / (precision + recall);
    return { label, rows: own, precision, recall, f1 };
  });
  return {
    task: "classification",
    rows,
    accuracy: sum(confusion.map((line, i) => line[i]!)) / rows,
    f1: sum(scores.map((s) => s.f1)) / k,
    ...(k === 2 && { auc: areaUnderCurve(truth, (row) => probabilities[row * 2 + 1]!) }),
    crossentropy,
    baseline: Math.max(...scores.map((s) => s.rows)) / rows,
    labels: scores,
    confusion,
  };
}

export function scoreNumbers(truth: ArrayLike<number>, predicted: ArrayLike<number>): RegressionScores {
  const rows = truth.length;
  const mean = Array.from(truth).reduce((a, b) => a + b, 0) / rows;
  let [squares, absolute, spread] = [0, 0, 0];
  for (let i = 0; i < rows; i++) {
    squares += (predicted[i]! - truth[i]!) ** 2 / rows;
    absolute += Math.abs(predicted[i]! - truth[i]!) / rows;
    spread += (truth[i]! - mean) ** 2 / rows;
  }
  return {
    task: "regression",
    rows,
    rootMeanSquaredError: Math.sqrt(squares),
    meanAbsoluteError: absolute,
    r2: spread === 0 ? Number.NaN : 1 - squares / spread,
    baseline: Math.sqrt(spread),
  };
}

/** The place of the largest of `count` numbers from `at` on. */
export function likeliest(numbers: ArrayLike<number>, at: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (numbers[at + i]! > numbers[at + best]!) best = i;
  return best;
}

/** The chance that a row of class 1 scores above one of class 0; equals count half (Mann and Whitney). */
function areaUnderCurve(truth: Int32Array, score: (row: number) => number): number {
  const order = Array.from(truth, (_, row) => row).sort((a, b) => score(a) - score(b));
  const positives = sum(Array.from(truth));
  const negatives = truth.length - positives;
  let ranks = 0;
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && score(order[to]!) === score(order[from]!)) to++;
    for (let i = from; i < to; i++) ranks += truth[order[i]!]! * ((from + to + 1) / 2);
    from = to;
  }
  return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
