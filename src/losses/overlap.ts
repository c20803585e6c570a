// Losses that compare regions: how much of what is predicted and what is true lies on top of each other. For
// segmentation, where most of an image is background.

import { describe, MyelinError } from "../core/errors.ts";
import { checkNumber, checkOptions } from "../core/options.ts";
import * as ops from "../ops/index.ts";
import { EPSILON } from "./epsilon.ts";
import { BuiltInLoss, LOSS_OPTIONS, type LossOptions } from "./loss.ts";

export interface DiceOptions extends LossOptions {
  /** Axes that make up one region; the others, such as the batch, have losses of their own. Default: all axes together. */
  axis?: number | readonly number[] | null;
}

function readAxis(name: string, axis: DiceOptions["axis"]): { axis?: number[] } {
  if (axis == null) return {};
  const list = typeof axis === "number" ? [axis] : axis;
  if (Array.isArray(list) && list.every((a) => Number.isInteger(a))) return { axis: [...list] };
  throw new MyelinError(
    "INVALID_OPTION",
    `${name}: expected axis to be whole numbers, got ${describe(axis)}`,
  );
}

/** `1 - 2 * sum(yTrue * yPred) / (sum(yTrue) + sum(yPred))`. */
export function dice(options: DiceOptions = {}): BuiltInLoss {
  const name = "dice";
  const o = checkOptions(name, options, [...LOSS_OPTIONS, "axis"]);
  const axis = readAxis(name, o.axis);
  return new BuiltInLoss({
    name,
    options,
    values: (yTrue, yPred) => {
      const common = ops.multiply(ops.sum(ops.multiply(yTrue, yPred), axis), 2);
      const all = ops.add(ops.add(ops.sum(yTrue, axis), ops.sum(yPred, axis)), EPSILON);
      return ops.subtract(1, ops.divide(common, all));
    },
  });
}

export interface TverskyOptions extends DiceOptions {
  /** Weight of what is true and not predicted, as Keras counts it. Default 0.5. */
  alpha?: number;
  /** Weight of what is predicted and not true. Default 0.5. */
  beta?: number;
}

/**
 * `1 - common / (common + alpha * missed + beta * invented)` (Salehi et al., "Tversky loss function for image segmentation
 * using 3D fully convolutional deep networks", MLMI 2017); dice is the case alpha = beta = 0.5.
 */
export function tversky(options: TverskyOptions = {}): BuiltInLoss {
  const name = "tversky";
  const o = checkOptions(name, options, [...LOSS_OPTIONS, "axis", "alpha", "beta"]);
  const axis = readAxis(name, o.axis);
  const weight = (key: "alpha" | "beta") =>
    checkNumber(name, key, o[key] ?? 0.5, "of at least 0", (x) => x >= 0);
  const [alpha, beta] = [weight("alpha"), weight("beta")];
  return new BuiltInLoss({
    name,
    options,
    values: (yTrue, yPred) => {
      const common = ops.sum(ops.multiply(yTrue, yPred), axis);
      const missed = ops.sum(ops.multiply(ops.subtract(1, yPred), yTrue), axis);
      const invented = ops.sum(ops.multiply(yPred, ops.subtract(1, yTrue)), axis);
      const wrong = ops.add(ops.multiply(missed, alpha), ops.multiply(invented, beta));
      return ops.subtract(1, ops.divide(common, ops.add(ops.add(common, wrong), EPSILON)));
    },
  });
}
