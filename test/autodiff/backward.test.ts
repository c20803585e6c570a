// The reverse sweep itself: what it visits, sums, leaves out and refuses. Whether rules are right is judged in test/ops.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import type { Shape } from "../../src/core/shape.ts";
import { Tensor, tensor } from "../../src/core/tensor.ts";
import { check } from "../../src/graph/check.ts";
import type { Op, Value } from "../../src/graph/graph.ts";
import { emit, trace, withScope } from "../../src/graph/trace.ts";
import * as ops from "../../src/ops/index.ts";
import { evaluate } from "../helpers/evaluate.ts";

const f32 = (shape: Shape) => ({ shape, dtype: "float32" as const });
const numbers = (t: Tensor | undefined): number[] => Array.from(t!.data);

describe("backward", () => {
  test("sums what arrives at a value used twice, and in two outputs", () => {
    const [dx] = evaluate(
      (x) => backward([ops.multiply(x!, x!), ops.negative(x!)], [undefined, undefined], [x!]),
      [tensor([1, 2, 3])],
    );
    expect(numbers(dx)).toEqual([1, 3, 5]);
  });

  test("weights outputs by their seeds", () => {
    const [dx] = evaluate(
      (x, s) => backward([ops.square(x!)], [s], [x!]),
      [tensor([1, 2]), tensor([10, -1])],
    );
    expect(numbers(dx)).toEqual([20, -4]);
  });

  test("gives zeros, in shape, for what the outputs do not depend on", () => {
    const [dx, dy] = evaluate(
      (x, y) => backward([ops.square(x!)], [undefined], [x!, y!]),
      [tensor([1, 2]), tensor([[3]])],
    );
    expect(numbers(dx)).toEqual([2, 4]);
    expect(dy!.shape).toEqual([1, 1]);
    expect(numbers(dy)).toEqual([0]);
  });

  test("takes values in the middle, and one that lies behind another", () => {
    const [dh, dx, dy] = evaluate(
      (x) => {
        const h = ops.square(x!);
        const y = ops.multiply(h, 3);
        return backward([y], [undefined], [h, x!, y]);
      },
      [tensor([2])],
    );
    expect([dh, dx, dy].map((t) => t!.item())).toEqual([3, 12, 1]);
  });

  test("undoes broadcasting in every position", () => {
    const shapes: Shape[] = [[3], [2, 1], [1, 1], [], [2, 3]];
    const ones = (s: Shape) =>
      new Tensor(new Float32Array(s.reduce((p, d) => p * d, 1)).fill(2), s, "float32");
    for (const shape of shapes) {
      const [dx] = evaluate(
        (x, y) => backward([ops.multiply(x!, y!)], [undefined], [x!]),
        [ones(shape), ones([2, 3])],
      );
      expect(dx!.shape).toEqual(shape);
      expect(numbers(dx)).toEqual(Array(dx!.size).fill((2 * 6) / dx!.size));
    }
  });

  test("does not pass through integers, comparisons, stopGradient or rounding", () => {
    const blocked: ((x: Value) => Value)[] = [
      (x) => ops.cast(ops.cast(x, "int32"), "float32"),
      (x) => ops.cast(ops.greater(x, 0), "float32"),
      ops.stopGradient,
      ops.round,
      (x) => ops.gather(ops.constant([1, 2, 3]), ops.argmax(x)),
    ];
    for (const fn of blocked) {
      const [dx] = evaluate(
        (x) => backward([ops.add(ops.sum(fn(x!)), ops.sum(x!))], [undefined], [x!]),
        [tensor([0.5, 1.5])],
      );
      expect(numbers(dx)).toEqual([1, 1]);
    }
  });

  test("goes through thousands of nodes without a deep call", () => {
    const depth = 20_000;
    const [dx] = evaluate(
      (x) => {
        let y = x!;
        for (let i = 0; i < depth; i++) y = ops.add(y, 1);
        return backward([y], [undefined], [x!]);
      },
      [tensor([0])],
    );
    expect(dx!.item()).toBe(1);
  });

  test("visits a diamond of diamonds once per node", () => {
    const { graph } = trace(
      (x) => {
        let y = x!;
        for (let i = 0; i < 60; i++) y = ops.add(ops.sin(y), ops.cos(y)); // 2^60 paths
        return backward([y], [undefined], [x!]);
      },
      [f32([])],
    );
    check(graph);
    expect(graph.nodes.length).toBeLessThan(60 * 12);
  });

  test("differentiates its own output: third derivative of x^4", () => {
    const nth = (x: Value, n: number): Value =>
      n === 0 ? ops.square(ops.square(x)) : backward([nth(x, n - 1)], [undefined], [x])[0]!;
    const [d3] = evaluate((x) => nth(x!, 3), [tensor([2])]);
    expect(numbers(d3)).toEqual([48]);
  });

  test("differentiates composites without a rule through their definition", () => {
    const inputs = [0.5, 1, 2].map((v) => tensor([v]));
    const [dp, dg] = evaluate((p, g, lr) => {
      const [{ parameter }] = ops.sgdUpdate([{ parameter: p!, gradient: g! }], {
        learningRate: ops.sum(lr!),
      }) as [{ parameter: Value }];
      return backward([ops.square(parameter)], [undefined], [p!, g!]);
    }, inputs);
    expect(dp!.item()).toBe(2 * (0.5 - 2));
    expect(dg!.item()).toBe(2 * (0.5 - 2) * -2);
  });

  test("a composite whose inputs depend on each other, or are the same, gets each path once", () => {
    const [dx] = evaluate(
      (x) => {
        const g = ops.square(x!);
        const [{ parameter }] = ops.sgdUpdate([{ parameter: x!, gradient: g }], { learningRate: 0.5 }) as [
          { parameter: Value },
        ];
        const [same] = ops.sgdUpdate([{ parameter: x!, gradient: x! }], { learningRate: 0.25 }) as [
          { parameter: Value },
        ];
        return backward([ops.add(parameter, same.parameter)], [undefined], [x!]);
      },
      [tensor([3])],
    );
    expect(dx!.item()).toBe(1 - 0.5 * 6 + 0.75); // x - x^2 / 2 + 3 x / 4
  });

  test("names the layer a gradient belongs to", () => {
    const { graph } = trace(
      (x) => {
        const y = withScope("model", () => withScope("dense", () => ops.sin(x!)));
        return backward(backward([y], [undefined], [x!]), [undefined], [x!]);
      },
      [f32([2])],
    );
    const paths = new Set(graph.nodes.map((n) => n.where));
    expect(paths).toContain("model/dense");
    expect(paths).toContain("model/dense/gradient");
    expect([...paths].some((p) => p.includes("gradient/gradient"))).toBe(false);
  });

  test("refuses integers, seeds of another shape, and ops without a gradient on the way", () => {
    const failure = (fn: (x: Value, i: Value) => readonly Value[]) => () =>
      trace((x, i) => fn(x!, i!), [f32([2]), { shape: [2], dtype: "int32" }]);
    const opaque: Op = { name: "opaque", kind: "primitive", infer: (inputs) => inputs };
    expect(failure((_x, i) => backward([i], [undefined], [i]))).toThrow(
      expect.objectContaining({
        code: "NOT_DIFFERENTIABLE",
        message: "gradient: expected float32 values, got i32[2]",
      }),
    );
    expect(failure((x) => backward([ops.sin(x)], [ops.constant([1, 2, 3])], [x]))).toThrow(
      expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: "gradient: expected a gradient like its output f32[2], got f32[3]",
      }),
    );
    expect(
      failure((x) =>
        backward(
          withScope("head", () => emit(opaque, [x])),
          [undefined],
          [x],
        ),
      ),
    ).toThrow(
      expect.objectContaining({
        code: "NOT_DIFFERENTIABLE",
        message: "opaque at head: expected an op with a gradient, it has none",
      }),
    );
    // Off the way it does no harm.
    expect(() =>
      trace(
        (x) => backward([ops.add(ops.sin(x!), emit(opaque, [ops.constant([1, 2])])[0]!)], [undefined], [x!]),
        [f32([2])],
      ),
    ).not.toThrow();
  });
});

describe("customGradient", () => {
  test("the rule replaces the function's own gradient, for several inputs and outputs", () => {
    const both = ops.customGradient(
      (x, y) => [ops.multiply(x!, y!), ops.add(x!, y!)],
      ({ grads: [p, s], inputs: [x] }) => [ops.add(p!, ops.multiply(s!, 100)), ops.multiply(x!, 0)],
    );
    const [z, dx, dy] = evaluate(
      (x, y) => {
        const [product, total] = both(x!, y!) as [Value, Value];
        return [product, ...backward([product, total], [undefined, ops.constant([2])], [x!, y!])];
      },
      [tensor([3]), tensor([4])],
    );
    expect([z, dx, dy].map((t) => t!.item())).toEqual([12, 201, 0]);
  });

  test("a missing output gradient arrives as zeros, and null stops", () => {
    const pair = ops.customGradient(
      (x, y) => [x!, y!],
      ({ grads: [, g] }) => [g!, null],
    );
    const [dx, dy] = evaluate(
      (x, y) => backward([pair(x!, y!)[0]!], [undefined], [x!, y!]),
      [tensor([3]), tensor([4])],
    );
    expect([dx!.item(), dy!.item()]).toEqual([0, 0]);
  });

  test("the rule may use values from around it, and is differentiated again", () => {
    const second = (x: Value, k: Value): Value => {
      const cube = ops.customGradient(
        (v) => ops.power(v, 3),
        ({ grads: [g], inputs: [v] }) => ops.multiply(g!, ops.multiply(k, ops.square(v!))),
      );
      const [dx] = backward([cube(x)], [undefined], [x]) as [Value];
      return backward([dx], [undefined], [x])[0]!;
    };
    const [d2] = evaluate((x, k) => second(x!, k!), [tensor([2]), tensor([5])]);
    expect(d2!.item()).toBe(20);
  });

  test("what a rule returns is checked", () => {
    const traced = (rule: ops.CustomGradientRule) => () =>
      trace(
        (x) => backward([ops.customGradient((v) => ops.sin(v), rule)(x!)], [undefined], [x!]),
        [f32([2])],
      );
    expect(traced(() => [])).toThrow(
      "customGradient: expected one gradient per input, got 0 gradients for 1 inputs",
    );
    expect(traced(() => ops.zeros([3]))).toThrow(
      "customGradient: expected gradient and input 0 of one shape, got f32[3] and f32[2]",
    );
  });
});
