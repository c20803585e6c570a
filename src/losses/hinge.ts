// Margin losses. Targets are -1 and 1; a batch whose targets are all 0 or 1 is read as such, as Keras does.

import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { BuiltInLoss, LOSS_OPTIONS, type LossOptions } from "./loss.ts";

/** `max(1 - yTrue * yPred, 0)`, mean over the last axis. */
export function hinge(options: LossOptions = {}): BuiltInLoss {
  const name = "hinge";
  return new BuiltInLoss({ name, options: checkOptions(name, options, LOSS_OPTIONS), elements: margin });
}

/** `square(max(1 - yTrue * yPred, 0))`, mean over the last axis. */
export function squaredHinge(options: LossOptions = {}): BuiltInLoss {
  const name = "squaredHinge";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    elements: (yTrue, yPred) => ops.square(margin(yTrue, yPred)),
  });
}

/** `max(1 + max((1 - yTrue) * yPred) - sum(yTrue * yPred), 0)` over the last axis, for one-hot targets. */
export function categoricalHinge(options: LossOptions = {}): BuiltInLoss {
  const name = "categoricalHinge";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    values: (yTrue, yPred) => {
      const right = ops.sum(ops.multiply(yTrue, yPred), { axis: -1 });
      const wrong = ops.max(ops.multiply(ops.subtract(1, yTrue), yPred), { axis: -1 });
      return ops.maximum(ops.add(ops.subtract(wrong, right), 1), 0);
    },
  });
}

function margin(yTrue: Value, yPred: Value): Value {
  const isBinary = ops.all(ops.logicalOr(ops.equal(yTrue, 0), ops.equal(yTrue, 1)));
  const signs = ops.where(isBinary, ops.subtract(ops.multiply(yTrue, 2), 1), yTrue);
  return ops.maximum(ops.subtract(1, ops.multiply(signs, yPred)), 0);
}
