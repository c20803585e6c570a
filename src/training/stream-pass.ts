// Going over batches that come from a source. Each is given to the Program as arguments, and the next one is fetched
// while it runs; the sums behind the logs stay in Variables, as for data in memory (pass.ts).

import { type Built, build } from "../compile.ts";
import { MyelinError } from "../core/errors.ts";
import { Tensor } from "../core/tensor.ts";
import type { Engine } from "../engine/engine.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Breather } from "./breather.ts";
import { type DataSet, partsOf, withParts } from "./data.ts";
import type { Going, PassRun, StepFunction } from "./pass.ts";
import { typesOf } from "./pass.ts";
import { type BatchSource, iterate, stepsOf } from "./source.ts";
import { Totals } from "./totals.ts";

export interface StreamOptions {
  /** Names the call in errors, e.g. "fit". */
  name: string;
  engine: Engine;
  step: StepFunction;
  steady?: readonly Variable[];
  /** Checks a batch. @param where names it in errors, e.g. "fit: batch 3" */
  read(where: string, batch: unknown): DataSet;
  /** Batches of one run; the next run goes on where this one stopped. Default: all of a pass. */
  limit?: number;
  /** The option that says so. */
  limitName: "stepsPerEpoch" | "validationSteps" | "steps";
  /** Ends waiting for batches. */
  signal?: AbortSignal | undefined;
}

const TRUE = new Tensor(Uint8Array.of(1), [], "bool");
const FALSE = new Tensor(Uint8Array.of(0), [], "bool");

export class StreamPass implements Going {
  readonly totals = new Totals();
  readonly isOrdered = false;
  steps: number | undefined;
  rows: number | undefined;
  private readonly programs = new Map<string, Built>();
  private iterator: AsyncIterator<unknown> | undefined;
  /** The batch that is being fetched; undefined at the end of a pass. */
  private ahead: Promise<DataSet | undefined> | undefined;
  private fetched = 0;
  private hasWarned = false;

  constructor(
    private readonly source: BatchSource<unknown>,
    private readonly options: StreamOptions,
  ) {
    const { name, limit, limitName } = options;
    this.steps = stepsOf(name, source, limit, limitName);
  }

  /** Reads the first batch and makes its Program, so that the names of logs are known. */
  async prepare(): Promise<void> {
    const first = await this.peek();
    this.programFor(first);
  }

  async run(options: PassRun, breather: Breather): Promise<number> {
    const { name } = this.options;
    let { limit = Number.POSITIVE_INFINITY } = this.options;
    const from = options.from ?? 0;
    const { signal, onBatchBegin, onBatchEnd, onProgress, isStopped } = options;
    let done = 0;
    let rows = 0;
    try {
      await this.peek();
      // Batches that were done before an interruption are fetched and passed over.
      for (let skipped = from; skipped > 0; skipped--) {
        if (!(await this.ahead)) break;
        this.ahead = this.fetch();
        limit--;
      }
      while (done < limit) {
        const set = await this.ahead!;
        if (!set) break;
        this.ahead = this.fetch();
        const waited = onBatchBegin?.(from + done);
        if (waited) await waited;
        await this.programFor(set).run([done + from === 0 ? TRUE : FALSE, ...partsOf(set)], { signal });
        breather.reset();
        done++;
        rows += set.rows;
        onProgress?.(done, () => this.totals.logs());
        const ended = onBatchEnd?.(from + done - 1, this.totals.logs());
        if (ended) await ended;
        if (isStopped?.()) break;
      }
      if (isStopped?.()) await this.close();
    } catch (error) {
      await this.close();
      throw error;
    }
    if (limit !== Number.POSITIVE_INFINITY && done < limit && !isStopped?.() && !this.hasWarned) {
      this.hasWarned = true;
      console.warn(
        `myelin: ${name}: the data ended after ${done} of ${limit} batches; give more, or repeat() the dataset`,
      );
    }
    this.steps = from + done;
    this.rows = rows;
    return done;
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    const { iterator } = this;
    this.iterator = undefined;
    await this.ahead?.catch(() => {});
    this.ahead = undefined;
    await iterator?.return?.();
  }

  /** The next batch, of a new pass where the last one has ended. It stays the next one. */
  private async peek(): Promise<DataSet> {
    this.ahead ??= this.fetch();
    let set = await this.ahead;
    if (!set) {
      // A pass that ended exactly with the last run: begin another.
      this.iterator = undefined;
      this.ahead = this.fetch();
      set = await this.ahead;
    }
    if (set) return set;
    throw new MyelinError(
      "INVALID_DATA",
      `${this.options.name}: expected batches, got none; a generator lasts one pass: give a Dataset or a function that makes one`,
    );
  }

  private fetch(): Promise<DataSet | undefined> {
    const { name, read } = this.options;
    const next = (async () => {
      if (!this.iterator) {
        this.iterator = iterate(name, this.source, this.options.signal);
        this.fetched = 0;
      }
      const { done, value } = await this.iterator.next();
      return done ? undefined : read(`${name}: batch ${this.fetched++}`, value);
    })();
    // Awaited later: until then a rejection is nobody's.
    next.catch(() => {});
    return next;
  }

  private programFor(set: DataSet): Built {
    const { engine, name, step, steady } = this.options;
    const key = typesOf(set);
    let program = this.programs.get(key);
    if (!program) {
      const args = partsOf(set);
      const trace = (isFirst: Value, ...values: Value[]) => {
        this.totals.add(step(withParts(set, values), set.rows), isFirst);
        return [];
      };
      program = build(trace, [FALSE, ...args], { engine, name, steady });
      this.programs.set(key, program);
    }
    return program;
  }
}
