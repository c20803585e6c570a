// Images through a kernel, as blurring and sharpening need it.

import { tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";

/** Every channel by itself with one kernel; zeros around. */
export function filtered(images: Value, kernel: Value): Value {
  const [height, width] = kernel.shape as [number, number];
  const channels = images.shape.at(-1)!;
  const each = ops.broadcastTo(ops.reshape(kernel, [height, width, 1, 1]), [height, width, channels, 1]);
  return ops.depthwiseConv(images, each, { padding: "same" });
}

/** The weights of a normal distribution about the middle of `size` places, which sum to one. */
export function bell(size: number, sigma: Value): Value {
  const places = ops.constant(tensor(Float32Array.from({ length: size }, (_, i) => i - (size - 1) / 2)));
  const spread = ops.multiply(ops.square(sigma), 2);
  const weights = ops.exp(ops.negative(ops.divide(ops.square(places), spread)));
  return ops.divide(weights, ops.sum(weights));
}
