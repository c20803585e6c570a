// Sequences of different lengths made equal, and windows over a time series.

import { DTYPES, type DType } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { type NestedArray, type Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import { Dataset } from "./dataset.ts";
import { gatherRows } from "./rows.ts";

export interface PadOptions {
  /** Length of all results. Default: that of the longest sequence. */
  maxlen?: number;
  /** Default "int32". */
  dtype?: DType;
  /** Where padding goes. Default "pre". */
  padding?: "pre" | "post";
  /** Where sequences that are too long are cut. Default "pre": the end stays. */
  truncating?: "pre" | "post";
  /** What padding is. Default 0. */
  value?: number;
}

/**
 * Sequences as one Tensor [sequences, maxlen, ...step], padded and cut (Keras `pad_sequences`).
 * @param sequences lists of numbers, or of steps that are arrays of one shape
 * @throws INVALID_DATA something that is no number; SHAPE_MISMATCH steps of different shapes
 * @example padSequences([[1, 2, 3], [4]], { padding: "post" }).toArray() // [[1, 2, 3], [4, 0, 0]]
 */
export function padSequences(
  sequences: readonly (ArrayLike<number> | readonly NestedArray[])[],
  options?: PadOptions,
): Tensor {
  const where = "padSequences";
  const o = checkOptions(where, options, ["maxlen", "dtype", "padding", "truncating", "value"]);
  if (!Array.isArray(sequences)) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected a list of sequences, got ${describe(sequences)}`,
    );
  }
  sequences.forEach((s, i) => {
    if (typeof s === "object" && s !== null && typeof s.length === "number") return;
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected sequence ${i} to be a list of numbers, got ${describe(s)}`,
    );
  });
  const longest = sequences.reduce((most, s) => Math.max(most, s.length), 0);
  const maxlen = checkInteger(where, "maxlen", o.maxlen ?? longest);
  const padding = checkOneOf(where, "padding", o.padding ?? "pre", ["pre", "post"]);
  const truncating = checkOneOf(where, "truncating", o.truncating ?? "pre", ["pre", "post"]);
  const dtype = checkOneOf(where, "dtype", o.dtype ?? "int32", DTYPES);
  const filler = checkNumber(where, "value", o.value ?? 0);

  // The first step of all says what shape they have.
  const first = sequences.find((s) => s.length > 0)?.[0];
  const step = Array.isArray(first) || ArrayBuffer.isView(first) ? tensor(first as NestedArray).shape : [];
  const size = sizeOf(step);
  const rows = new Float64Array(sequences.length * maxlen * size).fill(filler);
  sequences.forEach((s, row) => {
    const length = Math.min(s.length, maxlen);
    const from = truncating === "pre" ? s.length - length : 0;
    let at = (row * maxlen + (padding === "pre" ? maxlen - length : 0)) * size;
    for (let i = from; i < from + length; i++) {
      const x: unknown = s[i];
      const place = `in sequence ${row}, element ${i}`;
      if (step.length > 0) {
        const values = Array.isArray(x) || ArrayBuffer.isView(x) ? tensor(x as NestedArray) : undefined;
        if (!values || !sameShape(values.shape, step)) {
          const came = values ? formatShape(values.shape) : describe(x);
          throw new MyelinError(
            "SHAPE_MISMATCH",
            `${where}: expected shape ${formatShape(step)}, got ${came} ${place}`,
          );
        }
        rows.set(values.data, at);
      } else if (typeof x === "number" && !Number.isNaN(x)) rows[at] = x;
      else throw new MyelinError("INVALID_DATA", `${where}: expected numbers, got ${describe(x)} ${place}`);
      at += size;
    }
  });
  return tensor(rows, [sequences.length, maxlen, ...step], dtype);
}

export interface TimeseriesOptions {
  /** One target per row of data: that of the row a window starts at goes with it; null or left out for windows alone. */
  targets?: TensorLike | null;
  /** Rows in a window. */
  sequenceLength: number;
  /** Rows from one window's start to the next. Default 1. */
  sequenceStride?: number;
  /** Rows from one element of a window to the next. Default 1. */
  samplingRate?: number;
  /** Windows in a batch; null for single windows. Default 128. */
  batchSize?: number | null;
  /** Windows in a random order. Default false. */
  shuffle?: boolean;
  /** Of the order; every pass has its own. Default: follows from `setRandomSeed`. */
  seed?: number;
  /** First row used. Default 0. */
  startIndex?: number;
  /** Row after the last used. Default: all. */
  endIndex?: number;
}

type WindowBatch = Tensor | [windows: Tensor, targets: Tensor];

/**
 * Windows over rows in time, in batches: [windows, sequenceLength, ...] or, with targets, [windows, targets] pairs as fit
 * takes them (Keras `timeseries_dataset_from_array`). The target of a window is `targets[start]`: to predict the row that
 * follows it, pass `targets: data.slice(sequenceLength)`.
 */
export function timeseriesFromArray(data: TensorLike, options: TimeseriesOptions): Dataset<WindowBatch> {
  const where = "timeseriesFromArray";
  const o = checkOptions(where, options, [
    "targets",
    "sequenceLength",
    "sequenceStride",
    "samplingRate",
    "batchSize",
    "shuffle",
    "seed",
    "startIndex",
    "endIndex",
  ]);
  const rows = tensor(data);
  const targets = o.targets == null ? undefined : tensor(o.targets);
  const count = rows.shape[0] ?? 0;
  const length = checkInteger(where, "sequenceLength", o.sequenceLength, 1);
  const stride = checkInteger(where, "sequenceStride", o.sequenceStride ?? 1, 1);
  const rate = checkInteger(where, "samplingRate", o.samplingRate ?? 1, 1);
  const batchSize = o.batchSize === null ? null : checkInteger(where, "batchSize", o.batchSize ?? 128, 1);
  const start = checkInteger(where, "startIndex", o.startIndex ?? 0, 0, Math.max(0, count - 1));
  const end = checkInteger(where, "endIndex", o.endIndex ?? count, start + 1, count);
  // As Keras has it: a window must fit, and each needs a target.
  const span = (length - 1) * rate;
  const last = Math.min(end - start - span, (targets?.shape[0] ?? count) - start);
  const starts = new Int32Array(Math.max(0, Math.ceil(last / stride)));
  if (starts.length === 0) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected at least ${span + 1} rows for a window of ${length}, got ${end - start}`,
    );
  }
  for (let i = 0; i < starts.length; i++) starts[i] = start + i * stride;
  let windows = Dataset.fromTensorSlices(starts);
  if (o.shuffle) windows = windows.shuffle(starts.length, { seed: o.seed });
  const batches = windows.batch(batchSize ?? 128).map((batch): WindowBatch => {
    const from = batch.data;
    const places = Int32Array.from({ length: from.length * length }, (_, i) => {
      return from[Math.floor(i / length)]! + (i % length) * rate;
    });
    const flat = gatherRows(rows, places);
    const window = flat.reshape([from.length, length, ...rows.shape.slice(1)]);
    return targets ? [window, gatherRows(targets, from)] : window;
  });
  return batchSize === null ? (batches.unbatch() as Dataset<WindowBatch>) : batches;
}
