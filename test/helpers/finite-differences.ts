// Gradients against central differences, in float64 on the plain evaluation. One random direction per check: the cost does
// not grow with the size, and a wrong element anywhere shows.

import { backward } from "../../src/autodiff/backward.ts";
import { Random } from "../../src/core/random.ts";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import { Tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { add, constant, multiply, sum } from "../../src/ops/index.ts";
import { evaluate } from "./evaluate.ts";

export type Fn = (...args: Value[]) => Value | readonly Value[];

/** Step of the differences. Fourth order: the error is about its fourth power, and 1e-13 of rounding over it. */
const STEP = 1e-3;

/** The float32 outputs of fn as one number: each element weighted by a fixed random one. */
export function weighted(fn: Fn, seed = 1): (...args: Value[]) => Value {
  return (...args) => {
    const random = new Random(seed);
    const outputs = ([fn(...args)].flat() as Value[]).filter((y) => y.dtype === "float32");
    const terms = outputs.map((y) => sum(multiply(y, constant(direction(y.shape, random)))));
    return terms.reduce((a, b) => add(a, b));
  };
}

/** The gradient function of weighted(fn), by its float32 arguments: to be checked again for second derivatives. */
export function gradientOf(fn: Fn, seed = 1): (...args: Value[]) => readonly Value[] {
  return (...args) => {
    const wrt = args.filter((x) => x.dtype === "float32");
    return backward([weighted(fn, seed)(...args)], [undefined], wrt);
  };
}

function direction(shape: Shape, random: Random): Tensor {
  const data = Float32Array.from(
    { length: sizeOf(shape) },
    () => Math.round(random.uniform() * 512 - 256) / 256,
  );
  return new Tensor(data, shape, "float32");
}

export interface Derivatives {
  /** Along one random direction. */
  readonly analytic: number;
  readonly numeric: number;
  /** What the difference should be compared with: the size of the terms behind both. */
  readonly scale: number;
}

/** The derivative of weighted(fn) along a random direction of its float32 arguments, both ways. */
export function derivatives(fn: Fn, args: readonly Tensor[], seed = 1): Derivatives {
  const random = new Random(seed, 1);
  const floats = args.filter((t) => t.dtype === "float32");
  const along = floats.map((t) => direction(t.shape, random).data);
  const grads = evaluate(gradientOf(fn, seed), args, "float64");
  let analytic = 0;
  let scale = 1;
  grads.forEach((g, i) => {
    for (let j = 0; j < g.size; j++) {
      analytic += g.data[j]! * along[i]![j]!;
      scale = Math.max(scale, Math.abs(g.data[j]! * along[i]![j]!));
    }
  });
  const scalar = weighted(fn, seed);
  const at = (h: number): number => {
    const moved = args.map((t) => {
      const k = floats.indexOf(t);
      return k < 0
        ? t
        : new Tensor(
            Float64Array.from(t.data, (x, j) => x + h * along[k]![j]!),
            t.shape,
            t.dtype,
          );
    });
    return evaluate(scalar, moved, "float64")[0]!.item();
  };
  const numeric = (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP);
  return { analytic, numeric, scale };
}
