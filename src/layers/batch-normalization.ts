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
import {
  checkRenormClipping,
  correction,
  moveRenorm,
  type RenormClipping,
  rootOf,
} from "./batch-renormalization.ts";
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
  /** Batch renormalization (Ioffe, 2017): corrects the batch's statistics towards moving ones. Default false. */
  renorm?: boolean;
  /** Bounds of that correction. Default: none. */
  renormClipping?: RenormClipping | null;
  /** Share of the old average that a training step keeps, of the statistics it corrects towards. Default 0.99. */
  renormMomentum?: number;
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
  "renormClipping",
  "renormMomentum",
] as const;

/** What Keras adds to numbers of unmasked elements. */
const KERAS_EPSILON = 1e-7;

/**
 * Weights: gamma, beta, moving_mean and moving_variance, each of the size of the axis, the last two not trained; with
 * `renorm` also moving_stddev, renorm_mean and renorm_stddev.
 */
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
  readonly renorm: boolean;
  readonly renormClipping: RenormClipping;
  readonly renormMomentum: number;
  movingStddev: Variable | undefined;
  renormMean: Variable | undefined;
  renormStddev: Variable | undefined;
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
    this.renorm = checkBoolean(where, "renorm", given.renorm ?? false);
    this.renormClipping = checkRenormClipping(where, given.renormClipping);
    const { renormMomentum = 0.99 } = given;
    this.renormMomentum = checkNumber(
      where,
      "renormMomentum",
      renormMomentum,
      "in [0, 1]",
      (m) => m >= 0 && m <= 1,
    );
    if (checkBoolean(where, "synchronized", given.synchronized ?? false)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected synchronized to be false, the only value there is so far, got true`,
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
    if (!this.renorm) return;
    const deviation = rootOf(this.movingVarianceInitializer);
    this.movingStddev = this.addWeight({ ...fixed, name: "moving_stddev", initializer: deviation });
    const { movingMeanInitializer: initializer } = this;
    this.renormMean = this.addWeight({ ...fixed, name: "renorm_mean", initializer });
    this.renormStddev = this.addWeight({ ...fixed, name: "renorm_stddev", initializer: deviation });
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
    if (this.renorm) {
      const { y, mean, variance } = ops.batchNorm(x, { axis, epsilon });
      return this.corrected(y, mean, variance, axis);
    }
    const { y, mean, variance } = ops.batchNorm(x, { axis, gamma, beta, epsilon });
    this.move(this.movingMean, mean);
    this.move(this.movingVariance, variance);
    return y;
  }

  private move(average: Variable, value: Value): void {
    const { momentum } = this;
    ops.assign(average, ops.add(ops.multiply(average, momentum), ops.multiply(value, 1 - momentum)));
  }

  /** What renormalization makes of x normalised by the batch's statistics, which it also takes in. */
  private corrected(normalized: Value, mean: Value, variance: Value, axis: number): Value {
    const { movingStddev, renormMean, renormStddev } = this;
    const state = { movingStddev: movingStddev!, renormMean: renormMean!, renormStddev: renormStddev! };
    const { r, d } = correction(mean, variance, state, this.epsilon, this.renormClipping);
    const scale = this.gamma ? ops.multiply(r, this.gamma) : r;
    const lift = this.gamma ? ops.multiply(d, this.gamma) : d;
    const shift = this.beta ? ops.add(lift, this.beta) : lift;
    ops.assign(this.movingVariance, moveRenorm(mean, variance, state, this));
    this.move(this.movingMean, mean);
    const along = (v: Value) => alongAxis(v, axis, normalized.rank);
    return ops.add(ops.multiply(normalized, along(scale)), along(shift));
  }

  /** Statistics of the elements whose steps count. */
  private onMasked(x: Value, axis: number, mask: Value): Value {
    const over = { axis: x.shape.flatMap((_, i) => (i === axis ? [] : [i])), keepDims: true };
    const counts = ops.broadcastTo(ops.expandDims(mask, -1), x.shape);
    const count = ops.add(ops.sum(ops.cast(counts, "float32"), over), KERAS_EPSILON);
    const mean = ops.divide(ops.sum(ops.where(counts, x, 0), over), count);
    const distance = ops.where(counts, ops.subtract(x, mean), 0);
    const variance = ops.divide(ops.sum(ops.square(distance), over), count);
    const [flatMean, flatVariance] = [mean, variance].map((v) => ops.reshape(v, this.movingMean.shape));
    if (this.renorm) {
      const normalized = ops.multiply(ops.subtract(x, mean), ops.rsqrt(ops.add(variance, this.epsilon)));
      return this.corrected(normalized, flatMean!, flatVariance!, axis);
    }
    this.move(this.movingMean, flatMean!);
    this.move(this.movingVariance, flatVariance!);
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
      renorm: this.renorm,
      renormClipping: this.renormClipping,
      renormMomentum: this.renormMomentum,
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
