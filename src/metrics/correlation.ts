// How well predictions follow targets: explained variance and correlations.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { EPSILON } from "../losses/epsilon.ts";
import { matchTargets } from "../losses/loss.ts";
import * as ops from "../ops/index.ts";
import { weightsFor } from "./counts.ts";
import { BuiltInMetric, type MetricOptions, quotient, sumAndCount } from "./metric.ts";

export interface R2Options extends MetricOptions {
  /** How the scores of several outputs become one. Default "uniformAverage": their mean; the other weighs by variance. */
  classAggregation?: "uniformAverage" | "varianceWeightedAverage";
  /** Above 0: the adjusted score for so many independent predictors. Default 0. */
  numRegressors?: number;
}

/** Share of the targets' variance that predictions explain: 1 - residual / total. Targets and predictions [batch, outputs]. */
export function r2Score(options: R2Options = {}): BuiltInMetric {
  const name = "r2Score";
  const o = checkOptions(name, options, ["name", "classAggregation", "numRegressors"]);
  const ways = ["uniformAverage", "varianceWeightedAverage"] as const;
  const aggregation = checkOneOf(name, "classAggregation", o.classAggregation ?? "uniformAverage", ways);
  const regressors = checkInteger(name, "numRegressors", o.numRegressors ?? 0);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update(yTrue, yPred, _mask, sampleWeight) {
      const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
      if (p.rank !== 2) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `metric ${name}: expected predictions [batch, outputs], got ${formatShape(yPred.shape)}`,
        );
      }
      const weights = weightsFor(name, p, sampleWeight) ?? ops.onesLike(p);
      const weighted = ops.multiply(t, weights);
      const residual = ops.multiply(ops.square(ops.subtract(t, p)), weights);
      const columns = [ops.multiply(t, weighted), weighted, residual, weights, ops.onesLike(p)];
      return ops.stack(
        columns.map((x) => ops.sum(x, { axis: 0 })),
        { axis: 0 },
      );
    },
    result(sums) {
      const outputs = sums.length / 5;
      const row = (i: number) => Array.from({ length: outputs }, (_, k) => sums[i * outputs + k]!);
      const [squares, totals, residuals, counts, samples] = [0, 1, 2, 3, 4].map(row) as number[][];
      const variance = squares!.map((s, k) => s - (totals![k]! * totals![k]!) / counts![k]!);
      const scores = variance.map((v, k) => {
        const score = 1 - residuals![k]! / v;
        return Math.abs(score) === Number.POSITIVE_INFINITY ? 0 : score;
      });
      const by = aggregation === "uniformAverage" ? scores.map(() => 1) : variance;
      const score = scores.reduce((a, s, k) => a + s * by[k]!, 0) / by.reduce((a, b) => a + b, 0);
      // As in Keras every element counts as a sample here.
      const n = samples!.reduce((a, b) => a + b, 0);
      if (regressors === 0 || regressors >= n - 1) return score;
      return 1 - ((1 - score) * (n - 1)) / (n - regressors - 1);
    },
  });
}

export interface CorrelationOptions extends MetricOptions {
  /** Along which each correlation is taken; the metric is their mean. Default -1. */
  axis?: number;
}

function correlation(
  name: string,
  options: CorrelationOptions,
  of: (t: Value, p: Value, axis: number) => Value,
): BuiltInMetric {
  const o = checkOptions(name, options, ["name", "axis"]);
  const axis = checkInteger(name, "axis", o.axis ?? -1, Number.MIN_SAFE_INTEGER);
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update(yTrue, yPred, mask, sampleWeight) {
      const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
      return sumAndCount(`metric ${name}`, of(t, p, axis), mask, sampleWeight);
    },
    result: (sums) => quotient(sums[0]!, sums[1]!),
  });
}

const centered = (x: Value, axis: number): Value => ops.subtract(x, ops.mean(x, { axis, keepDims: true }));

/** Mean of Pearson's correlation of each row's targets and predictions. */
export function pearsonCorrelation(options: CorrelationOptions = {}): BuiltInMetric {
  return correlation("pearsonCorrelation", options, (t, p, axis) => {
    const [a, b] = [centered(t, axis), centered(p, axis)];
    const unit = (x: Value) => ops.divide(x, ops.std(x, { axis, keepDims: true }));
    return ops.mean(ops.multiply(unit(a), unit(b)), { axis });
  });
}

/** Mean of Lin's concordance correlation of each row: of 1 only where predictions equal targets. */
export function concordanceCorrelation(options: CorrelationOptions = {}): BuiltInMetric {
  return correlation("concordanceCorrelation", options, (t, p, axis) => {
    const [a, b] = [centered(t, axis), centered(p, axis)];
    const variance = (x: Value) => ops.mean(ops.square(x), { axis });
    const shift = ops.square(ops.subtract(ops.mean(t, { axis }), ops.mean(p, { axis })));
    const norm = ops.add(ops.add(variance(a), variance(b)), shift);
    const covariance = ops.mean(ops.multiply(a, b), { axis });
    return ops.divide(ops.multiply(covariance, 2), ops.add(norm, EPSILON));
  });
}
