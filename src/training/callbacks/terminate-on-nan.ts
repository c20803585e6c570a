// callbacks.terminateOnNaN: no further step once the loss is no number.

import { MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkOptions } from "../../core/options.ts";
import { Callback, type Logs } from "../callback.ts";

export interface TerminateOnNaNOptions {
  /** Reject fit with NOT_A_NUMBER instead of ending it quietly. Default false. */
  raiseError?: boolean;
}

/** See `terminateOnNaN`. */
export class TerminateOnNaN extends Callback {
  private readonly raiseError: boolean;

  constructor(options: TerminateOnNaNOptions = {}) {
    super();
    const where = "terminateOnNaN";
    const { raiseError = false } = checkOptions(where, options, ["raiseError"]);
    this.raiseError = checkBoolean(where, "raiseError", raiseError);
  }

  override onTrainBatchEnd(batch: number, { loss }: Logs): void {
    if (loss === undefined || Number.isFinite(loss)) return;
    if (this.raiseError) {
      throw new MyelinError(
        "NOT_A_NUMBER",
        `terminateOnNaN: expected a finite loss, got ${loss} at batch ${batch}`,
      );
    }
    this.model.stopTraining = true;
  }
}

/** Stops the training after the first batch that makes the loss NaN or infinite. Looks at every batch. */
export function terminateOnNaN(options: TerminateOnNaNOptions = {}): TerminateOnNaN {
  return new TerminateOnNaN(options);
}
