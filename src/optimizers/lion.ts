// Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023), with Keras's defaults.

import { checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import {
  type Hyper,
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type Updated,
} from "./optimizer.ts";
import type { LearningRate } from "./schedules/index.ts";

export interface LionOptions extends OptimizerOptions {
  /** Default 0.001; 3 to 10 times smaller than Adam's is usual. */
  learningRate?: LearningRate;
  /** Share of the momentum in the step's direction, in (0, 1]. Default 0.9. */
  beta1?: number;
  /** Decay of the momentum, in [0, 1]. Default 0.99. */
  beta2?: number;
}

/** See `lion`. */
export class Lion extends Optimizer {
  override readonly slotNames = ["momentum"];
  private readonly beta1: number;
  private readonly beta2: number;

  constructor(options: LionOptions = {}) {
    const name = "lion";
    const known = [...OPTIMIZER_OPTIONS, "beta1", "beta2"] as const;
    const { beta1 = 0.9, beta2 = 0.99, ...rest } = checkOptions(name, options, known);
    super(name, { ...rest, learningRate: rest.learningRate ?? 0.001 });
    this.beta1 = checkNumber(name, "beta1", beta1, "in (0, 1]", (x) => x > 0 && x <= 1);
    this.beta2 = checkNumber(name, "beta2", beta2, "in [0, 1]", (x) => x >= 0 && x <= 1);
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const mix = (beta: number) => ops.add(ops.multiply(slots[0]!, beta), ops.multiply(gradient, 1 - beta));
    const step = ops.multiply(ops.sign(mix(this.beta1)), hyper.learningRate);
    return { parameter: ops.subtract(parameter, step), slots: [mix(this.beta2)] };
  }

  override getConfig(): OptimizerConfig {
    const { beta1, beta2 } = this;
    return { name: "lion", options: { ...this.baseConfig(), beta1, beta2 } };
  }
}

/** Lion: steps of one size, in the direction of the momentum's sign. */
export function lion(options: LionOptions = {}): Lion {
  return new Lion(options);
}
