// Layers that move images: flipped, shifted, turned, scaled, sheared, cut out.

import { checkInteger, checkOneOf, checkOptions } from "../../core/options.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { type CallContext, LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import type { NoiseOptions } from "../noise.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { checkFactor, type Draw, type Factor, NOISE_OPTIONS, RandomImage } from "./random-image.ts";
import { affine, readWarp, WARP_OPTIONS, type Warp, type WarpOptions } from "./warp.ts";

export interface RandomFlipOptions extends NoiseOptions {
  /** Default "horizontalAndVertical". */
  mode?: "horizontal" | "vertical" | "horizontalAndVertical";
}

export class RandomFlip extends RandomImage<Value> {
  static readonly className = "RandomFlip";
  readonly mode: "horizontal" | "vertical" | "horizontalAndVertical";

  constructor(options: RandomFlipOptions = {}) {
    const where = labelOf("randomFlip", options);
    const o = checkOptions(where, options, [...NOISE_OPTIONS, "mode"]);
    super("randomFlip", o);
    const modes = ["horizontal", "vertical", "horizontalAndVertical"] as const;
    this.mode = checkOneOf(where, "mode", o.mode ?? "horizontalAndVertical", modes);
  }

  protected override draw({ batch, seed }: Draw): Value {
    return ops.random.bernoulli([batch, 1, 1, 1], { seed });
  }

  override transform(images: Value, flips: Value): Value {
    const flipped = (x: Value, axis: number) => ops.where(flips, ops.reverse(x, { axis }), x);
    const across = this.mode === "vertical" ? images : flipped(images, 2);
    return this.mode === "horizontal" ? across : flipped(across, 1);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), mode: this.mode };
  }
}

/** Half the images mirrored: left and right, top and bottom, or both at once. */
export function randomFlip(options: RandomFlipOptions = {}): RandomFlip {
  return new RandomFlip(options);
}

/** A layer whose images are seen through an affine map. */
abstract class Warped<T> extends RandomImage<T> {
  protected readonly warp: Warp;

  constructor(factory: string, options: NoiseOptions & WarpOptions) {
    super(factory, options);
    this.warp = readWarp(this.where, options);
  }

  /** Where pixels come from: [a0, a1, a2, b0, b1, b2], each a number or [batch, 1]. */
  protected abstract matrix(drawn: T, height: number, width: number): readonly (Value | number)[];

  override transform(images: Value, drawn: T): Value {
    const [, height, width] = images.shape as [number, number, number];
    const entries = this.matrix(drawn, height, width);
    return affine(
      images,
      entries.map((e) => ops.toValue(e, "float32")),
      this.warp,
    );
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), ...this.warp };
  }
}

const flat = (x: Value): Value => ops.reshape(x, [-1, 1]);
const ANY = [-1, 1] as const;

export interface RandomTranslationOptions extends NoiseOptions, WarpOptions {
  /** Shares of the height, in [-1, 1]; positive: down. */
  heightFactor: Factor;
  /** Shares of the width; positive: right. */
  widthFactor: Factor;
}

interface Shift {
  readonly x: Value;
  readonly y: Value;
}

export class RandomTranslation extends Warped<Shift> {
  static readonly className = "RandomTranslation";
  readonly heightFactor: readonly [number, number];
  readonly widthFactor: readonly [number, number];

  constructor(options: RandomTranslationOptions) {
    const where = labelOf("randomTranslation", options);
    const known = [...NOISE_OPTIONS, ...WARP_OPTIONS, "heightFactor", "widthFactor"] as const;
    const o = checkOptions(where, options, known);
    super("randomTranslation", o);
    this.heightFactor = checkFactor(where, "heightFactor", o.heightFactor, ANY);
    this.widthFactor = checkFactor(where, "widthFactor", o.widthFactor, ANY);
  }

  protected override draw({ uniform, height, width }: Draw): Shift {
    const y = ops.multiply(flat(uniform(this.heightFactor)), height);
    return { x: ops.multiply(flat(uniform(this.widthFactor)), width), y };
  }

  protected override matrix({ x, y }: Shift): readonly (Value | number)[] {
    return [1, 0, ops.negative(x), 0, 1, ops.negative(y)];
  }

  override getConfig(): Record<string, unknown> {
    const { heightFactor, widthFactor } = this;
    return { ...super.getConfig(), heightFactor, widthFactor };
  }
}

/** Images shifted by a random share of their size. */
export function randomTranslation(options: RandomTranslationOptions): RandomTranslation {
  return new RandomTranslation(options);
}

export interface RandomRotationOptions extends NoiseOptions, WarpOptions {
  /** Shares of a full turn, in [-1, 1]. */
  factor: Factor;
}

export class RandomRotation extends Warped<Value> {
  static readonly className = "RandomRotation";
  readonly factor: readonly [number, number];

  constructor(options: RandomRotationOptions) {
    const where = labelOf("randomRotation", options);
    const o = checkOptions(where, options, [...NOISE_OPTIONS, ...WARP_OPTIONS, "factor"]);
    super("randomRotation", o);
    this.factor = checkFactor(where, "factor", o.factor, ANY);
  }

  protected override draw({ uniform }: Draw): Value {
    return ops.multiply(flat(uniform(this.factor)), 2 * Math.PI);
  }

  protected override matrix(angle: Value, height: number, width: number): readonly Value[] {
    const [cos, sin] = [ops.cos(angle), ops.sin(angle)];
    const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
    const x = ops.subtract(cx, ops.subtract(ops.multiply(cos, cx), ops.multiply(sin, cy)));
    const y = ops.subtract(cy, ops.add(ops.multiply(sin, cx), ops.multiply(cos, cy)));
    return [cos, ops.negative(sin), x, sin, cos, y];
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), factor: this.factor };
  }
}

/** Images turned about their middle. */
export function randomRotation(options: RandomRotationOptions): RandomRotation {
  return new RandomRotation(options);
}

export interface RandomZoomOptions extends NoiseOptions, WarpOptions {
  /** Shares in [-1, 1]: above 0 zooms out, below 0 in. */
  heightFactor: Factor;
  /** Default: what is drawn for the height. */
  widthFactor?: Factor | null;
}

export class RandomZoom extends Warped<Shift> {
  static readonly className = "RandomZoom";
  readonly heightFactor: readonly [number, number];
  readonly widthFactor: readonly [number, number] | null;

  constructor(options: RandomZoomOptions) {
    const where = labelOf("randomZoom", options);
    const known = [...NOISE_OPTIONS, ...WARP_OPTIONS, "heightFactor", "widthFactor"] as const;
    const o = checkOptions(where, options, known);
    super("randomZoom", o);
    this.heightFactor = checkFactor(where, "heightFactor", o.heightFactor, ANY);
    this.widthFactor = o.widthFactor == null ? null : checkFactor(where, "widthFactor", o.widthFactor, ANY);
  }

  protected override draw({ uniform }: Draw): Shift {
    const zoom = ([low, high]: readonly [number, number]) => flat(uniform([1 + low, 1 + high]));
    const y = zoom(this.heightFactor);
    return { x: this.widthFactor ? zoom(this.widthFactor) : y, y };
  }

  protected override matrix({ x, y }: Shift, height: number, width: number): readonly (Value | number)[] {
    const from = (zoom: Value, size: number) => ops.multiply(ops.subtract(1, zoom), (size - 1) / 2);
    return [x, 0, from(x, width), 0, y, from(y, height)];
  }

  override getConfig(): Record<string, unknown> {
    const { heightFactor, widthFactor } = this;
    return { ...super.getConfig(), heightFactor, widthFactor };
  }
}

/** Images seen from nearer or farther. */
export function randomZoom(options: RandomZoomOptions): RandomZoom {
  return new RandomZoom(options);
}

export interface RandomShearOptions extends NoiseOptions, WarpOptions {
  /** Shares in [-1, 1]: how much x moves with y. Default 0. */
  xFactor?: Factor;
  /** How much y moves with x. Default 0. */
  yFactor?: Factor;
}

export class RandomShear extends Warped<Shift> {
  static readonly className = "RandomShear";
  readonly xFactor: readonly [number, number];
  readonly yFactor: readonly [number, number];

  constructor(options: RandomShearOptions = {}) {
    const where = labelOf("randomShear", options);
    const o = checkOptions(where, options, [...NOISE_OPTIONS, ...WARP_OPTIONS, "xFactor", "yFactor"]);
    super("randomShear", o);
    this.xFactor = checkFactor(where, "xFactor", o.xFactor ?? 0, ANY);
    this.yFactor = checkFactor(where, "yFactor", o.yFactor ?? 0, ANY);
  }

  protected override draw({ uniform, batch, seed }: Draw): Shift {
    const sign = ops.where(ops.random.bernoulli([batch, 1], { seed }), 1, -1);
    const part = (range: readonly [number, number]) => ops.multiply(flat(uniform(range)), sign);
    return { y: part(this.yFactor), x: part(this.xFactor) };
  }

  protected override matrix({ x, y }: Shift): readonly (Value | number)[] {
    return [1, x, 0, y, 1, 0];
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), xFactor: this.xFactor, yFactor: this.yFactor };
  }
}

/** Images pulled aslant. */
export function randomShear(options: RandomShearOptions = {}): RandomShear {
  return new RandomShear(options);
}

export interface CropOptions extends LayerOptions {
  height: number;
  width: number;
}

const CROP_OPTIONS = [...LAYER_OPTIONS, "height", "width"] as const;

/** The largest part of these proportions in the middle, resized. */
function fitted(x: Value, height: number, width: number): Value {
  const [, fullHeight, fullWidth] = x.shape as [number, number, number];
  const cropHeight = Math.max(1, Math.min(fullHeight, Math.floor((fullWidth * height) / width)));
  const cropWidth = Math.max(1, Math.min(fullWidth, Math.floor((fullHeight * width) / height)));
  const top = Math.floor((fullHeight - cropHeight) / 2);
  const left = Math.floor((fullWidth - cropWidth) / 2);
  const part = ops.sliceAxis(ops.sliceAxis(x, 1, top, top + cropHeight), 2, left, left + cropWidth);
  return ops.resize(part, [height, width], { interpolation: "bilinear" });
}

export class CenterCrop extends UnaryLayer {
  static readonly className = "CenterCrop";
  readonly height: number;
  readonly width: number;

  constructor(options: CropOptions) {
    const where = labelOf("centerCrop", options);
    const o = checkOptions(where, options, CROP_OPTIONS);
    super(o);
    this.height = checkInteger(where, "height", o.height, 1);
    this.width = checkInteger(where, "width", o.width, 1);
  }

  override call(images: Value): Value {
    this.checkRank(images.shape, 4, 4);
    const x = ops.cast(images, "float32");
    const { height, width } = this;
    const [top, left] = [Math.floor((x.shape[1]! - height) / 2), Math.floor((x.shape[2]! - width) / 2)];
    if (top < 0 || left < 0) return fitted(x, height, width);
    return ops.sliceAxis(ops.sliceAxis(x, 1, top, top + height), 2, left, left + width);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), height: this.height, width: this.width };
  }
}

/** The middle of images; of smaller ones the largest part of these proportions, resized. Training or not. */
export function centerCrop(options: CropOptions): CenterCrop {
  return new CenterCrop(options);
}

export interface RandomCropOptions extends CropOptions, NoiseOptions {}

export class RandomCrop extends RandomImage<{ top: Value; left: Value } | undefined> {
  static readonly className = "RandomCrop";
  readonly height: number;
  readonly width: number;

  constructor(options: RandomCropOptions) {
    const where = labelOf("randomCrop", options);
    const o = checkOptions(where, options, [...NOISE_OPTIONS, "height", "width"]);
    super("randomCrop", o);
    this.height = checkInteger(where, "height", o.height, 1);
    this.width = checkInteger(where, "width", o.width, 1);
  }

  override call(x: Value, context: CallContext): Value {
    const images = ops.cast(x, "float32");
    this.checkImages(images);
    return context.training
      ? this.disturb(images, this.seedGenerator)
      : fitted(images, this.height, this.width);
  }

  protected override draw({ height, width, seed }: Draw) {
    if (height <= this.height || width <= this.width) return undefined;
    const place = (room: number) => {
      const drawn = ops.random.uniform([], { min: 0, max: room + 1, seed });
      return ops.minimum(ops.cast(ops.floor(drawn), "int32"), room);
    };
    return { top: place(height - this.height), left: place(width - this.width) };
  }

  override transform(images: Value, drawn: { top: Value; left: Value } | undefined): Value {
    if (!drawn) return fitted(images, this.height, this.width);
    const rows = ops.add(ops.arange(this.height), drawn.top);
    const columns = ops.add(ops.arange(this.width), drawn.left);
    return ops.gather(ops.gather(images, rows, { axis: 1 }), columns, { axis: 2 });
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), height: this.height, width: this.width };
  }
}

/**
 * A random part of the images in training, the same place for a batch; otherwise the largest part of these proportions in
 * the middle, resized, as Keras documents it (Keras 3.15 returns the whole images).
 */
export function randomCrop(options: RandomCropOptions): RandomCrop {
  return new RandomCrop(options);
}
