// callbacks.learningRateScheduler: the learning rate of every epoch, from a function.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import { Callback, type Logs } from "../callback.ts";
import { speaker } from "./say.ts";

/** @param epoch from 0 @param learningRate the present one @returns the one for this epoch */
export type EpochSchedule = (epoch: number, learningRate: number) => number;

export interface LearningRateSchedulerOptions {
  /** 1: say what was set. Default 0. */
  verbose?: 0 | 1;
}

const WHERE = "learningRateScheduler";

/** See `learningRateScheduler`. */
export class LearningRateScheduler extends Callback {
  private readonly say: (text: string) => void;

  constructor(
    private readonly schedule: EpochSchedule,
    options?: LearningRateSchedulerOptions,
  ) {
    super();
    if (typeof schedule !== "function") {
      throw new MyelinError(
        "INVALID_OPTION",
        `${WHERE}: expected schedule to be a function (epoch, learningRate) => number, got ${describe(schedule)}`,
      );
    }
    this.say = speaker(WHERE, checkOptions(WHERE, options, ["verbose"]).verbose);
  }

  override onEpochBegin(epoch: number): void {
    const optimizer = this.model.optimizer!;
    const rate = this.schedule(epoch, optimizer.learningRate);
    if (typeof rate !== "number" || !(rate >= 0) || rate === Number.POSITIVE_INFINITY) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${WHERE}: expected the schedule to return a number of at least 0, got ${describe(rate)} for epoch ${epoch}`,
      );
    }
    optimizer.learningRate = rate;
    this.say(`Epoch ${epoch + 1}: learningRateScheduler sets the learning rate to ${rate}`);
  }

  override onEpochEnd(_epoch: number, logs: Logs): void {
    logs.learningRate = Math.fround(this.model.optimizer!.learningRate);
  }
}

/**
 * Sets the learning rate at the beginning of every epoch, and logs it as `learningRate`.
 * @param schedule from the epoch (counted from 0) and the present learning rate to the next
 * @throws INVALID_ARGUMENT in fit, when it returns no number of at least 0 or the optimizer has a schedule of its own
 * @example callbacks.learningRateScheduler((epoch, lr) => (epoch < 10 ? lr : lr * 0.9))
 */
export function learningRateScheduler(
  schedule: EpochSchedule,
  options?: LearningRateSchedulerOptions,
): LearningRateScheduler {
  return new LearningRateScheduler(schedule, options);
}
