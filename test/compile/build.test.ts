// build: the path from a function to a run, on buffers that are pooled and variables that live elsewhere.

import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { Tensor, tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { readValue, release, writeValue } from "../../src/engine/residence.ts";
import type { Value } from "../../src/graph/graph.ts";
import { assignVariable, readVariable } from "../../src/graph/trace.ts";
import { Variable, variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";

const f32 = (...shape: number[]) => ({ shape, dtype: "float32" as const });
const engine = new ReferenceEngine();
const code = (expected: string) => expect.objectContaining({ code: expected });

describe("Built", () => {
  it("runs with arguments, results and state", async () => {
    const total = new Variable([2], "float32", { name: "total" });
    const fn = (x: Value): Value[] => {
      assignVariable(total, ops.add(total, x));
      return [ops.multiply(x, 2), ops.sum(readVariable(total))];
    };
    const built = build(fn, [f32(2)], { engine });
    expect(built.variables).toEqual([total]);
    const [double, sum] = await built.run([tensor([1, 2])], { steps: 3 });
    expect(double!.toArray()).toEqual([2, 4]);
    expect(sum!.item()).toBe(9);
    expect(total.read().toArray()).toEqual([3, 6]);
  });

  it("keeps several runs apart", async () => {
    const built = build((x) => [ops.square(x)], [f32(3)], { engine });
    const runs = Array.from({ length: 8 }, (_, i) => built.run([tensor([i, i + 1, i + 2])]));
    const results = await Promise.all(runs);
    results.forEach(([y], i) => {
      expect(y!.toArray()).toEqual([i ** 2, (i + 1) ** 2, (i + 2) ** 2]);
    });
  });

  it("gives results their own memory", () => {
    const built = build((x) => [ops.square(x)], [f32(1)], { engine });
    const [first] = built.runSync([tensor([2])]);
    built.runSync([tensor([3])]);
    expect(first!.toArray()).toEqual([4]);
  });

  it("refuses arguments of another type, naming the function", async () => {
    const built = build((x) => [x], [f32(2)], { engine, name: "predict" });
    expect(() => built.runSync([])).toThrow("predict: expected 1 arguments, got 0");
    expect(() => built.runSync([tensor([1, 2, 3])])).toThrow(
      "predict: argument 0: expected f32[2], got f32[3]",
    );
    expect(() => built.runSync([tensor([1, 2, 3])])).toThrow(code("SHAPE_MISMATCH"));
    expect(() => built.runSync([tensor([1, 2], undefined, "int32")])).toThrow(code("DTYPE_MISMATCH"));
    expect(() => built.runSync([[1, 2] as unknown as Tensor])).toThrow(code("INVALID_ARGUMENT"));
    await expect(built.run([tensor([1, 2])], { steps: 0 })).rejects.toThrow(code("INVALID_OPTION"));
    await expect(built.run([])).rejects.toThrow(code("INVALID_ARGUMENT"));
  });

  it("takes doubles, rounded where the engine stores float32", () => {
    const built = build((x) => [x], [f32(1)], { engine });
    const [y] = built.runSync([new Tensor(Float64Array.of(0.1), [1], "float32")]);
    expect(y!.data).toEqual(Float32Array.of(0.1));
  });

  it("goes on after a run that failed or was aborted", async () => {
    const count = new Variable([]);
    const fn = (): Value[] => {
      assignVariable(count, ops.add(count, 1));
      return [readVariable(count)];
    };
    const built = build(fn, [], { engine });
    await expect(built.run([], { signal: AbortSignal.abort() })).rejects.toThrow(code("ABORTED"));
    expect(built.runSync()[0]!.item()).toBe(1);
  });

  it("passes reports on with the values of watched variables", async () => {
    const count = new Variable([]);
    const zeros = new Variable([100_000]);
    const fn = (): Value[] => {
      const slow = ops.mean(ops.exp(zeros));
      assignVariable(count, ops.add(count, slow));
      return [];
    };
    const built = build(fn, [], { engine });
    const seen: number[][] = [];
    const onReport = (r: { done: number; watched: readonly ArrayLike<number>[] }) =>
      seen.push([r.done, r.watched[0]![0]!]);
    await built.run([], { steps: 100, watch: [count], onReport });
    expect(seen.length).toBeGreaterThan(0);
    for (const [done, value] of seen) expect(value).toBeCloseTo(done!, 3);
  });

  it("names the layer where a shape is wrong", () => {
    expect(() => build((x) => [ops.matmul(x, ops.ones([3, 2]))], [f32(4, 5)], { engine })).toThrow(
      /inner sizes must match, got \[4, 5\] x \[3, 2\]/,
    );
  });

  it("costs microseconds to call", () => {
    const built = build((x) => [ops.square(x)], [f32(4)], { engine });
    const x = tensor([1, 2, 3, 4]);
    for (let i = 0; i < 2000; i++) built.runSync([x]);
    const begin = performance.now();
    for (let i = 0; i < 2000; i++) built.runSync([x]);
    // About 2 us; the bound only catches a compile or an allocation of buffers in every call.
    expect((performance.now() - begin) / 2000).toBeLessThan(0.1);
  });
});

describe("values of variables", () => {
  it("are kept on the host until an engine needs them, and drawn once", () => {
    let draws = 0;
    const v = new Variable([1], "float32", { initial: () => Float32Array.of(++draws) });
    expect(readValue(v).toArray()).toEqual([1]);
    const built = build(() => [readVariable(v)], [], { engine });
    expect(built.runSync()[0]!.toArray()).toEqual([1]);
    expect(draws).toBe(1);
  });

  it("are written and read wherever they are, and survive release", () => {
    const v = variable(tensor([1, 2]));
    writeValue(v, Float64Array.of(3, 4));
    expect(readValue(v).toArray()).toEqual([3, 4]);
    const built = build(() => [readVariable(v)], [], { engine });
    built.runSync();
    writeValue(v, Float32Array.of(5, 6));
    release(v);
    release(v);
    expect(v.residence).toBeUndefined();
    expect(readValue(v).toArray()).toEqual([5, 6]);
    expect(built.runSync()[0]!.toArray()).toEqual([5, 6]);
    expect(() => writeValue(v, new Float32Array(3))).toThrow("expected 2 elements, got 3");
  });
});
