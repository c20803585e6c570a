// The property all passes share: what they make is the same function, bit for bit.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import type { Tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { check } from "../../src/graph/check.ts";
import { trace } from "../../src/graph/trace.ts";
import { optimize, type PassOptions } from "../../src/passes/index.ts";
import { randomProgram } from "../helpers/random-program.ts";

const NONE: Required<PassOptions> = {
  fold: false,
  dedupe: false,
  prune: false,
  absorb: false,
  pair: false,
  hoist: false,
  fuse: false,
  inPlace: false,
};
const ALL: Required<PassOptions> = {
  fold: true,
  dedupe: true,
  prune: true,
  absorb: false,
  pair: true,
  hoist: true,
  fuse: true,
  inPlace: true,
};
const names = Object.keys(ALL) as (keyof PassOptions)[];

const programs = fc.record({ seed: fc.nat(), size: fc.integer({ min: 1, max: 40 }) });

/** Results and states after two steps, as bit patterns. NaN is one pattern: which one it is says nothing. */
function run(
  { seed, size }: { seed: number; size: number },
  passes: PassOptions,
  engine: ReferenceEngine,
): string[] {
  const program = randomProgram(seed, size);
  const built = build(program.fn, program.types, { engine, passes, steady: program.variables });
  const results = built.runSync(program.args, 2);
  return [...results, ...program.variables.map((v) => v.read())].map(bits);
}

function bits(t: Tensor): string {
  return `${t.dtype}[${t.shape}] ${Array.from(t.data, (x) => (Object.is(x, -0) ? "-0" : x)).join(" ")}`;
}

describe("optimised and plain programs agree bit for bit", () => {
  // One engine for all: scratch is full of what earlier programs left in it.
  const engine = new ReferenceEngine();

  it("with all passes on", () => {
    fc.assert(
      fc.property(programs, (p) => {
        expect(run(p, ALL, engine)).toEqual(run(p, NONE, engine));
      }),
      { numRuns: 300 },
    );
  });

  it.each(names)("with %s alone, and with all but it", (name) => {
    fc.assert(
      fc.property(programs, (p) => {
        const plain = run(p, NONE, engine);
        expect(run(p, { ...NONE, [name]: true }, engine)).toEqual(plain);
        expect(run(p, { ...ALL, [name]: false }, engine)).toEqual(plain);
      }),
      { numRuns: 100 },
    );
  });

  it("keeps every graph sound after every pass", () => {
    fc.assert(
      fc.property(programs, ({ seed, size }) => {
        const { fn, types } = randomProgram(seed, size);
        const graph = optimize(trace(fn, types).graph, new Set(["softmax"]), {}, true);
        check(graph, "optimize");
      }),
      { numRuns: 100 },
    );
  });
});
