// Batcher: many small predictions that come at the same time run as one. What waits while a run is under way is the next
// batch, so that a server under load batches by itself and an idle one answers at once.

import { allocateHost } from "../core/dtype.ts";
import { aborted, MyelinError } from "../core/errors.ts";
import { nextTurn } from "../core/next-turn.ts";
import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, formatType, sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { type Nest, pack } from "../layers/nest.ts";
import { type DataLike, rowsOf } from "./data.ts";
import { checkSignal } from "./options.ts";
import type { Trainer } from "./trainer.ts";

export interface BatcherOptions {
  /** Rows of one run at most. Default 32. */
  maxBatch?: number;
  /**
   * Milliseconds that a call may wait for others while nothing runs. Default 0: what came in the same turn of the event loop
   * goes together.
   */
  maxDelayMs?: number;
  /** Rows that may wait; calls beyond are refused with BUSY. Default 64 times maxBatch. */
  maxQueue?: number;
}

export interface BatcherPredictOptions {
  /** Takes the call out of the queue; a run that has begun goes on for the others. */
  signal?: AbortSignal;
}

/** What a batcher has done since it was made. */
export interface BatcherStats {
  readonly calls: number;
  readonly refused: number;
  readonly runs: number;
  /** Of all runs together; rows / runs is the mean batch. */
  readonly rows: number;
  /** Rows that wait now. */
  readonly waiting: number;
}

interface Call {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  /** Calls of equal types can run together. */
  readonly type: string;
  readonly since: number;
  readonly resolve: (outputs: Nest<Tensor>) => void;
  readonly reject: (error: unknown) => void;
}

const nothing = (): void => {};

/** Made by `model.batcher`. */
export class Batcher {
  private readonly maxBatch: number;
  private readonly maxDelayMs: number;
  private readonly maxQueue: number;
  private readonly queue: Call[] = [];
  private readonly count = { calls: 0, refused: 0, runs: 0, rows: 0, waiting: 0 };
  private isRunning = false;
  private isClosed = false;
  private soon = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private idle: (() => void)[] = [];

  /** @internal */
  constructor(
    private readonly trainer: Trainer,
    options?: BatcherOptions,
  ) {
    const o = checkOptions("batcher", options, ["maxBatch", "maxDelayMs", "maxQueue"]);
    this.maxBatch = checkInteger("batcher", "maxBatch", o.maxBatch ?? 32, 1, 1 << 20);
    this.maxDelayMs = checkNumber(
      "batcher",
      "maxDelayMs",
      o.maxDelayMs ?? 0,
      "from 0 to 60000",
      (ms) => ms >= 0 && ms <= 60_000,
    );
    this.maxQueue = checkInteger("batcher", "maxQueue", o.maxQueue ?? 64 * this.maxBatch, this.maxBatch);
    const { model } = trainer;
    const fixed = model.built ? model.inputSpecs.find((spec) => spec.shape[0] !== null) : undefined;
    if (fixed) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `batcher: expected a model for batches of any size, got an input ${formatShape(fixed.shape as number[])}`,
      );
    }
  }

  /**
   * Outputs for rows, as `model.predict` gives them; a row's outputs do not depend on what it runs together with, beyond
   * the last bits.
   * @param x at most `maxBatch` rows
   * @throws MyelinError BUSY when the queue is full or the batcher closed; ABORTED; INVALID_DATA and SHAPE_MISMATCH for x, which
   * then disturbs no other call
   */
  async predict<R extends Nest<Tensor> = Tensor>(x: DataLike, options?: BatcherPredictOptions): Promise<R> {
    const where = "batcher.predict";
    const { signal: given } = checkOptions(where, options, ["signal"]);
    const signal = checkSignal(where, given);
    if (this.isClosed) throw new MyelinError("BUSY", `${where}: the batcher is closed`);
    const inputs = this.trainer.readInputs(where, x);
    const rows = inputs[0]!.shape[0]!;
    if (rows < 1 || rows > this.maxBatch) {
      throw new MyelinError(
        "INVALID_DATA",
        `${where}: expected 1 to ${this.maxBatch} rows (maxBatch), got ${rows}`,
      );
    }
    if (signal?.aborted) throw aborted(where, signal.reason);
    if (this.count.waiting + rows > this.maxQueue) {
      this.count.refused++;
      throw new MyelinError("BUSY", `${where}: ${this.count.waiting} rows wait, more than maxQueue allows`);
    }
    this.count.calls++;
    this.count.waiting += rows;
    const type = inputs.map((t) => formatType({ dtype: t.dtype, shape: t.shape.slice(1) })).join();
    let unwatch = nothing;
    try {
      return (await new Promise<Nest<Tensor>>((resolve, reject) => {
        const call: Call = { inputs, rows, type, since: performance.now(), resolve, reject };
        this.queue.push(call);
        if (signal) unwatch = this.watch(call, signal);
        this.schedule();
      })) as R;
    } finally {
      unwatch();
    }
  }

  /**
   * An aborted call leaves the queue at once; one that runs is answered all the same.
   * @returns what ends the watch: one signal may serve any number of calls
   */
  private watch(call: Call, signal: AbortSignal): () => void {
    const leave = () => {
      const at = this.queue.indexOf(call);
      if (at < 0) return;
      this.queue.splice(at, 1);
      this.count.waiting -= call.rows;
      call.reject(aborted("batcher.predict", signal.reason));
      if (!this.isRunning && this.queue.length === 0) this.begin();
    };
    signal.addEventListener("abort", leave, { once: true });
    return () => signal.removeEventListener("abort", leave);
  }

  get stats(): BatcherStats {
    return { ...this.count };
  }

  /** Takes no further calls; resolves when those that wait are answered. */
  async close(): Promise<void> {
    this.isClosed = true;
    if (this.queue.length === 0 && !this.isRunning) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** `await using batcher = model.batcher()` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Sees to it that what waits will run. */
  private schedule(): void {
    if (this.isRunning || this.queue.length === 0) return;
    if (this.count.waiting >= this.maxBatch || this.maxDelayMs === 0) this.beginSoon();
    else this.timer ??= setTimeout(() => this.begin(), this.delayLeft());
  }

  private delayLeft(): number {
    return Math.max(0, this.queue[0]!.since + this.maxDelayMs - performance.now());
  }

  /** After what the event loop has ready: calls of one turn go together. */
  private beginSoon(): void {
    if (this.soon) return;
    this.soon = true;
    nextTurn(() => {
      this.soon = false;
      this.begin();
    });
  }

  private begin(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.isRunning) return;
    const calls = this.take();
    if (calls.length === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
      return;
    }
    this.isRunning = true;
    void this.run(calls).then(() => {
      this.isRunning = false;
      // What came meanwhile has waited: it runs at once, whatever maxDelayMs.
      this.begin();
    });
  }

  /** The calls that run together: the first that waits, and all of its type that fit beside it. */
  private take(): Call[] {
    const calls: Call[] = [];
    const others: Call[] = [];
    let rows = 0;
    for (const call of this.queue) {
      if (call.type === (calls[0]?.type ?? call.type) && rows + call.rows <= this.maxBatch) {
        calls.push(call);
        rows += call.rows;
      } else others.push(call);
    }
    this.queue.splice(0, this.queue.length, ...others);
    this.count.waiting -= rows;
    return calls;
  }

  private async run(calls: readonly Call[]): Promise<void> {
    const rows = calls.reduce((sum, c) => sum + c.rows, 0);
    this.count.runs++;
    this.count.rows += rows;
    try {
      const inputs = this.gather(calls, rows);
      const outputs = await this.trainer.predictor(inputs).run(inputs);
      const scalar = outputs.find((t) => t.shape[0] !== inputs[0]!.shape[0]);
      if (scalar) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `batcher.predict: expected outputs with one row per sample, got shape ${formatShape(scalar.shape)}`,
        );
      }
      let at = 0;
      for (const call of calls) {
        // Copies: nobody's answer may hold, or show, the answers of others.
        const own = outputs.map((t) => {
          const { data, shape, dtype } = rowsOf(t, at, at + call.rows);
          return new Tensor(data.slice(), shape, dtype);
        });
        at += call.rows;
        call.resolve(pack(own, this.trainer.model.outputLayout));
      }
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }

  /** Inputs under one another, filled up with zeros to a size of batch that has been compiled before or soon is. */
  private gather(calls: readonly Call[], rows: number): readonly Tensor[] {
    const size = Math.min(this.maxBatch, roundedUp(rows));
    if (calls.length === 1 && rows === size) return calls[0]!.inputs;
    return calls[0]!.inputs.map((first, i) => {
      const shape = [size, ...first.shape.slice(1)];
      const data = allocateHost(first.dtype, sizeOf(shape));
      let at = 0;
      for (const { inputs } of calls) {
        data.set(inputs[i]!.data as Float32Array, at);
        at += inputs[i]!.size;
      }
      return new Tensor(data, shape, first.dtype);
    });
  }
}

/** 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: few sizes to compile, and at most a third of a batch is filling. */
function roundedUp(rows: number): number {
  const power = 2 ** Math.ceil(Math.log2(rows));
  return rows <= power * 0.75 && power >= 4 ? power * 0.75 : power;
}
