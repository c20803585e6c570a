// Layers that distort images: their perspective, or like rubber.

import { checkNumber, checkOptions } from "../../core/options.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import type { NoiseOptions } from "../noise.ts";
import { labelOf } from "../options.ts";
import { bell, filtered } from "./filter.ts";
import {
  checkFactor,
  checkValueRange,
  type Draw,
  type Factor,
  NOISE_OPTIONS,
  RandomImage,
  VALUE_OPTIONS,
  type ValueOptions,
  type ValueRange,
} from "./random-image.ts";
import { pixelGrid, readWarp, sample, WARP_OPTIONS, type Warp, type WarpOptions } from "./warp.ts";

export interface RandomPerspectiveOptions extends NoiseOptions {
  /** Chance of each image, or a range it is drawn from. Default 1. */
  factor?: Factor;
  /** How far corners move: up to half of it, as a share of their coordinates. In [0, 1]. Default 1. */
  scale?: number;
  /** Default "bilinear". */
  interpolation?: "bilinear" | "nearest";
  /** What lies outside the image. Default 0. */
  fillValue?: number;
}

/** Where the corners go, in pixels: top left, top right, bottom left, bottom right, each [batch, 1]. */
interface Corners {
  readonly isChosen: Value;
  readonly x: readonly Value[];
  readonly y: readonly Value[];
}

export class RandomPerspective extends RandomImage<Corners> {
  static readonly className = "RandomPerspective";
  readonly factor: readonly [number, number];
  readonly scale: number;
  private readonly warp: Warp;

  constructor(options: RandomPerspectiveOptions = {}) {
    const where = labelOf("randomPerspective", options);
    const known = [...NOISE_OPTIONS, "factor", "scale", "interpolation", "fillValue"] as const;
    const o = checkOptions(where, options, known);
    super("randomPerspective", o);
    this.factor = checkFactor(where, "factor", o.factor ?? 1, [0, 1]);
    this.scale = checkNumber(where, "scale", o.scale ?? 1, "in [0, 1]", (x) => x >= 0 && x <= 1);
    const { interpolation, fillValue } = o;
    this.warp = readWarp(where, { interpolation, fillValue, fillMode: "constant" });
  }

  protected override draw({ height, width, uniform }: Draw): Corners {
    const moved = (from: number) => {
      const share = uniform([1 - this.scale / 2, 1 + this.scale / 2]);
      return ops.reshape(ops.multiply(share, from), [-1, 1]);
    };
    const isChosen = ops.less(uniform([0, 1]), uniform(this.factor));
    const [right, bottom] = [width - 1, height - 1];
    return { isChosen, x: [0, right, 0, right].map(moved), y: [0, 0, bottom, bottom].map(moved) };
  }

  override transform(images: Value, { isChosen, x, y }: Corners): Value {
    const [, height, width] = images.shape as [number, number, number];
    const [gx, gy] = pixelGrid(height, width);
    const { u, v } = toUnitSquare(x, y, gx, gy);
    const seen = sample(images, ops.multiply(u, width - 1), ops.multiply(v, height - 1), this.warp);
    return ops.where(isChosen, seen, images);
  }

  override getConfig(): Record<string, unknown> {
    const { factor, scale, warp } = this;
    const { interpolation, fillValue } = warp;
    return { ...super.getConfig(), factor, scale, interpolation, fillValue };
  }
}

/**
 * Where points lie in the unit square that a quadrilateral is the perspective view of: the projective map from square to
 * quadrilateral in closed form, inverted by its adjugate (Heckbert, "Fundamentals of Texture Mapping and Image Warping",
 * 1989).
 */
function toUnitSquare(xs: readonly Value[], ys: readonly Value[], px: Value, py: Value) {
  const [x0, x1, x3, x2] = xs as [Value, Value, Value, Value];
  const [y0, y1, y3, y2] = ys as [Value, Value, Value, Value];
  const { add, subtract, multiply, divide } = ops;
  const cross = (p: Value, q: Value, r: Value, s: Value) => subtract(multiply(p, s), multiply(q, r));
  const [dx1, dy1] = [subtract(x1, x2), subtract(y1, y2)];
  const [dx2, dy2] = [subtract(x3, x2), subtract(y3, y2)];
  const sx = add(subtract(x0, x1), subtract(x2, x3));
  const sy = add(subtract(y0, y1), subtract(y2, y3));
  const size = cross(dx1, dy1, dx2, dy2);
  const g = divide(cross(sx, sy, dx2, dy2), size);
  const h = divide(cross(dx1, dy1, sx, sy), size);
  const a = add(subtract(x1, x0), multiply(g, x1));
  const b = add(subtract(x3, x0), multiply(h, x3));
  const d = add(subtract(y1, y0), multiply(g, y1));
  const e = add(subtract(y3, y0), multiply(h, y3));
  const [c, f] = [x0, y0];
  const row = (p: Value, q: Value, r: Value) => add(add(multiply(p, px), multiply(q, py)), r);
  const w = row(cross(d, e, g, h), cross(b, a, h, g), cross(a, b, d, e));
  return {
    u: divide(row(subtract(e, multiply(f, h)), subtract(multiply(c, h), b), cross(b, c, e, f)), w),
    v: divide(row(subtract(multiply(f, g), d), subtract(a, multiply(c, g)), cross(c, a, f, d)), w),
  };
}

/**
 * Images as if seen from another side: each corner moves by a random share of its coordinates, so that the first stays, as
 * in Keras.
 */
export function randomPerspective(options: RandomPerspectiveOptions = {}): RandomPerspective {
  return new RandomPerspective(options);
}

export interface RandomElasticTransformOptions extends ValueOptions, WarpOptions {
  /** Chance of each image, or a range it is drawn from. Default 1. */
  factor?: Factor;
  /** How strong: up to this, or a range, in [0, 1]. Default 1. */
  scale?: Factor;
}

interface Displacement {
  readonly isChosen: Value;
  /** In pixels, [batch, pixels]. */
  readonly dx: Value;
  readonly dy: Value;
}

export class RandomElasticTransform extends RandomImage<Displacement> {
  static readonly className = "RandomElasticTransform";
  readonly factor: readonly [number, number];
  readonly scale: readonly [number, number];
  readonly valueRange: ValueRange;
  private readonly warp: Warp;

  constructor(options: RandomElasticTransformOptions = {}) {
    const where = labelOf("randomElasticTransform", options);
    const o = checkOptions(where, options, [...VALUE_OPTIONS, ...WARP_OPTIONS, "factor", "scale"]);
    super("randomElasticTransform", o);
    this.factor = checkFactor(where, "factor", o.factor ?? 1, [0, 1]);
    this.scale = checkFactor(where, "scale", o.scale ?? 1, [0, 1]);
    this.valueRange = checkValueRange(where, o.valueRange);
    this.warp = readWarp(where, o);
  }

  protected override draw({ batch, height, width, uniform, seed }: Draw): Displacement {
    const [min, max] = this.scale;
    const strength = min === max ? ops.full([], min) : ops.random.uniform([], { min, max, seed });
    const alpha = ops.multiply(strength, 0.1 * Math.max(height, width));
    const sigma = ops.multiply(strength, 0.05 * Math.min(height, width));
    // Keras sizes the kernel by the sigma it has drawn; here it is that of the largest one, beyond which nothing weighs.
    const size = Math.floor(6 * 0.05 * Math.min(height, width) * max) | 1;
    const weights = bell(size, ops.add(sigma, 1e-6));
    const kernel = ops.outer(weights, weights);
    const push = () => {
      const noise = ops.multiply(ops.random.normal([batch, height, width, 1], { seed }), sigma);
      return ops.multiply(ops.reshape(filtered(noise, kernel), [batch, height * width]), alpha);
    };
    const isChosen = ops.less(uniform([0, 1]), uniform(this.factor));
    return { isChosen, dx: push(), dy: push() };
  }

  override transform(images: Value, { isChosen, dx, dy }: Displacement): Value {
    const [, height, width] = images.shape as [number, number, number];
    const [gx, gy] = pixelGrid(height, width);
    const seen = sample(images, ops.add(gx, dx), ops.add(gy, dy), this.warp);
    const [low, high] = this.valueRange;
    return ops.clip(ops.where(isChosen, seen, images), low, high);
  }

  override getConfig(): Record<string, unknown> {
    const { factor, scale, valueRange, warp } = this;
    return { ...super.getConfig(), factor, scale, valueRange, ...warp };
  }
}

/**
 * Images as if on rubber that is pulled here and there (Simard et al., "Best Practices for Convolutional Neural Networks",
 * ICDAR 2003).
 */
export function randomElasticTransform(options: RandomElasticTransformOptions = {}): RandomElasticTransform {
  return new RandomElasticTransform(options);
}
