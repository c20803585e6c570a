// LAMB (You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2019), Keras's form.

import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { MomentsOptimizer, type MomentsOptions, runningMean } from "./moments.ts";
import type { Hyper, Updated } from "./optimizer.ts";

export interface LambOptions extends MomentsOptions {}

/** See `lamb`. */
export class Lamb extends MomentsOptimizer {
  override readonly slotNames = ["momentum", "velocity"];

  constructor(options: LambOptions = {}) {
    super("lamb", options);
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const { beta1, beta2, epsilon } = this;
    const m = runningMean(slots[0]!, gradient, beta1);
    const v = runningMean(slots[1]!, ops.square(gradient), beta2);
    const mHat = ops.divide(m, ops.subtract(1, ops.power(beta1, hyper.step)));
    const vHat = ops.divide(v, ops.subtract(1, ops.power(beta2, hyper.step)));
    const step = ops.divide(mHat, ops.add(ops.sqrt(vHat), epsilon));
    const [ofParameter, ofStep] = [parameter, step].map((x) => ops.sqrt(ops.sum(ops.square(x))));
    const isPositive = ops.logicalAnd(ops.greater(ofParameter!, 0), ops.greater(ofStep!, 0));
    const ratio = ops.where(isPositive, ops.divide(ofParameter!, ofStep!), 1);
    const moved = ops.subtract(parameter, ops.multiply(step, ops.multiply(ratio, hyper.learningRate)));
    return { parameter: moved, slots: [m, v] };
  }
}

/** LAMB: Adam's direction, as long as the parameter it belongs to, times the learning rate. For large batches. */
export function lamb(options: LambOptions = {}): Lamb {
  return new Lamb(options);
}
