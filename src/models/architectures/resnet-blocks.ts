// The blocks of residual networks, with Keras's layer names. A block adds what its convolutions make to its input, which is
// projected by a 1x1 convolution where the shape changes.

import * as layers from "../../layers/index.ts";
import type { SymbolicTensor } from "../../layers/symbolic.ts";

/** What all blocks of one network have in common. */
export interface ResnetStyle {
  readonly version: 1 | 2;
  /** Of the convolutions that Keras gives a bias. */
  readonly useBias: boolean;
  /** Of normalisation. */
  readonly epsilon: number;
  /** Whether strided 3x3 convolutions of basic blocks have one pixel of zeros on every side, as torchvision's have. */
  readonly padsEvenly?: boolean;
}

type Block = (
  style: ResnetStyle,
  x: SymbolicTensor,
  filters: number,
  strides: number,
  name: string,
) => SymbolicTensor;

/** The pieces of a style: convolution, normalisation, and normalisation with relu. */
export function styleOf({ useBias, epsilon, padsEvenly = false }: ResnetStyle) {
  const conv = (
    x: SymbolicTensor,
    filters: number,
    kernelSize: number,
    strides: number,
    name: string,
    bias = useBias,
  ) => layers.conv2d({ filters, kernelSize, strides, padding: "same", useBias: bias, name }).apply(x);
  const conv3 = (x: SymbolicTensor, filters: number, strides: number, name: string) => {
    if (strides === 1 || !padsEvenly) return conv(x, filters, 3, strides, name);
    const padded = layers.zeroPadding2d({ padding: 1, name: name.replace(/conv$/, "pad") }).apply(x);
    return layers.conv2d({ filters, kernelSize: 3, strides, useBias, name }).apply(padded);
  };
  const norm = (x: SymbolicTensor, name: string) => layers.batchNormalization({ epsilon, name }).apply(x);
  const normRelu = (x: SymbolicTensor, name: string) => relu(norm(x, `${name}_bn`), `${name}_relu`);
  return { conv, conv3, norm, normRelu };
}

function relu(x: SymbolicTensor, name: string): SymbolicTensor {
  return layers.activation({ activation: "relu", name }).apply(x);
}

function sum(a: SymbolicTensor, b: SymbolicTensor, name: string): SymbolicTensor {
  return layers.add({ name }).apply([a, b]);
}

/** Two 3x3 convolutions. */
export const basicBlock: Block = (style, x, filters, strides, name) => {
  const { conv, conv3, norm, normRelu } = styleOf(style);
  const isSame = strides === 1 && x.shape.at(-1) === filters;
  if (style.version === 1) {
    let y = normRelu(conv3(x, filters, strides, `${name}_1_conv`), `${name}_1`);
    y = norm(conv3(y, filters, 1, `${name}_2_conv`), `${name}_2_bn`);
    const shortcut = isSame ? x : norm(conv(x, filters, 1, strides, `${name}_0_conv`), `${name}_0_bn`);
    return relu(sum(shortcut, y, `${name}_add`), `${name}_out`);
  }
  const start = normRelu(x, `${name}_preact`);
  let y = normRelu(conv3(start, filters, strides, `${name}_1_conv`), `${name}_1`);
  y = conv3(y, filters, 1, `${name}_2_conv`);
  return sum(isSame ? x : conv(start, filters, 1, strides, `${name}_0_conv`), y, `${name}_out`);
};

/** 1x1 to fewer channels, 3x3, 1x1 to four times as many. */
export const bottleneckBlock: Block = (style, x, filters, strides, name) => {
  const { conv, norm, normRelu } = styleOf(style);
  const width = 4 * filters;
  const isSame = x.shape.at(-1) === width;
  if (style.version === 1) {
    const projected = isSame ? x : norm(conv(x, width, 1, strides, `${name}_0_conv`), `${name}_0_bn`);
    let y = normRelu(conv(x, filters, 1, strides, `${name}_1_conv`), `${name}_1`);
    y = normRelu(conv(y, filters, 3, 1, `${name}_2_conv`), `${name}_2`);
    y = norm(conv(y, width, 1, 1, `${name}_3_conv`), `${name}_3_bn`);
    return relu(sum(projected, y, `${name}_add`), `${name}_out`);
  }
  const start = normRelu(x, `${name}_preact`);
  const shortcut = isSame
    ? strides === 1
      ? x
      : layers.maxPooling2d({ poolSize: 1, strides }).apply(x)
    : conv(start, width, 1, strides, `${name}_0_conv`);
  let y = normRelu(conv(start, filters, 1, 1, `${name}_1_conv`, false), `${name}_1`);
  y = layers.zeroPadding2d({ padding: 1, name: `${name}_2_pad` }).apply(y);
  y = layers.conv2d({ filters, kernelSize: 3, strides, useBias: false, name: `${name}_2_conv` }).apply(y);
  y = normRelu(y, `${name}_2`);
  return sum(shortcut, conv(y, width, 1, 1, `${name}_3_conv`), `${name}_out`);
};
