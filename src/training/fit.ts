// fit: epochs over data, with shuffling, validation, callbacks, progress, abortion. The work of an epoch is one run of a
// Pass; between epochs as little as possible happens here, so that tiny models train at the speed of their steps.

import { aborted, describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { deriveSeed, Random, splitSeed } from "../core/random.ts";
import { tensor } from "../core/tensor.ts";
import { Breather } from "./breather.ts";
import { type CallbackLike, CallbackList, type Direction, hook, type Logs, listOf } from "./callbacks.ts";
import { type DataLike, type DataSet, rowsOfSet } from "./data.ts";
import { NanGuard } from "./diagnose.ts";
import { runTest } from "./evaluate.ts";
import { History } from "./history.ts";
import { checkBatchSize, checkSignal, checkVerbose } from "./options.ts";
import { iota, type Pass, type PassRun } from "./pass.ts";
import { capitalized } from "./plan.ts";
import { Progress, type ProgressStream, type Verbose } from "./progress.ts";
import type { KeptPass, Trainer } from "./trainer.ts";

export interface FitOptions {
  /** Number of the last epoch plus one. Default 1; 0 trains nothing. */
  epochs?: number;
  /** Rows per step. Default 32; a larger one than the data means one batch of all rows. */
  batchSize?: number;
  /** Share of the rows, taken from the end, that is kept for validation. In [0, 1). Default 0. */
  validationSplit?: number;
  /** [x, y] (or { x, y }) to evaluate on after epochs. Goes before validationSplit. */
  validationData?: readonly [DataLike, DataLike] | { readonly x: DataLike; readonly y: DataLike };
  /** Default: batchSize. */
  validationBatchSize?: number;
  /** Validate after every so many epochs. Default 1. */
  validationFreq?: number;
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
  "validationFreq",
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
  return {
    batchSize,
    epochs: checkInteger("fit", "epochs", o.epochs ?? 1),
    initialEpoch: checkInteger("fit", "initialEpoch", o.initialEpoch ?? 0),
    validationSplit: checkNumber("fit", "validationSplit", o.validationSplit ?? 0, "in [0, 1)", isShare),
    validationData: o.validationData,
    validationBatchSize: checkBatchSize("fit", o.validationBatchSize ?? batchSize),
    validationFreq: checkInteger("fit", "validationFreq", o.validationFreq ?? 1, 1),
    shuffle: checkBoolean("fit", "shuffle", o.shuffle ?? true),
    seed: o.seed === undefined ? undefined : checkInteger("fit", "seed", o.seed),
    verbose: checkVerbose("fit", o.verbose ?? "auto"),
    callbacks: listOf("fit", o.callbacks),
    signal: checkSignal("fit", o.signal),
    stream: o.stream,
    nan: checkBoolean("fit", "debug.nan", checkOptions("fit: debug", o.debug, ["nan"]).nan ?? false),
  };
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
  const history = new History();
  const callbacks = new CallbackList("fit", [...o.callbacks, history]);
  const breather = new Breather();
  const { training, validation } = await readSets(trainer, x, y, o, breather);
  const seed = takeSeed(trainer, o.seed);
  const batchSize = Math.min(o.batchSize, training.rows);
  const trained = trainer.trainingPass(training, batchSize, o.shuffle);
  let tested: KeptPass | undefined;
  try {
    const testBatch = validation && Math.min(o.validationBatchSize, validation.rows);
    tested = validation && trainer.testingPass(validation, testBatch!);
    const { pass } = trained;
    const test = tested?.pass;
    await pass.load(training, breather);
    if (test) await test.load(validation!, breather);
    const guard = o.nan ? new NanGuard(trainer, pass, training) : undefined;
    const epochs = new Epochs(trainer, pass, test, callbacks, o, seed, guard);
    const { model } = trainer;
    model.stopTraining = false;
    trainer.history = history;
    const { steps, rows: samples } = pass;
    callbacks.setModel(model, { epochs: o.epochs, steps, samples, metrics: logNames(pass, test) });
    await callbacks.call("onTrainBegin", {});
    const logs = await epochs.run(optimizer.iterations.read().item());
    if (o.epochs > o.initialEpoch) optimizer.finalizeVariableValues(model.trainableWeights);
    await callbacks.call("onTrainEnd", logs);
  } finally {
    trainer.giveBack("train", trained);
    if (tested) trainer.giveBack("test", tested);
  }
  return history;
}

function logNames(pass: Pass, test: Pass | undefined): ReadonlyMap<string, Direction> {
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
  o: ReturnType<typeof readOptions>,
  breather: Breather,
): Promise<{ training: DataSet; validation: DataSet | undefined }> {
  const checked = async (where: string, set: DataSet) => {
    for (const _ of trainer.numbers(where, set)) if (breather.isDue()) await breather.breathe();
    return set;
  };
  const all = await checked("fit", trainer.readData("fit", x, y));
  if (o.validationData !== undefined) {
    const where = "fit: validationData";
    const [vx, vy] = pairOf(o.validationData);
    return { training: all, validation: await checked(where, trainer.readData(where, vx, vy)) };
  }
  if (o.validationSplit === 0) return { training: all, validation: undefined };
  const kept = Math.floor(all.rows * (1 - o.validationSplit));
  if (kept === 0 || kept === all.rows) {
    throw new MyelinError(
      "INVALID_DATA",
      `fit: expected validationSplit ${o.validationSplit} of ${all.rows} rows to leave rows on both sides, got ${kept} and ${all.rows - kept}`,
    );
  }
  return { training: rowsOfSet(all, 0, kept), validation: rowsOfSet(all, kept, all.rows) };
}

function pairOf(data: NonNullable<FitOptions["validationData"]>): readonly [unknown, unknown] {
  if (Array.isArray(data) && data.length === 2) return data as [unknown, unknown];
  if (typeof data === "object" && data !== null && "x" in data && "y" in data) return [data.x, data.y];
  throw new MyelinError(
    "INVALID_OPTION",
    `fit: expected validationData to be [x, y] or { x, y }, got ${describe(data)}`,
  );
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

  constructor(
    private readonly trainer: Trainer,
    private readonly pass: Pass,
    private readonly test: Pass | undefined,
    private readonly callbacks: CallbackList,
    private readonly options: ReturnType<typeof readOptions>,
    private readonly seed: number,
    private readonly guard: NanGuard | undefined,
  ) {
    this.progress = new Progress(options.verbose, options.stream);
  }

  /** @param iterations steps the optimizer has taken: what shuffles are drawn from, with the seed */
  async run(iterations: number): Promise<Logs> {
    const { callbacks, breather, progress, pass, test, guard } = this;
    const { epochs, initialEpoch, signal, validationFreq } = this.options;
    const { model } = this.trainer;
    const batchwise = this.batchwise();
    let logs: Logs = {};
    try {
      for (let epoch = initialEpoch; epoch < epochs && !model.stopTraining; epoch++) {
        if (signal?.aborted) throw aborted("fit", signal.reason);
        const begun = callbacks.call("onEpochBegin", epoch, {});
        if (begun) await begun;
        if (pass.isOrdered) await this.shuffle(iterations);
        progress.begin(`Epoch ${epoch + 1}/${epochs}`, pass.steps, pass.rows);
        guard?.beforeEpoch();
        iterations += await pass.run(batchwise, breather);
        logs = pass.totals.logs();
        if (guard?.isBroken(logs.loss)) throw await guard.explain(epoch, this.order, breather);
        if (test && (epoch + 1) % validationFreq === 0) {
          const measured = await runTest(test, callbacks, { signal, breather });
          for (const name in measured) logs[validationName(name)] = measured[name]!;
        }
        progress.end(logs);
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
    const onBatchEnd = hook(callbacks, "onTrainBatchEnd");
    return { signal, onProgress, onBatchBegin, onBatchEnd, isStopped: () => trainer.model.stopTraining };
  }

  /** A fresh order of rows, drawn from the seed and the steps taken so far: the same wherever the training was taken up. */
  private async shuffle(iterations: number): Promise<void> {
    const random = new Random(this.seed, SHUFFLE_STREAM, iterations);
    const order = iota(this.pass.rows);
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      const t = order[i]!;
      order[i] = order[j]!;
      order[j] = t;
      if ((i & 0x3fff) === 0 && this.breather.isDue()) await this.breather.breathe();
    }
    this.order = order;
    this.pass.setOrder(order);
  }
}
