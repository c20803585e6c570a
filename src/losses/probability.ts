// Losses of predicted distributions. Where the predictions come straight out of a softmax or sigmoid, the loss is
// taken of what went in (the logits): no precision is lost to clipping and the gradient is one subtraction.
// Otherwise probabilities are kept in [1e-7, 1 - 1e-7], as Keras does.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, sameShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { EPSILON } from "./epsilon.ts";
import { BuiltInLoss, LOSS_OPTIONS, type LossOptions, logitsOf } from "./loss.ts";

export interface CrossentropyOptions extends LossOptions {
  /** The predictions are logits, not probabilities. Default false. */
  fromLogits?: boolean;
  /** The axis of the classes. Default -1. */
  axis?: number;
}

export interface SparseCrossentropyOptions extends CrossentropyOptions {
  /** A label, maybe outside the classes, whose samples do not count. Default: none. */
  ignoreClass?: number | null;
}

export interface SmoothedCrossentropyOptions extends CrossentropyOptions {
  /** In [0, 1]: moves this share of every target to the uniform distribution. Default 0. */
  labelSmoothing?: number;
}

const CROSSENTROPY_OPTIONS = [...LOSS_OPTIONS, "fromLogits", "axis"] as const;
const SMOOTHED_OPTIONS = [...CROSSENTROPY_OPTIONS, "labelSmoothing"] as const;

function checkSmoothed(name: string, options: SmoothedCrossentropyOptions) {
  const o = checkOptions(name, options, SMOOTHED_OPTIONS);
  const { fromLogits = false, labelSmoothing = 0 } = o;
  checkBoolean(name, "fromLogits", fromLogits);
  const axis = checkInteger(name, "axis", o.axis ?? -1, Number.MIN_SAFE_INTEGER);
  checkNumber(name, "labelSmoothing", labelSmoothing, "in [0, 1]", (s) => s >= 0 && s <= 1);
  return { fromLogits, labelSmoothing, axis };
}

/**
 * For targets of 0 and 1 (or between), each on its own; predictions from a sigmoid. Mean over the last axis.
 * @example model.compile({ loss: losses.binaryCrossentropy({ labelSmoothing: 0.1 }) });
 */
export function binaryCrossentropy(options: SmoothedCrossentropyOptions = {}): BuiltInLoss {
  const name = "binaryCrossentropy";
  const { fromLogits, labelSmoothing, axis } = checkSmoothed(name, options);
  return new BuiltInLoss({
    name,
    options,
    axis,
    targets: "probabilities",
    elements: (yTrue, yPred) => {
      const t = labelSmoothing
        ? ops.add(ops.multiply(yTrue, 1 - labelSmoothing), 0.5 * labelSmoothing)
        : yTrue;
      const logits = fromLogits ? yPred : logitsOf(yPred, "sigmoid");
      if (logits) return sigmoidCrossentropy(t, logits);
      const p = ops.clip(yPred, EPSILON, 1 - EPSILON);
      const one = ops.multiply(t, ops.log(p));
      const zero = ops.multiply(ops.subtract(1, t), ops.log(ops.subtract(1, p)));
      return ops.negative(ops.add(one, zero));
    },
  });
}

/**
 * `max(x, 0) - x * t + log(1 + exp(-|x|))`. The two selections share one condition, so that the derivative at exactly 0,
 * where untrained networks stand, is 1/2 - t and not the sum of two one-sided ones.
 */
function sigmoidCrossentropy(t: Value, x: Value): Value {
  const positive = ops.greaterEqual(x, 0);
  const ramp = ops.where(positive, x, 0);
  const minusSize = ops.where(positive, ops.negative(x), x);
  return ops.add(ops.subtract(ramp, ops.multiply(x, t)), ops.log1p(ops.exp(minusSize)));
}

/** For one-hot or soft targets [batch, ..., classes]; predictions from a softmax. */
export function categoricalCrossentropy(options: SmoothedCrossentropyOptions = {}): BuiltInLoss {
  const name = "categoricalCrossentropy";
  const { fromLogits, labelSmoothing, axis } = checkSmoothed(name, options);
  return new BuiltInLoss({
    name,
    options,
    targets: "probabilities",
    values: (given, predicted) => {
      const yTrue = classesLast(given, axis);
      const yPred = classesLast(predicted, axis);
      const classes = yPred.shape.at(-1)!;
      const t = labelSmoothing
        ? ops.add(ops.multiply(yTrue, 1 - labelSmoothing), labelSmoothing / classes)
        : yTrue;
      const logits = fromLogits ? yPred : logitsOf(yPred, "softmax");
      if (logits) return ops.softmaxCrossEntropy(logits, t);
      return ops.negative(ops.sum(ops.multiply(t, ops.log(normalized(yPred))), { axis: -1 }));
    },
  });
}

/** The axis of the classes moved to the end, where the fast paths are. */
export function classesLast(x: Value, axis: number): Value {
  return axis === -1 || axis === x.rank - 1 ? x : ops.moveAxis(x, axis, -1);
}

/** For whole-number labels [batch, ...] (or [batch, ..., 1]); predictions [batch, ..., classes] from a softmax. */
export function sparseCategoricalCrossentropy(options: SparseCrossentropyOptions = {}): BuiltInLoss {
  const name = "sparseCategoricalCrossentropy";
  const o = checkOptions(name, options, [...CROSSENTROPY_OPTIONS, "ignoreClass"]);
  const fromLogits = checkBoolean(name, "fromLogits", o.fromLogits ?? false);
  const axis = checkInteger(name, "axis", o.axis ?? -1, Number.MIN_SAFE_INTEGER);
  const ignored =
    o.ignoreClass == null ? undefined : checkInteger(name, "ignoreClass", o.ignoreClass, -(2 ** 31));
  const where = `loss ${options.name ?? name}`;
  const losses = (given: Value, predicted: Value) => {
    const yPred = classesLast(predicted, axis);
    const named = matchLabels(where, given, yPred);
    const isNone = ignored === undefined ? undefined : ops.equal(named, ignored);
    const labels = isNone ? ops.where(isNone, 0, named) : named;
    const logits = fromLogits ? yPred : logitsOf(yPred, "softmax");
    const all = logits
      ? ops.sparseSoftmaxCrossEntropy(logits, labels)
      : ops.negative(
          ops.log(
            ops.squeeze(ops.takeAlongAxis(normalized(yPred), ops.expandDims(labels, -1), { axis: -1 }), -1),
          ),
        );
    return isNone ? ops.where(isNone, 0, all) : all;
  };
  return new BuiltInLoss({
    name,
    options,
    targets: "labels",
    ignoredLabel: ignored,
    values: losses,
    ...(ignored === undefined
      ? {}
      : {
          counts: (values: Value, yTrue: Value) =>
            ops.reshape(ops.notEqual(ops.cast(yTrue, "int32"), ignored), values.shape),
        }),
  });
}

function normalized(yPred: Value): Value {
  const share = ops.divide(yPred, ops.sum(yPred, { axis: -1, keepDims: true }));
  return ops.clip(share, EPSILON, 1 - EPSILON);
}

/** int32 labels in the shape of the predictions without their last axis. */
export function matchLabels(where: string, yTrue: Value, yPred: Value): Value {
  const shape = yPred.shape.slice(0, -1);
  let labels = ops.cast(yTrue, "int32");
  if (labels.rank === yPred.rank && labels.shape.at(-1) === 1) labels = ops.squeeze(labels, -1);
  if (yPred.rank === 0 || !sameShape(labels.shape, shape)) {
    const hint = sameShape(yTrue.shape, yPred.shape)
      ? "; one-hot targets go with categoricalCrossentropy"
      : "";
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected labels of shape ${formatShape(shape)} for predictions ${formatShape(yPred.shape)}, got ${formatShape(yTrue.shape)}${hint}`,
    );
  }
  return labels;
}

/** `sum(yTrue * log(yTrue / yPred))` over the last axis, both kept in [1e-7, 1]. */
export function klDivergence(options: LossOptions = {}): BuiltInLoss {
  const name = "klDivergence";
  return new BuiltInLoss({
    name,
    options: checkOptions(name, options, LOSS_OPTIONS),
    targets: "probabilities",
    values: (yTrue, yPred) => {
      const t = ops.clip(yTrue, EPSILON, 1);
      const p = ops.clip(yPred, EPSILON, 1);
      return ops.sum(ops.multiply(t, ops.log(ops.divide(t, p))), { axis: -1 });
    },
  });
}
