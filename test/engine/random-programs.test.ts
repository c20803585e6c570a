// Whole random Programs on every CPU level of this machine: what the passes make of them equals the plain form bit for bit,
// fused steps, epilogues and in-place writes included, and both stay close to the reference engine.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import type { Tensor } from "../../src/core/tensor.ts";
import { loadBinding } from "../../src/engine/binding.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { NativeEngine } from "../../src/engine/native.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import type { PassOptions } from "../../src/passes/index.ts";
import { randomProgram } from "../helpers/random-program.ts";

function availableLevels(): readonly string[] {
  try {
    return loadBinding().levels;
  } catch (error) {
    console.log(`SKIPPED random programs on the native engine: ${(error as Error).message}`);
    return [];
  }
}

const levels = availableLevels();
const NONE: PassOptions = {
  fold: false,
  dedupe: false,
  prune: false,
  absorb: false,
  hoist: false,
  fuse: false,
  inPlace: false,
};
/**
 * Folding is left out: constants are computed by plain evaluation, whose exp or tanh may be another half an ulp off. And
 * absorb, which rounds elsewhere by design.
 */
const ALL: PassOptions = { fold: false, absorb: false };
const SIZE = 30;

function run(seed: number, engine: Engine, passes: PassOptions, steps: number): Tensor[] {
  const { fn, types, args, variables } = randomProgram(seed, SIZE);
  const results = build(fn, types, { engine, passes, steady: variables }).runSync(args, steps);
  return [...results, ...variables.map((v) => v.read())];
}

/** Largest relative error; below 1e-3 numbers count as 1e-3, since they may be what was left of a cancellation. */
function distance(a: readonly Tensor[], b: readonly Tensor[]): number {
  let worst = 0;
  a.forEach((t, i) => {
    t.data.forEach((x, j) => {
      const y = b[i]!.data[j]!;
      if (Object.is(x, y) || x === y) return;
      const error = Math.abs(x - y) / Math.max(1e-3, Math.abs(x), Math.abs(y));
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
    });
  });
  return worst;
}

const bits = (list: readonly Tensor[]) => list.map((t) => `${t.dtype}[${t.shape}] ${t.data}`);

describe.skipIf(levels.length === 0).each(levels)("random programs on %s", (level) => {
  const engine = new NativeEngine({ level, threads: 2 });

  it("are the same optimised and plain, bit for bit", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(bits(run(seed, engine, ALL, 2))).toEqual(bits(run(seed, engine, NONE, 2)));
      }),
      { numRuns: 150 },
    );
  });

  // Fixed seeds: a program that rounds or compares may turn an ulp into a step, though few do.
  it("are close to the reference engine", () => {
    const reference = new ReferenceEngine();
    for (let seed = 0; seed < 150; seed++) {
      const error = distance(run(seed, engine, {}, 1), run(seed, reference, {}, 1));
      expect(error, `seed ${seed}`).toBeLessThan(1e-3);
    }
  });
});
