// Different optimizers for different weights of one model: Keras's MultiOptimizer.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable } from "../graph/trace.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { Optimizer, type OptimizerConfig } from "./optimizer.ts";
import { OptimizerMap, type OptimizerMapOptions, plain } from "./optimizer-map.ts";
import { addWrapper, type OptimizerLike } from "./resolve.ts";

/** Chooses a weight's optimizer; asked once for each weight. `path` is where the weight is in its model. */
export type OptimizerSelector = (variable: Variable, path: string) => OptimizerLike;

export interface MultiOptimizerOptions {
  /** A map from paths to optimizers (or its options), or a function that chooses. */
  optimizerMap: OptimizerMap | OptimizerMapOptions | OptimizerSelector;
  /** As for every optimizer; those inside have none. Default: 1. */
  lossScaleFactor?: number | null;
  /** Prefix of the state's names. Default "multiOptimizer". */
  name?: string;
}

const NAME = "multiOptimizer";

/** See `multiOptimizer`. */
export class MultiOptimizer extends Optimizer {
  private readonly map: OptimizerMap | undefined;
  private readonly select: OptimizerSelector;
  private readonly chosen = new Map<Variable, Optimizer>();
  private readonly inner: Optimizer[] = [];
  private paths: ReadonlyMap<Variable, string> = new Map();

  constructor(options: MultiOptimizerOptions) {
    const o = checkOptions(NAME, options, ["optimizerMap", "lossScaleFactor", "name"]);
    super(NAME, { name: o.name, lossScaleFactor: o.lossScaleFactor, learningRate: 0 });
    const given = o.optimizerMap;
    if (typeof given === "function") this.select = given;
    else if (typeof given === "object" && given !== null) {
      const map = given instanceof OptimizerMap ? given : new OptimizerMap(given);
      this.map = map;
      this.select = (_, path) => map.get(path);
      this.inner.push(...map.optimizers);
    } else {
      throw new MyelinError(
        "INVALID_OPTION",
        `${NAME}: expected optimizerMap to be an OptimizerMap, its options or a function, got ${describe(given)}`,
      );
    }
  }

  /** The optimizers inside; of a function those it has chosen so far. */
  get optimizers(): readonly Optimizer[] {
    return this.inner;
  }

  override get innerOptimizers(): readonly Optimizer[] {
    return this.inner;
  }

  override meet(paths: ReadonlyMap<Variable, string>): void {
    this.paths = paths;
    super.meet(paths);
  }

  /** The optimizer of one weight. */
  optimizerOf(parameter: Variable): Optimizer {
    let optimizer = this.chosen.get(parameter);
    if (!optimizer) {
      const path = this.paths.get(parameter) ?? parameter.name;
      optimizer = plain(`the optimizer of ${path}`, this.select(parameter, path), NAME);
      this.chosen.set(parameter, optimizer);
      if (!this.inner.includes(optimizer)) this.inner.push(optimizer);
    }
    return optimizer;
  }

  /** @throws INVALID_ARGUMENT always: each optimizer inside has its own */
  override get learningRate(): number {
    throw this.noRate();
  }
  override set learningRate(_rate: number) {
    throw this.noRate();
  }

  private noRate(): MyelinError {
    return new MyelinError(
      "INVALID_ARGUMENT",
      `${this.name}: expected the learning rate of one of its optimizers to be read or set, got its own; see optimizers`,
    );
  }

  override get isCode(): boolean {
    return this.map === undefined || this.inner.some((o) => o.isCode);
  }

  override get sharedState(): Readonly<Record<string, Variable>> {
    const state: Record<string, Variable> = {};
    this.inner.forEach((optimizer, i) => {
      const { iterations, learningRateVariable: learningRate, sharedState } = optimizer;
      for (const [name, variable] of Object.entries({ iterations, learningRate, ...sharedState })) {
        state[`optimizer${i}/${name}`] = variable;
      }
    });
    return state;
  }

  override build(parameters: readonly Variable[]): void {
    for (const parameter of parameters) this.optimizerOf(parameter).build([parameter]);
  }

  override slotsOf(parameter: Variable): readonly Variable[] {
    return this.optimizerOf(parameter).slotsOf(parameter);
  }

  override namedSlotsOf(parameter: Variable): [name: string, slot: Variable][] {
    return this.optimizerOf(parameter).namedSlotsOf(parameter);
  }

  override averageOf(parameter: Variable): Variable | undefined {
    return this.optimizerOf(parameter).averageOf(parameter);
  }

  override excludeFromWeightDecay(which: Parameters<Optimizer["excludeFromWeightDecay"]>[0]): void {
    for (const optimizer of this.inner) optimizer.excludeFromWeightDecay(which);
  }

  override variables(parameters: readonly Variable[]): readonly Variable[] {
    // Whoever chooses must have chosen before the state is complete.
    this.build(parameters);
    return super.variables(parameters);
  }

  override apply(gradients: readonly (Value | null)[], parameters: readonly Variable[]): void {
    this.checkGradients(gradients, parameters);
    const scale = this.lossScaleFactor;
    this.build(parameters);
    for (const optimizer of this.inner) {
      const own = parameters.flatMap((parameter, i) => {
        const given = gradients[i]!;
        const gradient = given && scale !== undefined ? ops.divide(given, scale) : given;
        return this.optimizerOf(parameter) === optimizer ? [{ parameter, gradient }] : [];
      });
      if (own.length === 0) continue;
      optimizer.apply(
        own.map((o) => o.gradient),
        own.map((o) => o.parameter),
      );
    }
    assignVariable(this.iterations, ops.add(this.iterations, 1));
  }

  override getConfig(): OptimizerConfig | undefined {
    const { lossScaleFactor, name } = this;
    const optimizerMap = this.map?.getConfig();
    return optimizerMap && { name: NAME, options: { optimizerMap, lossScaleFactor, name } };
  }
}

/**
 * Trains different weights of a model with different optimizers. Clipping by the global norm, averages and the like work
 * within each of them.
 * @example
 * optimizers.multiOptimizer({
 *   optimizerMap: { defaultOptimizer: "sgd", optimizers: { "encoder/.*": optimizers.adam({ learningRate: 1e-4 }) } },
 * })
 */
export function multiOptimizer(options: MultiOptimizerOptions): MultiOptimizer {
  return new MultiOptimizer(options);
}

addWrapper(NAME, multiOptimizer as never);
