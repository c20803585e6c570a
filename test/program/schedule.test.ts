// The order of steps: a new state waits for the readers of the old one, and nothing else moves.

import { describe, expect, it } from "vitest";
import { check } from "../../src/graph/check.ts";
import type { Value } from "../../src/graph/graph.ts";
import { assignVariable, readVariable, trace } from "../../src/graph/trace.ts";
import { Variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";
import { schedule } from "../../src/program/schedule.ts";

function order(fn: () => Value[]): string[] {
  const graph = schedule(trace(fn, []).graph);
  check(graph, "schedule");
  return graph.nodes.map((n) => n.op.name);
}

describe("schedule", () => {
  it("puts a new state behind the last reader of the old one", () => {
    const v = new Variable([3]);
    const names = order(() => {
      const old = readVariable(v);
      assignVariable(v, ops.negative(old));
      return [ops.exp(old), ops.sin(ops.reshape(old, [3, 1]))];
    });
    expect(names).toEqual(["exp", "reshape", "sin", "negative"]);
  });

  it("gives way where readers of the old state depend on the new one", () => {
    const v = new Variable([3]);
    const names = order(() => {
      const old = readVariable(v);
      const next = ops.negative(old);
      assignVariable(v, next);
      return [ops.add(old, next)];
    });
    expect(names).toEqual(["negative", "add"]);
  });

  it("gives way where two states wait for each other", () => {
    const [a, b] = [new Variable([3]), new Variable([3])];
    const names = order(() => {
      const [x, y] = [readVariable(a), readVariable(b)];
      assignVariable(a, ops.exp(y));
      assignVariable(b, ops.sin(x));
      return [];
    });
    expect(names).toEqual(["exp", "sin"]);
  });

  it("leaves everything else as it was", () => {
    const names = order(() => [ops.exp(1), ops.sin(ops.cos(2))]);
    expect(names).toEqual(["constant", "exp", "constant", "cos", "sin"]);
  });
});
