// evaluate, and the validation inside fit: loss and metrics of data, without training.

import { checkInteger, checkOptions } from "../core/options.ts";
import { Breather } from "./breather.ts";
import { type CallbackLike, CallbackList, hook, type Logs, listOf } from "./callback.ts";
import { type DataLike, rowsOfSet } from "./data.ts";
import { checkBatchSize, checkSignal, checkVerbose, refuse } from "./options.ts";
import type { Going } from "./pass.ts";
import { Progress, type ProgressStream, type Verbose } from "./progress.ts";
import { isSource } from "./source.ts";
import type { Trainer } from "./trainer.ts";

export interface EvaluateOptions {
  /** Rows per step. Default 32; the result does not depend on it, but for rounding. Not for sources of batches. */
  batchSize?: number;
  /** How much each row (or step of a row) counts: an array for all outputs, or a list or record of them. */
  sampleWeight?: DataLike;
  /** Batches taken from a source. Default: all. */
  steps?: number;
  /** As in fit. Default "auto". */
  verbose?: Verbose;
  /** Their onTest... hooks are called. */
  callbacks?: CallbackLike | readonly CallbackLike[];
  signal?: AbortSignal;
  /** Where progress is written. Default: standard output. */
  stream?: ProgressStream;
}

const EVALUATE_OPTIONS = [
  "batchSize",
  "sampleWeight",
  "steps",
  "verbose",
  "callbacks",
  "signal",
  "stream",
] as const;

/** See `Model.evaluate`. */
export async function evaluate(
  trainer: Trainer,
  x: unknown,
  y: unknown,
  options: EvaluateOptions | undefined,
): Promise<Logs> {
  trainer.check("evaluate");
  const o = checkOptions("evaluate", options, EVALUATE_OPTIONS);
  const wanted = checkBatchSize("evaluate", o.batchSize ?? 32);
  const progress = new Progress(checkVerbose("evaluate", o.verbose ?? "auto"), o.stream);
  const callbacks = new CallbackList("evaluate", listOf("evaluate", o.callbacks));
  const signal = checkSignal("evaluate", o.signal);
  const breather = new Breather();
  const test = async (pass: Going) => {
    const { steps, rows: samples } = pass;
    callbacks.setModel(trainer.model, { epochs: 1, steps, samples, metrics: pass.totals.names });
    progress.begin("Evaluate", steps, samples);
    try {
      const logs = await runTest(pass, callbacks, { signal, breather, progress });
      progress.end(logs, pass.steps);
      return logs;
    } catch (error) {
      progress.interrupt();
      throw error;
    }
  };
  const steps = o.steps === undefined ? undefined : checkInteger("evaluate", "steps", o.steps, 1);
  if (isSource(x)) {
    refuse("evaluate", { y, sampleWeight: o.sampleWeight, batchSize: o.batchSize });
    const pass = trainer.streamPass("test", "evaluate", x, { limit: steps, limitName: "steps", signal });
    try {
      await pass.prepare();
      return await test(pass);
    } finally {
      await pass.close();
    }
  }
  let set = trainer.readData("evaluate", x, y, { sampleWeight: o.sampleWeight });
  for (const _ of trainer.numbers("evaluate", set)) if (breather.isDue()) await breather.breathe();
  const batchSize = Math.min(wanted, set.rows);
  if (steps !== undefined) set = rowsOfSet(set, 0, Math.min(set.rows, steps * batchSize));
  const kept = trainer.testingPass(set, batchSize);
  try {
    await kept.pass.load(set, breather);
    return await test(kept.pass);
  } finally {
    trainer.giveBack("test", kept);
  }
}

interface TestRun {
  signal: AbortSignal | undefined;
  breather: Breather;
  progress?: Progress;
}

/** One pass over test data with the hooks of callbacks. */
export async function runTest(pass: Going, callbacks: CallbackList, run: TestRun): Promise<Logs> {
  const { signal, breather, progress } = run;
  const begun = callbacks.call("onTestBegin", {});
  if (begun) await begun;
  const onProgress = progress?.live
    ? (steps: number, logs: () => Logs) => {
        if (progress.isDue()) progress.update(steps, logs());
      }
    : undefined;
  const onBatchBegin = hook(callbacks, "onTestBatchBegin");
  const onBatchEnd = hook(callbacks, "onTestBatchEnd");
  await pass.run({ signal, onProgress, onBatchBegin, onBatchEnd }, breather);
  const logs = pass.totals.logs();
  const ended = callbacks.call("onTestEnd", logs);
  if (ended) await ended;
  return logs;
}
