// Lowering, without running anything: where values end up, in which order states are written, and what never overlaps.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BYTES } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/graph.ts";
import { assignVariable, readVariable, trace } from "../../src/graph/trace.ts";
import { Variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";
import { optimize, type PassOptions } from "../../src/passes/index.ts";
import { type LowerOptions, lower } from "../../src/program/lower.ts";
import { printProgram } from "../../src/program/print.ts";
import type { Program, ProgramTensor, Step } from "../../src/program/program.ts";
import { randomProgram } from "../helpers/random-program.ts";

const f32 = (...shape: number[]) => ({ shape, dtype: "float32" as const });

/** The Program of a function, printed; passes are off unless named. */
function lowered(
  fn: (...args: Value[]) => readonly Value[],
  types: ReturnType<typeof f32>[] = [],
  options: LowerOptions & PassOptions = {},
): string {
  const off = { fold: false, dedupe: false, prune: false, fuse: false };
  const graph = optimize(trace(fn, types).graph, new Set(["adamUpdate"]), { ...off, ...options }, true);
  return `\n${printProgram(lower(graph, options).program)}\n`;
}

describe("lower", () => {
  it("makes results in their slots, reshapes as aliases, and scratch that is reused", () => {
    const text = lowered(
      (x) => {
        const y = ops.sum(ops.exp(ops.reshape(x, [6])), { axis: 0 });
        return [ops.reshape(ops.transpose(ops.exp(ops.transpose(x))), [6]), y];
      },
      [f32(2, 3)],
    );
    expect(text).toMatchInlineSnapshot(`
      "
      ($0 f32[2,3] read, $1 f32[6] write, $2 f32[] write)
      @0 f32[6] = exp $0
      $2 f32[] = sum @0 {begin: 0, end: 1}
      @0 f32[3,2] = transpose $0 {perm: [1,0]}
      @0 f32[3,2] = exp @0
      $1 f32[2,3] = transpose @0 {perm: [1,0]}
      arena 64 bytes, constants 0 bytes
      "
    `);
  });

  it("stores equal constants once", () => {
    const text = lowered(
      (x) => [ops.add(x, ops.constant([1, 2])), ops.multiply(x, ops.constant([1, 2]))],
      [f32(2)],
    );
    expect(text).toMatchInlineSnapshot(`
      "
      ($0 f32[2] read, $1 f32[2] write, $2 f32[2] write)
      $1 f32[2] = add $0 #0
      $2 f32[2] = multiply $0 #0
      arena 0 bytes, constants 64 bytes
      "
    `);
  });

  it("writes a state in place where the step that reads it last makes it", () => {
    const v = new Variable([4]);
    const text = lowered(
      (x) => {
        assignVariable(v, ops.add(v, x));
        return [];
      },
      [f32(4)],
    );
    expect(text).toMatchInlineSnapshot(`
      "
      ($0 f32[4] read, $1 f32[4] readwrite)
      $1 f32[4] = add $1 $0
      arena 0 bytes, constants 0 bytes
      "
    `);
  });

  it("copies at the end where it may not write in place", () => {
    const v = new Variable([4]);
    const step = (x: Value): Value[] => {
      assignVariable(v, ops.add(v, x));
      return [];
    };
    expect(lowered(step, [f32(4)], { inPlace: false })).toMatchInlineSnapshot(`
      "
      ($0 f32[4] read, $1 f32[4] readwrite)
      @0 f32[4] = add $1 $0
      $1 f32[4] = copy @0
      arena 64 bytes, constants 0 bytes
      "
    `);
    // A product reads its operands to the end.
    const m = new Variable([2, 2]);
    const square = (): Value[] => {
      assignVariable(m, ops.matmul(m, m));
      return [];
    };
    expect(lowered(square)).toMatchInlineSnapshot(`
      "
      ($0 f32[2,2] readwrite)
      @0 f32[2,2] = matmul $0 $0 {transA: false, transB: false}
      $0 f32[2,2] = copy @0
      arena 64 bytes, constants 0 bytes
      "
    `);
  });

  it("makes a new state beside an operand that repeats the old one", () => {
    const w = new Variable([2]);
    const outer = lowered(
      () => {
        const now = readVariable(w);
        assignVariable(w, ops.sum(ops.multiply(now, ops.reshape(now, [2, 1])), { axis: 0 }));
        return [];
      },
      [],
      { fuse: true },
    );
    expect(outer).toMatchInlineSnapshot(`
      "
      ($0 f32[2] readwrite)
      @0 f32[2,2] = multiply $0 $0
      $0 f32[2] = sum @0 {begin: 0, end: 1}
      arena 64 bytes, constants 0 bytes
      "
    `);
  });

  it("waits with the new state until the old one has been read", () => {
    const v = new Variable([3]);
    const text = lowered(
      (x) => {
        const old = readVariable(v);
        assignVariable(v, ops.multiply(x, 2));
        return [ops.add(old, 1), ops.exp(readVariable(v))];
      },
      [f32(3)],
    );
    expect(text).toMatchInlineSnapshot(`
      "
      ($0 f32[3] read, $1 f32[3] readwrite, $2 f32[3] write, $3 f32[3] write)
      $2 f32[3] = add $1 #64
      $1 f32[3] = multiply $0 #0
      $3 f32[3] = exp $1
      arena 0 bytes, constants 128 bytes
      "
    `);
  });

  it("copies results that are inputs before anything is written, and constants too", () => {
    const v = new Variable([3]);
    const text = lowered(
      (x) => {
        const old = readVariable(v);
        assignVariable(v, ops.add(v, x));
        return [old, x, ops.constant([1, 2, 3]), readVariable(v), readVariable(v)];
      },
      [f32(3)],
    );
    expect(text).toMatchInlineSnapshot(`
      "
      ($0 f32[3] read, $1 f32[3] readwrite, $2 f32[3] write, $3 f32[3] write, $4 f32[3] write, $5 f32[3] readwrite, $6 f32[3] write)
      $2 f32[3] = copy $1
      $3 f32[3] = copy $0
      $4 f32[3] = copy #0
      $5 f32[3] = add $1 $0
      $6 f32[3] = copy $5
      $1 f32[3] = copy $5
      arena 0 bytes, constants 64 bytes
      "
    `);
  });

  it("trades states through scratch, and moves a chain of them in the right order", () => {
    const [a, b, c] = [new Variable([2]), new Variable([2]), new Variable([2])];
    const swap = lowered(() => {
      const [x, y] = [readVariable(a), readVariable(b)];
      assignVariable(a, y);
      assignVariable(b, x);
      return [];
    });
    expect(swap).toMatchInlineSnapshot(`
      "
      ($0 f32[2] readwrite, $1 f32[2] readwrite)
      @0 f32[2] = copy $0
      $0 f32[2] = copy $1
      $1 f32[2] = copy @0
      arena 64 bytes, constants 0 bytes
      "
    `);
    const shift = lowered(
      (x) => {
        const [p, q] = [readVariable(a), readVariable(b)];
        assignVariable(a, ops.negative(x));
        assignVariable(b, p);
        assignVariable(c, q);
        return [];
      },
      [f32(2)],
    );
    expect(shift).toMatchInlineSnapshot(`
      "
      ($0 f32[2] read, $1 f32[2] readwrite, $2 f32[2] readwrite, $3 f32[2] write)
      @0 f32[2] = negative $0
      $3 f32[2] = copy $2
      $2 f32[2] = copy $1
      $1 f32[2] = copy @0
      arena 64 bytes, constants 0 bytes
      "
    `);
  });

  it("updates every state of an optimizer step in place", () => {
    const [p, m, v, rate] = [new Variable([8]), new Variable([8]), new Variable([8]), new Variable([])];
    const iteration = new Variable([], "int32");
    const text = lowered(
      (g) => {
        const [next] = ops.adamUpdate([{ parameter: p, gradient: g, m, v }], {
          learningRate: rate,
          iteration,
        });
        assignVariable(p, next!.parameter);
        assignVariable(m, next!.m);
        assignVariable(v, next!.v);
        assignVariable(iteration, ops.add(iteration, 1));
        return [];
      },
      [f32(8)],
    );
    expect(text).toMatchInlineSnapshot(`
      "
      ($0 f32[8] read, $1 f32[] read, $2 i32[] readwrite, $3 f32[8] readwrite, $4 f32[8] readwrite, $5 f32[8] readwrite)
      $3 f32[8], $4 f32[8], $5 f32[8] = adamUpdate $1 $2 $3 $0 $4 $5 {beta1: 0.9, beta2: 0.999, epsilon: 1e-7, amsgrad: false, weightDecay: 0, clipvalue: 0, scaled: false, ema: false, emaMomentum: 0, emaOverwriteFrequency: 0}
      $2 i32[] = add $2 #0
      arena 0 bytes, constants 64 bytes
      "
    `);
  });

  it("needs no copy for a counter whose old value is read late, though scalars run together", () => {
    const [p, m, v] = [new Variable([80]), new Variable([80]), new Variable([80])];
    const [rate, iteration, draws] = [new Variable([]), new Variable([], "int32"), new Variable([], "int32")];
    const text = lowered(
      (x) => {
        // Both counters are scalars of one shape; one is needed before the update, the other read by it.
        assignVariable(draws, ops.add(draws, 1));
        const g = ops.multiply(x, readVariable(draws));
        const [next] = ops.adamUpdate([{ parameter: p, gradient: g, m, v }], {
          learningRate: rate,
          iteration,
        });
        assignVariable(iteration, ops.add(iteration, 1));
        assignVariable(p, next!.parameter);
        return [];
      },
      [f32(80)],
      { dedupe: true, fuse: true },
    );
    expect(text).not.toContain("copy");
    const steps = [...text.matchAll(/^[@$].* = (\w+)/gm)].map((m) => m[1]);
    expect(steps).toEqual(["fused", "multiply", "adamUpdate", "add"]);
  });

  it("says what the plan saves", () => {
    const deep = (x: Value): Value[] => {
      let y = x;
      for (let i = 0; i < 10; i++) y = ops.transpose(y);
      return [y];
    };
    const { memory } = lower(trace(deep, [f32(8, 8)]).graph);
    expect(memory).toEqual({ peakBytes: 512, naiveBytes: 9 * 256 });
  });
});

describe("every Program of a random graph", () => {
  const programs = fc.record({
    seed: fc.nat(),
    size: fc.integer({ min: 1, max: 40 }),
    fuse: fc.boolean(),
    inPlace: fc.boolean(),
  });

  it("keeps live tensors apart, reads nothing before it is written, writes no constant", () => {
    fc.assert(
      fc.property(programs, ({ seed, size, fuse, inPlace }) => {
        const { fn, types } = randomProgram(seed, size);
        const graph = optimize(trace(fn, types).graph, new Set(), { fuse });
        const inputs = graph.inputs.length;
        simulate(lower(graph, { inPlace }).program, inputs);
      }),
      { numRuns: 200 },
    );
  });
});

/** Runs a Program on ownership alone: every byte remembers which tensor was last written over it. */
function simulate(program: Program, inputs: number): void {
  const owner = new Map<string, number>();
  let writes = 0;
  const cells = (t: ProgramTensor): string[] => {
    const bytes = sizeOf(t.shape) * BYTES[t.dtype];
    const from = t.space === "bound" ? 0 : t.offset;
    // One cell a byte would be slow; tensors never share four bytes.
    return Array.from({ length: Math.ceil(bytes / 4) }, (_, i) => `${t.space}${t.slot} ${from + 4 * i}`);
  };
  const isGiven = (t: ProgramTensor): boolean =>
    t.space === "constant" || (t.space === "bound" && t.slot < inputs);
  for (const step of program.steps) {
    for (const t of operands(program, step.inputs)) {
      const owners = new Set(cells(t).map((c) => owner.get(c)));
      // All of it was written by one step, or it came with the run.
      expect(owners.size).toBeLessThanOrEqual(1);
      if (!isGiven(t)) expect(owners.has(undefined)).toBe(false);
    }
    const outputs = operands(program, step.outputs);
    expect(new Set(outputs.flatMap(cells)).size).toBe(outputs.flatMap(cells).length);
    for (const t of outputs) {
      expect(t.space).not.toBe("constant");
      if (t.space === "arena")
        expect(t.offset + sizeOf(t.shape) * BYTES[t.dtype]).toBeLessThanOrEqual(program.arenaBytes);
      writes++;
      for (const c of cells(t)) owner.set(c, writes);
    }
  }
}

function operands(program: Program, ids: Step["inputs"]): ProgramTensor[] {
  return ids.map((t) => program.tensors[t]!);
}
