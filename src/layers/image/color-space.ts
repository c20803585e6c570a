// Colours as hue, saturation and value, and as grey.

import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";

function channels(images: Value): [Value, Value, Value] {
  const part = (c: number) => ops.sliceAxis(images, images.rank - 1, c, c + 1);
  return [part(0), part(1), part(2)];
}

/** Hue, saturation and value of red, green and blue, each [..., 1]; for values in [0, 1] all in [0, 1]. */
export function rgbToHsv(images: Value): [h: Value, s: Value, v: Value] {
  const [r, g, b] = channels(images);
  const value = ops.maximum(ops.maximum(r, g), b);
  const size = ops.subtract(value, ops.minimum(ops.minimum(r, g), b));
  const isColored = ops.greater(size, 0);
  const saturation = ops.where(
    ops.greater(value, 0),
    ops.divide(size, ops.where(ops.equal(value, 0), 1, value)),
    0,
  );
  const unit = ops.divide(1 / 6, ops.where(isColored, size, 1));
  const hue = (a: Value, c: Value, from: number) => ops.add(ops.multiply(unit, ops.subtract(a, c)), from);
  const byGreen = ops.where(ops.equal(g, value), hue(b, r, 2 / 6), hue(r, g, 4 / 6));
  const any = ops.where(ops.equal(r, value), hue(g, b, 0), byGreen);
  const h = ops.where(isColored, any, 0);
  return [ops.where(ops.less(h, 0), ops.add(h, 1), h), saturation, value];
}

/** Back to [..., 3]. */
export function hsvToRgb(h: Value, s: Value, v: Value): Value {
  const turn = ops.multiply(h, 6);
  const far = (from: number) => ops.abs(ops.subtract(turn, from));
  const share = [ops.subtract(far(3), 1), ops.subtract(2, far(2)), ops.subtract(2, far(4))];
  const rest = ops.subtract(1, s);
  const colors = share.map((d) => ops.multiply(ops.add(rest, ops.multiply(s, ops.clip(d, 0, 1))), v));
  return ops.concatenate(colors, { axis: -1 });
}

/** The brightness that eyes see, in every channel. */
export function grayscale(images: Value): Value {
  const [r, g, b] = channels(images);
  const sum = ops.add(ops.add(ops.multiply(r, 0.2989), ops.multiply(g, 0.587)), ops.multiply(b, 0.114));
  return ops.broadcastTo(sum, images.shape);
}
