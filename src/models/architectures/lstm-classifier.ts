// A classifier of sequences with LSTM layers, over tokens or vectors.

import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../../core/options.ts";
import * as layers from "../../layers/index.ts";
import { checkIntegers, labelOf } from "../../layers/options.ts";
import type { Model } from "../model.ts";
import { finish } from "./image-classifier.ts";
import {
  classify,
  SEQUENCE_CLASSIFIER_OPTIONS,
  type SequenceClassifierOptions,
  sequenceInput,
} from "./sequence-classifier.ts";

export interface LstmClassifierOptions extends SequenceClassifierOptions {
  /** Length of sequences of tokens; default: any. */
  sequenceLength?: number | null;
  /** Width of token embeddings. Default 128. */
  embeddingDim?: number;
  /** Width of each LSTM layer, in one or several. Default 64. */
  units?: number | readonly number[];
  /** Whether each layer reads the sequence both ways. Default false. */
  bidirectional?: boolean;
  /** Share dropped in training before each LSTM layer and before the classes. Default 0. */
  dropout?: number;
}

const OPTIONS = [
  ...SEQUENCE_CLASSIFIER_OPTIONS,
  "sequenceLength",
  "embeddingDim",
  "units",
  "bidirectional",
  "dropout",
] as const;

/**
 * Classes of sequences: tokens int32 [batch, steps] or vectors [batch, steps, features] -> [batch, classes].
 * @throws INVALID_OPTION
 * @example const m = applications.lstmClassifier({ vocabularySize: 5000, bidirectional: true, classes: 1, dropout: 0.3 });
 * @example const m = applications.lstmClassifier({ inputShape: [140, 1], units: [64, 32], classes: 5 });
 */
export function lstmClassifier(options: LstmClassifierOptions): Model {
  const where = labelOf("lstmClassifier", options);
  const given = checkOptions(where, options, OPTIONS);
  const { sequenceLength = null, units = 64 } = given;
  if (sequenceLength !== null) checkInteger(where, "sequenceLength", sequenceLength, 1);
  const width = checkInteger(where, "embeddingDim", given.embeddingDim ?? 128, 1);
  const widths = typeof units === "number" ? [units] : units;
  checkIntegers(where, "units", widths, "of at least 1", (x) => x >= 1);
  const twoWays = checkBoolean(where, "bidirectional", given.bidirectional ?? false);
  const rate = checkNumber(where, "dropout", given.dropout ?? 0, "in [0, 1)", (x) => x >= 0 && x < 1);
  const includeTop = checkBoolean(where, "includeTop", given.includeTop ?? true);
  let { inputs, x } = sequenceInput(where, given, sequenceLength, width);
  const drop = () => {
    if (rate > 0) x = layers.dropout({ rate }).apply(x);
  };
  widths.forEach((own, i) => {
    drop();
    const layer = layers.lstm({ units: own, returnSequences: i < widths.length - 1 });
    x = (twoWays ? layers.bidirectional({ layer }) : layer).apply(x);
  });
  if (!includeTop) return finish(inputs, x, "lstmClassifier", given);
  drop();
  return finish(inputs, classify(where, x, given), "lstmClassifier", given);
}
