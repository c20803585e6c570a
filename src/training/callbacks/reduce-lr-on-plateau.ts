// callbacks.reduceLROnPlateau: a smaller learning rate once a number has stopped improving.

import { checkInteger, checkNumber, checkOptions } from "../../core/options.ts";
import { Callback, type Logs } from "../callback.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";
import { speaker } from "./say.ts";

export interface ReduceLROnPlateauOptions extends MonitorOptions {
  /** What the learning rate is multiplied by, in (0, 1). Default 0.1. */
  factor?: number;
  /** Epochs without improvement before it is reduced. Default 10. */
  patience?: number;
  /** What counts as improvement. Default 1e-4. */
  minDelta?: number;
  /** Epochs after a reduction in which nothing is counted. Default 0. */
  cooldown?: number;
  /** The learning rate does not go below it. Default 0. */
  minLr?: number;
  /** 1: say what was done. Default 0. */
  verbose?: 0 | 1;
}

const OPTIONS = [
  "monitor",
  "factor",
  "patience",
  "verbose",
  "mode",
  "minDelta",
  "cooldown",
  "minLr",
] as const;

/** See `reduceLROnPlateau`. */
export class ReduceLROnPlateau extends Callback {
  best: number | undefined;
  private readonly monitor: Monitor;
  private readonly factor: number;
  private readonly patience: number;
  private readonly cooldown: number;
  private readonly minLr: number;
  private readonly say: (text: string) => void;
  private wait = 0;
  private cooldownCounter = 0;

  constructor(options: ReduceLROnPlateauOptions = {}) {
    super();
    const where = "reduceLROnPlateau";
    const o = checkOptions(where, options, OPTIONS);
    this.monitor = new Monitor(where, o, o.minDelta ?? 1e-4);
    this.factor = checkNumber(where, "factor", o.factor ?? 0.1, "in (0, 1)", (x) => x > 0 && x < 1);
    this.patience = checkInteger(where, "patience", o.patience ?? 10);
    this.cooldown = checkInteger(where, "cooldown", o.cooldown ?? 0);
    this.minLr = checkNumber(where, "minLr", o.minLr ?? 0, "of at least 0", (x) => x >= 0);
    this.say = speaker(where, o.verbose);
  }

  override onTrainBegin(): void {
    this.monitor.begin(this.params);
    this.best = undefined;
    this.wait = 0;
    this.cooldownCounter = 0;
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    logs.learningRate = Math.fround(this.model.optimizer!.learningRate);
    const current = logs[this.monitor.name];
    if (current === undefined) return;
    if (this.cooldownCounter > 0) {
      this.cooldownCounter--;
      this.wait = 0;
    }
    if (this.monitor.isBetter(current, this.best)) {
      this.best = current;
      this.wait = 0;
    } else if (this.cooldownCounter === 0 && ++this.wait >= this.patience) {
      this.reduce(epoch);
    }
  }

  private reduce(epoch: number): void {
    const optimizer = this.model.optimizer!;
    // As float32, which is what the optimizer steps with and what Keras starts from.
    const before = Math.fround(optimizer.learningRate);
    if (before <= Math.fround(this.minLr)) return;
    const rate = Math.max(before * this.factor, this.minLr);
    optimizer.learningRate = rate;
    this.say(`Epoch ${epoch + 1}: reduceLROnPlateau sets the learning rate to ${rate}`);
    this.cooldownCounter = this.cooldown;
    this.wait = 0;
  }

  override getState(): unknown {
    const { best, wait, cooldownCounter } = this;
    return { best, wait, cooldownCounter };
  }

  override setState(state: unknown): void {
    const { best, wait, cooldownCounter } = state as ReduceLROnPlateau;
    Object.assign(this, { best, wait, cooldownCounter });
  }
}

/**
 * Multiplies the learning rate by `factor` when the monitored value has not improved for `patience` epochs. Logs it as
 * `learningRate`. Not for optimizers whose learning rate a schedule rules.
 * @example callbacks.reduceLROnPlateau({ monitor: "valLoss", factor: 0.2, patience: 5, minLr: 1e-5 })
 */
export function reduceLROnPlateau(options: ReduceLROnPlateauOptions = {}): ReduceLROnPlateau {
  return new ReduceLROnPlateau(options);
}
