// callbacks.csvLogger: a row per epoch in a CSV file.

import { MyelinError } from "../../core/errors.ts";
import { appendFile, dirname, mkdir, stat, truncate } from "../../core/node.ts";
import { checkBoolean, checkOptions } from "../../core/options.ts";
import { Callback, type Logs } from "../callback.ts";
import { cannotWrite, checkText } from "./say.ts";

export interface CSVLoggerOptions {
  /** Between cells; one character. Default ",". */
  separator?: string;
  /** Go on at the end of an existing file, without a second header. Default false: it is replaced. */
  append?: boolean;
}

const WHERE = "csvLogger";

/** See `csvLogger`. */
export class CSVLogger extends Callback {
  private readonly filename: string;
  private readonly separator: string;
  private readonly append: boolean;
  private columns: readonly string[] | undefined;
  private size = 0;

  constructor(filename: string, options: CSVLoggerOptions = {}) {
    super();
    const { separator = ",", append = false } = checkOptions(WHERE, options, ["separator", "append"]);
    this.filename = checkText(WHERE, "filename", filename);
    this.separator = checkText(WHERE, "separator", separator);
    if (separator.length !== 1 || '"\r\n'.includes(separator)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${WHERE}: expected separator to be one character other than a quote or a line end, got ${JSON.stringify(separator)}`,
      );
    }
    this.append = checkBoolean(WHERE, "append", append);
  }

  override async onTrainBegin(): Promise<void> {
    this.columns = undefined;
    try {
      await mkdir(dirname(this.filename), { recursive: true });
      await appendFile(this.filename, "");
      this.size = this.append ? (await stat(this.filename)).size : 0;
    } catch (cause) {
      throw cannotWrite(WHERE, this.filename, cause);
    }
  }

  override async onEpochBegin(): Promise<void> {
    // Not sooner: a training that is taken up again first learns here how much of the file to keep.
    if (!this.columns) await truncate(this.filename, this.size);
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    let text = "";
    if (!this.columns) {
      const names = Object.keys(logs).sort();
      const hasValidation = names.some((name) => /^val[A-Z]/.test(name));
      const later = names.map((name) => `val${name.charAt(0).toUpperCase()}${name.slice(1)}`);
      this.columns = hasValidation ? names : [...names, ...later];
      if (this.size === 0) text += this.row(["epoch", ...this.columns]);
    }
    text += this.row([String(epoch), ...this.columns.map((name) => cellOf(logs[name]))]);
    try {
      // Opened for each row: nothing is left open when a training fails, nothing buffered when it is killed.
      await appendFile(this.filename, text);
      this.size += Buffer.byteLength(text);
    } catch (cause) {
      throw cannotWrite(WHERE, this.filename, cause);
    }
  }

  override getState(): unknown {
    return { columns: this.columns, size: this.size };
  }

  override async setState(state: unknown): Promise<void> {
    const { columns, size } = state as { columns: readonly string[] | undefined; size: number };
    this.columns = columns;
    this.size = size;
    await truncate(this.filename, size);
  }

  private row(cells: readonly string[]): string {
    return `${cells.map((cell) => this.quoted(cell)).join(this.separator)}\r\n`;
  }

  private quoted(cell: string): string {
    if (!cell.includes(this.separator) && !/["\r\n]/.test(cell)) return cell;
    return `"${cell.replaceAll('"', '""')}"`;
  }
}

/** "NA" where an epoch has no such number. */
function cellOf(value: number | undefined): string {
  if (value === undefined) return "NA";
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/**
 * Writes every epoch's logs as a row of a CSV file, at once. Columns are those of the first epoch, in alphabetical order after
 * `epoch`; where it had no validation, columns for it stay ready. Lines end with \r\n.
 * @param filename its folder is made
 * @throws INVALID_FILE in fit, naming a file that cannot be written
 * @example callbacks.csvLogger("training.csv", { append: true })
 */
export function csvLogger(filename: string, options: CSVLoggerOptions = {}): CSVLogger {
  return new CSVLogger(filename, options);
}
