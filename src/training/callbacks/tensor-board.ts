// TensorBoard: event files of a training for TensorBoard to show.

import { describe, MyelinError } from "../../core/errors.ts";
import { join, mkdir } from "../../core/node.ts";
import { checkBoolean, checkInteger, checkOptions } from "../../core/options.ts";
import { EventFile } from "../../formats/event-file.ts";
import { Callback, type Logs } from "../callback.ts";
import { cannotWrite, checkText } from "./say.ts";

export interface TensorBoardOptions {
  /** Histograms of all weights after every so many epochs; 0: none. Default 0. */
  histogramFreq?: number;
  /** The layers of the model as a graph. Default true. */
  writeGraph?: boolean;
  /** Steps a second, after every epoch. Default false. */
  writeStepsPerSecond?: boolean;
  /** When losses and metrics are written: after every epoch, every batch, or every so many batches. Default "epoch". */
  updateFreq?: "epoch" | "batch" | number;
}

/** See `tensorBoard`. */
export class TensorBoard extends Callback {
  private readonly folder: string;
  private readonly o: Required<TensorBoardOptions>;
  private train: EventFile | undefined;
  private validation: EventFile | undefined;
  private batches = 0;
  private begun = 0;
  private before = 0;

  constructor(logDir: string, options?: TensorBoardOptions & { profileBatch?: unknown }) {
    super();
    const where = "tensorBoard";
    if (options && "profileBatch" in options && options.profileBatch) {
      throw new MyelinError("INVALID_OPTION", `${where}: expected no profileBatch, there is no profile to write, got ${describe(options.profileBatch)}`); // biome-ignore format: one line
    }
    const known = ["histogramFreq", "writeGraph", "writeStepsPerSecond", "updateFreq"] as const;
    const { profileBatch: _, ...rest } = options ?? {};
    const o = checkOptions(where, rest as TensorBoardOptions, known);
    this.folder = checkText(where, "logDir", logDir);
    const { updateFreq = "epoch" } = o;
    if (updateFreq !== "epoch" && updateFreq !== "batch") checkInteger(where, "updateFreq", updateFreq, 1);
    this.o = {
      histogramFreq: checkInteger(where, "histogramFreq", o.histogramFreq ?? 0),
      writeGraph: checkBoolean(where, "writeGraph", o.writeGraph ?? true),
      writeStepsPerSecond: checkBoolean(where, "writeStepsPerSecond", o.writeStepsPerSecond ?? false),
      updateFreq,
    };
    // Writing between batches means being told of each.
    if (updateFreq === "epoch") Object.defineProperty(this, "onTrainBatchEnd", { value: undefined });
  }

  private async open(name: string): Promise<EventFile> {
    const folder = join(this.folder, name);
    try {
      await mkdir(folder, { recursive: true });
      return await EventFile.create(folder);
    } catch (error) {
      throw cannotWrite("tensorBoard", folder, error);
    }
  }

  override async onTrainBegin(): Promise<void> {
    this.train = await this.open("train");
    this.validation = undefined;
    this.batches = this.model.optimizer?.stepsTaken ?? 0;
    if (this.o.writeGraph) await this.train.graph(nodesOf(this.model));
  }

  override onEpochBegin(): void {
    this.begun = performance.now();
    this.before = this.model.optimizer?.stepsTaken ?? 0;
  }

  override async onTrainBatchEnd(_batch: number, logs: Logs): Promise<void> {
    this.batches++;
    const every = this.o.updateFreq === "batch" ? 1 : (this.o.updateFreq as number);
    if (this.batches % every !== 0) return;
    for (const [name, value] of Object.entries(logs))
      await this.train!.scalar(`batch_${name}`, value, this.batches);
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const { optimizer } = this.model;
    for (const [name, value] of Object.entries(logs)) {
      const isValidation = name.startsWith("val") && name.length > 3 && name[3] === name[3]!.toUpperCase();
      if (isValidation) {
        this.validation ??= await this.open("validation");
        await this.validation.scalar(`epoch_${name[3]!.toLowerCase()}${name.slice(4)}`, value, epoch);
      } else await this.train!.scalar(`epoch_${name}`, value, epoch);
    }
    if (optimizer) await this.train!.scalar("epoch_learning_rate", optimizer.learningRate, epoch);
    if (this.o.writeStepsPerSecond) {
      const steps = (optimizer?.stepsTaken ?? 0) - this.before;
      const seconds = (performance.now() - this.begun) / 1000;
      await this.train!.scalar("epoch_steps_per_second", steps / seconds, epoch);
    }
    const { histogramFreq } = this.o;
    if (histogramFreq === 0 || epoch % histogramFreq !== 0) return;
    for (const { path, variable } of this.model.namedWeights()) {
      await this.train!.histogram(path, variable.read().data, epoch);
    }
  }
}

/** The layers, and which of them take the outputs of which. */
function nodesOf(model: Callback["model"]): { name: string; op: string; inputs: string[] }[] {
  return model.layerCalls.map(({ layer, inputs }) => ({
    name: layer.name,
    op: layer.className,
    inputs: [...new Set(inputs.map((t) => t.call?.layer.name).filter((n) => n !== undefined))],
  }));
}

/**
 * Writes event files for TensorBoard to `logDir`/train and `logDir`/validation: losses and metrics, the learning rate,
 * the graph of layers, histograms of weights. Look at them with `tensorboard --logdir <logDir>`.
 * @example callbacks.tensorBoard("logs/first", { histogramFreq: 1 })
 */
export function tensorBoard(logDir: string, options?: TensorBoardOptions): TensorBoard {
  return new TensorBoard(logDir, options);
}
