// "myelin/csv": tables and streams of rows from CSV files. Needs the package csv-parse.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import { checkInteger } from "../core/options.ts";
import type { ColumnType } from "../data/columns.ts";
import { Dataset } from "../data/dataset.ts";
import { type Row, Table } from "../data/table.ts";
import { builderOf, type ColumnBuilder, inferType } from "./builders.ts";
import { type CheckedCsvOptions, type CsvOptions, checkCsvOptions } from "./csv-options.ts";
import { type Record as Fields, readRecords } from "./csv-records.ts";
import { type FileSource, isNamed, nameOf } from "./source.ts";

export { Table } from "../data/table.ts";
export type { CsvOptions, FileSource, Row };

/**
 * A CSV file as a Table. Columns are integers, numbers, booleans or text, found out from the first rows; a column in which
 * text turns up later becomes text (the file is read again). Missing cells become NaN or "". Files ending in .gz are
 * unpacked on the way; rows go straight into typed arrays, text as codes, so that millions of them fit.
 * @param source a path, a URL, or a stream of strings or bytes
 * @throws INVALID_FILE there is no such file; INVALID_DATA a row with too many or too few fields, or a cell that is not of
 *   its column's given type: with file, row (the first after the header is 1) and column; INVALID_OPTION csv-parse is missing
 * @example const table = await readCsv("adult.csv.gz", { columns: ["age", "job", "income"], missing: ["?"] });
 */
export async function readCsv(source: FileSource, options?: CsvOptions): Promise<Table> {
  const where = "readCsv";
  const o = checkCsvOptions(where, options);
  const texts = new Set<string>();
  for (;;) {
    const reader = new CsvReader(where, source, o, texts);
    try {
      // Without a size to yield at, this only fills the builders.
      await reader.read(Infinity).next();
      return reader.finish();
    } catch (error) {
      if (!(error instanceof TextFound)) throw error;
      if (!isNamed(source)) throw error.asMistake;
      texts.add(error.column);
    }
  }
}

/**
 * A CSV file as a Dataset, read anew in each pass and never held as a whole: of rows `{ column: value }`, or with
 * `batchSize` of Tables of so many rows, which are much cheaper. Types are those of the first rows, or given.
 * @throws what readCsv throws, when read; INVALID_DATA text in a column whose first rows are numbers
 * @example csvDataset("big.csv", { batchSize: 256 }).map((t) => [t.toTensor(["a", "b"]), t.toTensor(["y"])])
 */
export function csvDataset(source: FileSource, options: CsvOptions & { batchSize: number }): Dataset<Table>;
export function csvDataset(source: FileSource, options?: CsvOptions): Dataset<Row>;
export function csvDataset(
  source: FileSource,
  options: CsvOptions & { batchSize?: number } = {},
): Dataset<Table> | Dataset<Row> {
  const where = "csvDataset";
  const { batchSize, ...rest } = options;
  const o = checkCsvOptions(where, rest);
  if (batchSize !== undefined) checkInteger(where, "batchSize", batchSize, 1);
  const tables = async function* (): AsyncGenerator<Table> {
    const reader = new CsvReader(where, source, o, new Set());
    try {
      yield* reader.read(batchSize ?? 256);
    } catch (error) {
      throw error instanceof TextFound ? error.asMistake : error;
    }
    if (reader.rows > 0) yield reader.finish();
  };
  const whole = Dataset.from(tables);
  return batchSize === undefined ? whole.flatMap((table) => table.rows()) : whole;
}

/** Text in a column that looked like numbers: readCsv starts again knowing that, others cannot. */
class TextFound extends Error {
  constructor(
    readonly column: string,
    readonly asMistake: MyelinError,
  ) {
    super(column);
  }
}

interface OpenColumn {
  readonly name: string;
  readonly field: number;
  readonly builder: ColumnBuilder;
  readonly type: ColumnType;
}

/** One pass over a file. */
class CsvReader {
  /** Rows in the builders. */
  rows = 0;
  private total = 0;
  private names: readonly string[] | undefined;
  private columns: readonly OpenColumn[] | undefined;
  /** Rows kept until types are known. */
  private held: Fields[] = [];

  constructor(
    private readonly where: string,
    private readonly source: FileSource,
    private readonly options: CheckedCsvOptions,
    private readonly texts: ReadonlySet<string>,
  ) {}

  /** Yields a Table whenever `size` rows are there; what remains is left to `finish`. */
  async *read(size: number): AsyncGenerator<Table> {
    const { limit, inferRows } = this.options;
    const wanted = Math.min(inferRows, limit);
    reading: for await (const records of readRecords(this.where, this.source, this.options)) {
      for (const record of records) {
        if (this.names === undefined) {
          this.names = this.readNames(record);
          if (this.options.header) continue;
        }
        if (this.total + this.held.length >= limit) break reading;
        if (this.columns) {
          this.add(this.columns, record);
          if (this.rows === size) yield this.finish();
          continue;
        }
        this.held.push(record);
        if (this.held.length >= wanted) yield* this.flush(size);
      }
    }
    yield* this.flush(size);
  }

  /** The rows since the last table. */
  finish(): Table {
    if (this.names === undefined) {
      const names = this.options.columns;
      if (names === undefined)
        throw new MyelinError(
          "INVALID_DATA",
          `${this.where}: ${nameOf(this.source)}: expected a header, got an empty file`,
        );
      this.names = names;
    }
    this.columns ??= this.openColumns(this.names);
    const table = new Table(new Map(this.columns.map((c) => [c.name, c.builder.finish()])), this.rows);
    this.rows = 0;
    return table;
  }

  /** Finds out types, then takes in what was held until they were known. */
  private *flush(size: number): Generator<Table> {
    if (this.columns || this.names === undefined) return;
    this.columns = this.openColumns(this.names);
    const { held } = this;
    this.held = [];
    for (const record of held) {
      this.add(this.columns, record);
      if (this.rows === size) yield this.finish();
    }
  }

  private readNames(first: Fields): readonly string[] {
    const { columns, header } = this.options;
    const place = `${this.where}: ${nameOf(this.source)}`;
    if (columns !== undefined && columns.length !== first.length)
      throw new MyelinError(
        "INVALID_DATA",
        `${place}: expected ${columns.length} fields like columns, got ${first.length} in the first line`,
      );
    const names = columns ?? first.map((name, i) => (header && name !== "" ? name : `column${i}`));
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      throw new MyelinError(
        "INVALID_DATA",
        `${place}: expected different column names, got ${describe(twice)} twice`,
      );
    return names;
  }

  private openColumns(names: readonly string[]): readonly OpenColumn[] {
    const { select = names, types, missing } = this.options;
    for (const name of [...select, ...Object.keys(types)])
      if (!names.includes(name))
        throw unknownName(`${this.where}: ${nameOf(this.source)}`, "column", name, names);
    return select.map((name) => {
      const field = names.indexOf(name);
      const given = types[name];
      const type =
        given ??
        (this.texts.has(name)
          ? "string"
          : inferType(
              this.held.map((r) => r[field]!),
              missing,
            ));
      return { name, field, type, builder: builderOf(type, { missing, fixed: given !== undefined }) };
    });
  }

  private add(columns: readonly OpenColumn[], record: Fields): void {
    this.total++;
    this.rows++;
    for (const column of columns)
      if (!column.builder.add(record[column.field]!)) throw this.wrongCell(column, record[column.field]!);
  }

  private wrongCell({ name, type }: OpenColumn, text: string): Error {
    const article = type === "integer" ? "an" : "a";
    const kind = this.options.missing.has(text) ? `a missing value (${describe(text)})` : describe(text);
    const place = `${this.where}: ${nameOf(this.source)}, row ${this.total}, column ${describe(name)}`;
    const found = `${place}: expected ${article} ${type}, got ${kind}`;
    if (this.options.types[name] !== undefined) return new MyelinError("INVALID_DATA", found);
    const hint = `; the first rows look like ${type}s, say { types: { ${JSON.stringify(name)}: "string" } } if they are text`;
    return new TextFound(name, new MyelinError("INVALID_DATA", found + hint));
  }
}
