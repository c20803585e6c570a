// Schedule-free AdamW (Defazio et al., "The Road Less Scheduled", 2024), Keras's form: averaging takes the place of a
// falling learning rate.

import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { type MomentsOptions, readMoments, runningMean } from "./moments.ts";
import {
  type Hyper,
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type SlotSpec,
  type Updated,
} from "./optimizer.ts";

/** Defaults: learningRate 0.0025, beta1 0.9, beta2 0.999, epsilon 1e-8. */
export interface ScheduleFreeAdamWOptions extends MomentsOptions {
  /** Steps over which the learning rate rises from 0. Default 0: none. */
  warmupSteps?: number;
}

/** See `scheduleFreeAdamW`. */
export class ScheduleFreeAdamW extends Optimizer {
  private readonly beta1: number;
  private readonly beta2: number;
  private readonly epsilon: number;
  private readonly warmupSteps: number;

  constructor(options: ScheduleFreeAdamWOptions = {}) {
    const name = "scheduleFreeAdamW";
    const known = [...OPTIMIZER_OPTIONS, "beta1", "beta2", "epsilon", "warmupSteps"] as const;
    const { warmupSteps = 0, ...rest } = checkOptions(name, options, known);
    const { learningRate = 0.0025, epsilon = 1e-8 } = rest;
    const read = readMoments(name, { ...rest, learningRate, epsilon });
    super(name, read.base);
    // The average is recovered from the parameter by a division.
    this.beta1 = checkNumber(name, "beta1", read.beta1, "in (0, 1)", (x) => x > 0);
    this.beta2 = read.beta2;
    this.epsilon = read.epsilon;
    this.warmupSteps = checkInteger(name, "warmupSteps", warmupSteps);
  }

  protected override slotSpecs(): readonly SlotSpec[] {
    return [{ name: "momentum", initial: "parameter" }, { name: "velocity" }];
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const { beta1, beta2, epsilon, warmupSteps } = this;
    const { step } = hyper;
    const warm = warmupSteps > 0 ? ops.minimum(ops.divide(step, warmupSteps), 1) : 1;
    const v = runningMean(slots[1]!, ops.square(gradient), beta2);
    const spread = ops.sqrt(ops.divide(v, ops.subtract(1, ops.power(beta2, step))));
    const scaled = ops.multiply(gradient, ops.multiply(hyper.learningRate, warm));
    const z = ops.subtract(slots[0]!, ops.divide(scaled, ops.add(spread, epsilon)));
    // The parameter holds y, between z and the average x: beta1 * x + (1 - beta1) * z.
    const x = ops.divide(ops.subtract(parameter, ops.multiply(slots[0]!, 1 - beta1)), beta1);
    const weight = ops.divide(1, step);
    const next = ops.add(ops.multiply(x, ops.subtract(1, weight)), ops.multiply(z, weight));
    return { parameter: ops.add(ops.multiply(z, 1 - beta1), ops.multiply(next, beta1)), slots: [z, v] };
  }

  override getConfig(): OptimizerConfig {
    const { beta1, beta2, epsilon, warmupSteps } = this;
    const options = { ...this.baseConfig(), beta1, beta2, epsilon, warmupSteps };
    return { name: "scheduleFreeAdamW", options };
  }
}

/** AdamW that needs no schedule of the learning rate. */
export function scheduleFreeAdamW(options: ScheduleFreeAdamWOptions = {}): ScheduleFreeAdamW {
  return new ScheduleFreeAdamW(options);
}
