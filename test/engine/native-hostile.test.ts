// What reaches the addon past TypeScript's checks: damaged words, wrong arguments, ids from nowhere. It must answer with
// errors; a crash would take this whole file with it. native/tests/program_test.cc does the same under sanitizers.

import { describe, expect, it } from "vitest";
import { Random } from "../../src/core/random.ts";
import { loadBinding, type NativeBinding } from "../../src/engine/binding.ts";
import { encode } from "../../src/program/encode.ts";
import { countingProgram, gatherProgram } from "./counting.ts";

function binding(): NativeBinding | undefined {
  try {
    return loadBinding();
  } catch {
    return undefined;
  }
}
const native = binding()!;

/** The code of what a call throws; undefined when it throws nothing. */
function codeOf(fn: () => unknown): string | undefined {
  try {
    fn();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

describe.skipIf(native === undefined)("the addon against hostile callers", () => {
  it("answers damaged Programs with errors, and runs what is left of the others inside their memory", () => {
    const engine = native.createEngine("", 1, () => {});
    const random = new Random(11);
    const interesting = [0, 1, 2, 3, 4, 7, 8, 64, -1, -64, 255, 1 << 16, 0x7fffffff, -0x80000000];
    const outcomes = new Map<string, number>();
    const buffers = new Map<string, number>();
    for (let round = 0; round < 20_000; round++) {
      const original = encode(round % 2 ? gatherProgram() : countingProgram(2, 16));
      const words = Int32Array.from(original);
      for (let edits = random.integer(3); edits >= 0; edits--) {
        const at = 3 + random.integer(words.length - 3);
        if (random.integer(2)) words[at] = interesting[random.integer(interesting.length)]!;
        else words[at]! ^= 1 << random.integer(32);
      }
      const end = random.integer(10) ? words.length : random.integer(words.length);
      const code = codeOf(() => {
        const id = engine.load(words.subarray(0, end), new Uint8Array(0));
        try {
          // Bind what its slots ask for, while that is little.
          const ids = new Uint32Array(words[3]!);
          for (let i = 0; i < ids.length; i++) {
            const [dtype, , elements, high] = words.subarray(13 + i * 4);
            if (elements! > 1 << 16 || high !== 0) return;
            const key = `${dtype} ${elements} ${i}`;
            if (!buffers.has(key)) buffers.set(key, engine.allocate(dtype!, elements!));
            ids[i] = buffers.get(key)!;
          }
          const arena = words[7]! + words[8]! * 2 ** 32;
          const prepared = words[11]! + words[12]! * 2 ** 32;
          const little = [arena, prepared].every((bytes) => bytes >= 0 && bytes < 1 << 24);
          if (little) engine.runSync(id, ids, ids.length, 2);
        } finally {
          engine.disposeExecutable(id);
        }
      });
      outcomes.set(code ?? "ran", (outcomes.get(code ?? "ran") ?? 0) + 1);
    }
    for (const code of outcomes.keys())
      expect(["INVALID_PROGRAM", "INVALID_DATA", "OUT_OF_MEMORY", "ran"]).toContain(code);
    expect(outcomes.get("INVALID_PROGRAM")).toBeGreaterThan(5000);
    expect(outcomes.get("ran")).toBeGreaterThan(100);
  });

  it("takes no Program of other tables, and none whose words another thread may change", () => {
    const engine = native.createEngine("", 1, () => {});
    for (const index of [0, 1, 2]) {
      const words = encode(countingProgram());
      words[index]! ^= 4;
      expect(codeOf(() => engine.load(words, new Uint8Array(0)))).toBe("INVALID_PROGRAM");
    }
    const words = encode(countingProgram());
    const shared = new Int32Array(new SharedArrayBuffer(words.byteLength));
    shared.set(words);
    const id = engine.load(shared, new Uint8Array(0)); // it works on a copy
    shared.fill(-1);
    const buffer = engine.allocate(1, 2);
    engine.runSync(id, Uint32Array.of(buffer), 1, 1);
  });

  it("answers wrong arguments of every function with errors", () => {
    const engine = native.createEngine("", 1, () => {});
    const buffer = engine.allocate(0, 4);
    const id = engine.load(encode(countingProgram()), new Uint8Array(0));
    const junk: unknown[] = [
      ...[
        undefined,
        null,
        "x",
        {},
        [],
        Symbol("s"),
        1n,
        true,
        Number.NaN,
        -1,
        1e20,
        0.5,
        4294967295,
        () => {},
      ],
      ...[
        new Float32Array(4),
        new Uint8Array(3),
        new BigInt64Array(1),
        new ArrayBuffer(8),
        new DataView(new ArrayBuffer(8)),
      ],
      ...[new Proxy({}, {}), new Uint32Array(0)],
    ];
    const names = [
      "allocate",
      "write",
      "read",
      "disposeBuffer",
      "load",
      "disposeExecutable",
      "run",
      "runSync",
      "cancel",
    ];
    let refused = 0;
    for (const name of names) {
      const fn = (engine as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!;
      expect(codeOf(() => fn()) ?? (name === "cancel" ? "" : undefined), name).toBeDefined();
      for (const a of junk) {
        for (const b of junk) {
          // Ids that happen to be right would do what they say.
          if (name.startsWith("dispose") && (a === buffer || a === id)) continue;
          if (name === "allocate" && typeof b === "number" && b > 1e6) continue;
          for (const rest of [[], [0, 0, 1, false], [1, 0, 1, true]])
            refused += codeOf(() => fn(a, b, ...rest)) ? 1 : 0;
        }
      }
    }
    expect(refused).toBeGreaterThan(5000);
    for (const args of [
      [],
      [1, 2, 3],
      ["", -1, () => {}],
      ["", 1, {}],
      ["avx1024", 1, () => {}],
      [{}, {}, {}],
    ]) {
      const create = native.createEngine as unknown as (...args: unknown[]) => unknown;
      expect(codeOf(() => create(...args))).toMatch(/INVALID_ARGUMENT|ENGINE_UNAVAILABLE/);
    }
    engine.write(buffer, Float32Array.of(1, 2, 3, 4), 0);
    const got = new Float32Array(4);
    engine.read(buffer, got, 0);
    expect([...got]).toEqual([1, 2, 3, 4]);
  });
});
