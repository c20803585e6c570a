// Layers that mix images of a batch, and their labels in the same measure: a record in, a record out.

import { checkInteger, checkNumber, checkOptions } from "../../core/options.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { type CallContext, Layer } from "../layer.ts";
import type { Nest } from "../nest.ts";
import type { NoiseOptions } from "../noise.ts";
import { labelOf } from "../options.ts";
import { box } from "./box.ts";
import { checkFactor, type Factor, NOISE_OPTIONS } from "./random-image.ts";

/** Images [batch, height, width, channels] and one-hot or soft labels [batch, classes]. */
interface Labelled {
  readonly images: Value;
  readonly labels: Value;
}

/** How a batch is mixed: with which other rows, how much of the own one stays, and how images go together. */
interface Mix {
  readonly order: Value;
  readonly own: Value;
  blend(images: Value, others: Value): Value;
}

abstract class Mixing extends Layer {
  readonly seedGenerator: ops.SeedGenerator | undefined;

  constructor(where: string, options: NoiseOptions) {
    super(options);
    if (options.seed != null) {
      this.seedGenerator = new ops.SeedGenerator(checkInteger(where, "seed", options.seed));
    }
  }

  protected abstract mix(images: Value): Mix;

  override call(x: Nest<Value>, context: CallContext): Nest<Value> {
    const { images, labels } = x as unknown as Labelled;
    if (!images || !labels || images.rank !== 4 || labels.rank !== 2) {
      throw this.error(
        "INVALID_ARGUMENT",
        "expected a record of images [batch, height, width, channels] and labels [batch, classes]",
      );
    }
    const given = { images: ops.cast(images, "float32"), labels: ops.cast(labels, "float32") };
    if (!context.training) return { images: ops.identity(given.images), labels: ops.identity(given.labels) };
    const { order, own, blend } = this.mix(given.images);
    const share = ops.reshape(own, [-1, 1]);
    const others = ops.gather(given.labels, order);
    const mixed = ops.add(ops.multiply(share, given.labels), ops.multiply(ops.subtract(1, share), others));
    return { images: blend(given.images, ops.gather(given.images, order)), labels: mixed };
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), seed: this.seedGenerator?.seed ?? null };
  }
}

export interface MixUpOptions extends NoiseOptions {
  /** Both parameters of the beta distribution that shares are drawn from. Above 0. Default 0.2. */
  alpha?: number;
}

export class MixUp extends Mixing {
  static readonly className = "MixUp";
  readonly alpha: number;

  constructor(options: MixUpOptions = {}) {
    const where = labelOf("mixUp", options);
    const o = checkOptions(where, options, [...NOISE_OPTIONS, "alpha"]);
    super(where, o);
    this.alpha = checkNumber(where, "alpha", o.alpha ?? 0.2, "above 0", (x) => x > 0);
  }

  protected override mix(images: Value): Mix {
    const batch = images.shape[0]!;
    const { seedGenerator: seed, alpha } = this;
    const own = ops.random.beta([batch, 1, 1, 1], alpha, alpha, { seed });
    const blend = (a: Value, b: Value) =>
      ops.add(ops.multiply(own, a), ops.multiply(ops.subtract(1, own), b));
    return { order: ops.random.permutation(batch, { seed }), own, blend };
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), alpha: this.alpha };
  }
}

/**
 * Weighted means of pairs of images and of their labels (Zhang et al., "mixup: Beyond Empirical Risk Minimization",
 * ICLR 2018).
 * @example const { images, labels } = layers.mixUp({ alpha: 0.2 }).apply({ images: x, labels: y });
 */
export function mixUp(options: MixUpOptions = {}): MixUp {
  return new MixUp(options);
}

export interface CutMixOptions extends NoiseOptions {
  /** Both parameters of the beta distribution that shares are drawn from: up to this, or in a range. Default 1. */
  factor?: Factor;
}

export class CutMix extends Mixing {
  static readonly className = "CutMix";
  readonly factor: readonly [number, number];

  constructor(options: CutMixOptions = {}) {
    const where = labelOf("cutMix", options);
    const o = checkOptions(where, options, [...NOISE_OPTIONS, "factor"]);
    super(where, o);
    this.factor = checkFactor(where, "factor", o.factor ?? 1, [0, 1]);
  }

  protected override mix(images: Value): Mix {
    const [batch, height, width, channels] = images.shape as [number, number, number, number];
    const seed = this.seedGenerator;
    const [min, max] = this.factor;
    const drawn = min === max ? ops.full([], min) : ops.random.uniform([], { min, max, seed });
    const alpha = ops.add(drawn, 1e-6);
    const side = ops.sqrt(ops.subtract(1, ops.random.beta([batch, 1, 1, 1], alpha, alpha, { seed })));
    const uniform = (range: readonly [number, number]) =>
      ops.random.uniform([batch, 1, 1, 1], { min: range[0], max: range[1], seed });
    const { inside, share } = box({ batch, height, width, channels, uniform, seed }, side, side);
    const order = ops.random.permutation(batch, { seed });
    return { order, own: ops.subtract(1, share), blend: (a, b) => ops.where(inside, b, a) };
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), factor: this.factor };
  }
}

/** A box of another image in every image, and as much of its label (Yun et al., "CutMix", ICCV 2019). */
export function cutMix(options: CutMixOptions = {}): CutMix {
  return new CutMix(options);
}
