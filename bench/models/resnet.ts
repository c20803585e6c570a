// ResNets with layers: the 20-layer one for CIFAR (He et al. 2015, section 4.2, 1x1 projections where the shape changes)
// and ResNet-50 for 224 x 224 images, with the stride in its 3x3 convolutions.

import { input, layers, type Model, model } from "../../src/index.ts";

type Symbolic = ReturnType<typeof input>;

/** Convolution without bias, batch norm, and relu unless told otherwise. */
export function convBatchNorm(
  x: Symbolic,
  filters: number,
  kernelSize: number,
  strides = 1,
  activation: "relu" | "relu6" | "linear" = "relu",
): Symbolic {
  const y = layers.conv2d({ filters, kernelSize, strides, padding: "same", useBias: false }).apply(x);
  const z = layers.batchNormalization().apply(y);
  return activation === "linear" ? z : layers.activation({ activation }).apply(z);
}

function sum(a: Symbolic, b: Symbolic): Symbolic {
  return layers.activation({ activation: "relu" }).apply(layers.add().apply([a, b]));
}

function basicBlock(x: Symbolic, filters: number, strides: number): Symbolic {
  const hidden = convBatchNorm(x, filters, 3, strides);
  const y = convBatchNorm(hidden, filters, 3, 1, "linear");
  const isSame = strides === 1 && x.shape.at(-1) === filters;
  return sum(y, isSame ? x : convBatchNorm(x, filters, 1, strides, "linear"));
}

export function resnet20Model(): Model {
  const inputs = input({ shape: [32, 32, 3] });
  let x = convBatchNorm(inputs, 16, 3);
  for (const filters of [16, 32, 64]) {
    for (let block = 0; block < 3; block++) x = basicBlock(x, filters, block === 0 && filters !== 16 ? 2 : 1);
  }
  const pooled = layers.globalAveragePooling2d().apply(x);
  return model({ inputs, outputs: layers.dense({ units: 10, activation: "softmax" }).apply(pooled) });
}

function bottleneck(x: Symbolic, filters: number, strides: number): Symbolic {
  const reduced = convBatchNorm(x, filters, 1);
  const spatial = convBatchNorm(reduced, filters, 3, strides);
  const y = convBatchNorm(spatial, 4 * filters, 1, 1, "linear");
  const isSame = strides === 1 && x.shape.at(-1) === 4 * filters;
  return sum(y, isSame ? x : convBatchNorm(x, 4 * filters, 1, strides, "linear"));
}

export function resnet50Model(): Model {
  const inputs = input({ shape: [224, 224, 3] });
  let x = convBatchNorm(inputs, 64, 7, 2);
  x = layers.maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }).apply(x);
  for (const [filters, count] of [
    [64, 3],
    [128, 4],
    [256, 6],
    [512, 3],
  ] as const) {
    for (let i = 0; i < count; i++) x = bottleneck(x, filters, i === 0 && filters !== 64 ? 2 : 1);
  }
  const pooled = layers.globalAveragePooling2d().apply(x);
  return model({ inputs, outputs: layers.dense({ units: 1000, activation: "softmax" }).apply(pooled) });
}
