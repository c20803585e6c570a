// Table: named columns of equal length, as files give them, on the way to tensors.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { Random } from "../core/random.ts";
import { drawSeed } from "../core/seed.ts";
import { Tensor } from "../core/tensor.ts";
import {
  type Cell,
  type Column,
  type ColumnType,
  type ColumnValues,
  cellAt,
  columnOf,
  isMissing,
  pickRows,
  sliceRows,
} from "./columns.ts";
import { Dataset } from "./dataset.ts";
import { ascending } from "./rows.ts";
import { type SplitOptions, trainTestSplit } from "./split.ts";
import { median } from "./statistics.ts";

/** A row by column name. */
export type Row = Record<string, Cell>;

/**
 * Rows and named, typed columns. Tables do not change: every method makes a new one, and shares what it can.
 * @example
 * const table = await readCsv("titanic.csv");
 * const [train, test] = table.dropMissing(["age"]).split({ testSize: 0.2, seed: 1 });
 * await model.fit(train.toTensor(["age", "fare"]), train.toTensor(["survived"]));
 */
export class Table {
  readonly numRows: number;
  private readonly columns: ReadonlyMap<string, Column>;

  /** Prefer `Table.fromColumns` and `Table.fromRows`. */
  constructor(columns: ReadonlyMap<string, Column>, numRows?: number) {
    this.columns = columns;
    const [first] = columns.values();
    this.numRows = numRows ?? first?.data.length ?? 0;
    for (const [name, { data }] of columns)
      if (data.length !== this.numRows)
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `Table: expected ${this.numRows} rows in column ${describe(name)}, got ${data.length}`,
        );
  }

  /**
   * From a record of columns: typed arrays, or lists of numbers, booleans or strings (null where one is missing).
   * @throws INVALID_DATA a list of mixed kinds; SHAPE_MISMATCH columns of different lengths
   */
  static fromColumns(
    columns: Readonly<Record<string, ColumnValues | readonly (Cell | null | undefined)[]>>,
  ): Table {
    return new Table(
      new Map(Object.entries(columns).map(([name, v]) => [name, columnOf(`Table.fromColumns: ${name}`, v)])),
    );
  }

  /** From records, one per row. All names that occur become columns; a row without one has it missing. */
  static fromRows(rows: readonly Readonly<Record<string, Cell | null | undefined>>[]): Table {
    const names = [...new Set(rows.flatMap((r) => Object.keys(r)))];
    return new Table(
      new Map(
        names.map((name) => [
          name,
          columnOf(
            `Table.fromRows: ${name}`,
            rows.map((r) => r[name]),
          ),
        ]),
      ),
      rows.length,
    );
  }

  /** Column names in order. */
  get names(): string[] {
    return [...this.columns.keys()];
  }

  type(name: string): ColumnType {
    return this.find("Table.type", name).type;
  }

  /** A column's values: a typed array of numbers (booleans as 0 and 1), or a list of strings. */
  column(name: string): Float64Array | Int32Array | Uint8Array | string[] {
    const column = this.find("Table.column", name);
    return column.type === "string" ? texts(column) : column.data;
  }

  /** A column of numbers or booleans. @throws DTYPE_MISMATCH it is text */
  numbers(name: string): Float64Array | Int32Array | Uint8Array {
    const column = this.find("Table.numbers", name);
    if (column.type !== "string") return column.data;
    throw notNumbers("Table.numbers", name);
  }

  /** A column as strings, whatever it is; missing ones are "". */
  strings(name: string): string[] {
    const column = this.find("Table.strings", name);
    if (column.type === "string") return texts(column);
    return Array.from({ length: this.numRows }, (_, i) =>
      isMissing(column, i) ? "" : String(cellAt(column, i)),
    );
  }

  /** The distinct strings of a text column, in the order of its codes. */
  categories(name: string): readonly string[] {
    return this.text("Table.categories", name).categories;
  }

  /** A text column as numbers: places in `categories`, or in a list of one's own (-1 for what is not in it). */
  codes(name: string, categories?: readonly string[]): Int32Array {
    const column = this.text("Table.codes", name);
    if (categories === undefined) return column.data;
    const places = new Map(categories.map((c, i) => [c, i]));
    const translated = column.categories.map((c) => places.get(c) ?? -1);
    return column.data.map((code) => translated[code]!);
  }

  /** How many cells of a column are missing: NaN or "". */
  countMissing(name: string): number {
    const column = this.find("Table.countMissing", name);
    let count = 0;
    for (let i = 0; i < this.numRows; i++) if (isMissing(column, i)) count++;
    return count;
  }

  /**
   * Columns side by side as float32 [rows, columns]; booleans become 0 and 1, missing numbers NaN.
   * @param names default: all columns
   * @throws DTYPE_MISMATCH a column is text
   */
  toTensor(names: readonly string[] = this.names): Tensor {
    const where = "Table.toTensor";
    const width = names.length;
    const out = new Float32Array(this.numRows * width);
    names.forEach((name, k) => {
      const column = this.find(where, name);
      if (column.type === "string") throw notNumbers(where, name);
      const { data } = column;
      for (let i = 0, at = k; i < data.length; i++, at += width) out[at] = data[i]!;
    });
    return new Tensor(out, [this.numRows, width], "float32");
  }

  /** Rows as elements `{ column: value }`; batches of it have a tensor, or a list of strings, for each column. */
  toDataset(names: readonly string[] = this.names): Dataset<Row> {
    const nest = Object.fromEntries(
      names.map((name) => {
        const column = this.find("Table.toDataset", name);
        if (column.type === "boolean") return [name, new Tensor(column.data, [this.numRows], "bool")];
        return [name, this.column(name)];
      }),
    );
    return Dataset.fromTensorSlices(nest) as unknown as Dataset<Row>;
  }

  // ---- columns

  /** These columns, in this order. */
  select(names: readonly string[]): Table {
    return new Table(new Map(names.map((n) => [n, this.find("Table.select", n)])), this.numRows);
  }

  /** All but these columns. */
  drop(names: readonly string[]): Table {
    for (const name of names) this.find("Table.drop", name);
    return new Table(new Map([...this.columns].filter(([n]) => !names.includes(n))), this.numRows);
  }

  rename(names: Readonly<Record<string, string>>): Table {
    for (const name of Object.keys(names)) this.find("Table.rename", name);
    const renamed = [...this.columns].map(([n, c]) => [names[n] ?? n, c] as const);
    const twice = renamed.find(([n], i) => renamed.findIndex(([m]) => m === n) !== i);
    if (twice)
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `Table.rename: expected different names, got ${describe(twice[0])} twice`,
      );
    return new Table(new Map(renamed), this.numRows);
  }

  /** With a column added or replaced: its values, or a function of the row that gives them. */
  withColumn(name: string, values: ColumnValues | ((row: Row, index: number) => Cell | null)): Table {
    const list = typeof values === "function" ? this.map(values) : values;
    const column = columnOf(`Table.withColumn: ${name}`, list);
    if (column.data.length !== this.numRows)
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `Table.withColumn: ${name}: expected ${this.numRows} values, got ${column.data.length}`,
      );
    return new Table(new Map([...this.columns, [name, column]]), this.numRows);
  }

  /** With missing cells of a column replaced: by a value, or by the mean or median of the others. */
  fillMissing(name: string, value: number | string): Table {
    const where = "Table.fillMissing";
    const column = this.find(where, name);
    const missing = ascending(this.numRows).filter((i) => isMissing(column, i));
    if (missing.length === 0) return this;
    if (column.type === "string") {
      if (typeof value !== "string")
        throw new MyelinError(
          "INVALID_ARGUMENT",
          `${where}: ${name}: expected a string, got ${describe(value)}`,
        );
      const filled = texts(column);
      for (const i of missing) filled[i] = value;
      return this.withColumn(name, filled);
    }
    const filled = Float64Array.from(column.data);
    const known = filled.filter((v) => !Number.isNaN(v)).sort();
    const stand =
      value === "mean"
        ? known.reduce((a, b) => a + b, 0) / known.length
        : value === "median"
          ? median(known)
          : value;
    if (typeof stand !== "number" || Number.isNaN(stand))
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${where}: ${name}: expected a number, "mean" or "median" of numbers, got ${describe(value)}`,
      );
    for (const i of missing) filled[i] = stand;
    return this.withColumn(name, filled);
  }

  // ---- rows

  row(index: number): Row {
    checkInteger("Table.row", "index", index, 0, this.numRows - 1);
    return this.rowAt(index);
  }

  *rows(): Generator<Row, void, undefined> {
    for (let i = 0; i < this.numRows; i++) yield this.rowAt(i);
  }

  [Symbol.iterator](): Generator<Row, void, undefined> {
    return this.rows();
  }

  /** What a function makes of each row. */
  map<U>(fn: (row: Row, index: number) => U): U[] {
    return Array.from({ length: this.numRows }, (_, i) => fn(this.rowAt(i), i));
  }

  filter(keep: (row: Row, index: number) => boolean): Table {
    return this.take(ascending(this.numRows).filter((i) => keep(this.rowAt(i), i)));
  }

  /** Without the rows in which one of these columns (default: any) is missing. */
  dropMissing(names: readonly string[] = this.names): Table {
    const columns = names.map((n) => this.find("Table.dropMissing", n));
    return this.take(ascending(this.numRows).filter((i) => !columns.some((c) => isMissing(c, i))));
  }

  /** Rows `begin` to `end` (exclusive; negative counts from the end), as `Array.prototype.slice`. */
  slice(begin = 0, end = this.numRows): Table {
    const rows = this.numRows;
    const clamp = (i: number): number => Math.max(0, Math.min(rows, i < 0 ? rows + i : i));
    const from = clamp(begin);
    const to = Math.max(from, clamp(end));
    return this.each((c) => sliceRows(c, from, to), to - from);
  }

  /** Rows by number, in this order. */
  take(rows: ArrayLike<number>): Table {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (!Number.isInteger(row) || row < 0 || row >= this.numRows)
        throw new MyelinError(
          "INVALID_ARGUMENT",
          `Table.take: expected rows from 0 to ${this.numRows - 1}, got ${describe(row)}`,
        );
    }
    return this.each((c) => pickRows(c, rows), rows.length);
  }

  /** @param options.seed the same seed gives the same order. Default: follows from `setRandomSeed` */
  shuffle(options?: { seed?: number }): Table {
    const { seed = drawSeed() } = checkOptions("Table.shuffle", options, ["seed"]);
    checkInteger("Table.shuffle", "seed", seed);
    const order = ascending(this.numRows);
    new Random(seed).shuffle(order);
    return this.take(order);
  }

  /**
   * A part to train on and one to test on.
   * @param options as for `utils.trainTestSplit`; `stratify` may be the name of a column
   */
  split(
    options?: Omit<SplitOptions, "stratify"> & { stratify?: string | ArrayLike<unknown> },
  ): [train: Table, test: Table] {
    const where = "Table.split";
    const o = checkOptions(where, options, ["testSize", "shuffle", "seed", "stratify"]);
    if (o.testSize !== undefined) checkNumber(where, "testSize", o.testSize, "above 0", (x) => x > 0);
    const stratify = typeof o.stratify === "string" ? this.find(where, o.stratify).data : o.stratify;
    const [train, test] = trainTestSplit([ascending(this.numRows)], { ...o, stratify });
    return [this.take(train.data), this.take(test.data)];
  }

  /** The first rows, for a look. */
  toString(): string {
    const lines = [this.names, ...[...this.slice(0, 6)].map((r) => Object.values(r).map(cellText))];
    const widths = this.names.map((_, k) => Math.max(...lines.map((l) => l[k]!.length)));
    const text = lines.map((l) =>
      l
        .map((c, k) => c.padEnd(widths[k]!))
        .join("  ")
        .trimEnd(),
    );
    return `Table of ${this.numRows} rows\n${text.join("\n")}${this.numRows > 6 ? "\n..." : ""}`;
  }

  private rowAt(index: number): Row {
    const row: Row = {};
    for (const [name, column] of this.columns) row[name] = cellAt(column, index);
    return row;
  }

  private each(change: (column: Column) => Column, numRows: number): Table {
    return new Table(new Map([...this.columns].map(([n, c]) => [n, change(c)])), numRows);
  }

  private find(where: string, name: string): Column {
    const column = this.columns.get(name);
    if (column) return column;
    throw unknownName(where, "column", name, this.names);
  }

  private text(where: string, name: string): Column & { type: "string" } {
    const column = this.find(where, name);
    if (column.type === "string") return column;
    throw new MyelinError(
      "DTYPE_MISMATCH",
      `${where}: expected a column of text, got ${describe(name)} of type ${column.type}`,
    );
  }
}

function texts(column: Column & { type: "string" }): string[] {
  return Array.from(column.data, (code) => column.categories[code]!);
}

function cellText(cell: Cell): string {
  if (typeof cell === "number") return Number.isNaN(cell) ? "NaN" : String(Number(cell.toPrecision(7)));
  const text = String(cell);
  return text.length > 24 ? `${text.slice(0, 21)}...` : text;
}

function notNumbers(where: string, name: string): MyelinError {
  return new MyelinError(
    "DTYPE_MISMATCH",
    `${where}: expected numbers, got text in column ${describe(name)}; use codes(${describe(name)}), or a layer such as stringLookup`,
  );
}
