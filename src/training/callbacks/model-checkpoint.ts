// callbacks.modelCheckpoint: the model on disk after epochs or batches, all of them or the best.

import { dirname, mkdir } from "../../core/node.ts";
import { checkBoolean, checkNumber, checkOptions } from "../../core/options.ts";
import { Callback, type Logs } from "../callback.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";
import { cannotWrite, checkSaveFreq, checkText, speaker } from "./say.ts";
import { checkTemplate, fillTemplate } from "./template.ts";

export interface ModelCheckpointOptions extends MonitorOptions {
  /** Save only when the monitored value is better than any before. Default false. */
  saveBestOnly?: boolean;
  /** `model.saveWeights` (one file) instead of `model.save` (a folder). Default false. */
  saveWeightsOnly?: boolean;
  /** After every epoch, or after so many batches. Default "epoch". */
  saveFreq?: "epoch" | number;
  /** With saveBestOnly: what the first save has to beat. Default: nothing. */
  initialValueThreshold?: number;
  /** 1: say what was done. Default 0. */
  verbose?: 0 | 1;
}

const WHERE = "modelCheckpoint";
const OPTIONS = [
  "monitor",
  "verbose",
  "saveBestOnly",
  "saveWeightsOnly",
  "mode",
  "saveFreq",
  "initialValueThreshold",
] as const;

/** See `modelCheckpoint`. */
export class ModelCheckpoint extends Callback {
  best: number | undefined;
  private readonly filepath: string;
  private readonly monitor: Monitor;
  private readonly saveBestOnly: boolean;
  private readonly saveWeightsOnly: boolean;
  private readonly saveFreq: "epoch" | number;
  private readonly say: (text: string) => void;
  private epoch = 0;
  private batches = 0;

  constructor(filepath: string, options: ModelCheckpointOptions = {}) {
    super();
    const o = checkOptions(WHERE, options, OPTIONS);
    this.filepath = checkText(WHERE, "filepath", filepath);
    checkTemplate(WHERE, filepath);
    this.monitor = new Monitor(WHERE, o);
    this.saveBestOnly = checkBoolean(WHERE, "saveBestOnly", o.saveBestOnly ?? false);
    this.saveWeightsOnly = checkBoolean(WHERE, "saveWeightsOnly", o.saveWeightsOnly ?? false);
    this.saveFreq = checkSaveFreq(WHERE, o.saveFreq ?? "epoch");
    if (o.initialValueThreshold !== undefined) {
      this.best = checkNumber(WHERE, "initialValueThreshold", o.initialValueThreshold);
    }
    this.say = speaker(WHERE, o.verbose);
    // Only then: a hook per batch makes the training stop after each to tell it.
    if (this.saveFreq !== "epoch") this.onTrainBatchEnd = this.afterBatch;
  }

  override onTrainBegin(): void {
    if (this.saveBestOnly) this.monitor.begin(this.params);
  }

  override onEpochBegin(epoch: number): void {
    this.epoch = epoch;
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    if (this.saveFreq === "epoch") await this.save(epoch, logs, { epoch: epoch + 1, ...logs });
  }

  private async afterBatch(batch: number, logs: Logs): Promise<void> {
    if (++this.batches < (this.saveFreq as number)) return;
    this.batches = 0;
    await this.save(this.epoch, logs, { epoch: this.epoch + 1, batch: batch + 1, ...logs });
  }

  private async save(epoch: number, logs: Logs, names: Record<string, number>): Promise<void> {
    const path = fillTemplate(WHERE, this.filepath, names);
    if (this.saveBestOnly) {
      const current = logs[this.monitor.name];
      // An epoch without validation says nothing of the best. (Keras saves then, over the best one.)
      if (current === undefined) return;
      if (!this.monitor.isBetter(current, this.best)) {
        this.say(`Epoch ${epoch + 1}: ${this.monitor.name} did not improve from ${this.best}`);
        return;
      }
      this.say(
        `Epoch ${epoch + 1}: ${this.monitor.name} improved from ${this.best ?? "nothing"} to ${current}`,
      );
      this.best = current;
    }
    try {
      await mkdir(dirname(path), { recursive: true });
    } catch (cause) {
      throw cannotWrite(WHERE, path, cause);
    }
    if (this.saveWeightsOnly) await this.model.saveWeights(path);
    else await this.model.save(path);
    this.say(`Epoch ${epoch + 1}: saved ${path}`);
  }

  override getState(): unknown {
    const { best, epoch, batches } = this;
    return { best, epoch, batches };
  }

  override setState(state: unknown): void {
    const { best, epoch, batches } = state as { best: number | undefined; epoch: number; batches: number };
    Object.assign(this, { best, epoch, batches });
  }
}

/**
 * Saves the model while it trains; files are whole at every moment.
 * @param filepath may have placeholders: {epoch} (from 1), {batch} (where saveFreq counts batches) and the names of logs, with
 * formats such as {epoch:02d} and {valLoss:.2f}; folders are made
 * @throws INVALID_OPTION for placeholders nobody knows; INVALID_FILE naming a path that cannot be written
 * @example callbacks.modelCheckpoint("runs/{epoch:02d}-{valLoss:.2f}.myelin", { saveBestOnly: true })
 */
export function modelCheckpoint(filepath: string, options: ModelCheckpointOptions = {}): ModelCheckpoint {
  return new ModelCheckpoint(filepath, options);
}
