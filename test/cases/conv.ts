// Convolutions and their gradients.

import type { Shape, TensorType } from "../../src/core/shape.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { emit, trace } from "../../src/graph/trace.ts";
import { convInputGradOp, convKernelGradOp, convOp } from "../../src/ops/conv.ts";
import * as ops from "../../src/ops/index.ts";
import { caseList, NONE } from "./case.ts";

const { cases, add } = caseList();

export { cases as convCases };

interface Setting {
  readonly note: string;
  readonly x: Shape;
  readonly kernel: Shape;
  readonly options?: ops.ConvOptions;
}

const same = (strides: number): ops.ConvOptions => ({ strides, padding: "same" });

// One, two and three spatial axes; sizes of one, odd, above tiles; few and many channels; strides above the kernel;
// padding that reaches beyond the kernel; maps smaller than the kernel; nothing in the batch or among the channels.
const SETTINGS: readonly Setting[] = [
  { note: "one pixel", x: [1, 1, 1, 1], kernel: [1, 1, 1, 1] },
  { note: "1x1", x: [2, 3, 5, 7], kernel: [1, 1, 7, 9] },
  { note: "3x3 valid", x: [2, 5, 6, 3], kernel: [3, 3, 3, 4] },
  { note: "3x3 same", x: [2, 5, 4, 5], kernel: [3, 3, 5, 6], options: same(1) },
  { note: "3x3 stride 2 same, even", x: [1, 6, 8, 4], kernel: [3, 3, 4, 3], options: same(2) },
  { note: "3x3 stride 2 same, odd", x: [1, 7, 5, 4], kernel: [3, 3, 4, 3], options: same(2) },
  { note: "1x1 stride 2", x: [2, 5, 6, 3], kernel: [1, 1, 3, 4], options: same(2) },
  { note: "first layer", x: [1, 9, 10, 1], kernel: [3, 3, 1, 8] },
  { note: "7x7 stride 2", x: [1, 12, 11, 3], kernel: [7, 7, 3, 5], options: same(2) },
  { note: "kernel larger than map", x: [1, 2, 3, 2], kernel: [5, 5, 2, 3], options: same(1) },
  { note: "even kernel", x: [1, 5, 5, 2], kernel: [2, 4, 2, 3], options: same(1) },
  { note: "strides above kernel", x: [2, 8, 9, 2], kernel: [2, 2, 2, 3], options: { strides: [3, 4] } },
  { note: "dilated", x: [1, 9, 8, 2], kernel: [3, 3, 2, 3], options: { dilations: [2, 3], padding: "same" } },
  {
    note: "dilated with strides",
    x: [1, 9, 10, 2],
    kernel: [3, 2, 2, 3],
    options: { dilations: [2, 3], strides: [3, 2], padding: "same" },
  },
  {
    note: "wide padding",
    x: [1, 3, 4, 2],
    kernel: [2, 2, 2, 3],
    options: {
      padding: [
        [3, 1],
        [0, 4],
      ],
      strides: [2, 1],
    },
  },
  { note: "groups", x: [2, 4, 5, 6], kernel: [3, 3, 2, 9], options: { groups: 3, padding: "same" } },
  { note: "depthwise", x: [2, 5, 4, 3], kernel: [3, 3, 1, 6], options: { groups: 3, ...same(2) } },
  { note: "1-d", x: [3, 9, 4], kernel: [3, 4, 5], options: same(2) },
  { note: "1-d causal", x: [2, 7, 3], kernel: [3, 3, 4], options: { padding: "causal", dilations: 2 } },
  { note: "3-d", x: [1, 4, 5, 3, 2], kernel: [2, 3, 2, 2, 3], options: same(1) },
  { note: "3-d strides", x: [1, 5, 4, 6, 2], kernel: [3, 1, 2, 2, 3], options: { strides: [2, 3, 1] } },
  { note: "empty batch", x: [0, 4, 4, 2], kernel: [3, 3, 2, 3] },
  { note: "no channels in", x: [1, 4, 4, 0], kernel: [3, 3, 0, 3] },
  { note: "no channels out", x: [1, 4, 4, 2], kernel: [3, 3, 2, 0] },
];

// Whole tiles, channels above a panel, several tasks: too large for finite differences of second derivatives.
const LARGE: readonly Setting[] = [
  { note: "large 3x3 same", x: [2, 13, 17, 33], kernel: [3, 3, 33, 40], options: same(1) },
  { note: "large 3x3 valid", x: [3, 12, 9, 16], kernel: [3, 3, 16, 64] },
  { note: "large 3x3 stride 2", x: [2, 15, 16, 20], kernel: [3, 3, 20, 35], options: same(2) },
  { note: "large first layer", x: [2, 28, 28, 1], kernel: [3, 3, 1, 32] },
  { note: "large colour", x: [1, 33, 34, 3], kernel: [7, 7, 3, 24], options: same(2) },
  { note: "small maps", x: [5, 7, 7, 48], kernel: [3, 3, 48, 32], options: same(1) },
  { note: "large groups", x: [2, 9, 8, 64], kernel: [3, 3, 32, 36], options: { groups: 2, padding: "same" } },
  { note: "large 1x1", x: [2, 9, 8, 65], kernel: [1, 1, 65, 33] },
  { note: "large 3-d", x: [1, 6, 7, 9, 8], kernel: [3, 3, 3, 8, 20], options: same(1) },
  { note: "large 1-d", x: [3, 80, 24], kernel: [5, 24, 40], options: { padding: "causal" } },
];

const product = (shape: Shape): number => shape.reduce((p, d) => p * d, 1);
const float32 = (shape: Shape): TensorType => ({ shape, dtype: "float32" });

for (const { note, x, kernel, options } of [...SETTINGS, ...LARGE]) {
  const second = product(x) * kernel.at(-1)! < 10_000;
  const taps = product(kernel.slice(0, -2));
  const terms = { conv: taps * kernel.at(-2)!, convInputGrad: taps * kernel.at(-1)! };
  add(
    "conv",
    (a, w) => ops.conv(a!, w!, options),
    [[{ shape: x }, { shape: kernel }]],
    { terms: terms.conv },
    { note, second },
  );
  // The gradients as ops of their own, with the attributes of that convolution.
  const y = trace((a, w) => [ops.conv(a!, w!, options)], [x, kernel].map(float32)).graph.outputs[0]!;
  const { attrs } = y.node!;
  const size = x.slice(1, -1);
  add(
    "convInputGrad",
    (dy, w) => emit(convInputGradOp, [dy!, w!], { ...attrs, size }),
    [[{ shape: y.shape }, { shape: kernel }]],
    { terms: terms.convInputGrad },
    { note, second },
  );
  const kernelSize = kernel.slice(0, -2);
  add(
    "convKernelGrad",
    (a, dy) => emit(convKernelGradOp, [a!, dy!], { ...attrs, kernelSize }),
    [[{ shape: x }, { shape: y.shape }]],
    { terms: product(y.shape.slice(0, -1)) },
    { note, second },
  );
}

for (const { x, kernel, options } of LARGE.slice(0, 4)) {
  const y = trace((a, w) => [ops.conv(a!, w!, options)], [x, kernel].map(float32)).graph.outputs[0]!;
  const attrs = { ...y.node!.attrs, size: x.slice(1, -1) };
  const taps = product(kernel.slice(0, -2));
  const note = `with a body ${x}`;
  add(
    "conv",
    (a, w, b) => emit(convOp, [a!, w!, b!], { ...attrs, body: biasAndRelu(y.shape) }),
    [[{ shape: x }, { shape: kernel }, { shape: [y.shape.at(-1)!] }]],
    { terms: taps * kernel.at(-2)! + 1 },
    { ...NONE, note },
  );
  add(
    "convInputGrad",
    (dy, w, b) => emit(convInputGradOp, [dy!, w!, b!], { ...attrs, body: biasAndRelu(x) }),
    [[{ shape: y.shape }, { shape: kernel }, { shape: [x.at(-1)!] }]],
    { terms: taps * kernel.at(-1)! + 1 },
    { ...NONE, note },
  );
}

/** relu(result + bias). */
function biasAndRelu(shape: Shape): Graph {
  return trace((p, b) => [ops.relu(ops.add(p!, b!))], [float32(shape), float32([shape.at(-1)!])]).graph;
}

add(
  "convTranspose",
  (x, w) => ops.convTranspose(x!, w!, { strides: [2, 3], padding: "same" }),
  [[{ shape: [2, 3, 4, 5] }, { shape: [3, 4, 6, 5] }]],
  { terms: 60 },
);
add(
  "depthwiseConv",
  (x, w) => ops.depthwiseConv(x!, w!, { strides: 2, padding: "same" }),
  [[{ shape: [2, 7, 6, 5] }, { shape: [3, 3, 5, 2] }]],
  { terms: 9 },
);
add(
  "separableConv",
  (x, w, mix) => ops.separableConv(x!, w!, mix!),
  [[{ shape: [2, 7, 6, 5] }, { shape: [3, 3, 5, 2] }, { shape: [1, 1, 10, 4] }]],
  { terms: 90 },
);
