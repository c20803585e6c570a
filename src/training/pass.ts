// One way of going over a data set in batches: its Variables, its Programs and its sums. The data lies in the engine's
// memory; each step gathers its rows by index, so one run does all the full batches of an epoch. What is left over is a
// second Program of that smaller batch.

import { type Built, build } from "../compile.ts";
import type { HostArray } from "../core/dtype.ts";
import { internal } from "../core/errors.ts";
import { formatType, sameType } from "../core/shape.ts";
import { Tensor, tensor } from "../core/tensor.ts";
import type { Engine } from "../engine/engine.ts";
import { discard, emptyBufferOf } from "../engine/residence.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import type { Breather } from "./breather.ts";
import type { Logs } from "./callback.ts";
import { type Batch, type DataSet, partsOf, withParts } from "./data.ts";
import { Totals, type Tracked } from "./totals.ts";

/** What one step does with a batch, in a trace; returns what to add up. */
export type StepFunction = (batch: Batch<Value>, rows: number) => readonly Tracked[];

export interface PassOptions {
  /** Names the Programs in errors, e.g. "fit". */
  name: string;
  engine: Engine;
  batchSize: number;
  /** Rows come in the order given by `setOrder`. */
  ordered: boolean;
  step: StepFunction;
  /** Variables that do not change while it goes on. */
  steady?: readonly Variable[];
}

/** How a run is watched and stopped. */
export interface PassRun {
  signal?: AbortSignal;
  /** Running numbers, now and then while a long run lasts. `logs` is only worked out when called. */
  onProgress?: (steps: number, logs: () => Logs) => void;
  /** Both, or neither: the run then stops after every batch to tell them. */
  onBatchBegin?: (batch: number) => void | Promise<void>;
  onBatchEnd?: (batch: number, logs: Logs) => void | Promise<void>;
  /** Asked after every batch that is told of. */
  isStopped?: () => boolean;
  /** Batches at the beginning that have been done already. Default 0. */
  from?: number;
}

/** A way of going over data in batches, again and again: data in memory (Pass) or from a source (StreamPass). */
export interface Going {
  readonly totals: Totals;
  /** Batches of a run; undefined while nobody knows. */
  readonly steps: number | undefined;
  readonly rows: number | undefined;
  /** Whether rows come in an order that can be set. */
  readonly isOrdered: boolean;
  /** Goes over the data once. @returns the batches done */
  run(options: PassRun, breather: Breather): Promise<number>;
}

/** Elements copied into the engine's memory at a time: well under a millisecond, page faults included. */
const PIECE = 1 << 18;
/** A run this short is done on the calling thread: going to another one and back would take as long. */
const SYNC_BELOW_MS = 0.5;

export class Pass implements Going {
  readonly totals = new Totals();
  readonly rows: number;
  readonly batchSize: number;
  readonly steps: number;
  readonly engine: Engine;
  /** Whether a run is under way. */
  busy = false;
  private readonly data: Batch<Variable>;
  private readonly order: Variable | undefined;
  private readonly cursor = new Variable([], "int32", { name: "cursor", trainable: false });
  private readonly fullSteps: number;
  private readonly restRows: number;
  private readonly options: PassOptions;
  private full: Built | undefined;
  private rest: Built | undefined;
  /** Milliseconds the last whole run took. */
  private lasted = Number.POSITIVE_INFINITY;

  /** @param set what data will look like; `load` brings it */
  constructor(set: DataSet, options: PassOptions) {
    const { batchSize, engine } = options;
    this.rows = set.rows;
    this.batchSize = batchSize;
    this.engine = engine;
    this.data = withParts(set, dataVariables(set));
    this.fullSteps = Math.floor(set.rows / batchSize);
    const restRows = set.rows - this.fullSteps * batchSize;
    this.steps = this.fullSteps + (restRows > 0 ? 1 : 0);
    if (options.ordered && this.steps > 1) {
      this.order = new Variable([set.rows], "int32", {
        name: "order",
        trainable: false,
        initial: () => iota(set.rows),
      });
    }
    this.restRows = restRows;
    this.options = options;
  }

  /**
   * Puts a data set of the types it was made for in place, after making the Programs when this is the first one. Both in
   * pieces, so that the event loop goes round meanwhile.
   */
  async load(set: DataSet, breather: Breather): Promise<void> {
    const { batchSize, fullSteps, restRows } = this;
    if (fullSteps > 0) this.full ??= this.program(batchSize, fullSteps > 1 ? "cursor" : 0);
    if (breather.isDue()) await breather.breathe();
    if (restRows > 0) this.rest ??= this.program(restRows, set.rows - restRows);
    if (breather.isDue()) await breather.breathe();
    const tensors = partsOf(set);
    const variables = partsOf(this.data);
    for (const [i, variable] of variables.entries()) {
      if (variables.indexOf(variable) < i) continue;
      const { data, dtype } = tensors[i]!;
      const buffer = emptyBufferOf(this.engine, variable);
      for (let at = 0; at < data.length; at += PIECE) {
        const piece = data.subarray(at, at + PIECE);
        const isDouble = dtype === "float32" && piece instanceof Float64Array;
        const storable = isDouble && this.engine.precision !== "float64" ? Float32Array.from(piece) : piece;
        this.engine.write(buffer, storable, at);
        if (breather.isDue()) await breather.breathe();
      }
    }
  }

  private program(rows: number, begin: number | "cursor"): Built {
    const { engine, name, step, steady } = this.options;
    const trace = () => {
      this.traceStep(step, rows, begin);
      return [];
    };
    return build(trace, [], { engine, name, steady });
  }

  /** Frees the memory of the data until the next `load`. */
  unload(): void {
    for (const variable of partsOf(this.data)) discard(variable);
    if (this.order) discard(this.order);
  }

  /** Frees its Programs, too: it is of no use any more. */
  dispose(): void {
    this.unload();
    for (const variable of [this.cursor, ...this.totals.variables]) discard(variable);
    this.full?.dispose();
    this.rest?.dispose();
  }

  /** Whether the order of rows makes a difference: not when one batch holds them all. */
  get isOrdered(): boolean {
    return this.order !== undefined;
  }

  setOrder(order: Int32Array): void {
    this.order!.write(new Tensor(order, [order.length], "int32"));
  }

  /**
   * Goes over the data once. On return the sums hold all of it.
   * @returns the steps done: fewer than `steps` only when `isStopped` said so
   */
  async run(options: PassRun, breather: Breather): Promise<number> {
    if (this.busy) throw internal("pass: run twice at once");
    this.busy = true;
    const { signal, from = 0 } = options;
    const left = Math.max(0, this.fullSteps - from);
    try {
      if (from > 0 && left > 0) this.cursor.write(tensor(from * this.batchSize, [], "int32"));
      if (options.onBatchBegin || options.onBatchEnd) return await this.runByBatch(options, breather);
      const begun = performance.now();
      if (this.lasted < SYNC_BELOW_MS) {
        if (left > 0) this.full?.runSync([], left);
        this.rest?.runSync();
      } else {
        if (left > 0) await this.full?.run([], { steps: left, signal, ...this.reporting(options) });
        if (this.rest) await this.rest.run([], { signal });
        breather.reset();
      }
      this.lasted = performance.now() - begun;
      return this.steps - from;
    } catch (error) {
      // The next run begins with the first batch, wherever this one stopped.
      this.cursor.write(tensor(0, [], "int32"));
      throw error;
    } finally {
      this.busy = false;
    }
  }

  private async runByBatch(options: PassRun, breather: Breather): Promise<number> {
    const { signal, onBatchBegin, onBatchEnd, onProgress, isStopped } = options;
    const { from = 0 } = options;
    for (let batch = from; batch < this.steps; batch++) {
      const waited = onBatchBegin?.(batch);
      if (waited) await waited;
      const program = batch < this.fullSteps ? this.full! : this.rest!;
      const begun = performance.now();
      if (this.lasted < SYNC_BELOW_MS && !signal?.aborted) program.runSync();
      else await program.run([], { signal });
      this.lasted = performance.now() - begun;
      if (breather.isDue()) await breather.breathe();
      const logs = this.totals.logs();
      onProgress?.(batch + 1, () => logs);
      const ended = onBatchEnd?.(batch, logs);
      if (ended) await ended;
      if (isStopped?.() && batch + 1 < this.steps) {
        this.cursor.write(tensor(0, [], "int32"));
        return batch + 1 - from;
      }
    }
    return this.steps - from;
  }

  private reporting({ onProgress }: PassRun) {
    if (!onProgress) return {};
    const watch = this.totals.variables;
    return {
      watch,
      onReport: ({ done, watched }: { done: number; watched: readonly ArrayLike<number>[] }) =>
        onProgress(done, () => this.totals.logs(watched)),
    };
  }

  private traceStep(step: StepFunction, rows: number, begin: number | "cursor"): void {
    const take = this.taker(rows, begin);
    const tracked = step(withParts(this.data, partsOf(this.data).map(take)), rows);
    if (begin !== "cursor") {
      this.totals.add(tracked, begin === 0);
      return;
    }
    const cursor = readVariable(this.cursor);
    this.totals.add(tracked, ops.equal(cursor, 0));
    // After the last full batch it stands at the beginning again: epochs need no write from the host.
    assignVariable(this.cursor, ops.mod(ops.add(cursor, rows), this.fullSteps * rows));
  }

  /** How a step gets its rows out of a data Variable. */
  private taker(rows: number, begin: number | "cursor"): (data: Variable) => Value {
    if (rows === this.rows) return readVariable;
    if (begin !== "cursor") {
      const from = (v: Variable) =>
        ops.slice(v, [begin, ...v.shape.slice(1).map(() => 0)], [rows, ...v.shape.slice(1)]);
      if (!this.order) return from;
      const picked = from(this.order);
      return (data) => ops.gather(data, picked);
    }
    const places = ops.add(ops.constant(tensor(iota(rows))), readVariable(this.cursor));
    const picked = this.order ? ops.gather(this.order, places) : places;
    return (data) => ops.gather(data, picked);
  }
}

/** One Variable for each tensor, inputs first; an autoencoder's targets are its inputs, kept and gathered once. */
function dataVariables(set: DataSet): Variable[] {
  const variables: Variable[] = [];
  partsOf(set).forEach((t, i) => {
    const first = firstUse(set, i);
    const name = i < set.inputs.length ? `x${i}` : `y${i - set.inputs.length}`;
    variables.push(
      first < i ? variables[first]! : new Variable(t.shape, t.dtype, { name, trainable: false }),
    );
  });
  return variables;
}

/** The first tensor of a data set that holds the very data of tensor i. */
function firstUse(set: DataSet, i: number): number {
  const tensors = partsOf(set);
  const { data, shape, dtype } = tensors[i]!;
  return tensors.findIndex((t) => isSameMemory(t.data, data) && sameType(t, { shape, dtype }));
}

function isSameMemory(a: HostArray, b: HostArray): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;
}

export function iota(n: number): Int32Array {
  const out = new Int32Array(n);
  for (let i = 0; i < n; i++) out[i] = i;
  return out;
}

/** The types of a data set as one string, which also tells what is the same data. */
export function typesOf(set: DataSet): string {
  const kind = (t: unknown) => (t === undefined ? "-" : "+");
  const layout = [...set.targets, ...set.weights].map(kind).join("");
  return `${partsOf(set).map((t, i) => `${formatType(t)}@${firstUse(set, i)}`)} ${layout}`;
}
