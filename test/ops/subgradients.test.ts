// Gradients where no finite difference can tell: at kinks, ties and zeros. The choices are those of TensorFlow where it has one.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as ops from "../../src/ops/index.ts";
import { evaluate } from "../helpers/evaluate.ts";

type Fn = (...xs: Value[]) => Value;

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

function gradients(fn: Fn, ...args: readonly (readonly number[])[]): number[][] {
  const results = evaluate(
    (...xs) => backward([fn(...xs)], [undefined], xs),
    args.map((a) => tensor(a)),
  );
  return results.map((t) => Array.from(t.data, (x) => Number(x.toFixed(6)) + 0));
}

const kinks: readonly [string, Fn, number[], number[]][] = [
  ["relu", ops.relu, [-1, 0, 2], [0, 0, 1]],
  ["abs", ops.abs, [-1, 0, 2], [-1, 0, 1]],
  ["clip", (x) => ops.clip(x, -1, 1), [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]],
  ["relu6", ops.relu6, [-1, 0, 3, 6, 7], [0, 0, 1, 1, 0]],
  ["leakyRelu", (x) => ops.leakyRelu(x, { negativeSlope: 0.5 }), [-1, 0, 2], [0.5, 0.5, 1]],
  ["max of ties", (x) => ops.max(x), [3, 1, 3, 3], [0.333333, 0, 0.333333, 0.333333]],
  ["min of ties", (x) => ops.min(x), [1, 3, 1], [0.5, 0, 0.5]],
  ["prod without zeros", (x) => ops.prod(x), [2, 3, 4], [12, 8, 6]],
  ["prod with one zero", (x) => ops.prod(x), [2, 0, 4], [0, 8, 0]],
  ["prod with two zeros", (x) => ops.prod(x), [2, 0, 0], [0, 0, 0]],
  ["square by power", (x) => ops.power(x, 2), [-3, 0], [-6, 0]],
  ["cube", (x) => ops.power(x, 3), [-2, 0], [12, 0]],
  ["sqrt at 0", ops.sqrt, [4, 0], [0.25, inf]],
  ["logSumExp of -Infinity", (x) => ops.logSumExp(x), [-inf, 0], [0, 1]],
  ["softplus at 0", ops.softplus, [-800, 0, 800], [0, 0, 1]],
  ["logSigmoid far out", ops.logSigmoid, [-800, 800], [1, 0]],
  ["elu far out", (x) => ops.elu(x), [-800, 800], [0, 1]],
  ["selu far out", ops.selu, [800], [1.050701]],
  ["tanh far out", ops.tanh, [-50, 50], [0, 0]],
  ["sigmoid far out", ops.sigmoid, [-800, 800], [0, 0]],
  ["silu far out", ops.silu, [-800, 800], [0, 1]],
  ["gelu far out", (x) => ops.gelu(x), [-80, 80], [0, 1]],
  ["mish far out", ops.mish, [-80, 80], [0, 1]],
  ["NaN stays in relu's result, not in its mask", ops.relu, [nan], [0]],
];

describe("at kinks", () => {
  test.each(kinks)("%s", (_name, fn, at, expected) => {
    expect(gradients(fn, at)[0]).toEqual(expected);
  });
});

describe("of two operands", () => {
  test("maximum and minimum give ties to the first", () => {
    expect(gradients((x, y) => ops.maximum(x!, y!), [1, 2, 3], [2, 2, 2])).toEqual([[0, 1, 1], [1, 0, 0]]); // biome-ignore format: short
    expect(gradients((x, y) => ops.minimum(x!, y!), [1, 2, 3], [2, 2, 2])).toEqual([[1, 1, 0], [0, 0, 1]]); // biome-ignore format: short
  });
  test("power at zeros and of negative numbers", () => {
    expect(gradients((x, y) => ops.power(x!, y!), [0, 0, 2, -2], [0, 2, 0, 3])).toEqual([
      [0, 0, 0, 12],
      [0, 0, Number(Math.LN2.toFixed(6)), 0],
    ]);
  });
  test("what where does not choose does not matter", () => {
    const safe = (x: Value) => ops.where(ops.greater(x, 0), ops.log(ops.where(ops.greater(x, 0), x, 1)), 0);
    expect(gradients((x) => safe(x!), [0, -1, 2])[0]).toEqual([0, 0, 0.5]);
  });
});

describe("large logits", () => {
  test("cross-entropy has finite losses and gradients", () => {
    const logits = tensor([[1e4, 0, -1e4]]);
    const [sparse, dense, g] = evaluate(
      (x) => {
        const a = ops.sparseSoftmaxCrossEntropy(x!, ops.constant(tensor([2], undefined, "int32")));
        const b = ops.softmaxCrossEntropy(x!, ops.constant([[0, 0, 1]]));
        return [a, b, ...backward([a], [undefined], [x!])];
      },
      [logits],
    );
    expect([sparse!.item(), dense!.item()]).toEqual([2e4, 2e4]);
    expect(Array.from(g!.data)).toEqual([1, 0, -1]);
  });
});
