// checkGradients finds wrong gradients and passes right ones, in double precision whatever engine is current.

import { describe, expect, it } from "vitest";
import { checkGradients } from "../../src/check-gradients.ts";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { Variable, variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("checkGradients", () => {
  it("passes right gradients, of functions with several arguments and results", async () => {
    const x = [[0.1, -0.2, 0.3], [0.5, 0.7, -0.4]]; // biome-ignore format: matrix
    const w = [[0.3], [-0.1], [0.2]];
    const layer = (a: Value, b: Value) => ({ y: ops.tanh(ops.matmul(a, b)), norm: ops.sum(ops.square(b)) });
    expect(await checkGradients(layer, [x, w])).toBeLessThan(1e-8);
    expect(await checkGradients((a) => [ops.softmax(a), ops.logSoftmax(a)], [x])).toBeLessThan(1e-8);
  });

  it("finds a wrong one and names the argument", async () => {
    const wrong = ops.customGradient(
      (x) => ops.square(x),
      ({ inputs, grads }) => [ops.multiply(grads[0]!, inputs[0]!)],
    );
    const f = (a: Value, b: Value) => ops.add(ops.sin(a), wrong(b));
    await expect(checkGradients(f, [1, 2])).rejects.toThrow(code("GRADIENT_MISMATCH"));
    await expect(checkGradients(f, [1, 2])).rejects.toThrow(
      /by argument 1 along a random direction, got -?2 .*relative error 5\.00e-1/,
    );
  });

  it("finds a gradient that is missing", async () => {
    await expect(checkGradients((x) => ops.multiply(x, ops.stopGradient(x)), [3])).rejects.toThrow(
      code("GRADIENT_MISMATCH"),
    );
    await expect(checkGradients((x) => ops.stopGradient(ops.square(x)), [3])).rejects.toThrow(
      code("GRADIENT_MISMATCH"),
    );
  });

  it("finds NaN", async () => {
    await expect(checkGradients((x) => ops.sqrt(x), [-1])).rejects.toThrow(code("GRADIENT_MISMATCH"));
  });

  it("leaves integer arguments and variables alone, and draws the same random numbers every time", async () => {
    const w = variable(tensor([0.5, 2]));
    const key = new Variable([], "int32");
    const f = (x: Value, rows: Value) => {
      const picked = ops.gather(ops.multiply(x, w), rows);
      return ops.random.dropout(picked, 0.5);
    };
    expect(await checkGradients(f, [[1.5, -2], tensor([0, 1, 1], undefined, "int32")])).toBeLessThan(1e-8);
    expect(w.read().toArray()).toEqual([0.5, 2]);
    expect(key.read().item()).toBe(0);
  });

  it("says what is wrong with its arguments", async () => {
    await expect(checkGradients((x) => x, 3 as never)).rejects.toThrow("expected a list of arguments, got 3");
    await expect(checkGradients((x) => x, [1], { epsilon: 0 })).rejects.toThrow(code("INVALID_OPTION"));
    await expect(checkGradients((x) => x, [1], { tolerence: 1 } as object)).rejects.toThrow(
      /did you mean "tolerance"/,
    );
    await expect(checkGradients((x) => ops.cast(x, "int32"), [1])).rejects.toThrow(
      code("NOT_DIFFERENTIABLE"),
    );
  });
});
