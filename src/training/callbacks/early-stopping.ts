// callbacks.earlyStopping: no further epoch once a number has stopped improving.

import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../../core/options.ts";
import type { Tensor } from "../../core/tensor.ts";
import { Callback, type Logs } from "../callback.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";
import { speaker } from "./say.ts";
import { type TensorJSON, tensorFromJSON, tensorToJSON } from "./tensor-json.ts";

export interface EarlyStoppingOptions extends MonitorOptions {
  /** What counts as improvement. Default 0. */
  minDelta?: number;
  /** Epochs without improvement that are tolerated. Default 0. */
  patience?: number;
  /** A value that has to be beaten; falling short counts as no improvement. */
  baseline?: number;
  /** At the end, go back to the weights of the best epoch. Default false: the last ones stay. */
  restoreBestWeights?: boolean;
  /** Epochs before watching begins. Default 0. */
  startFromEpoch?: number;
  /** 1: say what was done. Default 0. */
  verbose?: 0 | 1;
}

const OPTIONS = [
  "monitor",
  "minDelta",
  "patience",
  "verbose",
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
  private readonly monitor: Monitor;
  private readonly patience: number;
  private readonly baseline: number | undefined;
  private readonly restoreBestWeights: boolean;
  private readonly startFromEpoch: number;
  private readonly say: (text: string) => void;
  private wait = 0;
  private bestWeights: readonly Tensor[] | undefined;

  constructor(options: EarlyStoppingOptions = {}) {
    super();
    const where = "earlyStopping";
    const o = checkOptions(where, options, OPTIONS);
    this.monitor = new Monitor(where, o, o.minDelta);
    this.patience = checkInteger(where, "patience", o.patience ?? 0);
    this.baseline = o.baseline === undefined ? undefined : checkNumber(where, "baseline", o.baseline);
    this.restoreBestWeights = checkBoolean(where, "restoreBestWeights", o.restoreBestWeights ?? false);
    this.startFromEpoch = checkInteger(where, "startFromEpoch", o.startFromEpoch ?? 0);
    this.say = speaker(where, o.verbose);
  }

  override onTrainBegin(): void {
    this.monitor.begin(this.params);
    this.wait = 0;
    this.stoppedEpoch = 0;
    this.bestEpoch = 0;
    this.best = undefined;
    this.bestWeights = undefined;
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const { monitor, baseline, restoreBestWeights } = this;
    const current = logs[monitor.name];
    if (current === undefined || epoch < this.startFromEpoch) return;
    if (restoreBestWeights && this.bestWeights === undefined) {
      this.bestWeights = this.model.getWeights();
      this.bestEpoch = epoch;
    }
    this.wait++;
    if (monitor.isBetter(current, this.best)) {
      this.best = current;
      this.bestEpoch = epoch;
      if (restoreBestWeights) this.bestWeights = this.model.getWeights();
      if (baseline === undefined || monitor.isBetter(current, baseline)) this.wait = 0;
      return;
    }
    if (this.wait >= this.patience && epoch > 0) {
      this.stoppedEpoch = epoch;
      this.model.stopTraining = true;
    }
  }

  override onTrainEnd(): void {
    if (this.stoppedEpoch > 0) this.say(`Epoch ${this.stoppedEpoch + 1}: early stopping`);
    if (this.bestWeights) {
      this.say(`earlyStopping: back to the weights of epoch ${this.bestEpoch + 1}`);
      this.model.setWeights(this.bestWeights);
    }
    this.bestWeights = undefined;
  }

  override getState(): unknown {
    const { stoppedEpoch, bestEpoch, best, wait } = this;
    return { stoppedEpoch, bestEpoch, best, wait, bestWeights: this.bestWeights?.map(tensorToJSON) };
  }

  override setState(state: unknown): void {
    const { bestWeights, ...rest } = state as { bestWeights?: TensorJSON[] };
    Object.assign(this, rest);
    this.bestWeights = bestWeights?.map(tensorFromJSON);
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
