// The options of the convolution functions, by numbers of Keras 3.15 (PyTorch backend), and every wrong use of them.

import { describe, expect, test } from "vitest";
import { MyelinError } from "../../src/core/errors.ts";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import { Tensor, tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { trace } from "../../src/graph/trace.ts";
import * as ops from "../../src/ops/index.ts";
import { evaluate } from "../helpers/evaluate.ts";

/** -3, -2, .. 3, -3, .. in a shape. */
const pattern = (...shape: number[]): Tensor =>
  new Tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i % 7) - 3),
    shape,
    "float32",
  );
const line = (...data: number[]): Tensor => tensor(data).reshape([1, data.length, 1]);
const taps = (n: number): Tensor => tensor(Array.from({ length: n }, (_, i) => 10 ** i)).reshape([n, 1, 1]);
const numbers = (fn: (...xs: Value[]) => Value, ...args: Tensor[]): number[] => [
  ...evaluate(fn, args)[0]!.data,
];

test("dilations", () => {
  const y = numbers((x, k) => ops.conv(x!, k!, { dilations: 2 }), pattern(1, 5, 1), pattern(2, 1, 2));
  expect(y).toEqual([10, 6, 6, 4, 2, 2]);
});

test("causal padding", () => {
  const y = numbers((x, k) => ops.conv(x!, k!, { padding: "causal" }), line(1, 2, 3, 4), taps(3));
  expect(y).toEqual([100, 210, 321, 432]);
});

test("depthwise and separable", () => {
  const x = pattern(1, 3, 3, 2);
  const deep = numbers((a, k) => ops.depthwiseConv(a!, k!), x, pattern(2, 2, 2, 2));
  expect(deep).toEqual([-2, -5, 5, -1, 8, 6, 3, -9, -21, -21, 6, 10, 10, 4, 4, -5]);
  const separable = (a?: Value, k?: Value, m?: Value): Value =>
    ops.separableConv(a!, k!, m!, { padding: "same" });
  expect(numbers(separable, x, pattern(2, 2, 2, 1), pattern(1, 1, 2, 2))).toEqual([
    -22, -14, 5, 0, 11, 6, 24, 28, 2, 0, 5, 2, 15, 6, -34, -20, -9, -6,
  ]);
});

describe("convTranspose", () => {
  const rows: readonly [kernel: number, options: ops.ConvTransposeOptions, expected: number[]][] = [
    [3, { strides: 2, padding: "same" }, [1, 10, 102, 20, 203, 30]],
    [3, { strides: 2 }, [1, 10, 102, 20, 203, 30, 300]],
    [2, { strides: 3 }, [1, 10, 0, 2, 20, 0, 3, 30, 0]],
    [4, { strides: 2, padding: "same", outputPadding: 1 }, [10, 102, 1020, 203, 2030]],
    [3, { strides: 2, padding: "same", outputPadding: 0 }, [10, 102, 20, 203, 30]],
    [3, { dilations: 2, padding: "same" }, [13, 20, 130]],
    [2, { strides: 3, padding: "same" }, [1, 10, 0, 2, 20, 0, 3, 30, 0]],
  ];
  test.each(rows)("kernel of %i, %o", (kernel, options, expected) => {
    const y = numbers((x, k) => ops.convTranspose(x!, k!, options), line(1, 2, 3), taps(kernel));
    expect(y).toEqual(expected);
  });
});

type Wrong = readonly [code: string, message: RegExp, fn: (...xs: Value[]) => Value, ...shapes: Shape[]];

const conv2 =
  (options?: object) =>
  (x: Value, k: Value): Value =>
    ops.conv(x, k, options as ops.ConvOptions);
const transpose2 =
  (options?: object) =>
  (x: Value, k: Value): Value =>
    ops.convTranspose(x, k, options as ops.ConvTransposeOptions);
const image = [1, 5, 5, 4];

const wrong: Readonly<Record<string, Wrong>> = {
  "rank of x": [
    "SHAPE_MISMATCH",
    /^conv: expected x \[batch, \*spatial, channels\] with 1 to 3 spatial axes and a kernel of the same rank, got \[5, 4\] and \[3, 4\]$/,
    conv2(),
    [5, 4],
    [3, 4],
  ],
  "rank of kernel": [
    "SHAPE_MISMATCH",
    /^conv: .*got \[1, 5, 5, 4\] and \[3, 4, 8\]$/,
    conv2(),
    image,
    [3, 4, 8],
  ],
  "empty kernel": [
    "SHAPE_MISMATCH",
    /^conv: expected a kernel of at least 1 along each axis, got \[3, 0, 4, 8\]$/,
    conv2(),
    image,
    [3, 0, 4, 8],
  ],
  channels: [
    "SHAPE_MISMATCH",
    /^conv: expected a kernel for 4 input channels, got \[3, 3, 2, 8\] for \[1, 5, 5, 4\]$/,
    conv2(),
    image,
    [3, 3, 2, 8],
  ],
  "channels of groups": [
    "SHAPE_MISMATCH",
    /^conv: expected a kernel for 4 \/ 2 input channels, got \[3, 3, 4, 8\] for/,
    conv2({ groups: 2 }),
    image,
    [3, 3, 4, 8],
  ],
  groups: [
    "SHAPE_MISMATCH",
    /^conv: expected groups to divide 4 and 8 channels, got 3$/,
    conv2({ groups: 3 }),
    image,
    [3, 3, 4, 8],
  ],
  "does not fit": [
    "SHAPE_MISMATCH",
    /^conv: a kernel that reaches 7 elements does not fit the 5 of spatial axis 1, got \[3, 4, 4, 8\] for \[1, 5, 5, 4\]$/,
    conv2({ dilations: 2 }),
    image,
    [3, 4, 4, 8],
  ],
  option: [
    "INVALID_OPTION",
    /^conv: unknown option "stride"; did you mean "strides"\?$/,
    conv2({ stride: 2 }),
    image,
    [3, 3, 4, 8],
  ],
  strides: [
    "INVALID_OPTION",
    /^conv: expected strides to be an integer from 1 to \d+, got 0$/,
    conv2({ strides: 0 }),
    image,
    [3, 3, 4, 8],
  ],
  "strides for each axis": [
    "INVALID_OPTION",
    /^conv: expected strides to hold 2 numbers, got \[1, 2, 1\]$/,
    conv2({ strides: [1, 2, 1] }),
    image,
    [3, 3, 4, 8],
  ],
  padding: [
    "INVALID_OPTION",
    /^conv: unknown padding "sam"; did you mean "same"\?$/,
    conv2({ padding: "sam" }),
    image,
    [3, 3, 4, 8],
  ],
  "padding pairs": [
    "INVALID_OPTION",
    /^conv: expected padding to be "valid", "same", "causal" or 2 pairs \[before, after\], got \[1, 1\]$/,
    conv2({ padding: [1, 1] }),
    image,
    [3, 3, 4, 8],
  ],
  "negative padding": [
    "INVALID_OPTION",
    /^conv: expected padding to be an integer from 0 to \d+, got -1$/,
    conv2({
      padding: [
        [0, -1],
        [0, 0],
      ],
    }),
    image,
    [3, 3, 4, 8],
  ],
  causal: [
    "INVALID_OPTION",
    /^conv: padding "causal" is for one spatial axis, got 2 for \[1, 5, 5, 4\]$/,
    conv2({ padding: "causal" }),
    image,
    [3, 3, 4, 8],
  ],
  "depthwise channels": [
    "SHAPE_MISMATCH",
    /^depthwiseConv: expected a kernel of 4 channels, got \[3, 3, 1, 2\] for \[1, 5, 5, 4\]$/,
    (x, k) => ops.depthwiseConv(x!, k!),
    image,
    [3, 3, 1, 2],
  ],
  "depthwise groups": [
    "INVALID_OPTION",
    /^depthwiseConv: unknown option "groups"/,
    (x, k) => ops.depthwiseConv(x!, k!, { groups: 2 } as never),
    image,
    [3, 3, 4, 2],
  ],
  pointwise: [
    "SHAPE_MISMATCH",
    /^separableConv: expected a pointwise kernel \[1, .., channels, filters\], got \[2, 1, 4, 8\]$/,
    (x, k, m) => ops.separableConv(x!, k!, m!),
    image,
    [3, 3, 4, 1],
    [2, 1, 4, 8],
  ],
  "transpose channels": [
    "SHAPE_MISMATCH",
    /^convTranspose: expected a kernel \[.., filters, 4\], got \[3, 3, 4, 8\] for \[1, 5, 5, 4\]$/,
    transpose2(),
    image,
    [3, 3, 4, 8],
  ],
  "transpose padding": [
    "INVALID_OPTION",
    /^convTranspose: unknown padding "causal"/,
    transpose2({ padding: "causal" }),
    image,
    [3, 3, 8, 4],
  ],
  "output padding": [
    "INVALID_OPTION",
    /^convTranspose: expected outputPadding below the stride 2, got 2$/,
    transpose2({ strides: 2, outputPadding: 2 }),
    image,
    [3, 3, 8, 4],
  ],
};

test.each(Object.entries(wrong))("wrong %s", (_name, [code, message, fn, ...shapes]) => {
  const types = shapes.map((shape) => ({ shape, dtype: "float32" as const }));
  let error: unknown;
  try {
    trace((...xs) => [fn(...xs)], types);
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(MyelinError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
});
