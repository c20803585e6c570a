// trainTabular: from a table and the name of a column to a model that predicts it.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import type { Table } from "../data/table.ts";
import { mlp } from "../models/architectures/mlp.ts";
import { adamW } from "../optimizers/index.ts";
import type { CallbackLike } from "../training/callback.ts";
import { earlyStopping } from "../training/callbacks/early-stopping.ts";
import { reduceLROnPlateau } from "../training/callbacks/reduce-lr-on-plateau.ts";
import type { FitOptions } from "../training/fit-options.ts";
import { COLUMN_KINDS, type ColumnKind, planColumns } from "./columns.ts";
import { TabularEncoder } from "./encoder.ts";
import type { Scores } from "./scores.ts";
import { TabularModel } from "./tabular-model.ts";
import { encodeTarget, planTarget, type TaskName } from "./target.ts";

export interface TrainTabularOptions extends Pick<FitOptions, "verbose" | "stream" | "signal"> {
  /** The column to predict. */
  target: string;
  /** Default: classes for text, booleans and whole numbers of at most 20 values, else numbers. */
  task?: TaskName;
  /** Columns to read. Default: all but the target. */
  features?: readonly string[];
  /** Columns not to read. */
  ignore?: readonly string[];
  /** What columns are, where that is not found out rightly. */
  kinds?: Readonly<Record<string, ColumnKind>>;
  /** Share of the rows that training does not see: they say when to stop, and how good the model is. Default 0.2. */
  validationSplit?: number;
  /** Widths of the hidden layers. Default [128, 64]. */
  hiddenUnits?: readonly number[];
  /** Default 0.1. */
  dropout?: number;
  /** Of the beginning; it falls when validation stops improving. Default 0.002. */
  learningRate?: number;
  /** Default: 32 to 256, by the number of rows. */
  batchSize?: number;
  /** At most. Default 100. */
  epochs?: number;
  /** Epochs without improvement after which training stops, with the weights of the best. Default 10. */
  patience?: number;
  /** Rules everything that is drawn. Default 0. */
  seed?: number;
  callbacks?: readonly CallbackLike[];
}

const OPTIONS = [
  "target",
  "task",
  "features",
  "ignore",
  "kinds",
  "validationSplit",
  "hiddenUnits",
  "dropout",
  "learningRate",
  "batchSize",
  "epochs",
  "patience",
  "seed",
  "callbacks",
  "verbose",
  "stream",
  "signal",
] as const;

export interface TabularTraining {
  readonly tabular: TabularModel;
  /** By epoch: loss, valLoss and so on. */
  readonly history: Readonly<Record<string, readonly number[]>>;
  /** The epoch, from 0, whose weights the model has. */
  readonly bestEpoch: number;
  readonly train: Table;
  readonly validation: Table;
  /** On the validation rows. The training was stopped by them, so fresh rows may give a little less. */
  readonly scores: Scores;
  /** Rows left out because they have no target. */
  readonly droppedRows: number;
}

const MIN_ROWS = 20;

/**
 * Trains a network on a table: finds out what columns are, fills gaps, scales, encodes, holds rows back, and stops in time.
 * @throws INVALID_OPTION; INVALID_DATA fewer than 20 rows, no column to read, a target that is the same in all rows
 * @example
 * const { tabular, scores } = await trainTabular(await readCsv("titanic.csv"), { target: "survived", seed: 1 });
 * await tabular.save("titanic.myelin");
 */
export async function trainTabular(table: Table, options: TrainTabularOptions): Promise<TabularTraining> {
  const where = "trainTabular";
  const o = checkOptions(where, options, OPTIONS);
  if (o.task !== undefined) checkOneOf(where, "task", o.task, ["classification", "regression"]);
  const seed = checkInteger(where, "seed", o.seed ?? 0);
  const epochs = checkInteger(where, "epochs", o.epochs ?? 100, 1);
  const patience = checkInteger(where, "patience", o.patience ?? 10, 1);
  const isShare = (x: number) => x > 0 && x < 1;
  const testSize = checkNumber(where, "validationSplit", o.validationSplit ?? 0.2, "in (0, 1)", isShare);
  const learningRate = checkNumber(where, "learningRate", o.learningRate ?? 0.002, "above 0", (x) => x > 0);
  const names = readNames(where, table, o);
  const rows = table.dropMissing([o.target]);
  if (rows.numRows < MIN_ROWS) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected at least ${MIN_ROWS} rows with a target, got ${rows.numRows}`,
    );
  }
  const target = planTarget(rows, o.target, o.task);
  const stratify = target.task === "classification" ? o.target : undefined;
  const [train, validation] = rows.split({ testSize, seed, stratify });
  const { columns, leftOut } = planColumns(rows, train, names, o.kinds ?? {});
  if (columns.length === 0) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected a column to learn from, got ${leftOut.map((l) => `${l.name} (${l.reason})`).join(", ") || "none"}`,
    );
  }
  const encoder = new TabularEncoder(columns);
  encoder.adapt(train);
  const x = encoder.encode(train);
  const isClasses = target.task === "classification";
  const model = mlp({
    inputShape: [x.shape[1]!],
    hiddenUnits: o.hiddenUnits ?? [128, 64],
    dropout: o.dropout ?? 0.1,
    units: isClasses ? target.labels.length : 1,
    outputActivation: isClasses ? "softmax" : "linear",
    name: "tabular",
    seed,
  });
  model.compile({
    optimizer: adamW({ learningRate, weightDecay: 0.01 }),
    loss: isClasses ? "sparseCategoricalCrossentropy" : "meanSquaredError",
    metrics: isClasses ? ["accuracy"] : [],
  });
  const stopping = earlyStopping({ monitor: "valLoss", patience, restoreBestWeights: true });
  const { history } = await model.fit(x, encodeTarget(target, train), {
    epochs,
    batchSize: o.batchSize ?? batchSizeFor(train.numRows),
    validationData: [encoder.encode(validation), encodeTarget(target, validation)],
    validationBatchSize: 512,
    seed,
    callbacks: [
      reduceLROnPlateau({ monitor: "valLoss", factor: 0.3, patience: Math.ceil(patience / 3) }),
      stopping,
      ...(o.callbacks ?? []),
    ],
    verbose: o.verbose,
    stream: o.stream,
    signal: o.signal,
  });
  const tabular = new TabularModel(model, target, encoder, leftOut);
  const scores = tabular.score(validation, await tabular.outputs(validation));
  const droppedRows = table.numRows - rows.numRows;
  return { tabular, history, bestEpoch: stopping.bestEpoch, train, validation, scores, droppedRows };
}

/** The columns that may be read. */
function readNames(where: string, table: Table, o: TrainTabularOptions): string[] {
  if (typeof o.target !== "string") {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected target to be the name of a column, got ${describe(o.target)}`,
    );
  }
  const named = [...(o.features ?? []), ...(o.ignore ?? []), ...Object.keys(o.kinds ?? {}), o.target];
  for (const name of named)
    if (!table.names.includes(name)) throw unknownName(where, "column", name, table.names);
  for (const kind of Object.values(o.kinds ?? {})) checkOneOf(where, "kind", kind, COLUMN_KINDS);
  const ignored = new Set([o.target, ...(o.ignore ?? [])]);
  return (o.features ?? table.names).filter((name) => !ignored.has(name));
}

/** About a hundred steps or more to an epoch, as far as rows allow. */
function batchSizeFor(rows: number): number {
  return rows < 4000 ? 32 : rows < 20_000 ? 128 : 256;
}
