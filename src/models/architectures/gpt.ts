// GPT: a language model that reads tokens from left to right. Radford et al., "Language Models are Unsupervised Multitask
// Learners", 2019 (GPT-2): learned positions, blocks that normalise first, one table for reading and writing tokens.
// How it writes text is in src/training/generate.ts, which also keeps what earlier tokens left behind (`GptMemory`).

import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../../core/options.ts";
import type { Value } from "../../graph/graph.ts";
import { Variable } from "../../graph/variable.ts";
import * as layers from "../../layers/index.ts";
import type { Layer } from "../../layers/layer.ts";
import { labelOf } from "../../layers/options.ts";
import type { LayerReader } from "../../layers/registry.ts";
import type { SymbolicTensor } from "../../layers/symbolic.ts";
import * as ops from "../../ops/index.ts";
import { input } from "../input.ts";
import { MODEL_BASE_OPTIONS, Model, type ModelBaseOptions } from "../model.ts";
import {
  type CheckedTransformer,
  checkTransformer,
  TRANSFORMER_OPTIONS,
  type TransformerOptions,
  transformerBlock,
} from "./transformer-blocks.ts";

export interface GptOptions extends ModelBaseOptions, TransformerOptions {
  /** Tokens are in [0, vocabularySize). */
  vocabularySize: number;
  /** How many tokens it sees at once. */
  sequenceLength: number;
  /** Blocks. Default 4. */
  blocks?: number;
  /** Default 0. */
  dropout?: number;
  /** Whether tokens are written with the table they are read with. Default true. */
  tieWeights?: boolean;
  /** Epsilon of normalisation. Default 1e-5. */
  epsilon?: number;
  /** "softmax" (default): probabilities, as the losses expect; "linear": logits, for `fromLogits: true`. */
  outputActivation?: "softmax" | "linear";
}

const OPTIONS = [
  ...MODEL_BASE_OPTIONS,
  ...TRANSFORMER_OPTIONS,
  "vocabularySize",
  "sequenceLength",
  "tieWeights",
  "epsilon",
  "outputActivation",
] as const;

/** What reading tokens leaves behind for later ones: the keys and values of every block, [batch, places, heads, depth]. */
export type GptMemory = readonly { readonly keys: Variable; readonly values: Variable }[];

/** Tokens int32 [batch, steps] -> the next token's probabilities after each step [batch, steps, vocabularySize]. */
export class Gpt extends Model {
  static override readonly className: string = "Gpt";
  readonly #options: Required<Omit<GptOptions, keyof ModelBaseOptions>>;

  constructor(options: GptOptions) {
    const where = labelOf("gpt", options);
    const given = checkOptions(where, options, OPTIONS);
    const { name = "gpt", seed, trainable } = given;
    super({ name, seed, trainable });
    const { tieWeights = true, epsilon = 1e-5, outputActivation = "softmax" } = given;
    this.#options = {
      ...checkTransformer(where, given, { blocks: 4, dropout: 0 }),
      vocabularySize: checkInteger(where, "vocabularySize", given.vocabularySize, 1),
      sequenceLength: checkInteger(where, "sequenceLength", given.sequenceLength, 1),
      tieWeights: checkBoolean(where, "tieWeights", tieWeights),
      epsilon: checkNumber(where, "epsilon", epsilon, "greater than 0", (x) => x > 0),
      outputActivation: checkOneOf(where, "outputActivation", outputActivation, ["softmax", "linear"]),
    };
    const inputs = input({ shape: [this.#options.sequenceLength], dtype: "int32", name: "tokens" });
    this.connect(inputs, assemble(inputs, this.#options));
  }

  get vocabularySize(): number {
    return this.#options.vocabularySize;
  }

  /** How many tokens it sees at once. */
  get sequenceLength(): number {
    return this.#options.sequenceLength;
  }

  override getConfig(): Record<string, unknown> {
    const { name, trainable, seed } = this;
    return { name, trainable, seed, ...this.#options };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, _read: LayerReader): Layer {
    return new Gpt(config as unknown as GptOptions);
  }

  // ---- writing text, inside a trace

  /** @internal Room for what a batch of this size leaves behind. */
  makeMemory(batch: number): GptMemory {
    const { blocks, heads, width, sequenceLength } = this.#options;
    const room = (name: string) =>
      new Variable([batch, sequenceLength, heads, width / heads], "float32", { name, trainable: false });
    return Array.from({ length: blocks }, (_, i) => ({
      keys: room(`${this.name}/memory${i}/keys`),
      values: room(`${this.name}/memory${i}/values`),
    }));
  }

  /**
   * @internal Reads a whole window [batch, sequenceLength] into memory.
   * @param last which step's vector to return, int32 []
   * @returns logits [batch, vocabularySize] after that step
   */
  readWindow(tokens: Value, last: Value, memory: GptMemory): Value {
    const embedded = this.own("tokens_embedding").apply(tokens);
    const x = this.own("positions").apply(embedded);
    const hidden = this.trunk(x, (q, k, v, i) => {
      ops.assign(memory[i]!.keys, k);
      ops.assign(memory[i]!.values, v);
      return ops.dotProductAttention(q, k, v, { isCausal: true });
    });
    return this.logits(ops.gather(hidden, last, { axis: 1 }));
  }

  /**
   * @internal Reads one more token [batch] at a place, int32 [], with memory of those before it.
   * @returns logits [batch, vocabularySize] after it
   */
  readToken(token: Value, place: Value, memory: GptMemory): Value {
    const { width, sequenceLength } = this.#options;
    const embedded = this.own("tokens_embedding").apply(ops.expandDims(token, 1));
    const { embeddings } = this.own("positions") as layers.PositionEmbedding;
    const position = ops.reshape(ops.gather(embeddings, place), [1, 1, width]);
    const places = ops.arange(sequenceLength);
    const isHere = ops.reshape(ops.equal(places, place), [1, sequenceLength, 1, 1]);
    const mask = ops.reshape(ops.lessEqual(places, place), [1, 1, 1, sequenceLength]);
    const hidden = this.trunk(ops.add(embedded, position), (q, k, v, i) => {
      const keys = ops.assign(memory[i]!.keys, ops.where(isHere, k, memory[i]!.keys));
      const values = ops.assign(memory[i]!.values, ops.where(isHere, v, memory[i]!.values));
      return ops.dotProductAttention(q, keys, values, { mask });
    });
    return this.logits(ops.squeeze(hidden, [1]));
  }

  /** The blocks on [batch, steps, width], in inference; `attend` is given queries, keys and values of block i. */
  private trunk(x: Value, attend: (q: Value, k: Value, v: Value, i: number) => Value): Value {
    let y = x;
    for (let i = 0; i < this.#options.blocks; i++) {
      const part = (name: string) => this.own(`block${i + 1}_${name}`);
      const attention = part("attention") as layers.MultiHeadAttention;
      const normed = part("attention_norm").apply(y);
      const { queryDense, keyDense, valueDense, outputDense } = attention;
      const [q, k, v] = [queryDense, keyDense, valueDense].map((dense) => dense.apply(normed));
      y = ops.add(y, outputDense.apply(attend(q!, k!, v!, i)));
      const hidden = part("dense1").apply(part("dense_norm").apply(y));
      y = ops.add(y, part("dense2").apply(hidden));
    }
    return this.own("final_norm").apply(y);
  }

  private logits(hidden: Value): Value {
    return (this.own("tokens_embedding") as layers.ReversibleEmbedding).apply(hidden, { reverse: true });
  }

  private own(name: string): Layer {
    return this.getLayer(name);
  }
}

function assemble(
  inputs: SymbolicTensor,
  o: CheckedTransformer & Required<Omit<GptOptions, keyof ModelBaseOptions>>,
): SymbolicTensor {
  const { vocabularySize, width, sequenceLength, tieWeights, dropout, blocks, epsilon, outputActivation } = o;
  const embedding = layers.reversibleEmbedding({
    inputDim: vocabularySize,
    outputDim: width,
    tieWeights,
    name: "tokens_embedding",
  });
  let x = layers.positionEmbedding({ sequenceLength, name: "positions" }).apply(embedding.apply(inputs));
  if (dropout > 0) x = layers.dropout({ rate: dropout, name: "embedding_dropout" }).apply(x);
  for (let i = 1; i <= blocks; i++) {
    x = transformerBlock(x, { ...o, preNorm: true, isCausal: true, epsilon }, `block${i}`);
  }
  x = layers.layerNormalization({ epsilon, name: "final_norm" }).apply(x);
  const logits = embedding.apply(x, { reverse: true });
  return outputActivation === "linear"
    ? logits
    : layers.activation({ activation: "softmax", name: "predictions" }).apply(logits);
}

/**
 * A small GPT: tokens int32 [batch, steps] -> probabilities of the next token [batch, steps, vocabularySize], steps being
 * `sequenceLength`. `generate` goes on from a prompt of any length.
 * @throws INVALID_OPTION
 * @example
 * const m = applications.gpt({ vocabularySize: 65, sequenceLength: 64 });
 * m.compile({ optimizer: "adamW", loss: "sparseCategoricalCrossentropy" });
 * await m.fit(windows, windowsOneLater, { epochs: 5 });
 * const tokens = await m.generate(prompt, { maxNewTokens: 200, temperature: 0.8, topK: 20, seed: 7 });
 */
export function gpt(options: GptOptions): Gpt {
  return new Gpt(options);
}
