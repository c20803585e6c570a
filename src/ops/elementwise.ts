// Elementwise ops of one operand. Floating ones take integers too, by casting them to float32.

import { DTYPES, type DType } from "../core/dtype.ts";
import { checkOneOf } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { add, divide, maximum, minimum, multiply, subtract } from "./arithmetic.ts";
import { greater, where } from "./compare.ts";
import { unary } from "./family.ts";
import { castTo, type Operand, toValue } from "./operand.ts";
import { erf as erfOf, roundHalfEven } from "./special.ts";

/** -x; int32 wraps. */
export const negative = unary("negative", {
  domain: "number",
  loop: (x, y) => {
    for (let i = 0; i < y.length; i++) y[i] = -x[i]!;
  },
  gradient: (g) => negative(g),
});

/** |x|, with gradient 0 at 0. */
export const abs = unary("abs", {
  domain: "number",
  apply: Math.abs,
  gradient: (g, x) => multiply(g, sign(x)),
});

/** -1, 0 or 1; NaN stays NaN. Gradient 0. */
export const sign = unary("sign", { domain: "number", apply: Math.sign, gradient: () => null });

/** Largest whole number not above x. Gradient 0; integers pass unchanged, as for `ceil` and `round`. */
export const floor = unary("floor", { domain: "whole", apply: Math.floor, gradient: () => null });

/** Smallest whole number not below x. */
export const ceil = unary("ceil", { domain: "whole", apply: Math.ceil, gradient: () => null });

/** Nearest whole number, halves to the even one. */
export const round = unary("round", { domain: "whole", apply: roundHalfEven, gradient: () => null });

export const exp = unary("exp", { apply: Math.exp, gradient: (g, _x, y) => multiply(g, y) });

/** exp(x) - 1, accurate near 0. */
export const expm1 = unary("expm1", { apply: Math.expm1, gradient: (g, _x, y) => multiply(g, add(y, 1)) });

/** Natural logarithm: -Infinity at 0, NaN below. */
export const log = unary("log", { apply: Math.log, gradient: (g, x) => divide(g, x) });

/** log(1 + x), accurate near 0. */
export const log1p = unary("log1p", { apply: Math.log1p, gradient: (g, x) => divide(g, add(x, 1)) });

export const sqrt = unary("sqrt", {
  loop: (x, y) => {
    for (let i = 0; i < y.length; i++) y[i] = Math.sqrt(x[i]!);
  },
  gradient: (g, _x, y) => divide(multiply(g, 0.5), y),
});

/** 1 / sqrt(x). */
export const rsqrt = unary("rsqrt", {
  apply: (x) => 1 / Math.sqrt(x),
  gradient: (g, _x, y) => multiply(g, multiply(multiply(square(y), y), -0.5)),
});

/** x * x; int32 wraps. */
export const square = unary("square", {
  domain: "number",
  loop: (x, y) => {
    for (let i = 0; i < y.length; i++) y[i] = x[i]! * x[i]!;
  },
  applyInt: (x) => Math.imul(x, x),
  gradient: (g, x) => multiply(g, multiply(x, 2)),
});

/** 1 / x. */
export const reciprocal = unary("reciprocal", {
  apply: (x) => 1 / x,
  gradient: (g, _x, y) => negative(multiply(g, square(y))),
});

export const sin = unary("sin", { apply: Math.sin, gradient: (g, x) => multiply(g, cos(x)) });

export const cos = unary("cos", { apply: Math.cos, gradient: (g, x) => negative(multiply(g, sin(x))) });

export const tanh = unary("tanh", {
  apply: Math.tanh,
  gradient: (g, _x, y) => multiply(g, subtract(1, square(y))),
});

/** 1 / (1 + exp(-x)). */
export const sigmoid = unary("sigmoid", {
  apply: (x) => 1 / (1 + Math.exp(-x)),
  gradient: (g, _x, y) => multiply(g, multiply(y, subtract(1, y))),
});

/** The error function. */
export const erf = unary("erf", {
  apply: erfOf,
  gradient: (g, x) => multiply(g, multiply(exp(negative(square(x))), 2 / Math.sqrt(Math.PI))),
});

/** max(x, 0), NaN stays NaN. The gradient is 0 at 0, and read off the result so that x need not be kept. */
export const relu = unary("relu", {
  loop: (x, y) => {
    for (let i = 0; i < y.length; i++) y[i] = Math.max(x[i]!, 0);
  },
  gradient: (g, _x, y) => where(greater(y, 0), g, 0),
});

/**
 * Converts to another dtype. float32 to int32 truncates toward zero and saturates (NaN gives 0), to bool tests for
 * non-zero, to uint8 keeps the low 8 bits.
 * @example cast(labels, "int32")
 */
export function cast(x: Operand, dtype: DType): Value {
  return castTo(toValue(x, dtype, "cast"), checkOneOf("cast", "dtype", dtype, DTYPES));
}

/** Limits x to [min, max]; the gradient passes inside and at the bounds. Bounds broadcast like any operand. */
export function clip(x: Operand, min: Operand, max: Operand): Value {
  return minimum(maximum(x, min), max);
}
