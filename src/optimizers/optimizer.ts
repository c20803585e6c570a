// What an optimizer is: a description that, inside a training step, emits the new values of parameters and of its own
// state. All state (step count, learning rate, slots) is Variables, so it is saved, moved and updated like weights.

import { MyelinError } from "../core/errors.ts";
import { checkNumber, checkOptions } from "../core/options.ts";
import { type Shape, sameShape, sizeOf } from "../core/shape.ts";
import { tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { averaged, clipped, decayed } from "../ops/sweep.ts";
import { keepIf } from "./keep-if.ts";
import { type OptimizerOptions, readOptimizerOptions } from "./options.ts";
import { type LearningRate, readLearningRate } from "./schedules/read.ts";
import type { LearningRateSchedule } from "./schedules/schedule.ts";

export { OPTIMIZER_OPTIONS, type OptimizerOptions } from "./options.ts";

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
    const rate = readLearningRate(name, options.learningRate);
    const read = readOptimizerOptions(name, options);
    this.name = read.name;
    this.weightDecay = read.weightDecay;
    this.clipnorm = read.clipnorm;
    this.clipvalue = read.clipvalue;
    this.globalClipnorm = read.globalClipnorm;
    this.useEma = read.useEma;
    this.emaMomentum = read.emaMomentum;
    this.emaOverwriteFrequency = read.emaOverwriteFrequency;
    this.gradientAccumulationSteps = read.gradientAccumulationSteps;
    this.lossScaleFactor = read.lossScaleFactor;
    this.schedule = typeof rate === "number" ? undefined : rate;
    this.rate = typeof rate === "number" ? rate : (rate.at(0) ?? Number.NaN);
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
    // Starts as the parameter itself, which is right as well for one that never has a gradient.
    return this.useEma ? [...own, { name: "average", initial: "parameter" }] : own;
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

  /** The optimizers behind this one; wrappers say theirs. */
  get innerOptimizers(): readonly Optimizer[] {
    return [];
  }

  /** @internal Which path each weight has in its model, for optimizers that choose by it. */
  meet(paths: ReadonlyMap<Variable, string>): void {
    for (const optimizer of this.innerOptimizers) optimizer.meet(paths);
  }

  /** The running average of a parameter; undefined without `useEma`. */
  averageOf(parameter: Variable): Variable | undefined {
    return this.useEma ? this.slotsOf(parameter).at(-1) : undefined;
  }

  /** With `useEma`: gives these parameters their averages. `fit` does it when it ends. */
  finalizeVariableValues(parameters: readonly Variable[]): void {
    if (this.stepsTaken === 0) return;
    for (const parameter of parameters) {
      const average = this.averageOf(parameter);
      if (average) parameter.write(average.read());
    }
  }

  /**
   * Exchanges these parameters with their averages: to evaluate or save a model as its average in the middle of a training.
   * A second call takes them back. No step may be taken in between.
   * @throws INVALID_ARGUMENT for an optimizer without `useEma`
   */
  swapEma(parameters: readonly Variable[]): void {
    for (const [parameter, average] of this.averages("swapEma", parameters)) {
      const value = parameter.read();
      parameter.write(average.read());
      average.write(value);
    }
  }

  /**
   * Sets the averages of these parameters to the parameters' values.
   * @throws INVALID_ARGUMENT for an optimizer without `useEma`
   */
  copyToEma(parameters: readonly Variable[]): void {
    for (const [parameter, average] of this.averages("copyToEma", parameters))
      average.write(parameter.read());
  }

  private averages(where: string, parameters: readonly Variable[]): [Variable, Variable][] {
    const found = parameters.flatMap((p): [Variable, Variable][] => {
      const average = this.averageOf(p);
      return average ? [[p, average]] : [];
    });
    if (found.length > 0 || parameters.length === 0) return found;
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${this.name}.${where}: expected an optimizer made with useEma: true, got one without averages`,
    );
  }

  /**
   * Inside a trace: one step. Parameters without a gradient (null) stay as they are.
   * @param gradients one per parameter, of its shape
   */
  apply(gradients: readonly (Value | null)[], parameters: readonly Variable[]): void {
    this.checkGradients(gradients, parameters);
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
    else if (pairs.length > 0) this.applyAll(pairs);
    for (const { parameter } of pairs) {
      if (!parameter.constraint) continue;
      assignVariable(parameter, parameter.constraint.call(readVariable(parameter)));
    }
    const isStep = this.batches ? this.isDue(this.batches) : undefined;
    assignVariable(this.iterations, ops.add(this.iterations, isStep ? ops.cast(isStep, "int32") : 1));
    if (this.batches) assignVariable(this.batches, ops.add(this.batches, 1));
  }

  protected checkGradients(gradients: readonly unknown[], parameters: readonly Variable[]): void {
    if (gradients.length === parameters.length) return;
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${this.name}.apply: expected ${parameters.length} gradients, got ${gradients.length}`,
    );
  }

  /** Whether this batch is the last of those that make a step. */
  private isDue(batches: Variable): Value {
    return ops.equal(ops.mod(ops.add(batches, 1), this.gradientAccumulationSteps!), 0);
  }

  /** A step that counts only every `count` batches. */
  private gather(pairs: readonly ParameterUpdate[], batches: Variable, count: number): void {
    const isDue = this.isDue(batches);
    const touched = Object.values(this.shared);
    const mean = pairs.map((pair) => {
      const sum = this.gatheredOf(pair.parameter);
      const total = ops.add(readVariable(sum), pair.gradient);
      assignVariable(sum, ops.where(isDue, 0, total));
      touched.push(pair.parameter, ...pair.slots);
      return { ...pair, gradient: ops.divide(total, count) };
    });
    if (mean.length > 0) keepIf(isDue, touched, () => this.applyAll(mean));
    // Averages move with every batch, as in Keras.
    if (!this.useEma) return;
    for (const { parameter, slots } of pairs) {
      assignVariable(parameter, this.average(slots.at(-1)!, readVariable(parameter)));
    }
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
        this.averagesInStep ? this.average(slots.at(-1)!, updated.parameter) : updated.parameter,
      );
    });
  }

  /** Whether a step of the rule moves averages on too; while gradients are gathered they follow by themselves. */
  protected get averagesInStep(): boolean {
    return this.useEma && !this.batches;
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
    const { clipvalue, averagesInStep, emaMomentum, emaOverwriteFrequency } = this;
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
        emaMomentum: averagesInStep ? emaMomentum : undefined,
        emaOverwriteFrequency: averagesInStep ? emaOverwriteFrequency : undefined,
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
