// What a loss is: targets and predictions in, one number per sample (`call`) or one for the batch (`apply`) out,
// written with ops, so that its gradient comes by itself. The losses themselves are in the files beside this one.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOneOf } from "../core/options.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";

/** How the values of a batch become its loss. "mean" is another name of "sumOverBatchSize": the mean over all values. */
export type Reduction = "sumOverBatchSize" | "mean" | "sum" | "none";

const REDUCTIONS: readonly Reduction[] = ["sumOverBatchSize", "mean", "sum", "none"];

export interface LossOptions {
  /** Default "sumOverBatchSize". */
  reduction?: Reduction;
  /** The name that logs and errors use; defaults to the loss's own. */
  name?: string;
}

export const LOSS_OPTIONS = ["reduction", "name"] as const;

/** A loss as a plain function: per-sample values of shape [batch, ...] (their mean is taken) or a scalar. */
export type LossFunction = (yTrue: Value, yPred: Value) => Value;

/**
 * What the targets of a loss must be, checked on the host before a training starts.
 * values: numbers shaped like the predictions. probabilities: the same, in [0, 1].
 * labels: whole numbers from 0 to classes - 1, one per distribution over the last axis of the predictions.
 * groups: whole numbers of any size, one per row: equal ones belong together.
 */
export type TargetKind = "values" | "probabilities" | "labels" | "groups";

/**
 * Base of all losses. Subclass it and write `call` with `ops`:
 * @example class Cubed extends Loss { constructor() { super("cubed"); } call(yTrue, yPred) { return ops.power(ops.abs(ops.subtract(yTrue, yPred)), 3); } }
 */
export abstract class Loss {
  readonly name: string;
  readonly reduction: Reduction;
  readonly targets: TargetKind = "values";
  /** A label that is none of the classes, where labels are asked for. */
  readonly ignoredLabel: number | undefined = undefined;

  constructor(name: string, options: LossOptions = {}) {
    this.name = options.name ?? name;
    this.reduction = checkOneOf(name, "reduction", options.reduction ?? "sumOverBatchSize", REDUCTIONS);
  }

  /** Loss per sample: shape [batch, ...], or whatever shape the mean or sum should be taken of. */
  abstract call(yTrue: Value, yPred: Value): Value;

  /**
   * The loss of a batch, reduced; a scalar unless the reduction is "none".
   * @param mask of the predictions, where a layer gave them one: a mean is then one over the values that count
   * @param sampleWeight float32 [batch] or of more leading axes of the per-sample losses: what each is multiplied by. The
   * mean stays one over their number, as in Keras, not over the sum of weights
   */
  apply(yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null): Value {
    return this.reduce(this.call(yTrue, yPred), mask, sampleWeight);
  }

  /** @internal What `fromConfig` needs to make this loss again; undefined for losses that only exist as code. */
  getConfig(): LossConfig | undefined {
    return undefined;
  }

  protected reduce(given: Value, mask?: Value | null, sampleWeight?: Value | null): Value {
    const where = `loss ${this.name}`;
    if (given.rank === 0) {
      if (!sampleWeight) return given;
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}: expected one loss per sample for sampleWeight to act on, got a scalar`,
      );
    }
    const values = sampleWeight ? ops.multiply(given, spreadOver(where, given, sampleWeight)) : given;
    const [counted, count] = mask ? countedBy(where, values, mask) : [values, undefined];
    if (this.reduction === "none") return counted;
    if (this.reduction === "sum") return ops.sum(counted);
    return count ? ops.divide(ops.sum(counted), ops.maximum(count, 1)) : ops.mean(counted);
  }
}

/** A built-in loss as data: its registered name and the options it was made with. */
export interface LossConfig {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface BuiltInSpec {
  /** Registered name. */
  readonly name: string;
  readonly options: LossOptions;
  readonly targets?: TargetKind;
  /** One value per element of the predictions; the per-sample loss is their mean over `axis`. */
  elements?(yTrue: Value, yPred: Value): Value;
  /** Default -1. */
  readonly axis?: number;
  /** Which per-sample losses count in a mean, a bool Value; all by default. */
  counts?(values: Value, yTrue: Value): Value;
  /** A label that stands for none, let through by the check of labels. */
  readonly ignoredLabel?: number;
  /** One value per sample, where it is no such mean. */
  values?(yTrue: Value, yPred: Value): Value;
}

/** A loss made by one of the functions of this folder. */
export class BuiltInLoss extends Loss {
  override readonly targets: TargetKind;
  override readonly ignoredLabel: number | undefined;
  private readonly spec: BuiltInSpec;

  constructor(spec: BuiltInSpec) {
    super(spec.name, spec.options);
    this.spec = spec;
    this.targets = spec.targets ?? "values";
    this.ignoredLabel = spec.ignoredLabel;
  }

  override call(yTrue: Value, yPred: Value): Value {
    const { elements, values } = this.spec;
    const [t, p] = this.align(yTrue, yPred);
    return elements ? ops.mean(elements(t, p), { axis: this.spec.axis ?? -1 }) : values!(t, p);
  }

  /** As in `Loss`, but the mean over the last axis and over the batch are taken as one. */
  override apply(yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null): Value {
    const { elements, counts } = this.spec;
    if (counts) {
      const values = this.call(yTrue, yPred);
      const own = counts(values, yTrue);
      return this.reduce(values, mask ? ops.logicalAnd(mask, own) : own, sampleWeight);
    }
    const isMean = this.reduction !== "none" && this.reduction !== "sum";
    if (!elements || !isMean || mask || sampleWeight) return super.apply(yTrue, yPred, mask, sampleWeight);
    return ops.mean(elements(...this.align(yTrue, yPred)));
  }

  /** @internal Element-wise values, for metrics of the same name; undefined where the loss has none. */
  elements(yTrue: Value, yPred: Value): Value | undefined {
    return this.spec.elements?.(...this.align(yTrue, yPred));
  }

  override getConfig(): LossConfig {
    return { name: this.spec.name, options: { ...this.spec.options } };
  }

  private align(yTrue: Value, yPred: Value): [Value, Value] {
    if (this.targets === "labels" || this.targets === "groups") return [yTrue, yPred];
    return matchTargets(`loss ${this.name}`, yTrue, yPred);
  }
}

/** A user's function as a loss. */
export class FunctionLoss extends Loss {
  private readonly fn: LossFunction;

  constructor(fn: LossFunction, options: LossOptions = {}) {
    super(fn.name || "loss", options);
    this.fn = fn;
  }

  override call(yTrue: Value, yPred: Value): Value {
    const values = this.fn(yTrue, yPred);
    if (typeof values !== "object" || values === null || !("dtype" in values)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `loss ${this.name}: expected the function to return a Value made with ops, got ${describe(values)}`,
      );
    }
    return values;
  }
}

/**
 * Targets as float32 and in the shape of the predictions. A last axis of size 1 that only one of them has is added or
 * dropped, as Keras does; any other difference is an error, never a silent broadcast.
 */
export function matchTargets(where: string, yTrue: Value, yPred: Value): [Value, Value] {
  let target = ops.cast(yTrue, "float32");
  let prediction = ops.cast(yPred, "float32");
  if (target.rank === prediction.rank + 1 && target.shape.at(-1) === 1) {
    if (prediction.rank === 1) prediction = ops.expandDims(prediction, -1);
    else target = ops.squeeze(target, -1);
  } else if (prediction.rank === target.rank + 1 && prediction.shape.at(-1) === 1) {
    if (target.rank === 1) target = ops.expandDims(target, -1);
    else prediction = ops.squeeze(prediction, -1);
  }
  if (!sameShape(target.shape, prediction.shape)) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected targets shaped like the predictions ${formatShape(yPred.shape)}, got ${formatShape(yTrue.shape)}`,
    );
  }
  return [target, prediction];
}

/**
 * Values with 0 where the mask says that they do not count, and how many do.
 * @param mask bool, of the shape of the leading axes of `values`, or with a last axis of 1 more
 */
export function countedBy(where: string, values: Value, mask: Value): [values: Value, count: Value] {
  const isWider = mask.rank === values.rank + 1 && mask.shape.at(-1) === 1;
  const own = isWider ? ops.squeeze(mask, -1) : mask;
  if (!sameShape(own.shape, values.shape.slice(0, own.rank))) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected values ${formatShape(values.shape)} to begin with the axes of the predictions' mask ${formatShape(mask.shape)}`,
    );
  }
  const trailing = values.shape.slice(own.rank);
  const spread = ops.reshape(own, [...own.shape, ...trailing.map(() => 1)]);
  const count = ops.sum(ops.cast(own, "float32"));
  return [ops.where(spread, values, 0), ops.multiply(count, sizeOf(trailing))];
}

/**
 * Weights of samples (or of steps) brought to the rank of values that begin with their axes. A last axis of size 1 too
 * many is dropped, as Keras does.
 */
export function spreadOver(where: string, values: Value, weights: Value): Value {
  const isWider = weights.rank === values.rank + 1 && weights.shape.at(-1) === 1;
  const own = isWider ? ops.squeeze(weights, -1) : weights;
  if (own.rank > values.rank || own.shape.some((d, i) => d !== values.shape[i] && d !== 1)) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected sampleWeight of the leading axes of ${formatShape(values.shape)}, got ${formatShape(weights.shape)}`,
    );
  }
  return ops.reshape(own, [...own.shape, ...values.shape.slice(own.rank).map(() => 1)]);
}

/** The value a softmax or sigmoid was taken of, when the predictions are the direct result of one; undefined otherwise. */
export function logitsOf(yPred: Value, activation: "softmax" | "sigmoid"): Value | undefined {
  const node = yPred.node;
  if (node?.op.name !== activation) return undefined;
  const axis = node.attrs.axis as number | undefined;
  if (axis !== undefined && axis !== -1 && axis !== yPred.rank - 1) return undefined;
  return node.inputs[0];
}
