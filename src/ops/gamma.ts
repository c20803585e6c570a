// Numbers of gamma and beta distributions, made of normal and uniform ones.

import { checkOptions } from "../core/options.ts";
import { Random } from "../core/random.ts";
import type { Shape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { add, divide, maximum, multiply, subtract } from "./arithmetic.ts";
import { greater, less, logicalAnd, logicalNot, where } from "./compare.ts";
import { exp, log, sigmoid, sqrt, square } from "./elementwise.ts";
import { type Operand, toFloat } from "./operand.ts";
import { normal, type Seed, uniform } from "./random.ts";
import { zeros } from "./shape.ts";

/** Independent sources for the draws of one function: a number is split, a generator serves all by its streams. */
function part(seed: Seed | undefined, index: number): Seed | undefined {
  return typeof seed === "number" ? new Random(seed, index).bits() : seed;
}

/** How often a candidate is drawn for each gamma number: every one is accepted with more than 95 %, so 1 in 10^10 is not. */
const GAMMA_ROUNDS = 8;

/** Logarithms of gamma numbers of this shape parameter, which may be as small as it likes. */
function logGamma(shape: Shape, alpha: Operand, seed: Seed | undefined): Value {
  // Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 2000, for alpha + 1; the power of a
  // uniform number brings it down to alpha.
  const d = add(toFloat(alpha, "random.gamma"), 2 / 3);
  const c = divide(1, sqrt(multiply(d, 9)));
  let found = zeros(shape);
  let isOpen: Value | undefined;
  for (let round = 0; round < GAMMA_ROUNDS; round++) {
    const x = normal(shape, { seed: part(seed, 2 * round) });
    const root = add(multiply(x, c), 1);
    const v = multiply(square(root), root);
    const bound = add(multiply(square(x), 0.5), multiply(d, add(subtract(1, v), log(maximum(v, 1e-30)))));
    const u = add(uniform(shape, { seed: part(seed, 2 * round + 1) }), 2 ** -25);
    const fits = logicalAnd(greater(root, 0), less(log(u), bound));
    found = isOpen ? where(logicalAnd(isOpen, fits), v, found) : where(fits, v, 1);
    isOpen = isOpen ? logicalAnd(isOpen, logicalNot(fits)) : logicalNot(fits);
  }
  const last = add(uniform(shape, { seed: part(seed, 2 * GAMMA_ROUNDS) }), 2 ** -25);
  return add(log(multiply(d, found)), divide(log(last), alpha));
}

/**
 * float32 numbers of a gamma distribution with scale 1.
 * @param alpha the shape parameter, above 0
 */
export function gamma(shape: Shape, alpha: Operand, options?: { seed?: Seed }): Value {
  return exp(logGamma(shape, alpha, checkOptions("random.gamma", options, ["seed"]).seed));
}

/** float32 numbers of a beta distribution, in [0, 1]. */
export function beta(shape: Shape, alpha: Operand, betaParameter: Operand, options?: { seed?: Seed }): Value {
  const { seed } = checkOptions("random.beta", options, ["seed"]);
  const [a, b] = [logGamma(shape, alpha, seed), logGamma(shape, betaParameter, part(seed, -1))];
  // a / (a + b), of logarithms: both may be too small for float32.
  return sigmoid(subtract(a, b));
}
