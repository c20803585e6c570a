// Images seen through a map of coordinates: each pixel of the result looks up where it came from.

import { checkNumber, checkOneOf } from "../../core/options.ts";
import { tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";

/** What lies outside the image: mirrored with or without the edge doubled, one value, repeated, or its edge. */
export type FillMode = "reflect" | "mirror" | "constant" | "wrap" | "nearest";

export interface WarpOptions {
  /** Default "reflect". */
  fillMode?: FillMode;
  /** For "constant". Default 0. */
  fillValue?: number;
  /** Default "bilinear". */
  interpolation?: "bilinear" | "nearest";
}

export type Warp = Required<WarpOptions>;

export const WARP_OPTIONS = ["fillMode", "fillValue", "interpolation"] as const;

export function readWarp(where: string, o: WarpOptions): Warp {
  const modes = ["reflect", "mirror", "constant", "wrap", "nearest"] as const;
  return {
    fillMode: checkOneOf(where, "fillMode", o.fillMode ?? "reflect", modes),
    fillValue: checkNumber(where, "fillValue", o.fillValue ?? 0),
    interpolation: checkOneOf(where, "interpolation", o.interpolation ?? "bilinear", ["bilinear", "nearest"]),
  };
}

/**
 * The image at (a0 x + a1 y + a2, b0 x + b1 y + b2) for every pixel (x, y), as Keras's `ops.image.affine_transform`.
 * @param matrix rows [a0, a1, a2, b0, b1, b2] as Values [batch, 1]
 */
export function affine(images: Value, matrix: readonly Value[], warp: Warp): Value {
  const [, height, width] = images.shape as [number, number, number];
  const [gx, gy] = pixelGrid(height, width);
  const [a0, a1, a2, b0, b1, b2] = matrix as [Value, Value, Value, Value, Value, Value];
  const x = ops.add(ops.add(ops.multiply(a0, gx), ops.multiply(a1, gy)), a2);
  const y = ops.add(ops.add(ops.multiply(b0, gx), ops.multiply(b1, gy)), b2);
  return sample(images, x, y, warp);
}

/** x and y of all pixels, row by row, [1, pixels]. */
export function pixelGrid(height: number, width: number): [x: Value, y: Value] {
  const pixels = height * width;
  const grid = (of: (i: number) => number) =>
    ops.constant(
      tensor(
        Float32Array.from({ length: pixels }, (_, i) => of(i)),
        [1, pixels],
      ),
    );
  return [grid((i) => i % width), grid((i) => Math.floor(i / width))];
}

/**
 * The images at given coordinates, one for each pixel of the result; between pixels as `warp` says.
 * @param x from the left, [batch or 1, pixels]
 * @param y from the top
 */
export function sample(images: Value, x: Value, y: Value, warp: Warp): Value {
  const [batch, height, width, channels] = images.shape as [number, number, number, number];
  const pixels = height * width;
  const rows = ops.reshape(images, [batch * pixels, channels]);
  const first = Int32Array.from({ length: batch }, (_, b) => b * pixels);
  const offset = ops.constant(tensor(first, [batch, 1]));
  /** The pixel at whole coordinates, [batch, pixels, channels]. */
  const at = (ix: Value, iy: Value): Value => {
    const [kx, ky] = [inside(ix, width, warp), inside(iy, height, warp)];
    const place = ops.add(ops.add(ops.multiply(ky, width), kx), offset);
    const found = ops.reshape(ops.gather(rows, ops.reshape(place, [-1])), [batch, pixels, channels]);
    if (warp.fillMode !== "constant") return found;
    const within = (i: Value, size: number) => ops.logicalAnd(ops.greaterEqual(i, 0), ops.less(i, size));
    const isIn = ops.logicalAnd(within(ix, width), within(iy, height));
    return ops.where(ops.expandDims(isIn, -1), found, warp.fillValue);
  };
  const whole = (v: Value) => ops.cast(v, "int32");
  if (warp.interpolation === "nearest") {
    const rounded = (v: Value) => whole(ops.floor(ops.add(v, 0.5)));
    return ops.reshape(at(rounded(x), rounded(y)), images.shape);
  }
  const [fx, fy] = [ops.floor(x), ops.floor(y)];
  const share = (v: Value, f: Value) => ops.expandDims(ops.subtract(v, f), -1);
  const [sx, sy] = [share(x, fx), share(y, fy)];
  const [ix, iy] = [whole(fx), whole(fy)];
  const [jx, jy] = [ops.add(ix, 1), ops.add(iy, 1)];
  const between = (a: Value, b: Value, s: Value) => ops.add(a, ops.multiply(ops.subtract(b, a), s));
  const top = between(at(ix, iy), at(jx, iy), sx);
  const bottom = between(at(ix, jy), at(jx, jy), sx);
  return ops.reshape(between(top, bottom, sy), images.shape);
}

/** Whole coordinates brought into the image. */
function inside(i: Value, size: number, { fillMode }: Warp): Value {
  if (fillMode === "wrap") return ops.mod(i, size);
  if (fillMode === "mirror") {
    if (size === 1) return ops.multiply(i, 0);
    const last = size - 1;
    return ops.abs(ops.subtract(ops.mod(ops.add(i, last), 2 * last), last));
  }
  if (fillMode === "reflect") {
    const m = ops.mod(i, 2 * size);
    return ops.minimum(m, ops.subtract(2 * size - 1, m));
  }
  return ops.clip(i, 0, size - 1);
}
