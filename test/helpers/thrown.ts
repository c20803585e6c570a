// The error a function throws, for tests that look at its code and message.

import { MyelinError } from "../../src/core/errors.ts";

/** Fails when nothing, or something that is no MyelinError, is thrown. */
export function thrown(fn: () => unknown): MyelinError {
  try {
    fn();
  } catch (error) {
    if (error instanceof MyelinError) return error;
    throw error;
  }
  throw new Error("expected a MyelinError, nothing was thrown");
}

/** The same for a promise. */
export async function rejected(promise: Promise<unknown>): Promise<MyelinError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MyelinError) return error;
    throw error;
  }
  throw new Error("expected a MyelinError, nothing was thrown");
}
