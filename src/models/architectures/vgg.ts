// VGG (Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015), with Keras's
// layer names.

import { MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkOptions } from "../../core/options.ts";
import * as layers from "../../layers/index.ts";
import { labelOf } from "../../layers/options.ts";
import type { Model } from "../model.ts";
import {
  classifierActivation,
  dense,
  finish,
  IMAGE_CLASSIFIER_OPTIONS,
  type ImageClassifierOptions,
  imageInput,
  pooled,
} from "./image-classifier.ts";

/** 3x3 convolutions in each of the five blocks. */
const BLOCKS = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
} as const;

export interface VggOptions extends ImageClassifierOptions {
  /** Layers with weights: 11, 13, 16 or 19. */
  depth: keyof typeof BLOCKS;
  /** Whether each convolution is followed by batch normalisation. Default false, as published. */
  batchNormalization?: boolean;
}

/**
 * VGG: with a depth of 16 or 19 Keras's application, with the same layer names.
 * @param options.inputShape default [224, 224, 3]; all sizes known with a top, whose first dense layer sees the whole image
 * @throws INVALID_OPTION
 * @example const m = applications.vgg({ depth: 16, inputShape: [32, 32, 3], classes: 10, batchNormalization: true });
 */
export function vgg(options: VggOptions): Model {
  const where = labelOf("vgg", options);
  const given = checkOptions(where, options, [...IMAGE_CLASSIFIER_OPTIONS, "depth", "batchNormalization"]);
  const { depth } = given;
  if (!Object.hasOwn(BLOCKS, String(depth))) {
    const known = Object.keys(BLOCKS).join(", ");
    throw new MyelinError("INVALID_OPTION", `${where}: expected depth to be one of ${known}, got ${depth}`);
  }
  const normalizes = checkBoolean(where, "batchNormalization", given.batchNormalization ?? false);
  const inputs = imageInput(where, given.inputShape ?? [224, 224, 3], 32);
  let x = inputs;
  BLOCKS[depth].forEach((count, i) => {
    const filters = Math.min(512, 64 * 2 ** i);
    for (let c = 1; c <= count; c++) {
      const name = `block${i + 1}_conv${c}`;
      const activation = normalizes ? "linear" : "relu";
      x = layers.conv2d({ filters, kernelSize: 3, padding: "same", activation, name }).apply(x);
      if (!normalizes) continue;
      x = layers.batchNormalization({ name: `${name}_bn` }).apply(x);
      x = layers.activation({ activation: "relu", name: `${name}_relu` }).apply(x);
    }
    x = layers.maxPooling2d({ poolSize: 2, strides: 2, name: `block${i + 1}_pool` }).apply(x);
  });
  const name = `vgg${depth}`;
  if (!checkBoolean(where, "includeTop", given.includeTop ?? true)) {
    return finish(inputs, pooled(where, x, given), name, given);
  }
  const classes = checkInteger(where, "classes", given.classes ?? 1000, 1);
  x = layers.flatten({ name: "flatten" }).apply(x);
  x = dense(dense(x, 4096, "relu", "fc1"), 4096, "relu", "fc2");
  return finish(inputs, dense(x, classes, classifierActivation(given, classes), "predictions"), name, given);
}
