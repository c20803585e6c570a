// Pooling by windows: MaxPooling and AveragePooling over one to three spatial axes.

import { checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { type Padding, perAxis } from "../ops/windows.ts";
import { labelOf } from "./options.ts";
import { SPATIAL_OPTIONS, SpatialLayer, type SpatialOptions, type SpatialRank } from "./spatial.ts";

export interface AveragePoolingOptions extends SpatialOptions {
  /** Sizes of a window: one number, or one for each spatial axis. */
  poolSize: number | readonly number[];
  /** How far windows are apart, likewise. Default: poolSize. */
  strides?: number | readonly number[] | null;
  /** "valid" (default): windows that fit into the image; "same": ceil(size / strides) of them, over its edges. */
  padding?: Padding;
}

export interface MaxPoolingOptions extends Omit<AveragePoolingOptions, "poolSize"> {
  /** Sizes of a window: one number, or one for each spatial axis. Default 2. */
  poolSize?: number | readonly number[];
}

abstract class Pooling extends SpatialLayer {
  readonly poolSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;

  constructor(factory: string, rank: SpatialRank, options: AveragePoolingOptions) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [...SPATIAL_OPTIONS, "poolSize", "strides", "padding"]);
    super(where, rank, given);
    this.poolSize = perAxis(where, "poolSize", given.poolSize, rank);
    this.strides = given.strides == null ? this.poolSize : perAxis(where, "strides", given.strides, rank);
    this.padding = checkOneOf(where, "padding", given.padding ?? "valid", ["valid", "same"]);
  }

  protected override callOnImage(x: Value): Value {
    if (this.padding === "valid" && this.poolSize.some((k, i) => x.shape[i + 1]! < k)) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected spatial sizes of at least poolSize ${formatShape(this.poolSize)}, got an input ${formatShape(x.shape)}`,
      );
    }
    return this.pool(x);
  }

  protected abstract pool(x: Value): Value;

  override getConfig(): Record<string, unknown> {
    const { poolSize, strides, padding } = this;
    return { ...super.getConfig(), poolSize, strides, padding };
  }
}

abstract class MaxPooling extends Pooling {
  constructor(factory: string, rank: SpatialRank, options: MaxPoolingOptions = {}) {
    super(
      factory,
      rank,
      options?.poolSize === undefined
        ? { ...options, poolSize: 2 }
        : { ...options, poolSize: options.poolSize },
    );
  }
  protected override pool(x: Value): Value {
    return ops.maxPool(x, this.poolSize, { strides: this.strides, padding: this.padding });
  }
}

abstract class AveragePooling extends Pooling {
  protected override pool(x: Value): Value {
    return ops.averagePool(x, this.poolSize, { strides: this.strides, padding: this.padding });
  }
}

export class MaxPooling1D extends MaxPooling {
  static readonly className = "MaxPooling1D";
  constructor(options?: MaxPoolingOptions) {
    super("maxPooling1d", 1, options);
  }
}
export class MaxPooling2D extends MaxPooling {
  static readonly className = "MaxPooling2D";
  constructor(options?: MaxPoolingOptions) {
    super("maxPooling2d", 2, options);
  }
}
export class MaxPooling3D extends MaxPooling {
  static readonly className = "MaxPooling3D";
  constructor(options?: MaxPoolingOptions) {
    super("maxPooling3d", 3, options);
  }
}
export class AveragePooling1D extends AveragePooling {
  static readonly className = "AveragePooling1D";
  constructor(options: AveragePoolingOptions) {
    super("averagePooling1d", 1, options);
  }
}
export class AveragePooling2D extends AveragePooling {
  static readonly className = "AveragePooling2D";
  constructor(options: AveragePoolingOptions) {
    super("averagePooling2d", 2, options);
  }
}
export class AveragePooling3D extends AveragePooling {
  static readonly className = "AveragePooling3D";
  constructor(options: AveragePoolingOptions) {
    super("averagePooling3d", 3, options);
  }
}

/** The largest element of each window: [batch, steps, channels] -> [batch, windows, channels]. */
export function maxPooling1d(options?: MaxPoolingOptions): MaxPooling1D {
  return new MaxPooling1D(options);
}
/** The largest element of each window. @example layers.maxPooling2d() // [batch, 24, 24, 64] -> [batch, 12, 12, 64] */
export function maxPooling2d(options?: MaxPoolingOptions): MaxPooling2D {
  return new MaxPooling2D(options);
}
/** The largest element of each window: [batch, depth, height, width, channels], pooled. */
export function maxPooling3d(options?: MaxPoolingOptions): MaxPooling3D {
  return new MaxPooling3D(options);
}
/** The mean of each window: [batch, steps, channels] -> [batch, windows, channels]. */
export function averagePooling1d(options: AveragePoolingOptions): AveragePooling1D {
  return new AveragePooling1D(options);
}
/** The mean of each window; over edges (`padding: "same"`) that of the elements that exist, as in Keras on TensorFlow and JAX. */
export function averagePooling2d(options: AveragePoolingOptions): AveragePooling2D {
  return new AveragePooling2D(options);
}
/** The mean of each window: [batch, depth, height, width, channels], pooled. */
export function averagePooling3d(options: AveragePoolingOptions): AveragePooling3D {
  return new AveragePooling3D(options);
}
