// Adamax (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014, section 7.1), with Keras's place for epsilon.

import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { MomentsOptimizer, type MomentsOptions, runningMean } from "./moments.ts";
import type { Hyper, Updated } from "./optimizer.ts";

export interface AdamaxOptions extends MomentsOptions {}

/** See `adamax`. */
export class Adamax extends MomentsOptimizer {
  override readonly slotNames = ["momentum", "norm"];

  constructor(options: AdamaxOptions = {}) {
    super("adamax", options);
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const { beta1, beta2, epsilon } = this;
    const m = runningMean(slots[0]!, gradient, beta1);
    const u = ops.maximum(ops.multiply(slots[1]!, beta2), ops.abs(gradient));
    const correction = ops.subtract(1, ops.power(beta1, hyper.step));
    const step = ops.divide(
      ops.multiply(m, hyper.learningRate),
      ops.multiply(ops.add(u, epsilon), correction),
    );
    return { parameter: ops.subtract(parameter, step), slots: [m, u] };
  }
}

/** Adamax: Adam with the largest decayed gradient so far in place of the root of the mean of squares. */
export function adamax(options: AdamaxOptions = {}): Adamax {
  return new Adamax(options);
}
