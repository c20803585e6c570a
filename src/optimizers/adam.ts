// Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014) and AdamW (Loshchilov and Hutter, "Decoupled
// Weight Decay Regularization", 2017), with Keras's defaults and its place for epsilon.

import { checkNumber, checkOptions } from "../core/options.ts";
import { assignVariable } from "../graph/trace.ts";
import * as ops from "../ops/index.ts";
import {
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type ParameterUpdate,
} from "./optimizer.ts";

export interface AdamOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: number;
  /** Decay of the mean of gradients, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of the mean of squared gradients, in [0, 1). Default 0.999. */
  beta2?: number;
  /** Added to the root in the denominator. Default 1e-7. */
  epsilon?: number;
}

/** See `adam` and `adamW`. */
export class Adam extends Optimizer {
  override readonly slotNames = ["momentum", "velocity"];
  private readonly kind: "adam" | "adamW";
  private readonly beta1: number;
  private readonly beta2: number;
  private readonly epsilon: number;

  constructor(kind: "adam" | "adamW", options: AdamOptions = {}) {
    const known = [...OPTIMIZER_OPTIONS, "beta1", "beta2", "epsilon"] as const;
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, ...rest } = checkOptions(kind, options, known);
    super(kind, { ...rest, learningRate: rest.learningRate ?? 0.001 });
    const isRate = (x: number) => x >= 0 && x < 1;
    this.kind = kind;
    this.beta1 = checkNumber(kind, "beta1", beta1, "in [0, 1)", isRate);
    this.beta2 = checkNumber(kind, "beta2", beta2, "in [0, 1)", isRate);
    this.epsilon = checkNumber(kind, "epsilon", epsilon, "of at least 0", (x) => x >= 0);
  }

  protected override applyAll(pairs: readonly ParameterUpdate[]): void {
    const { beta1, beta2, epsilon, weightDecay } = this;
    const slots = pairs.map(({ parameter, gradient, slots: [m, v] }) => ({
      parameter,
      gradient,
      m: m!,
      v: v!,
    }));
    const updated = ops.adamUpdate(slots, {
      learningRate: this.learningRateVariable,
      iteration: this.iterations,
      beta1,
      beta2,
      epsilon,
      weightDecay,
    });
    updated.forEach(({ parameter, m, v }, i) => {
      assignVariable(pairs[i]!.parameter, parameter);
      assignVariable(pairs[i]!.slots[0]!, m);
      assignVariable(pairs[i]!.slots[1]!, v);
    });
  }

  override getConfig(): OptimizerConfig {
    const { learningRate, beta1, beta2, epsilon, weightDecay, name } = this;
    return { name: this.kind, options: { learningRate, beta1, beta2, epsilon, weightDecay, name } };
  }
}

/**
 * Adam: steps scaled by running means of gradients and of their squares.
 * @example optimizers.adam({ learningRate: 1e-3 })
 */
export function adam(options: AdamOptions = {}): Adam {
  return new Adam("adam", options);
}

/** Adam with decoupled weight decay (default 0.004). */
export function adamW(options: AdamOptions = {}): Adam {
  return new Adam("adamW", { ...options, weightDecay: options.weightDecay ?? 0.004 });
}
