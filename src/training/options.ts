// Options that fit, evaluate and predict share, checked with one wording.

import { describe, MyelinError } from "../core/errors.ts";
import type { Verbose } from "./progress.ts";

export function checkVerbose(where: string, verbose: unknown): Verbose {
  if (verbose === 0 || verbose === 1 || verbose === 2 || verbose === "auto") return verbose;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected verbose to be 0, 1, 2 or "auto", got ${describe(verbose)}`,
  );
}

export function checkSignal(where: string, signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected signal to be an AbortSignal, got ${describe(signal)}`,
  );
}

/** A batch size as given to fit, evaluate or predict. */
export function checkBatchSize(where: string, batchSize: unknown): number {
  if (Number.isInteger(batchSize) && (batchSize as number) >= 1) return batchSize as number;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected batchSize to be an integer of at least 1, got ${describe(batchSize)}`,
  );
}

/** Refuses what has no meaning beside a source of batches. */
export function refuse(where: string, given: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected no ${name} beside a source of batches, which brings its own, got ${describe(value)}`,
    );
  }
}
