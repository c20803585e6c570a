// fit: epochs over data, with shuffling, validation, callbacks, progress, abortion. The work of an epoch is one run of a
// Pass; between epochs as little as possible happens here, so that tiny models train at the speed of their steps.

import { aborted, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { deriveSeed, Random, splitSeed } from "../core/random.ts";
import { type Tensor, tensor } from "../core/tensor.ts";
import { Dataset } from "../data/dataset.ts";
import { Breather } from "./breather.ts";
import {
  Callback,
  type CallbackLike,
  CallbackList,
  type Direction,
  hook,
  type Logs,
  listOf,
  type Position,
  type ResumePoint,
} from "./callback.ts";
import { type DataLike, type DataSet, partsOf, rowsOfSet, withParts } from "./data.ts";
import { NanGuard } from "./diagnose.ts";
import { runTest } from "./evaluate.ts";
import { History } from "./history.ts";
import { checkBatchSize, checkSignal, checkVerbose, refuse } from "./options.ts";
import { type Going, iota, type Pass, type PassRun } from "./pass.ts";
import { capitalized } from "./plan.ts";
import { Progress, type ProgressStream, type Verbose } from "./progress.ts";
import { type BatchLike, type BatchSource, isSource, readBatch } from "./source.ts";
import type { Trainer } from "./trainer.ts";
import type { ClassWeight } from "./weights.ts";

export interface FitOptions {
  /** Number of the last epoch plus one. Default 1; 0 trains nothing. */
  epochs?: number;
  /** Rows per step. Default 32; a larger one than the data means one batch of all rows. */
  batchSize?: number;
  /** Share of the rows, taken from the end, that is kept for validation. In [0, 1). Default 0. */
  validationSplit?: number;
  /**
   * [x, y], [x, y, sampleWeight] (or a record of them) to evaluate on after epochs, or a Dataset or other source of batches.
   * Goes before validationSplit.
   */
  validationData?: BatchLike | BatchSource;
  /** Default: batchSize. */
  validationBatchSize?: number;
  /** Batches of validation data that are used. Default: all. */
  validationSteps?: number;
  /** Validate after every so many epochs, or after these (counted from 1). Default 1. */
  validationFreq?: number | readonly number[];
  /** How much each row (or step of a row) counts in the loss: an array for all outputs, or a list or record of them. */
  sampleWeight?: DataLike;
  /** How much rows of each class count, by class number; classes left out count 1. For models with one output. */
  classWeight?: ClassWeight;
  /** Batches per epoch; the next epoch goes on where this one ends. Default: one pass over the data. */
  stepsPerEpoch?: number;
  /** New order of rows in every epoch. Default true. */
  shuffle?: boolean;
  /**
   * Rules shuffles and dropout; and the starting weights, as long as none have been drawn and the model has no seed of its
   * own. Default: what an earlier fit was given, else the model's seed.
   */
  seed?: number;
  /** 0: silence. 1: a bar. 2: one line per epoch. "auto": a bar in a terminal, silence elsewhere. Default "auto". */
  verbose?: Verbose;
  callbacks?: CallbackLike | readonly CallbackLike[];
  /** Number of the first epoch, for trainings that go on. Default 0. */
  initialEpoch?: number;
  /** Stops between steps; fit then rejects with an AbortError, and the weights are those after the last whole step. */
  signal?: AbortSignal;
  /** Where progress is written. Default: standard output. */
  stream?: ProgressStream;
  /**
   * nan: when an epoch leaves a loss or weight NaN or infinite, go over it again to find the step and the op that made it
   * so; fit then rejects with NOT_A_NUMBER, and the model is as it was before that step. Keeps a copy of the weights.
   */
  debug?: { nan?: boolean };
}

const FIT_OPTIONS = [
  "epochs",
  "batchSize",
  "validationSplit",
  "validationData",
  "validationBatchSize",
  "validationSteps",
  "validationFreq",
  "sampleWeight",
  "classWeight",
  "stepsPerEpoch",
  "shuffle",
  "seed",
  "verbose",
  "callbacks",
  "initialEpoch",
  "signal",
  "stream",
  "debug",
] as const;

/** Tells the numbers drawn for shuffling apart from weights and dropout of the same seed. */
const SHUFFLE_STREAM = 0x5aff;

/** Options with defaults filled in and checked. */
function readOptions(options: FitOptions | undefined) {
  const o = checkOptions("fit", options, FIT_OPTIONS);
  const batchSize = checkBatchSize("fit", o.batchSize ?? 32);
  const isShare = (x: number) => x >= 0 && x < 1;
  const maybe = (name: "stepsPerEpoch" | "validationSteps") =>
    o[name] === undefined ? undefined : checkInteger("fit", name, o[name], 1);
  return {
    batchSize,
    epochs: checkInteger("fit", "epochs", o.epochs ?? 1),
    initialEpoch: checkInteger("fit", "initialEpoch", o.initialEpoch ?? 0),
    validationSplit: checkNumber("fit", "validationSplit", o.validationSplit ?? 0, "in [0, 1)", isShare),
    validationData: o.validationData,
    validationBatchSize: checkBatchSize("fit", o.validationBatchSize ?? batchSize),
    validationSteps: maybe("validationSteps"),
    isValidated: readFrequency(o.validationFreq ?? 1),
    sampleWeight: o.sampleWeight,
    classWeight: o.classWeight,
    stepsPerEpoch: maybe("stepsPerEpoch"),
    givenBatchSize: o.batchSize,
    shuffle: checkBoolean("fit", "shuffle", o.shuffle ?? true),
    seed: o.seed === undefined ? undefined : checkInteger("fit", "seed", o.seed),
    verbose: checkVerbose("fit", o.verbose ?? "auto"),
    callbacks: listOf("fit", o.callbacks),
    signal: checkSignal("fit", o.signal),
    stream: o.stream,
    nan: checkBoolean("fit", "debug.nan", checkOptions("fit: debug", o.debug, ["nan"]).nan ?? false),
  };
}

/** After which epochs (counted from 0) validation takes place. */
function readFrequency(frequency: unknown): (epoch: number) => boolean {
  if (Array.isArray(frequency)) {
    for (const epoch of frequency) checkInteger("fit", "validationFreq", epoch, 1);
    return (epoch) => frequency.includes(epoch + 1);
  }
  const every = checkInteger("fit", "validationFreq", frequency, 1);
  return (epoch) => (epoch + 1) % every === 0;
}

/** See `Model.fit`. The caller holds the model. */
export async function runFit(
  trainer: Trainer,
  x: unknown,
  y: unknown,
  options: FitOptions | undefined,
): Promise<History> {
  const { optimizer } = trainer.check("fit");
  const o = readOptions(options);
  if (o.nan && trainer.model.trainStep) {
    throw new MyelinError(
      "INVALID_OPTION",
      "fit: expected no debug.nan for a model with a trainStep of its own",
    );
  }
  const history = new History();
  const callbacks = new CallbackList("fit", [...o.callbacks, history]);
  const breather = new Breather();
  const data = await readSets(trainer, x, y, o, breather);
  const seed = takeSeed(trainer, o.seed);
  const passes = await openPasses(trainer, data, o, seed, breather);
  const { pass, test, guard } = passes;
  try {
    const epochs = new Epochs(trainer, pass, test, callbacks, o, seed, guard);
    const { model } = trainer;
    model.stopTraining = false;
    trainer.history = history;
    const { steps, rows: samples } = pass;
    callbacks.setModel(model, {
      epochs: o.epochs,
      steps,
      samples,
      metrics: logNames(pass, test),
      callbacks: callbacks.all,
      position: () => epochs.position(),
    });
    await callbacks.call("onTrainBegin", {});
    const resume = callbacks.resumePoint();
    if (resume) await takeUp(resume, callbacks, history, pass);
    const logs = await epochs.run(optimizer.stepsTaken, resume);
    if (o.epochs > o.initialEpoch) optimizer.finalizeVariableValues(trainer.trainableWeights);
    await callbacks.call("onTrainEnd", logs);
  } finally {
    await passes.close();
  }
  return history;
}

/** Brings what the callbacks knew and the history back; the one that resumes has brought the model back. */
async function takeUp(
  resume: ResumePoint,
  callbacks: CallbackList,
  history: History,
  pass: Going,
): Promise<void> {
  for (const [i, callback] of callbacks.all.entries()) {
    const state = resume.states[i] ?? null;
    if (callback instanceof Callback && state !== null) await callback.setState?.(state);
  }
  history.epoch = [...resume.epochs];
  history.history = Object.fromEntries(Object.entries(resume.history).map(([k, v]) => [k, [...v]]));
  if (resume.batch > 0) pass.totals.restore(resume.sums);
}

type FitSettings = ReturnType<typeof readOptions>;

/** Data to train or validate on: in memory, or as it comes. */
type Data = DataSet | { readonly source: BatchSource<unknown> };

interface Passes {
  readonly pass: Going & Partial<Pick<Pass, "setOrder">>;
  readonly test: Going | undefined;
  readonly guard: NanGuard | undefined;
  close(): Promise<void>;
}

/** Makes (or takes up again) what goes over the data, and loads it. */
async function openPasses(
  trainer: Trainer,
  { training, validation }: { training: Data; validation: Data | undefined },
  o: FitSettings,
  seed: number,
  breather: Breather,
): Promise<Passes> {
  const closing: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const end of closing.reverse()) await end();
  };
  const stream = async (
    kind: "train" | "test",
    name: string,
    source: BatchSource<unknown>,
    classWeight?: ClassWeight,
  ) => {
    const limitName = kind === "train" ? "stepsPerEpoch" : "validationSteps";
    const pass = trainer.streamPass(kind, name, source, {
      limit: o[limitName],
      limitName,
      classWeight,
      signal: o.signal,
    });
    closing.push(() => pass.close());
    await pass.prepare();
    return pass;
  };
  const memory = async (kind: "train" | "test", set: DataSet) => {
    const kept =
      kind === "train"
        ? trainer.trainingPass(set, Math.min(o.batchSize, set.rows), o.shuffle)
        : trainer.testingPass(set, Math.min(o.validationBatchSize, set.rows));
    closing.push(() => trainer.giveBack(kind, kept));
    await kept.pass.load(set, breather);
    return kept.pass;
  };
  try {
    let pass: Passes["pass"];
    let guard: NanGuard | undefined;
    if ("source" in training) pass = await stream("train", "fit", training.source, o.classWeight);
    else if (o.stepsPerEpoch !== undefined) pass = await stream("train", "fit", endless(training, o, seed));
    else {
      const inMemory = await memory("train", training);
      if (o.nan) guard = new NanGuard(trainer, inMemory, training);
      pass = inMemory;
    }
    let test: Going | undefined;
    if (validation) {
      test =
        "source" in validation
          ? await stream("test", "fit: validationData", validation.source)
          : await memory("test", validation);
    }
    return { pass, test, guard, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Rows in memory as batches without end, for epochs that are no whole passes. */
function endless(set: DataSet, o: FitSettings, seed: number): BatchSource<unknown> {
  const rows = Dataset.fromTensorSlices(partsOf(set));
  const mixed = o.shuffle ? rows.shuffle(set.rows, { seed }) : rows;
  return mixed
    .batch(Math.min(o.batchSize, set.rows))
    .repeat()
    .map((parts) => {
      const { inputs, targets, weights } = withParts(set, parts as Tensor[]);
      const given = <T>(list: readonly T[]) => (list.every((t) => t === undefined) ? undefined : list);
      return { x: inputs, y: given(targets), sampleWeight: given(weights) };
    });
}

function logNames(pass: Going, test: Going | undefined): ReadonlyMap<string, Direction> {
  const own = [...pass.totals.names];
  const validated = test ? own.map(([name, d]) => [validationName(name), d] as const) : [];
  return new Map([...own, ...validated]);
}

/** loss becomes valLoss. */
export const validationName = (name: string): string => `val${capitalized(name)}`;

async function readSets(
  trainer: Trainer,
  x: unknown,
  y: unknown,
  o: FitSettings,
  breather: Breather,
): Promise<{ training: Data; validation: Data | undefined }> {
  const checked = async (where: string, set: DataSet) => {
    for (const _ of trainer.numbers(where, set)) if (breather.isDue()) await breather.breathe();
    return set;
  };
  const given = await readValidation(trainer, o, checked);
  if (isSource(x)) {
    refuse("fit", {
      y,
      sampleWeight: o.sampleWeight,
      batchSize: o.givenBatchSize,
      validationSplit: o.validationSplit || undefined,
      "debug.nan": o.nan || undefined,
    });
    return { training: { source: x }, validation: given };
  }
  const { sampleWeight, classWeight } = o;
  const all = await checked("fit", trainer.readData("fit", x, y, { sampleWeight, classWeight }));
  if (given || o.validationSplit === 0) return { training: all, validation: given };
  const kept = Math.floor(all.rows * (1 - o.validationSplit));
  if (kept === 0 || kept === all.rows) {
    throw new MyelinError(
      "INVALID_DATA",
      `fit: expected validationSplit ${o.validationSplit} of ${all.rows} rows to leave rows on both sides, got ${kept} and ${all.rows - kept}`,
    );
  }
  return { training: rowsOfSet(all, 0, kept), validation: shortened(rowsOfSet(all, kept, all.rows), o) };
}

async function readValidation(
  trainer: Trainer,
  o: FitSettings,
  checked: (where: string, set: DataSet) => Promise<DataSet>,
): Promise<Data | undefined> {
  const { validationData } = o;
  if (validationData === undefined) return undefined;
  if (isSource(validationData)) return { source: validationData };
  const where = "fit: validationData";
  const { x, y, sampleWeight } = readBatch(where, validationData);
  return shortened(await checked(where, trainer.readData(where, x, y, { sampleWeight })), o);
}

function shortened(set: DataSet, { validationSteps, validationBatchSize }: FitSettings): DataSet {
  if (validationSteps === undefined) return set;
  return rowsOfSet(set, 0, Math.min(set.rows, validationSteps * validationBatchSize));
}

/** Settles the seed of this training and gives it to the model's random source. */
function takeSeed(trainer: Trainer, given: number | undefined): number {
  const { model } = trainer;
  if (given === undefined) return trainer.seed ?? model.seed;
  model.offerSeed(given);
  trainer.seed = given;
  // The key alone: the counter goes on, so that a training that was saved and taken up again draws on as if unbroken.
  const key = Int32Array.from(splitSeed(deriveSeed(given, 0)));
  model.seedGenerator.key.write(tensor(key));
  return given;
}

/** The loop over epochs. */
class Epochs {
  private readonly breather = new Breather();
  private readonly progress: Progress;
  private order: Int32Array | undefined;
  private epoch = 0;
  private batch = 0;

  constructor(
    private readonly trainer: Trainer,
    private readonly pass: Passes["pass"],
    private readonly test: Going | undefined,
    private readonly callbacks: CallbackList,
    private readonly options: FitSettings,
    private readonly seed: number,
    private readonly guard: NanGuard | undefined,
  ) {
    this.progress = new Progress(options.verbose, options.stream);
  }

  /** Where it stands, between two batches or epochs. */
  position(): Position {
    return { epoch: this.epoch, batch: this.batch, sums: this.pass.totals.read() };
  }

  /**
   * @param iterations steps the optimizer has taken: what shuffles are drawn from, with the seed
   * @param resume where to begin, instead of at the first batch of `initialEpoch`
   */
  async run(iterations: number, resume?: ResumePoint): Promise<Logs> {
    const { callbacks, breather, progress, pass, test, guard } = this;
    const { epochs, initialEpoch, signal, isValidated } = this.options;
    const { model } = this.trainer;
    const batchwise = this.batchwise();
    let logs: Logs = {};
    try {
      const first = resume?.epoch ?? initialEpoch;
      for (let epoch = first; epoch < epochs && !model.stopTraining; epoch++) {
        if (signal?.aborted) throw aborted("fit", signal.reason);
        const from = epoch === resume?.epoch ? resume.batch : 0;
        this.epoch = epoch;
        this.batch = from;
        const begun = callbacks.call("onEpochBegin", epoch, {});
        if (begun) await begun;
        // The order belongs to the steps taken when the epoch began.
        if (pass.isOrdered) await this.shuffle(iterations - from);
        progress.begin(`Epoch ${epoch + 1}/${epochs}`, pass.steps, pass.rows);
        guard?.beforeEpoch();
        const done = await pass.run({ ...batchwise, from }, breather);
        iterations += done;
        logs = pass.totals.logs();
        if (guard?.isBroken(logs.loss)) throw await guard.explain(epoch, this.order, breather);
        if (test && isValidated(epoch)) {
          const measured = await runTest(test, callbacks, { signal, breather });
          for (const name in measured) logs[validationName(name)] = measured[name]!;
        }
        progress.end(logs, from + done);
        this.epoch = epoch + 1;
        this.batch = 0;
        const ended = callbacks.call("onEpochEnd", epoch, logs);
        if (ended) await ended;
        if (breather.isDue()) await breather.breathe();
      }
    } catch (error) {
      progress.interrupt();
      throw error;
    }
    return logs;
  }

  private batchwise(): PassRun {
    const { callbacks, progress, trainer } = this;
    const { signal } = this.options;
    const onProgress = progress.live
      ? (steps: number, logs: () => Logs) => {
          if (progress.isDue()) progress.update(steps, logs());
        }
      : undefined;
    const onBatchBegin = hook(callbacks, "onTrainBatchBegin");
    const told = hook(callbacks, "onTrainBatchEnd");
    const onBatchEnd =
      told &&
      ((batch: number, logs?: Logs) => {
        this.batch = batch + 1;
        return told(batch, logs);
      });
    return { signal, onProgress, onBatchBegin, onBatchEnd, isStopped: () => trainer.model.stopTraining };
  }

  /** A fresh order of rows, drawn from the seed and the steps taken so far: the same wherever the training was taken up. */
  private async shuffle(iterations: number): Promise<void> {
    const random = new Random(this.seed, SHUFFLE_STREAM, iterations);
    const order = iota(this.pass.rows!);
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      const t = order[i]!;
      order[i] = order[j]!;
      order[j] = t;
      if ((i & 0x3fff) === 0 && this.breather.isDue()) await this.breather.breathe();
    }
    this.order = order;
    this.pass.setOrder!(order);
  }
}
