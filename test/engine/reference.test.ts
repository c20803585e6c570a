// The reference engine as an Engine: memory, runs, their order, reports, aborts, and what it refuses.

import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { Tensor, tensor } from "../../src/core/tensor.ts";
import type { DeviceBuffer, Executable, RunReport } from "../../src/engine/engine.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { bufferOf } from "../../src/engine/residence.ts";
import type { Value } from "../../src/graph/graph.ts";
import { assignVariable, readVariable, trace, withScope } from "../../src/graph/trace.ts";
import { Variable, variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";
import { lower } from "../../src/program/lower.ts";
import type { Program } from "../../src/program/program.ts";

const f32 = (...shape: number[]) => ({ shape, dtype: "float32" as const });

function programOf(fn: (...args: Value[]) => readonly Value[], ...types: ReturnType<typeof f32>[]): Program {
  return lower(trace(fn, types).graph).program;
}

/** A Program that adds 1 to its state, once or, to last a while, through large detours. */
function counter(
  engine: ReferenceEngine,
  detour = 0,
): { executable: Executable; bound: DeviceBuffer[]; read(): number } {
  const count = new Variable([]);
  const program = programOf(() => {
    let step = ops.ones([]);
    for (let i = 0; i < detour; i++) step = ops.max(ops.broadcastTo(step, [200_000]));
    assignVariable(count, ops.add(count, step));
    return [];
  });
  const bound = [engine.allocate(f32())];
  const value = new Float32Array(1);
  const read = () => {
    engine.read(bound[0]!, value);
    return value[0]!;
  };
  return { executable: engine.load(program), bound, read };
}

const code = (expected: string) => expect.objectContaining({ code: expected });
const tick = () => new Promise((resolve) => setImmediate(resolve));

describe("buffers", () => {
  it("start at zero, and are written and read whole or in part", () => {
    const engine = new ReferenceEngine();
    const buffer = engine.allocate(f32(4));
    engine.write(buffer, Float32Array.of(7, 8), 1);
    const all = new Float32Array(4);
    engine.read(buffer, all);
    expect([...all]).toEqual([0, 7, 8, 0]);
    const two = new Float32Array(2);
    engine.read(buffer, two, 2);
    expect([...two]).toEqual([8, 0]);
  });

  it("refuse what does not fit, what is not theirs, and what is gone", () => {
    const engine = new ReferenceEngine();
    const buffer = engine.allocate(f32(4));
    expect(() => engine.write(buffer, new Float32Array(5))).toThrow(
      "write: expected elements within a buffer of 4, got 5 from element 0 on",
    );
    expect(() => engine.read(buffer, new Float32Array(2), 3)).toThrow(code("INVALID_ARGUMENT"));
    expect(() => new ReferenceEngine().read(buffer, new Float32Array(4))).toThrow(code("INVALID_ARGUMENT"));
    engine.dispose(buffer);
    engine.dispose(buffer);
    expect(() => engine.write(buffer, new Float32Array(4))).toThrow(code("DISPOSED"));
    expect(() => engine.read(buffer, new Float32Array(4))).toThrow(
      "read: expected a live buffer, got one that was disposed",
    );
  });

  it("are counted", () => {
    const engine = new ReferenceEngine();
    const buffer = engine.allocate(f32(4));
    expect(engine.info()).toMatchObject({
      name: "reference",
      level: "typescript",
      threads: 1,
      bufferBytes: 16,
    });
    engine.dispose(buffer);
    expect(engine.info().bufferBytes).toBe(0);
  });
});

describe("options", () => {
  it("are checked", () => {
    expect(() => new ReferenceEngine({ precision: "double" as "float64" })).toThrow(code("INVALID_OPTION"));
    expect(() => new ReferenceEngine({ checkNan: true } as object)).toThrow(/did you mean "checkNaN"/);
  });
});

describe("load", () => {
  const good = () => programOf((x) => [ops.exp(x)], f32(2));

  it("refuses a Program whose parts do not fit", () => {
    const engine = new ReferenceEngine();
    const program = good();
    const broken: [string, Program][] = [
      ["no tensor 9", { ...program, steps: [{ ...program.steps[0]!, inputs: [9] }] }],
      [
        "does not fit",
        { ...program, tensors: program.tensors.map((t) => ({ ...t, space: "arena" as const, offset: 64 })) },
      ],
      [
        "does not fit",
        { ...program, tensors: program.tensors.map((t) => ({ ...t, space: "arena" as const, offset: -64 })) },
      ],
      [
        "expected the type of slot 0",
        { ...program, tensors: program.tensors.map((t) => ({ ...t, shape: [3] })) },
      ],
      ["writes a constant", { ...program, constants: new Uint8Array(64), tensors: program.tensors.map((t) => ({ ...t, space: "constant" as const })) }], // biome-ignore format: one case
      ["expected outputs", { ...program, steps: [{ ...program.steps[0]!, outputs: [] }] }],
    ];
    for (const [message, bad] of broken) {
      expect(() => engine.load(bad)).toThrow(message);
      expect(() => engine.load(bad)).toThrow(code("INVALID_PROGRAM"));
    }
    expect(() => engine.load(program)).not.toThrow();
  });
});

describe("runSync", () => {
  it("repeats the Program on state", () => {
    const engine = new ReferenceEngine();
    const { executable, bound, read } = counter(engine);
    engine.runSync(executable, bound, 5);
    expect(read()).toBe(5);
  });

  it("refuses buffers that do not fit the slots, and what was disposed", () => {
    const engine = new ReferenceEngine();
    const { executable, bound } = counter(engine);
    expect(() => engine.runSync(executable, [])).toThrow("runSync: expected 1 buffers, got 0");
    expect(() => engine.runSync(executable, [engine.allocate(f32(2))])).toThrow(
      "runSync: expected f32[] for slot 0, got f32[2]",
    );
    expect(() => new ReferenceEngine().runSync(executable, bound)).toThrow(code("INVALID_ARGUMENT"));
    engine.dispose(executable);
    expect(() => engine.runSync(executable, bound)).toThrow(code("DISPOSED"));
    const other = counter(engine);
    engine.dispose(other.bound[0]!);
    expect(() => engine.runSync(other.executable, other.bound)).toThrow(code("DISPOSED"));
    expect(() => engine.dispose({} as Executable)).toThrow(code("INVALID_ARGUMENT"));
  });

  it("finishes a step that is under way first", async () => {
    const engine = new ReferenceEngine();
    const slow = counter(engine, 60);
    const fast = counter(engine);
    const running = engine.run(slow.executable, slow.bound, { steps: 2 });
    await tick();
    await tick();
    engine.runSync(fast.executable, fast.bound);
    engine.runSync(slow.executable, slow.bound);
    expect(fast.read()).toBe(1);
    await running;
    expect(slow.read()).toBe(3);
  });
});

describe("run", () => {
  it("gives the number of steps done", async () => {
    const engine = new ReferenceEngine();
    const { executable, bound, read } = counter(engine);
    expect(await engine.run(executable, bound, { steps: 1000 })).toBe(1000);
    expect(read()).toBe(1000);
    expect(await engine.run(executable, bound, { steps: 0 })).toBe(0);
    await expect(engine.run(executable, bound, { steps: -1 })).rejects.toThrow(code("INVALID_OPTION"));
    await expect(engine.run(executable, [])).rejects.toThrow(code("INVALID_ARGUMENT"));
  });

  it("lets the event loop turn, inside a step too, and reading sees whole steps", async () => {
    const engine = new ReferenceEngine();
    const { executable, bound, read } = counter(engine, 60);
    const running = engine.run(executable, bound, { steps: 3 });
    let turns = 0;
    let done = false;
    void running.then(() => {
      done = true;
    });
    while (!done) {
      await tick();
      turns++;
      if (turns === 4) expect(Number.isInteger(read())).toBe(true);
    }
    expect(turns).toBeGreaterThan(4);
    expect(read()).toBe(3);
  });

  it("reports now and then, with what is watched after exactly that many steps, and never after the end", async () => {
    const engine = new ReferenceEngine();
    const { executable, bound } = counter(engine, 10);
    const reports: RunReport[] = [];
    let settled = false;
    await engine.run(executable, bound, {
      steps: 40,
      watch: bound,
      onReport: (report) => {
        expect(settled).toBe(false);
        reports.push(report);
      },
    });
    settled = true;
    await tick();
    expect(reports.length).toBeGreaterThan(0);
    for (const r of reports) expect(r.watched[0]![0]).toBe(r.done);
    const done = reports.map((r) => r.done);
    expect(done).toEqual([...new Set(done)].sort((a, b) => a - b));
  });

  it("stops between steps when aborted; the state is that of a whole step", async () => {
    const engine = new ReferenceEngine();
    const { executable, bound, read } = counter(engine, 5);
    const controller = new AbortController();
    const running = engine.run(executable, bound, { steps: 1_000_000, signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 40);
    await expect(running).rejects.toMatchObject({
      name: "AbortError",
      code: "ABORTED",
      cause: new Error("enough"),
    });
    const steps = read();
    expect(steps).toBeGreaterThan(0);
    expect(Number.isInteger(steps)).toBe(true);
    await tick();
    expect(read()).toBe(steps);
    const before = AbortSignal.abort();
    await expect(engine.run(executable, bound, { signal: before })).rejects.toThrow(code("ABORTED"));
    expect(read()).toBe(steps);
  });

  it("takes turns with other runs, on the same executable and the same buffer too", async () => {
    const engine = new ReferenceEngine();
    const { executable, bound, read } = counter(engine, 3);
    const own = [engine.allocate(f32())];
    const finished: string[] = [];
    await Promise.all([
      engine.run(executable, bound, { steps: 60 }).then(() => finished.push("long")),
      engine.run(executable, bound, { steps: 5 }).then(() => finished.push("short")),
      engine.run(executable, own, { steps: 7 }).then(() => finished.push("other")),
    ]);
    expect(read()).toBe(65);
    const value = new Float32Array(1);
    engine.read(own[0]!, value);
    expect(value[0]).toBe(7);
    expect(finished).toEqual(["short", "other", "long"]);
  });

  it("rejects when a step finds bad data, and goes on with other runs", async () => {
    const engine = new ReferenceEngine();
    const pick = (x: Value, i: Value) => [withScope("table", () => ops.gather(x, i))];
    const gather = build(pick, [f32(3), { shape: [1], dtype: "int32" }], { engine });
    const good = counter(engine);
    const bad = gather.run([tensor([1, 2, 3]), tensor([5], undefined, "int32")]);
    const other = engine.run(good.executable, good.bound, { steps: 3 });
    await expect(bad).rejects.toThrow("gather at table: index 5 at 0 is outside [0, 3)");
    expect(await other).toBe(3);
    const [y] = await gather.run([tensor([1, 2, 3]), tensor([2], undefined, "int32")]);
    expect(y!.toArray()).toEqual([3]);
  });

  it("rejects when a report throws", async () => {
    const engine = new ReferenceEngine();
    const { executable, bound } = counter(engine, 10);
    const onReport = () => {
      throw new Error("mine");
    };
    await expect(engine.run(executable, bound, { steps: 1000, onReport })).rejects.toThrow("mine");
  });

  it("rejects when a buffer is disposed on the way", async () => {
    const engine = new ReferenceEngine();
    const { executable, bound } = counter(engine, 10);
    const running = engine.run(executable, bound, { steps: 1000 });
    await tick();
    engine.dispose(bound[0]!);
    await expect(running).rejects.toThrow(code("DISPOSED"));
  });
});

describe("values", () => {
  it("are doubles on a float64 engine", () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const built = build((x) => [ops.add(ops.exp(x), ops.constant([1 / 3]))], [f32(1)], { engine });
    const [y] = built.runSync([new Tensor(Float64Array.of(0.1), [1], "float32")]);
    expect(y!.data).toBeInstanceOf(Float64Array);
    expect(y!.data[0]).toBe(Math.exp(0.1) + Math.fround(1 / 3));
  });

  it("of every dtype share the scratch of a float64 engine", () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const fn = (x: Value): Value[] => {
      const mask = ops.greater(x, 0);
      const index = ops.cumsum(ops.cast(mask, "float32"), { axis: 0 });
      return [ops.where(mask, ops.cast(index, "int32"), -1), ops.cast(ops.square(x), "uint8")];
    };
    const built = build(fn, [f32(5)], { engine });
    const [a, b] = built.runSync([tensor([1, -1, 2, -2, 3])]);
    expect(a!.toArray()).toEqual([1, -1, 2, -1, 3]);
    expect([...b!.data]).toEqual([1, 1, 4, 4, 9]);
  });

  it("of zero size and of rank 0 pass through", () => {
    const engine = new ReferenceEngine();
    const fn = (x: Value, s: Value): Value[] => [
      ops.sum(x),
      ops.matmul(x, ops.transpose(x)),
      ops.add(x, s),
      ops.exp(s),
    ];
    const built = build(fn, [f32(3, 0), f32()], { engine });
    const [total, product, empty, e] = built.runSync([tensor(new Float32Array(0), [3, 0]), tensor(1)]);
    expect(total!.item()).toBe(0);
    expect(product!.toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(empty!.shape).toEqual([3, 0]);
    expect(e!.item()).toBe(Math.fround(Math.E));
  });

  it("do not depend on what scratch held before", () => {
    const engine = new ReferenceEngine();
    const dirty = build((x) => [ops.transpose(ops.exp(ops.transpose(x)))], [f32(64, 64)], { engine });
    const scatter = build(
      (u) => [ops.negative(ops.transpose(ops.scatterAdd(ops.constant([1, 1]), u, 4)))],
      [f32(2, 3)],
      { engine },
    );
    const run = () => scatter.runSync([tensor([[1, 2, 3], [4, 5, 6]])])[0]!.toArray(); // biome-ignore format: matrix
    const clean = run();
    dirty.runSync([tensor(new Float32Array(4096).fill(3), [64, 64])]);
    expect(run()).toEqual(clean);
  });
});

describe("checkNaN", () => {
  it("names the first op that makes NaN out of finite numbers, and its layer", async () => {
    const engine = new ReferenceEngine({ checkNaN: true });
    const fn = (x: Value): Value[] => {
      const h = withScope("encoder", () => withScope("dense_1", () => ops.log(ops.subtract(x, 1))));
      return [withScope("head", () => ops.exp(ops.multiply(h, 2)))];
    };
    const built = build(fn, [f32(2)], { engine });
    const bad = tensor([3, 0.5]);
    const message = "log at encoder/dense_1: expected finite numbers, got NaN in element 1 of f32[2]";
    expect(() => built.runSync([bad])).toThrow(message);
    await expect(built.run([bad])).rejects.toThrow(code("NOT_A_NUMBER"));
    expect(built.runSync([tensor([3, 2])])[0]!.toArray()).toEqual([4, 1]);
    // What comes in broken is not this Program's doing.
    expect(built.runSync([tensor([3, Number.NaN])])[0]!.at(1)).toBeNaN();
  });

  it("finds infinity in a product", () => {
    const engine = new ReferenceEngine({ checkNaN: true });
    const built = build((x) => [ops.relu(ops.matmul(x, x))], [f32(1, 1)], { engine });
    expect(() => built.runSync([tensor([[1e30]])])).toThrow(/^matmul: expected finite numbers, got Infinity/);
  });
});

describe("residence", () => {
  it("moves a variable between engines with its value, and back to the host", () => {
    const [first, second] = [new ReferenceEngine(), new ReferenceEngine({ precision: "float64" })];
    const v = variable(tensor([1, 2]));
    const add = (engine: ReferenceEngine) => {
      const step = (): Value[] => {
        assignVariable(v, ops.add(v, 1));
        return [readVariable(v)];
      };
      return build(step, [], { engine });
    };
    const [one, two] = [add(first), add(second)];
    expect(one.runSync()[0]!.toArray()).toEqual([2, 3]);
    const buffer = bufferOf(first, v);
    expect(two.runSync()[0]!.toArray()).toEqual([3, 4]);
    expect(() => first.read(buffer, new Float32Array(2))).toThrow(code("DISPOSED"));
    expect(one.runSync()[0]!.toArray()).toEqual([4, 5]);
    expect(v.read().toArray()).toEqual([4, 5]);
    v.write(tensor([0, 0]));
    expect(two.runSync([], 3)[0]!.toArray()).toEqual([3, 3]);
  });
});
