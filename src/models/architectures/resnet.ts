// Residual networks. Version 1: He et al., "Deep Residual Learning for Image Recognition", 2015. Version 2, whose blocks
// begin with normalisation and relu: He et al., "Identity Mappings in Deep Residual Networks", 2016. Blocks are in
// resnet-blocks.ts.

import { MyelinError } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import * as layers from "../../layers/index.ts";
import { labelOf } from "../../layers/options.ts";
import type { SymbolicTensor } from "../../layers/symbolic.ts";
import type { Model } from "../model.ts";
import {
  averageTop,
  finish,
  IMAGE_CLASSIFIER_OPTIONS,
  type ImageClassifierOptions,
  imageInput,
} from "./image-classifier.ts";
import { basicBlock, bottleneckBlock, type ResnetStyle, styleOf } from "./resnet-blocks.ts";

/** Depths for images of CIFAR's size: three stages of (depth - 2) / 6 basic blocks of 16, 32 and 64 filters. */
const SMALL = [20, 32, 44, 56, 110] as const;

/** Blocks of the four stages; from 50 on each is a bottleneck of three convolutions. */
const LARGE = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
} as const;

export type ResnetDepth = (typeof SMALL)[number] | keyof typeof LARGE;

export interface ResnetOptions extends ImageClassifierOptions {
  /** Layers with weights: 20, 32, 44, 56, 110 for small images (CIFAR); 18, 34, 50, 101, 152 for large ones (ImageNet). */
  depth: ResnetDepth;
  /** 1 (default), or 2: normalisation and relu before the convolutions. */
  version?: 1 | 2;
}

/**
 * A residual network. Depths 50, 101 and 152 are Keras's applications, layer by layer and under the same layer names; 18 and
 * 34 are built as torchvision does (no biases before normalisation); the small ones have 1x1 projections where the shape
 * changes. Version 2 of 18, 34 and the small ones has the full pre-activation of the second paper.
 * @param options.inputShape default [32, 32, 3] and 10 classes for the small depths, [224, 224, 3] and 1000 for the others
 * @throws INVALID_OPTION
 * @example const m = applications.resnet({ depth: 20 });
 * @example const features = applications.resnet({ depth: 50, includeTop: false, pooling: "avg" });
 */
export function resnet(options: ResnetOptions): Model {
  const where = labelOf("resnet", options);
  const given = checkOptions(where, options, [...IMAGE_CLASSIFIER_OPTIONS, "depth", "version"]);
  const { depth, version = 1 } = given;
  const isSmall = (SMALL as readonly number[]).includes(depth);
  if (!isSmall && !Object.hasOwn(LARGE, String(depth))) {
    const known = [...SMALL, ...Object.keys(LARGE)].join(", ");
    throw new MyelinError("INVALID_OPTION", `${where}: expected depth to be one of ${known}, got ${depth}`);
  }
  if (version !== 1 && version !== 2) {
    throw new MyelinError("INVALID_OPTION", `${where}: expected version to be 1 or 2, got ${version}`);
  }
  const name = `resnet${depth}${version === 2 ? "v2" : ""}`;
  const build = isSmall ? smallResnet : largeResnet;
  const inputs = imageInput(
    where,
    given.inputShape ?? (isSmall ? [32, 32, 3] : [224, 224, 3]),
    isSmall ? 4 : 32,
  );
  const features = build(inputs, depth, version);
  const classes = given.classes ?? (isSmall ? 10 : 1000);
  return finish(inputs, averageTop(where, features, { ...given, classes }), name, given);
}

function smallResnet(inputs: SymbolicTensor, depth: number, version: 1 | 2): SymbolicTensor {
  const style: ResnetStyle = { version, useBias: false, epsilon: 1e-3 };
  const { conv, norm, normRelu } = styleOf(style);
  let x = conv(inputs, 16, 3, 1, "conv1_conv");
  // The first block of version 2 normalises for itself.
  if (version === 1) x = normRelu(x, "conv1");
  [16, 32, 64].forEach((filters, stage) => {
    for (let block = 0; block < (depth - 2) / 6; block++) {
      const strides = block === 0 && stage > 0 ? 2 : 1;
      x = basicBlock(style, x, filters, strides, `conv${stage + 2}_block${block + 1}`);
    }
  });
  return version === 1 ? x : relu(norm(x, "post_bn"), "post_relu");
}

function largeResnet(inputs: SymbolicTensor, depth: number, version: 1 | 2): SymbolicTensor {
  const isDeep = depth >= 50;
  const style = { version, useBias: isDeep, epsilon: isDeep ? 1.001e-5 : 1e-5, padsEvenly: !isDeep };
  const { norm, normRelu } = styleOf(style);
  const pad = (by: number, name: string) => layers.zeroPadding2d({ padding: by, name });
  let x = pad(3, "conv1_pad").apply(inputs);
  const stem = { filters: 64, kernelSize: 7, strides: 2, useBias: isDeep, name: "conv1_conv" };
  x = layers.conv2d(stem).apply(x);
  if (version === 1) x = normRelu(x, "conv1");
  x = pad(1, "pool1_pad").apply(x);
  x = layers.maxPooling2d({ poolSize: 3, strides: 2, name: "pool1_pool" }).apply(x);
  const block = isDeep ? bottleneckBlock : basicBlock;
  LARGE[depth as keyof typeof LARGE].forEach((count, stage) => {
    for (let i = 0; i < count; i++) {
      // As in Keras, the deep ones of version 2 take their stride at the end of a stage.
      const atEnd = isDeep && version === 2;
      const isStrided = atEnd ? i === count - 1 && stage < 3 : i === 0 && stage > 0;
      x = block(style, x, 64 * 2 ** stage, isStrided ? 2 : 1, `conv${stage + 2}_block${i + 1}`);
    }
  });
  return version === 1 ? x : relu(norm(x, "post_bn"), "post_relu");
}

function relu(x: SymbolicTensor, name: string): SymbolicTensor {
  return layers.activation({ activation: "relu", name }).apply(x);
}
