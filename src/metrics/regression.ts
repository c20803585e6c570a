// Error measures of predicted numbers: means of the losses of the same name.

import { checkOptions } from "../core/options.ts";
import * as losses from "../losses/index.ts";
import type { BuiltInLoss } from "../losses/loss.ts";
import { matchTargets } from "../losses/loss.ts";
import * as ops from "../ops/index.ts";
import { BuiltInMetric, type MetricOptions, quotient, sumAndCount } from "./metric.ts";

/** A metric that is the mean of a loss over all samples. */
function ofLoss<O extends MetricOptions>(
  make: (options?: object) => BuiltInLoss,
  options: O,
  sign: 1 | -1 = 1,
): BuiltInMetric {
  const loss = make(options);
  const name = loss.getConfig().name;
  return new BuiltInMetric({
    name,
    options,
    direction: sign === 1 ? "min" : "max",
    update: (yTrue, yPred, mask, sampleWeight) =>
      sumAndCount(
        `metric ${name}`,
        loss.elements(yTrue, yPred) ?? loss.call(yTrue, yPred),
        mask,
        sampleWeight,
      ),
    result: (sums) => sign * quotient(sums[0]!, sums[1]!),
  });
}

/** Mean of `square(yTrue - yPred)`. */
export function meanSquaredError(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.meanSquaredError, checkOptions("meanSquaredError", options, ["name"]));
}

/** Mean of `abs(yTrue - yPred)`. */
export function meanAbsoluteError(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.meanAbsoluteError, checkOptions("meanAbsoluteError", options, ["name"]));
}

/** Mean of `100 * abs(yTrue - yPred) / max(abs(yTrue), 1e-7)`. */
export function meanAbsolutePercentageError(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(
    losses.meanAbsolutePercentageError,
    checkOptions("meanAbsolutePercentageError", options, ["name"]),
  );
}

/** Mean of `square(log(1 + yTrue) - log(1 + yPred))`. */
export function meanSquaredLogarithmicError(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(
    losses.meanSquaredLogarithmicError,
    checkOptions("meanSquaredLogarithmicError", options, ["name"]),
  );
}

/** Mean of `log(cosh(yPred - yTrue))`. */
export function logCosh(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.logCosh, checkOptions("logCosh", options, ["name"]));
}

/** Mean cosine of the angle along the last axis: 1 for the same direction (the loss of this name has the other sign). */
export function cosineSimilarity(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.cosineSimilarity, checkOptions("cosineSimilarity", options, ["name"]), -1);
}

/** Mean cross-entropy of 0/1 targets. */
export function binaryCrossentropy(
  options: MetricOptions & losses.SmoothedCrossentropyOptions = {},
): BuiltInMetric {
  return ofLoss(losses.binaryCrossentropy, options);
}

/** Mean cross-entropy of one-hot targets. */
export function categoricalCrossentropy(
  options: MetricOptions & losses.SmoothedCrossentropyOptions = {},
): BuiltInMetric {
  return ofLoss(losses.categoricalCrossentropy, options);
}

/** Mean cross-entropy of whole-number labels. */
export function sparseCategoricalCrossentropy(
  options: MetricOptions & losses.CrossentropyOptions = {},
): BuiltInMetric {
  return ofLoss(losses.sparseCategoricalCrossentropy, options);
}

/** Mean of `sum(yTrue * log(yTrue / yPred))`. */
export function klDivergence(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.klDivergence, checkOptions("klDivergence", options, ["name"]));
}

/** Mean of `max(1 - yTrue * yPred, 0)`, targets -1 or 1 (or 0 or 1). */
export function hinge(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.hinge, checkOptions("hinge", options, ["name"]));
}

/** Mean of `square(max(1 - yTrue * yPred, 0))`. */
export function squaredHinge(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.squaredHinge, checkOptions("squaredHinge", options, ["name"]));
}

/** Mean of `max(wrong - right + 1, 0)` for one-hot targets. */
export function categoricalHinge(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.categoricalHinge, checkOptions("categoricalHinge", options, ["name"]));
}

/** Mean of `yPred - yTrue * log(yPred)`. */
export function poisson(options: MetricOptions = {}): BuiltInMetric {
  return ofLoss(losses.poisson, checkOptions("poisson", options, ["name"]));
}

/** Root of the mean of `square(yTrue - yPred)` over everything seen. */
export function rootMeanSquaredError(options: MetricOptions = {}): BuiltInMetric {
  const name = "rootMeanSquaredError";
  checkOptions(name, options, ["name"]);
  return new BuiltInMetric({
    name,
    options,
    direction: "min",
    update: (yTrue, yPred, _mask, sampleWeight) => {
      const [t, p] = matchTargets(`metric ${name}`, yTrue, yPred);
      return sumAndCount(`metric ${name}`, ops.square(ops.subtract(p, t)), null, sampleWeight);
    },
    result: (sums) => Math.sqrt(quotient(sums[0]!, sums[1]!)),
  });
}
