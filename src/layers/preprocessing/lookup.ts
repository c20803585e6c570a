// Tokens as numbers, and back: StringLookup for strings on the host, IntegerLookup for whole numbers in Programs as well.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from "../../core/options.ts";
import { Tensor, tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { encodeRows, encodeValue, OUTPUT_MODES, type OutputMode } from "./counting.ts";
import { fingerprintOf } from "./farm-hash.ts";
import { type AdaptData, inBatches, type Numbers, numbersOf, type Strings, stringRows } from "./host-data.ts";
import { Vocabulary } from "./vocabulary.ts";

interface LookupOptions<T> extends LayerOptions {
  /** Most entries of the vocabulary, special ones included. Default: all. */
  maxTokens?: number | null;
  /** Indices for what is not in the vocabulary; 0: an error. Default 1. */
  numOovIndices?: number;
  /** Stands for padding, index 0. Default: none. */
  maskToken?: T | null;
  /** What the inverse gives for unknown indices. */
  oovToken?: T;
  /** Tokens in order, without special ones; or those of `getVocabulary`. Default: found by `adapt`. */
  vocabulary?: readonly T[] | null;
  /** For "tfIdf": how telling each token of the vocabulary is. */
  idfWeights?: readonly number[] | null;
  /** Numbers to tokens. Default false. */
  invert?: boolean;
  /** Default "int". */
  outputMode?: OutputMode;
  /** Rows as wide as maxTokens. Default false. */
  padToMaxTokens?: boolean;
}

export interface StringLookupOptions extends LookupOptions<string> {}
export interface IntegerLookupOptions extends LookupOptions<number> {}

const OPTIONS = [
  ...LAYER_OPTIONS,
  "maxTokens",
  "numOovIndices",
  "maskToken",
  "oovToken",
  "vocabulary",
  "idfWeights",
  "invert",
  "outputMode",
  "padToMaxTokens",
] as const;

/** What both lookups share: the vocabulary and what is made of indices. */
abstract class Lookup<T extends string | number> extends UnaryLayer {
  readonly invert: boolean;
  readonly outputMode: OutputMode;
  readonly padToMaxTokens: boolean;
  protected readonly known: Vocabulary<T>;

  constructor(factory: string, options: LookupOptions<T>, byDefault: T) {
    const where = labelOf(factory, options);
    const o = checkOptions(where, options, OPTIONS);
    super(o);
    this.invert = checkBoolean(where, "invert", o.invert ?? false);
    this.outputMode = checkOneOf(where, "outputMode", o.outputMode ?? "int", OUTPUT_MODES);
    this.padToMaxTokens = checkBoolean(where, "padToMaxTokens", o.padToMaxTokens ?? false);
    if (this.invert && this.outputMode !== "int") {
      throw new MyelinError("INVALID_OPTION", `${where}: expected outputMode "int" with invert`);
    }
    this.known = new Vocabulary<T>(where, {
      maxTokens: o.maxTokens == null ? undefined : checkInteger(where, "maxTokens", o.maxTokens, 1),
      oovIndices: checkInteger(where, "numOovIndices", o.numOovIndices ?? 1),
      // Keras: masks have a place of their own among indices only.
      maskToken: this.outputMode === "int" ? (o.maskToken ?? undefined) : undefined,
      oovToken: o.oovToken ?? byDefault,
    });
    if (o.vocabulary != null) this.known.set(o.vocabulary, o.idfWeights ?? undefined);
  }

  /** All tokens by index, special ones first. */
  getVocabulary(options?: { includeSpecialTokens?: boolean }): T[] {
    const o = checkOptions(`${this.path}: getVocabulary`, options, ["includeSpecialTokens"]);
    return this.known.list(o.includeSpecialTokens ?? true);
  }

  /** Takes a vocabulary instead of adapting. */
  setVocabulary(vocabulary: readonly T[], idfWeights?: readonly number[]): void {
    this.known.set(vocabulary, idfWeights);
  }

  /** How many indices there are. */
  get vocabularySize(): number {
    return this.known.size;
  }

  /** Width of rows that say which tokens there are. */
  protected get width(): number {
    return this.padToMaxTokens ? (this.known.maxTokens ?? this.known.size) : this.known.size;
  }

  protected rowsOf(rows: readonly (readonly T[])[], isFlat: boolean): Tensor {
    const where = `${this.path}: encode`;
    const indices = rows.map((row) => Int32Array.from(row, (token) => this.indexOf(where, token)));
    const weights = this.outputMode === "tfIdf" ? this.known.weights(where, this.width) : undefined;
    return encodeRows(where, indices, this.outputMode, this.width, { isFlat, weights });
  }

  protected indexOf(where: string, token: T): number {
    const index = this.known.indexOf(token);
    if (index !== undefined) return index;
    const { first, oovIndices } = this.known;
    if (oovIndices === 1) return first;
    if (oovIndices > 1) return first + this.oovOf(token, oovIndices);
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected tokens of the vocabulary where numOovIndices is 0, got ${describe(token)}`,
    );
  }

  protected abstract oovOf(token: T, count: number): number;

  override getConfig(): Record<string, unknown> {
    const { invert, outputMode, padToMaxTokens, known } = this;
    return { ...super.getConfig(), invert, outputMode, padToMaxTokens, ...known.getConfig() };
  }
}

export class StringLookup extends Lookup<string> {
  static readonly className = "StringLookup";

  constructor(options: StringLookupOptions = {}) {
    super("stringLookup", options, "[UNK]");
  }

  /** Makes the vocabulary of the strings of data, the most frequent first; of equals the last in the alphabet. */
  adapt(data: AdaptData<Strings>): Promise<void> | undefined {
    const where = `${this.path}: adapt`;
    const counts = this.known.counter();
    const add = (part: Strings) => {
      for (const row of stringRows(where, part).rows) counts.add(row);
    };
    if (!inBatches(data)) {
      add(data as Strings);
      counts.finish(this.outputMode === "tfIdf");
      return undefined;
    }
    return (async () => {
      for await (const part of data) add(part);
      counts.finish(this.outputMode === "tfIdf");
    })();
  }

  /** Strings, alone or in rows, as indices or rows of numbers. */
  encode(data: Strings): Tensor {
    const { rows, isFlat } = stringRows(`${this.path}: encode`, data);
    return this.rowsOf(rows, isFlat);
  }

  /** Indices as strings again; nested as they are. */
  decode(indices: Numbers): string[] {
    const tokens = this.known.list(true);
    return Array.from(
      numbersOf(`${this.path}: decode`, indices).data,
      (i) => tokens[i] ?? this.known.oovToken,
    );
  }

  protected override oovOf(token: string, count: number): number {
    return Number(fingerprintOf(token) % BigInt(count));
  }

  override call(): Value {
    throw this.error(
      "INVALID_ARGUMENT",
      "strings are no tensors: use encode(strings) before the model, e.g. in Dataset.map",
    );
  }
}

/**
 * Strings as indices: frequent ones first, index 0 for unknown ones (after a mask token, if there is one).
 * @example
 * const words = layers.stringLookup();
 * words.adapt(["red", "blue", "red"]);
 * words.encode(["red", "green"]).toArray();   // [1, 0]
 */
export function stringLookup(options: StringLookupOptions = {}): StringLookup {
  return new StringLookup(options);
}

export class IntegerLookup extends Lookup<number> {
  static readonly className = "IntegerLookup";

  constructor(options: IntegerLookupOptions = {}) {
    super("integerLookup", options, -1);
  }

  /** Makes the vocabulary of the numbers of data, the most frequent first; of equals the largest. */
  adapt(data: AdaptData<Numbers>): Promise<void> | undefined {
    const where = `${this.path}: adapt`;
    const counts = this.known.counter();
    const add = (part: Numbers) => {
      for (const row of rows(numbersOf(where, part))) counts.add(row);
    };
    if (!inBatches(data)) {
      add(data as Numbers);
      counts.finish(this.outputMode === "tfIdf");
      return undefined;
    }
    return (async () => {
      for await (const part of data) add(part);
      counts.finish(this.outputMode === "tfIdf");
    })();
  }

  /** Whole numbers, alone or in rows, as indices or rows of numbers; with `invert` indices as what they stand for. */
  encode(data: Numbers): Tensor {
    const t = numbersOf(`${this.path}: encode`, data);
    if (!this.invert) return this.rowsOf(rows(t), t.rank === 1);
    const tokens = this.known.list(true);
    return new Tensor(
      Int32Array.from(t.data, (i) => tokens[i] ?? this.known.oovToken),
      t.shape,
      "int32",
    );
  }

  protected override oovOf(token: number, count: number): number {
    return ((token % count) + count) % count;
  }

  /** In a Program a look is a comparison with all of the vocabulary: for some thousand entries. */
  override call(x: Value): Value {
    const ids = ops.cast(x, "int32");
    const list = this.known.list(true);
    if (this.invert) {
      const inside = ops.logicalAnd(ops.greaterEqual(ids, 0), ops.less(ids, list.length));
      const found = ops.gather(ops.constant(tensor(Int32Array.from(list))), ops.where(inside, ids, 0));
      return ops.where(inside, found, this.known.oovToken);
    }
    const { first, oovIndices, maskToken } = this.known;
    const begin = first + oovIndices;
    const tokens = ops.constant(tensor(Int32Array.from(list.slice(begin))));
    const isThere = ops.equal(ops.expandDims(ids, -1), tokens);
    const place = ops.add(ops.argmax(ops.cast(isThere, "int32"), { axis: -1 }), begin);
    const unknown =
      oovIndices > 1 ? ops.add(ops.mod(ids, oovIndices), first) : ops.full(ids.shape, first, "int32");
    const known = ops.where(ops.any(isThere, { axis: -1 }), place, unknown);
    const index = maskToken === undefined ? known : ops.where(ops.equal(ids, maskToken), 0, known);
    const weights =
      this.outputMode === "tfIdf"
        ? ops.constant(tensor(Float32Array.from(this.known.weights(this.path, this.width))))
        : undefined;
    return encodeValue(this.path, index, this.outputMode, this.width, weights);
  }
}

function rows(t: Tensor): number[][] {
  const width = t.rank > 1 ? t.size / t.shape[0]! : 1;
  return Array.from({ length: t.size / width }, (_, i) =>
    Array.from(t.data.subarray(i * width, (i + 1) * width)),
  );
}

/** Whole numbers of any size as indices 0, 1, ...: frequent ones first, index 0 for unknown ones. */
export function integerLookup(options: IntegerLookupOptions = {}): IntegerLookup {
  return new IntegerLookup(options);
}
