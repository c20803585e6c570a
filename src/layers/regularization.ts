// Layers that disturb their input in training and pass it on unchanged otherwise: Dropout, GaussianNoise, GaussianDropout.

import { MyelinError } from "../core/errors.ts";
import { checkNumber, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { add, identity, multiply, random, type SeedGenerator } from "../ops/index.ts";
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

export class Dropout extends Noise {
  static readonly className = "Dropout";
  readonly rate: number;
  readonly noiseShape: BatchShape | null;

  constructor(options: DropoutOptions) {
    const where = labelOf("dropout", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "seed", "rate", "noiseShape"]);
    super(where, given);
    this.rate = checkNumber(where, "rate", given.rate, "in [0, 1)", (x) => x >= 0 && x < 1);
    this.noiseShape =
      given.noiseShape == null ? null : checkBatchShape(`${where}, noiseShape`, given.noiseShape);
  }

  protected override disturb(x: Value, seed: SeedGenerator | undefined): Value {
    return random.dropout(x, this.rate, { noiseShape: this.maskShape(x), seed });
  }

  private maskShape(x: Value): number[] | undefined {
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

/** In training sets a share of elements to 0 and scales the others up by 1 / (1 - rate); otherwise passes them on. */
export function dropout(options: DropoutOptions): Dropout {
  return new Dropout(options);
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
