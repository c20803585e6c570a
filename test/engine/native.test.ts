// The native engine through its TypeScript face: runs, their order, their end, their errors.

import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { MyelinError } from "../../src/core/errors.ts";
import { loadBinding } from "../../src/engine/binding.ts";
import type { RunReport } from "../../src/engine/engine.ts";
import { NativeEngine } from "../../src/engine/native.ts";
import { rejected, thrown } from "../helpers/thrown.ts";
import { copyProgram, counter, countingProgram, countOf, gatherProgram, HandBuilt } from "./counting.ts";

function available(): boolean {
  try {
    loadBinding();
    return true;
  } catch (error) {
    console.log(`SKIPPED native engine: ${(error as Error).message}`);
    return false;
  }
}

const LONG = 2 ** 40;
const milliseconds = (n: number) => new Promise((resolve) => setTimeout(resolve, n));

describe.skipIf(!available())("native engine", () => {
  let engine: NativeEngine;
  beforeAll(() => {
    engine = new NativeEngine({ threads: 2 });
  });
  afterEach(() => {
    expect(engine.info().runs).toBe(0);
  });

  it("says what it is", () => {
    const info = engine.info();
    expect(info).toMatchObject({
      name: "native",
      threads: 2,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    expect(loadBinding().levels).toContain(info.level);
  });

  it("runs on every level this CPU has", async () => {
    for (const level of loadBinding().levels) {
      const other = new NativeEngine({ level, threads: 1 });
      expect(other.info()).toMatchObject({ level, threads: 1 });
      const state = counter(other);
      expect(await other.run(other.load(countingProgram()), [state], { steps: 5 })).toBe(5);
      expect(countOf(other, state)).toBe(5);
    }
  });

  it("allocates zeros, and copies in and out from an element on", () => {
    const buffer = engine.allocate({ dtype: "float32", shape: [2, 3] });
    const got = new Float32Array(6).fill(9);
    engine.read(buffer, got);
    expect([...got]).toEqual([0, 0, 0, 0, 0, 0]);
    engine.write(buffer, Float32Array.of(1, 2), 3);
    engine.write(buffer, Float64Array.of(0.5), 0);
    const part = new Float64Array(3);
    engine.read(buffer, part, 3);
    expect([...part]).toEqual([1, 2, 0]);
    engine.read(buffer, got);
    expect([...got]).toEqual([0.5, 0, 0, 1, 2, 0]);
    const bytes = engine.allocate({ dtype: "bool", shape: [3] });
    engine.write(bytes, Uint8Array.of(1, 0, 1));
    const flags = new Uint8Array(2);
    engine.read(bytes, flags, 1);
    expect([...flags]).toEqual([0, 1]);
    engine.write(engine.allocate({ dtype: "int32", shape: [0, 4] }), new Int32Array(0));
  });

  it("runs once, many times, and not at all", async () => {
    const count = engine.load(countingProgram());
    const state = counter(engine);
    expect(await engine.run(count, [state])).toBe(1);
    expect(await engine.run(count, [state], { steps: 1000 })).toBe(1000);
    expect(await engine.run(count, [state], { steps: 0 })).toBe(0);
    engine.runSync(count, [state]);
    engine.runSync(count, [state], 10);
    expect(countOf(engine, state)).toBe(1012);
  });

  it("runs what shares buffers in the order it came, and the rest at once", async () => {
    const count = engine.load(countingProgram());
    const copy = engine.load(copyProgram());
    const state = counter(engine);
    const copies = [];
    const runs = [];
    for (let i = 0; i < 50; i++) {
      runs.push(engine.run(count, [state]));
      copies.push(counter(engine), counter(engine));
      runs.push(...copies.slice(-2).map((out) => engine.run(copy, [state, out])));
    }
    await Promise.all(runs);
    expect(copies.map((c) => countOf(engine, c))).toEqual(copies.map((_, i) => Math.floor(i / 2) + 1));
  });

  it("lets others in between the steps of a long run", async () => {
    const both = engine.load(countingProgram(2));
    const copy = engine.load(copyProgram());
    const [a, b, out] = [counter(engine), counter(engine), counter(engine)];
    const stop = new AbortController();
    const long = engine.run(both, [a, b], { steps: LONG, signal: stop.signal });
    let last = 0;
    for (let i = 0; i < 30; i++) {
      if (i % 2) engine.runSync(copy, [a, out]);
      else await engine.run(copy, [a, out]);
      expect(countOf(engine, out)).toBeGreaterThanOrEqual(last);
      last = countOf(engine, out);
    }
    expect(await engine.run(both, [a, b], { steps: 20 })).toBe(20);
    stop.abort();
    expect((await rejected(long)).code).toBe("ABORTED");
    expect(countOf(engine, a)).toBe(countOf(engine, b));
    expect(last).toBeGreaterThan(0);
  });

  it("reports whole steps, now and then, and not after the end", async () => {
    const both = engine.load(countingProgram(2, 50));
    const [a, b] = [counter(engine), counter(engine)];
    const reports: RunReport[] = [];
    const stop = new AbortController();
    const start = performance.now();
    const onReport = (report: RunReport) => {
      reports.push(report);
      if (reports.length === 8) stop.abort("enough");
    };
    const run = engine.run(both, [a, b], { steps: LONG, watch: [a, b], onReport, signal: stop.signal });
    const error = await rejected(run);
    expect(error).toMatchObject({ name: "AbortError", code: "ABORTED", cause: "enough" });
    expect(performance.now() - start).toBeGreaterThan(8 * 15);
    await milliseconds(40);
    expect(reports).toHaveLength(8);
    for (const [i, { done, watched }] of reports.entries()) {
      expect(watched.map((w) => [...w])).toEqual([
        [1, done],
        [1, done],
      ]);
      expect(done).toBeGreaterThan(i === 0 ? 0 : reports[i - 1]!.done);
    }
  });

  it("coalesces reports while the event loop is busy", async () => {
    const count = engine.load(countingProgram());
    let reports = 0;
    const stop = new AbortController();
    const run = engine.run(count, [counter(engine)], {
      steps: LONG,
      onReport: () => reports++,
      signal: stop.signal,
    });
    const until = performance.now() + 150;
    while (performance.now() < until);
    await milliseconds(0);
    stop.abort();
    await rejected(run);
    // Nine intervals have passed. One report was waiting; a loaded machine may fit in another or two before the abort.
    expect(reports).toBeLessThanOrEqual(3);
  });

  it("rejects with what onReport throws", async () => {
    const mistake = new Error("mine");
    let calls = 0;
    const onReport = () => {
      calls++;
      throw mistake;
    };
    const run = engine.run(engine.load(countingProgram()), [counter(engine)], { steps: LONG, onReport });
    await expect(run).rejects.toBe(mistake);
    expect(calls).toBe(1);
  });

  it("aborts before the start, while waiting, and at any other moment, leaving whole steps", async () => {
    const both = engine.load(countingProgram(2));
    const [a, b] = [counter(engine), counter(engine)];
    const error = await rejected(engine.run(both, [a, b], { signal: AbortSignal.abort("no") }));
    expect(error).toMatchObject({ name: "AbortError", code: "ABORTED", cause: "no" });
    const first = new AbortController();
    const second = new AbortController();
    const long = engine.run(both, [a, b], { steps: LONG, signal: first.signal });
    const waiting = engine.run(both, [a, b], { steps: LONG, signal: second.signal });
    second.abort();
    expect((await rejected(waiting)).code).toBe("ABORTED");
    first.abort();
    expect((await rejected(long)).code).toBe("ABORTED");
    for (let i = 0; i < 50; i++) {
      const stop = new AbortController();
      const run = engine.run(both, [a, b], { steps: 5000, signal: stop.signal });
      if (i % 2) await milliseconds(0);
      stop.abort();
      await run.catch((e) => expect(e.code).toBe("ABORTED"));
      expect(countOf(engine, a)).toBe(countOf(engine, b));
    }
    const late = new AbortController(); // after the end: nothing
    await engine.run(both, [a, b], { signal: late.signal });
    late.abort();
  });

  it("names layer and step of a run that meets bad data, and goes on to work", async () => {
    const gather = engine.load(gatherProgram());
    const state = counter(engine);
    const x = engine.allocate({ dtype: "float32", shape: [3] });
    const indices = engine.allocate({ dtype: "int32", shape: [2] });
    const out = engine.allocate({ dtype: "float32", shape: [2] });
    engine.write(x, Float32Array.of(5, 6, 7));
    engine.write(indices, Int32Array.of(2, 3));
    const bound = [state, x, indices, out];
    const error = await rejected(engine.run(gather, bound, { steps: 10 }));
    expect(error).toBeInstanceOf(MyelinError);
    expect(error.code).toBe("INVALID_DATA");
    expect(error.message).toMatch(/^gather at encoder\/lookup: index 3 /);
    expect(countOf(engine, state)).toBe(1);
    expect(thrown(() => engine.runSync(gather, bound)).message).toBe(error.message);
    engine.write(indices, Int32Array.of(2, 0));
    expect(await engine.run(gather, bound, { steps: 3 })).toBe(3);
    const got = new Float32Array(2);
    engine.read(out, got);
    expect([...got]).toEqual([7, 5]);
  });

  it("refuses a Program that breaks a rule, naming step and layer", () => {
    const p = new HandBuilt();
    const [x, out] = [p.slot("int32", [4], "read"), p.slot("int32", [4], "write")];
    p.step("cumsum", [x], [out], { axis: 0, exclusive: false, reverse: false });
    p.step("cumsum", [out], [x], { axis: 0, exclusive: false, reverse: false }, "head");
    const error = thrown(() => engine.load(p.program()));
    expect(error.code).toBe("INVALID_PROGRAM");
    expect(error.message).toBe("cumsum at head: step 1: output 0 writes slot 0, which is for reading only");
    const q = new HandBuilt();
    q.tensor({ dtype: "int32", shape: [4], space: "arena", slot: 0, offset: 64 });
    expect(thrown(() => engine.load(q.program()))).toMatchObject({ code: "INVALID_PROGRAM" });
  });

  it("refuses what does not fit a run", async () => {
    const count = engine.load(countingProgram(2));
    const [a, b] = [counter(engine), counter(engine)];
    const real = engine.allocate({ dtype: "float32", shape: [2] });
    const longer = engine.allocate({ dtype: "int32", shape: [3] });
    const other = counter(new NativeEngine({ threads: 1 }));
    const cases: [unknown[], string, RegExp][] = [
      [[a], "INVALID_ARGUMENT", /run(Sync)?: expected 2 buffers, got 1/],
      [[a, real], "SHAPE_MISMATCH", /expected i32\[2\] for slot 1, got f32\[2\]/],
      [[a, longer], "SHAPE_MISMATCH", /expected i32\[2\] for slot 1, got i32\[3\]/],
      [[a, a], "INVALID_ARGUMENT", /slot 1: expected a buffer of its own/],
      [[a, other], "INVALID_ARGUMENT", /expected a buffer of this engine/],
      [[a, {}], "INVALID_ARGUMENT", /expected a buffer of this engine/],
    ];
    for (const [bound, code, message] of cases) {
      const sync = thrown(() => engine.runSync(count, bound as never));
      const late = await rejected(engine.run(count, bound as never));
      for (const error of [sync, late])
        expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    }
    expect((await rejected(engine.run({} as never, [a, b]))).code).toBe("INVALID_ARGUMENT");
    expect((await rejected(engine.run(count, [a, b], { steps: -1 }))).code).toBe("INVALID_OPTION");
    expect((await rejected(engine.run(count, [a, b], { steps: 0.5 }))).code).toBe("INVALID_OPTION");
    expect(thrown(() => engine.runSync(count, [a, b], Number.NaN)).code).toBe("INVALID_OPTION");
    const watch = [other];
    expect((await rejected(engine.run(count, [a, b], { watch, onReport() {} }))).code).toBe(
      "INVALID_ARGUMENT",
    );
    expect(countOf(engine, a)).toBe(0);
  });

  it("refuses copies that do not fit", () => {
    const buffer = engine.allocate({ dtype: "int32", shape: [3] });
    const codeOf = (fn: () => void) => thrown(fn).code;
    expect(codeOf(() => engine.write(buffer, new Float32Array(3)))).toBe("DTYPE_MISMATCH");
    expect(codeOf(() => engine.read(buffer, new Uint8Array(3)))).toBe("DTYPE_MISMATCH");
    expect(codeOf(() => engine.write(buffer, [1, 2, 3] as never))).toBe("DTYPE_MISMATCH");
    expect(codeOf(() => engine.write(buffer, new Int32Array(4)))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => engine.write(buffer, new Int32Array(2), 2))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => engine.read(buffer, new Int32Array(1), -1))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => engine.read(buffer, new Int32Array(1), 0.5))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => engine.read(buffer, new Int32Array(1), 2 ** 60))).toBe("INVALID_ARGUMENT");
    const huge = thrown(() => engine.allocate({ dtype: "float32", shape: [2 ** 20, 2 ** 20] }));
    expect(huge.code).toBe("OUT_OF_MEMORY");
  });

  it("knows handles that were disposed, and lets runs that use them end", async () => {
    const count = engine.load(countingProgram());
    const copy = engine.load(copyProgram());
    const [state, out] = [counter(engine), counter(engine)];
    const before = engine.info();
    const stop = new AbortController();
    const long = engine.run(count, [state], { steps: LONG, signal: stop.signal });
    engine.dispose(state);
    engine.dispose(state); // again: nothing
    engine.dispose(count);
    expect(engine.info().buffers).toBe(before.buffers - 1);
    const codeOf = (fn: () => void) => thrown(fn).code;
    expect(codeOf(() => countOf(engine, state))).toBe("DISPOSED");
    expect(codeOf(() => engine.write(state, new Int32Array(2)))).toBe("DISPOSED");
    expect(codeOf(() => engine.runSync(count, [out]))).toBe("DISPOSED");
    expect(codeOf(() => engine.runSync(copy, [state, out]))).toBe("DISPOSED");
    expect((await rejected(engine.run(copy, [state, out]))).code).toBe("DISPOSED");
    expect(codeOf(() => engine.dispose({} as never))).toBe("INVALID_ARGUMENT");
    await milliseconds(5);
    stop.abort();
    await rejected(long);
    expect(engine.info().bufferBytes).toBe(before.bufferBytes - 8);
  });

  it("keeps the event loop's timers ticking", async () => {
    const count = engine.load(countingProgram(1, 20_000));
    const gaps: number[] = [];
    let last = performance.now();
    const timer = setInterval(() => {
      gaps.push(performance.now() - last);
      last = performance.now();
    }, 5);
    const stop = AbortSignal.timeout(500);
    await rejected(engine.run(count, [counter(engine)], { steps: LONG, signal: stop, onReport() {} }));
    clearInterval(timer);
    // A machine that does other things too delays timers by itself; a blocked loop would give one tick.
    expect(gaps.length).toBeGreaterThan(40);
  });

  it("refuses levels and thread counts that it cannot have", () => {
    const level = thrown(() => new NativeEngine({ level: "sse9" }));
    expect(level).toMatchObject({ code: "ENGINE_UNAVAILABLE", message: expect.stringContaining('"sse9"') });
    expect(thrown(() => new NativeEngine({ threads: 0 })).code).toBe("INVALID_OPTION");
    expect(thrown(() => new NativeEngine({ thread: 1 } as never)).message).toMatch(/did you mean "threads"/);
  });
});
