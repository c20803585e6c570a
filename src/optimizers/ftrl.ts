// FTRL-Proximal (McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013), with Keras's options.

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

export interface FtrlOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** How the learning rate of a parameter falls with its gradients, at most 0: 0 keeps it. Default -0.5. */
  learningRatePower?: number;
  /** What sums of squared gradients start with, at least 0. Default 0.1. */
  initialAccumulatorValue?: number;
  /** At least 0. Default 0. */
  l1RegularizationStrength?: number;
  /** At least 0; a penalty that stabilises. Default 0. */
  l2RegularizationStrength?: number;
  /** At least 0; a penalty on size, only where there are gradients. Default 0. */
  l2ShrinkageRegularizationStrength?: number;
  /** The paper's beta. Default 0. */
  beta?: number;
}

const DEFAULTS = {
  learningRatePower: -0.5,
  initialAccumulatorValue: 0.1,
  l1RegularizationStrength: 0,
  l2RegularizationStrength: 0,
  l2ShrinkageRegularizationStrength: 0,
  beta: 0,
};
type Name = keyof typeof DEFAULTS;

/** See `ftrl`. */
export class Ftrl extends Optimizer {
  private readonly numbers: Readonly<Record<Name, number>>;

  constructor(options: FtrlOptions = {}) {
    const where = "ftrl";
    const names = Object.keys(DEFAULTS) as Name[];
    const known = checkOptions(where, options, [...OPTIMIZER_OPTIONS, ...names]);
    super(where, { ...known, learningRate: known.learningRate ?? 0.001 });
    const read = (name: Name) =>
      name === "learningRatePower"
        ? checkNumber(where, name, known[name] ?? DEFAULTS[name], "of at most 0", (x) => x <= 0)
        : checkNumber(where, name, known[name] ?? DEFAULTS[name], "of at least 0", (x) => x >= 0);
    this.numbers = Object.fromEntries(names.map((n) => [n, read(n)])) as Record<Name, number>;
  }

  protected override slotSpecs(): readonly SlotSpec[] {
    return [{ name: "accumulator", initial: this.numbers.initialAccumulatorValue }, { name: "linear" }];
  }

  override update(p: Value, gradient: Value, slots: readonly Value[], { learningRate }: Hyper): Updated {
    const { learningRatePower, beta } = this.numbers;
    const { l1RegularizationStrength: l1, l2RegularizationStrength: l2 } = this.numbers;
    const shrinkage = 2 * this.numbers.l2ShrinkageRegularizationStrength;
    const raised = (x: Value) =>
      learningRatePower === -0.5 ? ops.sqrt(x) : ops.power(x, -learningRatePower);
    const pulled = shrinkage === 0 ? gradient : ops.add(gradient, ops.multiply(p, shrinkage));
    const sum = ops.add(slots[0]!, ops.square(gradient));
    const root = raised(sum);
    const sigma = ops.divide(ops.subtract(root, raised(slots[0]!)), learningRate);
    const linear = ops.add(slots[1]!, ops.subtract(pulled, ops.multiply(sigma, p)));
    const stabilised = ops.add(2 * l2, ops.divide(beta, learningRate));
    const quadratic = ops.add(ops.divide(root, learningRate), stabilised);
    const kept = ops.maximum(ops.minimum(linear, l1), -l1);
    return { parameter: ops.divide(ops.subtract(kept, linear), quadratic), slots: [sum, linear] };
  }

  override getConfig(): OptimizerConfig {
    return { name: "ftrl", options: { ...this.baseConfig(), ...this.numbers } };
  }
}

/** "Follow the regularized leader": for sparse linear models, with parameters that become exactly 0 under `l1`. */
export function ftrl(options: FtrlOptions = {}): Ftrl {
  return new Ftrl(options);
}
