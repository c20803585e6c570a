// What a learning-rate schedule is: the rate as a function of the steps taken. It is worked out inside the Program, so
// that a training with a schedule is as fast as one without.

import { MyelinError } from "../../core/errors.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { type Arithmetic, onNumbers, onValues } from "./arithmetic.ts";

/** A schedule as data: its registered name and the options it was made with. */
export interface ScheduleConfig {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A schedule as a plain function: steps taken (a float32 scalar) to the rate. */
export type ScheduleFunction = (step: Value) => Value;

/**
 * Base of schedules.
 * @example
 * class Halving extends LearningRateSchedule {
 *   call(step) { return ops.divide(0.1, ops.add(step, 1)); }
 * }
 */
export abstract class LearningRateSchedule {
  /** The rate of the next step. @param step float32 scalar: steps taken so far, 0 in the first */
  abstract call(step: Value): Value;

  /** The same on the host; undefined where a schedule cannot say. */
  at(_step: number): number | undefined {
    return undefined;
  }

  /** @internal What makes this schedule again; undefined where it only exists as code. */
  getConfig(): ScheduleConfig | undefined {
    return undefined;
  }
}

/** One of the six of Keras, from its formula. */
export class BuiltInSchedule extends LearningRateSchedule {
  constructor(
    private readonly config: ScheduleConfig,
    private readonly formula: <T>(step: T, m: Arithmetic<T>) => T,
  ) {
    super();
  }

  override call(step: Value): Value {
    return this.formula(step, onValues);
  }

  override at(step: number): number {
    return this.formula(step, onNumbers);
  }

  override getConfig(): ScheduleConfig {
    return this.config;
  }
}

/** A user's function as a schedule. */
export class FunctionSchedule extends LearningRateSchedule {
  constructor(private readonly fn: ScheduleFunction) {
    super();
  }

  override call(step: Value): Value {
    const rate = ops.toValue(this.fn(step), "float32");
    if (rate.rank === 0) return rate;
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `learningRate: expected the schedule to give a scalar, got shape [${rate.shape}]`,
    );
  }
}
