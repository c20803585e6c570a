// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, one mean and variance for each index of an axis: of the batch in
// training, which also moves the averages kept as weights; those averages otherwise.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxis, sameShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import * as ops from "../ops/index.ts";
import { type CallContext, LAYER_OPTIONS } from "./layer.ts";
import { labelOf } from "./options.ts";
import {
  SCALE_AND_CENTER_OPTIONS,
  type ScaleAndCenter,
  type ScaleAndCenterOptions,
  scaleAndCenter,
  serializeScaleAndCenter,
} from "./scale-and-center.ts";
import type { BatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

export interface BatchNormalizationOptions extends ScaleAndCenterOptions {
  /** The axis that keeps statistics of its own, usually that of the channels. Default -1. */
  axis?: number;
  /** Share of the old average that a training step keeps. Default 0.99. */
  momentum?: number;
  /** Added to the variance. Default 1e-3. */
  epsilon?: number;
  /** Default "zeros". */
  movingMeanInitializer?: InitializerLike;
  /** Default "ones". */
  movingVarianceInitializer?: InitializerLike;
  /** Statistics over several machines: only false, the default, is possible here. */
  synchronized?: false;
  /** Batch renormalization: only false, the default, is possible here. */
  renorm?: false;
}

const BATCH_NORMALIZATION_OPTIONS = [
  ...LAYER_OPTIONS,
  "axis",
  "momentum",
  "epsilon",
  ...SCALE_AND_CENTER_OPTIONS,
  "movingMeanInitializer",
  "movingVarianceInitializer",
  "synchronized",
  "renorm",
] as const;

/** What Keras adds to numbers of unmasked elements. */
const KERAS_EPSILON = 1e-7;

/** Weights: gamma, beta, moving_mean and moving_variance, each of the size of the axis; the last two are not trained. */
export class BatchNormalization extends UnaryLayer {
  static readonly className = "BatchNormalization";
  override supportsMasking = true;
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  gamma: Variable | undefined;
  beta: Variable | undefined;
  movingMean!: Variable;
  movingVariance!: Variable;
  private readonly weightOptions: ScaleAndCenter;
  private readonly movingMeanInitializer: Initializer;
  private readonly movingVarianceInitializer: Initializer;

  constructor(options: BatchNormalizationOptions = {}) {
    const where = labelOf("batchNormalization", options);
    const given = checkOptions(where, options, BATCH_NORMALIZATION_OPTIONS);
    super(given);
    this.axis = checkInteger(where, "axis", given.axis ?? -1, -8, 7);
    this.momentum = checkNumber(
      where,
      "momentum",
      given.momentum ?? 0.99,
      "in [0, 1]",
      (m) => m >= 0 && m <= 1,
    );
    this.epsilon = checkNumber(where, "epsilon", given.epsilon ?? 1e-3, "of at least 0", (e) => e >= 0);
    this.weightOptions = scaleAndCenter(where, given);
    const initializer = (name: "movingMeanInitializer" | "movingVarianceInitializer", byDefault: string) =>
      resolveInitializer(where, name, given[name] ?? byDefault);
    this.movingMeanInitializer = initializer("movingMeanInitializer", "zeros");
    this.movingVarianceInitializer = initializer("movingVarianceInitializer", "ones");
    for (const name of ["synchronized", "renorm"] as const) {
      if (!checkBoolean(where, name, given[name] ?? false)) continue;
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected ${name} to be false, the only value there is so far, got true`,
      );
    }
  }

  override build(inputShape: BatchShape): void {
    this.checkRank(inputShape, 2);
    const shape = [inputShape[normalizeAxis(this.path, this.axis, inputShape.length)]!];
    const { scale, center, gammaInitializer, betaInitializer } = this.weightOptions;
    if (scale) this.gamma = this.addWeight({ name: "gamma", shape, initializer: gammaInitializer });
    if (center) this.beta = this.addWeight({ name: "beta", shape, initializer: betaInitializer });
    const fixed = { shape, trainable: false };
    this.movingMean = this.addWeight({
      ...fixed,
      name: "moving_mean",
      initializer: this.movingMeanInitializer,
    });
    this.movingVariance = this.addWeight({
      ...fixed,
      name: "moving_variance",
      initializer: this.movingVarianceInitializer,
    });
  }

  /** A layer that is not trainable computes as outside of training, as in Keras. */
  override call(x: Value, { training }: CallContext, mask: Value | null): Value {
    const size = this.movingMean.shape[0]!;
    const axis = normalizeAxis(this.path, this.axis, x.rank);
    if (x.shape[axis] !== size) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected axis ${axis} of ${size}, got shape ${formatShape(x.shape)}`,
      );
    }
    if (mask && (mask.rank !== x.rank - 1 || !sameShape(mask.shape, x.shape.slice(0, -1)))) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected a mask of the input's shape without its last axis, got ${formatShape(mask.shape)} for ${formatShape(x.shape)}`,
      );
    }
    const value = ops.cast(x, "float32");
    if (!training || !this.trainable) {
      const along = (v: Variable) => alongAxis(ops.toValue(v), axis, x.rank);
      return this.onStatistics(value, along(this.movingMean), along(this.movingVariance), axis);
    }
    return mask ? this.onMasked(value, axis, mask) : this.onBatch(value, axis);
  }

  private onBatch(x: Value, axis: number): Value {
    const { gamma, beta, epsilon } = this;
    const { y, mean, variance } = ops.batchNorm(x, { axis, gamma, beta, epsilon });
    this.move(this.movingMean, mean);
    this.move(this.movingVariance, variance);
    return y;
  }

  private move(average: Variable, value: Value): void {
    const { momentum } = this;
    ops.assign(average, ops.add(ops.multiply(average, momentum), ops.multiply(value, 1 - momentum)));
  }

  /** Statistics of the elements whose steps count. */
  private onMasked(x: Value, axis: number, mask: Value): Value {
    const over = { axis: x.shape.flatMap((_, i) => (i === axis ? [] : [i])), keepDims: true };
    const counts = ops.broadcastTo(ops.expandDims(mask, -1), x.shape);
    const count = ops.add(ops.sum(ops.cast(counts, "float32"), over), KERAS_EPSILON);
    const mean = ops.divide(ops.sum(ops.where(counts, x, 0), over), count);
    const distance = ops.where(counts, ops.subtract(x, mean), 0);
    const variance = ops.divide(ops.sum(ops.square(distance), over), count);
    this.move(this.movingMean, ops.reshape(mean, this.movingMean.shape));
    this.move(this.movingVariance, ops.reshape(variance, this.movingMean.shape));
    return this.onStatistics(x, mean, variance, axis);
  }

  /** One multiplication and one addition, so that a convolution before it can take them in. */
  private onStatistics(x: Value, mean: Value, variance: Value, axis: number): Value {
    const weight = (v: Variable) => alongAxis(ops.toValue(v), axis, x.rank);
    const inverse = ops.rsqrt(ops.add(variance, this.epsilon));
    const scale = this.gamma ? ops.multiply(weight(this.gamma), inverse) : inverse;
    const lost = ops.multiply(mean, scale);
    const shift = this.beta ? ops.subtract(weight(this.beta), lost) : ops.negative(lost);
    return ops.add(ops.multiply(x, scale), shift);
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      axis: this.axis,
      momentum: this.momentum,
      epsilon: this.epsilon,
      ...serializeScaleAndCenter(this.weightOptions),
      movingMeanInitializer: serializeInitializer(this.movingMeanInitializer),
      movingVarianceInitializer: serializeInitializer(this.movingVarianceInitializer),
      synchronized: false,
      renorm: false,
    };
  }
}

/** [channels] as it broadcasts along an axis. */
function alongAxis(v: Value, axis: number, rank: number): Value {
  return axis === rank - 1 ? v : ops.reshape(v, [v.shape[0]!, ...new Array<number>(rank - 1 - axis).fill(1)]);
}

/**
 * Keeps each channel near mean 0 and deviation 1 over the batch (Ioffe and Szegedy, 2015). Shape stays.
 * @example layers.batchNormalization()   // after a convolution or dense layer without bias
 */
export function batchNormalization(options?: BatchNormalizationOptions): BatchNormalization {
  return new BatchNormalization(options);
}
