// What classifiers of sequences share: they read tokens or vectors, and end in a dense layer for the classes.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger } from "../../core/options.ts";
import * as layers from "../../layers/index.ts";
import { type BatchShape, isBatchShape, type SymbolicTensor } from "../../layers/symbolic.ts";
import { input } from "../input.ts";
import {
  CLASSIFIER_OPTIONS,
  type ClassifierOptions,
  classifierActivation,
  dense,
} from "./image-classifier.ts";

export interface SequenceClassifierOptions extends ClassifierOptions {
  /** For sequences of tokens: ids are in [0, vocabularySize). Either this or inputShape. */
  vocabularySize?: number;
  /** For sequences of vectors: [steps, features]; steps may be null where the layers allow it. */
  inputShape?: BatchShape;
  /** Whether token 0 is padding, which then counts nowhere. Default true. */
  maskZero?: boolean;
  /** Default 2. */
  classes?: number;
}

export const SEQUENCE_CLASSIFIER_OPTIONS = [
  ...CLASSIFIER_OPTIONS,
  "vocabularySize",
  "inputShape",
  "maskZero",
] as const;

/** The input, and the sequence of vectors it means: tokens are embedded, with a mask. */
export function sequenceInput(
  where: string,
  { vocabularySize, inputShape, maskZero = true }: SequenceClassifierOptions,
  steps: number | null,
  width: number,
): { inputs: SymbolicTensor; x: SymbolicTensor; isTokens: boolean } {
  if ((vocabularySize === undefined) === (inputShape === undefined)) {
    const came = inputShape === undefined ? "neither" : "both";
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected vocabularySize (for tokens) or inputShape [steps, features], got ${came}`,
    );
  }
  checkBoolean(where, "maskZero", maskZero);
  if (vocabularySize !== undefined) {
    const inputDim = checkInteger(where, "vocabularySize", vocabularySize, 1);
    const inputs = input({ shape: [steps], dtype: "int32", name: "tokens" });
    const x = layers.embedding({ inputDim, outputDim: width, maskZero, name: "embedding" }).apply(inputs);
    return { inputs, x, isTokens: true };
  }
  if (!isBatchShape(inputShape) || inputShape.length !== 2 || inputShape[1] === null) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected inputShape [steps, features], got ${describe(inputShape)}`,
    );
  }
  const inputs = input({ shape: inputShape, name: "sequence" });
  return { inputs, x: inputs, isTokens: false };
}

/** Classes of a vector for each sample. */
export function classify(where: string, x: SymbolicTensor, o: SequenceClassifierOptions): SymbolicTensor {
  const classes = checkInteger(where, "classes", o.classes ?? 2, 1);
  return dense(x, classes, classifierActivation(o, classes), "predictions");
}
