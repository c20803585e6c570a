// Tables in files: options, reading, writing.

import type { ColumnType } from "../data/columns.ts";
import type { Table } from "../data/table.ts";
import { type CsvOptions, readCsv } from "../loaders/csv.ts";
import { readParquet } from "../loaders/parquet.ts";
import { readAll } from "../loaders/source.ts";
import type { Given, OptionSpec } from "./command.ts";

/** Options of commands that read tables. */
export const TABLE_OPTIONS = {
  delimiter: { type: "text", value: "CHAR", help: 'between fields (default ","; "tab" for a tab)' },
  quote: { type: "text", value: "CHAR", help: 'around fields (default "; "none" where quotes are text)' },
  columns: { type: "list", value: "A,B,...", help: "names of all columns, for files without a header" },
  missing: {
    type: "list",
    value: "A,B,...",
    help: 'cells that stand for nothing (default "", NA, NaN, null, ?)',
  },
} as const satisfies Record<string, OptionSpec>;

/** A table of a CSV or Parquet file; "-" is standard input. */
export async function readTable(
  path: string,
  given: Given,
  types: Readonly<Record<string, ColumnType>> = {},
): Promise<Table> {
  if (path.endsWith(".parquet")) return readParquet(path);
  const { delimiter, quote, columns, missing } = given;
  const source = path === "-" ? [await readAll("standard input", process.stdin)] : path;
  const options: CsvOptions = {
    ...(delimiter !== undefined && { delimiter: delimiter === "tab" ? "\t" : String(delimiter) }),
    ...(path.endsWith(".tsv") && delimiter === undefined && { delimiter: "\t" }),
    ...(quote !== undefined && { quote: quote === "none" ? false : String(quote) }),
    ...(columns !== undefined && { columns: columns as string[] }),
    ...(missing !== undefined && { missing: missing as string[] }),
  };
  if (Object.keys(types).length === 0) return readCsv(source, options);
  // Which of the columns are missing the model says better than the reader does.
  const { names } = await readCsv(source, { ...options, limit: 0 });
  const known = Object.entries(types).filter(([name]) => names.includes(name));
  return readCsv(source, { ...options, types: Object.fromEntries(known) });
}

/** A table as the text of a CSV file (RFC 4180). Missing cells are empty. */
export function toCsv(table: Table): string {
  const quoted = (cell: unknown) => {
    const text = typeof cell === "number" && Number.isNaN(cell) ? "" : String(cell);
    return /[",\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [table.names, ...[...table].map((row) => Object.values(row))];
  return `${lines.map((cells) => cells.map(quoted).join(",")).join("\n")}\n`;
}
