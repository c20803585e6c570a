// Metrics made of counts of right and wrong positives: precision, recall, F1 and the area under a curve.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import { tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { EPSILON } from "../losses/epsilon.ts";
import { matchTargets } from "../losses/loss.ts";
import * as ops from "../ops/index.ts";
import { BuiltInMetric, type MetricOptions, quotient } from "./metric.ts";

export interface ThresholdOptions extends MetricOptions {
  /** Predictions above it count as positive. Default 0.5. */
  threshold?: number;
}

const isShare = (x: number) => x >= 0 && x <= 1;

/** Targets and predictions as 0 or 1 in float32. */
function positives(name: string, yTrue: Value, yPred: Value, threshold: number): [Value, Value] {
  const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
  return [ops.cast(ops.cast(t, "bool"), "float32"), ops.cast(ops.greater(p, threshold), "float32")];
}

/** True positives over all positives of one side: the predictions or the targets. */
function hitRate(
  name: string,
  options: ThresholdOptions,
  all: (targets: Value, predictions: Value) => Value,
): BuiltInMetric {
  const { threshold = 0.5 } = checkOptions(name, options, ["name", "threshold"]);
  checkNumber(name, "threshold", threshold, "in [0, 1]", isShare);
  const update = (yTrue: Value, yPred: Value) => {
    const [t, p] = positives(name, yTrue, yPred, threshold);
    return [ops.sum(ops.multiply(t, p)), ops.sum(all(t, p))];
  };
  const result = (sums: ArrayLike<number>) => quotient(sums[0]!, sums[1]!);
  return new BuiltInMetric({ name, options, direction: "max", update, result });
}

/** Of the elements predicted positive, the share that are: tp / (tp + fp); 0 when none was predicted. */
export function precision(options: ThresholdOptions = {}): BuiltInMetric {
  return hitRate("precision", options, (_, predictions) => predictions);
}

/** Of the positive elements, the share predicted positive: tp / (tp + fn); 0 when there is none. */
export function recall(options: ThresholdOptions = {}): BuiltInMetric {
  return hitRate("recall", options, (targets) => targets);
}

export interface F1Options extends MetricOptions {
  /** Predictions above it count as positive. Default: 0.5 for one output; otherwise the largest of a row counts. */
  threshold?: number;
  /** macro: mean over classes. micro: counts of all classes added first. weighted: by class frequency. Default "macro". */
  average?: "macro" | "micro" | "weighted";
}

/** Harmonic mean of precision and recall for targets and predictions [batch, classes] (one-hot or 0/1). */
export function f1Score(options: F1Options = {}): BuiltInMetric {
  const name = "f1Score";
  const { threshold, average = "macro" } = checkOptions(name, options, ["name", "threshold", "average"]);
  if (threshold !== undefined) checkNumber(name, "threshold", threshold, "in [0, 1]", isShare);
  checkOneOf(name, "average", average, ["macro", "micro", "weighted"]);
  const update = (yTrue: Value, yPred: Value) => {
    const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
    if (p.rank !== 2) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `metric ${name}: expected predictions [batch, classes], got ${formatShape(yPred.shape)}`,
      );
    }
    const cut = threshold ?? (p.shape[1] === 1 ? 0.5 : undefined);
    const chosen = cut === undefined ? largest(p) : ops.greater(p, cut);
    const hit = ops.cast(chosen, "float32");
    const perClass = [ops.multiply(t, hit), hit, t].map((x) => ops.sum(x, { axis: 0 }));
    return ops.stack(perClass, { axis: 0 });
  };
  return new BuiltInMetric({ name, options, direction: "max", update, result: (sums) => f1(sums, average) });
}

/** The largest of each row, unless it is zero. */
function largest(p: Value): Value {
  const isTop = ops.greaterEqual(p, ops.max(p, { axis: -1, keepDims: true }));
  return ops.logicalAnd(isTop, ops.greater(ops.abs(p), 1e-9));
}

function f1(sums: ArrayLike<number>, average: "macro" | "micro" | "weighted"): number {
  const classes = sums.length / 3;
  const score = (hits: number, predicted: number, actual: number) => {
    const p = hits / (predicted + EPSILON);
    const r = hits / (actual + EPSILON);
    return (2 * p * r) / (p + r + EPSILON);
  };
  let total = 0;
  let weights = 0;
  const all = [0, 0, 0];
  for (let c = 0; c < classes; c++) {
    const counts = [sums[c]!, sums[classes + c]!, sums[2 * classes + c]!] as const;
    const weight = average === "weighted" ? counts[2] : 1;
    total += weight * score(...counts);
    weights += weight;
    counts.forEach((n, i) => {
      all[i]! += n;
    });
  }
  return average === "micro" ? score(all[0]!, all[1]!, all[2]!) : quotient(total, weights);
}

export interface AucOptions extends MetricOptions {
  /** ROC: recall over false positive rate. PR: precision over recall. Default "ROC". */
  curve?: "ROC" | "PR";
  /** Points on the curve. Default 200. */
  numThresholds?: number;
}

/** Approximate area under the curve of 0/1 targets against scores in [0, 1], by counts at evenly spaced thresholds. */
export function auc(options: AucOptions = {}): BuiltInMetric {
  const name = "auc";
  const { curve = "ROC", numThresholds = 200 } = checkOptions(name, options, [
    "name",
    "curve",
    "numThresholds",
  ]);
  checkOneOf(name, "curve", curve, ["ROC", "PR"]);
  checkInteger(name, "numThresholds", numThresholds, 2);
  // The first and last lie just outside, so that every prediction is above the one and none above the other.
  const thresholds = Array.from({ length: numThresholds }, (_, i) => i / (numThresholds - 1));
  thresholds[0] = -EPSILON;
  thresholds[numThresholds - 1] = 1 + EPSILON;
  const column = tensor(Float32Array.from(thresholds), [numThresholds, 1]);
  const update = (yTrue: Value, yPred: Value) => {
    const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
    const isTrue = ops.reshape(ops.cast(ops.cast(t, "bool"), "float32"), [1, -1]);
    const above = ops.cast(ops.greater(ops.reshape(p, [1, -1]), column), "float32");
    const truePositives = ops.sum(ops.multiply(above, isTrue), { axis: -1 });
    const falsePositives = ops.sum(ops.multiply(above, ops.subtract(1, isTrue)), { axis: -1 });
    return ops.stack([truePositives, falsePositives], { axis: 0 });
  };
  const area = curve === "ROC" ? rocArea : prArea;
  return new BuiltInMetric({ name, options, direction: "max", update, result: area });
}

/** Trapezoids between the points of decreasing threshold. The lowest threshold counts everything as positive. */
function rocArea(sums: ArrayLike<number>): number {
  const n = sums.length / 2;
  const positives = sums[0]!;
  const negatives = sums[n]!;
  let area = 0;
  for (let i = 0; i + 1 < n; i++) {
    const width = quotient(sums[n + i]! - sums[n + i + 1]!, negatives);
    area += (width * (quotient(sums[i]!, positives) + quotient(sums[i + 1]!, positives))) / 2;
  }
  return area;
}

/** Interpolation of true positives between points (Davis and Goadrich, "The relationship between Precision-Recall and ROC curves", ICML 2006). */
function prArea(sums: ArrayLike<number>): number {
  const n = sums.length / 2;
  const positives = sums[0]!;
  let area = 0;
  for (let i = 0; i + 1 < n; i++) {
    const above = sums[i]! + sums[n + i]!;
    const next = sums[i + 1]! + sums[n + i + 1]!;
    const gained = sums[i]! - sums[i + 1]!;
    const slope = quotient(gained, Math.max(above - next, 0));
    const intercept = sums[i + 1]! - slope * next;
    const ratio = above > 0 && next > 0 ? above / next : 1;
    area += quotient(slope * (gained + intercept * Math.log(ratio)), positives);
  }
  return area;
}
