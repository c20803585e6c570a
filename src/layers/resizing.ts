// Layers that change the size of images: UpSampling by whole factors, Resizing to given sizes.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { perAxis } from "../ops/windows.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import { SPATIAL_OPTIONS, SpatialLayer, type SpatialOptions } from "./spatial.ts";

/** Every element of spatial axis i size[i] times. Images of floats go through memory once, by resizing. */
function repeatAxes(x: Value, size: readonly number[]): Value {
  if (size.length === 2 && x.dtype === "float32" && !x.shape.includes(0)) {
    const to = [x.shape[1]! * size[0]!, x.shape[2]! * size[1]!] as const;
    return ops.resize(x, to, { interpolation: "nearest" });
  }
  return size.reduce((y, n, i) => ops.repeat(y, n, { axis: i + 1 }), x);
}

export interface UpSampling1DOptions extends LayerOptions {
  /** How often each step is repeated. Default 2. */
  size?: number;
}

export class UpSampling1D extends SpatialLayer {
  static readonly className = "UpSampling1D";
  readonly size: number;
  constructor(options: UpSampling1DOptions = {}) {
    const where = labelOf("upSampling1d", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "size"]);
    super(where, 1, given);
    this.size = checkInteger(where, "size", given.size ?? 2, 1);
  }
  protected override callOnImage(x: Value): Value {
    return repeatAxes(x, [this.size]);
  }
  override getConfig(): Record<string, unknown> {
    const { dataFormat: _, ...config } = super.getConfig();
    return { ...config, size: this.size };
  }
}

export interface UpSampling2DOptions extends SpatialOptions {
  /** Factors of height and width, or one for both. Default 2. */
  size?: number | readonly number[];
  /** "nearest" (default) repeats pixels; "bilinear" interpolates between their centres. */
  interpolation?: ops.Interpolation;
}

export class UpSampling2D extends SpatialLayer {
  static readonly className = "UpSampling2D";
  readonly size: readonly number[];
  readonly interpolation: ops.Interpolation;
  constructor(options: UpSampling2DOptions = {}) {
    const where = labelOf("upSampling2d", options);
    const given = checkOptions(where, options, [...SPATIAL_OPTIONS, "size", "interpolation"]);
    super(where, 2, given);
    this.size = perAxis(where, "size", given.size ?? 2, 2);
    this.interpolation = checkInterpolation(where, given.interpolation ?? "nearest");
  }
  protected override callOnImage(x: Value): Value {
    if (this.interpolation === "nearest") return repeatAxes(x, this.size);
    return ops.resize(x, [x.shape[1]! * this.size[0]!, x.shape[2]! * this.size[1]!]);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), size: this.size, interpolation: this.interpolation };
  }
}

export interface UpSampling3DOptions extends SpatialOptions {
  /** Factors of depth, height and width, or one for all. Default 2. */
  size?: number | readonly number[];
}

export class UpSampling3D extends SpatialLayer {
  static readonly className = "UpSampling3D";
  readonly size: readonly number[];
  constructor(options: UpSampling3DOptions = {}) {
    const where = labelOf("upSampling3d", options);
    const given = checkOptions(where, options, [...SPATIAL_OPTIONS, "size"]);
    super(where, 3, given);
    this.size = perAxis(where, "size", given.size ?? 2, 3);
  }
  protected override callOnImage(x: Value): Value {
    return repeatAxes(x, this.size);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), size: this.size };
  }
}

function checkInterpolation(where: string, interpolation: ops.Interpolation): ops.Interpolation {
  return checkOneOf(where, "interpolation", interpolation, ["nearest", "bilinear"]);
}

export interface ResizingOptions extends SpatialOptions {
  height: number;
  width: number;
  /** Default "bilinear". */
  interpolation?: ops.Interpolation;
  /** Cut the image to the proportions of the result first, in its middle, instead of distorting it. Default false. */
  cropToAspectRatio?: boolean;
  /** Pad the image to the proportions of the result first, evenly. Default false. */
  padToAspectRatio?: boolean;
  /** How to pad; only "constant" is there. */
  fillMode?: "constant";
  /** What to pad with. Default 0. */
  fillValue?: number;
  /** Where bilinear shrinks, weigh all pixels an output covers. Default false. */
  antialias?: boolean;
}

const RESIZING = [
  ...SPATIAL_OPTIONS,
  "height",
  "width",
  "interpolation",
  "cropToAspectRatio",
  "padToAspectRatio",
  "fillMode",
  "fillValue",
  "antialias",
] as const;

export class Resizing extends SpatialLayer {
  static readonly className = "Resizing";
  readonly height: number;
  readonly width: number;
  readonly interpolation: ops.Interpolation;
  readonly cropToAspectRatio: boolean;
  readonly padToAspectRatio: boolean;
  readonly fillValue: number;
  readonly antialias: boolean;

  constructor(options: ResizingOptions) {
    const where = labelOf("resizing", options);
    const given = checkOptions(where, options, RESIZING);
    super(where, 2, given);
    this.height = checkInteger(where, "height", given.height, 1);
    this.width = checkInteger(where, "width", given.width, 1);
    this.interpolation = checkInterpolation(where, given.interpolation ?? "bilinear");
    this.cropToAspectRatio = checkBoolean(where, "cropToAspectRatio", given.cropToAspectRatio ?? false);
    this.padToAspectRatio = checkBoolean(where, "padToAspectRatio", given.padToAspectRatio ?? false);
    checkOneOf(where, "fillMode", given.fillMode ?? "constant", ["constant"]);
    this.fillValue = checkNumber(where, "fillValue", given.fillValue ?? 0);
    this.antialias = checkBoolean(where, "antialias", given.antialias ?? false);
    if (this.cropToAspectRatio && this.padToAspectRatio) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected at most one of cropToAspectRatio and padToAspectRatio, got both`,
      );
    }
  }

  protected override callOnImage(x: Value): Value {
    const { interpolation, antialias } = this;
    const image = ops.cast(x, "float32");
    const shaped = this.cropToAspectRatio
      ? this.crop(image)
      : this.padToAspectRatio
        ? this.pad(image)
        : image;
    return ops.resize(shaped, [this.height, this.width], { interpolation, antialias });
  }

  /** Height and width that the other side of the image would have in the proportions of the result. */
  private proportions(x: Value): readonly [height: number, width: number] {
    const [, height, width] = x.shape as [number, number, number];
    return [Math.trunc((width * this.height) / this.width), Math.trunc((height * this.width) / this.height)];
  }

  private crop(x: Value): Value {
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const [h, w] = this.proportions(x).map((d, i) => Math.max(1, Math.min(d, [height, width][i]!))) as [
      number,
      number,
    ];
    const [top, left] = [Math.trunc((height - h) / 2), Math.trunc((width - w) / 2)];
    return ops.slice(x, [0, top, left, 0], [batch, h, w, channels]);
  }

  /** The same on both sides, so one pixel less than the proportions ask for where that is odd: as Keras does it. */
  private pad(x: Value): Value {
    const [h, w] = this.proportions(x).map((d, i) => Math.trunc(Math.max(0, d - x.shape[i + 1]!) / 2)) as [
      number,
      number,
    ];
    return ops.pad(
      x,
      [
        [0, 0],
        [h, h],
        [w, w],
        [0, 0],
      ],
      { value: this.fillValue },
    );
  }

  override getConfig(): Record<string, unknown> {
    const { height, width, interpolation, cropToAspectRatio, padToAspectRatio, fillValue, antialias } = this;
    return {
      ...super.getConfig(),
      height,
      width,
      interpolation,
      cropToAspectRatio,
      padToAspectRatio,
      fillMode: "constant",
      fillValue,
      antialias,
    };
  }
}

/** Each step several times: [batch, steps, channels] -> [batch, steps * size, channels]. */
export function upSampling1d(options?: UpSampling1DOptions): UpSampling1D {
  return new UpSampling1D(options);
}
/** Images enlarged by whole factors: [batch, height, width, channels]. */
export function upSampling2d(options?: UpSampling2DOptions): UpSampling2D {
  return new UpSampling2D(options);
}
/** Volumes enlarged by whole factors, by repetition: [batch, depth, height, width, channels]. */
export function upSampling3d(options?: UpSampling3DOptions): UpSampling3D {
  return new UpSampling3D(options);
}
/**
 * Images in a given size, float32: [batch, .., .., channels] -> [batch, height, width, channels].
 * @example layers.resizing({ height: 28, width: 28 })
 */
export function resizing(options: ResizingOptions): Resizing {
  return new Resizing(options);
}
