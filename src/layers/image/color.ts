// Layers that change the colours of images.

import { checkNumber, checkOptions } from "../../core/options.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import type { NoiseOptions } from "../noise.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { grayscale, hsvToRgb, rgbToHsv } from "./color-space.ts";
import {
  checkFactor,
  checkValueRange,
  type Draw,
  type Factor,
  NOISE_OPTIONS,
  RandomImage,
  rescale,
  VALUE_OPTIONS,
  type ValueOptions,
  type ValueRange,
} from "./random-image.ts";

export interface FactorOptions extends ValueOptions {
  /** How much, a number or a range. */
  factor: Factor;
}

/** A layer with one factor drawn for each image, [batch, 1, 1, 1]. */
abstract class Colored extends RandomImage<Value> {
  readonly factor: readonly [number, number];
  readonly valueRange: ValueRange;

  constructor(factory: string, options: FactorOptions, bounds: readonly [number, number]) {
    const where = labelOf(factory, options);
    const o = checkOptions(where, options, [...VALUE_OPTIONS, "factor"]);
    super(factory, o);
    this.factor = checkFactor(where, "factor", o.factor, bounds);
    this.valueRange = checkValueRange(where, o.valueRange);
  }

  protected override draw({ uniform }: Draw): Value {
    return uniform(this.factor);
  }

  /** Kept in the range of values. */
  protected clipped(x: Value): Value {
    return ops.clip(x, this.valueRange[0], this.valueRange[1]);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), factor: this.factor, valueRange: this.valueRange };
  }
}

export class RandomBrightness extends Colored {
  static readonly className = "RandomBrightness";
  constructor(options: FactorOptions) {
    super("randomBrightness", options, [-1, 1]);
  }

  override transform(images: Value, factor: Value): Value {
    const [low, high] = this.valueRange;
    return this.clipped(ops.add(images, ops.multiply(factor, high - low)));
  }
}

/** Adds a share, in [-1, 1], of the range of values. */
export function randomBrightness(options: FactorOptions): RandomBrightness {
  return new RandomBrightness(options);
}

export class RandomContrast extends Colored {
  static readonly className = "RandomContrast";
  constructor(options: FactorOptions) {
    super("randomContrast", options, [0, 1]);
  }

  protected override draw({ uniform }: Draw): Value {
    return uniform([1 - this.factor[0], 1 + this.factor[1]]);
  }

  override transform(images: Value, factor: Value): Value {
    const mean = ops.mean(images, { axis: [1, 2], keepDims: true });
    return this.clipped(ops.add(ops.multiply(ops.subtract(images, mean), factor), mean));
  }
}

/** Stretches values about the mean of each channel by 1 - factor[0] to 1 + factor[1]; a number f means [0, f]. */
export function randomContrast(options: FactorOptions): RandomContrast {
  return new RandomContrast(options);
}

export class RandomHue extends Colored {
  static readonly className = "RandomHue";
  constructor(options: FactorOptions) {
    super("randomHue", options, [0, 1]);
  }

  protected override draw({ uniform, batch, seed }: Draw): Value {
    const sign = ops.where(ops.random.bernoulli([batch, 1, 1, 1], { seed }), 0.5, -0.5);
    return ops.multiply(uniform(this.factor), sign);
  }

  override transform(images: Value, shift: Value): Value {
    const [h, s, v] = rgbToHsv(this.checkImages(rescale(images, this.valueRange, [0, 1])));
    const moved = ops.add(h, shift);
    const below = ops.where(ops.greater(moved, 1), ops.subtract(moved, 1), moved);
    const around = ops.where(ops.less(below, 0), ops.add(below, 1), below);
    return rescale(ops.clip(hsvToRgb(around, s, v), 0, 1), [0, 1], this.valueRange);
  }
}

/** Turns the wheel of colours by up to half a factor, in [0, 1], either way. */
export function randomHue(options: FactorOptions): RandomHue {
  return new RandomHue(options);
}

export class RandomSaturation extends Colored {
  static readonly className = "RandomSaturation";
  constructor(options: FactorOptions) {
    super("randomSaturation", options, [0, 1]);
  }

  protected override draw({ uniform }: Draw): Value {
    const factor = uniform(this.factor);
    return ops.divide(factor, ops.subtract(1 + 1e-7, factor));
  }

  override transform(images: Value, factor: Value): Value {
    const [h, s, v] = rgbToHsv(images);
    return hsvToRgb(h, this.clipped(ops.multiply(s, factor)), v);
  }
}

/** Multiplies saturation by f / (1 - f): 0 for grey, 0.5 for no change, towards 1 for garish. */
export function randomSaturation(options: FactorOptions): RandomSaturation {
  return new RandomSaturation(options);
}

export class RandomColorDegeneration extends Colored {
  static readonly className = "RandomColorDegeneration";
  constructor(options: FactorOptions) {
    super("randomColorDegeneration", options, [0, 1]);
  }

  override transform(images: Value, factor: Value): Value {
    const grey = grayscale(images);
    return this.clipped(ops.add(images, ops.multiply(factor, ops.subtract(grey, images))));
  }
}

/** Mixes images with their grey form: 0 leaves them, 1 takes all colour away. */
export function randomColorDegeneration(options: FactorOptions): RandomColorDegeneration {
  return new RandomColorDegeneration(options);
}

export class RandomPosterization extends Colored {
  static readonly className = "RandomPosterization";
  constructor(options: FactorOptions) {
    super("randomPosterization", options, [1, 8]);
  }

  /** 2 to the power of the bits that are lost. */
  protected override draw({ uniform }: Draw): Value {
    const [low, high] = this.factor;
    const bits = low === high ? uniform([low, low]) : ops.floor(uniform([low, high]));
    return ops.power(2, ops.subtract(8, bits));
  }

  override transform(images: Value, step: Value): Value {
    const whole = ops.floor(ops.clip(rescale(images, this.valueRange, [0, 255]), 0, 255));
    const kept = ops.multiply(ops.floor(ops.divide(whole, step)), step);
    return rescale(kept, [0, 255], this.valueRange);
  }
}

/** Keeps so many bits of each value, 1 to 8 (below the second of two). */
export function randomPosterization(options: FactorOptions): RandomPosterization {
  return new RandomPosterization(options);
}

/** A layer that does one thing to some of the images: a bool [batch, 1, 1, 1] is drawn. */
abstract class Sometimes extends Colored {
  protected override draw(chance: Draw): Value {
    return ops.less(chance.uniform([0, 1]), chance.uniform(this.factor));
  }
}

export interface RandomInvertOptions extends ValueOptions {
  /** Chance of each image, or a range it is drawn from. Default 1. */
  factor?: Factor;
}

export class RandomInvert extends Sometimes {
  static readonly className = "RandomInvert";
  constructor(options: RandomInvertOptions = {}) {
    super("randomInvert", { factor: 1, ...options }, [0, 1]);
  }

  override transform(images: Value, isInverted: Value): Value {
    return ops.where(isInverted, ops.subtract(this.valueRange[1], images), images);
  }
}

/** Turns some images into their negatives. */
export function randomInvert(options: RandomInvertOptions = {}): RandomInvert {
  return new RandomInvert(options);
}

export interface RandomGrayscaleOptions extends NoiseOptions {
  /** Chance of each image, in [0, 1]. Default 0.5. */
  factor?: number;
}

export class RandomGrayscale extends RandomImage<Value> {
  static readonly className = "RandomGrayscale";
  readonly factor: number;

  constructor(options: RandomGrayscaleOptions = {}) {
    const where = labelOf("randomGrayscale", options);
    const o = checkOptions(where, options, [...NOISE_OPTIONS, "factor"]);
    super("randomGrayscale", o);
    this.factor = checkNumber(where, "factor", o.factor ?? 0.5, "in [0, 1]", (x) => x >= 0 && x <= 1);
  }

  protected override draw({ batch, seed }: Draw): Value {
    return ops.random.bernoulli([batch, 1, 1, 1], { p: this.factor, seed });
  }

  override transform(images: Value, isGrey: Value): Value {
    return ops.where(isGrey, grayscale(images), images);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), factor: this.factor };
  }
}

/** Takes the colours of some images away; they keep three channels. */
export function randomGrayscale(options: RandomGrayscaleOptions = {}): RandomGrayscale {
  return new RandomGrayscale(options);
}

export interface SolarizationOptions extends ValueOptions {
  /** What is added first, as a share of 255, in [0, 1]. Default 0. */
  additionFactor?: Factor;
  /** Values from this share of 255 on are inverted. Default 0. */
  thresholdFactor?: Factor;
}

export class Solarization extends RandomImage<{ addition: Value; threshold: Value }> {
  static readonly className = "Solarization";
  readonly additionFactor: readonly [number, number];
  readonly thresholdFactor: readonly [number, number];
  readonly valueRange: ValueRange;

  constructor(options: SolarizationOptions = {}) {
    const where = labelOf("solarization", options);
    const o = checkOptions(where, options, [...VALUE_OPTIONS, "additionFactor", "thresholdFactor"]);
    super("solarization", o);
    this.additionFactor = checkFactor(where, "additionFactor", o.additionFactor ?? 0, [0, 1]);
    this.thresholdFactor = checkFactor(where, "thresholdFactor", o.thresholdFactor ?? 0, [0, 1]);
    this.valueRange = checkValueRange(where, o.valueRange);
  }

  protected override draw({ uniform }: Draw) {
    const drawn = ([low, high]: readonly [number, number]) => uniform([low, high * 255]);
    return { addition: drawn(this.additionFactor), threshold: drawn(this.thresholdFactor) };
  }

  override transform(images: Value, { addition, threshold }: { addition: Value; threshold: Value }): Value {
    const added = ops.clip(ops.add(rescale(images, this.valueRange, [0, 255]), addition), 0, 255);
    const result = ops.where(ops.less(added, threshold), added, ops.subtract(255, added));
    return rescale(result, [0, 255], this.valueRange);
  }

  override getConfig(): Record<string, unknown> {
    const { additionFactor, thresholdFactor, valueRange } = this;
    return { ...super.getConfig(), additionFactor, thresholdFactor, valueRange };
  }
}

/** Inverts what is bright, as overexposed film does. */
export function solarization(options: SolarizationOptions = {}): Solarization {
  return new Solarization(options);
}

export interface AutoContrastOptions extends LayerOptions {
  /** Default [0, 255]. */
  valueRange?: ValueRange;
}

export class AutoContrast extends UnaryLayer {
  static readonly className = "AutoContrast";
  readonly valueRange: ValueRange;

  constructor(options: AutoContrastOptions = {}) {
    const where = labelOf("autoContrast", options);
    const o = checkOptions(where, options, [...LAYER_OPTIONS, "valueRange"]);
    super(o);
    this.valueRange = checkValueRange(where, o.valueRange);
  }

  override call(images: Value): Value {
    this.checkRank(images.shape, 4, 4);
    const x = ops.cast(images, "float32");
    const [low, high] = this.valueRange;
    const over = { axis: [1, 2], keepDims: true };
    const [least, most] = [ops.min(x, over), ops.max(x, over)];
    const size = ops.subtract(most, least);
    const share = ops.divide(ops.subtract(x, least), ops.where(ops.equal(size, 0), 1, size));
    return ops.where(ops.equal(size, 0), x, ops.add(ops.multiply(share, high - low), low));
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), valueRange: this.valueRange };
  }
}

/** Stretches every channel of every image over the whole range of values. Training or not. */
export function autoContrast(options: AutoContrastOptions = {}): AutoContrast {
  return new AutoContrast(options);
}

export interface RandomColorJitterOptions extends ValueOptions {
  /** As of `randomBrightness`. Default: none. */
  brightnessFactor?: Factor | null;
  /** As of `randomContrast`. */
  contrastFactor?: Factor | null;
  /** As of `randomSaturation`. */
  saturationFactor?: Factor | null;
  /** As of `randomHue`. */
  hueFactor?: Factor | null;
}

const JITTERS = {
  brightnessFactor: randomBrightness,
  contrastFactor: randomContrast,
  saturationFactor: randomSaturation,
  hueFactor: randomHue,
} as const;

export class RandomColorJitter extends RandomImage<undefined> {
  static readonly className = "RandomColorJitter";
  readonly parts: readonly Colored[];
  private readonly given: Record<string, unknown>;

  constructor(options: RandomColorJitterOptions = {}) {
    const where = labelOf("randomColorJitter", options);
    const names = Object.keys(JITTERS) as (keyof typeof JITTERS)[];
    const o = checkOptions(where, options, [...VALUE_OPTIONS, ...names]);
    super("randomColorJitter", o);
    const valueRange = checkValueRange(where, o.valueRange);
    const { seed } = o;
    this.parts = names.flatMap((n) => (o[n] == null ? [] : [JITTERS[n]({ factor: o[n], valueRange, seed })]));
    this.given = { valueRange, ...Object.fromEntries(names.map((n) => [n, o[n] ?? null])) };
  }

  protected override draw(): undefined {
    return undefined;
  }

  override transform(images: Value): Value {
    return this.parts.reduce((x, part) => part.apply(x), images);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), ...this.given };
  }
}

/** Brightness, contrast, saturation and hue, one after the other, each by its factor. */
export function randomColorJitter(options: RandomColorJitterOptions = {}): RandomColorJitter {
  return new RandomColorJitter(options);
}
