// Rotary position embedding: pairs of features are turned by an angle that grows with the position, so that products of
// queries and keys depend on how far apart they are.
//
// J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv 2104.09864 (2021).

import { checkNumber, checkOptions } from "../core/options.ts";
import { tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { add, multiply } from "./arithmetic.ts";
import { cos, negative, sin } from "./elementwise.ts";
import { type Operand, toFloat, toValue } from "./operand.ts";
import { formatTypes, shapeError } from "./record.ts";
import { arange, concatenate, constant, reshape, sliceAxis } from "./shape.ts";

export interface RotaryOptions {
  /** Where the rows of x stand: int32 [T] or [B, T]. Default 0 to T - 1. */
  positions?: Operand;
  /** The slowest turn is about one in 2 pi times this many positions. Default 10000. */
  base?: number;
}

/**
 * Turns feature i and feature i + D / 2 of x [B, T, H, D] by the angle position * base^(-2i / D): the half-split form of
 * GPT-NeoX and LLaMA (RoFormer's own pairs neighbours, which is the same up to an order of features).
 * @throws SHAPE_MISMATCH unless x has rank 4 and an even last axis
 * @example const q = ops.rotaryEmbedding(ops.reshape(queries, [batch, steps, heads, depth]));
 */
export function rotaryEmbedding(x: Operand, options?: RotaryOptions): Value {
  const name = "rotaryEmbedding";
  const { positions, base = 10000 } = checkOptions(name, options, ["positions", "base"]);
  checkNumber(name, "base", base, "above 0", (b) => b > 0);
  const value = toFloat(x, name);
  const [batch, steps, , depth] = value.shape as [number, number, number, number];
  if (value.rank !== 4 || depth % 2 !== 0) {
    throw shapeError(name, `expected [B, T, H, D] with an even D, got ${formatTypes([value])}`);
  }
  const at = positions === undefined ? arange(steps) : toValue(positions, "int32", name);
  const wanted = at.rank === 2 ? [batch, steps] : [steps];
  if (at.rank === 0 || at.rank > 2 || at.shape.some((d, i) => d !== wanted[i])) {
    throw shapeError(name, `expected positions [${steps}] or [${batch}, ${steps}], got ${formatTypes([at])}`);
  }
  const half = depth / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) => base ** ((-2 * i) / depth));
  const angles = multiply(
    reshape(toFloat(at, name), [...at.shape, 1, 1]),
    constant(tensor(frequencies, [half])),
  );
  const twice = (v: Value): Value => concatenate([v, v], { axis: -1 });
  const turned = concatenate([negative(sliceAxis(value, -1, half, depth)), sliceAxis(value, -1, 0, half)], {
    axis: -1,
  });
  return add(multiply(value, twice(cos(angles))), multiply(turned, twice(sin(angles))));
}
