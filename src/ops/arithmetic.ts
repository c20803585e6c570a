// Elementwise arithmetic of two operands, with NumPy broadcasting and promotion. int32 wraps modulo 2^32.

import type { Value } from "../graph/graph.ts";
import { equal, greater, greaterEqual, lessEqual, where } from "./compare.ts";
import { exp, log, negative, reciprocal, square } from "./elementwise.ts";
import { binary } from "./family.ts";
import { type Operand, toFloat, toValue } from "./operand.ts";
import { floorDivideInt, modInt, mod as modOf } from "./special.ts";

/** x + y. */
export const add = binary("add", {
  loop: (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = a[i]! + b[j]!;
  },
  gradient: (g) => [g, g],
});

/** x - y. */
export const subtract = binary("subtract", {
  loop: (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = a[i]! - b[j]!;
  },
  gradient: (g) => [g, negative(g)],
});

/** x * y. */
export const multiply = binary("multiply", {
  loop: (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = a[i]! * b[j]!;
  },
  applyInt: Math.imul,
  gradient: (g, x, y) => [multiply(g, y), multiply(g, x)],
});

/** x / y, always in float32. */
export const divide = binary("divide", {
  domain: "float",
  loop: (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = a[i]! / b[j]!;
  },
  gradient: (g, _x, y, z) => [divide(g, y), negative(multiply(g, divide(z, y)))],
});

const powerOp = binary("power", {
  domain: "float",
  apply: pow,
  gradient(g, x, y, z) {
    // Where y is 0 the derivative by x is 0 even at x = 0; where x is not positive the one by y is taken as 0.
    const lowered = power(x, where(equal(y, 0), 1, subtract(y, 1)));
    const logX = log(where(greater(x, 0), x, 1));
    return [multiply(g, multiply(y, lowered)), multiply(g, multiply(z, logX))];
  },
});

/** C's pow where it differs from JavaScript's: 1 to any power is 1, also -1 to an infinite one. */
function pow(x: number, y: number): number {
  if (x === 1 || (x === -1 && (y === Infinity || y === -Infinity))) return 1;
  return x ** y;
}

/** x to the power y in float32. Exponents 1, 2 and -1 given as numbers become x, x * x and 1 / x. */
export const power = Object.assign(
  (x: Operand, y: Operand): Value => {
    if (y === 1) return toFloat(x, "power");
    if (y === 2) return square(toFloat(x, "power"));
    if (y === -1) return reciprocal(x);
    return powerOp(x, y);
  },
  { op: powerOp.op },
);

/** Remainder with the sign of the divisor, as NumPy's mod. int32: a zero divisor gives 0. */
export const mod = binary("mod", {
  apply: modOf,
  applyInt: modInt,
  gradient: (g, x, y) => [g, negative(multiply(g, floorDivide(x, y)))],
});

/** floor(x / y); the gradient is 0. int32: a zero divisor gives 0. */
export const floorDivide = binary("floorDivide", {
  apply: (x, y) => Math.floor(x / y),
  applyInt: floorDivideInt,
  gradient: () => [null, null],
});

/** The smaller one; NaN if either is. Ties send the gradient to x. */
export const minimum = binary("minimum", {
  loop: (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = Math.min(a[i]!, b[j]!);
  },
  gradient: (g, x, y) => route(lessEqual(x, y), g),
});

/** The larger one; NaN if either is. Ties send the gradient to x. */
export const maximum = binary("maximum", {
  loop: (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = Math.max(a[i]!, b[j]!);
  },
  gradient: (g, x, y) => route(greaterEqual(x, y), g),
});

function route(toFirst: Value, g: Value): readonly [Value, Value] {
  return [where(toFirst, g, 0), where(toFirst, 0, g)];
}

/** log(exp(x) + exp(y)) without overflow. */
export function logAddExp(x: Operand, y: Operand): Value {
  const [a, b] = [toFloat(x, "logAddExp"), toFloat(y, "logAddExp")];
  const top = maximum(a, b);
  return add(top, log(add(exp(subtract(a, top)), exp(subtract(b, top)))));
}

/** (x - y)^2. */
export function squaredDifference(x: Operand, y: Operand): Value {
  return square(subtract(toValue(x, undefined, "squaredDifference"), y));
}
