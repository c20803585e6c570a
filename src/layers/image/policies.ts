// Layers that augment images by policies of their own: a few of many changes at random, one after another or mixed.

import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../../core/options.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { Noise } from "../noise.ts";
import { labelOf } from "../options.ts";
import { type Change, changesOf, oneOf } from "./choice.ts";
import {
  checkFactor,
  checkValueRange,
  type Factor,
  VALUE_OPTIONS,
  type ValueOptions,
  type ValueRange,
} from "./random-image.ts";

interface PolicyOptions extends ValueOptions {
  /** How strong changes are: up to this, or a range, in [0, 1]. */
  factor?: Factor;
  /** Of changes that move pixels. Default "bilinear". */
  interpolation?: "bilinear" | "nearest";
}

const POLICY_OPTIONS = [...VALUE_OPTIONS, "factor", "interpolation"] as const;

abstract class Policy extends Noise {
  readonly factor: readonly [number, number];
  readonly interpolation: "bilinear" | "nearest";
  readonly valueRange: ValueRange;
  protected readonly changes: Record<string, Change>;

  constructor(where: string, o: PolicyOptions, factor: Factor) {
    super(where, o);
    this.factor = checkFactor(where, "factor", o.factor ?? factor, [0, 1]);
    const ways = ["bilinear", "nearest"] as const;
    this.interpolation = checkOneOf(where, "interpolation", o.interpolation ?? "bilinear", ways);
    this.valueRange = checkValueRange(where, o.valueRange);
    const { factor: strength, interpolation, valueRange } = this;
    this.changes = changesOf(strength, interpolation, valueRange);
  }

  protected override disturb(images: Value, seed: ops.SeedGenerator | undefined): Value {
    this.checkRank(images.shape, 4, 4);
    return this.augment(images, seed);
  }

  /** What a training step makes of the images. */
  abstract augment(images: Value, seed: ops.SeedGenerator | undefined): Value;

  override getConfig(): Record<string, unknown> {
    const { factor, interpolation, valueRange } = this;
    return { ...super.getConfig(), factor, interpolation, valueRange };
  }
}

export interface RandAugmentOptions extends PolicyOptions {
  /** Changes of each image, one after another. Default 2. */
  numOps?: number;
}

export class RandAugment extends Policy {
  static readonly className = "RandAugment";
  readonly numOps: number;

  constructor(options: RandAugmentOptions = {}) {
    const where = labelOf("randAugment", options);
    const o = checkOptions(where, options, [...POLICY_OPTIONS, "numOps"]);
    super(where, o, 0.5);
    this.numOps = checkInteger(where, "numOps", o.numOps ?? 2, 1);
  }

  override augment(images: Value, seed: ops.SeedGenerator | undefined): Value {
    const changes = Object.values(this.changes);
    let x = images;
    for (let i = 0; i < this.numOps; i++) x = oneOf(x, changes, seed);
    return x;
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), numOps: this.numOps };
  }
}

/**
 * A few of eleven changes, drawn anew for every image, where Keras draws once for a batch (Cubuk et al., "RandAugment",
 * 2020): shear, translation, rotation, brightness, colour, contrast, sharpness, solarization, posterization, automatic
 * contrast, equalization. `factor` is 0.5 by default.
 */
export function randAugment(options: RandAugmentOptions = {}): RandAugment {
  return new RandAugment(options);
}

export interface AugMixOptions extends PolicyOptions {
  /** Chains of changes that are mixed. Default 3. */
  numChains?: number;
  /** Changes in a chain; each may also be none. Default 3. */
  chainDepth?: number;
  /** How evenly chains are mixed: the parameter of the Dirichlet and beta distributions. Above 0. Default 1. */
  alpha?: number;
  /** Changes of brightness, colour, contrast and sharpness too. Default true. */
  allOps?: boolean;
}

const SHORT = ["shear", "translation", "rotation", "posterization", "solarization", "autoContrast", "equalization"] as const; // biome-ignore format: one line

export class AugMix extends Policy {
  static readonly className = "AugMix";
  readonly numChains: number;
  readonly chainDepth: number;
  readonly alpha: number;
  readonly allOps: boolean;

  constructor(options: AugMixOptions = {}) {
    const where = labelOf("augMix", options);
    const known = [...POLICY_OPTIONS, "numChains", "chainDepth", "alpha", "allOps"] as const;
    const o = checkOptions(where, options, known);
    super(where, o, 0.3);
    this.numChains = checkInteger(where, "numChains", o.numChains ?? 3, 1);
    this.chainDepth = checkInteger(where, "chainDepth", o.chainDepth ?? 3, 1);
    this.alpha = checkNumber(where, "alpha", o.alpha ?? 1, "above 0", (x) => x > 0);
    this.allOps = checkBoolean(where, "allOps", o.allOps ?? true);
  }

  override augment(images: Value, seed: ops.SeedGenerator | undefined): Value {
    const { alpha, numChains, chainDepth } = this;
    const batch = images.shape[0]!;
    const names = this.allOps ? Object.keys(this.changes) : SHORT;
    const changes: Change[] = [...names.map((name) => this.changes[name]!), (x) => x];
    const shares = ops.random.gamma([batch, numChains, 1, 1, 1], alpha, { seed });
    const total = ops.sum(shares, { axis: 1 });
    let mixed: Value | undefined;
    for (let chain = 0; chain < numChains; chain++) {
      let x = images;
      for (let depth = 0; depth < chainDepth; depth++) x = oneOf(x, changes, seed);
      const share = ops.squeeze(ops.slice(shares, [0, chain, 0, 0, 0], [batch, 1, 1, 1, 1]), 1);
      const part = ops.multiply(x, ops.divide(share, total));
      mixed = mixed ? ops.add(mixed, part) : part;
    }
    const own = ops.random.beta([batch, 1, 1, 1], alpha, alpha, { seed });
    const result = ops.add(ops.multiply(own, images), ops.multiply(ops.subtract(1, own), mixed!));
    return ops.clip(result, this.valueRange[0], this.valueRange[1]);
  }

  override getConfig(): Record<string, unknown> {
    const { numChains, chainDepth, alpha, allOps } = this;
    return { ...super.getConfig(), numChains, chainDepth, alpha, allOps };
  }
}

/**
 * Images mixed with several versions of themselves, each changed by a chain of changes (Hendrycks et al., "AugMix", ICLR
 * 2020); all is drawn for every image, where Keras draws once for a batch. `factor` is 0.3 by default.
 */
export function augMix(options: AugMixOptions = {}): AugMix {
  return new AugMix(options);
}
