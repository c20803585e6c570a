// Normalisations of each sample by itself, over given axes: LayerNormalization, RmsNormalization, UnitNormalization.

import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxes } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { checkIntegers, labelOf } from "./options.ts";
import {
  SCALE_AND_CENTER_OPTIONS,
  type ScaleAndCenter,
  type ScaleAndCenterOptions,
  scaleAndCenter,
  serializeScaleAndCenter,
} from "./scale-and-center.ts";
import type { BatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

type Axes = number | readonly number[];

function checkAxes(where: string, axis: unknown): Axes {
  if (!Array.isArray(axis)) return checkInteger(where, "axis", axis, -8, 7);
  return [...checkIntegers(where, "axis", axis, "from -8 to 7", (a) => a >= -8 && a <= 7)];
}

/** A layer over axes whose weights have the sizes of those axes, in ascending order. */
abstract class OverAxes extends UnaryLayer {
  readonly axis: Axes;

  constructor(where: string, options: LayerOptions & { axis?: Axes }) {
    super(options);
    this.axis = checkAxes(where, options.axis ?? -1);
  }

  protected axesOf(rank: number): number[] {
    return normalizeAxes(this.path, this.axis, rank);
  }

  protected sizesOf(inputShape: BatchShape): BatchShape {
    return this.axesOf(inputShape.length).map((a) => inputShape[a]!);
  }

  /** Throws where a weight's sizes are not those of the input. */
  protected checkSizes(x: Value, weight: Variable | undefined): void {
    const sizes = this.axesOf(x.rank).map((a) => x.shape[a]!);
    if (!weight || sizes.join() === weight.shape.join()) return;
    throw this.error(
      "SHAPE_MISMATCH",
      `expected sizes ${formatShape(weight.shape)} over axis ${formatShape([this.axis].flat())}, got shape ${formatShape(x.shape)}`,
    );
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), axis: this.axis };
  }
}

export interface LayerNormalizationOptions extends ScaleAndCenterOptions {
  /** Axis or axes to normalize over. Default -1. */
  axis?: number | readonly number[];
  /** Added to the variance. Default 1e-3. */
  epsilon?: number;
  /**
   * Kept for models that have it: divides by the deviation without subtracting the mean or adding beta. Keras calls this
   * deprecated; `rmsNormalization` is what the name says. Default false.
   */
  rmsScaling?: boolean;
}

/** Weights: gamma, beta, of the sizes of the axes. */
export class LayerNormalization extends OverAxes {
  static readonly className = "LayerNormalization";
  override supportsMasking = true;
  readonly epsilon: number;
  readonly rmsScaling: boolean;
  gamma: Variable | undefined;
  beta: Variable | undefined;
  private readonly weightOptions: ScaleAndCenter;

  constructor(options: LayerNormalizationOptions = {}) {
    const where = labelOf("layerNormalization", options);
    const given = checkOptions(where, options, [
      ...LAYER_OPTIONS,
      "axis",
      "epsilon",
      ...SCALE_AND_CENTER_OPTIONS,
      "rmsScaling",
    ]);
    super(where, given);
    this.epsilon = checkNumber(where, "epsilon", given.epsilon ?? 1e-3, "of at least 0", (e) => e >= 0);
    this.rmsScaling = checkBoolean(where, "rmsScaling", given.rmsScaling ?? false);
    this.weightOptions = scaleAndCenter(where, given);
  }

  override build(inputShape: BatchShape): void {
    const shape = this.sizesOf(inputShape);
    const { scale, center, gammaInitializer, betaInitializer } = this.weightOptions;
    if (scale || this.rmsScaling)
      this.gamma = this.addWeight({ name: "gamma", shape, initializer: gammaInitializer });
    if (center && !this.rmsScaling)
      this.beta = this.addWeight({ name: "beta", shape, initializer: betaInitializer });
  }

  override call(x: Value): Value {
    this.checkSizes(x, this.gamma ?? this.beta);
    const { gamma, beta, epsilon } = this;
    const axis = this.axesOf(x.rank);
    if (!this.rmsScaling) return ops.layerNorm(x, { axis, gamma, beta, epsilon });
    const inverse = ops.rsqrt(ops.add(ops.variance(x, { axis, keepDims: true }), epsilon));
    const along = x.shape.map((d, a) => (axis.includes(a) ? d : 1));
    return ops.multiply(ops.multiply(x, inverse), ops.reshape(gamma!, along));
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      epsilon: this.epsilon,
      ...serializeScaleAndCenter(this.weightOptions),
      rmsScaling: this.rmsScaling,
    };
  }
}

/**
 * gamma (x - mean) / sqrt(variance + epsilon) + beta, with the mean and variance of each sample over the axes (Ba, Kiros and
 * Hinton, 2016). Shape stays.
 * @example layers.layerNormalization({ epsilon: 1e-5 })
 */
export function layerNormalization(options?: LayerNormalizationOptions): LayerNormalization {
  return new LayerNormalization(options);
}

export interface RmsNormalizationOptions extends LayerOptions {
  /** Axis or axes to normalize over. Default -1. */
  axis?: number | readonly number[];
  /** Added to the mean square. Default 1e-6. */
  epsilon?: number;
}

/** Weight: scale, of the sizes of the axes. */
export class RmsNormalization extends OverAxes {
  static readonly className = "RmsNormalization";
  readonly epsilon: number;
  scale!: Variable;

  constructor(options: RmsNormalizationOptions = {}) {
    const where = labelOf("rmsNormalization", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "axis", "epsilon"]);
    super(where, given);
    this.epsilon = checkNumber(where, "epsilon", given.epsilon ?? 1e-6, "of at least 0", (e) => e >= 0);
  }

  override build(inputShape: BatchShape): void {
    this.scale = this.addWeight({ name: "scale", shape: this.sizesOf(inputShape), initializer: "ones" });
  }

  override call(x: Value): Value {
    this.checkSizes(x, this.scale);
    return ops.rmsNorm(x, { axis: this.axesOf(x.rank), gamma: this.scale, epsilon: this.epsilon });
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), epsilon: this.epsilon };
  }
}

/** scale x / sqrt(mean(x^2) + epsilon) over the axes (Zhang and Sennrich, 2019). Shape stays. */
export function rmsNormalization(options?: RmsNormalizationOptions): RmsNormalization {
  return new RmsNormalization(options);
}

export interface UnitNormalizationOptions extends LayerOptions {
  /** Axis or axes to normalize over. Default -1. */
  axis?: number | readonly number[];
}

export class UnitNormalization extends OverAxes {
  static readonly className = "UnitNormalization";
  override supportsMasking = true;

  constructor(options: UnitNormalizationOptions = {}) {
    const where = labelOf("unitNormalization", options);
    super(where, checkOptions(where, options, [...LAYER_OPTIONS, "axis"]));
  }

  override call(x: Value): Value {
    const value = ops.cast(x, "float32");
    const squares = ops.sum(ops.square(value), { axis: this.axesOf(x.rank), keepDims: true });
    return ops.multiply(value, ops.minimum(ops.rsqrt(squares), 1e12));
  }
}

/** x divided by its Euclidean norm over the axes, or by 1e-12 where that is larger. Shape stays. */
export function unitNormalization(options?: UnitNormalizationOptions): UnitNormalization {
  return new UnitNormalization(options);
}
