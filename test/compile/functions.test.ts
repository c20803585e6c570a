// compile, grad and valueAndGrad as people use them.

import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { setEngine } from "../../src/engine/select.ts";
import { compile, grad, valueAndGrad } from "../../src/functions.ts";
import type { Value } from "../../src/graph/graph.ts";
import { assignVariable, readVariable } from "../../src/graph/trace.ts";
import { variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";

const code = (expected: string) => expect.objectContaining({ code: expected });

beforeAll(() => setEngine("reference"));
afterEach(() => vi.restoreAllMocks());

describe("compile", () => {
  it("takes tensors, typed arrays, numbers and nested arrays", async () => {
    const add = compile((x, y) => ops.add(x, y));
    expect((await add(tensor([1, 2]), 3)).toArray()).toEqual([4, 5]);
    expect((await add([[1], [2]], Float32Array.of(3, 4))).toArray()).toEqual([
      [4, 5],
      [5, 6],
    ]);
    expect(add.sync(1, 2).item()).toBe(3);
  });

  it("takes and gives arrays and records", async () => {
    const step = compile((p: { w: Value; b: Value }, xs: Value[]) => ({
      total: xs.reduce((a, b) => ops.add(a, b)),
      shifted: [ops.multiply(p.w, p.b), { bias: p.b }] as const,
    }));
    // Nested arrays of numbers are one tensor, so a list of tensors holds at least one that is no plain array.
    const out = await step({ b: tensor([2]), w: [3] }, [tensor([1]), [2], [3]]);
    expect(out.total.toArray()).toEqual([6]);
    expect(out.shifted[0].toArray()).toEqual([6]);
    expect(out.shifted[1].bias.toArray()).toEqual([2]);
    // The order in which a record is written does not matter; the number of tensors in a list does.
    expect((await step({ w: [3], b: [2] }, [tensor([4])])).total.toArray()).toEqual([4]);
  });

  it("traces once for each set of shapes and dtypes", async () => {
    let traces = 0;
    const f = compile((x) => {
      traces++;
      return ops.square(x);
    });
    await f([1, 2]);
    await f([3, 4]);
    expect(traces).toBe(1);
    await f([1, 2, 3]);
    await f(tensor([1, 2], undefined, "int32"));
    expect(traces).toBe(3);
  });

  it("warns once when there are many shapes", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const grow = compile(function grow(x: Value) {
      return ops.square(x);
    });
    for (let n = 1; n <= 8; n++) await grow(new Float32Array(n));
    expect(warn).not.toHaveBeenCalled();
    for (let n = 9; n <= 12; n++) await grow(new Float32Array(n));
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain(
      "myelin: grow was called with more than 8 different argument shapes",
    );
  });

  it("reads and assigns variables at every call", async () => {
    const count = variable(tensor([0]));
    const next = compile(() => {
      assignVariable(count, ops.add(count, 1));
      return readVariable(count);
    });
    expect((await next()).item()).toBe(1);
    expect(next.sync().item()).toBe(2);
    count.write(tensor([10]));
    expect((await next()).item()).toBe(11);
  });

  it("is inlined in a trace", async () => {
    const twice = compile((x) => ops.multiply(x, 2));
    const f = compile((x) => ops.add(twice(x), 1));
    expect((await f([1, 2])).toArray()).toEqual([3, 5]);
    const bad = compile((x) => ops.constant(twice.sync(x as never) as Tensor));
    await expect(bad([1])).rejects.toThrow("expected a call outside of a trace");
  });

  it("gives nothing for a function without result, and numbers as tensors", async () => {
    const v = variable(tensor([1]));
    const reset = compile(() => {
      assignVariable(v, ops.zeros([1]));
    });
    expect(await reset()).toBeUndefined();
    expect(v.read().item()).toBe(0);
    expect((await compile(() => 4 as unknown as Value)()).item()).toBe(4);
  });

  it("says what is wrong", async () => {
    expect(() => compile(3 as never)).toThrow("compile: expected a function, got 3");
    expect(() => compile((x: Value) => x, { nmae: "f" } as object)).toThrow(/did you mean "name"/);
    const f = compile(function f(x: Value, y: Value) {
      return ops.add(x, y);
    });
    await expect((f as unknown as (x: number[]) => Promise<Tensor>)([1])).rejects.toThrow(
      "f: expected 2 arguments, got 1",
    );
    await expect(f("text" as never, [1])).rejects.toThrow(
      'f: arguments[0]: expected a tensor, or arrays and records of tensors, got "text"',
    );
    await expect(f({ a: [1, null] } as never, [1])).rejects.toThrow(code("INVALID_DATA"));
    await expect(f([[1, 2], [3]], [1])).rejects.toThrow(code("INVALID_DATA"));
    await expect(f([1, 2], [1, 2, 3])).rejects.toThrow("add: expected shapes that broadcast together");
    const late = compile(async (x: Value) => x);
    await expect(late([1])).rejects.toThrow("expected a function that returns Values, got an async function");
    const odd = compile((x: Value) => ({ x, when: new Date() as unknown as Value }));
    await expect(odd([1])).rejects.toThrow("result.when: expected a tensor");
  });
});

describe("grad", () => {
  it("differentiates by the first argument, and again", async () => {
    const slope = grad((x) => ops.sum(ops.power(x, 3)));
    expect((await slope([1, 2])).toArray()).toEqual([3, 12]);
    const curvature = grad((x) => ops.sum(slope(x)));
    expect((await curvature([1, 2])).toArray()).toEqual([6, 12]);
    expect(
      grad((x) => ops.sum(curvature(x)))
        .sync([1, 2])
        .toArray(),
    ).toEqual([6, 6]);
  });

  it("differentiates by other arguments, by several, and by trees", async () => {
    const f = (x: Value, y: Value) => ops.sum(ops.multiply(ops.square(x), y));
    expect((await grad(f, { argnums: 1 })([2, 3], [5, 7])).toArray()).toEqual([4, 9]);
    const [dx, dy] = await grad(f, { argnums: [0, 1] })([2, 3], [5, 7]);
    expect(dx!.toArray()).toEqual([20, 42]);
    expect(dy!.toArray()).toEqual([4, 9]);
    const g = (p: { w: Value; list: Value[] }) => ops.sum(ops.multiply(p.w, p.list[0]!));
    const tree = await grad(g)({ w: [2], list: [tensor([3]), tensor([4])] });
    expect(tree.w.toArray()).toEqual([3]);
    expect(tree.list.map((t) => t.toArray())).toEqual([[2], [0]]);
  });

  it("keeps the gradients of one Value given twice apart", async () => {
    const f = (x: Value, y: Value) => ops.sum(ops.multiply(ops.square(x), y));
    const inner = grad(f);
    const both = compile((x) => inner(x, x));
    expect((await both([3])).toArray()).toEqual([18]);
  });

  it("differentiates by variables", async () => {
    const w = variable(tensor([2, 3]));
    const unused = variable(tensor([[1]]));
    const loss = (x: Value) => ops.sum(ops.square(ops.multiply(x, w)));
    const [dw, none] = await grad(loss, { wrt: [w, unused] })([1, 2]);
    expect(dw!.toArray()).toEqual([4, 24]);
    expect(none!.toArray()).toEqual([[0]]);
    const { value, gradient } = await valueAndGrad(loss, { wrt: [w] })([1, 2]);
    expect(value.item()).toBe(40);
    expect(gradient[0]!.toArray()).toEqual([4, 24]);
  });

  it("stops where told, and follows custom gradients", async () => {
    const stopped = grad((x) => ops.sum(ops.multiply(x, ops.stopGradient(x))));
    expect((await stopped([2, 3])).toArray()).toEqual([2, 3]);
    const clipped = ops.customGradient(
      (x) => ops.multiply(x, 1),
      ({ grads: [g] }) => [ops.clip(g!, -1, 1)],
    );
    expect((await grad((x) => ops.sum(ops.multiply(clipped(x), 5)))([2])).toArray()).toEqual([1]);
  });

  it("composes with compile and valueAndGrad", async () => {
    const f = compile((x) => ops.sum(ops.square(x)));
    const both = compile((x) => {
      const { value, gradient } = valueAndGrad(f)(x);
      return { value, half: ops.multiply(gradient, 0.5) };
    });
    const { value, half } = await both([1, 2]);
    expect(value.item()).toBe(5);
    expect(half.toArray()).toEqual([1, 2]);
  });

  it("gives updates of variables along with it", async () => {
    const calls = variable(tensor([0]));
    const f = grad((x) => {
      assignVariable(calls, ops.add(calls, 1));
      return ops.sum(x);
    });
    await f([1]);
    await f([1]);
    expect(calls.read().item()).toBe(2);
  });

  it("says what is wrong", async () => {
    const f = (x: Value) => ops.square(x);
    await expect(grad(f)([1, 2])).rejects.toThrow(
      "grad(f): expected a scalar result, got f32[2]; reduce it with ops.sum or ops.mean",
    );
    await expect(grad(f)(tensor([1], undefined, "int32"))).rejects.toThrow(
      "grad(f): expected argument 0 to be float32, got i32[1]",
    );
    await expect(grad(f)(tensor([1], undefined, "int32"))).rejects.toThrow(code("NOT_DIFFERENTIABLE"));
    await expect(grad((x) => ops.sum(ops.cast(x, "int32")))([1])).rejects.toThrow(code("NOT_DIFFERENTIABLE"));
    await expect(grad(f, { argnums: 1 })(1)).rejects.toThrow(
      "expected an argument 1 to differentiate by, got 1 arguments",
    );
    await expect((grad(f) as unknown as () => Promise<Tensor>)()).rejects.toThrow(
      "grad(f): expected 1 arguments, got 0",
    );
    await expect(grad((() => 3) as never)()).rejects.toThrow(code("INVALID_ARGUMENT"));
    expect(() => grad(undefined as never)).toThrow("grad: expected a function, got undefined");
    expect(() => grad(f, { argnums: -1 })).toThrow(code("INVALID_OPTION"));
    expect(() => grad(f, { argnums: 0, wrt: [] } as object)).toThrow("expected argnums or wrt, got both");
    expect(() => grad(f, { wrt: [tensor(1)] } as object)).toThrow(/expected wrt to hold Variables/);
    expect(() => grad(f, { argnum: 0 } as object)).toThrow(/did you mean "argnums"/);
  });
});
