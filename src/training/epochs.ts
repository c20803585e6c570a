// The loop over epochs: hooks, shuffling, validation, progress; the work of an epoch is one run of a Pass.

import { aborted } from "../core/errors.ts";
import { Random } from "../core/random.ts";
import { Breather } from "./breather.ts";
import { type CallbackList, hook, type Logs, type Position, type ResumePoint } from "./callback.ts";
import type { NanGuard } from "./diagnose.ts";
import { runTest } from "./evaluate.ts";
import type { FitSettings } from "./fit-options.ts";
import { type Going, iota, type Pass, type PassRun } from "./pass.ts";
import { capitalized } from "./plan.ts";
import { Progress } from "./progress.ts";
import type { Trainer } from "./trainer.ts";

/** Tells the numbers drawn for shuffling apart from weights and dropout of the same seed. */
const SHUFFLE_STREAM = 0x5aff;

/** loss becomes valLoss. */
export const validationName = (name: string): string => `val${capitalized(name)}`;

/** What goes over the data of a fit. */
export interface Passes {
  readonly pass: Going & Partial<Pick<Pass, "setOrder">>;
  readonly test: Going | undefined;
  readonly guard: NanGuard | undefined;
  close(): Promise<void>;
}

/** The loop over epochs. */
export class Epochs {
  private readonly breather = new Breather();
  private readonly progress: Progress;
  private order: Int32Array | undefined;
  private hasWarned = false;
  private epoch = 0;
  private batch = 0;

  constructor(
    private readonly trainer: Trainer,
    private readonly passes: Passes,
    private readonly callbacks: CallbackList,
    private readonly options: FitSettings,
    private readonly seed: number,
  ) {
    this.progress = new Progress(options.verbose, options.stream);
  }

  /** Where it stands, between two batches or epochs. */
  position(): Position {
    return { epoch: this.epoch, batch: this.batch, sums: this.passes.pass.totals.read() };
  }

  /**
   * @param iterations steps the optimizer has taken: what shuffles are drawn from, with the seed
   * @param resume where to begin, instead of at the first batch of `initialEpoch`
   */
  async run(iterations: number, resume?: ResumePoint): Promise<Logs> {
    const { callbacks, breather, progress } = this;
    const { pass, test, guard } = this.passes;
    const { epochs, initialEpoch, signal, isValidated } = this.options;
    const { model } = this.trainer;
    const batchwise = this.batchwise();
    let logs: Logs = {};
    try {
      const first = resume?.epoch ?? initialEpoch;
      for (let epoch = first; epoch < epochs && !model.stopTraining; epoch++) {
        if (signal?.aborted) throw aborted("fit", signal.reason);
        const from = epoch === resume?.epoch ? resume.batch : 0;
        this.epoch = epoch;
        this.batch = from;
        const begun = callbacks.call("onEpochBegin", epoch, {});
        if (begun) await begun;
        // The order belongs to the steps taken when the epoch began.
        if (pass.isOrdered) await this.shuffle(iterations - from);
        progress.begin(`Epoch ${epoch + 1}/${epochs}`, pass.steps, pass.rows);
        guard?.beforeEpoch();
        const done = await pass.run({ ...batchwise, from }, breather);
        iterations += done;
        logs = pass.totals.logs();
        if (guard?.isBroken(logs.loss)) throw await guard.explain(epoch, this.order, breather);
        if (Number.isNaN(logs.loss)) this.warnOfNan(epoch);
        if (test && isValidated(epoch)) {
          const measured = await runTest(test, callbacks, { signal, breather });
          for (const name in measured) logs[validationName(name)] = measured[name]!;
        }
        progress.end(logs, from + done);
        this.epoch = epoch + 1;
        this.batch = 0;
        const ended = callbacks.call("onEpochEnd", epoch, logs);
        if (ended) await ended;
        if (breather.isDue()) await breather.breathe();
      }
    } catch (error) {
      progress.interrupt();
      throw error;
    }
    return logs;
  }

  /** Once: training on is not refused, as in Keras, but hardly ever what anybody wants. */
  private warnOfNan(epoch: number): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    console.warn(
      `myelin: fit: the loss is NaN in epoch ${epoch + 1}; fit(..., { debug: { nan: true } }) says which layer made it so, callbacks.terminateOnNaN() stops there`,
    );
  }

  private batchwise(): PassRun {
    const { callbacks, progress, trainer } = this;
    const { signal } = this.options;
    const onProgress = progress.live
      ? (steps: number, logs: () => Logs) => {
          if (progress.isDue()) progress.update(steps, logs());
        }
      : undefined;
    const onBatchBegin = hook(callbacks, "onTrainBatchBegin");
    const told = hook(callbacks, "onTrainBatchEnd");
    const onBatchEnd =
      told &&
      ((batch: number, logs?: Logs) => {
        this.batch = batch + 1;
        return told(batch, logs);
      });
    return { signal, onProgress, onBatchBegin, onBatchEnd, isStopped: () => trainer.model.stopTraining };
  }

  /** A fresh order of rows, drawn from the seed and the steps taken so far: the same wherever the training was taken up. */
  private async shuffle(iterations: number): Promise<void> {
    const random = new Random(this.seed, SHUFFLE_STREAM, iterations);
    const order = iota(this.passes.pass.rows!);
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      const t = order[i]!;
      order[i] = order[j]!;
      order[j] = t;
      if ((i & 0x3fff) === 0 && this.breather.isDue()) await this.breather.breathe();
    }
    this.order = order;
    this.passes.pass.setOrder!(order);
  }
}
