// predict: outputs for data, batch by batch. Every batch is a run of its own, so a prediction may go on beside a
// training (it sees the weights after some whole step) and beside other predictions.

import { allocateHost } from "../core/dtype.ts";
import { aborted, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { type Nest, pack } from "../layers/nest.ts";
import { type CallbackLike, CallbackList, listOf } from "./callbacks.ts";
import { rowsOf } from "./data.ts";
import { checkBatchSize, checkSignal, checkVerbose } from "./options.ts";
import { Progress, type ProgressStream, type Verbose } from "./progress.ts";
import type { Trainer } from "./trainer.ts";

export interface PredictOptions {
  /** Rows per run. Default 32. */
  batchSize?: number;
  /** As in fit. Default 0: silence. */
  verbose?: Verbose;
  /** Their onPredict... hooks are called. */
  callbacks?: CallbackLike | readonly CallbackLike[];
  signal?: AbortSignal;
  /** Where progress is written. Default: standard output. */
  stream?: ProgressStream;
}

const PREDICT_OPTIONS = ["batchSize", "verbose", "callbacks", "signal", "stream"] as const;

/** See `Model.predict`. */
export async function predict(
  trainer: Trainer,
  x: unknown,
  options: PredictOptions | undefined,
): Promise<Nest<Tensor>> {
  const o = checkOptions("predict", options, PREDICT_OPTIONS);
  const batchSize = checkBatchSize("predict", o.batchSize ?? 32);
  const progress = new Progress(checkVerbose("predict", o.verbose ?? 0), o.stream);
  const callbacks = new CallbackList("predict", listOf("predict", o.callbacks));
  const signal = checkSignal("predict", o.signal);
  const inputs = trainer.readInputs("predict", x);
  const rows = inputs[0]!.shape[0]!;
  const steps = Math.ceil(rows / batchSize);
  const { model } = trainer;
  callbacks.setModel(model, { epochs: 1, steps, samples: rows, metrics: new Map() });
  await callbacks.call("onPredictBegin", {});
  progress.begin("Predict", steps, rows);
  const parts: Tensor[][] = [];
  for (let step = 0; step < Math.max(1, steps); step++) {
    if (signal?.aborted) throw aborted("predict", signal.reason);
    const begun = callbacks.call("onPredictBatchBegin", step, {});
    if (begun) await begun;
    const batch = batchOf(inputs, step * batchSize, batchSize);
    parts.push(await trainer.predictor(batch).run(batch, { signal }));
    if (progress.isDue()) progress.update(step + 1, {});
    const ended = callbacks.call("onPredictBatchEnd", step, {});
    if (ended) await ended;
  }
  progress.end({});
  await callbacks.call("onPredictEnd", {});
  return pack(joined(parts), model.outputLayout);
}

/** See `Model.predictSync`. All rows are one batch. */
export function predictSync(trainer: Trainer, x: unknown): Nest<Tensor> {
  const inputs = trainer.readInputs("predictSync", x);
  return pack(trainer.predictor(inputs).runSync(inputs), trainer.model.outputLayout);
}

function batchOf(inputs: readonly Tensor[], from: number, batchSize: number): readonly Tensor[] {
  const rows = inputs[0]!.shape[0]!;
  if (rows <= batchSize) return inputs;
  return inputs.map((t) => rowsOf(t, from, Math.min(rows, from + batchSize)));
}

/** Outputs of all batches under one another. */
function joined(parts: readonly (readonly Tensor[])[]): readonly Tensor[] {
  if (parts.length === 1) return parts[0]!;
  return parts[0]!.map((first, output) => {
    if (first.rank === 0) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        "predict: expected outputs with one row per sample, got a scalar; use predictOnBatch",
      );
    }
    const rows = parts.reduce((sum, p) => sum + p[output]!.shape[0]!, 0);
    const shape = [rows, ...first.shape.slice(1)];
    const isDouble = first.data instanceof Float64Array;
    const data = isDouble ? new Float64Array(sizeOf(shape)) : allocateHost(first.dtype, sizeOf(shape));
    let at = 0;
    for (const part of parts) {
      data.set(part[output]!.data as Float32Array, at);
      at += part[output]!.size;
    }
    return new Tensor(data, shape, first.dtype);
  });
}
