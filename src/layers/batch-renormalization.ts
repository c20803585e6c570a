// Batch renormalization (Ioffe, "Batch Renormalization: Towards Reducing Minibatch Dependence in Batch-Normalized Models", 2017):
// in training a batch's own statistics are corrected towards moving ones, so that a small or uneven batch is treated as it
// will be in inference.

import { describe, MyelinError } from "../core/errors.ts";
import { checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer } from "../initializers/initializer.ts";
import * as ops from "../ops/index.ts";

/** Bounds of the correction x * r + d; without a bound it is not clipped. */
export interface RenormClipping {
  /** Of r; below rmax. */
  rmin?: number;
  rmax?: number;
  /** Of d, both ways; at least 0. */
  dmax?: number;
}

/** What a layer keeps for it, each of the size of its axis. */
export interface RenormState {
  readonly movingStddev: Variable;
  readonly renormMean: Variable;
  readonly renormStddev: Variable;
}

export function checkRenormClipping(where: string, value: unknown): RenormClipping {
  if (value === null || value === undefined) return {};
  if (typeof value !== "object") {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected renormClipping to be { rmin, rmax, dmax }, got ${describe(value)}`,
    );
  }
  const name = `${where}, renormClipping`;
  const { rmin, rmax, dmax } = checkOptions(name, value as RenormClipping, ["rmin", "rmax", "dmax"]);
  if (rmin !== undefined) checkNumber(name, "rmin", rmin);
  if (rmax !== undefined)
    checkNumber(name, "rmax", rmax, "above rmin", (x) => rmin === undefined || x > rmin);
  if (dmax !== undefined) checkNumber(name, "dmax", dmax, "of at least 0", (x) => x >= 0);
  return value as RenormClipping;
}

/** The deviations a layer starts with, from what makes its variances. */
export function rootOf(variances: Initializer): Initializer {
  return {
    className: variances.className,
    getConfig: () => variances.getConfig(),
    make: (shape, dtype, random) => {
      const made = variances.make(shape, dtype, random);
      for (let i = 0; i < made.length; i++) made[i] = Math.sqrt(made[i]!);
      return made;
    },
  };
}

/** The correction of a batch with these statistics, [size] each: constants to the gradient. */
export function correction(
  mean: Value,
  variance: Value,
  state: RenormState,
  epsilon: number,
  { rmin, rmax, dmax }: RenormClipping,
): { r: Value; d: Value } {
  const stddev = ops.sqrt(ops.add(variance, epsilon));
  const usual = ops.maximum(state.renormStddev, Math.sqrt(epsilon));
  let r = ops.divide(stddev, usual);
  let d = ops.divide(ops.subtract(mean, state.renormMean), usual);
  if (rmin !== undefined) r = ops.maximum(r, rmin);
  if (rmax !== undefined) r = ops.minimum(r, rmax);
  if (dmax !== undefined) d = ops.clip(d, -dmax, dmax);
  return { r: ops.stopGradient(r), d: ops.stopGradient(d) };
}

/** Moves the averages that training uses, and those for inference. @returns the variance for inference */
export function moveRenorm(
  mean: Value,
  variance: Value,
  state: RenormState,
  o: { epsilon: number; momentum: number; renormMomentum: number },
): Value {
  const move = (average: Variable, value: Value, momentum: number) =>
    ops.assign(average, ops.add(ops.multiply(average, momentum), ops.multiply(value, 1 - momentum)));
  const stddev = ops.sqrt(ops.add(variance, o.epsilon));
  move(state.renormMean, mean, o.renormMomentum);
  move(state.renormStddev, stddev, o.renormMomentum);
  const moved = move(state.movingStddev, stddev, o.momentum);
  return ops.relu(ops.subtract(ops.square(moved), o.epsilon));
}
