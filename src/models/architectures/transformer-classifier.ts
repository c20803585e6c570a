// A classifier of sequences with transformer blocks, over tokens or vectors: the encoder of Vaswani et al., "Attention Is All
// You Need", 2017, with learned positions as in BERT.

import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../../core/options.ts";
import * as layers from "../../layers/index.ts";
import { labelOf } from "../../layers/options.ts";
import type { Model } from "../model.ts";
import { finish } from "./image-classifier.ts";
import {
  classify,
  SEQUENCE_CLASSIFIER_OPTIONS,
  type SequenceClassifierOptions,
  sequenceInput,
} from "./sequence-classifier.ts";
import {
  checkTransformer,
  TRANSFORMER_OPTIONS,
  type TransformerOptions,
  transformerBlock,
} from "./transformer-blocks.ts";

export interface TransformerClassifierOptions extends SequenceClassifierOptions, TransformerOptions {
  /** Length of sequences of tokens; those of vectors have it in inputShape. */
  sequenceLength?: number;
  /** Blocks. Default 2. */
  blocks?: number;
  /** Default 0.1. */
  dropout?: number;
  /** Whether blocks normalise their input ("pre", default: easier to train) or their output ("post", as published). */
  normalization?: "pre" | "post";
  /** Epsilon of normalisation. Default 1e-3. */
  epsilon?: number;
}

const OPTIONS = [
  ...SEQUENCE_CLASSIFIER_OPTIONS,
  ...TRANSFORMER_OPTIONS,
  "sequenceLength",
  "normalization",
  "epsilon",
] as const;

/**
 * Classes of sequences: tokens int32 [batch, steps] or vectors [batch, steps, features] -> [batch, classes], by the mean of the
 * steps that count; without a top the vectors of all steps [batch, steps, width].
 * @throws INVALID_OPTION
 * @example const m = applications.transformerClassifier({ vocabularySize: 5000, sequenceLength: 64, width: 64, classes: 2 });
 */
export function transformerClassifier(options: TransformerClassifierOptions): Model {
  const where = labelOf("transformerClassifier", options);
  const given = checkOptions(where, options, OPTIONS);
  const o = checkTransformer(where, given, { blocks: 2, dropout: 0.1 });
  const preNorm = checkOneOf(where, "normalization", given.normalization ?? "pre", ["pre", "post"]) === "pre";
  const epsilon = checkNumber(where, "epsilon", given.epsilon ?? 1e-3, "greater than 0", (x) => x > 0);
  const includeTop = checkBoolean(where, "includeTop", given.includeTop ?? true);
  const steps = given.vocabularySize === undefined ? given.inputShape?.[0] : given.sequenceLength;
  const name = given.vocabularySize === undefined ? "the steps of inputShape" : "sequenceLength";
  const sequenceLength = checkInteger(where, name, steps, 1);
  let { inputs, x, isTokens } = sequenceInput(where, given, sequenceLength, o.width);
  if (!isTokens) x = layers.dense({ units: o.width, name: "embedding" }).apply(x);
  x = layers.positionEmbedding({ sequenceLength, name: "positions" }).apply(x);
  const norm = (own: string) => layers.layerNormalization({ epsilon, name: own });
  if (!preNorm) x = norm("embedding_norm").apply(x);
  if (o.dropout > 0) x = layers.dropout({ rate: o.dropout, name: "embedding_dropout" }).apply(x);
  for (let i = 1; i <= o.blocks; i++) {
    x = transformerBlock(x, { ...o, preNorm, isCausal: false, epsilon }, `block${i}`);
  }
  if (preNorm) x = norm("final_norm").apply(x);
  if (!includeTop) return finish(inputs, x, "transformerClassifier", given);
  // The mean of the steps that count.
  x = layers.globalAveragePooling1d({ name: "pool" }).apply(x);
  return finish(inputs, classify(where, x, given), "transformerClassifier", given);
}
