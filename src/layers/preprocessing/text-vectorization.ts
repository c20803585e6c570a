// TextVectorization: texts as rows of numbers, by words, letters or runs of them.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from "../../core/options.ts";
import { Tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { encodeRows } from "./counting.ts";
import { type AdaptData, inBatches } from "./host-data.ts";
import { Vocabulary } from "./vocabulary.ts";

type Standardize =
  | "lowerAndStripPunctuation"
  | "lower"
  | "stripPunctuation"
  | null
  | ((text: string) => string);
type Split = "whitespace" | "character" | null | ((text: string) => readonly string[]);

export interface TextVectorizationOptions extends LayerOptions {
  /** Most entries of the vocabulary, special ones included. Default: all. */
  maxTokens?: number | null;
  /** What is done with a text first. Default "lowerAndStripPunctuation". */
  standardize?: Standardize;
  /** What its tokens are. Default "whitespace"; null: the text is one. */
  split?: Split;
  /** Runs of up to so many tokens, or of these lengths, count as tokens, too. Default: single ones. */
  ngrams?: number | readonly number[] | null;
  /** int: indices, 0 pads and 1 is unknown. multiHot, count, tfIdf: a row by token, 0 unknown. Default "int". */
  outputMode?: "int" | "multiHot" | "count" | "tfIdf";
  /** For "int": rows are cut or padded to it. Default: the longest text of what is encoded. */
  outputSequenceLength?: number | null;
  /** Rows as wide as maxTokens. Default false. */
  padToMaxTokens?: boolean;
  vocabulary?: readonly string[] | null;
  idfWeights?: readonly number[] | null;
}

const OPTIONS = [
  ...LAYER_OPTIONS,
  "maxTokens",
  "standardize",
  "split",
  "ngrams",
  "outputMode",
  "outputSequenceLength",
  "padToMaxTokens",
  "vocabulary",
  "idfWeights",
] as const;

/** The marks Keras strips: ASCII punctuation. */
const PUNCTUATION = /[!"#$%&()*+,\-./:;<=>?@[\\\]^_`{|}~']/g;
const STANDARDIZE = ["lowerAndStripPunctuation", "lower", "stripPunctuation"] as const;

export class TextVectorization extends UnaryLayer {
  static readonly className = "TextVectorization";
  readonly outputMode: "int" | "multiHot" | "count" | "tfIdf";
  readonly outputSequenceLength: number | null;
  readonly padToMaxTokens: boolean;
  private readonly standardize: Standardize;
  private readonly split: Split;
  private readonly ngrams: readonly number[] | null;
  private readonly known: Vocabulary<string>;

  constructor(options: TextVectorizationOptions = {}) {
    const where = labelOf("textVectorization", options);
    const o = checkOptions(where, options, OPTIONS);
    super(o);
    const { standardize = "lowerAndStripPunctuation", split = "whitespace" } = o;
    if (standardize !== null && typeof standardize !== "function") checkOneOf(where, "standardize", standardize, STANDARDIZE); // biome-ignore format: one line
    if (split !== null && typeof split !== "function") checkOneOf(where, "split", split, ["whitespace", "character"]); // biome-ignore format: one line
    this.standardize = standardize;
    this.split = split;
    const modes = ["int", "multiHot", "count", "tfIdf"] as const;
    this.outputMode = checkOneOf(where, "outputMode", o.outputMode ?? "int", modes);
    this.outputSequenceLength =
      o.outputSequenceLength == null
        ? null
        : checkInteger(where, "outputSequenceLength", o.outputSequenceLength, 1);
    this.padToMaxTokens = checkBoolean(where, "padToMaxTokens", o.padToMaxTokens ?? false);
    this.ngrams = readNgrams(where, o.ngrams);
    this.known = new Vocabulary<string>(where, {
      maxTokens: o.maxTokens == null ? undefined : checkInteger(where, "maxTokens", o.maxTokens, 1),
      oovIndices: 1,
      maskToken: this.outputMode === "int" ? "" : undefined,
      oovToken: "[UNK]",
    });
    if (o.vocabulary != null) this.known.set(o.vocabulary, o.idfWeights ?? undefined);
  }

  /** The tokens of a text. */
  tokens(text: string): string[] {
    if (typeof text !== "string") {
      throw this.error("INVALID_DATA", `expected texts, got ${describe(text)}`);
    }
    const plain = this.plain(text);
    const parts =
      typeof this.split === "function"
        ? [...this.split(plain)]
        : this.split === "character"
          ? [...plain]
          : this.split === null
            ? [plain]
            : plain.split(/\s+/).filter((t) => t !== "");
    if (!this.ngrams) return parts;
    const glue = this.split === "character" ? "" : " ";
    return this.ngrams.flatMap((n) => {
      if (n === 1) return parts;
      return Array.from({ length: Math.max(0, parts.length - n + 1) }, (_, i) =>
        parts.slice(i, i + n).join(glue),
      );
    });
  }

  private plain(text: string): string {
    const { standardize } = this;
    if (standardize === null) return text;
    if (typeof standardize === "function") return standardize(text);
    const lower = standardize === "stripPunctuation" ? text : text.toLowerCase();
    return standardize === "lower" ? lower : lower.replace(PUNCTUATION, "");
  }

  /** Makes the vocabulary of texts, the most frequent tokens first; of equals the last in the alphabet. */
  adapt(data: AdaptData<readonly string[]>): Promise<void> | undefined {
    const counts = this.known.counter();
    const add = (texts: readonly string[]) => {
      for (const text of texts) counts.add(this.tokens(text));
    };
    if (!inBatches(data)) {
      add(data as readonly string[]);
      counts.finish(this.outputMode === "tfIdf");
      return undefined;
    }
    return (async () => {
      for await (const texts of data) add(texts);
      counts.finish(this.outputMode === "tfIdf");
    })();
  }

  /** Texts as int32 [texts, length] or float32 [texts, vocabularySize]. */
  encode(texts: readonly string[]): Tensor {
    const where = `${this.path}: encode`;
    if (!Array.isArray(texts)) {
      throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a list of texts, got ${describe(texts)}`);
    }
    const unknown = this.known.first;
    const rows = texts.map((text) =>
      Int32Array.from(this.tokens(text), (t) => this.known.indexOf(t) ?? unknown),
    );
    if (this.outputMode === "int") {
      const length = this.outputSequenceLength ?? rows.reduce((n, r) => Math.max(n, r.length), 0);
      const out = new Int32Array(rows.length * length);
      rows.forEach((row, i) => {
        out.set(row.subarray(0, length), i * length);
      });
      return new Tensor(out, [rows.length, length], "int32");
    }
    const width = this.padToMaxTokens ? (this.known.maxTokens ?? this.known.size) : this.known.size;
    const weights = this.outputMode === "tfIdf" ? this.known.weights(where, width) : undefined;
    return encodeRows(where, rows, this.outputMode, width, { isFlat: false, weights });
  }

  getVocabulary(options?: { includeSpecialTokens?: boolean }): string[] {
    const o = checkOptions(`${this.path}: getVocabulary`, options, ["includeSpecialTokens"]);
    return this.known.list(o.includeSpecialTokens ?? true);
  }

  setVocabulary(vocabulary: readonly string[], idfWeights?: readonly number[]): void {
    this.known.set(vocabulary, idfWeights);
  }

  /** How many indices there are: the inputDim of an embedding. */
  get vocabularySize(): number {
    return this.known.size;
  }

  override call(): Value {
    throw this.error(
      "INVALID_ARGUMENT",
      "texts are no tensors: use encode(texts) before the model, e.g. in Dataset.map",
    );
  }

  override getConfig(): Record<string, unknown> {
    const { standardize, split, ngrams, outputMode, outputSequenceLength, padToMaxTokens } = this;
    if (typeof standardize === "function" || typeof split === "function") {
      throw this.error(
        "INVALID_ARGUMENT",
        "getConfig: expected standardize and split by name to save, got a function",
      );
    }
    const { maxTokens, vocabulary, idfWeights } = this.known.getConfig();
    const known = { maxTokens, vocabulary, idfWeights };
    return {
      ...super.getConfig(),
      standardize,
      split,
      ngrams,
      outputMode,
      outputSequenceLength,
      padToMaxTokens,
      ...known,
    };
  }
}

function readNgrams(where: string, ngrams: TextVectorizationOptions["ngrams"]): readonly number[] | null {
  if (ngrams == null) return null;
  if (typeof ngrams === "number") {
    return Array.from({ length: checkInteger(where, "ngrams", ngrams, 1) }, (_, i) => i + 1);
  }
  for (const n of ngrams) checkInteger(where, "ngrams", n, 1);
  return [...ngrams];
}

/**
 * Texts as rows of numbers.
 * @example
 * const words = layers.textVectorization({ maxTokens: 10_000, outputSequenceLength: 50 });
 * words.adapt(texts);
 * const x = words.encode(texts);   // int32 [texts, 50]
 */
export function textVectorization(options: TextVectorizationOptions = {}): TextVectorization {
  return new TextVectorization(options);
}
