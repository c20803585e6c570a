// The multi-layer perceptron: dense layers one after another.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../../core/options.ts";
import type { InitializerLike } from "../../initializers/initializer.ts";
import type { ActivationLike } from "../../layers/activation-option.ts";
import * as layers from "../../layers/index.ts";
import { checkIntegers, labelOf } from "../../layers/options.ts";
import { type BatchShape, isBatchShape } from "../../layers/symbolic.ts";
import { input } from "../input.ts";
import { MODEL_BASE_OPTIONS, type Model, type ModelBaseOptions } from "../model.ts";
import { finish } from "./image-classifier.ts";

export interface MlpOptions extends ModelBaseOptions {
  /** Of one sample; more than one axis is flattened. */
  inputShape: BatchShape;
  /** Width of each hidden layer. */
  hiddenUnits: readonly number[];
  /** Width of the output. */
  units: number;
  /** Of the hidden layers. Default "relu". */
  activation?: ActivationLike;
  /** Of the output: "linear" (default) for numbers, "softmax" for classes, "sigmoid" for yes or no. */
  outputActivation?: ActivationLike;
  /** Share of each hidden layer dropped in training. Default 0. */
  dropout?: number;
  /** Whether each hidden layer is normalised before its activation. Default false. */
  batchNormalization?: boolean;
  /** Of the hidden layers. Default "glorotUniform"; many layers with relu start better with "heNormal". */
  kernelInitializer?: InitializerLike;
}

const OPTIONS = [
  ...MODEL_BASE_OPTIONS,
  "inputShape",
  "hiddenUnits",
  "units",
  "activation",
  "outputActivation",
  "dropout",
  "batchNormalization",
  "kernelInitializer",
] as const;

/**
 * Dense layers one after another: [batch, ...inputShape] -> [batch, units].
 * @throws INVALID_OPTION
 * @example const m = applications.mlp({ inputShape: [784], hiddenUnits: [512, 256], units: 10, outputActivation: "softmax" });
 */
export function mlp(options: MlpOptions): Model {
  const where = labelOf("mlp", options);
  const given = checkOptions(where, options, OPTIONS);
  const { inputShape, activation = "relu", kernelInitializer, outputActivation } = given;
  if (!isBatchShape(inputShape) || inputShape.length === 0 || inputShape.includes(null)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected inputShape of one sample, all sizes known, got ${describe(inputShape)}`,
    );
  }
  const widths = checkIntegers(where, "hiddenUnits", given.hiddenUnits, "of at least 1", (x) => x >= 1);
  const units = checkInteger(where, "units", given.units, 1);
  const rate = checkNumber(where, "dropout", given.dropout ?? 0, "in [0, 1)", (x) => x >= 0 && x < 1);
  const normalizes = checkBoolean(where, "batchNormalization", given.batchNormalization ?? false);
  const inputs = input({ shape: inputShape });
  let x = inputShape.length > 1 ? layers.flatten().apply(inputs) : inputs;
  for (const width of widths) {
    const own = { units: width, useBias: !normalizes, kernelInitializer };
    x = layers.dense({ ...own, activation: normalizes ? "linear" : activation }).apply(x);
    if (normalizes) {
      x = layers.batchNormalization().apply(x);
      x = layers.activation({ activation }).apply(x);
    }
    if (rate > 0) x = layers.dropout({ rate }).apply(x);
  }
  const outputs = layers.dense({ units, activation: outputActivation, name: "predictions" }).apply(x);
  return finish(inputs, outputs, "mlp", given);
}
