// The training state of one model: what compile was told, the optimizer, and the Programs made so far. The loops over
// epochs and batches are in fit.ts and predict.ts; this file makes and keeps what they run.

import { backward } from "../autodiff/backward.ts";
import { type Built, build } from "../compile.ts";
import { MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { formatType, type TensorType } from "../core/shape.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Engine } from "../engine/engine.ts";
import { retire } from "../engine/residence.ts";
import { currentEngine, type EngineName, engineNamed } from "../engine/select.ts";
import type { Value } from "../graph/graph.ts";
import { readVariable } from "../graph/trace.ts";
import type { Variable } from "../graph/variable.ts";
import { collectLosses } from "../layers/added-losses.ts";
import type { LayerBase } from "../layers/base.ts";
import { flatten } from "../layers/nest.ts";
import { SymbolicTensor } from "../layers/symbolic.ts";
import type { Model } from "../models/model.ts";
import { get as getOptimizer, type Optimizer, type OptimizerLike } from "../optimizers/index.ts";
import type { Logs } from "./callback.ts";
import {
  type Batch,
  checkNumbers,
  type DataSet,
  type Port,
  partsOf,
  readInputs,
  readTargets,
  withParts,
} from "./data.ts";
import type { History } from "./history.ts";
import { Pass, type StepFunction, typesOf } from "./pass.ts";
import { checkObjective, type Objective, type ObjectiveOptions, resolveObjective, score } from "./plan.ts";
import { type BatchProgram, ProgramCache } from "./programs.ts";
import { type BatchSource, readBatch } from "./source.ts";
import { ownLoss, ownStep } from "./steps.ts";
import { StreamPass } from "./stream-pass.ts";
import { Ledger } from "./totals.ts";
import { classWeights, readWeights } from "./weights.ts";

export interface CompileOptions extends ObjectiveOptions {
  /** A name ("sgd", "adam", "adamW", "rmsprop") or an optimizer. Default "rmsprop", as in Keras. */
  optimizer?: OptimizerLike;
  /** Where this model trains and predicts. Default: what `setEngine` chose. */
  engine?: EngineName | Engine;
}

const COMPILE_OPTIONS = ["optimizer", "loss", "metrics", "weightedMetrics", "lossWeights", "engine"] as const;

/** Data sets beyond this many bytes do not stay in the engine's memory after the run that needed them. */
const KEEP_BYTES = 64 * 2 ** 20;

/** Idle evaluation passes kept: one for validation, one for test data. */
const MAX_TEST_PASSES = 2;

/** How much rows count, as given to fit and its relatives. */
export interface Weighting {
  readonly sampleWeight?: unknown;
  readonly classWeight?: unknown;
}

export interface StreamUse {
  readonly limit: number | undefined;
  readonly limitName: "stepsPerEpoch" | "validationSteps" | "steps";
  readonly classWeight?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** A pass, what it is good for, and the size of its data. */
export interface KeptPass {
  readonly key: string;
  readonly pass: Pass;
  readonly bytes: number;
}

/** What a model takes and gives, and the symbolic tensors by which a change of its layers shows. */
interface Structure {
  readonly made: readonly SymbolicTensor[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

interface Compiled {
  readonly options: CompileOptions;
  readonly optimizer: Optimizer;
  /** Which layers were trainable: changes since then wait for the next compile. */
  readonly trainable: TrainableState;
}

type TrainableState = ReadonlyMap<LayerBase, boolean>;

export class Trainer {
  readonly model: Model;
  history: History | undefined;
  /** The seed of the last fit that had one; shuffles follow from it. */
  seed: number | undefined;
  /** What holds the model at the moment: "fit", "trainOnBatch". */
  private holder: string | undefined;
  private compiled: Compiled | undefined;
  private expected: Optimizer | undefined;
  private engineOption: EngineName | Engine | undefined;
  private objective: Objective | undefined;
  private trainPass: KeptPass | undefined;
  private readonly testPasses: KeptPass[] = [];
  /** Goes up when Programs made before are void: part of the keys of those that are in use at that moment. */
  private version = 0;
  private structure: Structure | undefined;
  private readonly programs = new ProgramCache();
  private hasWarned = false;
  private isDisposed = false;

  constructor(model: Model) {
    this.model = model;
  }

  // ---- compile

  compile(options: CompileOptions): void {
    this.checkAlive("compile");
    const given = checkOptions("compile", options, COMPILE_OPTIONS);
    checkObjective(given);
    const optimizer = getOptimizer(given.optimizer ?? this.expected ?? "rmsprop", "compile");
    if (this.model.built) resolveObjective(given, this.ports.outputs);
    if (given.engine !== undefined) engineNamed(given.engine, "compile");
    this.checkFree("compile");
    this.own(optimizer);
    this.compiled = { options: given, optimizer, trainable: this.model.trainableState() };
    this.hasWarned = false;
    this.expected = undefined;
    this.engineOption = given.engine;
    this.forgetPrograms();
  }

  /** Step count and slots belong to one model's training: a second one would disturb them unseen. */
  private own(optimizer: Optimizer): void {
    for (const inner of optimizer.innerOptimizers) this.own(inner);
    const owner = owners.get(optimizer);
    if (owner && owner !== this) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `compile: expected an optimizer of this model's own, got the one of ${owner.model.name}; make another`,
      );
    }
    owners.set(optimizer, this);
  }

  /** An optimizer read from a file, for the next compile that names none. */
  expect(optimizer: Optimizer): void {
    this.expected = optimizer;
  }

  /** What compile was told. @throws NOT_COMPILED */
  check(where: string): Compiled {
    this.checkAlive(where);
    if (this.compiled) return this.compiled;
    throw new MyelinError(
      "NOT_COMPILED",
      `${where}: expected a compiled model; call model.compile({ optimizer, loss }) first`,
    );
  }

  /** Says once that layers have been frozen or thawed since compile, which this training takes no notice of. */
  warnOfFrozen(where: string): void {
    const { trainable } = this.check(where);
    const changed = [...this.model.trainableState()].filter(
      ([layer, now]) => now !== (trainable.get(layer) ?? now),
    );
    if (changed.length === 0 || this.hasWarned) return;
    this.hasWarned = true;
    const names = changed.map(([layer]) => layer.name).join(", ");
    console.warn(
      `myelin: ${where}: trainable of ${names} has changed since compile, which takes effect with the next compile`,
    );
  }

  /** What this training moves: the weights that were trainable when the model was compiled. */
  get trainableWeights(): Variable[] {
    return this.asCompiled(() => this.model.trainableWeights);
  }

  /** Runs `fn` with the layers trainable as they were when the model was compiled. */
  private asCompiled<T>(fn: () => T): T {
    return this.model.withTrainableState(this.check("fit").trainable, fn);
  }

  get optimizer(): Optimizer | undefined {
    return this.compiled?.optimizer;
  }

  get options(): CompileOptions | undefined {
    return this.compiled?.options;
  }

  get engine(): Engine {
    return this.engineOption === undefined ? currentEngine() : engineNamed(this.engineOption, "compile");
  }

  private forgetPrograms(): void {
    this.version++;
    this.objective = undefined;
    this.structure = undefined;
    this.trainPass?.pass.unload();
    this.trainPass = undefined;
    for (const { pass } of this.testPasses.splice(0)) pass.unload();
    this.programs.clear();
  }

  /** See `Model[Symbol.dispose]`. */
  dispose(): void {
    if (this.isDisposed) return;
    this.checkFree("dispose");
    const { model, optimizer } = this;
    const slots = optimizer && optimizer.stepsTaken > 0 ? optimizer.variables(this.trainableWeights) : [];
    this.isDisposed = true;
    for (const kept of [this.trainPass, ...this.testPasses.splice(0)]) kept?.pass.dispose();
    this.trainPass = undefined;
    this.compiled = undefined;
    this.programs.dispose();
    for (const variable of [...model.weights, ...model.namedRandomState().map((s) => s.variable), ...slots])
      retire(variable);
  }

  checkAlive(where: string): void {
    if (this.isDisposed)
      throw new MyelinError("DISPOSED", `${where}: expected a live model, got one that was disposed`);
  }

  // ---- one training at a time

  checkFree(where: string): void {
    if (this.holder === undefined) return;
    throw new MyelinError(
      "BUSY",
      `${where}: expected an idle model, but ${this.holder} is under way; await it first`,
    );
  }

  /** Takes the model for a training; the result gives it back. */
  hold(where: string): () => void {
    this.checkFree(where);
    this.holder = where;
    return () => {
      this.holder = undefined;
    };
  }

  // ---- data

  /** Inputs and outputs as they are now; a model that was given other layers since loses its Programs here. */
  private get ports(): Structure {
    const { leaves } = flatten(this.model.outputs, (x) => x instanceof SymbolicTensor);
    const known = this.structure?.made;
    if (known?.length !== leaves.length || leaves.some((t, i) => t !== known[i])) {
      this.forgetPrograms();
      const { inputSpecs, outputSpecs } = this.model;
      this.structure = { made: leaves, inputs: inputSpecs, outputs: outputSpecs };
    }
    return this.structure!;
  }

  /** Inputs of the model as Tensors; a model that does not know its input shape yet learns it here. */
  readInputs(where: string, x: unknown): Tensor[] {
    this.checkAlive(where);
    if (!this.model.built) {
      const [first] = readInputs(`${where}: x`, x, undefined) as [Tensor];
      const dtype = first.dtype === "int32" ? "int32" : "float32";
      (this.model.build as (shape: readonly (number | null)[], dtype: string) => void)(
        [null, ...first.shape.slice(1)],
        dtype,
      );
    }
    return readInputs(`${where}: x`, x, this.ports.inputs);
  }

  /** Inputs and targets, shapes checked; numbers are checked by `checkNumbers`. */
  readData(where: string, x: unknown, y: unknown, weighting: Weighting = {}): DataSet {
    const inputs = this.readInputs(where, x);
    const rows = inputs[0]!.shape[0]!;
    if (rows === 0) throw new MyelinError("INVALID_DATA", `${where}: expected at least one row, got none`);
    const { losses } = this.objectiveFor();
    const targets = readTargets(`${where}: y`, y, this.ports.outputs, losses, rows);
    const { sampleWeight, classWeight } = weighting;
    if (classWeight !== undefined && sampleWeight != null) {
      throw new MyelinError("INVALID_OPTION", `${where}: expected sampleWeight or classWeight, got both`);
    }
    const weights =
      classWeight === undefined
        ? readWeights(`${where}: sampleWeight`, sampleWeight, this.ports.outputs, targets)
        : classWeights(where, classWeight, targets);
    return { rows, inputs, targets, weights };
  }

  numbers(where: string, set: DataSet): Generator<void> {
    return checkNumbers(where, set, this.ports.outputs, this.objectiveFor().losses);
  }

  private objectiveFor(): Objective {
    this.objective ??= resolveObjective(this.check("compile").options, this.ports.outputs);
    return this.objective;
  }

  // ---- steps

  private readonly trainStep: StepFunction = (batch, rows) => {
    if (this.model.trainStep) return this.asCompiled(() => ownStep(this.model, "trainStep", batch, rows));
    const variables = this.trainableWeights;
    const parameters = variables.map(readVariable);
    const { loss, tracked } = this.forward(batch, rows, true);
    const { optimizer } = this.compiled!;
    optimizer.meet(this.weightPaths);
    const gradients = backward([optimizer.scaleLoss(loss)], [undefined], parameters);
    optimizer.apply(gradients, variables);
    return tracked;
  };

  /** Where each weight is in the model. */
  get weightPaths(): ReadonlyMap<Variable, string> {
    return new Map(this.model.namedWeights().map((w) => [w.variable, w.path]));
  }

  private readonly testStep: StepFunction = (batch, rows) =>
    this.model.testStep
      ? this.asCompiled(() => ownStep(this.model, "testStep", batch, rows))
      : this.forward(batch, rows, false).tracked;

  /** Inside a trace. */
  forward(batch: Batch<Value>, rows: number, training: boolean) {
    const { result, losses } = collectLosses(() =>
      this.asCompiled(() => this.model.callFlat(batch.inputs, { training })),
    );
    const penalties = this.trainableWeights.flatMap((w) => w.regularizer?.call(readVariable(w)) ?? []);
    const added = [...losses, ...penalties];
    const own = this.model.computeLoss
      ? (total: Value | undefined) => ownLoss(this.model, batch, result, total, training)
      : undefined;
    return score(this.objectiveFor(), this.ports.outputs, batch, result, rows, added, own);
  }

  // ---- Programs

  /** A pass for training on data like this, to be loaded with it and given back. */
  trainingPass(set: DataSet, batchSize: number, ordered: boolean): KeptPass {
    const { engine } = this;
    const key = `${this.version} ${typesOf(set)} ${batchSize} ${ordered}`;
    const kept = this.trainPass;
    this.trainPass = undefined;
    if (kept?.key === key && kept.pass.engine === engine) return kept;
    kept?.pass.unload();
    const pass = new Pass(set, { name: "fit", engine, batchSize, ordered, step: this.trainStep });
    return { key, pass, bytes: bytesOf(set) };
  }

  /** The same for evaluation. It is nobody else's until it is given back. */
  testingPass(set: DataSet, batchSize: number): KeptPass {
    const { engine } = this;
    const key = `${this.version} ${typesOf(set)} ${batchSize}`;
    const at = this.testPasses.findIndex((p) => p.key === key && p.pass.engine === engine);
    if (at >= 0) return this.testPasses.splice(at, 1)[0]!;
    const steady = this.model.weights;
    const pass = new Pass(set, { name: "evaluate", engine, batchSize, ordered: false, step: this.testStep, steady }); // biome-ignore format: one line
    return { key, pass, bytes: bytesOf(set) };
  }

  /** A pass over batches from a source; the caller closes it. */
  streamPass(kind: "train" | "test", name: string, source: BatchSource<unknown>, o: StreamUse): StreamPass {
    const read = (where: string, batch: unknown) => {
      const { x, y, sampleWeight } = readBatch(where, batch);
      const set = this.readData(where, x, y, { sampleWeight, classWeight: o.classWeight });
      for (const _ of this.numbers(where, set));
      return set;
    };
    const [step, steady] =
      kind === "train" ? [this.trainStep, undefined] : [this.testStep, this.model.weights];
    const { limit, limitName, signal } = o;
    const { engine } = this;
    return new StreamPass(source, { name, engine, step, steady, read, limit, limitName, signal });
  }

  /** Keeps a pass for the next data of the same types; its data stays in memory only when it is not large. */
  giveBack(kind: "train" | "test", kept: KeptPass): void {
    if (kept.bytes > KEEP_BYTES) kept.pass.unload();
    if (kind === "train") this.trainPass = kept;
    else {
      this.testPasses.unshift(kept);
      for (const { pass } of this.testPasses.splice(MAX_TEST_PASSES)) pass.unload();
    }
  }

  /** One batch, trained or tested on. */
  async runBatch(kind: "train" | "test", set: DataSet): Promise<Logs> {
    const { engine } = this;
    const args = partsOf(set);
    const { built, ledger } = this.programs.get(`${kind} ${typesOf(set)}`, engine, () => {
      const ledger = new Ledger();
      const step = kind === "train" ? this.trainStep : this.testStep;
      const fn = (...values: Value[]) => ledger.amounts(step(withParts(set, values), set.rows));
      const steady = kind === "test" ? this.model.weights : [];
      return { built: build(fn, args.map(typeOf), { engine, name: `${kind}OnBatch`, steady }), ledger };
    }) as BatchProgram;
    const sums = await built.run(args);
    return ledger.logs(sums.map((t) => t.data));
  }

  /** The Program that predicts batches of these types. */
  predictor(types: readonly TensorType[]): Built {
    const { engine } = this;
    const run = (...values: Value[]) => this.model.callFlat(values, { training: false });
    return this.programs.get(`predict ${types.map(formatType).join()}`, engine, () =>
      build(run, types, { engine, name: "predict", steady: this.model.weights }),
    ) as Built;
  }
}

const typeOf = (t: Tensor): TensorType => ({ shape: t.shape, dtype: t.dtype });

function bytesOf(set: DataSet): number {
  return partsOf(set).reduce((sum, t) => sum + t.data.byteLength, 0);
}

/** Which model an optimizer was compiled into. */
const owners = new WeakMap<Optimizer, Trainer>();
const trainers = new WeakMap<Model, Trainer>();

/** The one Trainer of a model, made on first use. */
export function trainerOf(model: Model): Trainer {
  let trainer = trainers.get(model);
  if (!trainer) {
    trainer = new Trainer(model);
    trainers.set(model, trainer);
  }
  return trainer;
}
