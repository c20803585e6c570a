// Layers that spread the values of an image over the whole range, by their histogram: of all of it, or of the neighbourhood.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "../../core/options.ts";
import { tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { checkValueRange, rescale, type ValueRange } from "./random-image.ts";

export interface EqualizationOptions extends LayerOptions {
  /** Values of black and white. Default [0, 255]. */
  valueRange?: ValueRange;
  /** Steps of the histogram, at least 2. Default 256. */
  bins?: number;
}

const int = (x: Value): Value => ops.cast(x, "int32");
/** Whole numbers 0 to n - 1 times `step`, along one axis of four. */
const places = (axis: number, n: number, step: number): Value => {
  const shape = [1, 1, 1, 1];
  shape[axis] = n;
  return ops.constant(
    tensor(
      Int32Array.from({ length: n }, (_, i) => i * step),
      shape,
    ),
  );
};

/** How often each of `size` numbers occurs, float32 [size]. */
function count(numbers: Value, size: number): Value {
  const flat = ops.reshape(numbers, [-1]);
  return ops.scatterAdd(flat, ops.ones(flat.shape), size);
}

export class Equalization extends UnaryLayer {
  static readonly className = "Equalization";
  readonly valueRange: ValueRange;
  readonly bins: number;

  constructor(options: EqualizationOptions = {}) {
    const where = labelOf("equalization", options);
    const o = checkOptions(where, options, [...LAYER_OPTIONS, "valueRange", "bins"]);
    super(o);
    this.valueRange = checkValueRange(where, o.valueRange);
    this.bins = checkInteger(where, "bins", o.bins ?? 256, 2);
  }

  override call(images: Value): Value {
    this.checkRank(images.shape, 4, 4);
    const [batch, , , channels] = images.shape as [number, number, number, number];
    const { bins } = this;
    const x = rescale(ops.cast(images, "float32"), this.valueRange, [0, 255]);
    const group = ops.add(places(0, batch, channels * bins), places(3, channels, bins));
    const last = bins - 1;
    const counted = ops.clip(ops.multiply(x, last / 255), 0, last);
    const histogram = ops.reshape(count(ops.add(int(counted), group), batch * channels * bins), [-1, bins]);
    const below = ops.cumsum(histogram, { axis: -1 });
    const over = { axis: -1, keepDims: true };
    const first = ops.min(ops.where(ops.greater(below, 0), below, Number.MAX_SAFE_INTEGER), over);
    const rest = ops.subtract(ops.max(below, over), first);
    const isOne = ops.equal(rest, 0);
    const share = ops.divide(ops.multiply(ops.subtract(below, first), 255), ops.where(isOne, 1, rest));
    const table = ops.clip(ops.round(share), 0, 255);
    const at = int(ops.clip(ops.multiply(ops.divide(x, 255), last), 0, last));
    const found = ops.gather(ops.reshape(table, [-1]), ops.add(at, group));
    // A channel of one value only stays as it is.
    const stays = ops.reshape(isOne, [batch, 1, 1, channels]);
    return rescale(ops.where(stays, x, found), [0, 255], this.valueRange);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), valueRange: this.valueRange, bins: this.bins };
  }
}

/**
 * Spreads the values of every channel so that all become equally frequent, in training and otherwise. Each image has a
 * histogram of its own, where Keras 3.15 takes one for a whole batch.
 */
export function equalization(options: EqualizationOptions = {}): Equalization {
  return new Equalization(options);
}

export interface ContrastLimitedAdaptiveHistogramEqualizationOptions extends LayerOptions {
  /** Values of black and white. Default [0, 255]. */
  valueRange?: ValueRange;
  /** How often a value may occur, in multiples of the mean; 0: no limit. Default 4. */
  clipLimit?: number;
  /** Rows and columns of tiles. Default [8, 8]. */
  tileGridSize?: readonly [rows: number, columns: number];
}

/** One axis of the grid of tiles: how long it is when padded, and for each pixel the two nearest tiles and their shares. */
interface Axis {
  readonly tile: number;
  readonly size: number;
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly share: Float32Array;
}

function axisOf(length: number, tiles: number): Axis {
  const tile = Math.ceil(length / tiles);
  const size = tile * tiles;
  const inside = (i: number) => Math.min(Math.max(i, 0), tiles - 1);
  const at = Array.from({ length: size }, (_, i) => (i - tile / 2) / tile);
  return {
    tile,
    size,
    before: Int32Array.from(at, (v) => inside(Math.floor(v))),
    after: Int32Array.from(at, (v) => inside(Math.floor(v) + 1)),
    share: Float32Array.from(at, (v) => v - Math.floor(v)),
  };
}

export class ContrastLimitedAdaptiveHistogramEqualization extends UnaryLayer {
  static readonly className = "ContrastLimitedAdaptiveHistogramEqualization";
  readonly valueRange: ValueRange;
  readonly clipLimit: number;
  readonly tileGridSize: readonly [number, number];

  constructor(options: ContrastLimitedAdaptiveHistogramEqualizationOptions = {}) {
    const where = labelOf("contrastLimitedAdaptiveHistogramEqualization", options);
    const known = [...LAYER_OPTIONS, "valueRange", "clipLimit", "tileGridSize"] as const;
    const o = checkOptions(where, options, known);
    super(o);
    this.valueRange = checkValueRange(where, o.valueRange);
    this.clipLimit = checkNumber(where, "clipLimit", o.clipLimit ?? 4, "of at least 0", (x) => x >= 0);
    const grid = o.tileGridSize ?? [8, 8];
    if (!Array.isArray(grid) || grid.length !== 2)
      throw new MyelinError("INVALID_OPTION", `${where}: expected tileGridSize to be [rows, columns], got ${describe(grid)}`); // biome-ignore format: one line
    for (const n of grid) checkInteger(where, "tileGridSize", n, 1);
    this.tileGridSize = [grid[0], grid[1]];
  }

  override call(images: Value): Value {
    this.checkRank(images.shape, 4, 4);
    const [batch, height, width, channels] = images.shape as [number, number, number, number];
    const [rows, columns] = this.tileGridSize;
    const [down, across] = [axisOf(height, rows), axisOf(width, columns)];
    const x = rescale(ops.cast(images, "float32"), this.valueRange, [0, 255]);
    const padded = mirrored(mirrored(x, 1, down.size), 2, across.size);
    const value = int(ops.clip(padded, 0, 255));
    // Tables lie one after another: by image, row and column of tiles, channel.
    const strides = { column: channels * 256, row: columns * channels * 256, image: rows * columns * channels * 256 }; // biome-ignore format: one line
    const base = ops.add(ops.add(value, places(0, batch, strides.image)), places(3, channels, 256));
    const along = (axis: number, tiles: Int32Array, stride: number) => {
      const shape = [1, 1, 1, 1];
      shape[axis] = tiles.length;
      return ops.constant(
        tensor(
          tiles.map((t) => t * stride),
          shape,
        ),
      );
    };
    const own = (a: Axis) => Int32Array.from({ length: a.size }, (_, i) => Math.floor(i / a.tile));
    const at = (y: Int32Array, x: Int32Array) =>
      ops.add(ops.add(base, along(1, y, strides.row)), along(2, x, strides.column));
    const histogram = ops.reshape(count(at(own(down), own(across)), batch * strides.image), [-1, 256]);
    const tables = ops.reshape(this.tables(histogram, down.tile * across.tile), [-1]);
    const share = (axis: number, s: Float32Array) => {
      const shape = [1, 1, 1, 1];
      shape[axis] = s.length;
      return ops.constant(tensor(s, shape));
    };
    const between = (a: Value, b: Value, s: Value) => ops.add(ops.multiply(a, ops.subtract(1, s)), ops.multiply(b, s)); // biome-ignore format: one line
    const line = (y: Int32Array) =>
      between(ops.gather(tables, at(y, across.before)), ops.gather(tables, at(y, across.after)), share(2, across.share)); // biome-ignore format: one line
    const result = between(line(down.before), line(down.after), share(1, down.share));
    const cut = ops.slice(result, [0, 0, 0, 0], [batch, height, width, channels]);
    return rescale(cut, [0, 255], this.valueRange);
  }

  /** What becomes of each of the 256 values in each tile. */
  private tables(histogram: Value, pixels: number): Value {
    const over = { axis: -1, keepDims: true };
    const limit = (this.clipLimit * pixels) / 256;
    const clipped = ops.minimum(histogram, limit);
    const excess = ops.divide(ops.sum(ops.subtract(histogram, clipped), over), 256);
    const counted = this.clipLimit > 0 ? ops.add(clipped, excess) : histogram;
    const below = ops.cumsum(counted, { axis: -1 });
    const first = ops.min(below, over);
    const rest = ops.subtract(pixels, first);
    const share = ops.divide(ops.subtract(below, first), ops.where(ops.equal(rest, 0), 1, rest));
    return ops.clip(ops.multiply(share, 255), 0, 255);
  }

  override getConfig(): Record<string, unknown> {
    const { valueRange, clipLimit, tileGridSize } = this;
    return { ...super.getConfig(), valueRange, clipLimit, tileGridSize };
  }
}

/** An axis made longer by its own mirror image. */
function mirrored(x: Value, axis: number, size: number): Value {
  const length = x.shape[axis]!;
  if (length === size) return x;
  const back = (i: number) => {
    const m = i % (2 * length);
    return m < length ? m : 2 * length - 1 - m;
  };
  const from = Int32Array.from({ length: size }, (_, i) => back(i));
  return ops.gather(x, ops.constant(tensor(from)), { axis });
}

/**
 * Spreads values by the histogram of their neighbourhood, tile by tile, without making noise in even places loud (CLAHE;
 * Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", 1994). In training and otherwise.
 */
export function contrastLimitedAdaptiveHistogramEqualization(
  options: ContrastLimitedAdaptiveHistogramEqualizationOptions = {},
): ContrastLimitedAdaptiveHistogramEqualization {
  return new ContrastLimitedAdaptiveHistogramEqualization(options);
}
