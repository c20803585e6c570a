// "myelin/parquet": tables from Parquet files. Needs the package hyparquet, and hyparquet-compressors for files packed
// with anything but snappy.

import { fileURLToPath } from "node:url";
import type { FileMetaData, ParquetParsers, SchemaElement } from "hyparquet";
import { describe, MyelinError, unknownName } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import type { Column } from "../data/columns.ts";
import { Table } from "../data/table.ts";
import { importPeer } from "./peer.ts";
import { unreadable } from "./source.ts";
import { ValueColumn } from "./value-column.ts";

export { Table } from "../data/table.ts";

export interface ParquetOptions {
  /** Only these columns, in this order; others are not read. */
  columns?: readonly string[];
  /** At most so many rows. */
  limit?: number;
}

/** A path, a file: or https: URL (of which only what is needed is fetched), or a whole file in memory. */
export type ParquetSource = string | URL | ArrayBuffer | Uint8Array;

interface RandomAccess {
  byteLength: number;
  slice(start: number, end?: number): ArrayBuffer | Promise<ArrayBuffer>;
}

/** Times as text, like everything that is no number: "2024-01-02", "2024-01-02T10:30:00.000Z". */
const AS_TEXT: Partial<ParquetParsers> = {
  dateFromDays: (days) => new Date(days * 86_400_000).toISOString().slice(0, 10),
  timestampFromMilliseconds: (t) => new Date(Number(t)).toISOString(),
  timestampFromMicroseconds: (t) => new Date(Number(t / 1000n)).toISOString(),
  timestampFromNanoseconds: (t) => new Date(Number(t / 1_000_000n)).toISOString(),
};

/**
 * A Parquet file as a Table, one group of rows after the other. Integers beyond 32 bits become numbers (refused beyond
 * 2^53, where digits would be lost), dates and times text; null becomes NaN or "".
 * @throws INVALID_FILE there is no such file, or it is no Parquet file; INVALID_DATA a column of lists or records, or an
 *   integer beyond 2^53; INVALID_OPTION a column that is not there, or a package that is missing
 * @example const table = await readParquet("trips.parquet", { columns: ["distance", "fare"] });
 */
export async function readParquet(source: ParquetSource, options?: ParquetOptions): Promise<Table> {
  const where = "readParquet";
  const o = checkOptions(where, options, ["columns", "limit"]);
  const limit = o.limit === undefined ? Infinity : checkInteger(where, "limit", o.limit);
  const { parquetMetadataAsync, parquetRead, parquetSchema, asyncBufferFromFile, asyncBufferFromUrl } =
    await importPeer(where, "hyparquet", () => import("hyparquet"));
  const compressors = await import("hyparquet-compressors").then(
    (m) => m.compressors,
    () => undefined,
  );
  const name = ArrayBuffer.isView(source) || source instanceof ArrayBuffer ? "the buffer" : String(source);

  const open = async (): Promise<RandomAccess> => {
    if (source instanceof ArrayBuffer) return source;
    if (source instanceof Uint8Array) return source.slice().buffer;
    if (typeof source !== "string" && !(source instanceof URL))
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${where}: expected a path, a URL or bytes, got ${describe(source)}`,
      );
    if (/^https?:/.test(String(source))) return asyncBufferFromUrl({ url: String(source) });
    return asyncBufferFromFile(source instanceof URL ? fileURLToPath(source) : source);
  };
  let file: RandomAccess;
  let metadata: FileMetaData;
  try {
    file = await open();
    metadata = await parquetMetadataAsync(file);
  } catch (error) {
    throw error instanceof MyelinError ? error : unreadable(where, name, error);
  }

  const fields = new Map(parquetSchema(metadata).children.map((c) => [c.element.name, c]));
  const names = o.columns ?? [...fields.keys()];
  const columns = new Map<string, ValueColumn>();
  for (const column of names) {
    const field = fields.get(column);
    if (!field) throw unknownName(`${where}: ${name}`, "column", column, [...fields.keys()]);
    if (field.children.length > 0 || field.element.repetition_type === "REPEATED")
      throw new MyelinError(
        "INVALID_DATA",
        `${where}: ${name}, column ${describe(column)}: expected numbers, booleans or text, got lists or records; leave it out with columns`,
      );
    columns.set(column, new ValueColumn(`${where}: ${name}`, column, isWhole(field.element)));
  }

  const rows = Math.min(Number(metadata.num_rows), limit);
  let start = 0;
  for (const group of metadata.row_groups) {
    const end = Math.min(rows, start + Number(group.num_rows));
    if (end <= start) break;
    const chunks: { columnName: string; columnData: ArrayLike<unknown>; rowStart: number }[] = [];
    try {
      await parquetRead({
        file,
        metadata,
        columns: [...names],
        rowStart: start,
        rowEnd: end,
        compressors,
        parsers: AS_TEXT,
        onChunk: (chunk) => chunks.push(chunk),
      });
    } catch (error) {
      throw undecodable(where, name, error, compressors === undefined);
    }
    chunks.sort((a, b) => a.rowStart - b.rowStart);
    for (const { columnName, columnData, rowStart } of chunks) {
      const column = columns.get(columnName);
      // Chunks may begin before the rows asked for and go on after them.
      const to = Math.min(columnData.length, end - rowStart);
      for (let i = Math.max(0, start - rowStart); i < to; i++) column?.add(columnData[i], rowStart + i);
    }
    start = end;
  }
  const done: [string, Column][] = [...columns].map(([column, values]) => [column, values.finish()]);
  return new Table(new Map(done), rows);
}

/** Whether a column holds whole numbers by its type: it is one of integers when they fit. */
function isWhole(element: SchemaElement): boolean {
  const { type, converted_type, logical_type } = element;
  if (type !== "INT32" && type !== "INT64") return false;
  return converted_type !== "DECIMAL" && logical_type?.type !== "DECIMAL";
}

function undecodable(where: string, name: string, error: unknown, bare: boolean): MyelinError {
  const message = error instanceof Error ? error.message : String(error);
  const hint = bare && /compress/i.test(message) ? "; npm install hyparquet-compressors" : "";
  return new MyelinError("INVALID_FILE", `${where}: cannot read ${JSON.stringify(name)}: ${message}${hint}`, {
    cause: error,
  });
}
