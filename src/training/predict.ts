// predict: outputs for data, batch by batch. Every batch is a run of its own, so a prediction may go on beside a
// training (it sees the weights after some whole step) and beside other predictions.

import { allocateHost } from "../core/dtype.ts";
import { aborted, MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { type Nest, pack } from "../layers/nest.ts";
import { type CallbackLike, CallbackList, listOf } from "./callback.ts";
import { rowsOf } from "./data.ts";
import { checkBatchSize, checkSignal, checkVerbose, refuse } from "./options.ts";
import { Progress, type ProgressStream, type Verbose } from "./progress.ts";
import { type BatchSource, isSource, iterate, readBatchInputs, stepsOf } from "./source.ts";
import type { Trainer } from "./trainer.ts";

export interface PredictOptions {
  /** Rows per run. Default 32. Not for sources of batches. */
  batchSize?: number;
  /** Batches taken. Default: all. */
  steps?: number;
  /** As in fit. Default 0: silence. */
  verbose?: Verbose;
  /** Their onPredict... hooks are called. */
  callbacks?: CallbackLike | readonly CallbackLike[];
  signal?: AbortSignal;
  /** Where progress is written. Default: standard output. */
  stream?: ProgressStream;
}

const PREDICT_OPTIONS = ["batchSize", "steps", "verbose", "callbacks", "signal", "stream"] as const;

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
  const limit = o.steps === undefined ? undefined : checkInteger("predict", "steps", o.steps, 1);
  if (isSource(x)) refuse("predict", { batchSize: o.batchSize });
  const { batches, steps, rows } = isSource(x)
    ? fromSource(trainer, x, limit, signal)
    : fromArrays(trainer.readInputs("predict", x), batchSize, limit);
  const { model } = trainer;
  callbacks.setModel(model, { epochs: 1, steps, samples: rows, metrics: new Map() });
  await callbacks.call("onPredictBegin", {});
  progress.begin("Predict", steps, rows);
  const parts: Tensor[][] = [];
  let step = -1;
  for await (const batch of batches) {
    step++;
    if (signal?.aborted) throw aborted("predict", signal.reason);
    const begun = callbacks.call("onPredictBatchBegin", step, {});
    if (begun) await begun;
    parts.push(await trainer.predictor(batch).run(batch, { signal }));
    if (progress.isDue()) progress.update(step + 1, {});
    const ended = callbacks.call("onPredictBatchEnd", step, {});
    if (ended) await ended;
  }
  if (parts.length === 0) {
    throw new MyelinError("INVALID_DATA", "predict: expected batches, got none");
  }
  progress.end({}, step + 1);
  await callbacks.call("onPredictEnd", {});
  return pack(joined(parts), model.outputLayout);
}

/** See `Model.predictSync`. All rows are one batch. */
export function predictSync(trainer: Trainer, x: unknown): Nest<Tensor> {
  const inputs = trainer.readInputs("predictSync", x);
  return pack(trainer.predictor(inputs).runSync(inputs), trainer.model.outputLayout);
}

interface Batches {
  readonly batches: Iterable<readonly Tensor[]> | AsyncIterable<readonly Tensor[]>;
  readonly steps: number | undefined;
  readonly rows: number | undefined;
}

function fromArrays(inputs: readonly Tensor[], batchSize: number, limit = Number.POSITIVE_INFINITY): Batches {
  const rows = inputs[0]!.shape[0]!;
  const steps = Math.max(1, Math.min(limit, Math.ceil(rows / batchSize)));
  const batches = (function* () {
    for (let step = 0; step < steps; step++) yield batchOf(inputs, step * batchSize, batchSize);
  })();
  return { batches, steps, rows };
}

function fromSource(
  trainer: Trainer,
  source: BatchSource<unknown>,
  limit: number | undefined,
  signal: AbortSignal | undefined,
): Batches {
  const batches = (async function* () {
    const iterator = iterate("predict", source, signal);
    try {
      for (let step = 0; step !== limit; step++) {
        const { done, value } = await iterator.next();
        if (done) return;
        yield trainer.readInputs(`predict: batch ${step}`, readBatchInputs(value));
      }
    } finally {
      await iterator.return?.();
    }
  })();
  return { batches, steps: stepsOf("predict", source, limit, "steps"), rows: undefined };
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
