// Nadam (Dozat, "Incorporating Nesterov Momentum into Adam", 2015), with Keras's schedule of the momentum.

import type { Value } from "../graph/graph.ts";
import { assignVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { MomentsOptimizer, type MomentsOptions, runningMean } from "./moments.ts";
import type { Hyper, Updated } from "./optimizer.ts";

export interface NadamOptions extends MomentsOptions {}

/** See `nadam`. */
export class Nadam extends MomentsOptimizer {
  override readonly slotNames = ["momentum", "velocity"];
  /** uProduct: the product of the momenta of all steps so far. */
  override readonly shared: { readonly uProduct: Variable };

  constructor(options: NadamOptions = {}) {
    super("nadam", options);
    const initial = () => Float32Array.of(1);
    this.shared = {
      uProduct: new Variable([], "float32", { name: `${this.name}/uProduct`, trainable: false, initial }),
    };
  }

  /** The momentum of a step. */
  private momentumAt(step: Value): Value {
    return ops.multiply(ops.subtract(1, ops.multiply(ops.power(0.96, step), 0.5)), this.beta1);
  }

  protected override beginStep({ step }: Hyper): void {
    assignVariable(this.shared.uProduct, ops.multiply(this.shared.uProduct, this.momentumAt(step)));
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const { beta1, beta2, epsilon } = this;
    const product = ops.toValue(this.shared.uProduct);
    const now = this.momentumAt(hyper.step);
    const next = this.momentumAt(ops.add(hyper.step, 1));
    const ofMean = ops.divide(next, ops.subtract(1, ops.multiply(product, next)));
    const ofGradient = ops.divide(ops.subtract(1, now), ops.subtract(1, product));
    const m = runningMean(slots[0]!, gradient, beta1);
    const v = runningMean(slots[1]!, ops.square(gradient), beta2);
    const ahead = ops.add(ops.multiply(m, ofMean), ops.multiply(gradient, ofGradient));
    const spread = ops.divide(v, ops.subtract(1, ops.power(beta2, hyper.step)));
    const step = ops.divide(ops.multiply(ahead, hyper.learningRate), ops.add(ops.sqrt(spread), epsilon));
    return { parameter: ops.subtract(parameter, step), slots: [m, v] };
  }
}

/** Nadam: Adam with Nesterov's look ahead. */
export function nadam(options: NadamOptions = {}): Nadam {
  return new Nadam(options);
}
