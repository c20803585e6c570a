// Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014) and AdamW (Loshchilov and Hutter, "Decoupled
// Weight Decay Regularization", 2017), with Keras's defaults and its place for epsilon.

import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import { assignVariable } from "../graph/trace.ts";
import * as ops from "../ops/index.ts";
import {
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type ParameterUpdate,
  type SweepRun,
} from "./optimizer.ts";
import type { LearningRate } from "./schedules/index.ts";

export interface AdamOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** Decay of the mean of gradients, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of the mean of squared gradients, in [0, 1). Default 0.999. */
  beta2?: number;
  /** Added to the root in the denominator. Default 1e-7. */
  epsilon?: number;
  /** Divide by the root of the largest mean so far (Reddi, Kale and Kumar, 2018). Default false. */
  amsgrad?: boolean;
}

/** See `adam` and `adamW`. */
export class Adam extends Optimizer {
  override readonly slotNames: readonly string[];
  private readonly kind: "adam" | "adamW" | "lazyAdam";
  protected readonly beta1: number;
  protected readonly beta2: number;
  protected readonly epsilon: number;
  private readonly amsgrad: boolean;

  constructor(kind: "adam" | "adamW" | "lazyAdam", options: AdamOptions = {}) {
    const known = [...OPTIMIZER_OPTIONS, "beta1", "beta2", "epsilon", "amsgrad"] as const;
    const o = checkOptions(kind, options, known);
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, amsgrad = false, ...rest } = o;
    super(kind, { ...rest, learningRate: rest.learningRate ?? 0.001 });
    const isRate = (x: number) => x >= 0 && x < 1;
    this.kind = kind;
    this.beta1 = checkNumber(kind, "beta1", beta1, "in [0, 1)", isRate);
    this.beta2 = checkNumber(kind, "beta2", beta2, "in [0, 1)", isRate);
    this.epsilon = checkNumber(kind, "epsilon", epsilon, "of at least 0", (x) => x >= 0);
    this.amsgrad = checkBoolean(kind, "amsgrad", amsgrad);
    this.slotNames = ["momentum", "velocity", ...(amsgrad ? ["velocityHat"] : [])];
  }

  protected override applyAll(pairs: readonly ParameterUpdate[]): void {
    for (const [group, options] of this.sweeps(pairs)) this.updateGroup(group, options);
  }

  protected updateGroup(group: readonly ParameterUpdate[], options: SweepRun): void {
    const { beta1, beta2, epsilon, amsgrad, averagesInStep } = this;
    const names = ["m", "v", ...(amsgrad ? ["vHat"] : []), ...(averagesInStep ? ["average"] : [])] as const;
    const slots = group.map(({ parameter, gradient, slots }) => {
      const own = Object.fromEntries(names.map((name, i) => [name, slots[i]!]));
      return { parameter, gradient, ...own } as ops.AdamSlot;
    });
    const updated = ops.adamUpdate(slots, { ...options, beta1, beta2, epsilon, amsgrad });
    updated.forEach((values, i) => {
      assignVariable(group[i]!.parameter, values.parameter);
      names.forEach((name, k) => {
        assignVariable(group[i]!.slots[k]!, values[name as "m"]);
      });
    });
  }

  override getConfig(): OptimizerConfig {
    const { beta1, beta2, epsilon, amsgrad } = this;
    return { name: this.kind, options: { ...this.baseConfig(), beta1, beta2, epsilon, amsgrad } };
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
