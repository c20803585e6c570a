// Every wrong use of an op: a MyelinError with its code, worded "where: what was expected, what came".

import { describe, expect, test } from "vitest";
import type { DType } from "../../src/core/dtype.ts";
import { MyelinError } from "../../src/core/errors.ts";
import type { Shape } from "../../src/core/shape.ts";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { emit, trace, withScope } from "../../src/graph/trace.ts";
import { allOps } from "../../src/ops/all.ts";
import * as ops from "../../src/ops/index.ts";
import { evaluate } from "../helpers/evaluate.ts";

type Fn = (...xs: Value[]) => unknown;

/** The error of tracing fn on float32 inputs of these shapes ("int32" ones after a colon). */
function errorOf(fn: Fn, ...types: (Shape | [Shape, DType])[]): MyelinError {
  const inputs = types.map((t) =>
    Array.isArray(t[0])
      ? { shape: t[0] as Shape, dtype: t[1] as DType }
      : { shape: t as Shape, dtype: "float32" as const },
  );
  try {
    trace((...xs) => {
      fn(...xs);
      return [];
    }, inputs);
  } catch (error) {
    if (error instanceof MyelinError) return error;
    throw error;
  }
  throw new Error("expected an error, got none");
}

const wrong: readonly [
  text: string,
  code: string,
  message: RegExp,
  fn: Fn,
  ...types: (Shape | [Shape, DType])[],
][] = [
  [
    "add: shapes",
    "SHAPE_MISMATCH",
    /^add: expected shapes that broadcast together, got \[2, 3\] and \[4\]$/,
    (x, y) => ops.add(x!, y!),
    [2, 3],
    [4],
  ],
  [
    "add: no tensor",
    "INVALID_ARGUMENT",
    /^add: expected a Value, Variable, Tensor, number or boolean, got \[1, 2\]$/,
    (x) => ops.add(x!, [1, 2] as never),
    [2],
  ],
  [
    "exp: nothing",
    "INVALID_ARGUMENT",
    /^exp: expected a Value.* got undefined$/,
    () => ops.exp(undefined as never),
  ],
  [
    "where",
    "SHAPE_MISMATCH",
    /^where: expected shapes that broadcast together, got \[2\], \[3\], \[\]$/,
    (c, x) => ops.where(c!, x!, 0),
    [[2], "bool"],
    [3],
  ],
  [
    "cast: dtype",
    "INVALID_OPTION",
    /^cast: unknown dtype "float64"; did you mean "float32"\?$/,
    (x) => ops.cast(x!, "float64" as never),
    [2],
  ],
  [
    "einsum: form",
    "INVALID_ARGUMENT",
    /^einsum: expected an equation like "ab,bc->ac" or .*, got "ab->a"$/,
    (x) => ops.einsum("ab->a", x!, x!),
    [2, 2],
  ],
  [
    "einsum: axes",
    "SHAPE_MISMATCH",
    /^einsum: "ab,bc->ac" does not have the axes of \[2, 3\] and \[3\]$/,
    (x, y) => ops.einsum("ab,bc->ac", x!, y!),
    [2, 3],
    [3],
  ],
  [
    "einsum: sizes",
    "SHAPE_MISMATCH",
    /^einsum: "ab,bc->ac" of \[2, 3\] and \[4, 5\]: sizes differ, 3 and 4 for "b"$/,
    (x, y) => ops.einsum("ab,bc->ac", x!, y!),
    [2, 3],
    [4, 5],
  ],
  [
    "einsum: twice",
    "INVALID_ARGUMENT",
    /^einsum: "aa,ab->b" has a letter twice in one operand$/,
    (x) => ops.einsum("aa,ab->b", x!, x!),
    [2, 2],
  ],
  [
    "einsum: result",
    "INVALID_ARGUMENT",
    /^einsum: "ab,bc->ad" has a result that does not follow$/,
    (x) => ops.einsum("ab,bc->ad", x!, x!),
    [2, 2],
  ],
  [
    "rotaryEmbedding: width",
    "SHAPE_MISMATCH",
    /^rotaryEmbedding: expected \[B, T, H, D\] with an even D, got f32\[1,2,3,5\]$/,
    (x) => ops.rotaryEmbedding(x!),
    [1, 2, 3, 5],
  ],
  [
    "rotaryEmbedding: positions",
    "SHAPE_MISMATCH",
    /^rotaryEmbedding: expected positions \[2\] or \[1, 2\], got i32\[3\]$/,
    (x, at) => ops.rotaryEmbedding(x!, { positions: at! }),
    [1, 2, 3, 4],
    [[3], "int32"],
  ],
  [
    "dotProductAttention: heads",
    "SHAPE_MISMATCH",
    /^dotProductAttention: expected float32 queries \[B, T, H, D\].* H a multiple of K, got f32\[2,3,4,5\] and f32\[2,6,3,5\] and f32\[2,6,3,5\]$/,
    (q, k) => ops.dotProductAttention(q!, k!, k!),
    [2, 3, 4, 5],
    [2, 6, 3, 5],
  ],
  [
    "dotProductAttention: rank",
    "SHAPE_MISMATCH",
    /^dotProductAttention: expected float32 queries/,
    (q) => ops.dotProductAttention(q!, q!, q!),
    [2, 3, 5],
  ],
  [
    "dotProductAttention: mask",
    "SHAPE_MISMATCH",
    /^dotProductAttention: expected a bool mask that broadcasts to \[2, 4, 3, 3\] .*got bool\[1,1,2,3\]$/,
    (q, mask) => ops.dotProductAttention(q!, q!, q!, { mask: mask! }),
    [2, 3, 4, 5],
    [[2, 3], "bool"],
  ],
  [
    "dotProductAttention: mask of rank 5",
    "SHAPE_MISMATCH",
    /^dotProductAttention: expected a mask of rank 4 or less, got bool\[1,1,1,3,3\]$/,
    (q, mask) => ops.dotProductAttention(q!, q!, q!, { mask: mask! }),
    [2, 3, 4, 5],
    [[1, 1, 1, 3, 3], "bool"],
  ],
  [
    "dotProductAttention: dropout",
    "INVALID_OPTION",
    /^dotProductAttention: expected dropout to be a number in \[0, 1\), got 1$/,
    (q) => ops.dotProductAttention(q!, q!, q!, { dropout: 1 }),
    [2, 3, 4, 5],
  ],
  [
    "dotProductAttention: option",
    "INVALID_OPTION",
    /^dotProductAttention: unknown option "causal"/,
    (q) => ops.dotProductAttention(q!, q!, q!, { causal: true } as never),
    [2, 3, 4, 5],
  ],
  [
    "maxPool: rank",
    "SHAPE_MISMATCH",
    /^maxPool: expected float32 \[batch, 1 to 3 spatial sizes, channels\], got f32\[2,3\]$/,
    (x) => ops.maxPool(x!, 2),
    [2, 3],
  ],
  [
    "maxPool: poolSize",
    "INVALID_OPTION",
    /^maxPool: expected poolSize to be an integer of at least 1, or 2 of them, got \[2\]$/,
    (x) => ops.maxPool(x!, [2]),
    [1, 4, 4, 1],
  ],
  [
    "averagePool: strides",
    "INVALID_OPTION",
    /^averagePool: expected strides to be an integer of at least 1, or 2 of them, got 0$/,
    (x) => ops.averagePool(x!, 2, { strides: 0 }),
    [1, 4, 4, 1],
  ],
  [
    "averagePool: padding",
    "INVALID_OPTION",
    /^averagePool: unknown padding "sme"; did you mean "same"\?$/,
    (x) => ops.averagePool(x!, 2, { padding: "sme" as never }),
    [1, 4, 4, 1],
  ],
  [
    "maxPool: image too small",
    "SHAPE_MISMATCH",
    /^maxPool: expected spatial sizes of at least poolSize \[2, 3\], got \[4, 2\]$/,
    (x) => ops.maxPool(x!, [2, 3]),
    [1, 4, 2, 1],
  ],
  [
    "adaptiveMaxPool: outputSize",
    "INVALID_OPTION",
    /^adaptiveMaxPool: expected outputSize to be an integer of at least 1, or 1 of them, got 1.5$/,
    (x) => ops.adaptiveMaxPool(x!, 1.5),
    [1, 4, 2],
  ],
  [
    "adaptiveAveragePool: nothing to pool",
    "SHAPE_MISMATCH",
    /^adaptiveAveragePool: expected spatial sizes of at least 1, got \[0\]$/,
    (x) => ops.adaptiveAveragePool(x!, 2),
    [1, 0, 2],
  ],
  [
    "resize: rank",
    "SHAPE_MISMATCH",
    /^resize: expected float32 \[batch, height, width, channels\], got f32\[4,4,1\]$/,
    (x) => ops.resize(x!, [2, 2]),
    [4, 4, 1],
  ],
  [
    "resize: size",
    "INVALID_OPTION",
    /^resize: expected size to be an integer of at least 1, or 2 of them, got \[2, 0\]$/,
    (x) => ops.resize(x!, [2, 0]),
    [1, 4, 4, 1],
  ],
  [
    "resize: empty image",
    "SHAPE_MISMATCH",
    /^resize: expected heights and widths of at least 1, got \[1, 0, 4, 1\] and size \[2, 2\]$/,
    (x) => ops.resize(x!, [2, 2]),
    [1, 0, 4, 1],
  ],
  [
    "resize: interpolation",
    "INVALID_OPTION",
    /^resize: unknown interpolation "bicubic"; known: nearest, bilinear$/,
    (x) => ops.resize(x!, [2, 2], { interpolation: "bicubic" as never }),
    [1, 4, 4, 1],
  ],
  [
    "sum: axis",
    "INVALID_ARGUMENT",
    /^sum: expected an axis from -2 to 1 for rank 2, got 2$/,
    (x) => ops.sum(x!, { axis: 2 }),
    [2, 3],
  ],
  [
    "sum: axis twice",
    "INVALID_ARGUMENT",
    /^sum: repeated axis in \[0, -2\]$/,
    (x) => ops.sum(x!, { axis: [0, -2] }),
    [2, 3],
  ],
  [
    "sum: option",
    "INVALID_OPTION",
    /^sum: unknown option "keepdims"; did you mean "keepDims"\?$/,
    (x) => ops.sum(x!, { keepdims: true } as never),
    [2],
  ],
  [
    "argmax: empty",
    "SHAPE_MISMATCH",
    /^argmax: expected axis 1 not to be empty, got \[2, 0\]$/,
    (x) => ops.argmax(x!),
    [2, 0],
  ],
  [
    "norm: ord",
    "INVALID_OPTION",
    /^norm: expected ord to be 1, 2 or Infinity, got 3$/,
    (x) => ops.norm(x!, { ord: 3 }),
    [2],
  ],
  [
    "batchNorm: gamma",
    "SHAPE_MISMATCH",
    /^batchNorm: expected gamma \[3\] for x \[2, 3\], got \[2\]$/,
    (x, gamma) => ops.batchNorm(x!, { gamma: gamma! }),
    [2, 3],
    [2],
  ],
  [
    "batchNorm: empty",
    "SHAPE_MISMATCH",
    /^batchNorm: expected x \[\.\., channels\] with at least one element, got \[0, 3\]$/,
    (x) => ops.batchNorm(x!),
    [0, 3],
  ],
  [
    "batchNorm: axis",
    "INVALID_ARGUMENT",
    /^batchNorm: expected an axis from -2 to 1 for rank 2, got 2$/,
    (x) => ops.batchNorm(x!, { axis: 2 }),
    [2, 3],
  ],
  [
    "layerNorm: beta",
    "SHAPE_MISMATCH",
    /^layerNorm: expected beta \[3\] for x \[2, 3\], got \[\]$/,
    (x, beta) => ops.layerNorm(x!, { beta: beta! }),
    [2, 3],
    [],
  ],
  [
    "layerNorm: option",
    "INVALID_OPTION",
    /^layerNorm: unknown option "eps"; known: axis, gamma, beta, epsilon$/,
    (x) => ops.layerNorm(x!, { eps: 1 } as never),
    [2],
  ],
  [
    "layerNorm: empty",
    "SHAPE_MISMATCH",
    /^layerNorm: expected x with axes from 1 on that are not empty, got \[2, 0\]$/,
    (x) => ops.layerNorm(x!),
    [2, 0],
  ],
  [
    "rmsNorm: epsilon",
    "INVALID_OPTION",
    /^rmsNorm: expected epsilon to be a number of at least 0, got -1$/,
    (x) => ops.rmsNorm(x!, { epsilon: -1 }),
    [2],
  ],
  [
    "groupNorm: groups",
    "SHAPE_MISMATCH",
    /^groupNorm: expected x \[samples, \.\., channels\] with channels a multiple of 2 groups and no empty sample, got \[4, 3\]$/,
    (x) => ops.groupNorm(x!, { groups: 2 }),
    [4, 3],
  ],
  [
    "topK",
    "INVALID_OPTION",
    /^topK: expected k to be an integer from 0 to 3, got 4$/,
    (x) => ops.topK(x!, 4),
    [3],
  ],
  [
    "topK: scalar",
    "SHAPE_MISMATCH",
    /^topK: expected rank of at least 1, got a scalar$/,
    (x) => ops.topK(x!, 1),
    [],
  ],
  [
    "sort: option",
    "INVALID_OPTION",
    /^sort: expected descending to be true or false, got 1$/,
    (x) => ops.sort(x!, { descending: 1 } as never),
    [3],
  ],
  [
    "reshape",
    "SHAPE_MISMATCH",
    /^reshape: cannot view 6 elements as \[4, -1\]$/,
    (x) => ops.reshape(x!, [4, -1]),
    [2, 3],
  ],
  [
    "transpose",
    "SHAPE_MISMATCH",
    /^transpose: expected a permutation of 2 axes, got \[0, 0\]$/,
    (x) => ops.transpose(x!, [0, 0]),
    [2, 3],
  ],
  [
    "squeeze",
    "SHAPE_MISMATCH",
    /^squeeze: expected axis 1 of size 1, got \[1, 3\]$/,
    (x) => ops.squeeze(x!, 1),
    [1, 3],
  ],
  [
    "slice: outside",
    "SHAPE_MISMATCH",
    /^slice: expected a range inside \[4\], got begin \[2\], size \[3\], step \[1\]$/,
    (x) => ops.slice(x!, [2], [3]),
    [4],
  ],
  [
    "slice: rank",
    "SHAPE_MISMATCH",
    /^slice: expected begin to hold 2 numbers, got \[1\]$/,
    (x) => ops.slice(x!, [1], [1, 1]),
    [4, 4],
  ],
  [
    "slice: step",
    "SHAPE_MISMATCH",
    /^slice: expected a range inside \[4\], got .* step \[0\]$/,
    (x) => ops.slice(x!, [0], [2], { step: [0] }),
    [4],
  ],
  [
    "concatenate",
    "SHAPE_MISMATCH",
    /^concatenate: expected shapes equal outside axis 1, got f32\[2,3\] and f32\[3,3\]$/,
    (x, y) => ops.concatenate([x!, y!]),
    [2, 3],
    [3, 3],
  ],
  [
    "concatenate: none",
    "INVALID_ARGUMENT",
    /^concatenate: expected a list of tensors, got \[\]$/,
    () => ops.concatenate([]),
  ],
  [
    "stack",
    "SHAPE_MISMATCH",
    /^stack: expected one shape, got \[2\] and \[3\]$/,
    (x, y) => ops.stack([x!, y!]),
    [2],
    [3],
  ],
  [
    "split",
    "SHAPE_MISMATCH",
    /^split: expected a number of parts that divides 5, got 2$/,
    (x) => ops.split(x!, 2),
    [5],
  ],
  [
    "split: indices",
    "SHAPE_MISMATCH",
    /^split: expected rising indices from 0 to 5, got \[4, 2\]$/,
    (x) => ops.split(x!, [4, 2]),
    [5],
  ],
  [
    "pad: pairs",
    "SHAPE_MISMATCH",
    /^pad: expected 2 pairs \[before, after\], got/,
    (x) => ops.pad(x!, [[1, 1]]),
    [2, 2],
  ],
  [
    "pad: negative",
    "INVALID_OPTION",
    /^pad: expected paddings to be an integer of at least 0, got -1$/,
    (x) => ops.pad(x!, [[-1, 1]]),
    [2],
  ],
  [
    "pad: value",
    "INVALID_OPTION",
    /^pad: expected value to fit int32, got 0.5$/,
    (x) => ops.pad(x!, [[1, 1]], { value: 0.5 }),
    [[2], "int32"],
  ],
  [
    "broadcastTo",
    "SHAPE_MISMATCH",
    /^broadcastTo: expected a shape that broadcasts to \[2, 4\], got \[3\]$/,
    (x) => ops.broadcastTo(x!, [2, 4]),
    [3],
  ],
  [
    "too many axes",
    "INVALID_ARGUMENT",
    /^broadcastTo: expected a shape of at most 8/,
    (x) => ops.broadcastTo(x!, [1, 1, 1, 1, 1, 1, 1, 1, 1]),
    [],
  ],
  [
    "reverse",
    "INVALID_ARGUMENT",
    /^reverse: expected an axis from -1 to 0 for rank 1, got 1$/,
    (x) => ops.reverse(x!, { axis: 1 }),
    [3],
  ],
  [
    "arange",
    "INVALID_OPTION",
    /^arange: expected step to be a number other than 0, got 0$/,
    () => ops.arange(0, 3, 0),
  ],
  [
    "oneHot",
    "INVALID_OPTION",
    /^oneHot: expected classes to be an integer of at least 0, got -1$/,
    (x) => ops.oneHot(x!, -1),
    [3],
  ],
  [
    "gather",
    "INVALID_ARGUMENT",
    /^gather: expected an axis from -1 to 0/,
    (x, i) => ops.gather(x!, i!, { axis: 1 }),
    [3],
    [[2], "int32"],
  ],
  [
    "scatterAdd",
    "SHAPE_MISMATCH",
    /^scatterAdd: expected the shape of the indices inside the updates' from axis 0 on, got indices \[2\] and updates \[3, 4\]$/,
    (i, u) => ops.scatterAdd(i!, u!, 5),
    [[2], "int32"],
    [3, 4],
  ],
  [
    "takeAlongAxis",
    "SHAPE_MISMATCH",
    /^takeAlongAxis: expected shapes equal outside axis 1, got \[2, 3\] and \[3, 3\]$/,
    (x, i) => ops.takeAlongAxis(x!, i!),
    [2, 3],
    [[3, 3], "int32"],
  ],
  [
    "matmul: inner",
    "SHAPE_MISMATCH",
    /^matmul: inner sizes must match, got \[32, 128\] x \[64, 10\] \(128 and 64\)$/,
    (x, y) => ops.matmul(x!, y!),
    [32, 128],
    [64, 10],
  ],
  [
    "matmul: flags",
    "SHAPE_MISMATCH",
    /got \[2, 3\] x \[2, 4\] with transposeB \(3 and 4\)$/,
    (x, y) => ops.matmul(x!, y!, { transposeB: true }),
    [2, 3],
    [2, 4],
  ],
  [
    "matmul: batch",
    "SHAPE_MISMATCH",
    /^matmul: batch axes must broadcast together, got \[2, 3, 4\] x \[3, 4, 5\]$/,
    (x, y) => ops.matmul(x!, y!),
    [2, 3, 4],
    [3, 4, 5],
  ],
  [
    "matmul: scalar",
    "SHAPE_MISMATCH",
    /^matmul: expected rank of at least 1, got f32\[\] and f32\[2\]$/,
    (x, y) => ops.matmul(x!, y!),
    [],
    [2],
  ],
  [
    "softmax: empty",
    "SHAPE_MISMATCH",
    /^softmax: expected float32 logits with a last axis of at least 1, got f32\[2,0\]$/,
    (x) => ops.softmax(x!),
    [2, 0],
  ],
  [
    "labels: shape",
    "SHAPE_MISMATCH",
    /^sparseSoftmaxCrossEntropy: expected logits \[.., classes\] and int32 labels \[..\], got f32\[4,3\] and i32\[4,1\]$/,
    (x, y) => ops.sparseSoftmaxCrossEntropy(x!, y!),
    [4, 3],
    [[4, 1], "int32"],
  ],
  [
    "dense labels: shape",
    "SHAPE_MISMATCH",
    /^softmaxCrossEntropy: expected float32 logits and labels of one shape/,
    (x, y) => ops.softmaxCrossEntropy(x!, y!),
    [4, 3],
    [4, 2],
  ],
  ["glu", "SHAPE_MISMATCH", /^glu: expected axis 1 of even size, got \[2, 3\]$/, (x) => ops.glu(x!), [2, 3]],
  [
    "elu: option",
    "INVALID_OPTION",
    /^elu: unknown option "aplha"; did you mean "alpha"\?$/,
    (x) => ops.elu(x!, { aplha: 1 } as never),
    [2],
  ],
  [
    "leakyRelu: option",
    "INVALID_OPTION",
    /^leakyRelu: expected negativeSlope to be a number, got "0.1"$/,
    (x) => ops.leakyRelu(x!, { negativeSlope: "0.1" as never }),
    [2],
  ],
  [
    "dropout",
    "INVALID_OPTION",
    /^random.dropout: expected rate to be a number in \[0, 1\), got 1$/,
    (x) => ops.random.dropout(x!, 1),
    [2],
  ],
  [
    "bernoulli",
    "INVALID_OPTION",
    /^random.bernoulli: expected p to be a number in \[0, 1\], got 1.5$/,
    () => ops.random.bernoulli([2], { p: 1.5 }),
  ],
  [
    "seed",
    "INVALID_OPTION",
    /^random: expected seed to be a number or SeedGenerator, got "seven"$/,
    () => ops.random.uniform([2], { seed: "seven" as never }),
  ],
  [
    "seed: negative",
    "INVALID_OPTION",
    /^random: expected seed to be an integer of at least 0, got -1$/,
    () => ops.random.uniform([2], { seed: -1 }),
  ],
  [
    "sgd: momentum",
    "INVALID_OPTION",
    /^sgdUpdate: expected momentum to be a number in \[0, 1\], got 2$/,
    (p, g) => ops.sgdUpdate([{ parameter: p!, gradient: g! }], { learningRate: 1, momentum: 2 }),
    [2],
    [2],
  ],
  [
    "sgd: no velocity",
    "INVALID_ARGUMENT",
    /^sgdUpdate velocity: expected a Value.* got undefined$/,
    (p, g) => ops.sgdUpdate([{ parameter: p!, gradient: g! }], { learningRate: 1, momentum: 0.5 }),
    [2],
    [2],
  ],
  [
    "adam: shapes",
    "SHAPE_MISMATCH",
    /^adamUpdate: expected float32 tensors of one shape, got f32\[2\] and f32\[3\]/,
    (p, g) =>
      ops.adamUpdate([{ parameter: p!, gradient: g!, m: p!, v: p! }], { learningRate: 1, iteration: 0 }),
    [2],
    [3],
  ],
  [
    "customGradient: count",
    "INVALID_ARGUMENT",
    /^customGradient: expected a function, got 3$/,
    () => ops.customGradient(3 as never, () => null),
  ],
  [
    "dtype of a record",
    "DTYPE_MISMATCH",
    /^exp: expected dtype float32, got i32\[2\]$/,
    (x) => emit(allOps.get("exp")!, [x!]),
    [[2], "int32"],
  ],
  [
    "dtypes of a record",
    "DTYPE_MISMATCH",
    /^add: expected one dtype, got i32\[2\] and f32\[2\]$/,
    (x, y) => emit(allOps.get("add")!, [x!, y!]),
    [[2], "int32"],
    [2],
  ],
  [
    "inputs of a record",
    "INVALID_ARGUMENT",
    /^exp: expected 1 inputs, got 2$/,
    (x) => emit(allOps.get("exp")!, [x!, x!]),
    [2],
  ],
];

describe("wrong use", () => {
  test.each(wrong)("%s", (_text, code, message, fn, ...types) => {
    const error = errorOf(fn, ...types);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  test("names the layer", () => {
    const error = errorOf(
      (x, y) => withScope("encoder", () => withScope("head", () => ops.matmul(x!, y!))),
      [2, 3],
      [4, 5],
    );
    expect(error.message).toMatch(/^matmul at encoder\/head: inner sizes must match/);
  });

  test("outside of a trace", () => {
    expect(() => ops.add(1, 2)).toThrow(expect.objectContaining({ code: "OUTSIDE_TRACE" }));
  });
});

describe("bad data", () => {
  const i32 = (...values: number[]) => tensor(values, undefined, "int32");
  const run = (fn: Parameters<typeof evaluate>[0], ...args: Parameters<typeof evaluate>[1]) =>
    evaluate(fn, args);

  test.each([12, -1])("gather %i", (index) => {
    expect(() =>
      run((x, i) => ops.gather(x!, i!), tensor(new Float32Array(10)), i32(0, 1, 2, index)),
    ).toThrow(
      expect.objectContaining({
        code: "INVALID_DATA",
        message: `gather: index ${index} at 3 is outside [0, 10)`,
      }),
    );
  });
  test("scatterAdd", () => {
    expect(() => run((i, u) => ops.scatterAdd(i!, u!, 3), i32(0, 3), tensor([1, 2]))).toThrow(
      expect.objectContaining({
        code: "INVALID_DATA",
        message: "scatterAdd: index 3 at 1 is outside [0, 3)",
      }),
    );
  });
  test.each([3, -1])("takeAlongAxis does not reach into the next row for %i", (index) => {
    expect(() =>
      run(
        (x, i) => ops.takeAlongAxis(x!, i!),
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]),
        tensor([[0], [index]], undefined, "int32"),
      ),
    ).toThrow(expect.objectContaining({ code: "INVALID_DATA" }));
  });
  test.each([3, -1])("label %i", (label) => {
    expect(() =>
      run(
        (x, l) => ops.sparseSoftmaxCrossEntropy(x!, l!),
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]),
        i32(0, label),
      ),
    ).toThrow(
      expect.objectContaining({
        code: "LABEL_OUT_OF_RANGE",
        message: `sparseSoftmaxCrossEntropy: label ${label} at row 1 is outside [0, 3)`,
      }),
    );
  });
});
