// Judge: every op on every CPU level this machine has against the plain evaluation, within the tolerance of its case.
// Composites run whole on the native engine and expanded on the other side, so this is the test of their kernels too.

import { describe, expect, test } from "vitest";
import { build } from "../../src/compile.ts";
import { Random } from "../../src/core/random.ts";
import { loadBinding } from "../../src/engine/binding.ts";
import { NativeEngine } from "../../src/engine/native.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { difference } from "../helpers/matcher.ts";
import { fill } from "../helpers/random-shapes.ts";
import { cases, type OpCase } from "../ops.cases.ts";

function availableLevels(): readonly string[] {
  try {
    return loadBinding().levels;
  } catch (error) {
    console.log(`SKIPPED native against reference: ${(error as Error).message}`);
    return [];
  }
}

const levels = availableLevels();
const title = (c: OpCase): string => `${c.op} ${c.note}`.trim();

/** What differs between native and plain, over all inputs of a case. */
function disagreement(c: OpCase, engine: NativeEngine): string | undefined {
  for (const [i, specs] of c.inputs.entries()) {
    const random = new Random(500 + i);
    const args = specs.map((s) => fill(s, random));
    const fn = (...xs: Parameters<OpCase["run"]>) => [c.run(...xs)].flat();
    const precision = "exact" in c.tolerance ? "float32" : "float64";
    const expected = evaluate(fn, args, precision);
    const actual = build(fn, args, { engine }).runSync(args);
    for (const [o, t] of actual.entries()) {
      const found = difference(t, expected[o]!, c.tolerance, args);
      if (found) return `inputs ${i}, output ${o}: ${found}`;
    }
  }
  return undefined;
}

describe.skipIf(levels.length === 0)("native agrees with reference", () => {
  describe.each(levels)("%s", (level) => {
    const engine = new NativeEngine({ level, threads: 2 });
    test.each(cases.map((c) => [title(c), c] as const))("%s", (_title, c) => {
      expect(disagreement(c, engine)).toBeUndefined();
    });
  });
});
