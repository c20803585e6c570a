// absorb: which factors go into weights, and that the result stays what it was, to rounding.

import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { Random } from "../../src/core/random.ts";
import { sizeOf, type TensorType } from "../../src/core/shape.ts";
import { tensor } from "../../src/core/tensor.ts";
import { check } from "../../src/graph/check.ts";
import type { Value } from "../../src/graph/graph.ts";
import { print } from "../../src/graph/print.ts";
import { trace } from "../../src/graph/trace.ts";
import { Variable } from "../../src/graph/variable.ts";
import { layers, sequential, setEngine } from "../../src/index.ts";
import * as ops from "../../src/ops/index.ts";
import { absorb } from "../../src/passes/absorb.ts";
import { steadyValues } from "../../src/passes/hoist.ts";
import { prune } from "../../src/passes/prune.ts";
import { availableEngines } from "../helpers/engines.ts";

const f32 = (...shape: number[]): TensorType => ({ shape, dtype: "float32" });
let seed = 0;
const noise = (size: number, from: number): Float32Array => {
  const random = new Random(from);
  return Float32Array.from({ length: size }, () => random.integer(1000) / 500 - 1 + 0.0005);
};
const weight = (...shape: number[]) => {
  const data = noise(sizeOf(shape), ++seed);
  return new Variable(shape, "float32", { initial: () => data.slice() });
};

function absorbed(fn: (...args: Value[]) => Value[], types: TensorType[]) {
  const { graph, argumentCount } = trace(fn, types);
  const made = prune(absorb(graph, steadyValues(graph, new Set(graph.inputs.slice(argumentCount)))));
  check(made, "absorb");
  return made;
}
const names = (fn: (...args: Value[]) => Value[], types: TensorType[]) =>
  absorbed(fn, types).nodes.map((n) => n.op.name);

describe("absorb", () => {
  it("takes the scale of a normalisation into the convolution before it, and its bias along", () => {
    const [kernel, bias, scale, shift] = [weight(3, 3, 2, 4), weight(4), weight(4), weight(4)];
    const fn = (x: Value) => [ops.add(ops.multiply(ops.add(ops.conv(x, kernel), bias), scale), shift)];
    expect(print(absorbed(fn, [f32(1, 6, 6, 2)]))).toMatchInlineSnapshot(`
      "(%0 f32[1,6,6,2], %1 f32[3,3,2,4], %2 f32[4], %3 f32[4], %4 f32[4])
      %5 f32[3,3,2,4] = multiply %1 %3
      %6 f32[1,4,4,4] = conv %0 %5 {strides: [1,1], before: [0,0], after: [0,0], dilations: [1,1], groups: 1}
      %7 f32[4] = multiply %2 %3
      %8 f32[1,4,4,4] = add %6 %7
      %9 f32[1,4,4,4] = add %8 %4
      return %9"
    `);
  });

  it("takes numbers and turned weights", () => {
    const w = weight(5, 3);
    const s = weight(1, 5);
    expect(names((x) => [ops.multiply(ops.matmul(x, w, { transposeB: true }), s)], [f32(2, 3)])).toEqual([
      "reshape",
      "reshape",
      "multiply",
      "matmul",
    ]);
    expect(names((x) => [ops.multiply(0.5, ops.matmul(x, w))], [f32(2, 5)])).toEqual([
      "constant",
      "multiply",
      "matmul",
    ]);
  });

  it("leaves alone what others read, what is not steady, and factors along other axes", () => {
    const [w, s, column] = [weight(5, 3), weight(3), weight(2, 1)];
    const same = (fn: (...args: Value[]) => Value[], ...types: TensorType[]) => {
      const { graph } = trace(fn, types);
      expect(names(fn, types)).toEqual(graph.nodes.map((n) => n.op.name));
    };
    same(
      (x) => {
        const y = ops.matmul(x, w);
        return [ops.multiply(y, s), y];
      },
      f32(2, 5),
    );
    same((x) => [ops.multiply(ops.matmul(x, w), column)], f32(2, 5));
    same((x, y) => [ops.multiply(ops.matmul(x, y), s)], f32(2, 5), f32(5, 3));
    same((x, y) => [ops.multiply(ops.matmul(x, w), y)], f32(2, 5), f32(3));
    same((x) => [ops.multiply(ops.relu(ops.matmul(x, w)), s)], f32(2, 5));
    same((x) => [ops.multiply(ops.add(ops.matmul(x, w), ops.sliceAxis(x, 1, 0, 3)), s)], f32(5, 5));
  });

  it("gives what it gave, to rounding", () => {
    const [w, t, b, s] = [weight(5, 3), weight(3, 5), weight(3), weight(3)];
    const x = tensor(noise(20, 99), [4, 5]);
    const cases: ((x: Value) => Value)[] = [
      (v) => ops.multiply(ops.subtract(ops.matmul(v, w), b), s),
      (v) => ops.multiply(s, ops.subtract(b, ops.matmul(v, t, { transposeB: true }))),
      (v) => ops.multiply(ops.add(ops.reshape(ops.matmul(v, w), [2, 2, 3]), b), ops.reshape(s, [1, 1, 3])),
      (v) => ops.multiply(ops.multiply(ops.matmul(v, w), s), 3),
    ];
    for (const engine of availableEngines()) {
      for (const fn of cases) {
        const run = (on: boolean) =>
          build((v) => [fn(v)], [f32(4, 5)], {
            engine,
            steady: [w, t, b, s],
            passes: { absorb: on },
          }).runSync([x])[0]!;
        const [got, wanted] = [run(true), run(false)];
        got.data.forEach((y, i) => {
          expect(y).toBeCloseTo(wanted.data[i]!, 5);
        });
      }
    }
  });
});

describe.each(availableEngines())("a network of convolutions and batch normalisation on $name", (engine) => {
  it("predicts what its layers compute", () => {
    setEngine(engine);
    const m = sequential(
      [
        layers.conv2d({ filters: 8, kernelSize: 3, padding: "same", useBias: false, inputShape: [9, 7, 3] }),
        layers.batchNormalization(),
        layers.relu(),
        layers.depthwiseConv2d({ kernelSize: 3 }),
        layers.batchNormalization(),
        layers.conv2d({ filters: 70, kernelSize: 1 }),
        layers.batchNormalization(),
        layers.flatten(),
        layers.dense({ units: 40 }),
        layers.batchNormalization({ scale: false }),
      ],
      { seed: 3 },
    );
    m.setWeights(m.getWeights().map((t, i) => tensor(noise(t.size, i).map(Math.abs), t.shape)));
    const x = tensor(noise(2 * 9 * 7 * 3, 50), [2, 9, 7, 3]);
    const got = m.predictSync(x);
    const [wanted] = build((v) => m.callFlat([v], { training: false }), [f32(2, 9, 7, 3)], {
      engine,
    }).runSync([x]);
    const size = Math.hypot(...wanted!.data);
    expect(Math.hypot(...got.data.map((y, i) => y - wanted!.data[i]!)) / size).toBeLessThan(2e-6);
    m.setWeights(
      m.getWeights().map((t) =>
        tensor(
          t.data.map(() => 0.5),
          t.shape,
        ),
      ),
    );
    const [again] = build((v) => m.callFlat([v], { training: false }), [f32(2, 9, 7, 3)], { engine }).runSync(
      [x],
    );
    m.predictSync(x).data.forEach((y, i) => {
      expect(Math.abs(y - again!.data[i]!)).toBeLessThan(1e-5 * Math.abs(again!.data[i]!) + 1e-5);
    });
    setEngine("auto");
  });
});
