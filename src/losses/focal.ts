// Cross-entropies that care less about what is right already, or about labels that may be wrong.

import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { EPSILON } from "./epsilon.ts";
import { BuiltInLoss, LOSS_OPTIONS, type LossOptions } from "./loss.ts";
import { classesLast, matchLabels, type SmoothedCrossentropyOptions } from "./probability.ts";

export interface FocalOptions extends SmoothedCrossentropyOptions {
  /** Weight of the positive class (binary) or of all classes (categorical). Default 0.25. */
  alpha?: number;
  /** How fast the weight of what is right falls: `(1 - p) ** gamma`. Default 2. */
  gamma?: number;
}

export interface BinaryFocalOptions extends FocalOptions {
  /** Weigh positives by alpha and negatives by 1 - alpha. Default false. */
  applyClassBalancing?: boolean;
}

const FOCAL_OPTIONS = [...LOSS_OPTIONS, "fromLogits", "labelSmoothing", "axis", "alpha", "gamma"] as const;

function readFocal(name: string, o: FocalOptions) {
  const share = (x: number) => x >= 0 && x <= 1;
  return {
    fromLogits: checkBoolean(name, "fromLogits", o.fromLogits ?? false),
    labelSmoothing: checkNumber(name, "labelSmoothing", o.labelSmoothing ?? 0, "in [0, 1]", share),
    axis: checkInteger(name, "axis", o.axis ?? -1, Number.MIN_SAFE_INTEGER),
    alpha: checkNumber(name, "alpha", o.alpha ?? 0.25),
    gamma: checkNumber(name, "gamma", o.gamma ?? 2, "of at least 0", (x) => x >= 0),
  };
}

/** x ** gamma for x of at least 0, with the right derivative at 0 where gamma is a small whole number. */
function raised(x: Value, gamma: number): Value {
  if (gamma === 0) return ops.onesLike(x);
  if (gamma === 1) return x;
  return gamma === 2 ? ops.square(x) : ops.power(x, gamma);
}

/**
 * Binary cross-entropy times `(1 - p) ** gamma`, p the probability of the right class (Lin et al., "Focal Loss for Dense
 * Object Detection", ICCV 2017): for few positives among many negatives. Targets 0 or 1.
 */
export function binaryFocalCrossentropy(options: BinaryFocalOptions = {}): BuiltInLoss {
  const name = "binaryFocalCrossentropy";
  const o = checkOptions(name, options, [...FOCAL_OPTIONS, "applyClassBalancing"]);
  const { fromLogits, labelSmoothing, axis, alpha, gamma } = readFocal(name, o);
  const isBalanced = checkBoolean(name, "applyClassBalancing", o.applyClassBalancing ?? false);
  return new BuiltInLoss({
    name,
    options,
    axis,
    targets: "probabilities",
    elements: (yTrue, yPred) => {
      const t = labelSmoothing
        ? ops.add(ops.multiply(yTrue, 1 - labelSmoothing), 0.5 * labelSmoothing)
        : yTrue;
      const p = fromLogits ? ops.sigmoid(yPred) : yPred;
      const kept = ops.clip(p, EPSILON, 1 - EPSILON);
      const other = ops.subtract(1, t);
      const one = ops.multiply(t, ops.log(kept));
      const zero = ops.multiply(other, ops.log(ops.subtract(1, kept)));
      const right = ops.add(ops.multiply(t, p), ops.multiply(other, ops.subtract(1, p)));
      const focal = ops.multiply(raised(ops.subtract(1, right), gamma), ops.negative(ops.add(one, zero)));
      if (!isBalanced) return focal;
      return ops.multiply(ops.add(ops.multiply(t, alpha), ops.multiply(other, 1 - alpha)), focal);
    },
  });
}

/** Categorical cross-entropy with every class's part times `alpha * (1 - p) ** gamma`. One-hot targets. */
export function categoricalFocalCrossentropy(options: FocalOptions = {}): BuiltInLoss {
  const name = "categoricalFocalCrossentropy";
  const o = checkOptions(name, options, FOCAL_OPTIONS);
  const { fromLogits, labelSmoothing, axis, alpha, gamma } = readFocal(name, o);
  return new BuiltInLoss({
    name,
    options,
    targets: "probabilities",
    values: (given, predicted) => {
      const yTrue = classesLast(given, axis);
      const yPred = classesLast(predicted, axis);
      const t = labelSmoothing
        ? ops.add(ops.multiply(yTrue, 1 - labelSmoothing), labelSmoothing / yTrue.shape.at(-1)!)
        : yTrue;
      const p = fromLogits ? ops.softmax(yPred) : yPred;
      const share = ops.divide(p, ops.sum(p, { axis: -1, keepDims: true }));
      const kept = ops.clip(share, EPSILON, 1 - EPSILON);
      const weight = ops.multiply(raised(ops.subtract(1, kept), gamma), alpha);
      const parts = ops.multiply(weight, ops.negative(ops.multiply(t, ops.log(kept))));
      return ops.sum(parts, { axis: -1 });
    },
  });
}

export interface GeneralizedCrossentropyOptions extends LossOptions {
  /** In (0, 1): near 0 like cross-entropy, near 1 like the mean absolute error. Default 0.5. */
  q?: number;
}

/**
 * `(1 - p ** q) / q`, p the probability of the label: for labels some of which are wrong (Zhang and Sabuncu, "Generalized
 * Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels", NeurIPS 2018). Whole-number labels.
 */
export function categoricalGeneralizedCrossEntropy(
  options: GeneralizedCrossentropyOptions = {},
): BuiltInLoss {
  const name = "categoricalGeneralizedCrossEntropy";
  const o = checkOptions(name, options, [...LOSS_OPTIONS, "q"]);
  const q = checkNumber(name, "q", o.q ?? 0.5, "in (0, 1)", (x) => x > 0 && x < 1);
  return new BuiltInLoss({
    name,
    options,
    targets: "labels",
    values: (yTrue, yPred) => {
      const labels = ops.expandDims(matchLabels(`loss ${o.name ?? name}`, yTrue, yPred), -1);
      const p = ops.squeeze(ops.takeAlongAxis(yPred, labels, { axis: -1 }), -1);
      return ops.divide(ops.subtract(1, ops.power(p, q)), q);
    },
  });
}
