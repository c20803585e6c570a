// How a GPT writes: it reads the prompt at once, then one token after the other, each drawn from the logits inside the
// Program and read by the next step. Keys and values of earlier tokens stay in Variables (a key/value cache), so that a new
// token costs one row of products, and many tokens are one native call.

import { type Built, build } from "../compile.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { splitSeed } from "../core/random.ts";
import { Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import type { Engine } from "../engine/engine.ts";
import type { Value } from "../graph/graph.ts";
import { Variable } from "../graph/variable.ts";
import type { Gpt, GptMemory } from "../models/architectures/gpt.ts";
import * as ops from "../ops/index.ts";
import { checkSignal } from "./options.ts";
import { trainerOf } from "./trainer.ts";

export interface GenerateOptions {
  /** How many tokens to write. Default 100. */
  maxNewTokens?: number;
  /** Below 1 likelier tokens gain, above 1 they lose; 0 takes the likeliest each time. Default 1. */
  temperature?: number;
  /** Only among so many likeliest tokens. Default: all. */
  topK?: number | null;
  /** Only among the likeliest tokens that have this share of the probability together (nucleus sampling). Default: all. */
  topP?: number | null;
  /** The same seed gives the same tokens. Default: arbitrary. */
  seed?: number;
  /** Ends when every row has written this token; what a row has after its own is this token again. */
  stopToken?: number | null;
  /** Called with each piece of new tokens, int32 [batch, n], as it is there. */
  onTokens?: (tokens: Tensor) => void;
  signal?: AbortSignal;
}

const OPTIONS = [
  "maxNewTokens",
  "temperature",
  "topK",
  "topP",
  "seed",
  "stopToken",
  "onTokens",
  "signal",
] as const;

/** Tokens written in one native call. */
const PIECE = 32;

/** How tokens are drawn: which of the settings are in use; their values are in Variables. */
interface Sampling {
  readonly isGreedy: boolean;
  readonly topK: boolean;
  readonly topP: boolean;
}

/** The state and Programs of one writing at a time. */
class Writer {
  readonly model: Gpt;
  readonly engine: Engine;
  readonly batch: number;
  private readonly memory: GptMemory;
  /** Tokens so far, a row of the batch for each place; one place more than the model sees. */
  private readonly tokens: Variable;
  /** The place of the last token that has been read or written. */
  private readonly place = integer("place");
  private readonly temperature = new Variable([], "float32", { name: "temperature", trainable: false });
  private readonly topK = integer("topK");
  private readonly topP = new Variable([], "float32", { name: "topP", trainable: false });
  private readonly random = new ops.SeedGenerator(0);
  private readonly programs = new Map<string, Built>();

  constructor(model: Gpt, engine: Engine, batch: number) {
    this.model = model;
    this.engine = engine;
    this.batch = batch;
    this.memory = model.makeMemory(batch);
    const name = "tokens";
    this.tokens = new Variable([model.sequenceLength + 1, batch], "int32", { name, trainable: false });
  }

  begin(o: { temperature: number; topK: number | null; topP: number | null; seed: number }): void {
    const float = (x: number) => new Tensor(Float32Array.of(x), [], "float32");
    const int = (x: number) => new Tensor(Int32Array.of(x), [], "int32");
    this.temperature.write(float(o.temperature || 1));
    this.topK.write(int(o.topK ?? 1));
    this.topP.write(float(o.topP ?? 1));
    this.random.key.write(new Tensor(Int32Array.from(splitSeed(o.seed)), [2], "int32"));
    this.random.counter.write(int(0));
  }

  /**
   * Reads the end of what there is and writes the token after it.
   * @param rows tokens so far, a list for each row of the batch; new ones are appended
   */
  async read(rows: number[][], sampling: Sampling, signal?: AbortSignal): Promise<void> {
    const { sequenceLength } = this.model;
    const { batch } = this;
    const length = rows[0]!.length;
    const kept = length <= sequenceLength ? length : Math.ceil(sequenceLength / 2);
    const data = new Int32Array((sequenceLength + 1) * batch);
    rows.forEach((row, b) => {
      for (let i = 0; i < kept; i++) data[i * batch + b] = row[length - kept + i]!;
    });
    this.tokens.write(new Tensor(data, [sequenceLength + 1, batch], "int32"));
    this.place.write(new Tensor(Int32Array.of(kept - 1), [], "int32"));
    await this.program("read", sampling).run([], { signal });
    this.collect(rows, kept, 1);
  }

  /** Writes `count` tokens after those in memory. */
  async write(rows: number[][], from: number, count: number, sampling: Sampling, signal?: AbortSignal) {
    await this.program("write", sampling).run([], { steps: count, signal });
    this.collect(rows, from, count);
  }

  private collect(rows: number[][], from: number, count: number): void {
    const { data } = this.tokens.read();
    rows.forEach((row, b) => {
      for (let i = from; i < from + count; i++) row.push(data[i * this.batch + b]!);
    });
  }

  private program(what: "read" | "write", sampling: Sampling): Built {
    const key = `${what} ${JSON.stringify(sampling)}`;
    let built = this.programs.get(key);
    if (!built) {
      const run = () => (what === "read" ? this.readStep(sampling) : this.writeStep(sampling));
      const { engine } = this;
      built = build(run, [], { engine, name: "generate", steady: this.model.weights });
      this.programs.set(key, built);
    }
    return built;
  }

  private readStep(sampling: Sampling): Value[] {
    const { sequenceLength } = this.model;
    const window = ops.transpose(ops.sliceAxis(this.tokens, 0, 0, sequenceLength));
    return this.append(this.model.readWindow(window, ops.toValue(this.place), this.memory), sampling);
  }

  private writeStep(sampling: Sampling): Value[] {
    const token = ops.gather(this.tokens, this.place);
    return this.append(this.model.readToken(token, ops.toValue(this.place), this.memory), sampling);
  }

  private append(logits: Value, sampling: Sampling): Value[] {
    const token = this.draw(logits, sampling);
    const next = ops.add(this.place, 1);
    const places = ops.reshape(ops.arange(this.model.sequenceLength + 1), [-1, 1]);
    ops.assign(this.tokens, ops.where(ops.equal(places, next), token, this.tokens));
    ops.assign(this.place, next);
    return [];
  }

  /** int32 [batch] of logits [batch, vocabulary]. */
  private draw(logits: Value, { isGreedy, topK, topP }: Sampling): Value {
    if (isGreedy) return ops.argmax(logits, { axis: -1 });
    let x = ops.divide(logits, this.temperature);
    const hidden = -1e30;
    if (topK) {
      const sorted = ops.sort(x, { descending: true });
      const least = ops.gather(sorted, ops.subtract(this.topK, 1), { axis: -1 });
      x = ops.where(ops.greaterEqual(x, ops.expandDims(least, -1)), x, hidden);
    }
    if (topP) {
      const sorted = ops.sort(x, { descending: true });
      // A token belongs to the nucleus while those before it have less than topP together: the first always does.
      const before = ops.cumsum(ops.softmax(sorted), { exclusive: true });
      const kept = ops.where(ops.less(before, this.topP), sorted, Number.POSITIVE_INFINITY);
      x = ops.where(ops.greaterEqual(x, ops.min(kept, { axis: -1, keepDims: true })), x, hidden);
    }
    // The largest of logits plus Gumbel noise is a draw from their softmax.
    const uniform = ops.random.uniform(x.shape, { seed: this.random });
    const noise = ops.negative(ops.log(ops.negative(ops.log(ops.maximum(uniform, 2 ** -25)))));
    return ops.argmax(ops.add(x, noise), { axis: -1 });
  }
}

function integer(name: string): Variable {
  return new Variable([], "int32", { name, trainable: false });
}

/** Writers kept for the next text; each holds a cache and Programs. */
const MAX_IDLE = 4;

/** Writers that are not at work, by model. */
const idle = new WeakMap<Gpt, Writer[]>();

/** See `Gpt.generate`. */
export async function generate(model: Gpt, prompt: TensorLike, options?: GenerateOptions): Promise<Tensor> {
  const where = "generate";
  const o = checkOptions(where, options, OPTIONS);
  const { topK = null, topP = null, stopToken = null, onTokens } = o;
  const maxNewTokens = checkInteger(where, "maxNewTokens", o.maxNewTokens ?? 100, 0);
  const temperature = checkNumber(where, "temperature", o.temperature ?? 1, "of at least 0", (x) => x >= 0);
  const { vocabularySize, sequenceLength } = model;
  if (topK !== null) checkInteger(where, "topK", topK, 1, vocabularySize);
  if (topP !== null) checkNumber(where, "topP", topP, "in (0, 1]", (x) => x > 0 && x <= 1);
  if (stopToken !== null) checkInteger(where, "stopToken", stopToken, 0, vocabularySize - 1);
  const seed = checkInteger(where, "seed", o.seed ?? Math.floor(Math.random() * 2 ** 32));
  const signal = checkSignal(where, o.signal);
  const { rows, isBatch } = readPrompt(where, prompt, vocabularySize);
  const begun = rows[0]!.length;
  const isGreedy = temperature === 0 || topK === 1;
  const sampling = { isGreedy, topK: topK !== null && !isGreedy, topP: topP !== null && !isGreedy };
  const writer = takeWriter(model, trainerOf(model).engine, rows.length);
  try {
    writer.begin({ temperature, topK, topP, seed });
    // The place in memory after the last token; beyond the window the rest of the text is read anew.
    let place = Number.POSITIVE_INFINITY;
    while (rows[0]!.length - begun < maxNewTokens) {
      const length = rows[0]!.length;
      if (place > sequenceLength) {
        await writer.read(rows, sampling, signal);
        place = (length <= sequenceLength ? length : Math.ceil(sequenceLength / 2)) + 1;
      } else {
        const count = Math.min(PIECE, sequenceLength + 1 - place, maxNewTokens - (length - begun));
        await writer.write(rows, place, count, sampling, signal);
        place += count;
      }
      const isDone = stopToken !== null && rows.every((row) => row.includes(stopToken, begun));
      onTokens?.(tensorOf(rows.map((row) => row.slice(length))));
      if (isDone) break;
    }
  } finally {
    idle.set(model, [writer, ...(idle.get(model) ?? [])].slice(0, MAX_IDLE));
  }
  if (stopToken !== null) endAt(rows, begun, stopToken);
  const result = tensorOf(rows);
  return isBatch ? result : new Tensor(result.data, [result.size], "int32");
}

function takeWriter(model: Gpt, engine: Engine, batch: number): Writer {
  const free = idle.get(model) ?? [];
  const at = free.findIndex((w) => w.engine === engine && w.batch === batch);
  return at >= 0 ? free.splice(at, 1)[0]! : new Writer(model, engine, batch);
}

function readPrompt(where: string, prompt: TensorLike, vocabularySize: number) {
  const t =
    prompt instanceof Tensor || ArrayBuffer.isView(prompt)
      ? tensor(prompt)
      : tensor(prompt, undefined, "int32");
  const isBatch = t.rank === 2;
  if ((t.rank !== 1 && !isBatch) || t.size === 0) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected a prompt of at least one token, [steps] or [batch, steps], got shape [${t.shape.join(", ")}]`,
    );
  }
  const wrong = Array.from(t.data).find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong !== undefined) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected tokens from 0 to ${vocabularySize - 1}, got ${describe(wrong)}`,
    );
  }
  const steps = t.shape.at(-1)!;
  const rows = Array.from({ length: t.size / steps }, (_, b) =>
    Array.from(t.data.subarray(b * steps, (b + 1) * steps), Number),
  );
  return { rows, isBatch };
}

function tensorOf(rows: readonly (readonly number[])[]): Tensor {
  return new Tensor(Int32Array.from(rows.flat()), [rows.length, rows[0]!.length], "int32");
}

/** Cuts after the last row's end; what a row has after its own is the stop token. */
function endAt(rows: number[][], begun: number, stopToken: number): void {
  const ends = rows.map((row) => {
    const at = row.indexOf(stopToken, begun);
    return at < 0 ? row.length : at + 1;
  });
  const length = Math.max(...ends);
  rows.forEach((row, i) => {
    row.fill(stopToken, ends[i]!);
    row.length = length;
  });
}
