// MobileNetV2 (Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018), with Keras's layer names.

import { checkNumber, checkOptions } from "../../core/options.ts";
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

export interface MobilenetV2Options extends ImageClassifierOptions {
  /** Factor of the widths of all layers; published for 0.35, 0.5, 0.75, 1, 1.3 and 1.4. Default 1. */
  alpha?: number;
}

/** Expansion, filters, blocks, stride of the first block. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/**
 * MobileNetV2: Keras's application, with the same layer names. Its paddings before strided convolutions are "same" here,
 * which is the same numbers.
 * @param options.inputShape default [224, 224, 3]
 * @throws INVALID_OPTION
 * @example const m = applications.mobilenetV2({ inputShape: [96, 96, 3], alpha: 0.35, classes: 10 });
 */
export function mobilenetV2(options: MobilenetV2Options = {}): Model {
  const where = labelOf("mobilenetV2", options);
  const given = checkOptions(where, options, [...IMAGE_CLASSIFIER_OPTIONS, "alpha"]);
  const alpha = checkNumber(where, "alpha", given.alpha ?? 1, "greater than 0", (x) => x > 0);
  const shape = given.inputShape ?? [224, 224, 3];
  const inputs = imageInput(where, shape, 32);
  const first = { filters: byEights(32 * alpha), kernelSize: 3, strides: 2, padding: "same" } as const;
  let x = layers.conv2d({ ...first, useBias: false, name: "Conv1" }).apply(inputs);
  x = relu6(norm(x, "bn_Conv1"), "Conv1_relu");
  let block = 0;
  for (const [expansion, filters, count, strides] of STAGES) {
    for (let i = 0; i < count; i++) {
      const out = byEights(Math.trunc(filters * alpha));
      x = invertedResidual(x, expansion, out, i === 0 ? strides : 1, block++);
    }
  }
  const last = alpha > 1 ? byEights(1280 * alpha) : 1280;
  x = relu6(norm(pointwise(x, last, "Conv_1"), "Conv_1_bn"), "out_relu");
  const name = `mobilenetv2_${alpha.toFixed(2)}_${shape[0] ?? 224}`;
  return finish(inputs, averageTop(where, x, given), name, given);
}

function invertedResidual(
  x: SymbolicTensor,
  expansion: number,
  filters: number,
  strides: number,
  block: number,
): SymbolicTensor {
  const name = block === 0 ? "expanded_conv" : `block_${block}`;
  const channels = x.shape.at(-1)!;
  let y = x;
  if (expansion > 1) {
    y = pointwise(y, channels * expansion, `${name}_expand`);
    y = relu6(norm(y, `${name}_expand_BN`), `${name}_expand_relu`);
  }
  const depthwise = { kernelSize: 3, strides, padding: "same", useBias: false } as const;
  y = layers.depthwiseConv2d({ ...depthwise, name: `${name}_depthwise` }).apply(y);
  y = relu6(norm(y, `${name}_depthwise_BN`), `${name}_depthwise_relu`);
  y = norm(pointwise(y, filters, `${name}_project`), `${name}_project_BN`);
  const isSame = strides === 1 && channels === filters;
  return isSame ? layers.add({ name: `${name}_add` }).apply([x, y]) : y;
}

/** The multiple of 8 nearest to a width, not more than a tenth below it. */
function byEights(width: number): number {
  const near = Math.max(8, Math.floor((width + 4) / 8) * 8);
  return near < 0.9 * width ? near + 8 : near;
}

function pointwise(x: SymbolicTensor, filters: number, name: string): SymbolicTensor {
  return layers.conv2d({ filters, kernelSize: 1, padding: "same", useBias: false, name }).apply(x);
}

function norm(x: SymbolicTensor, name: string): SymbolicTensor {
  return layers.batchNormalization({ epsilon: 1e-3, momentum: 0.999, name }).apply(x);
}

function relu6(x: SymbolicTensor, name: string): SymbolicTensor {
  return layers.activation({ activation: "relu6", name }).apply(x);
}
