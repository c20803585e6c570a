// The options of the CSV loaders, and their checks.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from "../core/options.ts";
import type { ColumnType } from "../data/columns.ts";

export interface CsvOptions {
  /** Between fields. Default ",". */
  delimiter?: string;
  /** Whether the first line has the names of the columns. Default: true unless `columns` is given. */
  header?: boolean;
  /** Names of all columns, for files without a header or in place of it. */
  columns?: readonly string[];
  /** Types by column name. Default: found out from the first rows. */
  types?: Readonly<Record<string, ColumnType>>;
  /** Only these columns, in this order. */
  select?: readonly string[];
  /** At most so many rows. */
  limit?: number;
  /** Lines to leave out at the beginning. Default 0. */
  skipLines?: number;
  /** Cells that stand for a missing value. Default "", "NA", "N/A", "NaN", "nan", "null", "NULL", "?". */
  missing?: readonly string[];
  /** Whether blanks around fields are dropped. Default true. */
  trim?: boolean;
  /** What quoted fields begin and end with; false for none. Default '"'. */
  quote?: string | false;
  /** Lines beginning with this are left out. */
  comment?: string;
  /** Rows looked at to find out types. Default 10000. */
  inferRows?: number;
}

export const CSV_OPTIONS: readonly (keyof CsvOptions)[] = [
  "delimiter",
  "header",
  "columns",
  "types",
  "select",
  "limit",
  "skipLines",
  "missing",
  "trim",
  "quote",
  "comment",
  "inferRows",
];

const MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"];

export interface CheckedCsvOptions {
  readonly delimiter: string;
  readonly header: boolean;
  readonly columns: readonly string[] | undefined;
  readonly types: Readonly<Record<string, ColumnType>>;
  readonly select: readonly string[] | undefined;
  readonly limit: number;
  readonly skipLines: number;
  readonly missing: ReadonlySet<string>;
  readonly trim: boolean;
  readonly quote: string | false;
  readonly comment: string | undefined;
  readonly inferRows: number;
}

export function checkCsvOptions(where: string, options: CsvOptions | undefined): CheckedCsvOptions {
  const o = checkOptions(where, options, CSV_OPTIONS);
  const strings = (name: string, value: readonly string[] | undefined): readonly string[] | undefined => {
    if (value === undefined || (Array.isArray(value) && value.every((s) => typeof s === "string")))
      return value;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be a list of strings, got ${describe(value)}`,
    );
  };
  const text = (name: string, value: unknown): string => {
    if (typeof value === "string" && value.length > 0) return value;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be a string, got ${describe(value)}`,
    );
  };
  for (const [name, type] of Object.entries(o.types ?? {}))
    checkOneOf(where, `type of column ${name}`, type, ["integer", "number", "boolean", "string"]);
  const columns = strings("columns", o.columns);
  return {
    delimiter: text("delimiter", o.delimiter ?? ","),
    header: checkBoolean(where, "header", o.header ?? columns === undefined),
    columns,
    types: o.types ?? {},
    select: strings("select", o.select),
    limit: o.limit === undefined ? Infinity : checkInteger(where, "limit", o.limit),
    skipLines: checkInteger(where, "skipLines", o.skipLines ?? 0),
    missing: new Set(strings("missing", o.missing) ?? MISSING),
    trim: checkBoolean(where, "trim", o.trim ?? true),
    quote: o.quote === false ? false : text("quote", o.quote ?? '"'),
    comment: o.comment === undefined ? undefined : text("comment", o.comment),
    inferRows: checkInteger(where, "inferRows", o.inferRows ?? 10_000, 1),
  };
}
