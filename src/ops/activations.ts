// Keras 3's activation functions, composed of primitives; their gradients follow by themselves.

import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxis } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { add, divide, minimum, multiply, subtract } from "./arithmetic.ts";
import { greater, less, lessEqual, where } from "./compare.ts";
import { abs, clip, exp, expm1, log1p, negative, relu, sigmoid, sqrt, square, tanh } from "./elementwise.ts";
import { geluExact, geluTanh } from "./gelu.ts";
import { type Operand, scalar, toFloat } from "./operand.ts";
import { shapeError } from "./record.ts";
import { max, sum } from "./reduce.ts";
import { cumsum, sort } from "./scan.ts";
import { arange, moveAxis, split } from "./shape.ts";

/** x for x > 0, alpha * (exp(x) - 1) elsewhere. */
export function elu(x: Operand, options?: { alpha?: number }): Value {
  const { alpha = 1 } = checkOptions("elu", options, ["alpha"]);
  const value = toFloat(x, "elu");
  // The exponential sees no positive x, so it cannot overflow into the gradient.
  const below = expm1(minimum(value, 0));
  return where(
    greater(value, 0),
    value,
    alpha === 1 ? below : multiply(below, checkNumber("elu", "alpha", alpha)),
  );
}

/** 1.0507... * elu(x, 1.6732...), which keeps mean 0 and variance 1. */
export function selu(x: Operand): Value {
  return multiply(elu(x, { alpha: 1.6732632423543772 }), 1.0507009873554805);
}

/** max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)). */
export function celu(x: Operand, options?: { alpha?: number }): Value {
  const { alpha = 1 } = checkOptions("celu", options, ["alpha"]);
  const value = toFloat(x, "celu");
  checkNumber("celu", "alpha", alpha, "other than 0", (a) => a !== 0);
  const below = multiply(expm1(divide(minimum(value, 0), alpha)), alpha);
  return where(greater(value, 0), value, below);
}

/** log(1 + exp(x)), without overflow. */
export function softplus(x: Operand): Value {
  const value = toFloat(x, "softplus");
  return add(relu(value), log1p(exp(negative(abs(value)))));
}

/** x / (1 + |x|). */
export function softsign(x: Operand): Value {
  const value = toFloat(x, "softsign");
  return divide(value, add(abs(value), 1));
}

/** x * sigmoid(x), also called swish. */
export function silu(x: Operand): Value {
  const value = toFloat(x, "silu");
  return multiply(value, sigmoid(value));
}

export const swish = silu;

/** x times the normal distribution function of x; `approximate` uses tanh instead of erf. */
export function gelu(x: Operand, options?: { approximate?: boolean }): Value {
  const { approximate = false } = checkOptions("gelu", options, ["approximate"]);
  return checkBoolean("gelu", "approximate", approximate) ? geluTanh(x) : geluExact(x);
}

/** x for x > 0, negativeSlope * x elsewhere (0.2 by default). */
export function leakyRelu(x: Operand, options?: { negativeSlope?: number }): Value {
  const { negativeSlope = 0.2 } = checkOptions("leakyRelu", options, ["negativeSlope"]);
  const value = toFloat(x, "leakyRelu");
  return where(
    greater(value, 0),
    value,
    multiply(value, checkNumber("leakyRelu", "negativeSlope", negativeSlope)),
  );
}

/** x limited to [0, 6]. */
export function relu6(x: Operand): Value {
  return minimum(relu(x), 6);
}

/** x / 6 + 0.5 limited to [0, 1]. */
export function hardSigmoid(x: Operand): Value {
  return clip(add(divide(x, 6), 0.5), 0, 1);
}

/** x * hardSigmoid(x), also called hard swish. */
export function hardSilu(x: Operand): Value {
  const value = toFloat(x, "hardSilu");
  return multiply(value, hardSigmoid(value));
}

export const hardSwish = hardSilu;

/** x limited to [-1, 1]. */
export function hardTanh(x: Operand): Value {
  return clip(toFloat(x, "hardTanh"), -1, 1);
}

/** x where |x| > threshold (0.5 by default), 0 elsewhere. */
export function hardShrink(x: Operand, options?: { threshold?: number }): Value {
  const { threshold = 0.5 } = checkOptions("hardShrink", options, ["threshold"]);
  const value = toFloat(x, "hardShrink");
  return where(greater(abs(value), checkNumber("hardShrink", "threshold", threshold)), value, 0);
}

/** x moved toward 0 by threshold (0.5 by default), 0 in between. */
export function softShrink(x: Operand, options?: { threshold?: number }): Value {
  const { threshold = 0.5 } = checkOptions("softShrink", options, ["threshold"]);
  const value = toFloat(x, "softShrink");
  checkNumber("softShrink", "threshold", threshold);
  const below = where(less(value, -threshold), add(value, threshold), 0);
  return where(greater(value, threshold), subtract(value, threshold), below);
}

/** x - tanh(x). */
export function tanhShrink(x: Operand): Value {
  const value = toFloat(x, "tanhShrink");
  return subtract(value, tanh(value));
}

/** x * tanh(softplus(x)). */
export function mish(x: Operand): Value {
  const value = toFloat(x, "mish");
  return multiply(value, tanh(softplus(value)));
}

/** log(sigmoid(x)), without overflow. */
export function logSigmoid(x: Operand): Value {
  return negative(softplus(negative(toFloat(x, "logSigmoid"))));
}

/** exp(x). */
export function exponential(x: Operand): Value {
  return exp(x);
}

/** x itself. */
export function linear(x: Operand): Value {
  return toFloat(x, "linear");
}

/** (x + sqrt(x^2 + b)) / 2, with b = 4 by default. */
export function squareplus(x: Operand, options?: { b?: number }): Value {
  const { b = 4 } = checkOptions("squareplus", options, ["b"]);
  const value = toFloat(x, "squareplus");
  return multiply(add(value, sqrt(add(square(value), checkNumber("squareplus", "b", b)))), 0.5);
}

/** 0 for x <= -1, x for x >= 1, (x + 1)^2 / 4 between. */
export function sparsePlus(x: Operand): Value {
  const value = toFloat(x, "sparsePlus");
  const middle = where(less(value, 1), multiply(square(add(value, 1)), 0.25), value);
  return where(lessEqual(value, -1), 0, middle);
}

/** 0 for x <= -1, 1 for x >= 1, (x + 1) / 2 between. */
export function sparseSigmoid(x: Operand): Value {
  const value = toFloat(x, "sparseSigmoid");
  const middle = where(less(value, 1), multiply(add(value, 1), 0.5), 1);
  return where(lessEqual(value, -1), 0, middle);
}

/** x where x > threshold, `value` elsewhere. */
export function threshold(x: Operand, limit: number, value: number): Value {
  const operand = toFloat(x, "threshold");
  checkNumber("threshold", "threshold", limit);
  return where(greater(operand, limit), operand, scalar(checkNumber("threshold", "value", value)));
}

/**
 * The nearest point to x on the simplex (Martins and Astudillo, 2016), along an axis (the last by default): like softmax,
 * with exact zeros.
 */
export function sparsemax(x: Operand, options?: { axis?: number }): Value {
  const { axis = -1 } = checkOptions("sparsemax", options, ["axis"]);
  const given = toFloat(x, "sparsemax");
  const at = normalizeAxis("sparsemax", axis, given.rank);
  const value = moveAxis(given, at, -1);
  const sorted = sort(value, { descending: true });
  const rank = add(arange(value.shape.at(-1)!), 1);
  // The support is the longest head of the sorted values with 1 + rank * value above its sum.
  const inside = greater(add(multiply(sorted, rank), 1), cumsum(sorted));
  const last = { axis: -1, keepDims: true };
  const tau = divide(subtract(sum(where(inside, sorted, 0), last), 1), max(where(inside, rank, 0), last));
  return moveAxis(relu(subtract(value, tau)), -1, at);
}

/** The first half of an axis (the last by default) times the sigmoid of the second: the axis is halved. */
export function glu(x: Operand, options?: { axis?: number }): Value {
  const { axis = -1 } = checkOptions("glu", options, ["axis"]);
  const value = toFloat(x, "glu");
  const at = normalizeAxis("glu", axis, value.rank);
  if (value.shape[at]! % 2 !== 0) {
    throw shapeError("glu", `expected axis ${at} of even size, got ${formatShape(value.shape)}`);
  }
  const [a, b] = split(value, 2, { axis: at }) as [Value, Value];
  return multiply(a, sigmoid(b));
}
