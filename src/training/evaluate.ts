// evaluate, and the validation inside fit: loss and metrics of data, without training.

import { checkOptions } from "../core/options.ts";
import { Breather } from "./breather.ts";
import { type CallbackLike, CallbackList, hook, type Logs, listOf } from "./callbacks.ts";
import { checkBatchSize, checkSignal, checkVerbose } from "./options.ts";
import type { Pass } from "./pass.ts";
import { Progress, type ProgressStream, type Verbose } from "./progress.ts";
import type { Trainer } from "./trainer.ts";

export interface EvaluateOptions {
  /** Rows per step. Default 32; the result does not depend on it, but for rounding. */
  batchSize?: number;
  /** As in fit. Default "auto". */
  verbose?: Verbose;
  /** Their onTest... hooks are called. */
  callbacks?: CallbackLike | readonly CallbackLike[];
  signal?: AbortSignal;
  /** Where progress is written. Default: standard output. */
  stream?: ProgressStream;
}

const EVALUATE_OPTIONS = ["batchSize", "verbose", "callbacks", "signal", "stream"] as const;

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
  const set = trainer.readData("evaluate", x, y);
  for (const _ of trainer.numbers("evaluate", set)) if (breather.isDue()) await breather.breathe();
  const batchSize = Math.min(wanted, set.rows);
  const kept = trainer.testingPass(set, batchSize);
  const { pass } = kept;
  try {
    await pass.load(set, breather);
    const { steps, rows: samples } = pass;
    callbacks.setModel(trainer.model, { epochs: 1, steps, samples, metrics: pass.totals.names });
    progress.begin("Evaluate", pass.steps, set.rows);
    const logs = await runTest(pass, callbacks, { signal, breather, progress });
    progress.end(logs);
    return logs;
  } catch (error) {
    progress.interrupt();
    throw error;
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
export async function runTest(pass: Pass, callbacks: CallbackList, run: TestRun): Promise<Logs> {
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
