// Intersection over union of classes, from a confusion matrix that batches add to. For segmentation.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { weightsFor } from "./counts.ts";
import { BuiltInMetric, type MetricOptions } from "./metric.ts";

export interface MeanIouOptions extends MetricOptions {
  /** Classes are 0 to numClasses - 1; elements outside do not count. */
  numClasses: number;
  /** A class of the targets that does not count. Default: none. */
  ignoreClass?: number | null;
  /** Targets are labels, not one-hot. Default true. */
  sparseYTrue?: boolean;
  /** Predictions are labels, not scores of which the largest counts. Default true. */
  sparseYPred?: boolean;
  /** Axis of one-hot targets and scores. Default -1. */
  axis?: number;
}

export interface IouOptions extends MeanIouOptions {
  /** The classes whose mean is taken. */
  targetClassIds: readonly number[];
}

const MEAN_OPTIONS = ["name", "numClasses", "ignoreClass", "sparseYTrue", "sparseYPred", "axis"] as const;

interface Settings {
  readonly numClasses: number;
  readonly ignoreClass: number | undefined;
  /** Labels out of targets and of predictions, int32. */
  readonly actual: (x: Value) => Value;
  readonly predicted: (x: Value) => Value;
  readonly classes: readonly number[];
}

function read(name: string, o: MeanIouOptions & { targetClassIds?: readonly number[] }): Settings {
  const numClasses = checkInteger(name, "numClasses", o.numClasses, 1);
  const axis = checkInteger(name, "axis", o.axis ?? -1, Number.MIN_SAFE_INTEGER);
  const labels = (option: "sparseYTrue" | "sparseYPred") =>
    checkBoolean(name, option, o[option] ?? true)
      ? (x: Value) => ops.cast(x, "int32")
      : (x: Value) => ops.argmax(x, { axis });
  const classes = o.targetClassIds ?? Array.from({ length: numClasses }, (_, i) => i);
  if (!Array.isArray(classes) || classes.length === 0) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${name}: expected targetClassIds to be a list of classes, got ${describe(classes)}`,
    );
  }
  for (const id of classes) checkInteger(name, "targetClassIds", id, 0, numClasses - 1);
  return {
    numClasses,
    ignoreClass:
      o.ignoreClass == null
        ? undefined
        : checkInteger(name, "ignoreClass", o.ignoreClass, Number.MIN_SAFE_INTEGER),
    actual: labels("sparseYTrue"),
    predicted: labels("sparseYPred"),
    classes,
  };
}

function overlap(name: string, options: MetricOptions, o: Settings): BuiltInMetric {
  const { numClasses, ignoreClass, classes } = o;
  return new BuiltInMetric({
    name,
    options,
    direction: "max",
    update(yTrue, yPred, _mask, sampleWeight) {
      const [t, p] = [o.actual(yTrue), o.predicted(yPred)];
      if (sizeOf(t.shape) !== sizeOf(p.shape)) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `metric ${name}: expected as many labels as predictions, got ${formatShape(t.shape)} and ${formatShape(p.shape)}`,
        );
      }
      const flat = (x: Value) => ops.reshape(x, [-1]);
      const inside = (x: Value) => ops.logicalAnd(ops.greaterEqual(x, 0), ops.less(x, numClasses));
      const [a, b] = [flat(t), flat(p)];
      const known = ops.logicalAnd(inside(a), inside(b));
      const counted = ignoreClass === undefined ? known : ops.logicalAnd(known, ops.notEqual(a, ignoreClass));
      const weights = weightsFor(name, t, sampleWeight);
      const amount = ops.where(counted, weights ? flat(weights) : 1, 0);
      const cell = ops.where(counted, ops.add(ops.multiply(a, numClasses), b), 0);
      return ops.scatterAdd(cell, ops.cast(amount, "float32"), numClasses * numClasses);
    },
    result(matrix) {
      const at = (t: number, p: number) => matrix[t * numClasses + p]!;
      let total = 0;
      let valid = 0;
      for (const c of classes) {
        let union = -at(c, c);
        for (let i = 0; i < numClasses; i++) union += at(c, i) + at(i, c);
        if (union <= 1e-9) continue;
        valid++;
        total += at(c, c) / union;
      }
      return valid === 0 ? 0 : total / valid;
    },
  });
}

/** Mean over the named classes of `common / (either)`; classes that nobody named are left out. */
export function iou(options: IouOptions): BuiltInMetric {
  const o = checkOptions("iou", options, [...MEAN_OPTIONS, "targetClassIds"]);
  return overlap("iou", options, read("iou", o));
}

/** The same over all classes. */
export function meanIou(options: MeanIouOptions): BuiltInMetric {
  return overlap("meanIou", options, read("meanIou", checkOptions("meanIou", options, MEAN_OPTIONS)));
}

export interface BinaryIouOptions extends MetricOptions {
  /** Default [0, 1]: the mean of both. */
  targetClassIds?: readonly number[];
  /** Predictions of at least this are class 1. In [0, 1]. Default 0.5. */
  threshold?: number;
}

/** For targets of 0 and 1 and predictions in [0, 1]. */
export function binaryIou(options: BinaryIouOptions = {}): BuiltInMetric {
  const name = "binaryIou";
  const o = checkOptions(name, options, ["name", "targetClassIds", "threshold"]);
  const threshold = checkNumber(name, "threshold", o.threshold ?? 0.5, "in [0, 1]", (x) => x >= 0 && x <= 1);
  const settings = read(name, { numClasses: 2, targetClassIds: o.targetClassIds ?? [0, 1] });
  const predicted = (p: Value) => ops.cast(ops.greaterEqual(p, threshold), "int32");
  return overlap(name, options, { ...settings, predicted });
}

export interface OneHotMeanIouOptions extends MetricOptions {
  numClasses: number;
  ignoreClass?: number | null;
  /** Predictions are labels. Default false: scores. */
  sparseYPred?: boolean;
  axis?: number;
}

export interface OneHotIouOptions extends OneHotMeanIouOptions {
  targetClassIds: readonly number[];
}

const ONE_HOT = ["name", "numClasses", "ignoreClass", "sparseYPred", "axis"] as const;

/** `iou` for one-hot targets and scores of classes. */
export function oneHotIou(options: OneHotIouOptions): BuiltInMetric {
  const o = checkOptions("oneHotIou", options, [...ONE_HOT, "targetClassIds"]);
  return overlap("oneHotIou", options, read("oneHotIou", oneHot(o)));
}

/** `meanIou` for one-hot targets and scores of classes. */
export function oneHotMeanIou(options: OneHotMeanIouOptions): BuiltInMetric {
  const o = checkOptions("oneHotMeanIou", options, ONE_HOT);
  return overlap("oneHotMeanIou", options, read("oneHotMeanIou", oneHot(o)));
}

const oneHot = <O extends OneHotMeanIouOptions>(o: O) => ({
  ...o,
  sparseYTrue: false,
  sparseYPred: o.sparseYPred ?? false,
});
