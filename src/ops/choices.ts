// Random whole numbers, choices and orders, made of uniform numbers.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { formatShape, type Shape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { add, subtract } from "./arithmetic.ts";
import { less } from "./compare.ts";
import { cast, floor, log, negative } from "./elementwise.ts";
import { gather } from "./gather.ts";
import { type Operand, toFloat, toValue } from "./operand.ts";
import { permutation, type Seed, uniform } from "./random.ts";
import { argmax, sum } from "./reduce.ts";
import { expandDims } from "./shape.ts";

/** Whole numbers from min up to, not including, max, each as likely. int32; a range of at most 2^24. */
export function randint(shape: Shape, min: number, max: number, options?: { seed?: Seed }): Value {
  const where = "random.randint";
  const { seed } = checkOptions(where, options, ["seed"]);
  checkInteger(where, "min", min, -(2 ** 31), 2 ** 31 - 1);
  checkInteger(where, "max", max, min + 1, min + 2 ** 24);
  return add(cast(floor(uniform(shape, { min: 0, max: max - min, seed })), "int32"), min);
}

/** The rows of x (or its slices along `axis`) in random order. */
export function shuffle(x: Operand, options?: { axis?: number; seed?: Seed }): Value {
  const { axis = 0, seed } = checkOptions("random.shuffle", options, ["axis", "seed"]);
  const value = toValue(x, undefined, "random.shuffle");
  const size = value.shape[axis < 0 ? axis + value.rank : axis] ?? 0;
  return gather(value, permutation(size, { seed }), { axis });
}

/**
 * Classes drawn by their logits, by adding Gumbel noise and taking the greatest (Gumbel, 1954).
 * @param logits [rows, classes]
 * @returns int32 [rows, numSamples]
 */
export function categorical(logits: Operand, numSamples: number, options?: { seed?: Seed }): Value {
  const where = "random.categorical";
  const { seed } = checkOptions(where, options, ["seed"]);
  checkInteger(where, "numSamples", numSamples, 1);
  const value = toFloat(logits, where);
  if (value.rank !== 2)
    throw new MyelinError("SHAPE_MISMATCH", `${where}: expected logits [rows, classes], got ${formatShape(value.shape)}`); // biome-ignore format: one line
  const [rows, classes] = value.shape as [number, number];
  // Never 0, whose logarithm is no number; the grid of uniform numbers is 2^-24 wide.
  const u = add(uniform([rows, numSamples, classes], { seed }), 2 ** -25);
  return argmax(subtract(expandDims(value, 1), log(negative(log(u)))), { axis: -1 });
}

/**
 * How many of `counts` trials succeed, float32. Draws a number for every trial: for small counts.
 * @param probabilities of success, a number or what broadcasts to shape
 */
export function binomial(
  shape: Shape,
  counts: number,
  probabilities: Operand,
  options?: { seed?: Seed },
): Value {
  const where = "random.binomial";
  const { seed } = checkOptions(where, options, ["seed"]);
  checkInteger(where, "counts", counts, 1);
  const trials = less(uniform([counts, ...shape], { seed }), toFloat(probabilities, where));
  return sum(cast(trials, "float32"), { axis: 0 });
}
