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

export interface SgdOptions extends OptimizerOptions {
  /** Default 0.01. */
  learningRate?: number;
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
    const { momentum, nesterov, weightDecay } = this;
    const slots = pairs.map(({ parameter, gradient, slots: [velocity] }) => ({
      parameter,
      gradient,
      velocity,
    }));
    const learningRate = this.learningRateVariable;
    const updated = ops.sgdUpdate(slots, { learningRate, momentum, nesterov, weightDecay });
    updated.forEach(({ parameter, velocity }, i) => {
      assignVariable(pairs[i]!.parameter, parameter);
      if (velocity) assignVariable(pairs[i]!.slots[0]!, velocity);
    });
  }

  override getConfig(): OptimizerConfig {
    const { learningRate, momentum, nesterov, weightDecay, name } = this;
    return { name: "sgd", options: { learningRate, momentum, nesterov, weightDecay, name } };
  }
}

/**
 * Gradient descent: `p -= learningRate * gradient`; with momentum `v = momentum * v - learningRate * gradient; p += v`.
 * @example optimizers.sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true })
 */
export function sgd(options: SgdOptions = {}): Sgd {
  return new Sgd(options);
}
