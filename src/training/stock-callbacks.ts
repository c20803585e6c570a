// The callbacks that come with the library; the public namespace `callbacks`.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import type { Tensor } from "../core/tensor.ts";
import { Callback, type CallbackHooks, CallbackList, type Logs } from "./callbacks.ts";
import { History } from "./history.ts";

/** A History of its own, for when the one that `fit` returns is not at hand. */
export function history(): History {
  return new History();
}

/**
 * A callback from functions.
 * @example callbacks.lambda({ onEpochEnd: (epoch, logs) => console.log(epoch, logs.loss) })
 */
export function lambda(hooks: CallbackHooks): CallbackHooks {
  new CallbackList("callbacks.lambda", [hooks]);
  return hooks;
}

class TerminateOnNaN extends Callback {
  override onTrainBatchEnd(_batch: number, logs: Logs): void {
    if (!Number.isFinite(logs.loss)) this.model.stopTraining = true;
  }
}

/** Stops the training after the first batch that makes the loss NaN or infinite. Looks at every batch. */
export function terminateOnNaN(): Callback {
  return new TerminateOnNaN();
}

export interface EarlyStoppingOptions {
  /** Log name to watch. Default "valLoss". */
  monitor?: string;
  /** What counts as improvement. Default 0. */
  minDelta?: number;
  /** Epochs without improvement that are tolerated. Default 0. */
  patience?: number;
  /** Whether less or more is better; "auto" knows the built-in losses and metrics. Default "auto". */
  mode?: "auto" | "min" | "max";
  /** A value that has to be beaten; falling short counts as no improvement. */
  baseline?: number;
  /** At the end, go back to the weights of the best epoch. Default false: the last ones stay. */
  restoreBestWeights?: boolean;
  /** Epochs before watching begins. Default 0. */
  startFromEpoch?: number;
}

const EARLY_STOPPING_OPTIONS = [
  "monitor",
  "minDelta",
  "patience",
  "mode",
  "baseline",
  "restoreBestWeights",
  "startFromEpoch",
] as const;

/** See `earlyStopping`. */
export class EarlyStopping extends Callback {
  /** The epoch after which it stopped the training; 0 while it has not. */
  stoppedEpoch = 0;
  bestEpoch = 0;
  best: number | undefined;
  private readonly options: Required<Omit<EarlyStoppingOptions, "baseline">> & {
    baseline: number | undefined;
  };
  private isBetter: (value: number, than: number | undefined) => boolean = () => false;
  private wait = 0;
  private bestWeights: readonly Tensor[] | undefined;

  constructor(options: EarlyStoppingOptions = {}) {
    super();
    const where = "earlyStopping";
    const o = checkOptions(where, options, EARLY_STOPPING_OPTIONS);
    this.options = {
      monitor: o.monitor ?? "valLoss",
      minDelta: Math.abs(checkNumber(where, "minDelta", o.minDelta ?? 0)),
      patience: checkInteger(where, "patience", o.patience ?? 0),
      mode: checkOneOf(where, "mode", o.mode ?? "auto", ["auto", "min", "max"]),
      baseline: o.baseline === undefined ? undefined : checkNumber(where, "baseline", o.baseline),
      restoreBestWeights: checkBoolean(where, "restoreBestWeights", o.restoreBestWeights ?? false),
      startFromEpoch: checkInteger(where, "startFromEpoch", o.startFromEpoch ?? 0),
    };
    if (typeof this.options.monitor !== "string") {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected monitor to be a log name, got ${describe(this.options.monitor)}`,
      );
    }
  }

  override onTrainBegin(): void {
    const sign = this.direction() === "max" ? 1 : -1;
    const { minDelta } = this.options;
    // NaN never improves, and anything else improves on nothing.
    this.isBetter = (value, than) =>
      !Number.isNaN(value) && (than === undefined || sign * (value - than) > minDelta);
    this.wait = 0;
    this.stoppedEpoch = 0;
    this.bestEpoch = 0;
    this.best = undefined;
    this.bestWeights = undefined;
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const { monitor, patience, baseline, restoreBestWeights, startFromEpoch } = this.options;
    const current = logs[monitor];
    if (current === undefined || epoch < startFromEpoch) return;
    if (restoreBestWeights && this.bestWeights === undefined) {
      this.bestWeights = this.model.getWeights();
      this.bestEpoch = epoch;
    }
    this.wait++;
    if (this.isBetter(current, this.best)) {
      this.best = current;
      this.bestEpoch = epoch;
      if (restoreBestWeights) this.bestWeights = this.model.getWeights();
      if (baseline === undefined || this.isBetter(current, baseline)) this.wait = 0;
      return;
    }
    if (this.wait >= patience && epoch > 0) {
      this.stoppedEpoch = epoch;
      this.model.stopTraining = true;
    }
  }

  override onTrainEnd(): void {
    if (this.bestWeights) this.model.setWeights(this.bestWeights);
    this.bestWeights = undefined;
  }

  private direction(): "min" | "max" {
    const { monitor, mode } = this.options;
    const { metrics } = this.params;
    if (!metrics.has(monitor)) {
      const hint = monitor.startsWith("val") ? "; give fit validationData or validationSplit" : "";
      throw new MyelinError(
        "INVALID_OPTION",
        `earlyStopping: expected monitor to be one of ${[...metrics.keys()].join(", ")}, got ${describe(monitor)}${hint}`,
      );
    }
    const known = mode === "auto" ? metrics.get(monitor) : mode;
    if (known) return known;
    throw new MyelinError(
      "INVALID_OPTION",
      `earlyStopping: expected mode "min" or "max" for ${describe(monitor)}, whose direction is not known, got "auto"`,
    );
  }
}

/**
 * Stops when the monitored value has not improved for `patience` epochs (more exactly, as Keras counts: when
 * `patience` epochs have passed since the last improvement and another one brings none).
 * @example callbacks.earlyStopping({ patience: 2, restoreBestWeights: true })
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): EarlyStopping {
  return new EarlyStopping(options);
}
