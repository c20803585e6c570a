// Pooling to a fixed size: global (one value a channel) and adaptive (a given number of bins along each spatial axis).

import { checkBoolean, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { perAxis } from "../ops/windows.ts";
import { labelOf } from "./options.ts";
import { SPATIAL_OPTIONS, SpatialLayer, type SpatialOptions, type SpatialRank } from "./spatial.ts";

export interface GlobalPoolingOptions extends SpatialOptions {
  /** Leave spatial axes of size 1. Default false. */
  keepDims?: boolean;
}

abstract class GlobalPooling extends SpatialLayer {
  readonly keepDims: boolean;

  constructor(factory: string, rank: SpatialRank, options: GlobalPoolingOptions = {}) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [...SPATIAL_OPTIONS, "keepDims"]);
    super(where, rank, given);
    this.keepDims = checkBoolean(where, "keepDims", given.keepDims ?? false);
  }

  /** The reduction's options. */
  protected get overSpace(): ops.ReduceOptions {
    const axis = Array.from({ length: this.spatialRank }, (_, i) => i + 1);
    return { axis, keepDims: this.keepDims };
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), keepDims: this.keepDims };
  }
}

abstract class GlobalMaxPooling extends GlobalPooling {
  protected override callOnImage(x: Value): Value {
    return ops.max(x, this.overSpace);
  }
}

abstract class GlobalAveragePooling extends GlobalPooling {
  protected override callOnImage(x: Value, _mask: Value | null): Value {
    return ops.mean(x, this.overSpace);
  }
}

export interface AdaptivePoolingOptions extends SpatialOptions {
  /** Spatial sizes of the output: one number, or one for each spatial axis. */
  outputSize: number | readonly number[];
}

abstract class AdaptivePooling extends SpatialLayer {
  readonly outputSize: readonly number[];

  constructor(factory: string, rank: SpatialRank, options: AdaptivePoolingOptions) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [...SPATIAL_OPTIONS, "outputSize"]);
    super(where, rank, given);
    this.outputSize = perAxis(where, "outputSize", given.outputSize, rank);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), outputSize: this.outputSize };
  }
}

abstract class AdaptiveMaxPooling extends AdaptivePooling {
  protected override callOnImage(x: Value): Value {
    return ops.adaptiveMaxPool(x, this.outputSize);
  }
}

abstract class AdaptiveAveragePooling extends AdaptivePooling {
  protected override callOnImage(x: Value): Value {
    return ops.adaptiveAveragePool(x, this.outputSize);
  }
}

export class GlobalMaxPooling1D extends GlobalMaxPooling {
  static readonly className = "GlobalMaxPooling1D";
  constructor(options?: GlobalPoolingOptions) {
    super("globalMaxPooling1d", 1, options);
  }
}

export class GlobalMaxPooling2D extends GlobalMaxPooling {
  static readonly className = "GlobalMaxPooling2D";
  constructor(options?: GlobalPoolingOptions) {
    super("globalMaxPooling2d", 2, options);
  }
}

export class GlobalMaxPooling3D extends GlobalMaxPooling {
  static readonly className = "GlobalMaxPooling3D";
  constructor(options?: GlobalPoolingOptions) {
    super("globalMaxPooling3d", 3, options);
  }
}

export class GlobalAveragePooling1D extends GlobalAveragePooling {
  static readonly className = "GlobalAveragePooling1D";
  constructor(options?: GlobalPoolingOptions) {
    super("globalAveragePooling1d", 1, options);
  }

  /** With a mask the mean over the steps that count; zeros where none does (Keras divides by zero there). */
  protected override callOnImage(x: Value, mask: Value | null): Value {
    if (!mask) return super.callOnImage(x, mask);
    const weights = ops.expandDims(ops.cast(mask, "float32"), -1);
    const total = ops.sum(ops.where(ops.expandDims(mask, -1), ops.cast(x, "float32"), 0), this.overSpace);
    return ops.divide(total, ops.maximum(ops.sum(weights, this.overSpace), 1));
  }

  override computeMask(): null {
    return null;
  }
}

export class GlobalAveragePooling2D extends GlobalAveragePooling {
  static readonly className = "GlobalAveragePooling2D";
  constructor(options?: GlobalPoolingOptions) {
    super("globalAveragePooling2d", 2, options);
  }
}

export class GlobalAveragePooling3D extends GlobalAveragePooling {
  static readonly className = "GlobalAveragePooling3D";
  constructor(options?: GlobalPoolingOptions) {
    super("globalAveragePooling3d", 3, options);
  }
}

export class AdaptiveMaxPooling1D extends AdaptiveMaxPooling {
  static readonly className = "AdaptiveMaxPooling1D";
  constructor(options: AdaptivePoolingOptions) {
    super("adaptiveMaxPooling1d", 1, options);
  }
}

export class AdaptiveMaxPooling2D extends AdaptiveMaxPooling {
  static readonly className = "AdaptiveMaxPooling2D";
  constructor(options: AdaptivePoolingOptions) {
    super("adaptiveMaxPooling2d", 2, options);
  }
}

export class AdaptiveMaxPooling3D extends AdaptiveMaxPooling {
  static readonly className = "AdaptiveMaxPooling3D";
  constructor(options: AdaptivePoolingOptions) {
    super("adaptiveMaxPooling3d", 3, options);
  }
}

export class AdaptiveAveragePooling1D extends AdaptiveAveragePooling {
  static readonly className = "AdaptiveAveragePooling1D";
  constructor(options: AdaptivePoolingOptions) {
    super("adaptiveAveragePooling1d", 1, options);
  }
}

export class AdaptiveAveragePooling2D extends AdaptiveAveragePooling {
  static readonly className = "AdaptiveAveragePooling2D";
  constructor(options: AdaptivePoolingOptions) {
    super("adaptiveAveragePooling2d", 2, options);
  }
}

export class AdaptiveAveragePooling3D extends AdaptiveAveragePooling {
  static readonly className = "AdaptiveAveragePooling3D";
  constructor(options: AdaptivePoolingOptions) {
    super("adaptiveAveragePooling3d", 3, options);
  }
}

/** The largest element of each channel: [batch, steps, channels] -> [batch, channels]. */
export function globalMaxPooling1d(options?: GlobalPoolingOptions): GlobalMaxPooling1D {
  return new GlobalMaxPooling1D(options);
}

/** The largest element of each channel: [batch, height, width, channels] -> [batch, channels]. */
export function globalMaxPooling2d(options?: GlobalPoolingOptions): GlobalMaxPooling2D {
  return new GlobalMaxPooling2D(options);
}

/** The largest element of each channel: [batch, depth, height, width, channels] -> [batch, channels]. */
export function globalMaxPooling3d(options?: GlobalPoolingOptions): GlobalMaxPooling3D {
  return new GlobalMaxPooling3D(options);
}

/** The mean of each channel: [batch, steps, channels] -> [batch, channels]. */
export function globalAveragePooling1d(options?: GlobalPoolingOptions): GlobalAveragePooling1D {
  return new GlobalAveragePooling1D(options);
}

/** The mean of each channel: [batch, height, width, channels] -> [batch, channels]. */
export function globalAveragePooling2d(options?: GlobalPoolingOptions): GlobalAveragePooling2D {
  return new GlobalAveragePooling2D(options);
}

/** The mean of each channel: [batch, depth, height, width, channels] -> [batch, channels]. */
export function globalAveragePooling3d(options?: GlobalPoolingOptions): GlobalAveragePooling3D {
  return new GlobalAveragePooling3D(options);
}

/** The largest element of each of `outputSize` bins, in PyTorch's division of the axes: [batch, steps, channels] -> [batch, ...outputSize, channels]. */
export function adaptiveMaxPooling1d(options: AdaptivePoolingOptions): AdaptiveMaxPooling1D {
  return new AdaptiveMaxPooling1D(options);
}

/** The largest element of each of `outputSize` bins, in PyTorch's division of the axes: [batch, height, width, channels] -> [batch, ...outputSize, channels]. */
export function adaptiveMaxPooling2d(options: AdaptivePoolingOptions): AdaptiveMaxPooling2D {
  return new AdaptiveMaxPooling2D(options);
}

/** The largest element of each of `outputSize` bins, in PyTorch's division of the axes: [batch, depth, height, width, channels] -> [batch, ...outputSize, channels]. */
export function adaptiveMaxPooling3d(options: AdaptivePoolingOptions): AdaptiveMaxPooling3D {
  return new AdaptiveMaxPooling3D(options);
}

/** The mean of each of `outputSize` bins, in PyTorch's division of the axes: [batch, steps, channels] -> [batch, ...outputSize, channels]. */
export function adaptiveAveragePooling1d(options: AdaptivePoolingOptions): AdaptiveAveragePooling1D {
  return new AdaptiveAveragePooling1D(options);
}

/** The mean of each of `outputSize` bins, in PyTorch's division of the axes: [batch, height, width, channels] -> [batch, ...outputSize, channels]. */
export function adaptiveAveragePooling2d(options: AdaptivePoolingOptions): AdaptiveAveragePooling2D {
  return new AdaptiveAveragePooling2D(options);
}

/** The mean of each of `outputSize` bins, in PyTorch's division of the axes: [batch, depth, height, width, channels] -> [batch, ...outputSize, channels]. */
export function adaptiveAveragePooling3d(options: AdaptivePoolingOptions): AdaptiveAveragePooling3D {
  return new AdaptiveAveragePooling3D(options);
}
