// Counts of right and wrong positives at one threshold, and the shares made of them: precision, recall, F-beta.

import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { EPSILON } from "../losses/epsilon.ts";
import { matchTargets, spreadOver } from "../losses/loss.ts";
import * as ops from "../ops/index.ts";
import { BuiltInMetric, type MetricOptions, quotient } from "./metric.ts";

export interface CountOptions extends MetricOptions {
  /** Predictions above it count as positive; in [0, 1]. Default 0.5. For several thresholds use several metrics. */
  thresholds?: number;
}

export interface ShareOptions extends CountOptions {
  /** Only the k largest predictions of a row may be positive; they then need no threshold. Default: all may. */
  topK?: number | null;
  /** Only this class, an index of the last axis, counts. Default: all elements. */
  classId?: number | null;
}

const isShare = (x: number) => x >= 0 && x <= 1;
/** Below every threshold, as Keras has it. */
const NEVER = -1e10;

interface Positives {
  /** Targets as 0 or 1, float32. */
  readonly actual: Value;
  /** Predictions as 0 or 1, float32. */
  readonly predicted: Value;
  /** Of the same shape; 1 without sample weights. */
  readonly weights: Value | undefined;
}

/** One class of the last axis. */
export function ofClass(name: string, x: Value, classId: number): Value {
  const classes = x.shape.at(-1) ?? 0;
  if (classId < classes) return ops.sliceAxis(x, x.rank - 1, classId, classId + 1);
  throw new MyelinError(
    "INVALID_OPTION",
    `metric ${name}: expected classId below the ${classes} classes of the predictions, got ${classId}`,
  );
}

/** Weights of samples in the shape of values. */
export function weightsFor(name: string, values: Value, sampleWeight: Value | null | undefined) {
  if (!sampleWeight) return undefined;
  return ops.broadcastTo(spreadOver(`metric ${name}`, values, sampleWeight), values.shape);
}

const times = (x: Value, weights: Value | undefined): Value => (weights ? ops.multiply(x, weights) : x);

function readShare(name: string, options: ShareOptions) {
  const o = checkOptions(name, options, ["name", "thresholds", "topK", "classId"]);
  if (Array.isArray(o.thresholds)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${name}: expected one number as thresholds (use a metric for each), got ${describe(o.thresholds)}`,
    );
  }
  return {
    topK: o.topK == null ? undefined : checkInteger(name, "topK", o.topK, 1),
    classId: o.classId == null ? undefined : checkInteger(name, "classId", o.classId),
    threshold: checkNumber(
      name,
      "thresholds",
      o.thresholds ?? (o.topK == null ? 0.5 : NEVER),
      "in [0, 1]",
      (x) => isShare(x) || x === NEVER,
    ),
  };
}

function positives(
  name: string,
  yTrue: Value,
  yPred: Value,
  o: ReturnType<typeof readShare>,
  sampleWeight?: Value | null,
): Positives {
  let [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
  if (o.topK !== undefined && o.topK < p.shape.at(-1)!) {
    const { values } = ops.topK(p, o.topK);
    const least = ops.sliceAxis(values, p.rank - 1, o.topK - 1, o.topK);
    p = ops.where(ops.greaterEqual(p, least), p, NEVER);
  }
  if (o.classId !== undefined) [t, p] = [ofClass(name, t, o.classId), ofClass(name, p, o.classId)];
  return {
    actual: ops.cast(ops.cast(t, "bool"), "float32"),
    predicted: ops.cast(ops.greater(p, o.threshold), "float32"),
    weights: weightsFor(name, p, sampleWeight),
  };
}

/** A share: hits over all positives of one side, the predictions or the targets. */
function hitRate(name: string, options: ShareOptions, side: "actual" | "predicted"): BuiltInMetric {
  const o = readShare(name, options);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update(yTrue, yPred, _mask, sampleWeight) {
      const found = positives(name, yTrue, yPred, o, sampleWeight);
      const hits = times(ops.multiply(found.actual, found.predicted), found.weights);
      return [ops.sum(hits), ops.sum(times(found[side], found.weights))];
    },
    result: (sums) => quotient(sums[0]!, sums[1]!),
  });
}

/** Of the elements predicted positive, the share that are: tp / (tp + fp); 0 when none was predicted. */
export function precision(options: ShareOptions = {}): BuiltInMetric {
  return hitRate("precision", options, "predicted");
}

/** Of the positive elements, the share predicted positive: tp / (tp + fn); 0 when there is none. */
export function recall(options: ShareOptions = {}): BuiltInMetric {
  return hitRate("recall", options, "actual");
}

/** A count of elements, each with its sample's weight. */
function count(
  name: string,
  options: CountOptions,
  direction: "min" | "max",
  isCounted: (actual: Value, predicted: Value) => Value,
): BuiltInMetric {
  const { thresholds } = checkOptions(name, options, ["name", "thresholds"]);
  const o = readShare(name, { thresholds });
  return new BuiltInMetric({
    name,
    options,
    direction,
    update(yTrue, yPred, _mask, sampleWeight) {
      const { actual, predicted, weights } = positives(name, yTrue, yPred, o, sampleWeight);
      return [ops.sum(times(isCounted(actual, predicted), weights))];
    },
    result: (sums) => sums[0]!,
  });
}

const not = (x: Value): Value => ops.subtract(1, x);

/** How many elements are positive and predicted so. */
export function truePositives(options: CountOptions = {}): BuiltInMetric {
  return count("truePositives", options, "max", ops.multiply);
}

/** How many elements are negative and predicted so. */
export function trueNegatives(options: CountOptions = {}): BuiltInMetric {
  return count("trueNegatives", options, "max", (a, p) => ops.multiply(not(a), not(p)));
}

/** How many elements are negative and predicted positive. */
export function falsePositives(options: CountOptions = {}): BuiltInMetric {
  return count("falsePositives", options, "min", (a, p) => ops.multiply(not(a), p));
}

/** How many elements are positive and predicted negative. */
export function falseNegatives(options: CountOptions = {}): BuiltInMetric {
  return count("falseNegatives", options, "min", (a, p) => ops.multiply(a, not(p)));
}

export interface F1Options extends MetricOptions {
  /** Predictions above it count as positive. Default: 0.5 for one output; otherwise the largest of a row counts. */
  threshold?: number | null;
  /**
   * macro: mean over classes. micro: counts of all classes added first. weighted: by class frequency. Default "macro";
   * Keras's null, a number for each class, is no one number to log: use `precision` and `recall` with `classId`.
   */
  average?: "macro" | "micro" | "weighted";
}

export interface FBetaOptions extends F1Options {
  /** How many times as much recall counts as precision. Above 0. Default 1. */
  beta?: number;
}

/** Weighted harmonic mean of precision and recall for targets and predictions [batch, classes] (one-hot or 0/1). */
export function fBetaScore(options: FBetaOptions = {}): BuiltInMetric {
  return fScore("fBetaScore", options, checkOptions("fBetaScore", options, ["name", "threshold", "average", "beta"])); // biome-ignore format: one line
}

/** Harmonic mean of precision and recall for targets and predictions [batch, classes] (one-hot or 0/1). */
export function f1Score(options: F1Options = {}): BuiltInMetric {
  return fScore("f1Score", options, checkOptions("f1Score", options, ["name", "threshold", "average"]));
}

function fScore(name: string, options: FBetaOptions, o: FBetaOptions): BuiltInMetric {
  const { threshold, average = "macro" } = o;
  if (threshold != null) checkNumber(name, "threshold", threshold, "in [0, 1]", isShare);
  checkOneOf(name, "average", average, ["macro", "micro", "weighted"]);
  const beta = checkNumber(name, "beta", o.beta ?? 1, "above 0", (x) => x > 0);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update(yTrue, yPred, _mask, sampleWeight) {
      const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
      if (p.rank !== 2) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `metric ${name}: expected predictions [batch, classes], got ${formatShape(yPred.shape)}`,
        );
      }
      const cut = threshold ?? (p.shape[1] === 1 ? 0.5 : undefined);
      const hit = ops.cast(cut === undefined ? largest(p) : ops.greater(p, cut), "float32");
      const weights = weightsFor(name, p, sampleWeight);
      const perClass = [ops.multiply(t, hit), hit, t].map((x) => ops.sum(times(x, weights), { axis: 0 }));
      return ops.stack(perClass, { axis: 0 });
    },
    result: (sums) => averaged(sums, average, beta),
  });
}

/** The largest of each row, unless it is zero. */
function largest(p: Value): Value {
  const isTop = ops.greaterEqual(p, ops.max(p, { axis: -1, keepDims: true }));
  return ops.logicalAnd(isTop, ops.greater(ops.abs(p), 1e-9));
}

function averaged(sums: ArrayLike<number>, average: "macro" | "micro" | "weighted", beta: number): number {
  const classes = sums.length / 3;
  const score = (hits: number, predicted: number, actual: number) => {
    const p = hits / (predicted + EPSILON);
    const r = hits / (actual + EPSILON);
    return ((1 + beta * beta) * p * r) / (beta * beta * p + r + EPSILON);
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
