// The base of layers that change images in training only, each image by chance of its own: what is drawn, and what is
// done with it, apart, so that the second can be judged without the first. Images are [batch, height, width, channels].

import { describe, MyelinError } from "../../core/errors.ts";
import { checkNumber } from "../../core/options.ts";
import { formatShape } from "../../core/shape.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { LAYER_OPTIONS } from "../layer.ts";
import { Noise, type NoiseOptions } from "../noise.ts";
import { labelOf } from "../options.ts";

/** A number f, meaning a range about zero (or from the least allowed to f), or the two ends of a range. */
export type Factor = number | readonly [number, number];

/** The ends of a range of values, such as [0, 255] or [0, 1]. */
export type ValueRange = readonly [number, number];

export interface ValueOptions extends NoiseOptions {
  /** Values of black and white. Default [0, 255]. */
  valueRange?: ValueRange;
}

export const NOISE_OPTIONS = [...LAYER_OPTIONS, "seed"] as const;
export const VALUE_OPTIONS = [...NOISE_OPTIONS, "valueRange"] as const;

/** What one batch of images draws from. */
export interface Draw {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Uniform numbers in [low, high), [batch, 1, 1, 1]. */
  uniform(range: readonly [number, number]): Value;
  readonly seed: ops.SeedGenerator | undefined;
}

export abstract class RandomImage<T> extends Noise {
  protected readonly where: string;

  constructor(factory: string, options: NoiseOptions) {
    const where = labelOf(factory, options);
    super(where, options);
    this.where = where;
  }

  /** What is left to chance, for a batch. */
  protected abstract draw(chance: Draw): T;

  /** The images, changed by what was drawn. */
  abstract transform(images: Value, drawn: T): Value;

  /** What a training step makes of the images. */
  augment(images: Value, seed: ops.SeedGenerator | undefined): Value {
    return this.transform(images, this.draw(this.chance(images, seed)));
  }

  protected override disturb(images: Value, seed: ops.SeedGenerator | undefined): Value {
    return this.augment(images, seed);
  }

  protected chance(images: Value, seed: ops.SeedGenerator | undefined): Draw {
    const [batch, height, width, channels] = this.checkImages(images).shape as [
      number,
      number,
      number,
      number,
    ];
    const uniform = ([low, high]: readonly [number, number]) =>
      low === high
        ? ops.full([batch, 1, 1, 1], low)
        : ops.random.uniform([batch, 1, 1, 1], { min: low, max: high, seed });
    return { batch, height, width, channels, uniform, seed };
  }

  protected checkImages(images: Value): Value {
    if (images.rank === 4) return images;
    throw this.error(
      "SHAPE_MISMATCH",
      `expected images [batch, height, width, channels], got ${formatShape(images.shape)}`,
    );
  }
}

/** A range as Keras reads it: f alone means [max(-f, least), f]. */
export function checkFactor(
  where: string,
  name: string,
  factor: unknown,
  [least, most]: readonly [number, number],
): [number, number] {
  const wrong = () =>
    new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be a number, or two, from ${least} to ${most}, got ${describe(factor)}`,
    );
  const isInside = (x: unknown) => typeof x === "number" && x >= least && x <= most;
  if (isInside(factor)) {
    const size = Math.abs(factor as number);
    return [Math.max(-size, least), size];
  }
  if (!Array.isArray(factor) || factor.length !== 2 || !factor.every(isInside)) throw wrong();
  return [Math.min(factor[0], factor[1]), Math.max(factor[0], factor[1])];
}

export function checkValueRange(where: string, range: unknown): ValueRange {
  if (range === undefined) return [0, 255];
  if (Array.isArray(range) && range.length === 2 && range[0] < range[1]) {
    for (const end of range) checkNumber(where, "valueRange", end);
    return range as unknown as ValueRange;
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected valueRange to be two numbers, the smaller first, got ${describe(range)}`,
  );
}

/** Values of one range in another. */
export function rescale(x: Value, [low, high]: ValueRange, [toLow, toHigh]: ValueRange): Value {
  if (low === toLow && high === toHigh) return x;
  const scale = (toHigh - toLow) / (high - low);
  return ops.add(ops.multiply(x, scale), toLow - low * scale);
}
