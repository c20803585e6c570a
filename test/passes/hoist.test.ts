// hoist: which nodes are prepared, and the Program that comes of it.

import { describe, expect, it } from "vitest";
import type { TensorType } from "../../src/core/shape.ts";
import { check } from "../../src/graph/check.ts";
import type { Graph, Value } from "../../src/graph/graph.ts";
import { print } from "../../src/graph/print.ts";
import { assignVariable, trace } from "../../src/graph/trace.ts";
import { Variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";
import { hoist } from "../../src/passes/hoist.ts";
import { lower } from "../../src/program/lower.ts";
import { printProgram } from "../../src/program/print.ts";

const f32 = (...shape: number[]): TensorType => ({ shape, dtype: "float32" });
const weight = (...shape: number[]) => new Variable(shape, "float32");

/** Hoists by all variables the function reads. */
function hoisted(fn: (...args: Value[]) => Value[], types: TensorType[]) {
  const { graph, argumentCount } = trace(fn, types);
  const parts = hoist(graph, new Set(graph.inputs.slice(argumentCount)));
  check(parts.graph, "hoist");
  if (parts.preparation) check(parts.preparation, "hoist");
  return parts;
}

const opsOf = (graph: Graph | undefined) => graph?.nodes.map((n) => n.op.name);

describe("hoist", () => {
  it("takes out what depends on steady inputs alone", () => {
    const [w, scale] = [weight(3, 2), weight(2)];
    const fn = (x: Value) => [ops.matmul(x, ops.multiply(w, ops.rsqrt(ops.add(scale, 1))))];
    const { graph, preparation } = hoisted(fn, [f32(4, 3)]);
    expect(print(graph)).toMatchInlineSnapshot(`
      "(%0 f32[4,3], %1 f32[2], %2 f32[3,2], %3 f32[3,2])
      %4 f32[4,2] = matmul %0 %3 {transA: false, transB: false}
      return %4"
    `);
    expect(print(preparation!)).toMatchInlineSnapshot(`
      "(%0 f32[4,3], %1 f32[2], %2 f32[3,2])
      %3 f32[] = constant {value: [1]}
      %4 f32[2] = add %1 %3
      %5 f32[2] = rsqrt %4
      %6 f32[3,2] = multiply %2 %5
      return %6"
    `);
    expect(printProgram(lower(graph, { preparation }).program)).toMatchInlineSnapshot(`
      "($0 f32[4,3] read, $1 f32[2] read, $2 f32[3,2] read, $3 f32[4,2] write)
      @0 f32[2] = add $1 #0
      @0 f32[2] = rsqrt @0
      !0 f32[3,2] = multiply $2 @0
      $3 f32[4,2] = matmul $0 !0 {transA: false, transB: false}
      the first 3 are preparation, 64 bytes
      arena 64 bytes, constants 64 bytes"
    `);
  });

  it("leaves a graph alone that has nothing to prepare", () => {
    const w = weight(3, 2);
    const { graph, preparation } = hoisted((x) => [ops.matmul(x, w)], [f32(4, 3)]);
    expect(preparation).toBeUndefined();
    expect(opsOf(graph)).toEqual(["matmul"]);
  });

  it("keeps reshapes and broadcasts in the main graph, whatever they are of", () => {
    const w = weight(6);
    const { graph, preparation } = hoisted(
      (x) => [ops.add(x, ops.broadcastTo(ops.reshape(ops.exp(w), [2, 3]), [4, 2, 3]))],
      [f32(4, 2, 3)],
    );
    expect(opsOf(preparation)).toEqual(["exp"]);
    expect(opsOf(graph)).toEqual(["reshape", "broadcastTo", "add"]);
    expect(hoisted((x) => [ops.add(x, ops.reshape(w, [2, 3]))], [f32(2, 3)]).preparation).toBeUndefined();
  });

  it("does not count a state that the graph updates, nor draws, nor arguments", () => {
    const state = weight(3);
    const fn = (x: Value) => {
      const y = ops.exp(state);
      assignVariable(state, ops.add(y, x));
      return [y, ops.exp(x)];
    };
    expect(hoisted(fn, [f32(3)]).preparation).toBeUndefined();
  });

  it("gives results that are prepared, and values that both sides need", () => {
    const w = weight(3);
    const { graph, preparation } = hoisted((x) => [ops.exp(w), ops.log(ops.exp(w)), ops.add(x, w)], [f32(3)]);
    expect(opsOf(preparation)).toEqual(["exp", "exp", "log"]);
    expect(opsOf(graph)).toEqual(["add"]);
    const { program } = lower(graph, { preparation });
    expect(program.preparation).toBe(3);
    expect(program.steps.map((s) => s.op.name)).toEqual(["exp", "exp", "log", "copy", "copy", "add"]);
  });
});
