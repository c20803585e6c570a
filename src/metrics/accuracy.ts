// Accuracies: the share of predictions that name the right class.

import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { matchTargets } from "../losses/loss.ts";
import { matchLabels } from "../losses/probability.ts";
import * as ops from "../ops/index.ts";
import { type Amounts, BuiltInMetric, type MetricOptions, quotient, sumAndCount } from "./metric.ts";

const mean = (sums: ArrayLike<number>): number => quotient(sums[0]!, sums[1]!);

export interface BinaryAccuracyOptions extends MetricOptions {
  /** Predictions above it count as 1. Default 0.5. */
  threshold?: number;
}

/** How often `yPred > threshold` equals yTrue (0 or 1), element by element. */
export function binaryAccuracy(options: BinaryAccuracyOptions = {}): BuiltInMetric {
  const name = "binaryAccuracy";
  const { threshold = 0.5 } = checkOptions(name, options, ["name", "threshold"]);
  checkNumber(name, "threshold", threshold);
  const update = (yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null) =>
    binaryMatches(name, yTrue, yPred, mask, sampleWeight, threshold);
  return new BuiltInMetric({ name, options, direction: "max", update, result: mean });
}

function binaryMatches(
  name: string,
  yTrue: Value,
  yPred: Value,
  mask: Value | null | undefined,
  sampleWeight: Value | null | undefined,
  threshold: number,
): Amounts {
  const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
  return sumAndCount(
    `metric ${name}`,
    ops.equal(t, ops.cast(ops.greater(p, threshold), "float32")),
    mask,
    sampleWeight,
  );
}

/** How often the largest prediction stands where the largest target stands (one-hot targets). */
export function categoricalAccuracy(options: MetricOptions = {}): BuiltInMetric {
  const name = "categoricalAccuracy";
  checkOptions(name, options, ["name"]);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update: (yTrue, yPred, mask, sampleWeight) => categoricalMatches(name, yTrue, yPred, mask, sampleWeight),
    result: mean,
  });
}

function categoricalMatches(
  name: string,
  yTrue: Value,
  yPred: Value,
  mask?: Value | null,
  sampleWeight?: Value | null,
): Amounts {
  const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
  return sumAndCount(
    `metric ${name}`,
    ops.equal(ops.argmax(t, { axis: -1 }), ops.argmax(p, { axis: -1 })),
    mask,
    sampleWeight,
  );
}

/** How often the largest prediction stands at the label's place (whole-number labels). */
export function sparseCategoricalAccuracy(options: MetricOptions = {}): BuiltInMetric {
  const name = "sparseCategoricalAccuracy";
  checkOptions(name, options, ["name"]);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update: (yTrue, yPred, mask, sampleWeight) => sparseMatches(name, yTrue, yPred, mask, sampleWeight),
    result: mean,
  });
}

function sparseMatches(
  name: string,
  yTrue: Value,
  yPred: Value,
  mask?: Value | null,
  sampleWeight?: Value | null,
): Amounts {
  return sumAndCount(
    `metric ${name}`,
    ops.equal(matchLabels(`metric ${name}`, yTrue, yPred), ops.argmax(yPred, { axis: -1 })),
    mask,
    sampleWeight,
  );
}

/**
 * The accuracy that fits the shapes, as Keras chooses for "accuracy": binary for one output, sparse for labels with
 * one axis less (or a last axis of 1), categorical otherwise.
 */
export function accuracy(options: MetricOptions = {}): BuiltInMetric {
  const name = "accuracy";
  checkOptions(name, options, ["name"]);
  const update = (yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null): Amounts => {
    const outputs = yPred.shape.at(-1) ?? 1;
    if (outputs === 1) return binaryMatches(name, yTrue, yPred, mask, sampleWeight, 0.5);
    const isSparse = yTrue.rank < yPred.rank || yTrue.shape.at(-1) === 1;
    return isSparse
      ? sparseMatches(name, yTrue, yPred, mask, sampleWeight)
      : categoricalMatches(name, yTrue, yPred, mask, sampleWeight);
  };
  return new BuiltInMetric({ name, options, direction: "max", update, result: mean });
}

export interface TopKOptions extends MetricOptions {
  /** How many of the largest predictions count. Default 5. */
  k?: number;
}

/** How often the right class (one-hot targets) is among the k largest predictions; ties at the border count as in. */
export function topKCategoricalAccuracy(options: TopKOptions = {}): BuiltInMetric {
  const name = "topKCategoricalAccuracy";
  const k = checkTopK(name, options);
  const update = (yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null) => {
    const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
    return sumAndCount(`metric ${name}`, inTopK(ops.argmax(t, { axis: -1 }), p, k), mask, sampleWeight);
  };
  return new BuiltInMetric({ name, options, direction: "max", update, result: mean });
}

/** How often the label is among the k largest predictions; ties at the border count as in. */
export function sparseTopKCategoricalAccuracy(options: TopKOptions = {}): BuiltInMetric {
  const name = "sparseTopKCategoricalAccuracy";
  const k = checkTopK(name, options);
  const update = (yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null) =>
    sumAndCount(
      `metric ${name}`,
      inTopK(matchLabels(`metric ${name}`, yTrue, yPred), yPred, k),
      mask,
      sampleWeight,
    );
  return new BuiltInMetric({ name, options, direction: "max", update, result: mean });
}

function checkTopK(name: string, options: TopKOptions): number {
  const { k = 5 } = checkOptions(name, options, ["name", "k"]);
  return checkInteger(name, "k", k, 1);
}

/** Fewer than k classes score higher. Counted as "not at most", so that a NaN score is never a hit. */
function inTopK(labels: Value, scores: Value, k: number): Value {
  const own = ops.takeAlongAxis(scores, ops.expandDims(labels, -1), { axis: -1 });
  const higher = ops.cast(ops.logicalNot(ops.lessEqual(scores, own)), "float32");
  return ops.less(ops.sum(higher, { axis: -1 }), k);
}
