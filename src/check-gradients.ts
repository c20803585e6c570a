// Gradients against central differences, in double precision on the reference engine: the judge of gradient rules, the
// library's and the user's own.

import { backward } from "./autodiff/backward.ts";
import { type Built, build } from "./compile.ts";
import { describe, MyelinError } from "./core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "./core/options.ts";
import { Random } from "./core/random.ts";
import { sizeOf } from "./core/shape.ts";
import { Tensor, type TensorLike, tensor } from "./core/tensor.ts";
import { flatten } from "./core/tree.ts";
import { ReferenceEngine } from "./engine/reference.ts";
import type { ValueTree } from "./functions.ts";
import { Value } from "./graph/graph.ts";
import { add, multiply } from "./ops/arithmetic.ts";
import { sum } from "./ops/reduce.ts";

export interface CheckGradientsOptions {
  /** Distance of the two points a difference is taken between, halved. Default 1e-5. */
  epsilon?: number;
  /** Largest relative error that passes. Default 1e-6. */
  tolerance?: number;
  /** Random directions tried for each argument. Default 3. */
  directions?: number;
  /** Of the directions. Default 0. */
  seed?: number;
}

/** Gradients smaller than this count as this large when errors are made relative: below it differences are noise. */
const SMALLEST = 1e-6;

/**
 * Compares the gradient of a function with central differences along random directions, for each float32 argument.
 * @param fn from Values to a Value, or arrays and records of Values; results that are no scalars are weighted at random
 * @param at one tensor per argument: the point to check at, away from kinks
 * @returns the worst relative error
 * @throws MyelinError GRADIENT_MISMATCH naming the argument, when it is above the tolerance
 * @example await checkGradients((x, w) => ops.tanh(ops.matmul(x, w)), [tensor([[1, 2]]), tensor([[3], [4]])]);
 */
export async function checkGradients(
  fn: (...args: Value[]) => ValueTree,
  at: readonly TensorLike[],
  options?: CheckGradientsOptions,
): Promise<number> {
  const where = "checkGradients";
  const {
    epsilon = 1e-5,
    tolerance = 1e-6,
    directions = 3,
    seed = 0,
  } = checkOptions(where, options, ["epsilon", "tolerance", "directions", "seed"]);
  checkNumber(where, "epsilon", epsilon, "above 0", (x) => x > 0);
  checkNumber(where, "tolerance", tolerance, "of at least 0", (x) => x >= 0);
  checkInteger(where, "directions", directions, 1);
  if (!Array.isArray(at)) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a list of arguments, got ${describe(at)}`);
  }
  const random = new Random(checkInteger(where, "seed", seed));
  const point = at.map((x) => doubles(tensor(x)));
  const floats = point.flatMap((x, i) => (x.dtype === "float32" ? [i] : []));
  const built = buildBoth(fn, point, floats, random);
  const rerun = rerunner(built);
  const [, ...gradients] = await rerun(point);

  let worst = 0;
  for (const [g, argument] of floats.entries()) {
    const gradient = gradients[g]!.data;
    for (let d = 0; d < directions; d++) {
      const direction = unit(gradient.length, random);
      const value = async (sign: number): Promise<number> => {
        const moved = point[argument]!.data.map((x, i) => x + sign * epsilon * direction[i]!);
        const args = point.map((x, i) => (i === argument ? new Tensor(moved, x.shape, x.dtype) : x));
        return (await rerun(args))[0]!.item();
      };
      const expected = ((await value(1)) - (await value(-1))) / (2 * epsilon);
      const got = direction.reduce((s, x, i) => s + x * gradient[i]!, 0);
      const size = Math.max(Math.abs(expected), Math.abs(got), SMALLEST);
      // A NaN on either side is an error too.
      const error = Math.abs(expected - got) / size;
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
      if (!(error <= tolerance)) {
        throw new MyelinError(
          "GRADIENT_MISMATCH",
          `${where}: expected the derivative ${expected} by argument ${argument} along a random direction, ` +
            `got ${got} from its gradient (relative error ${error.toExponential(2)}, tolerance ${tolerance})`,
        );
      }
    }
  }
  return worst;
}

/** One Program that gives the weighted sum of all results, and its gradients. Folding would round constants to float32. */
function buildBoth(
  fn: (...args: Value[]) => ValueTree,
  point: readonly Tensor[],
  floats: readonly number[],
  random: Random,
): Built {
  const both = (...args: Value[]): Value[] => {
    const results = flatten("checkGradients: result", fn(...args), (x) =>
      x instanceof Value ? x : undefined,
    );
    const terms = results.leaves.filter((y) => y.dtype === "float32").map((y) => weighted(y, random));
    if (terms.length === 0) {
      throw new MyelinError("NOT_DIFFERENTIABLE", "checkGradients: expected a float32 result, got none");
    }
    const total = terms.reduce((a, b) => add(a, b));
    return [total, ...backward([total], [undefined], floats.map((i) => args[i]!))]; // biome-ignore format: one call
  };
  const engine = new ReferenceEngine({ precision: "float64" });
  const types = point.map(({ shape, dtype }) => ({ shape, dtype }));
  return build(both, types, { engine, passes: { fold: false }, name: "checkGradients" });
}

function weighted(y: Value, random: Random): Value {
  if (y.rank === 0) return y;
  const weights = Float32Array.from({ length: sizeOf(y.shape) }, () => random.normal());
  return sum(multiply(y, new Tensor(weights, y.shape, "float32")));
}

/** Runs from the same state every time: counters of random draws must not move on between two points. */
function rerunner(built: Built): (args: Tensor[]) => Promise<Tensor[]> {
  const before = built.variables.map((v) => v.read());
  return async (args) => {
    try {
      return await built.run(args);
    } finally {
      built.variables.forEach((v, i) => {
        v.write(before[i]!);
      });
    }
  };
}

function doubles(x: Tensor): Tensor {
  return x.dtype === "float32" ? new Tensor(Float64Array.from(x.data), x.shape, x.dtype) : x;
}

/** A random direction of length 1. */
function unit(n: number, random: Random): number[] {
  const v = Array.from({ length: n }, () => random.normal());
  const length = Math.hypot(...v) || 1;
  return v.map((x) => x / length);
}
