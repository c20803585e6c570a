// MobileNetV2 (Sandler et al. 2018), width 1, 224 x 224, 1000 classes, with layers.

import { input, layers, type Model, model } from "../../src/index.ts";
import { convBatchNorm } from "./resnet.ts";

type Symbolic = ReturnType<typeof input>;

function inverted(x: Symbolic, expand: number, filters: number, strides: number): Symbolic {
  const channels = x.shape.at(-1)!;
  let y = expand === 1 ? x : convBatchNorm(x, channels * expand, 1, 1, "relu6");
  y = layers.depthwiseConv2d({ kernelSize: 3, strides, padding: "same", useBias: false }).apply(y);
  y = layers.activation({ activation: "relu6" }).apply(layers.batchNormalization().apply(y));
  y = convBatchNorm(y, filters, 1, 1, "linear");
  return strides === 1 && channels === filters ? layers.add().apply([x, y]) : y;
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

export function mobilenetV2Model(): Model {
  const inputs = input({ shape: [224, 224, 3] });
  let x = convBatchNorm(inputs, 32, 3, 2, "relu6");
  for (const [expand, filters, count, strides] of STAGES) {
    for (let i = 0; i < count; i++) x = inverted(x, expand, filters, i === 0 ? strides : 1);
  }
  x = convBatchNorm(x, 1280, 1, 1, "relu6");
  const pooled = layers.globalAveragePooling2d().apply(x);
  return model({ inputs, outputs: layers.dense({ units: 1000, activation: "softmax" }).apply(pooled) });
}
