// The six schedules of Keras 3 (`keras/optimizers/schedules`), equation for equation.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../../core/options.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { BuiltInSchedule } from "./schedule.ts";

const isRate = (x: number) => x >= 0;
const checkRate = (where: string, name: string, x: unknown) =>
  checkNumber(where, name, x, "of at least 0", isRate);
const above0 = (where: string, name: string, x: unknown) =>
  checkNumber(where, name, x, "above 0", (v) => v > 0);

export interface ExponentialDecayOptions {
  initialLearningRate: number;
  /** Steps in which the rate is multiplied by `decayRate`. */
  decaySteps: number;
  decayRate: number;
  /** In jumps after every `decaySteps`. Default false. */
  staircase?: boolean;
}

const DECAY_OPTIONS = ["initialLearningRate", "decaySteps", "decayRate", "staircase"] as const;

function readDecay(where: string, options: ExponentialDecayOptions) {
  const o = checkOptions(where, options, DECAY_OPTIONS);
  return {
    initialLearningRate: checkRate(where, "initialLearningRate", o.initialLearningRate),
    decaySteps: above0(where, "decaySteps", o.decaySteps),
    decayRate: checkRate(where, "decayRate", o.decayRate),
    staircase: checkBoolean(where, "staircase", o.staircase ?? false),
  };
}

/** `initialLearningRate * decayRate ** (step / decaySteps)`. */
export function exponentialDecay(options: ExponentialDecayOptions): BuiltInSchedule {
  const o = readDecay("exponentialDecay", options);
  return new BuiltInSchedule({ name: "exponentialDecay", options: o }, (step, m) => {
    const passed = m.divide(step, o.decaySteps);
    const exponent = o.staircase ? m.floor(passed) : passed;
    return m.multiply(m.power(o.decayRate, exponent), o.initialLearningRate);
  });
}

/** `initialLearningRate / (1 + decayRate * step / decaySteps)`. */
export function inverseTimeDecay(options: ExponentialDecayOptions): BuiltInSchedule {
  const o = readDecay("inverseTimeDecay", options);
  return new BuiltInSchedule({ name: "inverseTimeDecay", options: o }, (step, m) => {
    const passed = m.divide(step, o.decaySteps);
    const times = m.multiply(o.staircase ? m.floor(passed) : passed, o.decayRate);
    return m.divide(o.initialLearningRate, m.add(times, 1));
  });
}

export interface PiecewiseConstantDecayOptions {
  /** Increasing steps up to and including which each value holds. */
  boundaries: readonly number[];
  /** One more than boundaries. */
  values: readonly number[];
}

/** `values[0]` up to step `boundaries[0]`, and so on; the last value after the last boundary. */
export function piecewiseConstantDecay(options: PiecewiseConstantDecayOptions): BuiltInSchedule {
  const where = "piecewiseConstantDecay";
  const { boundaries, values } = checkOptions(where, options, ["boundaries", "values"]);
  if (!Array.isArray(boundaries) || !Array.isArray(values) || values.length !== boundaries.length + 1) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected one value more than boundaries, got ${describe(values)} for ${describe(boundaries)}`,
    );
  }
  boundaries.forEach((b, i) => {
    checkInteger(where, "boundaries", b, i === 0 ? 0 : boundaries[i - 1] + 1);
  });
  for (const value of values) checkRate(where, "values", value);
  const config = { name: where, options: { boundaries: [...boundaries], values: [...values] } };
  return new BuiltInSchedule(config, <T>(step: T, m: Arithmetic<T>) => {
    // From the last boundary on: whichever a step does not pass sets the value anew.
    let rate: T = m.add(m.multiply(step, 0), values.at(-1)!);
    for (let i = boundaries.length - 1; i >= 0; i--) {
      rate = m.whereLess(step, boundaries[i] + 0.5, values[i]!, rate);
    }
    return rate;
  });
}

export interface PolynomialDecayOptions {
  initialLearningRate: number;
  decaySteps: number;
  /** Default 0.0001. */
  endLearningRate?: number;
  /** 1: a straight line. Default 1. */
  power?: number;
  /** Begin again with twice, three times ... the decaySteps when they have passed. Default false: the end stays. */
  cycle?: boolean;
}

/** `(initial - end) * (1 - step / decaySteps) ** power + end`. */
export function polynomialDecay(options: PolynomialDecayOptions): BuiltInSchedule {
  const where = "polynomialDecay";
  const known = ["initialLearningRate", "decaySteps", "endLearningRate", "power", "cycle"] as const;
  const given = checkOptions(where, options, known);
  const o = {
    initialLearningRate: checkRate(where, "initialLearningRate", given.initialLearningRate),
    decaySteps: above0(where, "decaySteps", given.decaySteps),
    endLearningRate: checkRate(where, "endLearningRate", given.endLearningRate ?? 0.0001),
    power: above0(where, "power", given.power ?? 1),
    cycle: checkBoolean(where, "cycle", given.cycle ?? false),
  };
  return new BuiltInSchedule({ name: where, options: o }, (step, m) => {
    const { decaySteps, endLearningRate: end } = o;
    const share = o.cycle
      ? m.divide(step, m.multiply(m.maximum(m.ceil(m.divide(step, decaySteps)), 1), decaySteps))
      : m.divide(m.minimum(step, decaySteps), decaySteps);
    const left = m.maximum(m.subtract(1, share), 0);
    const raised = o.power === 1 ? left : m.power(left, o.power);
    return m.add(m.multiply(raised, o.initialLearningRate - end), end);
  });
}

export interface CosineDecayOptions {
  initialLearningRate: number;
  /** Steps after the warm-up until the end. */
  decaySteps: number;
  /** The rate at the end, as a share of that at the beginning. Default 0. */
  alpha?: number;
  /** With it the rate first climbs on a line from `initialLearningRate` to this one. */
  warmupTarget?: number | null;
  /** Steps of the climb. Default 0. */
  warmupSteps?: number;
}

/** Half a cosine down (Loshchilov and Hutter, "SGDR", ICLR 2017), after a warm-up if asked for. */
export function cosineDecay(options: CosineDecayOptions): BuiltInSchedule {
  const where = "cosineDecay";
  const known = ["initialLearningRate", "decaySteps", "alpha", "warmupTarget", "warmupSteps"] as const;
  const given = checkOptions(where, options, known);
  const o = {
    initialLearningRate: checkRate(where, "initialLearningRate", given.initialLearningRate),
    decaySteps: above0(where, "decaySteps", given.decaySteps),
    alpha: checkRate(where, "alpha", given.alpha ?? 0),
    warmupTarget: given.warmupTarget == null ? null : checkRate(where, "warmupTarget", given.warmupTarget),
    warmupSteps: checkRate(where, "warmupSteps", given.warmupSteps ?? 0),
  };
  return new BuiltInSchedule({ name: where, options: o }, (step, m) => {
    const { initialLearningRate, warmupTarget, alpha } = o;
    const warmup = warmupTarget === null ? 0 : o.warmupSteps;
    const from = warmupTarget ?? initialLearningRate;
    const at = m.minimum(step, o.decaySteps + warmup);
    const share = m.divide(m.subtract(at, warmup), o.decaySteps);
    const decayed = cosine(share, m, alpha, from);
    if (warmup === 0) return decayed;
    const climbed = m.add(m.multiply(at, (from - initialLearningRate) / warmup), initialLearningRate);
    return m.whereLess(at, warmup, climbed, decayed);
  });
}

function cosine<T>(share: T, m: Arithmetic<T>, alpha: number, from: number): T {
  const wave = m.add(m.cos(m.multiply(share, Math.PI)), 1);
  return m.multiply(m.add(m.multiply(wave, 0.5 * (1 - alpha)), alpha), from);
}

export interface CosineDecayRestartsOptions {
  initialLearningRate: number;
  /** Steps until the first restart. */
  firstDecaySteps: number;
  /** Each period is this many times as long as the one before. Default 2. */
  tMul?: number;
  /** And begins at this many times its rate. Default 1. */
  mMul?: number;
  /** The rate at the end of a period, as a share of `initialLearningRate`. Default 0. */
  alpha?: number;
}

/** Periods beyond this many steps are not told apart: more than any training takes. */
const LAST_STEP = 2 ** 31;

/**
 * Cosine decays one after another, each longer and lower (Loshchilov and Hutter, 2017). Where periods begin is worked out
 * in double precision beforehand; Keras takes a logarithm in float32, by which a restart can come a step early or late.
 */
export function cosineDecayRestarts(options: CosineDecayRestartsOptions): BuiltInSchedule {
  const where = "cosineDecayRestarts";
  const known = ["initialLearningRate", "firstDecaySteps", "tMul", "mMul", "alpha"] as const;
  const given = checkOptions(where, options, known);
  const o = {
    initialLearningRate: checkRate(where, "initialLearningRate", given.initialLearningRate),
    firstDecaySteps: above0(where, "firstDecaySteps", given.firstDecaySteps),
    tMul: checkNumber(where, "tMul", given.tMul ?? 2, "of at least 1", (x) => x >= 1),
    mMul: checkRate(where, "mMul", given.mMul ?? 1),
    alpha: checkRate(where, "alpha", given.alpha ?? 0),
  };
  const { firstDecaySteps: first, tMul, mMul, alpha } = o;
  return new BuiltInSchedule({ name: where, options: o }, <T>(step: T, m: Arithmetic<T>) => {
    const wave = (share: T, factor: T | number) => {
      const height = m.multiply(m.add(m.cos(m.multiply(share, Math.PI)), 1), 0.5);
      const own = m.multiply(height, factor);
      return m.multiply(m.add(m.multiply(own, 1 - alpha), alpha), o.initialLearningRate);
    };
    if (tMul === 1) {
      const passed = m.divide(step, first);
      const period = m.floor(passed);
      return wave(m.subtract(passed, period), mMul === 1 ? 1 : m.power(mMul, period));
    }
    // What period a step is in: the last one that has begun.
    let rate = wave(m.divide(step, first), 1);
    let begin = first;
    let length = first * tMul;
    for (let period = 1; begin < LAST_STEP; period++) {
      const own = wave(m.divide(m.subtract(step, begin), length), mMul ** period);
      rate = m.whereLess(step, begin, rate, own);
      begin += length;
      length *= tMul;
    }
    return rate;
  });
}
