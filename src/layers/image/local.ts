// Layers that work on parts of images: erased, sharpened, blurred.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkInteger, checkOptions } from "../../core/options.ts";
import { tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { labelOf } from "../options.ts";
import { box } from "./box.ts";
import { bell, filtered } from "./filter.ts";
import {
  checkFactor,
  checkValueRange,
  type Draw,
  type Factor,
  RandomImage,
  VALUE_OPTIONS,
  type ValueOptions,
  type ValueRange,
} from "./random-image.ts";

export interface RandomErasingOptions extends ValueOptions {
  /** Chance of each image, or a range it is drawn from. Default 1. */
  factor?: Factor;
  /** Share of the image that is erased. Default [0.02, 0.33]. */
  scale?: Factor;
  /** What is put there: a number, or one for each channel. Default: noise. */
  fillValue?: number | readonly number[] | null;
}

interface Erased {
  readonly isErased: Value;
  readonly inside: Value;
  readonly fill: Value;
}

export class RandomErasing extends RandomImage<Erased> {
  static readonly className = "RandomErasing";
  readonly factor: readonly [number, number];
  readonly scale: readonly [number, number];
  readonly fillValue: number | readonly number[] | null;
  readonly valueRange: ValueRange;

  constructor(options: RandomErasingOptions = {}) {
    const where = labelOf("randomErasing", options);
    const o = checkOptions(where, options, [...VALUE_OPTIONS, "factor", "scale", "fillValue"]);
    super("randomErasing", o);
    this.factor = checkFactor(where, "factor", o.factor ?? 1, [0, 1]);
    this.scale = checkFactor(where, "scale", o.scale ?? [0.02, 0.33], [0, 1]);
    this.valueRange = checkValueRange(where, o.valueRange);
    const fill = o.fillValue ?? null;
    const numbers = Array.isArray(fill) ? fill : fill === null ? [] : [fill];
    if (!numbers.every((x) => typeof x === "number" && Number.isFinite(x))) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected fillValue to be a number or one for each channel, got ${describe(fill)}`,
      );
    }
    this.fillValue = fill;
  }

  protected override draw(chance: Draw): Erased {
    const { batch, height, width, channels, uniform, seed } = chance;
    const side = () => ops.sqrt(uniform(this.scale));
    const inside = box(chance, side(), side()).inside;
    const [low, high] = this.valueRange;
    const fill =
      this.fillValue === null
        ? ops.multiply(ops.random.normal([batch, height, width, channels], { seed }), high)
        : ops.constant(tensor(Float32Array.from([this.fillValue].flat() as number[])));
    const isErased = ops.less(uniform([0, 1]), uniform(this.factor));
    return { isErased, inside, fill: ops.clip(fill, low, high) };
  }

  override transform(images: Value, { isErased, inside, fill }: Erased): Value {
    return ops.where(ops.logicalAnd(isErased, inside), fill, images);
  }

  override getConfig(): Record<string, unknown> {
    const { factor, scale, fillValue, valueRange } = this;
    return { ...super.getConfig(), factor, scale, fillValue, valueRange };
  }
}

/** Puts noise, or a colour, over a random box (Zhong et al., "Random Erasing Data Augmentation", AAAI 2020). */
export function randomErasing(options: RandomErasingOptions = {}): RandomErasing {
  return new RandomErasing(options);
}

export interface RandomSharpnessOptions extends ValueOptions {
  /** In [0, 1]: 0 for soft, 0.5 for no change, 1 for sharp; a number or a range. */
  factor: Factor;
}

export class RandomSharpness extends RandomImage<Value> {
  static readonly className = "RandomSharpness";
  readonly factor: readonly [number, number];
  readonly valueRange: ValueRange;

  constructor(options: RandomSharpnessOptions) {
    const where = labelOf("randomSharpness", options);
    const o = checkOptions(where, options, [...VALUE_OPTIONS, "factor"]);
    super("randomSharpness", o);
    this.factor = checkFactor(where, "factor", o.factor, [0, 1]);
    this.valueRange = checkValueRange(where, o.valueRange);
  }

  protected override draw({ uniform }: Draw): Value {
    return uniform(this.factor);
  }

  override transform(images: Value, factor: Value): Value {
    const soft = Float32Array.from({ length: 9 }, (_, i) => (i === 4 ? 5 : 1) / 13);
    const smooth = filtered(images, ops.constant(tensor(soft, [3, 3])));
    const share = ops.subtract(1, ops.multiply(factor, 2));
    const mixed = ops.add(images, ops.multiply(share, ops.subtract(smooth, images)));
    return ops.clip(mixed, this.valueRange[0], this.valueRange[1]);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), factor: this.factor, valueRange: this.valueRange };
  }
}

/** Softer or sharper edges. */
export function randomSharpness(options: RandomSharpnessOptions): RandomSharpness {
  return new RandomSharpness(options);
}

export interface RandomGaussianBlurOptions extends ValueOptions {
  /** Chance of each image, or a range it is drawn from. Default 1. */
  factor?: Factor;
  /** Odd sizes of the kernel. Default 3. */
  kernelSize?: number | readonly [number, number];
  /** Standard deviation of the kernel: up to this, or a range. Default 1. */
  sigma?: Factor;
}

interface Blur {
  readonly isBlurred: Value;
  /** Of both axes, scalars. */
  readonly sigma: readonly [Value, Value];
}

export class RandomGaussianBlur extends RandomImage<Blur> {
  static readonly className = "RandomGaussianBlur";
  readonly factor: readonly [number, number];
  readonly kernelSize: readonly [number, number];
  readonly sigma: readonly [number, number];
  readonly valueRange: ValueRange;

  constructor(options: RandomGaussianBlurOptions = {}) {
    const where = labelOf("randomGaussianBlur", options);
    const o = checkOptions(where, options, [...VALUE_OPTIONS, "factor", "kernelSize", "sigma"]);
    super("randomGaussianBlur", o);
    this.factor = checkFactor(where, "factor", o.factor ?? 1, [0, 1]);
    this.sigma = checkFactor(where, "sigma", o.sigma ?? 1, [0, 1]);
    this.valueRange = checkValueRange(where, o.valueRange);
    const size = o.kernelSize ?? 3;
    const sizes = Array.isArray(size) ? size : [size, size];
    for (const s of sizes) checkInteger(where, "kernelSize", s, 1);
    if (sizes.length !== 2 || sizes.some((s) => s % 2 === 0)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected kernelSize to be odd, one or two numbers, got ${describe(size)}`,
      );
    }
    this.kernelSize = [sizes[0], sizes[1]];
  }

  protected override draw({ uniform, seed }: Draw): Blur {
    const [min, max] = this.sigma;
    const sigma = () =>
      ops.add(min === max ? ops.full([], min) : ops.random.uniform([], { min, max, seed }), 1e-6);
    return { isBlurred: ops.less(uniform([0, 1]), uniform(this.factor)), sigma: [sigma(), sigma()] };
  }

  override transform(images: Value, { isBlurred, sigma }: Blur): Value {
    const kernel = ops.outer(bell(this.kernelSize[0], sigma[0]), bell(this.kernelSize[1], sigma[1]));
    const mixed = ops.where(isBlurred, filtered(images, kernel), images);
    return ops.clip(mixed, this.valueRange[0], this.valueRange[1]);
  }

  override getConfig(): Record<string, unknown> {
    const { factor, kernelSize, sigma, valueRange } = this;
    return { ...super.getConfig(), factor, kernelSize, sigma, valueRange };
  }
}

/** Some images out of focus. */
export function randomGaussianBlur(options: RandomGaussianBlurOptions = {}): RandomGaussianBlur {
  return new RandomGaussianBlur(options);
}
