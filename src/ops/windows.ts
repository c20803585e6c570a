// The windows of pooling over channels-last images [batch, ...spatial, channels]: which inputs an output covers, along
// each spatial axis, and the walk over them that the plain evaluations share.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOneOf } from "../core/options.ts";
import { formatShape, type Shape, type TensorType } from "../core/shape.ts";
import { formatTypes, shapeError, sizeBetween } from "./record.ts";

/**
 * Windows along the spatial axes. Output o covers inputs from o * strides - before on, `pool` of them, as far as they exist;
 * every window holds at least one. Without strides (an empty list) they are the bins of adaptive pooling: output o of n
 * covers inputs floor(o * size / n) to ceil((o + 1) * size / n) - 1, and `pool` is the largest bin.
 */
export interface WindowAttrs extends Record<string, unknown> {
  pool: readonly number[];
  strides: readonly number[];
  before: readonly number[];
  /** Spatial sizes of the output. */
  size: readonly number[];
}

export type Padding = "valid" | "same";

/** The spatial sizes of an image. */
export function spatialOf(shape: Shape): Shape {
  return shape.slice(1, -1);
}

/** Throws unless x is float32 [batch, 1 to 3 spatial sizes, channels]. */
export function checkImage(where: string, x: TensorType | undefined): void {
  const rank = x?.shape.length ?? 0;
  if (x?.dtype === "float32" && rank >= 3 && rank <= 5) return;
  throw shapeError(
    where,
    `expected float32 [batch, 1 to 3 spatial sizes, channels], got ${x ? formatTypes([x]) : "nothing"}`,
  );
}

/** The type of pooling `image` by these windows, or of undoing it; throws unless every window holds an input. */
export function checkWindows(
  where: string,
  image: Shape,
  { pool, strides, before }: WindowAttrs,
  out: Shape,
): void {
  const adaptive = strides.length === 0;
  const fits = image.every((n, i) => {
    const [k, o] = [pool[i]!, out[i]!];
    if (!(n >= 1 && o >= 1 && k >= 1)) return false;
    if (adaptive) return k === binOf(n, o) && before[i] === 0;
    return strides[i]! >= 1 && before[i]! >= 0 && before[i]! < k && (o - 1) * strides[i]! - before[i]! < n;
  });
  const lengths = [pool, before, out, ...(adaptive ? [] : [strides])];
  if (fits && lengths.every((l) => l.length === image.length)) return;
  const what = `pool [${pool}], strides [${strides}], before [${before}], size [${out}]`;
  throw shapeError(where, `expected windows inside ${formatShape(image)}, got ${what}`);
}

/** The dtype that holds places in a window. */
export function placeType(pool: readonly number[]): "uint8" | "int32" {
  return sizeBetween(pool, 0, pool.length) <= 256 ? "uint8" : "int32";
}

/** The largest bin of adaptive pooling of n inputs to o outputs. */
function binOf(n: number, o: number): number {
  let largest = 0;
  for (let i = 0; i < o; i++)
    largest = Math.max(largest, Math.ceil(((i + 1) * n) / o) - Math.floor((i * n) / o));
  return largest;
}

/** One number for each spatial axis, or a list of them. */
export function perAxis(where: string, name: string, value: unknown, rank: number): readonly number[] {
  const list = Array.isArray(value) ? value : Array<unknown>(rank).fill(value);
  if (list.length !== rank || !list.every((x) => Number.isInteger(x) && x >= 1)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be an integer of at least 1, or ${rank} of them, got ${describe(value)}`,
    );
  }
  return list;
}

/** Windows of a size, moved by strides over the spatial sizes of an image; `same` pads evenly, the odd one behind. */
export function slidingWindows(
  where: string,
  image: Shape,
  poolSize: unknown,
  strides: unknown,
  padding: unknown,
): WindowAttrs {
  const pool = perAxis(where, "poolSize", poolSize, image.length);
  const steps = strides == null ? pool : perAxis(where, "strides", strides, image.length);
  const mode = checkOneOf<Padding>(where, "padding", padding, ["valid", "same"]);
  if (mode === "same") {
    const size = image.map((n, i) => Math.ceil(n / steps[i]!));
    const before = image.map((n, i) =>
      Math.floor(Math.max(0, (size[i]! - 1) * steps[i]! + pool[i]! - n) / 2),
    );
    return { pool, strides: steps, before, size };
  }
  if (image.some((n, i) => n < pool[i]!)) {
    throw shapeError(
      where,
      `expected spatial sizes of at least poolSize [${pool.join(", ")}], got ${formatShape(image)}`,
    );
  }
  const size = image.map((n, i) => Math.floor((n - pool[i]!) / steps[i]!) + 1);
  return { pool, strides: steps, before: image.map(() => 0), size };
}

/** The bins of adaptive pooling, as in PyTorch. */
export function adaptiveWindows(where: string, image: Shape, outputSize: unknown): WindowAttrs {
  const size = perAxis(where, "outputSize", outputSize, image.length);
  if (image.includes(0)) {
    throw shapeError(where, `expected spatial sizes of at least 1, got ${formatShape(image)}`);
  }
  return {
    pool: image.map((n, i) => binOf(n, size[i]!)),
    strides: [],
    before: image.map(() => 0),
    size,
  };
}

interface Range {
  /** Where the window would begin without the image's edge; places count from here. */
  start: number;
  begin: number;
  end: number;
}

function rangesOf(n: number, o: number, axis: number, { pool, strides, before }: WindowAttrs): Range[] {
  return Array.from({ length: o }, (_, i) => {
    if (strides.length === 0) {
      const begin = Math.floor((i * n) / o);
      return { start: begin, begin, end: Math.ceil(((i + 1) * n) / o) };
    }
    const start = i * strides[axis]! - before[axis]!;
    return { start, begin: Math.max(0, start), end: Math.min(n, start + pool[axis]!) };
  });
}

/**
 * Calls visit(output, input, place, count) for every pair of an output position and an input position in its window, in
 * row-major order of both: offsets of their first channels, the place in the window, and how many inputs the window has.
 */
export function forEachPlace(
  image: Shape,
  out: Shape,
  attrs: WindowAttrs,
  visit: (output: number, input: number, place: number, count: number) => void,
): void {
  const channels = image.at(-1)!;
  const [sizes, outs] = [spatialOf(image), spatialOf(out)];
  const ranges = sizes.map((n, axis) => rangesOf(n, outs[axis]!, axis, attrs));
  const last = sizes.length - 1;
  let output = 0;
  /** All inputs of one window, axis by axis. */
  const inside = (window: readonly Range[], axis: number, input: number, place: number, count: number) => {
    const { start, begin, end } = window[axis]!;
    for (let i = begin; i < end; i++) {
      const [at, p] = [input * sizes[axis]! + i, place * attrs.pool[axis]! + i - start];
      if (axis === last) visit(output * channels, at * channels, p, count);
      else inside(window, axis + 1, at, p, count);
    }
  };
  const each = (axis: number, window: readonly Range[], batch: number): void => {
    if (axis > last) {
      inside(
        window,
        0,
        batch,
        0,
        window.reduce((k, r) => k * (r.end - r.begin), 1),
      );
      output++;
      return;
    }
    for (const range of ranges[axis]!) each(axis + 1, [...window, range], batch);
  };
  for (let batch = 0; batch < image[0]!; batch++) each(0, [], batch);
}
