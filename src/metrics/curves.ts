// Metrics over all thresholds at once: the area under a curve, and the best of one share where another is high enough.
// A batch adds a histogram of its predictions, positives and negatives apart; counts above each threshold are its sums
// from the end, worked out on the host. So a batch of n costs n additions, however many thresholds there are.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import { tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { EPSILON } from "../losses/epsilon.ts";
import { matchTargets } from "../losses/loss.ts";
import * as ops from "../ops/index.ts";
import { ofClass, weightsFor } from "./counts.ts";
import { BuiltInMetric, type MetricOptions, quotient } from "./metric.ts";

const isShare = (x: number) => x >= 0 && x <= 1;

/** How many elements are predicted above each threshold, from the lowest up: true and false positives. */
interface Counts {
  readonly hits: readonly number[];
  readonly alarms: readonly number[];
}

/** Thresholds as positions: predictions in (t[i], t[i + 1]] fall into bucket i. */
interface Thresholds {
  readonly count: number;
  /** Undefined where they are evenly spaced from 0 to 1. */
  readonly inner: readonly number[] | undefined;
}

function even(count: number): Thresholds {
  return { count, inner: undefined };
}

/** The bucket of each prediction, int32: as many thresholds as lie below it, the first not counted. */
function bucketsOf(p: Value, { count, inner }: Thresholds): Value {
  if (!inner) {
    const bucket = ops.subtract(ops.ceil(ops.multiply(p, count - 1)), 1);
    return ops.cast(ops.clip(bucket, 0, count - 2), "int32");
  }
  const above = ops.greater(ops.expandDims(p, -1), ops.constant(tensor(Float32Array.from(inner))));
  return ops.sum(ops.cast(above, "int32"), { axis: -1 });
}

/** Amounts of a batch: [2, labels * (count - 1)], positives first. */
function histogram(
  t: Value,
  p: Value,
  weights: Value | undefined,
  thresholds: Thresholds,
  labels: number,
): Value {
  const width = thresholds.count - 1;
  const bucket = bucketsOf(p, thresholds);
  const offset = Int32Array.from({ length: labels }, (_, i) => i * width);
  const at = labels === 1 ? bucket : ops.add(bucket, ops.constant(tensor(offset)));
  const actual = ops.cast(ops.cast(t, "bool"), "float32");
  const amount = weights ? ops.multiply(actual, weights) : actual;
  const rest = ops.subtract(weights ?? 1, amount);
  const flat = (x: Value) => ops.reshape(x, [-1]);
  return ops.stack(
    [amount, rest].map((x) => ops.scatterAdd(flat(at), flat(x), labels * width)),
    { axis: 0 },
  );
}

/** Counts above each threshold for every label, from the sums of histograms. */
function countsOf(sums: ArrayLike<number>, { count }: Thresholds): Counts[] {
  const width = count - 1;
  const labels = sums.length / 2 / width;
  const above = (from: number) => {
    const out = new Array<number>(count).fill(0);
    for (let i = width - 1; i >= 0; i--) out[i] = out[i + 1]! + sums[from + i]!;
    return out;
  };
  return Array.from({ length: labels }, (_, label) => ({
    hits: above(label * width),
    alarms: above((labels + label) * width),
  }));
}

export interface AucOptions extends MetricOptions {
  /** ROC: recall over false positive rate. PR: precision over recall. PRGAIN: their gains. Default "ROC". */
  curve?: "ROC" | "PR" | "PRGAIN";
  /** Points on the curve, evenly spaced. Default 200. */
  numThresholds?: number;
  /** Thresholds in [0, 1] instead; 0 and 1 are added. */
  thresholds?: readonly number[] | null;
  /** interpolation: trapezoids (for PR as Davis and Goadrich). minoring, majoring: steps below or above. */
  summationMethod?: "interpolation" | "minoring" | "majoring";
  /** An area for every column of predictions [batch, labels], then their mean. Default false: all elements together. */
  multiLabel?: boolean;
  /** Weights of that mean. Default: all alike. */
  labelWeights?: readonly number[] | null;
  /** Predictions are logits. Default false. */
  fromLogits?: boolean;
}

const AUC_OPTIONS = [
  "name",
  "curve",
  "numThresholds",
  "thresholds",
  "summationMethod",
  "multiLabel",
  "labelWeights",
  "fromLogits",
] as const;

/** Approximate area under the curve of 0/1 targets against scores in [0, 1], by counts at thresholds. */
export function auc(options: AucOptions = {}): BuiltInMetric {
  const name = "auc";
  const o = checkOptions(name, options, AUC_OPTIONS);
  const curve = checkOneOf(name, "curve", o.curve ?? "ROC", ["ROC", "PR", "PRGAIN"]);
  const methods = ["interpolation", "minoring", "majoring"] as const;
  const method = checkOneOf(name, "summationMethod", o.summationMethod ?? "interpolation", methods);
  const multiLabel = checkBoolean(name, "multiLabel", o.multiLabel ?? false);
  const fromLogits = checkBoolean(name, "fromLogits", o.fromLogits ?? false);
  const thresholds = readThresholds(name, o);
  const weights = o.labelWeights ?? undefined;
  if (weights !== undefined && !multiLabel) {
    throw new MyelinError("INVALID_OPTION", `${name}: expected labelWeights only with multiLabel`);
  }
  for (const w of weights ?? []) checkNumber(name, "labelWeights", w, "of at least 0", (x) => x >= 0);
  const area = curve === "PR" && method === "interpolation" ? interpolatedPrecision : areaOf(curve, method);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update(yTrue, yPred, _mask, sampleWeight) {
      const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
      if (multiLabel && p.rank !== 2) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `metric ${name}: expected predictions [batch, labels] with multiLabel, got [${p.shape}]`,
        );
      }
      const labels = multiLabel ? p.shape[1]! : 1;
      if (weights !== undefined && weights.length !== labels) {
        throw new MyelinError(
          "INVALID_OPTION",
          `metric ${name}: expected ${labels} labelWeights, got ${weights.length}`,
        );
      }
      const scores = fromLogits ? ops.sigmoid(p) : p;
      return histogram(t, scores, weightsFor(name, p, sampleWeight), thresholds, labels);
    },
    result(sums) {
      const areas = countsOf(sums, thresholds).map(area);
      const by = weights ?? areas.map(() => 1);
      return quotient(
        areas.reduce((sum, a, i) => sum + a * by[i]!, 0),
        by.reduce((a, b) => a + b, 0),
      );
    },
  });
}

function readThresholds(name: string, o: AucOptions): Thresholds {
  if (o.thresholds == null) return even(checkInteger(name, "numThresholds", o.numThresholds ?? 200, 2));
  if (!Array.isArray(o.thresholds)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${name}: expected thresholds to be a list of numbers in [0, 1], got ${describe(o.thresholds)}`,
    );
  }
  for (const t of o.thresholds) checkNumber(name, "thresholds", t, "in [0, 1]", isShare);
  const inner = [...o.thresholds].sort((a, b) => a - b);
  return { count: inner.length + 2, inner };
}

/** The area under points (x, y), threshold by threshold. */
function areaOf(curve: "ROC" | "PR" | "PRGAIN", method: "interpolation" | "minoring" | "majoring") {
  return ({ hits, alarms }: Counts): number => {
    const [positives, negatives] = [hits[0]!, alarms[0]!];
    const points = hits.map((tp, i): [x: number, y: number] => {
      const fp = alarms[i]!;
      const recall = quotient(tp, positives);
      if (curve === "ROC") return [quotient(fp, negatives), recall];
      if (curve === "PR") return [recall, quotient(tp, tp + fp)];
      if (tp === 0) return [0, 1];
      const scale = quotient(positives, negatives);
      return [Math.max(0, 1 - (scale * (positives - tp)) / tp), 1 - (scale * fp) / tp];
    });
    let area = 0;
    for (let i = 0; i + 1 < points.length; i++) {
      const [[x, y], [nextX, nextY]] = [points[i]!, points[i + 1]!];
      const height =
        method === "interpolation" ? (y + nextY) / 2 : method === "minoring" ? Math.min(y, nextY) : Math.max(y, nextY); // biome-ignore format: one line
      area += (x - nextX) * height;
    }
    return area;
  };
}

/**
 * Interpolation of true positives between points (Davis and Goadrich, "The relationship between Precision-Recall and ROC
 * curves", ICML 2006).
 */
function interpolatedPrecision({ hits, alarms }: Counts): number {
  const positives = hits[0]!;
  let area = 0;
  for (let i = 0; i + 1 < hits.length; i++) {
    const above = hits[i]! + alarms[i]!;
    const next = hits[i + 1]! + alarms[i + 1]!;
    const gained = hits[i]! - hits[i + 1]!;
    const slope = quotient(gained, Math.max(above - next, 0));
    const intercept = hits[i + 1]! - slope * next;
    const ratio = above > 0 && next > 0 ? above / next : 1;
    area += quotient(slope * (gained + intercept * Math.log(ratio)), positives);
  }
  return area;
}

export interface AtOptions extends MetricOptions {
  /** Points tried, evenly spaced. Default 200. */
  numThresholds?: number;
  /** Only this class, an index of the last axis, counts. Default: all elements. */
  classId?: number | null;
}

/** The shares at one threshold. */
interface Shares {
  readonly precision: number;
  /** The same as sensitivity. */
  readonly recall: number;
  readonly specificity: number;
}

/** The most of one share that any threshold gives with at least so much of another; 0 where none does. */
function bestAt<K extends string>(
  name: string,
  bound: K,
  options: AtOptions & Record<K, number>,
  held: keyof Shares,
  wanted: keyof Shares,
): BuiltInMetric {
  const known = ["name", "numThresholds", "classId", bound] as const;
  const o = checkOptions<AtOptions & Record<K, number>>(name, options, known as never) as AtOptions & Record<string, unknown>; // biome-ignore format: one line
  const least = checkNumber(name, bound, o[bound], "in [0, 1]", isShare);
  const count = checkInteger(name, "numThresholds", o.numThresholds ?? 200, 1);
  const classId = o.classId == null ? undefined : checkInteger(name, "classId", o.classId);
  const thresholds = count === 1 ? { count: 3, inner: [0.5] } : even(count);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update(yTrue, yPred, _mask, sampleWeight) {
      let [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
      if (classId !== undefined) [t, p] = [ofClass(name, t, classId), ofClass(name, p, classId)];
      return histogram(t, p, weightsFor(name, p, sampleWeight), thresholds, 1);
    },
    result(sums) {
      const [{ hits, alarms }] = countsOf(sums, thresholds) as [Counts];
      const tried = count === 1 ? [1] : hits.map((_, i) => i);
      let best = 0;
      for (const i of tried) {
        const shares: Shares = {
          precision: quotient(hits[i]!, hits[i]! + alarms[i]!),
          recall: quotient(hits[i]!, hits[0]!),
          specificity: quotient(alarms[0]! - alarms[i]!, alarms[0]!),
        };
        // Shares of float32 counts: equal ones are to count as enough.
        if (shares[held] >= least - EPSILON) best = Math.max(best, shares[wanted]);
      }
      return best;
    },
  });
}

/** The best precision at thresholds where recall is at least `recall`. */
export function precisionAtRecall(options: AtOptions & { recall: number }): BuiltInMetric {
  return bestAt("precisionAtRecall", "recall", options, "recall", "precision");
}

/** The best recall at thresholds where precision is at least `precision`. */
export function recallAtPrecision(options: AtOptions & { precision: number }): BuiltInMetric {
  return bestAt("recallAtPrecision", "precision", options, "precision", "recall");
}

/** The best sensitivity (recall) at thresholds where specificity is at least `specificity`. */
export function sensitivityAtSpecificity(options: AtOptions & { specificity: number }): BuiltInMetric {
  return bestAt("sensitivityAtSpecificity", "specificity", options, "specificity", "recall");
}

/** The best specificity at thresholds where sensitivity (recall) is at least `sensitivity`. */
export function specificityAtSensitivity(options: AtOptions & { sensitivity: number }): BuiltInMetric {
  return bestAt("specificityAtSensitivity", "sensitivity", options, "recall", "specificity");
}
