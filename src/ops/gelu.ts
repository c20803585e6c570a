// GELU and its derivative as ops of their own: a training step then keeps x and the result alone, where a composition
// would keep every value in between, and transformers are mostly that.
//
// D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv 1606.08415 (2016).

import type { Value } from "../graph/graph.ts";
import { add, multiply, subtract } from "./arithmetic.ts";
import { exp, sigmoid, square } from "./elementwise.ts";
import { binary, unary } from "./family.ts";
import { erf } from "./special.ts";

/** Left of this the result is 0 in double precision, and -infinity need not meet 0. */
const LOWEST = -40;
const DENSITY = 1 / Math.sqrt(2 * Math.PI);
/** tanh(u) = 2 sigmoid(2 u) - 1 with u = sqrt(2 / pi) (x + CUBIC x^3). */
const SLOPE = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

const bounded = (x: number): number => Math.max(LOWEST, Math.min(-LOWEST, x));
const share = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2));
const tanhShare = (x: number): number => 1 / (1 + Math.exp(-SLOPE * (x + CUBIC * x * x * x)));

/** x times the share of a normal distribution below x. */
export const geluExact = unary("gelu", {
  apply: (x) => Math.max(LOWEST, x) * share(x),
  gradient: (g, x) => geluGrad(x, g),
});

/** g times the derivative of gelu at x. */
export const geluGrad = binary("geluGrad", {
  domain: "float",
  apply: (x, g) => {
    const t = bounded(x);
    return g * (share(x) + t * DENSITY * Math.exp(-0.5 * t * t));
  },
  gradient: (by, x, g) => {
    const density = multiply(exp(multiply(square(x), -0.5)), DENSITY);
    const second = multiply(density, subtract(2, square(x)));
    return [multiply(multiply(by, g), second), geluGrad(x, by)];
  },
});

/** gelu with the share approximated by tanh. */
export const geluTanh = unary("geluTanh", {
  apply: (x) => Math.max(LOWEST, x) * tanhShare(x),
  gradient: (g, x) => geluTanhGrad(x, g),
});

/** g times the derivative of geluTanh at x. */
export const geluTanhGrad = binary("geluTanhGrad", {
  domain: "float",
  apply: (x, g) => {
    const [s, t] = [tanhShare(x), bounded(x)];
    return g * (s + t * s * (1 - s) * SLOPE * (1 + 3 * CUBIC * t * t));
  },
  gradient: (by, x, g) => [multiply(multiply(by, g), tanhSecond(x)), geluTanhGrad(x, by)],
});

function tanhSecond(x: Value): Value {
  const squared = square(x);
  const s = sigmoid(multiply(multiply(x, SLOPE), add(multiply(squared, CUBIC), 1)));
  const w = multiply(add(multiply(squared, 3 * CUBIC), 1), SLOPE);
  const turn = multiply(multiply(subtract(1, multiply(s, 2)), x), square(w));
  const sum = add(add(multiply(w, 2), turn), multiply(squared, 6 * SLOPE * CUBIC));
  return multiply(multiply(s, subtract(1, s)), sum);
}
