// Losses of predicted numbers: differences between targets and predictions of the same shape.

import { checkNumber, checkOptions } from "../core/options.ts";
import * as ops from "../ops/index.ts";
import { EPSILON } from "./epsilon.ts";
import { BuiltInLoss, LOSS_OPTIONS, type LossOptions } from "./loss.ts";

/** `square(yTrue - yPred)`, mean over the last axis. */
export function meanSquaredError(options: LossOptions = {}): BuiltInLoss {
  const name = "meanSquaredError";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    elements: (yTrue, yPred) => ops.square(ops.subtract(yPred, yTrue)),
  });
}

/** `abs(yTrue - yPred)`, mean over the last axis. */
export function meanAbsoluteError(options: LossOptions = {}): BuiltInLoss {
  const name = "meanAbsoluteError";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    elements: (yTrue, yPred) => ops.abs(ops.subtract(yPred, yTrue)),
  });
}

/** `100 * abs((yTrue - yPred) / max(abs(yTrue), 1e-7))`, mean over the last axis. */
export function meanAbsolutePercentageError(options: LossOptions = {}): BuiltInLoss {
  const name = "meanAbsolutePercentageError";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    elements: (yTrue, yPred) => {
      const relative = ops.divide(ops.subtract(yTrue, yPred), ops.maximum(ops.abs(yTrue), EPSILON));
      return ops.multiply(ops.abs(relative), 100);
    },
  });
}

/** `square(log(1 + yTrue) - log(1 + yPred))` with both kept at or above 1e-7, mean over the last axis. */
export function meanSquaredLogarithmicError(options: LossOptions = {}): BuiltInLoss {
  const name = "meanSquaredLogarithmicError";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    elements: (yTrue, yPred) => {
      const logTrue = ops.log1p(ops.maximum(yTrue, EPSILON));
      return ops.square(ops.subtract(ops.log1p(ops.maximum(yPred, EPSILON)), logTrue));
    },
  });
}

export interface HuberOptions extends LossOptions {
  /** Where the quadratic part ends and the linear one begins; above 0. Default 1. */
  delta?: number;
}

/** Quadratic for errors up to `delta`, linear beyond; mean over the last axis. */
export function huber(options: HuberOptions = {}): BuiltInLoss {
  const name = "huber";
  const { delta = 1 } = checkOptions(name, options, [...LOSS_OPTIONS, "delta"]);
  checkNumber(name, "delta", delta, "above 0", (d) => d > 0);
  return new BuiltInLoss({
    name,
    options,
    elements: (yTrue, yPred) => {
      const error = ops.subtract(yPred, yTrue);
      const size = ops.abs(error);
      const linear = ops.subtract(ops.multiply(size, delta), 0.5 * delta * delta);
      return ops.where(ops.lessEqual(size, delta), ops.multiply(ops.square(error), 0.5), linear);
    },
  });
}

/** `log(cosh(yPred - yTrue))` in a form that does not overflow, mean over the last axis. */
export function logCosh(options: LossOptions = {}): BuiltInLoss {
  const name = "logCosh";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    elements: (yTrue, yPred) => {
      const x = ops.subtract(yPred, yTrue);
      return ops.subtract(ops.add(x, ops.softplus(ops.multiply(x, -2))), Math.LN2);
    },
  });
}

/** `yPred - yTrue * log(yPred + 1e-7)`: the negative log-likelihood of a Poisson count, mean over the last axis. */
export function poisson(options: LossOptions = {}): BuiltInLoss {
  const name = "poisson";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    elements: (yTrue, yPred) => ops.subtract(yPred, ops.multiply(yTrue, ops.log(ops.add(yPred, EPSILON)))),
  });
}

/** Minus the cosine of the angle between targets and predictions along the last axis: -1 for the same direction. */
export function cosineSimilarity(options: LossOptions = {}): BuiltInLoss {
  const name = "cosineSimilarity";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    values: (yTrue, yPred) => ops.negative(ops.sum(ops.multiply(unit(yTrue), unit(yPred)), { axis: -1 })),
  });
}

/** Scales to length 1 along the last axis. The bound inside the root keeps the gradient of a zero vector finite. */
function unit(x: ops.Operand) {
  const squares = ops.sum(ops.square(x), { axis: -1, keepDims: true });
  return ops.multiply(x, ops.rsqrt(ops.maximum(squares, EPSILON * EPSILON)));
}
