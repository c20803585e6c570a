// The options of fit: what they are, their defaults, and checks.

import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { type CallbackLike, listOf } from "./callback.ts";
import type { DataLike } from "./data.ts";
import { checkBatchSize, checkSignal, checkVerbose } from "./options.ts";
import type { ProgressStream, Verbose } from "./progress.ts";
import type { BatchLike, BatchSource } from "./source.ts";
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

/** Options with defaults filled in and checked. */
export function readFitOptions(options: FitOptions | undefined) {
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

export type FitSettings = ReturnType<typeof readFitOptions>;
