// Layers that disturb their input in training and pass it on unchanged otherwise: Dropout, AlphaDropout, GaussianNoise,
// GaussianDropout.

import { MyelinError } from "../core/errors.ts";
import { checkNumber, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { add, identity, multiply, random, type SeedGenerator, where } from "../ops/index.ts";
import { LAYER_OPTIONS } from "./layer.ts";
import { Noise, type NoiseOptions } from "./noise.ts";
import { labelOf } from "./options.ts";
import { type BatchShape, checkBatchShape } from "./symbolic.ts";

export interface DropoutOptions extends NoiseOptions {
  /** Share of elements set to 0, in [0, 1). */
  rate: number;
  /** Shape of the mask, with the batch axis: 1 where an axis is dropped as a whole, null where the input's size is meant. */
  noiseShape?: BatchShape | null;
}

/** A layer that leaves out a share of its input, element by element or along whole axes. */
abstract class Dropping extends Noise {
  readonly rate: number;
  readonly noiseShape: BatchShape | null;

  constructor(factory: string, options: DropoutOptions) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "seed", "rate", "noiseShape"]);
    super(where, given);
    this.rate = checkNumber(where, "rate", given.rate, "in [0, 1)", (x) => x >= 0 && x < 1);
    this.noiseShape =
      given.noiseShape == null ? null : checkBatchShape(`${where}, noiseShape`, given.noiseShape);
  }

  protected maskShape(x: Value): number[] | undefined {
    if (!this.noiseShape) return undefined;
    const shape = this.noiseShape.map((d, axis) => d ?? x.shape[axis] ?? 1);
    if (shape.length !== x.rank || shape.some((d, axis) => d !== 1 && d !== x.shape[axis])) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${this.path}: expected noiseShape ${formatShape(this.noiseShape)} to broadcast to the input ${formatShape(x.shape)}`,
      );
    }
    return shape;
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), rate: this.rate, noiseShape: this.noiseShape };
  }
}

export class Dropout extends Dropping {
  static readonly className = "Dropout";
  constructor(options: DropoutOptions) {
    super("dropout", options);
  }

  protected override disturb(x: Value, seed: SeedGenerator | undefined): Value {
    return random.dropout(x, this.rate, { noiseShape: this.maskShape(x), seed });
  }
}

/** In training sets a share of elements to 0 and scales the others up by 1 / (1 - rate); otherwise passes them on. */
export function dropout(options: DropoutOptions): Dropout {
  return new Dropout(options);
}

export type AlphaDropoutOptions = DropoutOptions;

/** Where SELU ends far to the left: minus the product of its two constants. */
const SELU_FLOOR = -1.6732632423543772 * 1.0507009873554805;

export class AlphaDropout extends Dropping {
  static readonly className = "AlphaDropout";
  constructor(options: AlphaDropoutOptions) {
    super("alphaDropout", options);
  }

  protected override disturb(x: Value, seed: SeedGenerator | undefined): Value {
    const { rate } = this;
    if (rate === 0) return identity(x);
    const kept = random.bernoulli(this.maskShape(x) ?? x.shape, { p: 1 - rate, seed });
    // The line that gives back mean 0 and variance 1 (Klambauer et al. 2017, section "New Dropout Technique").
    const slope = ((1 - rate) * (1 + rate * SELU_FLOOR ** 2)) ** -0.5;
    const shift = -slope * SELU_FLOOR * rate;
    return add(multiply(where(kept, x, SELU_FLOOR), slope), shift);
  }
}

/**
 * In training sets a share of elements to where SELU saturates, and all to a line that keeps mean and variance: dropout for
 * networks of `selu` and `lecunNormal`.
 * @example layers.alphaDropout({ rate: 0.1 })
 */
export function alphaDropout(options: AlphaDropoutOptions): AlphaDropout {
  return new AlphaDropout(options);
}

export interface GaussianNoiseOptions extends NoiseOptions {
  /** Of the noise; at least 0. */
  stddev: number;
}

export class GaussianNoise extends Noise {
  static readonly className = "GaussianNoise";
  readonly stddev: number;
  constructor(options: GaussianNoiseOptions) {
    const where = labelOf("gaussianNoise", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "seed", "stddev"]);
    super(where, given);
    this.stddev = checkNumber(where, "stddev", given.stddev, "of at least 0", (x) => x >= 0);
  }
  protected override disturb(x: Value, seed: SeedGenerator | undefined): Value {
    return this.stddev === 0 ? identity(x) : add(x, random.normal(x.shape, { stddev: this.stddev, seed }));
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), stddev: this.stddev };
  }
}

/** In training adds normal noise of mean 0. */
export function gaussianNoise(options: GaussianNoiseOptions): GaussianNoise {
  return new GaussianNoise(options);
}

export interface GaussianDropoutOptions extends NoiseOptions {
  /** The noise has the variance of a dropout of this rate, rate / (1 - rate); in [0, 1). */
  rate: number;
}

export class GaussianDropout extends Noise {
  static readonly className = "GaussianDropout";
  readonly rate: number;
  constructor(options: GaussianDropoutOptions) {
    const where = labelOf("gaussianDropout", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "seed", "rate"]);
    super(where, given);
    this.rate = checkNumber(where, "rate", given.rate, "in [0, 1)", (x) => x >= 0 && x < 1);
  }
  protected override disturb(x: Value, seed: SeedGenerator | undefined): Value {
    if (this.rate === 0) return identity(x);
    const stddev = Math.sqrt(this.rate / (1 - this.rate));
    return multiply(x, random.normal(x.shape, { mean: 1, stddev, seed }));
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), rate: this.rate };
  }
}

/** In training multiplies by normal noise of mean 1. */
export function gaussianDropout(options: GaussianDropoutOptions): GaussianDropout {
  return new GaussianDropout(options);
}
