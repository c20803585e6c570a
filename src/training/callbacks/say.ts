// What callbacks tell the reader of a terminal, and how they ask whether they should.

import { describe, MyelinError } from "../../core/errors.ts";

/** The option `verbose` of callbacks: 0 or 1. @returns a function that prints a line, or nothing */
export function speaker(where: string, verbose: unknown): (text: string) => void {
  if (verbose !== undefined && verbose !== 0 && verbose !== 1) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected verbose to be 0 or 1, got ${describe(verbose)}`,
    );
  }
  return verbose === 1 ? (text) => console.log(text) : () => {};
}

/** A non-empty string, e.g. a path. */
export function checkText(where: string, name: string, value: unknown): string {
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected ${name} to be a string that is not empty, got ${describe(value)}`,
  );
}

/** "epoch", or a number of batches. */
export function checkSaveFreq(where: string, value: unknown): "epoch" | number {
  if (value === "epoch" || (Number.isSafeInteger(value) && (value as number) >= 1)) {
    return value as "epoch" | number;
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected saveFreq to be "epoch" or a number of batches, got ${describe(value)}`,
  );
}

/** The error for a file that cannot be written. */
export function cannotWrite(where: string, path: string, cause: unknown): MyelinError {
  if (cause instanceof MyelinError) return cause;
  return new MyelinError(
    "INVALID_FILE",
    `${where}: ${path}: cannot be written (${(cause as Error).message})`,
    {
      cause,
    },
  );
}
