// Layers that add margins to images or cut them off: ZeroPadding and Cropping.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import { SPATIAL_OPTIONS, SpatialLayer, type SpatialOptions, type SpatialRank } from "./spatial.ts";

type Pair = readonly [before: number, after: number];

/** Of one axis: the same on both sides, or [before, after]. */
export type Margin = number | Pair;

const isSize = (x: unknown): x is number => Number.isInteger(x) && (x as number) >= 0;

function isPair(x: unknown): x is Pair {
  return Array.isArray(x) && x.length === 2 && x.every(isSize);
}

/** One pair for each axis: from one number for all, or from a number or pair for each. */
function toPairs(where: string, name: string, value: unknown, rank: SpatialRank): readonly Pair[] {
  const list =
    rank === 1
      ? [value]
      : isSize(value)
        ? Array<number>(rank).fill(value)
        : Array.isArray(value)
          ? value
          : [];
  if (list.length !== rank || !list.every((m) => isSize(m) || isPair(m))) {
    const each = "an integer of at least 0 or [before, after]";
    const expected = rank === 1 ? each : `an integer of at least 0, or ${rank} times ${each}`;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be ${expected}, got ${describe(value)}`,
    );
  }
  return list.map((m) => (isSize(m) ? [m, m] : m));
}

/** How the option looks in configurations: without the outer list for one axis. */
const toOption = (pairs: readonly Pair[]) => (pairs.length === 1 ? pairs[0]! : pairs);

export interface ZeroPadding1DOptions extends SpatialOptions {
  /** Default 1. */
  padding?: Margin;
}
export interface ZeroPadding2DOptions extends SpatialOptions {
  /** One number for all sides, or one margin for each axis. Default 1. */
  padding?: number | readonly [Margin, Margin];
}
export interface ZeroPadding3DOptions extends SpatialOptions {
  /** One number for all sides, or one margin for each axis. Default 1. */
  padding?: number | readonly [Margin, Margin, Margin];
}

abstract class ZeroPadding extends SpatialLayer {
  readonly padding: readonly Pair[];

  constructor(factory: string, rank: SpatialRank, options: SpatialOptions & { padding?: unknown } = {}) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [...SPATIAL_OPTIONS, "padding"]);
    super(where, rank, given);
    this.padding = toPairs(where, "padding", given.padding ?? 1, rank);
  }
  protected override callOnImage(x: Value): Value {
    return ops.pad(x, [[0, 0], ...this.padding, [0, 0]]);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), padding: toOption(this.padding) };
  }
}

export interface Cropping1DOptions extends LayerOptions {
  /** Default [1, 1]. */
  cropping?: Margin;
}
export interface Cropping2DOptions extends SpatialOptions {
  /** One number for all sides, or one margin for each axis. Default 0. */
  cropping?: number | readonly [Margin, Margin];
}
export interface Cropping3DOptions extends SpatialOptions {
  /** One number for all sides, or one margin for each axis. Default 1. */
  cropping?: number | readonly [Margin, Margin, Margin];
}

abstract class Cropping extends SpatialLayer {
  readonly cropping: readonly Pair[];

  constructor(factory: string, rank: SpatialRank, options: SpatialOptions & { cropping?: unknown } = {}) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [
      ...(rank === 1 ? LAYER_OPTIONS : SPATIAL_OPTIONS),
      "cropping",
    ]);
    super(where, rank, given);
    this.cropping = toPairs(where, "cropping", given.cropping ?? (rank === 2 ? 0 : 1), rank);
  }
  protected override callOnImage(x: Value): Value {
    if (this.cropping.some(([before, after], i) => before + after >= x.shape[i + 1]!)) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected spatial sizes above cropping ${JSON.stringify(toOption(this.cropping))}, got an input ${formatShape(x.shape)}`,
      );
    }
    const begin = x.shape.map((_, i) => this.cropping[i - 1]?.[0] ?? 0);
    const size = x.shape.map((d, i) => d - begin[i]! - (this.cropping[i - 1]?.[1] ?? 0));
    return ops.slice(x, begin, size);
  }
  override getConfig(): Record<string, unknown> {
    const { dataFormat, ...config } = super.getConfig();
    // As in Keras, the layer over one axis has no dataFormat.
    return {
      ...config,
      ...(this.spatialRank === 1 ? {} : { dataFormat }),
      cropping: toOption(this.cropping),
    };
  }
}

export class ZeroPadding1D extends ZeroPadding {
  static readonly className = "ZeroPadding1D";
  constructor(options?: ZeroPadding1DOptions) {
    super("zeroPadding1d", 1, options);
  }
}

export class ZeroPadding2D extends ZeroPadding {
  static readonly className = "ZeroPadding2D";
  constructor(options?: ZeroPadding2DOptions) {
    super("zeroPadding2d", 2, options);
  }
}

export class ZeroPadding3D extends ZeroPadding {
  static readonly className = "ZeroPadding3D";
  constructor(options?: ZeroPadding3DOptions) {
    super("zeroPadding3d", 3, options);
  }
}

export class Cropping1D extends Cropping {
  static readonly className = "Cropping1D";
  constructor(options?: Cropping1DOptions) {
    super("cropping1d", 1, options);
  }
}

export class Cropping2D extends Cropping {
  static readonly className = "Cropping2D";
  constructor(options?: Cropping2DOptions) {
    super("cropping2d", 2, options);
  }
}

export class Cropping3D extends Cropping {
  static readonly className = "Cropping3D";
  constructor(options?: Cropping3DOptions) {
    super("cropping3d", 3, options);
  }
}

/** Zeros around sequences: [batch, steps, channels]. */
export function zeroPadding1d(options?: ZeroPadding1DOptions): ZeroPadding1D {
  return new ZeroPadding1D(options);
}

/** Zeros around images: [batch, height, width, channels]. */
export function zeroPadding2d(options?: ZeroPadding2DOptions): ZeroPadding2D {
  return new ZeroPadding2D(options);
}

/** Zeros around volumes: [batch, depth, height, width, channels]. */
export function zeroPadding3d(options?: ZeroPadding3DOptions): ZeroPadding3D {
  return new ZeroPadding3D(options);
}

/** Sequences without their margins: [batch, steps, channels]. */
export function cropping1d(options?: Cropping1DOptions): Cropping1D {
  return new Cropping1D(options);
}

/** Images without their margins: [batch, height, width, channels]. */
export function cropping2d(options?: Cropping2DOptions): Cropping2D {
  return new Cropping2D(options);
}

/** Volumes without their margins: [batch, depth, height, width, channels]. */
export function cropping3d(options?: Cropping3DOptions): Cropping3D {
  return new Cropping3D(options);
}
