// Dynamic loss scaling around another optimizer: Keras's LossScaleOptimizer. With float32 throughout it is worth having
// for what it does beside: a step with an infinite gradient is left out.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { keepIf } from "./keep-if.ts";
import { Optimizer, type OptimizerConfig } from "./optimizer.ts";
import { addWrapper, get, type OptimizerLike } from "./resolve.ts";

export interface LossScaleOptions {
  /** The optimizer that takes the steps. */
  innerOptimizer: OptimizerLike;
  /** What the loss is multiplied by at first, above 0. Default 2 ** 15. */
  initialScale?: number;
  /** The scale doubles after so many steps with finite gradients. Default 2000. */
  dynamicGrowthSteps?: number;
  /** Prefix of the state's names. Default "lossScaleOptimizer". */
  name?: string;
}

const NAME = "lossScaleOptimizer";

/** See `lossScaleOptimizer`. */
export class LossScaleOptimizer extends Optimizer {
  override readonly iterations: Variable;
  override readonly learningRateVariable: Variable;
  readonly innerOptimizer: Optimizer;
  readonly initialScale: number;
  readonly dynamicGrowthSteps: number;
  /** What the loss is multiplied by; float32. */
  readonly dynamicScale: Variable;
  /** Steps with finite gradients since the scale last changed; int32. */
  private readonly stepCounter: Variable;

  constructor(options: LossScaleOptions) {
    const known = ["innerOptimizer", "initialScale", "dynamicGrowthSteps", "name"] as const;
    const o = checkOptions(NAME, options, known);
    super(NAME, { name: o.name, learningRate: 0 });
    const inner = get(o.innerOptimizer, `${NAME}: innerOptimizer`);
    if (inner.lossScaleFactor !== undefined) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${NAME}: expected an innerOptimizer without a lossScaleFactor of its own, got ${inner.lossScaleFactor}`,
      );
    }
    this.innerOptimizer = inner;
    this.iterations = inner.iterations;
    this.learningRateVariable = inner.learningRateVariable;
    const scale = o.initialScale ?? 2 ** 15;
    this.initialScale = checkNumber(NAME, "initialScale", scale, "above 0", (x) => x > 0);
    const growth = o.dynamicGrowthSteps ?? 2000;
    this.dynamicGrowthSteps = checkInteger(NAME, "dynamicGrowthSteps", growth, 1);
    this.dynamicScale = new Variable([], "float32", {
      name: `${this.name}/dynamicScale`,
      trainable: false,
      initial: () => Float32Array.of(this.initialScale),
    });
    this.stepCounter = new Variable([], "int32", { name: `${this.name}/stepCounter`, trainable: false });
  }

  override get innerOptimizers(): readonly Optimizer[] {
    return [this.innerOptimizer];
  }

  override get learningRate(): number {
    return this.innerOptimizer.learningRate;
  }
  override set learningRate(rate: number) {
    this.innerOptimizer.learningRate = rate;
  }

  override get hasSchedule(): boolean {
    return this.innerOptimizer.hasSchedule;
  }

  override get stepsTaken(): number {
    return this.innerOptimizer.stepsTaken;
  }

  override get isCode(): boolean {
    return this.innerOptimizer.isCode;
  }

  override get sharedState(): Readonly<Record<string, Variable>> {
    const { dynamicScale, stepCounter } = this;
    return { ...this.innerOptimizer.sharedState, dynamicScale, stepCounter };
  }

  override slotsOf(parameter: Variable): readonly Variable[] {
    return this.innerOptimizer.slotsOf(parameter);
  }

  override namedSlotsOf(parameter: Variable): [name: string, slot: Variable][] {
    return this.innerOptimizer.namedSlotsOf(parameter);
  }

  override averageOf(parameter: Variable): Variable | undefined {
    return this.innerOptimizer.averageOf(parameter);
  }

  override build(parameters: readonly Variable[]): void {
    this.innerOptimizer.build(parameters);
  }

  override excludeFromWeightDecay(which: Parameters<Optimizer["excludeFromWeightDecay"]>[0]): void {
    this.innerOptimizer.excludeFromWeightDecay(which);
  }

  override scaleLoss(loss: Value): Value {
    return ops.multiply(loss, this.dynamicScale);
  }

  override apply(gradients: readonly (Value | null)[], parameters: readonly Variable[]): void {
    this.checkGradients(gradients, parameters);
    const { innerOptimizer: inner, dynamicScale, stepCounter } = this;
    const finite = gradients.filter((g) => g !== null).map((g) => ops.all(ops.isFinite(g)));
    const isSound = finite.reduce((a, b) => ops.logicalAnd(a, b), ops.toValue(true));
    const scale = readVariable(dynamicScale);
    const unscaled = gradients.map((g) => g && ops.divide(g, scale));
    keepIf(isSound, [...parameters, ...inner.variables(parameters)], () => inner.apply(unscaled, parameters));
    const steps = readVariable(stepCounter);
    const grows = ops.logicalAnd(isSound, ops.equal(steps, this.dynamicGrowthSteps - 1));
    const counts = ops.logicalAnd(isSound, ops.logicalNot(grows));
    assignVariable(stepCounter, ops.where(counts, ops.add(steps, 1), ops.zeros([], "int32")));
    const factor = ops.where(isSound, ops.where(grows, 2, 1), 0.5);
    assignVariable(dynamicScale, ops.multiply(scale, factor));
  }

  override getConfig(): OptimizerConfig | undefined {
    const { initialScale, dynamicGrowthSteps, name } = this;
    const innerOptimizer = this.innerOptimizer.getConfig();
    return (
      innerOptimizer && { name: NAME, options: { innerOptimizer, initialScale, dynamicGrowthSteps, name } }
    );
  }
}

/**
 * Takes another optimizer's steps with gradients of a loss that is multiplied by a large number, which halves whenever a
 * gradient is not finite (and that step is left out) and doubles after a time without. Options such as clipping, averages
 * and accumulation belong to the inner optimizer.
 * @example optimizers.lossScaleOptimizer({ innerOptimizer: optimizers.adam({ learningRate: 1e-3 }) })
 */
export function lossScaleOptimizer(options: LossScaleOptions): LossScaleOptimizer {
  return new LossScaleOptimizer(options);
}

addWrapper(NAME, lossScaleOptimizer as never);
