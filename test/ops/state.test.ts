import { expect, test } from "vitest";
import { compile, ops, tensor, variable } from "../../src/index.ts";
import { rejected } from "../helpers/thrown.ts";

test("assign changes a variable when the function runs, once per run", async () => {
  const total = variable(tensor([1, 2]), { name: "total" });
  const accumulate = compile((x) => ops.assign(total, ops.add(total, x)));
  expect((await accumulate(tensor([1, 1]))).toArray()).toEqual([2, 3]);
  expect(total.read().toArray()).toEqual([2, 3]);
  await accumulate(tensor([1, 1]));
  expect(total.read().toArray()).toEqual([3, 4]);
});

test("later reads in the same trace see the new value", async () => {
  const count = variable(tensor(Int32Array.of(0), []), { name: "count" });
  const twice = compile((x) => {
    ops.assign(count, ops.add(count, 1));
    return ops.multiply(x, count);
  });
  expect((await twice(tensor(10))).item()).toBe(10);
  expect((await twice(tensor(10))).item()).toBe(20);
});

test("assign refuses another shape and what is no variable", async () => {
  const w = variable(tensor([1, 2]), { name: "w" });
  const wrongShape = compile((x) => ops.assign(w, x));
  expect(await rejected(wrongShape(tensor([1, 2, 3])))).toMatchObject({ code: "SHAPE_MISMATCH" });
  const wrongKind = compile((x) => ops.assign(x as never, x));
  expect(await rejected(wrongKind(tensor([1])))).toMatchObject({ code: "INVALID_ARGUMENT" });
});
