// What the relatives of Adam share: two decay rates and an epsilon among their options, and running means.

import { checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { OPTIMIZER_OPTIONS, Optimizer, type OptimizerConfig, type OptimizerOptions } from "./optimizer.ts";
import type { LearningRate } from "./schedules/index.ts";

export interface MomentsOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** Decay of the mean of gradients, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of what is kept of their sizes, in [0, 1). Default 0.999. */
  beta2?: number;
  /** Added to the denominator. Default 1e-7. */
  epsilon?: number;
}

/** Names and ranges checked, defaults filled in. */
export function readMoments(name: string, options: MomentsOptions) {
  const known = [...OPTIMIZER_OPTIONS, "beta1", "beta2", "epsilon"] as const;
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, ...rest } = checkOptions(name, options, known);
  const isRate = (x: number) => x >= 0 && x < 1;
  return {
    base: { ...rest, learningRate: rest.learningRate ?? 0.001 },
    beta1: checkNumber(name, "beta1", beta1, "in [0, 1)", isRate),
    beta2: checkNumber(name, "beta2", beta2, "in [0, 1)", isRate),
    epsilon: checkNumber(name, "epsilon", epsilon, "of at least 0", (x) => x >= 0),
  };
}

/** Base of those that have exactly these options. */
export abstract class MomentsOptimizer extends Optimizer {
  protected readonly beta1: number;
  protected readonly beta2: number;
  protected readonly epsilon: number;
  private readonly kind: string;

  constructor(kind: string, options: MomentsOptions) {
    const { base, beta1, beta2, epsilon } = readMoments(kind, options);
    super(kind, base);
    this.kind = kind;
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
  }

  override getConfig(): OptimizerConfig {
    const { beta1, beta2, epsilon } = this;
    return { name: this.kind, options: { ...this.baseConfig(), beta1, beta2, epsilon } };
  }
}

/** mean + (x - mean) * (1 - beta). */
export function runningMean(mean: Value, x: Value, beta: number): Value {
  return ops.add(mean, ops.multiply(ops.subtract(x, mean), 1 - beta));
}
