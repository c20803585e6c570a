// What a constraint is: where a weight is brought back to after every step of the optimizer. Written with ops, part of
// the step's Program.

import { describe, MyelinError } from "../core/errors.ts";
import { checkNumber, checkOptions } from "../core/options.ts";
import { type Kind, resolve, type Serialized } from "../core/serialized.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";

/** A constraint as a plain function: the weight to the nearest one that is allowed. */
export type ConstraintFunction = (w: Value) => Value;

/** Base of constraints. */
export abstract class Constraint {
  /** The weight to use instead, of the same shape. */
  abstract call(w: Value): Value;
  /** The options that make it again; undefined where it only exists as code. */
  getConfig(): Record<string, unknown> | undefined {
    return undefined;
  }
}

/** A name ("maxNorm", "minMaxNorm", "nonNeg", "unitNorm"), a constraint, a function or a saved configuration. */
export type ConstraintLike = keyof typeof FACTORIES | Constraint | ConstraintFunction | Serialized;

/** Keeps quotients finite; Keras's backend epsilon. */
const EPSILON = 1e-7;

const positive = (x: number) => x >= 0;

/** Axes over which norms are taken: 0 for the kernels of dense layers, [0, 1, 2] for those of conv2d. */
type Axes = number | readonly number[];

function checkAxes(where: string, axis: unknown): Axes {
  const list = Array.isArray(axis) ? axis : [axis];
  if (list.length > 0 && list.every((a) => Number.isInteger(a))) return axis as Axes;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected axis to be whole numbers, got ${describe(axis)}`,
  );
}

const norms = (w: Value, axis: Axes): Value =>
  ops.sqrt(ops.sum(ops.square(w), { axis: axis as number | number[], keepDims: true }));

const scaled = (w: Value, wanted: Value, norm: Value): Value =>
  ops.multiply(w, ops.divide(wanted, ops.add(norm, EPSILON)));

/** Norms of at most `maxValue` (Srivastava et al., "Dropout", JMLR 2014). Defaults: maxValue 2, axis 0. */
export function maxNorm(options: { maxValue?: number; axis?: Axes } = {}): Constraint {
  const where = "maxNorm";
  const o = checkOptions(where, options, ["maxValue", "axis"]);
  const maxValue = checkNumber(where, "maxValue", o.maxValue ?? 2, "of at least 0", positive);
  const axis = checkAxes(where, o.axis ?? 0);
  return named("MaxNorm", { maxValue, axis }, (w) => {
    const norm = norms(w, axis);
    return scaled(w, ops.clip(norm, 0, maxValue), norm);
  });
}

export interface MinMaxNormOptions {
  /** Default 0. */
  minValue?: number;
  /** Default 1. */
  maxValue?: number;
  /** How much of the way is gone with each step: 1 holds strictly. In [0, 1]. Default 1. */
  rate?: number;
  /** Default 0. */
  axis?: Axes;
}

/** Norms between two bounds. */
export function minMaxNorm(options: MinMaxNormOptions = {}): Constraint {
  const where = "minMaxNorm";
  const o = checkOptions(where, options, ["minValue", "maxValue", "rate", "axis"]);
  const minValue = checkNumber(where, "minValue", o.minValue ?? 0, "of at least 0", positive);
  const maxValue = checkNumber(where, "maxValue", o.maxValue ?? 1, `of at least ${minValue}`, (x) => x >= minValue); // biome-ignore format: one line
  const rate = checkNumber(where, "rate", o.rate ?? 1, "in [0, 1]", (x) => x >= 0 && x <= 1);
  const axis = checkAxes(where, o.axis ?? 0);
  return named("MinMaxNorm", { minValue, maxValue, rate, axis }, (w) => {
    const norm = norms(w, axis);
    const kept = ops.multiply(ops.clip(norm, minValue, maxValue), rate);
    return scaled(w, ops.add(kept, ops.multiply(norm, 1 - rate)), norm);
  });
}

/** No element below 0. */
export function nonNeg(options: Record<string, never> = {}): Constraint {
  checkOptions("nonNeg", options, []);
  return named("NonNeg", {}, (w) => ops.maximum(w, 0));
}

/** Norms of 1. Default axis 0. */
export function unitNorm(options: { axis?: Axes } = {}): Constraint {
  const axis = checkAxes("unitNorm", checkOptions("unitNorm", options, ["axis"]).axis ?? 0);
  return named("UnitNorm", { axis }, (w) => ops.divide(w, ops.add(norms(w, axis), EPSILON)));
}

/** Gives a constraint the class name its configuration is saved under. */
function named(className: string, config: Record<string, unknown>, call: ConstraintFunction): Constraint {
  return new (class extends Constraint {
    static readonly className = className;
    override call(w: Value): Value {
      return call(w);
    }
    override getConfig() {
      return { ...config };
    }
  })();
}

const FACTORIES = { maxNorm, minMaxNorm, nonNeg, unitNorm };

const KIND: Kind<Constraint> = {
  what: "constraint",
  factories: FACTORIES,
  is: (x): x is Constraint => x instanceof Constraint,
  ofFunction: (fn) =>
    new (class extends Constraint {
      override call(w: Value): Value {
        return (fn as unknown as ConstraintFunction)(w);
      }
    })(),
};

/** Makes a Constraint of anything that stands for one. @throws INVALID_OPTION */
export function get(like: ConstraintLike, where = "constraints.get", option = "constraint"): Constraint {
  return resolve(KIND, where, option, like);
}
