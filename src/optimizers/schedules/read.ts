// How what is given as a learning rate becomes a number or a schedule.

import { describe, MyelinError } from "../../core/errors.ts";
import { factoriesByName } from "../../core/factories.ts";
import { checkNumber } from "../../core/options.ts";
import * as decays from "./decays.ts";
import {
  FunctionSchedule,
  LearningRateSchedule,
  type ScheduleConfig,
  type ScheduleFunction,
} from "./schedule.ts";

/** A number, or the rate as a function of the steps taken: a schedule, a function of a Value, a saved schedule. */
export type LearningRate = number | LearningRateSchedule | ScheduleFunction | ScheduleConfig;

const factory = factoriesByName<LearningRateSchedule, keyof typeof decays>("schedule", decays as never);

/** @throws INVALID_OPTION */
export function readLearningRate(where: string, given: unknown): number | LearningRateSchedule {
  if (given instanceof LearningRateSchedule) return given;
  if (typeof given === "function") return new FunctionSchedule(given as ScheduleFunction);
  if (typeof given === "object" && given !== null && "name" in given && "options" in given) {
    const { name, options } = given as ScheduleConfig;
    return factory(where, name)(options);
  }
  if (typeof given === "number") {
    return checkNumber(where, "learningRate", given, "of at least 0", (x) => x >= 0);
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected learningRate to be a number of at least 0 or a schedule, got ${describe(given)}`,
  );
}
