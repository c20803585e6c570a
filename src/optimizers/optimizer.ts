// What an optimizer is: a description that, inside a training step, emits the new values of parameters and of its own
// state. All state (step count, learning rate, slots) is Variables, so it is saved, moved and updated like weights.

import { MyelinError } from "../core/errors.ts";
import { checkNumber } from "../core/options.ts";
import { sameShape } from "../core/shape.ts";
import { tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";

export interface OptimizerOptions {
  /** Step size, above or equal to 0. May be changed between steps by assigning `optimizer.learningRate`. */
  learningRate?: number;
  /** Decoupled: every step first takes `learningRate * weightDecay` of each parameter away. Default: none. */
  weightDecay?: number;
  /** Prefix of the state's names; defaults to the optimizer's own name. */
  name?: string;
}

export const OPTIMIZER_OPTIONS = ["learningRate", "weightDecay", "name"] as const;

/** What an update may need beside the gradient; scalars of this step. */
export interface Hyper {
  readonly learningRate: Value;
  /** float32: 1 in the first step. */
  readonly step: Value;
}

export interface Updated {
  readonly parameter: Value;
  /** New values of the slots, in the order of `slotNames`. */
  readonly slots: readonly Value[];
}

/** An optimizer as data: its registered name and the options it was made with (the learning rate as it is now). */
export interface OptimizerConfig {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Base of all optimizers. A new one needs `update`, written with ops:
 * @example
 * class SignSgd extends Optimizer {
 *   constructor(options = {}) { super("signSgd", { learningRate: 0.01, ...options }); }
 *   update(parameter, gradient, slots, { learningRate }) {
 *     return { parameter: ops.subtract(parameter, ops.multiply(ops.sign(gradient), learningRate)), slots: [] };
 *   }
 * }
 */
export abstract class Optimizer {
  readonly name: string;
  /** Steps taken so far; int32. */
  readonly iterations: Variable;
  /** The Variable that programs read the learning rate from. Set it through `learningRate`. */
  readonly learningRateVariable: Variable;
  readonly weightDecay: number;
  /** Names of the per-parameter state, one Variable each, shaped like the parameter and starting at zero. */
  readonly slotNames: readonly string[] = [];
  private rate: number;
  private readonly slots = new Map<Variable, readonly Variable[]>();

  constructor(name: string, options: OptimizerOptions & { learningRate: number }) {
    const isNotNegative = (x: number) => x >= 0;
    this.name = options.name ?? name;
    this.rate = checkNumber(name, "learningRate", options.learningRate, "of at least 0", isNotNegative);
    this.weightDecay = checkNumber(
      name,
      "weightDecay",
      options.weightDecay ?? 0,
      "of at least 0",
      isNotNegative,
    );
    this.iterations = new Variable([], "int32", { name: `${this.name}/iterations`, trainable: false });
    this.learningRateVariable = new Variable([], "float32", {
      name: `${this.name}/learningRate`,
      trainable: false,
      initial: () => Float32Array.of(this.rate),
    });
  }

  /** The present learning rate. A new one holds from the next step on; nothing is compiled again. */
  get learningRate(): number {
    return this.rate;
  }
  set learningRate(rate: number) {
    this.rate = checkNumber(this.name, "learningRate", rate, "of at least 0", (x) => x >= 0);
    this.learningRateVariable.write(tensor(Float32Array.of(this.rate), []));
  }

  /** New values of one parameter and its slots. Weight decay, if any, has been applied to `parameter` already. */
  update?(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated;

  /** Makes the slots of these parameters, once each. `apply` does it by itself; readers of saved state do it earlier. */
  build(parameters: readonly Variable[]): void {
    for (const parameter of parameters) {
      if (this.slots.has(parameter)) continue;
      const path = parameter.name.replaceAll("/", "_");
      const make = (slot: string) =>
        new Variable(parameter.shape, parameter.dtype, {
          name: `${this.name}/${path}_${slot}`,
          trainable: false,
        });
      this.slots.set(parameter, this.slotNames.map(make));
    }
  }

  /** The slots of one parameter. */
  slotsOf(parameter: Variable): readonly Variable[] {
    this.build([parameter]);
    return this.slots.get(parameter)!;
  }

  /** All state in a fixed order: steps taken, learning rate, then the slots of these parameters. */
  variables(parameters: readonly Variable[]): readonly Variable[] {
    return [this.iterations, this.learningRateVariable, ...parameters.flatMap((p) => this.slotsOf(p))];
  }

  /**
   * Inside a trace: one step. Parameters without a gradient (null) stay as they are.
   * @param gradients one per parameter, of its shape
   */
  apply(gradients: readonly (Value | null)[], parameters: readonly Variable[]): void {
    if (gradients.length !== parameters.length) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${this.name}.apply: expected ${parameters.length} gradients, got ${gradients.length}`,
      );
    }
    const pairs = parameters.flatMap((parameter, i) => {
      const gradient = gradients[i];
      return gradient ? [{ parameter, gradient, slots: this.slotsOf(parameter) }] : [];
    });
    if (pairs.length > 0) this.applyAll(pairs);
    assignVariable(this.iterations, ops.add(this.iterations, 1));
  }

  /** Every parameter at once. Optimizers with a multi-tensor op override this; the rest write `update`. */
  protected applyAll(pairs: readonly ParameterUpdate[]): void {
    if (!this.update) {
      throw new MyelinError("INVALID_ARGUMENT", `${this.name}: expected an update method to be written`);
    }
    const hyper: Hyper = {
      learningRate: readVariable(this.learningRateVariable),
      step: ops.cast(ops.add(this.iterations, 1), "float32"),
    };
    for (const { parameter, gradient, slots } of pairs) {
      const decayed = this.weightDecay
        ? ops.subtract(parameter, ops.multiply(ops.multiply(parameter, this.weightDecay), hyper.learningRate))
        : readVariable(parameter);
      const updated = this.update(decayed, gradient, slots.map(readVariable), hyper);
      this.checkUpdate(parameter, slots, updated);
      assignVariable(parameter, updated.parameter);
      slots.forEach((slot, i) => {
        assignVariable(slot, updated.slots[i]!);
      });
    }
  }

  private checkUpdate(parameter: Variable, slots: readonly Variable[], updated: Updated): void {
    const isRight =
      sameShape(updated.parameter.shape, parameter.shape) && updated.slots.length === slots.length;
    if (isRight) return;
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${this.name}.update for ${parameter.name}: expected a new parameter of the same shape and ${slots.length} slots, got ${updated.slots.length} slots`,
    );
  }

  /** @internal What `get` needs to make this optimizer again; undefined for optimizers that only exist as code. */
  getConfig(): OptimizerConfig | undefined {
    return undefined;
  }
}

export interface ParameterUpdate {
  readonly parameter: Variable;
  readonly gradient: Value;
  readonly slots: readonly Variable[];
}
