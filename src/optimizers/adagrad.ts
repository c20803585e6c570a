// Adagrad (Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR
// 2011), with Keras's defaults.

import { checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import {
  type Hyper,
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type SlotSpec,
  type Updated,
} from "./optimizer.ts";
import type { LearningRate } from "./schedules/index.ts";

export interface AdagradOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** What sums of squared gradients start with, at least 0. Default 0.1. */
  initialAccumulatorValue?: number;
  /** Added to the sum under the root. Default 1e-7. */
  epsilon?: number;
}

/** See `adagrad`. */
export class Adagrad extends Optimizer {
  private readonly initialAccumulatorValue: number;
  private readonly epsilon: number;

  constructor(options: AdagradOptions = {}) {
    const name = "adagrad";
    const known = [...OPTIMIZER_OPTIONS, "initialAccumulatorValue", "epsilon"] as const;
    const { initialAccumulatorValue = 0.1, epsilon = 1e-7, ...rest } = checkOptions(name, options, known);
    super(name, { ...rest, learningRate: rest.learningRate ?? 0.001 });
    const isNotNegative = (x: number) => x >= 0;
    const start = initialAccumulatorValue;
    this.initialAccumulatorValue = checkNumber(name, "initialAccumulatorValue", start, "of at least 0", isNotNegative); // biome-ignore format: one call
    this.epsilon = checkNumber(name, "epsilon", epsilon, "of at least 0", isNotNegative);
  }

  protected override slotSpecs(): readonly SlotSpec[] {
    return [{ name: "accumulator", initial: this.initialAccumulatorValue }];
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const sum = ops.add(slots[0]!, ops.square(gradient));
    const step = ops.divide(ops.multiply(gradient, hyper.learningRate), ops.sqrt(ops.add(sum, this.epsilon)));
    return { parameter: ops.subtract(parameter, step), slots: [sum] };
  }

  override getConfig(): OptimizerConfig {
    const { initialAccumulatorValue, epsilon } = this;
    return { name: "adagrad", options: { ...this.baseConfig(), initialAccumulatorValue, epsilon } };
  }
}

/** Adagrad: steps divided by the root of the sum of all squared gradients so far. */
export function adagrad(options: AdagradOptions = {}): Adagrad {
  return new Adagrad(options);
}
