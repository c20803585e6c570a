// Random boxes in images.

import { tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import type { Draw } from "./random-image.ts";

export interface Box {
  /** bool [batch, height, width, 1]. */
  readonly inside: Value;
  /** Share of the image, [batch, 1, 1, 1]. */
  readonly share: Value;
}

/**
 * A box somewhere in every image.
 * @param wide its sides as shares of those of the image, [batch, 1, 1, 1]
 */
export function box({ height, width, uniform }: Draw, wide: Value, high: Value): Box {
  const side = (length: number, share: Value) => {
    const size = ops.multiply(share, length);
    const begin = ops.multiply(uniform([0, 1]), ops.subtract(length, size));
    return { begin, end: ops.add(begin, size) };
  };
  const [x, y] = [side(width, wide), side(height, high)];
  const places = (length: number, shape: number[]) =>
    ops.constant(
      tensor(
        Float32Array.from({ length }, (_, i) => i),
        shape,
      ),
    );
  const within = (at: Value, { begin, end }: { begin: Value; end: Value }) =>
    ops.logicalAnd(ops.greaterEqual(at, begin), ops.less(at, end));
  const inside = ops.logicalAnd(
    within(places(width, [1, 1, width, 1]), x),
    within(places(height, [1, height, 1, 1]), y),
  );
  const area = ops.multiply(ops.subtract(x.end, x.begin), ops.subtract(y.end, y.begin));
  return { inside, share: ops.divide(area, width * height) };
}
