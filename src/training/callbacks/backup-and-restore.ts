// BackupAndRestore: a training that was killed goes on where it was and ends with the same bits. One file holds all of it:
// weights, random counters, the optimizer, the place in the epoch with the sums so far, the history, what other callbacks
// knew. It is written whole or not at all.

import { MyelinError } from "../../core/errors.ts";
import { join, mkdir, rm } from "../../core/node.ts";
import { checkBoolean, checkOptions } from "../../core/options.ts";
import { sameType } from "../../core/shape.ts";
import type { Tensor } from "../../core/tensor.ts";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import type { Variable } from "../../graph/variable.ts";
import { Callback, type Logs, type Position, type ResumePoint } from "../callback.ts";
import { carriedState } from "../state.ts";
import { cannotWrite, checkSaveFreq, checkText } from "./say.ts";

export interface BackupAndRestoreOptions {
  /** After every epoch, or after every so many batches. Default "epoch". */
  saveFreq?: "epoch" | number;
  /** Remove the backup when the training ends well. Default true. */
  deleteCheckpoint?: boolean;
}

const FILE = "backup.safetensors";

interface Saved {
  readonly epoch: number;
  readonly batch: number;
  readonly epochs: readonly number[];
  readonly history: Record<string, number[]>;
  readonly states: readonly unknown[];
  readonly learningRate: number;
  /** Whether a callback had ended the training. */
  readonly stopped: boolean;
}

/** See `backupAndRestore`. */
export class BackupAndRestore extends Callback {
  private readonly folder: string;
  private readonly saveFreq: "epoch" | number;
  private readonly deleteCheckpoint: boolean;
  private found: ResumePoint | undefined;
  private batches = 0;

  constructor(backupDir: string, options?: BackupAndRestoreOptions) {
    super();
    const where = "backupAndRestore";
    const o = checkOptions(where, options, ["saveFreq", "deleteCheckpoint"]);
    this.folder = checkText(where, "backupDir", backupDir);
    this.saveFreq = checkSaveFreq(where, o.saveFreq ?? "epoch");
    this.deleteCheckpoint = checkBoolean(where, "deleteCheckpoint", o.deleteCheckpoint ?? true);
    // Saving between batches means being told of each.
    if (this.saveFreq === "epoch") Object.defineProperty(this, "onTrainBatchEnd", { value: undefined });
  }

  private get path(): string {
    return join(this.folder, FILE);
  }

  override async onTrainBegin(): Promise<void> {
    this.found = undefined;
    this.batches = 0;
    try {
      await mkdir(this.folder, { recursive: true });
    } catch (error) {
      throw cannotWrite("backupAndRestore", this.folder, error);
    }
    let file: Awaited<ReturnType<typeof readSafetensors>>;
    try {
      file = await readSafetensors(this.path);
    } catch (error) {
      if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return;
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    this.restore(file.tensors, JSON.parse(file.metadata.training ?? "null") as Saved | null);
  }

  private restore(tensors: ReadonlyMap<string, Tensor>, saved: Saved | null): void {
    const wrong = (what: string) =>
      new MyelinError(
        "INVALID_FILE",
        `backupAndRestore: ${this.path}: expected the backup of this model and optimizer, got one ${what}; remove it to begin anew`,
      );
    if (!saved) throw wrong("without a training");
    const variables = carriedState(this.model);
    for (const [name, variable] of variables) {
      const value = tensors.get(name);
      if (!value || !sameType(value, variable))
        throw wrong(value ? `with another ${name}` : `without ${name}`);
    }
    for (const [name, variable] of variables) variable.write(tensors.get(name)!);
    const { optimizer } = this.model;
    if (!optimizer!.hasSchedule) optimizer!.learningRate = saved.learningRate;
    const sums: Tensor[] = [];
    for (let i = 0; tensors.has(`sums/${i}`); i++) sums.push(tensors.get(`sums/${i}`)!);
    this.model.stopTraining = saved.stopped;
    this.found = { ...saved, sums };
  }

  override resumePoint(): ResumePoint | undefined {
    return this.found;
  }

  override async onTrainBatchEnd(): Promise<void> {
    this.batches++;
    if (this.batches % (this.saveFreq as number) === 0) await this.save();
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    if (this.saveFreq === "epoch") await this.save(epoch, logs);
  }

  /** @param ended an epoch that has just ended, with its logs: the history is told after all callbacks */
  private async save(ended?: number, logs: Logs = {}): Promise<void> {
    const { epoch, batch, sums } = this.params.position!() as Position;
    const { history, optimizer } = this.model;
    const saved: Saved = {
      epoch,
      batch,
      epochs: ended === undefined ? history!.epoch : [...history!.epoch, ended],
      history: withLogs(history!.history, logs),
      stopped: this.model.stopTraining,
      states: this.params.callbacks!.map((c) => (c instanceof Callback ? (c.getState?.() ?? null) : null)),
      learningRate: optimizer!.learningRate,
    };
    const variables: [string, Variable][] = carriedState(this.model);
    const tensors = new Map<string, Tensor>([
      ...variables.map(([name, v]) => [name, v.read()] as const),
      ...(batch > 0 ? sums.map((t, i) => [`sums/${i}`, t] as const) : []),
    ]);
    try {
      await writeSafetensors(this.path, tensors, { training: JSON.stringify(saved) });
    } catch (error) {
      throw cannotWrite("backupAndRestore", this.path, error);
    }
  }

  override async onTrainEnd(): Promise<void> {
    if (this.deleteCheckpoint) await rm(this.path, { force: true });
  }
}

function withLogs(history: Record<string, number[]>, logs: Logs): Record<string, number[]> {
  const names = new Set([...Object.keys(history), ...Object.keys(logs)]);
  return Object.fromEntries(
    [...names].map((n) => [n, n in logs ? [...(history[n] ?? []), logs[n]!] : history[n]!]),
  );
}

/**
 * Saves the whole training while it runs; a `fit` with the same options finds the backup and goes on from there, to the
 * bits of a training that was never interrupted. Give it last, so that other callbacks have done with an epoch when it
 * saves. Sources of batches begin anew: their first batches of the epoch are fetched and passed over.
 * @example await model.fit(x, y, { epochs: 100, seed: 7, callbacks: callbacks.backupAndRestore("backup", { saveFreq: 500 }) });
 */
export function backupAndRestore(backupDir: string, options?: BackupAndRestoreOptions): BackupAndRestore {
  return new BackupAndRestore(backupDir, options);
}
