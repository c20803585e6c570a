// Adadelta (Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012), with Keras's defaults.

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

export interface AdadeltaOptions extends OptimizerOptions {
  /** Default 0.001; the paper's form has 1. */
  learningRate?: LearningRate;
  /** Decay of both running means, in [0, 1]. Default 0.95. */
  rho?: number;
  /** Added to the means under the roots. Default 1e-7. */
  epsilon?: number;
}

/** See `adadelta`. */
export class Adadelta extends Optimizer {
  override readonly slotNames = ["accumulatedGradient", "accumulatedDelta"];
  private readonly rho: number;
  private readonly epsilon: number;

  constructor(options: AdadeltaOptions = {}) {
    const name = "adadelta";
    const known = [...OPTIMIZER_OPTIONS, "rho", "epsilon"] as const;
    const { rho = 0.95, epsilon = 1e-7, ...rest } = checkOptions(name, options, known);
    super(name, { ...rest, learningRate: rest.learningRate ?? 0.001 });
    this.rho = checkNumber(name, "rho", rho, "in [0, 1]", (x) => x >= 0 && x <= 1);
    this.epsilon = checkNumber(name, "epsilon", epsilon, "of at least 0", (x) => x >= 0);
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const { rho, epsilon } = this;
    const mean = (old: Value, x: Value) =>
      ops.add(ops.multiply(old, rho), ops.multiply(ops.square(x), 1 - rho));
    const rms = (x: Value) => ops.sqrt(ops.add(x, epsilon));
    const gradients = mean(slots[0]!, gradient);
    const delta = ops.divide(ops.multiply(rms(slots[1]!), gradient), rms(gradients));
    const moved = ops.subtract(parameter, ops.multiply(delta, hyper.learningRate));
    return { parameter: moved, slots: [gradients, mean(slots[1]!, delta)] };
  }

  override getConfig(): OptimizerConfig {
    const { rho, epsilon } = this;
    return { name: "adadelta", options: { ...this.baseConfig(), rho, epsilon } };
  }
}

/** Adadelta: steps as long as the steps before, relative to the gradients before. */
export function adadelta(options: AdadeltaOptions = {}): Adadelta {
  return new Adadelta(options);
}
