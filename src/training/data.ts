// From what users pass as data to lists of Tensors with the same number of rows, checked: shapes, finite numbers,
// labels in range. Everything here happens on the host, once, before a Program sees a row.

import type { DType } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import { Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import type { Loss } from "../losses/index.ts";

/** A typed array with its shape, for those who do not want to make a Tensor. */
export interface ShapedData {
  readonly data: TensorLike;
  readonly shape: Shape;
  readonly dtype?: DType;
}

/** One tensor's worth of data. A typed array without a shape is read as rows of what the model takes. */
export type ArrayData = TensorLike | ShapedData;

/** Data for a whole model: one tensor, or a list or record (by layer name) for several inputs or outputs. */
export type DataLike = ArrayData | readonly ArrayData[] | Readonly<Record<string, ArrayData>>;

/** One input or output of a model. Unknown sizes are null; the first axis is the batch. */
export interface Port {
  readonly name: string;
  readonly shape: readonly (number | null)[];
  readonly dtype: DType;
}

/** What a step works on, on the host (Tensors) or in a trace (Values): inputs in order, and per output what is asked of it. */
export interface Batch<T> {
  readonly inputs: readonly T[];
  /** One per output; undefined where nothing is trained or measured. */
  readonly targets: readonly (T | undefined)[];
  /** Sample weights, one per output; undefined where all count alike. */
  readonly weights: readonly (T | undefined)[];
}

/** Rows of inputs and, for training and evaluation, of targets. */
export interface DataSet extends Batch<Tensor> {
  readonly rows: number;
}

/** Everything in a batch as one list: inputs, targets, weights, without gaps. */
export function partsOf<T>({ inputs, targets, weights }: Batch<T>): T[] {
  return [...inputs, ...targets, ...weights].filter((t) => t !== undefined);
}

/** The same batch around other things, given in the order of `partsOf`. */
export function withParts<T, U>(batch: Batch<T>, parts: readonly U[]): Batch<U> {
  let next = batch.inputs.length;
  const fill = (list: readonly (T | undefined)[]) =>
    list.map((t) => (t === undefined ? undefined : parts[next++]!));
  return {
    inputs: parts.slice(0, batch.inputs.length),
    targets: fill(batch.targets),
    weights: fill(batch.weights),
  };
}

/**
 * Inputs of a model. Without ports (a model that does not know its input shape yet) there is one, taken as it comes.
 * @param where names the call in errors, e.g. "fit: x"
 */
export function readInputs(where: string, data: unknown, ports: readonly Port[] | undefined): Tensor[] {
  if (!ports) return [readOne(where, data, undefined)];
  const tensors = spread(where, data, ports).map(([label, one, port]) => {
    const rowSize = sizeOf(port.shape.slice(1).map((d) => d ?? 0));
    const rows = ArrayBuffer.isView(one) && rowSize > 0 ? (one as Uint8Array).length / rowSize : undefined;
    return fitPort(
      label,
      readOne(label, one, rows === undefined ? undefined : [rows, ...port.shape.slice(1)]),
      port,
    );
  });
  checkRows(where, tensors);
  return tensors;
}

/** Targets for the outputs; `rows` is how many the inputs have. */
export function readTargets(
  where: string,
  data: unknown,
  ports: readonly Port[],
  losses: readonly (Loss | undefined)[],
  rows: number,
): (Tensor | undefined)[] {
  if (data == null && losses.every((l) => l === undefined)) return ports.map(() => undefined);
  return spread(where, data, ports, (i) => losses[i] === undefined).map(([label, one, port], i) => {
    if (losses[i] === undefined && one == null) return undefined;
    const length = ArrayBuffer.isView(one) ? (one as Uint8Array).length : undefined;
    const target = readOne(label, one, length === undefined ? undefined : targetShape(length, rows, port));
    if (target.rank === 0 || target.shape[0] !== rows) {
      const came = target.rank === 0 ? "a scalar" : `${target.shape[0]}`;
      throw new MyelinError("SHAPE_MISMATCH", `${label}: expected ${rows} rows like x, got ${came}`);
    }
    return losses[i]?.targets === "labels" || losses[i]?.targets === "groups"
      ? toWhole(label, target)
      : target;
  });
}

/**
 * Pairs every port with its part of the data and a label for errors.
 * @param mayLack whether a record may leave out port i
 */
export function spread(
  where: string,
  data: unknown,
  ports: readonly Port[],
  mayLack: (i: number) => boolean = () => false,
): [label: string, one: unknown, port: Port][] {
  if (isRecord(data)) {
    const names = ports.map((p) => p.name);
    const missing = names.filter((n, i) => !Object.hasOwn(data, n) && !mayLack(i));
    const extra = Object.keys(data).filter((n) => !names.includes(n));
    if (missing.length > 0 || extra.length > 0) {
      throw new MyelinError(
        "INVALID_DATA",
        `${where}: expected data named ${names.join(", ")}, got ${Object.keys(data).join(", ") || "nothing"}`,
      );
    }
    return ports.map((p) => [`${where}.${p.name}`, data[p.name], p]);
  }
  if (ports.length === 1) {
    const only = Array.isArray(data) && data.length === 1 && isWhole(data[0]) ? data[0] : data;
    return [[where, only, ports[0]!]];
  }
  if (!Array.isArray(data) || data.length !== ports.length) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected a list or record of ${ports.length} (${ports.map((p) => p.name).join(", ")}), got ${describe(data)}`,
    );
  }
  return ports.map((p, i) => [`${where}[${i}]`, data[i], p]);
}

const isShaped = (x: object): x is ShapedData => "data" in x && "shape" in x;
const isWhole = (x: unknown): boolean =>
  typeof x === "object" && x !== null && (x instanceof Tensor || ArrayBuffer.isView(x) || isShaped(x));

function isRecord(data: unknown): data is Record<string, unknown> {
  return typeof data === "object" && data !== null && !Array.isArray(data) && !isWhole(data);
}

export function readOne(where: string, one: unknown, shape: readonly (number | null)[] | undefined): Tensor {
  if (one === undefined || one === null) {
    throw new MyelinError("INVALID_DATA", `${where}: expected data, got ${one}`);
  }
  try {
    if (one instanceof Tensor) return one;
    if (typeof one === "object" && !Array.isArray(one) && isShaped(one)) {
      return tensor(one.data, one.shape, one.dtype);
    }
    if (!shape) return tensor(one as TensorLike);
    if (!shape.every((d) => Number.isInteger(d))) {
      const row = formatShape(shape.slice(1));
      const length = (one as Uint8Array).length;
      throw new MyelinError("SHAPE_MISMATCH", `expected whole rows of shape ${row}, got ${length} elements`);
    }
    return tensor(one as TensorLike, shape as Shape);
  } catch (error) {
    if (!(error instanceof MyelinError)) throw error;
    throw new MyelinError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}

/** A flat array of targets: one per row, or the shape of the output's rows, or as many columns as come out. */
function targetShape(length: number, rows: number, port: Port): (number | null)[] {
  if (length === rows || rows === 0) return [length];
  const known = port.shape.slice(1).map((d) => d ?? 0);
  return sizeOf(known) * rows === length ? [rows, ...known] : [rows, length / rows];
}

/** The shape and dtype an input asks for. A last axis of size 1 may be missing or too many, as in Keras. */
function fitPort(where: string, given: Tensor, port: Port): Tensor {
  const { shape } = port;
  let t = given;
  if (t.rank === shape.length - 1 && shape.at(-1) === 1) t = t.reshape([...t.shape, 1]);
  else if (t.rank === shape.length + 1 && t.shape.at(-1) === 1) t = t.reshape(t.shape.slice(0, -1));
  if (t.rank !== shape.length || !shape.every((d, i) => d === null || i === 0 || d === t.shape[i])) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected shape ${formatShape(shape)} for input ${JSON.stringify(port.name)}, got ${formatShape(given.shape)}`,
    );
  }
  return port.dtype === "int32" ? toWhole(where, t) : t;
}

function checkRows(where: string, tensors: readonly Tensor[]): void {
  for (const [i, t] of tensors.entries()) {
    if (t.rank === 0) {
      throw new MyelinError("SHAPE_MISMATCH", `${where}: expected rows of samples, got a scalar`);
    }
    if (t.shape[0] !== tensors[0]!.shape[0]) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}[${i}]: expected ${tensors[0]!.shape[0]} rows like ${where}[0], got ${t.shape[0]}`,
      );
    }
  }
}

/** float32 numbers that are whole, as int32; other dtypes are whole already. */
function toWhole(where: string, t: Tensor): Tensor {
  if (t.dtype !== "float32") return t;
  const out = new Int32Array(t.size);
  for (let i = 0; i < out.length; i++) {
    const x = t.data[i]!;
    out[i] = x;
    if (out[i] !== x) {
      throw new MyelinError(
        Number.isFinite(x) ? "INVALID_DATA" : "NOT_A_NUMBER",
        `${where}: expected whole numbers, got ${x} in ${position(t.shape, i)}`,
      );
    }
  }
  return new Tensor(out, t.shape, "int32");
}

/** "row 3", "row 3, column 1", "row 3, element [1][0]". */
export function position(shape: Shape, index: number): string {
  const row = sizeOf(shape.slice(1));
  const text = `row ${Math.floor(index / row)}`;
  if (shape.length <= 1) return text;
  if (shape.length === 2) return `${text}, column ${index % row}`;
  let rest = index % row;
  let inner = row;
  const indices = shape.slice(1).map((d) => {
    inner /= d;
    const at = Math.floor(rest / inner);
    rest %= inner;
    return at;
  });
  return `${text}, element [${indices.join("][")}]`;
}

/** Elements looked at between two chances for the event loop: well under a millisecond. */
const CHUNK = 1 << 18;

/**
 * Looks at every number of a data set: finite all of them, targets what the losses can mean. Yields now and then, so
 * that an async caller can let others run; throws NOT_A_NUMBER or LABEL_OUT_OF_RANGE naming the row.
 * @param where names the call, e.g. "fit"
 */
export function* checkNumbers(
  where: string,
  set: DataSet,
  ports: readonly Port[],
  losses: readonly (Loss | undefined)[],
): Generator<void> {
  const label = (name: string, list: readonly unknown[], i: number) =>
    list.length === 1 ? `${where}: ${name}` : `${where}: ${name}[${i}]`;
  for (const [i, t] of set.inputs.entries()) yield* inChunks(t, label("x", set.inputs, i), checkFinite);
  for (const [i, t] of set.targets.entries()) {
    if (!t) continue;
    const name = label("y", set.targets, i);
    yield* inChunks(t, name, checkFinite);
    const range = losses[i] && targetRange(losses[i], ports[i]!);
    if (range) yield* inChunks(t, name, (...chunk) => checkRange(...chunk, range));
  }
  for (const [i, t] of set.weights.entries()) {
    if (t) yield* inChunks(t, label("sampleWeight", set.weights, i), checkFinite);
  }
}

type CheckChunk = (where: string, t: Tensor, from: number, to: number) => void;

function* inChunks(t: Tensor, where: string, check: CheckChunk): Generator<void> {
  for (let from = 0; from < t.size; from += CHUNK) {
    check(where, t, from, Math.min(t.size, from + CHUNK));
    yield;
  }
}

function checkFinite(where: string, t: Tensor, from: number, to: number): void {
  if (t.dtype !== "float32") return;
  const { data } = t;
  // x * 0 is NaN exactly for NaN and infinities: one pass without branches, and a second only to say where.
  let bad = 0;
  for (let i = from; i < to; i++) bad += data[i]! * 0;
  if (bad === 0) return;
  for (let i = from; i < to; i++) {
    if (Number.isFinite(data[i])) continue;
    throw new MyelinError(
      "NOT_A_NUMBER",
      `${where}: expected finite numbers, got ${data[i]} in ${position(t.shape, i)}`,
    );
  }
}

interface Range {
  readonly most: number;
  /** Let through all the same. */
  readonly ignored?: number | undefined;
  readonly meaning: string;
}

/** What targets of this loss lie between: 0 and `most`. */
function targetRange(loss: Loss, port: Port): Range | undefined {
  if (loss.targets === "values" || loss.targets === "groups") return undefined;
  if (loss.targets === "probabilities") return { most: 1, meaning: `targets from 0 to 1 for ${loss.name}` };
  const classes = port.shape.at(-1) ?? Number.POSITIVE_INFINITY;
  return {
    most: classes - 1,
    ignored: loss.ignoredLabel,
    meaning: `labels from 0 to ${classes - 1} for ${loss.name}`,
  };
}

function checkRange(where: string, t: Tensor, from: number, to: number, range: Range): void {
  const { data } = t;
  for (let i = from; i < to; i++) {
    if ((data[i]! >= 0 && data[i]! <= range.most) || data[i] === range.ignored) continue;
    throw new MyelinError(
      "LABEL_OUT_OF_RANGE",
      `${where}: expected ${range.meaning}, got ${data[i]} in ${position(t.shape, i)}`,
    );
  }
}

/** Rows `begin` to `end` without copying. */
export function rowsOf(t: Tensor, begin: number, end: number): Tensor {
  const row = sizeOf(t.shape.slice(1));
  return new Tensor(t.data.subarray(begin * row, end * row), [end - begin, ...t.shape.slice(1)], t.dtype);
}

export function rowsOfSet(set: DataSet, begin: number, end: number): DataSet {
  return {
    rows: end - begin,
    ...withParts(
      set,
      partsOf(set).map((t) => rowsOf(t, begin, end)),
    ),
  };
}
