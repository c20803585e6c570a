// y = gamma (x - mean) / sqrt(variance + epsilon) + beta with the mean and variance of each group of channels in each sample.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxis } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { LAYER_OPTIONS } from "./layer.ts";
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

export interface GroupNormalizationOptions extends ScaleAndCenterOptions {
  /** How many groups the channels make; -1: one for each channel (instance normalization). Default 32. */
  groups?: number;
  /** Axis of the channels. Default -1. */
  axis?: number;
  /** Added to the variance. Default 1e-3. */
  epsilon?: number;
}

/** Weights: gamma, beta, one element for each channel. */
export class GroupNormalization extends UnaryLayer {
  static readonly className = "GroupNormalization";
  override supportsMasking = true;
  readonly groups: number;
  readonly axis: number;
  readonly epsilon: number;
  gamma: Variable | undefined;
  beta: Variable | undefined;
  private channels!: number;
  private readonly weightOptions: ScaleAndCenter;

  constructor(options: GroupNormalizationOptions = {}) {
    const where = labelOf("groupNormalization", options);
    const given = checkOptions(where, options, [
      ...LAYER_OPTIONS,
      "groups",
      "axis",
      "epsilon",
      ...SCALE_AND_CENTER_OPTIONS,
    ]);
    super(given);
    const { groups = 32 } = given;
    this.groups = groups === -1 ? -1 : checkInteger(where, "groups", groups, 1);
    this.axis = checkInteger(where, "axis", given.axis ?? -1, -8, 7);
    this.epsilon = checkNumber(where, "epsilon", given.epsilon ?? 1e-3, "of at least 0", (e) => e >= 0);
    this.weightOptions = scaleAndCenter(where, given);
  }

  override build(inputShape: BatchShape): void {
    this.checkRank(inputShape, 2);
    const channels = inputShape[this.channelAxis(inputShape.length)]!;
    if (channels === null) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected a known size of axis ${this.axis}, got ${formatShape(inputShape)}`,
      );
    }
    if (this.groups !== -1 && channels % this.groups !== 0) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected channels that are a multiple of ${this.groups} groups, got ${channels}`,
      );
    }
    this.channels = channels;
    const shape = [channels];
    const { scale, center, gammaInitializer, betaInitializer } = this.weightOptions;
    if (scale) this.gamma = this.addWeight({ name: "gamma", shape, initializer: gammaInitializer });
    if (center) this.beta = this.addWeight({ name: "beta", shape, initializer: betaInitializer });
  }

  private channelAxis(rank: number): number {
    const axis = normalizeAxis(this.path, this.axis, rank);
    if (axis > 0) return axis;
    throw new MyelinError(
      "INVALID_OPTION",
      `${this.path}: expected an axis other than the batch, got ${this.axis}`,
    );
  }

  override call(x: Value): Value {
    const { gamma, beta, epsilon, channels } = this;
    const axis = this.channelAxis(x.rank);
    if (x.shape[axis] !== channels) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected axis ${axis} of ${channels}, got shape ${formatShape(x.shape)}`,
      );
    }
    const groups = this.groups === -1 ? channels : this.groups;
    return ops.groupNorm(x, { groups, axis, gamma, beta, epsilon });
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      groups: this.groups,
      axis: this.axis,
      epsilon: this.epsilon,
      ...serializeScaleAndCenter(this.weightOptions),
    };
  }
}

/**
 * Normalizes groups of neighbouring channels in each sample (Wu and He, 2018). Shape stays.
 * @example layers.groupNormalization({ groups: 8 })   // -1: instance normalization
 */
export function groupNormalization(options?: GroupNormalizationOptions): GroupNormalization {
  return new GroupNormalization(options);
}
