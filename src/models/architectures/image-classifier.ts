// What image classifiers share: their options, the pieces they are built of, and the top that makes classes of features.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf } from "../../core/options.ts";
import type { ActivationLike } from "../../layers/activation-option.ts";
import * as layers from "../../layers/index.ts";
import { type BatchShape, isBatchShape, type SymbolicTensor } from "../../layers/symbolic.ts";
import { input } from "../input.ts";
import { MODEL_BASE_OPTIONS, Model, type ModelBaseOptions } from "../model.ts";

export interface ClassifierOptions extends ModelBaseOptions {
  /** How many classes. Default 1000. */
  classes?: number;
  /** Of the last layer; "linear" for logits. Default "softmax", for one class "sigmoid". */
  classifierActivation?: ActivationLike;
  /** False: without the layers that make classes of features, to grow a new head. Default true. */
  includeTop?: boolean;
}

export interface ImageClassifierOptions extends ClassifierOptions {
  /** [height, width, channels]. */
  inputShape?: BatchShape;
  /** Without a top: null (default) leaves [batch, height, width, channels]; "avg" and "max" pool it to [batch, channels]. */
  pooling?: "avg" | "max" | null;
}

export const CLASSIFIER_OPTIONS = [
  ...MODEL_BASE_OPTIONS,
  "classes",
  "classifierActivation",
  "includeTop",
] as const;
export const IMAGE_CLASSIFIER_OPTIONS = [...CLASSIFIER_OPTIONS, "inputShape", "pooling"] as const;

/** Throws unless it is [height, width, channels] with known channels and at least `least` pixels each way. */
export function imageInput(where: string, shape: unknown, least: number): SymbolicTensor {
  const isImage = isBatchShape(shape) && shape.length === 3 && shape[2] !== null && shape[2]! >= 1;
  if (isImage && shape.slice(0, 2).every((d) => d === null || d >= least)) return input({ shape });
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected inputShape [height, width, channels] with height and width of at least ${least}, got ${describe(shape)}`,
  );
}

/** The activation of a classifier's last layer. */
export function classifierActivation(options: ClassifierOptions, classes: number): ActivationLike {
  return options.classifierActivation ?? (classes === 1 ? "sigmoid" : "softmax");
}

export function dense(x: SymbolicTensor, units: number, activation: ActivationLike, name: string) {
  return layers.dense({ units, activation, name }).apply(x);
}

/** The top of most image classifiers: averages over the image, then one dense layer. */
export function averageTop(where: string, features: SymbolicTensor, o: ImageClassifierOptions) {
  if (!checkBoolean(where, "includeTop", o.includeTop ?? true)) return pooled(where, features, o);
  const classes = checkInteger(where, "classes", o.classes ?? 1000, 1);
  const x = layers.globalAveragePooling2d({ name: "avg_pool" }).apply(features);
  return dense(x, classes, classifierActivation(o, classes), "predictions");
}

/** Without a top: the features, pooled if so wished. */
export function pooled(where: string, features: SymbolicTensor, { pooling = null }: ImageClassifierOptions) {
  if (pooling === null) return features;
  const isAverage = checkOneOf(where, "pooling", pooling, ["avg", "max"]) === "avg";
  const layer = isAverage
    ? layers.globalAveragePooling2d({ name: "avg_pool" })
    : layers.globalMaxPooling2d({ name: "max_pool" });
  return layer.apply(features);
}

/** The finished model, under its own name unless another is given. */
export function finish(
  inputs: SymbolicTensor,
  outputs: SymbolicTensor,
  name: string,
  options: ModelBaseOptions,
): Model {
  const { name: given = name, seed, trainable } = options;
  return new Model({ inputs, outputs, name: given, seed, trainable });
}
