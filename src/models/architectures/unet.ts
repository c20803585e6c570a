// U-Net (Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015): down to
// small images of many channels and up again, with what each level saw on the way down put beside it on the way up.

import { MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../../core/options.ts";
import type { ActivationLike } from "../../layers/activation-option.ts";
import * as layers from "../../layers/index.ts";
import { labelOf } from "../../layers/options.ts";
import type { BatchShape, SymbolicTensor } from "../../layers/symbolic.ts";
import { MODEL_BASE_OPTIONS, type Model, type ModelBaseOptions } from "../model.ts";
import { classifierActivation, finish, imageInput } from "./image-classifier.ts";

export interface UnetOptions extends ModelBaseOptions {
  /** [height, width, channels]; height and width are multiples of 2^depth, or null. */
  inputShape: BatchShape;
  /** Classes of a pixel. Default 1: inside or outside. */
  classes?: number;
  /** Of the output; "linear" for logits. Default "sigmoid" for one class, "softmax" for more. */
  classifierActivation?: ActivationLike;
  /** Channels of the first level; each further one has twice as many. Default 64. */
  filters?: number;
  /** How many times the image is halved. Default 4. */
  depth?: number;
  /** Whether each convolution is followed by batch normalisation. Default false, as published. */
  batchNormalization?: boolean;
  /** Share dropped in training at the lowest level. Default 0. */
  dropout?: number;
  /** How the image grows again: "transpose" (default), a learned 2x2 convolution, or "bilinear" with a 2x2 convolution. */
  upSampling?: "transpose" | "bilinear";
}

const OPTIONS = [
  ...MODEL_BASE_OPTIONS,
  "inputShape",
  "classes",
  "classifierActivation",
  "filters",
  "depth",
  "batchNormalization",
  "dropout",
  "upSampling",
] as const;

/**
 * A U-Net: [batch, height, width, channels] -> [batch, height, width, classes]. Convolutions keep the size ("same" padding),
 * so that inputs and outputs fit; otherwise as published.
 * @throws INVALID_OPTION
 * @example const m = applications.unet({ inputShape: [128, 128, 3], classes: 3, filters: 16 });
 */
export function unet(options: UnetOptions): Model {
  const where = labelOf("unet", options);
  const given = checkOptions(where, options, OPTIONS);
  const filters = checkInteger(where, "filters", given.filters ?? 64, 1);
  const depth = checkInteger(where, "depth", given.depth ?? 4, 1, 8);
  const classes = checkInteger(where, "classes", given.classes ?? 1, 1);
  const rate = checkNumber(where, "dropout", given.dropout ?? 0, "in [0, 1)", (x) => x >= 0 && x < 1);
  const normalizes = checkBoolean(where, "batchNormalization", given.batchNormalization ?? false);
  const way = checkOneOf(where, "upSampling", given.upSampling ?? "transpose", ["transpose", "bilinear"]);
  const inputs = imageInput(where, given.inputShape, 2 ** depth);
  if (inputs.shape.slice(1, 3).some((d) => d !== null && d % 2 ** depth !== 0)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected height and width to be multiples of ${2 ** depth} for a depth of ${depth}, got [${inputs.shape.slice(1).join(", ")}]`,
    );
  }
  const double = (x: SymbolicTensor, width: number, name: string) =>
    conv(conv(x, width, normalizes, `${name}_conv1`), width, normalizes, `${name}_conv2`);
  const seen: SymbolicTensor[] = [];
  let x = inputs;
  for (let level = 1; level <= depth; level++) {
    x = double(x, filters * 2 ** (level - 1), `down${level}`);
    seen.push(x);
    x = layers.maxPooling2d({ poolSize: 2, name: `down${level}_pool` }).apply(x);
  }
  x = double(x, filters * 2 ** depth, "bottom");
  if (rate > 0) x = layers.dropout({ rate, name: "bottom_dropout" }).apply(x);
  for (let level = depth; level >= 1; level--) {
    const width = filters * 2 ** (level - 1);
    x = layers
      .concatenate({ name: `up${level}_join` })
      .apply([seen[level - 1]!, grow(x, width, way, `up${level}`)]);
    x = double(x, width, `up${level}`);
  }
  const activation = classifierActivation(given, classes);
  const outputs = layers
    .conv2d({ filters: classes, kernelSize: 1, activation, name: "predictions" })
    .apply(x);
  return finish(inputs, outputs, "unet", given);
}

function conv(x: SymbolicTensor, filters: number, normalizes: boolean, name: string): SymbolicTensor {
  const activation = normalizes ? "linear" : "relu";
  const own = { filters, kernelSize: 3, padding: "same", kernelInitializer: "heNormal", activation } as const;
  const y = layers.conv2d({ ...own, useBias: !normalizes, name }).apply(x);
  if (!normalizes) return y;
  const z = layers.batchNormalization({ name: `${name}_bn` }).apply(y);
  return layers.activation({ activation: "relu", name: `${name}_relu` }).apply(z);
}

function grow(x: SymbolicTensor, filters: number, way: string, name: string): SymbolicTensor {
  if (way === "transpose") {
    return layers.conv2dTranspose({ filters, kernelSize: 2, strides: 2, name: `${name}_grow` }).apply(x);
  }
  const larger = layers.upSampling2d({ size: 2, interpolation: "bilinear", name: `${name}_grow` }).apply(x);
  return layers.conv2d({ filters, kernelSize: 2, padding: "same", name: `${name}_narrow` }).apply(larger);
}
