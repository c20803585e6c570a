// What an optimizer is: a description that, inside a training step, emits the new values of parameters and of its own
// state. All state (step count, learning rate, slots) is Variables, so it is saved, moved and updated like weights.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { type Shape, sameShape, sizeOf } from "../core/shape.ts";
import { tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { averaged, clipped, decayed } from "../ops/sweep.ts";
import { type LearningRate, type LearningRateSchedule, readLearningRate } from "./schedules/index.ts";

/** What every optimizer takes; the defaults are those of Keras 3. At most one of the three ways of clipping. */
export interface OptimizerOptions {
  /**
   * Step size, of at least 0: a number, which may be changed between steps by assigning `optimizer.learningRate`, or a
   * schedule (`optimizers.schedules`), worked out from the steps taken.
   */
  learningRate?: LearningRate;
  /** Decoupled: every step first takes `learningRate * weightDecay` of each parameter away. Default: none. */
  weightDecay?: number;
  /** Above 0: each gradient whose norm is larger is scaled down to it. Default: none. */
  clipnorm?: number;
  /** Above 0: gradients are kept in [-clipvalue, clipvalue]. Default: none. */
  clipvalue?: number;
  /** Above 0: all gradients together are scaled down to this norm where theirs is larger. Default: none. */
  globalClipnorm?: number;
  /** Keep a running average of the parameters, which they take over when `fit` ends. Default false. */
  useEma?: boolean;
  /** How much of the average each step keeps, in [0, 1]. Default 0.99. */
  emaMomentum?: number;
  /** Parameters take over their average after every so many steps, too. Default: only when `fit` ends. */
  emaOverwriteFrequency?: number | null;
  /**
   * Parameters move only after so many steps, by the mean of the gradients of these: a larger batch in less memory. The
   * step then counts as one for the optimizer, while schedules count batches, as in Keras. What has been gathered when `fit`
   * ends waits for the next fit. Default: every step.
   */
  gradientAccumulationSteps?: number | null;
  /** The loss is multiplied by it before differentiation, and gradients divided by it after. Default: 1. */
  lossScaleFactor?: number | null;
  /** Prefix of the state's names; defaults to the optimizer's own name. */
  name?: string;
}

export const OPTIMIZER_OPTIONS = [
  "learningRate",
  "weightDecay",
  "clipnorm",
  "clipvalue",
  "globalClipnorm",
  "useEma",
  "emaMomentum",
  "emaOverwriteFrequency",
  "gradientAccumulationSteps",
  "lossScaleFactor",
  "name",
] as const;

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

/** One Variable of state per parameter. */
export interface SlotSpec {
  readonly name: string;
  /** Default: the parameter's. */
  readonly shape?: Shape;
  /** What it starts with everywhere, or "parameter": the parameter's value at that time. Default 0. */
  readonly initial?: number | "parameter";
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
  readonly clipnorm: number | undefined;
  readonly clipvalue: number | undefined;
  readonly globalClipnorm: number | undefined;
  readonly useEma: boolean;
  readonly emaMomentum: number;
  readonly emaOverwriteFrequency: number | undefined;
  /** Names of the per-parameter state, one Variable each, shaped like the parameter and starting at zero. */
  readonly slotNames: readonly string[] = [];
  /** State that belongs to no parameter, by name. */
  readonly shared: Readonly<Record<string, Variable>> = {};
  readonly gradientAccumulationSteps: number | undefined;
  readonly lossScaleFactor: number | undefined;
  private rate: number;
  private readonly schedule: LearningRateSchedule | undefined;
  /** Batches seen, where not each is a step. */
  private readonly batches: Variable | undefined;
  private readonly gathered = new Map<Variable, Variable>();
  private isExcluded: (parameter: Variable) => boolean = () => false;
  private readonly slots = new Map<Variable, readonly Variable[]>();

  constructor(name: string, options: OptimizerOptions & { learningRate: LearningRate }) {
    const isNotNegative = (x: number) => x >= 0;
    const positive = (option: "clipnorm" | "clipvalue" | "globalClipnorm") =>
      options[option] === undefined
        ? undefined
        : checkNumber(name, option, options[option], "above 0", (x) => x > 0);
    this.name = options.name ?? name;
    const rate = readLearningRate(name, options.learningRate);
    this.schedule = typeof rate === "number" ? undefined : rate;
    this.rate = typeof rate === "number" ? rate : (rate.at(0) ?? Number.NaN);
    const decay = options.weightDecay ?? 0;
    this.weightDecay = checkNumber(name, "weightDecay", decay, "of at least 0", isNotNegative);
    this.clipnorm = positive("clipnorm");
    this.clipvalue = positive("clipvalue");
    this.globalClipnorm = positive("globalClipnorm");
    const clips = (["clipnorm", "clipvalue", "globalClipnorm"] as const).filter((c) => this[c] !== undefined);
    if (clips.length > 1) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${name}: expected at most one of clipnorm, clipvalue and globalClipnorm, got ${clips.join(" and ")}`,
      );
    }
    this.useEma = checkBoolean(name, "useEma", options.useEma ?? false);
    const isShare = (x: number) => x >= 0 && x <= 1;
    this.emaMomentum = checkNumber(name, "emaMomentum", options.emaMomentum ?? 0.99, "in [0, 1]", isShare);
    this.emaOverwriteFrequency =
      options.emaOverwriteFrequency == null
        ? undefined
        : checkInteger(name, "emaOverwriteFrequency", options.emaOverwriteFrequency, 1, 2 ** 31 - 1);
    this.gradientAccumulationSteps =
      options.gradientAccumulationSteps == null
        ? undefined
        : checkInteger(name, "gradientAccumulationSteps", options.gradientAccumulationSteps, 2);
    this.lossScaleFactor =
      options.lossScaleFactor == null
        ? undefined
        : checkNumber(name, "lossScaleFactor", options.lossScaleFactor, "above 0", (x) => x > 0);
    if (this.gradientAccumulationSteps !== undefined) {
      this.batches = new Variable([], "int32", { name: `${this.name}/batches`, trainable: false });
    }
    this.iterations = new Variable([], "int32", { name: `${this.name}/iterations`, trainable: false });
    this.learningRateVariable = new Variable([], "float32", {
      name: `${this.name}/learningRate`,
      trainable: false,
      initial: () => Float32Array.of(this.rate),
    });
  }

  /**
   * The learning rate of the next step; of a schedule that only exists as code, that of the last one. A new one holds from
   * the next step on; nothing is compiled again.
   * @throws INVALID_ARGUMENT on assigning where a schedule rules
   */
  get learningRate(): number {
    if (!this.schedule) return this.rate;
    return this.schedule.at(this.stepsTaken) ?? this.learningRateVariable.read().item();
  }
  set learningRate(rate: number) {
    if (this.schedule) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${this.name}: expected no learning rate to be set where a schedule rules it, got ${rate}`,
      );
    }
    this.rate = checkNumber(this.name, "learningRate", rate, "of at least 0", (x) => x >= 0);
    this.learningRateVariable.write(tensor(Float32Array.of(this.rate), []));
  }

  /** Whether a schedule rules the learning rate. */
  get hasSchedule(): boolean {
    return this.schedule !== undefined;
  }

  /** @internal Whether its schedule only exists as code, which no file can hold. */
  get isCode(): boolean {
    return this.schedule !== undefined && this.schedule.getConfig() === undefined;
  }

  /** Batches it has been given gradients of. */
  get stepsTaken(): number {
    return (this.batches ?? this.iterations).read().item();
  }

  /** Inside a trace: the loss to be differentiated. */
  scaleLoss(loss: Value): Value {
    return this.lossScaleFactor === undefined ? loss : ops.multiply(loss, this.lossScaleFactor);
  }

  /**
   * New values of one parameter and its slots. Clipping and weight decay, if any, have been applied to `gradient` and
   * `parameter` already.
   * @param variable the parameter itself, for what its name or shape decides
   */
  update?(
    parameter: Value,
    gradient: Value,
    slots: readonly Value[],
    hyper: Hyper,
    variable: Variable,
  ): Updated;

  /** Inside a trace, before the updates of a step: the place to move `shared` state on. */
  protected beginStep?(hyper: Hyper): void;

  /** The state `update` needs for a parameter. Default: `slotNames`. */
  protected slotSpecs(_parameter: Variable): readonly SlotSpec[] {
    return this.slotNames.map((name) => ({ name }));
  }

  /** The weight decay of a parameter. */
  protected decayOf(parameter: Variable): number {
    return this.isExcluded(parameter) ? 0 : this.weightDecay;
  }

  /**
   * Spares parameters from weight decay: those listed, and those whose path contains one of the strings.
   * Call it before the first step.
   * @example optimizer.excludeFromWeightDecay({ names: ["bias"] })
   */
  excludeFromWeightDecay(which: { variables?: readonly Variable[]; names?: readonly string[] }): void {
    const { variables = [], names = [] } = checkOptions("excludeFromWeightDecay", which, [
      "variables",
      "names",
    ]);
    this.isExcluded = (p) => variables.includes(p) || names.some((part) => p.name.includes(part));
  }

  /** Makes the slots of these parameters, once each. `apply` does it by itself; readers of saved state do it earlier. */
  build(parameters: readonly Variable[]): void {
    for (const parameter of parameters) {
      if (this.slots.has(parameter)) continue;
      const path = parameter.name.replaceAll("/", "_");
      const make = ({ name, shape = parameter.shape, initial = 0 }: SlotSpec) =>
        new Variable(shape, parameter.dtype, {
          name: `${this.name}/${path}_${name}`,
          trainable: false,
          initial:
            initial === "parameter"
              ? () => parameter.read().data.slice()
              : initial === 0
                ? undefined
                : () => new Float32Array(sizeOf(shape)).fill(initial),
        });
      this.slots.set(parameter, this.allSpecs(parameter).map(make));
    }
  }

  /** With the average, which comes last. */
  private allSpecs(parameter: Variable): readonly SlotSpec[] {
    const own = this.slotSpecs(parameter);
    return this.useEma ? [...own, { name: "average" }] : own;
  }

  /** The slots of one parameter. */
  slotsOf(parameter: Variable): readonly Variable[] {
    this.build([parameter]);
    return this.slots.get(parameter)!;
  }

  /** The slots of one parameter with their names. */
  namedSlotsOf(parameter: Variable): [name: string, slot: Variable][] {
    const slots = this.slotsOf(parameter);
    const own = this.allSpecs(parameter).map(({ name }, i): [string, Variable] => [name, slots[i]!]);
    return this.batches ? [...own, ["gathered", this.gatheredOf(parameter)]] : own;
  }

  /** All state in a fixed order: steps taken, learning rate, what is shared, then the slots of these parameters. */
  variables(parameters: readonly Variable[]): readonly Variable[] {
    const slots = parameters.flatMap((p) => this.namedSlotsOf(p).map(([, slot]) => slot));
    return [this.iterations, this.learningRateVariable, ...Object.values(this.sharedState), ...slots];
  }

  /** With `useEma`: gives these parameters their averages. `fit` does it when it ends. */
  finalizeVariableValues(parameters: readonly Variable[]): void {
    if (!this.useEma || this.iterations.read().item() === 0) return;
    for (const parameter of parameters) {
      const average = this.slots.get(parameter)?.at(-1);
      if (average) parameter.write(average.read());
    }
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
    const { lossScaleFactor: scale } = this;
    const pairs = parameters.flatMap((parameter, i) => {
      const given = gradients[i];
      if (!given) return [];
      const gradient = scale === undefined ? given : ops.divide(given, scale);
      return [{ parameter, gradient, slots: this.slotsOf(parameter) }];
    });
    if (this.schedule) {
      const steps = ops.cast(readVariable(this.batches ?? this.iterations), "float32");
      assignVariable(this.learningRateVariable, this.schedule.call(steps));
    }
    if (this.batches) this.gather(pairs, this.batches, this.gradientAccumulationSteps!);
    else this.step(pairs);
  }

  private step(pairs: readonly ParameterUpdate[]): void {
    if (pairs.length > 0) this.applyAll(pairs);
    for (const { parameter } of pairs) {
      if (!parameter.constraint) continue;
      assignVariable(parameter, parameter.constraint.call(readVariable(parameter)));
    }
    assignVariable(this.iterations, ops.add(this.iterations, 1));
  }

  /**
   * A step that counts only every `count` batches. There are no branches in a Program: the step is worked out every time,
   * with what has been gathered so far, and kept or not.
   */
  private gather(pairs: readonly ParameterUpdate[], batches: Variable, count: number): void {
    const isDue = ops.equal(ops.mod(ops.add(readVariable(batches), 1), count), 0);
    const touched = [this.iterations, ...Object.values(this.shared)];
    const mean = pairs.map((pair) => {
      const sum = this.gatheredOf(pair.parameter);
      const total = ops.add(readVariable(sum), pair.gradient);
      assignVariable(sum, ops.where(isDue, 0, total));
      touched.push(pair.parameter, ...pair.slots);
      return { ...pair, gradient: ops.divide(total, count) };
    });
    const before = touched.map(readVariable);
    this.step(mean);
    touched.forEach((variable, i) => {
      const after = readVariable(variable);
      if (after !== before[i]) assignVariable(variable, ops.where(isDue, after, before[i]!));
    });
    assignVariable(batches, ops.add(readVariable(batches), 1));
  }

  private gatheredOf(parameter: Variable): Variable {
    let sum = this.gathered.get(parameter);
    if (!sum) {
      const path = parameter.name.replaceAll("/", "_");
      const name = `${this.name}/${path}_gathered`;
      sum = new Variable(parameter.shape, parameter.dtype, { name, trainable: false });
      this.gathered.set(parameter, sum);
    }
    return sum;
  }

  /** State that belongs to no parameter, by name, whatever keeps it. */
  get sharedState(): Readonly<Record<string, Variable>> {
    return this.batches ? { ...this.shared, batches: this.batches } : this.shared;
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
    this.beginStep?.(hyper);
    const scale = this.gradientScale(pairs);
    pairs.forEach(({ parameter, gradient, slots }, i) => {
      const at = scale?.shape[0] === 1 ? 0 : i;
      const g = scale
        ? ops.multiply(gradient, ops.reshape(ops.sliceAxis(scale, 0, at, at + 1), []))
        : gradient;
      const p = decayed(readVariable(parameter), hyper.learningRate, this.decayOf(parameter));
      const own = this.useEma ? slots.slice(0, -1) : slots;
      const updated = this.update!(
        p,
        clipped(g, this.clipvalue ?? 0),
        own.map(readVariable),
        hyper,
        parameter,
      );
      this.checkUpdate(parameter, own, updated);
      own.forEach((slot, k) => {
        assignVariable(slot, updated.slots[k]!);
      });
      assignVariable(
        parameter,
        this.useEma ? this.average(slots.at(-1)!, updated.parameter) : updated.parameter,
      );
    });
  }

  /** Moves a parameter's average on; what the parameter then is. */
  private average(slot: Variable, parameter: Value): Value {
    const { emaMomentum, emaOverwriteFrequency = 0 } = this;
    const rule = { emaMomentum, emaOverwriteFrequency };
    const { p, average } = averaged(parameter, readVariable(slot), readVariable(this.iterations), rule);
    assignVariable(slot, average);
    return p;
  }

  /** What gradients are multiplied by to clip their norms: [1], or [pairs] with one for each; undefined for nothing. */
  private gradientScale(pairs: readonly ParameterUpdate[]): Value | undefined {
    const { clipnorm, globalClipnorm } = this;
    if (clipnorm === undefined && globalClipnorm === undefined) return undefined;
    const squares = ops.squaredNorms(pairs.map((p) => p.gradient));
    if (clipnorm !== undefined) return ops.divide(clipnorm, ops.maximum(ops.sqrt(squares), clipnorm));
    const norm = ops.sqrt(ops.sum(squares, { keepDims: true }));
    const scale = ops.multiply(ops.minimum(ops.divide(1, norm), 1 / globalClipnorm!), globalClipnorm!);
    // Norms that are infinite or NaN make everything NaN, as in Keras, rather than zero.
    return ops.add(scale, ops.subtract(norm, norm));
  }

  /**
   * For optimizers with a multi-tensor op: its options, for parameters of one weight decay at a time.
   * @param all whose gradients make up the global norm; by default the same
   */
  protected sweeps(
    pairs: readonly ParameterUpdate[],
    all: readonly ParameterUpdate[] = pairs,
  ): [readonly ParameterUpdate[], SweepRun][] {
    const { clipvalue, useEma, emaMomentum, emaOverwriteFrequency } = this;
    const groups = new Map<number, ParameterUpdate[]>();
    for (const pair of pairs) {
      const decay = this.decayOf(pair.parameter);
      groups.set(decay, [...(groups.get(decay) ?? []), pair]);
    }
    const shared = this.globalClipnorm === undefined ? undefined : this.gradientScale(all);
    return [...groups].map(([weightDecay, group]) => [
      group,
      {
        learningRate: this.learningRateVariable,
        iteration: this.iterations,
        scale: shared ?? this.gradientScale(group),
        clipvalue,
        weightDecay,
        emaMomentum: useEma ? emaMomentum : undefined,
        emaOverwriteFrequency: useEma ? emaOverwriteFrequency : undefined,
      },
    ]);
  }

  /** The options of this class as a config holds them. */
  protected baseConfig(): Record<string, unknown> {
    const { weightDecay, clipnorm, clipvalue, globalClipnorm, name } = this;
    const { useEma, emaMomentum, emaOverwriteFrequency } = this;
    const { gradientAccumulationSteps, lossScaleFactor } = this;
    const learningRate = this.schedule ? this.schedule.getConfig() : this.rate;
    const ema = { useEma, emaMomentum, emaOverwriteFrequency, gradientAccumulationSteps, lossScaleFactor };
    return { learningRate, weightDecay, clipnorm, clipvalue, globalClipnorm, ...ema, name };
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

/** The options of one call of a multi-tensor op. */
export type SweepRun = ops.SweepOptions & { iteration: Variable };

export interface ParameterUpdate {
  readonly parameter: Variable;
  readonly gradient: Value;
  readonly slots: readonly Variable[];
}
