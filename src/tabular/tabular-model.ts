// TabularModel: a model together with what makes its inputs of a table's columns and labels of its outputs. Saved as any
// model is; the preparation lies in the model's metadata.

// Gives models predict, fit and the like.
import "../training/attach.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { Random } from "../core/random.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Cell, ColumnType } from "../data/columns.ts";
import { ascending } from "../data/rows.ts";
import { Table } from "../data/table.ts";
import { isPlainObject } from "../layers/nest.ts";
import type { Model } from "../models/model.ts";
import type { ColumnPlan, LeftOut } from "./columns.ts";
import type { TabularEncoder } from "./encoder.ts";
import { likeliest, type Scores, scoreClasses, scoreNumbers } from "./scores.ts";
import { classesOf, decodeNumbers, type Target } from "./target.ts";

/** Rows as records; null and absent cells are missing. */
export type TabularRows = readonly Readonly<Record<string, Cell | null | undefined>>[];

export interface PredictTableOptions {
  /** Whether each label's probability is a column, too, named `target=label`. Default false: only that of the predicted one. */
  probabilities?: boolean;
}

export interface ImportanceOptions {
  /** How often each column is shuffled. Default 5. */
  repeats?: number;
  /** Rows used at most. Default 2000. */
  maxRows?: number;
  /** Default 0. */
  seed?: number;
}

/** What is lost when a column says nothing any more. */
export interface Importance {
  readonly column: string;
  /** Accuracy lost (classification), or growth of the root mean squared error. Around 0: the model does without. */
  readonly loss: number;
  /** Standard deviation over repeats. */
  readonly deviation: number;
}

const WHERE = "tabular model";

/** Where a model's metadata hold what prepares its data; loading.ts reads it. */
export const METADATA_KEY = "tabular";
export const METADATA_VERSION = 1;

/** Made by `trainTabular` and `loadTabular`. */
export class TabularModel {
  readonly model: Model;
  readonly target: Target;
  readonly columns: readonly ColumnPlan[];
  readonly leftOut: readonly LeftOut[];
  private readonly encoder: TabularEncoder;

  /** @internal */
  constructor(model: Model, target: Target, encoder: TabularEncoder, leftOut: readonly LeftOut[]) {
    this.model = model;
    this.target = target;
    this.encoder = encoder;
    this.columns = encoder.columns;
    this.leftOut = leftOut;
  }

  /**
   * Types for `readCsv` that read a file's cells as they were in training. Columns of booleans are not among them: files
   * write them as words or as digits.
   */
  get types(): Record<string, ColumnType> {
    const typed = this.columns.filter((c) => c.cells !== "boolean");
    return Object.fromEntries(typed.map((c) => [c.name, c.cells as ColumnType]));
  }

  /** What the model takes: float32 [rows, inputs]. @throws INVALID_DATA columns that are missing or of another type */
  encode(data: Table | TabularRows): Tensor {
    return this.encoder.encode(this.table(data));
  }

  /** A table of predictions out of what the model gives. */
  decode(y: Tensor, options?: PredictTableOptions): Table {
    const { probabilities = false } = checkOptions("predict", options, ["probabilities"]);
    const { target } = this;
    if (target.task === "regression")
      return Table.fromColumns({ [target.name]: decodeNumbers(target, y).map(digits) });
    const { labels, name } = target;
    const [rows, k] = [y.shape[0]!, labels.length];
    const classes = Int32Array.from({ length: rows }, (_, row) => likeliest(y.data, row * k, k));
    const shares = probabilities
      ? labels.map((label, i) => [`${name}=${label}`, pick(y, rows, k, () => i)] as const)
      : [["probability", pick(y, rows, k, (row) => classes[row]!)] as const];
    return Table.fromColumns({
      [name]: Array.from(classes, (i) => labels[i]!),
      ...Object.fromEntries(shares),
    });
  }

  /**
   * Predicts the target of rows.
   * @returns a table of as many rows: the target's column, and the probability of each label that was chosen
   * @example const table = await tabular.predict([{ age: 29, sex: "female", pclass: 1 }]);
   */
  async predict(data: Table | TabularRows, options?: PredictTableOptions): Promise<Table> {
    return this.decode(await this.outputs(this.table(data)), options);
  }

  /** How good predictions are on a table that has the target. Rows without it do not count. */
  async evaluate(table: Table): Promise<Scores> {
    const known = table.dropMissing([this.target.name]);
    return this.score(known, await this.outputs(known));
  }

  /**
   * How much each column counts: what is lost when its cells are shuffled among the rows (Breiman, "Random forests", 2001).
   * Columns that say the same share what they are worth.
   * @returns most important first
   */
  async importance(table: Table, options?: ImportanceOptions): Promise<Importance[]> {
    const where = "importance";
    const o = checkOptions(where, options, ["repeats", "maxRows", "seed"]);
    const repeats = checkInteger(where, "repeats", o.repeats ?? 5, 1);
    const maxRows = checkInteger(where, "maxRows", o.maxRows ?? 2000, 2);
    const seed = checkInteger(where, "seed", o.seed ?? 0);
    const all = table.dropMissing([this.target.name]);
    const rows = all.numRows > maxRows ? all.shuffle({ seed }).slice(0, maxRows) : all;
    const error = async (t: Table) => errorOf(this.score(t, await this.outputs(t)));
    const whole = await error(rows);
    const random = new Random(seed);
    const found: Importance[] = [];
    for (const { name } of this.columns) {
      const losses: number[] = [];
      for (let i = 0; i < repeats; i++) {
        const order = ascending(rows.numRows);
        random.shuffle(order);
        const shuffled = rows.select([name]).take(order).column(name);
        losses.push((await error(rows.withColumn(name, shuffled))) - whole);
      }
      const loss = losses.reduce((a, b) => a + b, 0) / repeats;
      const variance = losses.reduce((a, b) => a + (b - loss) ** 2, 0) / repeats;
      found.push({ column: name, loss, deviation: Math.sqrt(variance) });
    }
    return found.sort((a, b) => b.loss - a.loss);
  }

  /** Writes the model's folder, as `model.save` does, with all that prepares its data. */
  async save(path: string): Promise<void> {
    const { model, target, columns, leftOut, encoder } = this;
    model.metadata[METADATA_KEY] = {
      version: METADATA_VERSION,
      target,
      columns,
      leftOut,
      known: encoder.known,
    };
    await model.save(path, { includeOptimizer: false });
  }

  private table(data: Table | TabularRows): Table {
    if (data instanceof Table) return data;
    if (Array.isArray(data) && data.length > 0 && data.every(isPlainObject))
      return Table.fromRows(data as TabularRows);
    throw new MyelinError(
      "INVALID_DATA",
      `${WHERE}: expected a Table or a list of rows such as { age: 29 }, got ${describe(data)}`,
    );
  }

  /** @internal */
  async outputs(table: Table): Promise<Tensor> {
    return this.model.predict(this.encoder.encode(table), { batchSize: 512, verbose: 0 });
  }

  /** @internal Of what `outputs` gave for the table. */
  score(table: Table, y: Tensor): Scores {
    const { target } = this;
    return target.task === "classification"
      ? scoreClasses(target.labels, classesOf(target, table), y.data)
      : scoreNumbers(table.numbers(target.name), decodeNumbers(target, y));
  }
}

function pick(y: Tensor, rows: number, k: number, place: (row: number) => number): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => digits(y.data[row * k + place(row)]!));
}

/** The seven digits that a float32 holds. */
const digits = (x: number): number => Number(x.toPrecision(7));

const errorOf = (scores: Scores): number =>
  scores.task === "classification" ? 1 - scores.accuracy : scores.rootMeanSquaredError;
