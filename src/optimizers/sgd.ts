// Gradient descent, with momentum and Nesterov's look ahead.

import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import { assignVariable } from "../graph/trace.ts";
import * as ops from "../ops/index.ts";
import {
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type ParameterUpdate,
} from "./optimizer.ts";
import type { LearningRate } from "./schedules/index.ts";

export interface SgdOptions extends OptimizerOptions {
  /** Default 0.01. */
  learningRate?: LearningRate;
  /** In [0, 1]: how much of the last step is kept. Default 0. */
  momentum?: number;
  /** Take the gradient's step from where the momentum leads. Default false. */
  nesterov?: boolean;
}

/** See `sgd`. */
export class Sgd extends Optimizer {
  override readonly slotNames: readonly string[];
  private readonly momentum: number;
  private readonly nesterov: boolean;

  constructor(options: SgdOptions = {}) {
    const name = "sgd";
    const known = [...OPTIMIZER_OPTIONS, "momentum", "nesterov"] as const;
    const { momentum = 0, nesterov = false, ...rest } = checkOptions(name, options, known);
    super(name, { ...rest, learningRate: rest.learningRate ?? 0.01 });
    this.momentum = checkNumber(name, "momentum", momentum, "in [0, 1]", (m) => m >= 0 && m <= 1);
    this.nesterov = checkBoolean(name, "nesterov", nesterov);
    this.slotNames = momentum > 0 ? ["momentum"] : [];
  }

  protected override applyAll(pairs: readonly ParameterUpdate[]): void {
    const { momentum, nesterov, averagesInStep } = this;
    for (const [group, options] of this.sweeps(pairs)) {
      const slots = group.map(({ parameter, gradient, slots }) => ({
        parameter,
        gradient,
        velocity: momentum > 0 ? slots[0]! : undefined,
        average: averagesInStep ? slots.at(-1)! : undefined,
      }));
      const updated = ops.sgdUpdate(slots, { ...options, momentum, nesterov });
      updated.forEach(({ parameter, velocity, average }, i) => {
        assignVariable(group[i]!.parameter, parameter);
        if (velocity) assignVariable(group[i]!.slots[0]!, velocity);
        if (average) assignVariable(group[i]!.slots.at(-1)!, average);
      });
    }
  }

  override getConfig(): OptimizerConfig {
    const { momentum, nesterov } = this;
    return { name: "sgd", options: { ...this.baseConfig(), momentum, nesterov } };
  }
}

/**
 * Gradient descent: `p -= learningRate * gradient`; with momentum `v = momentum * v - learningRate * gradient; p += v`.
 * @example optimizers.sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true })
 */
export function sgd(options: SgdOptions = {}): Sgd {
  return new Sgd(options);
}
