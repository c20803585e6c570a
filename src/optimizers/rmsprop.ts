// RMSprop (Hinton, lecture 6e of "Neural Networks for Machine Learning", 2012), written with plain ops: the model of how
// an optimizer without a kernel of its own looks.

import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
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

export interface RmspropOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** Decay of the mean of squared gradients, in [0, 1]. Default 0.9. */
  rho?: number;
  /** In [0, 1]. Default 0. */
  momentum?: number;
  /** Added to the mean under the root. Default 1e-7. */
  epsilon?: number;
  /** Subtract the squared mean of gradients, so that the variance scales the step. Default false. */
  centered?: boolean;
}

/** See `rmsprop`. */
export class Rmsprop extends Optimizer {
  override readonly slotNames: readonly string[];
  private readonly rho: number;
  private readonly momentum: number;
  private readonly epsilon: number;
  private readonly centered: boolean;

  constructor(options: RmspropOptions = {}) {
    const name = "rmsprop";
    const known = [...OPTIMIZER_OPTIONS, "rho", "momentum", "epsilon", "centered"] as const;
    const o = checkOptions(name, options, known);
    const { rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false, ...rest } = o;
    super(name, { ...rest, learningRate: rest.learningRate ?? 0.001 });
    const isShare = (x: number) => x >= 0 && x <= 1;
    this.rho = checkNumber(name, "rho", rho, "in [0, 1]", isShare);
    this.momentum = checkNumber(name, "momentum", momentum, "in [0, 1]", isShare);
    this.epsilon = checkNumber(name, "epsilon", epsilon, "of at least 0", (x) => x >= 0);
    this.centered = checkBoolean(name, "centered", centered);
    this.slotNames = [
      "velocity",
      ...(momentum > 0 ? ["momentum"] : []),
      ...(centered ? ["averageGradient"] : []),
    ];
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const { rho, momentum, epsilon, centered } = this;
    const decayed = (mean: Value, x: Value) => ops.add(ops.multiply(mean, rho), ops.multiply(x, 1 - rho));
    const velocity = decayed(slots[0]!, ops.square(gradient));
    const average = centered ? decayed(slots.at(-1)!, gradient) : undefined;
    const spread = average ? ops.subtract(velocity, ops.square(average)) : velocity;
    const scaled = ops.multiply(gradient, hyper.learningRate);
    const increment = ops.divide(scaled, ops.sqrt(ops.add(spread, epsilon)));
    const moved = momentum > 0 ? ops.add(ops.multiply(slots[1]!, momentum), increment) : undefined;
    const present = [velocity, moved, average].filter((x) => x !== undefined);
    return { parameter: ops.subtract(parameter, moved ?? increment), slots: present };
  }

  override getConfig(): OptimizerConfig {
    const { rho, momentum, epsilon, centered } = this;
    return { name: "rmsprop", options: { ...this.baseConfig(), rho, momentum, epsilon, centered } };
  }
}

/** RMSprop: steps divided by the root of a running mean of squared gradients. */
export function rmsprop(options: RmspropOptions = {}): Rmsprop {
  return new Rmsprop(options);
}
