// The records of a CSV file as lists of strings, a chunk of the file at a time. Parsing is csv-parse's work.

import { once } from "node:events";
import { MyelinError } from "../core/errors.ts";
import type { CheckedCsvOptions } from "./csv-options.ts";
import { importPeer } from "./peer.ts";
import { type FileSource, nameOf, readBytes } from "./source.ts";

export type Record = string[];

/**
 * Lists of records, header included. All have the same number of fields.
 * @throws INVALID_DATA a record of another length, a quote that does not end
 */
export async function* readRecords(
  where: string,
  source: FileSource,
  options: CheckedCsvOptions,
): AsyncGenerator<Record[]> {
  const { parse } = await importPeer(where, "csv-parse", () => import("csv-parse"));
  const parser = parse({
    bom: true,
    delimiter: options.delimiter,
    trim: options.trim,
    quote: options.quote,
    comment: options.comment ?? null,
    comment_no_infix: true,
    from_line: options.skipLines + 1,
    skip_empty_lines: true,
  });
  let ready: Record[] = [];
  let failure: unknown;
  parser.on("data", (record: Record) => ready.push(record));
  parser.on("error", (error) => {
    failure = error;
  });
  const take = (): Record[] => {
    const taken = ready;
    ready = [];
    return taken;
  };
  try {
    for await (const chunk of readBytes(where, source)) {
      await new Promise<void>((resolve) => parser.write(chunk, () => resolve()));
      // What came before a failure is not lost, so that errors come in the order of the rows.
      if (ready.length > 0) yield take();
      if (failure !== undefined) throw broken(where, source, failure);
    }
    const ended = once(parser, "end").catch((error) => {
      failure = error;
    });
    parser.end();
    await ended;
    if (ready.length > 0) yield take();
    if (failure !== undefined) throw broken(where, source, failure);
  } finally {
    parser.destroy();
  }
}

/** csv-parse's error in our words, with the line. */
function broken(where: string, source: FileSource, error: unknown): MyelinError {
  const { code, lines, record, message } = error as {
    code?: string;
    lines?: number;
    record?: unknown[];
    message: string;
  };
  const place = `${nameOf(source)}${lines === undefined ? "" : `, line ${lines}`}`;
  const expected = /expect (\d+)/.exec(message)?.[1];
  const text =
    code === "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH" && record && expected
      ? `expected ${expected} fields, got ${record.length}`
      : code === "CSV_QUOTE_NOT_CLOSED"
        ? "expected a quoted field to end, got the end of the file"
        : message;
  return new MyelinError("INVALID_DATA", `${where}: ${place}: ${text}`, { cause: error });
}
