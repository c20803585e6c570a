// Judge: every op on every CPU level this machine has against the plain evaluation, within the tolerance of its case.
// Composites run whole on the native engine and expanded on the other side, so this is the test of their kernels too.

import { describe, expect, test } from "vitest";
import { build } from "../../src/compile.ts";
import { Random } from "../../src/core/random.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { loadBinding } from "../../src/engine/binding.ts";
import { NativeEngine } from "../../src/engine/native.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import * as ops from "../../src/ops/index.ts";
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

describe.skipIf(levels.length === 0)("native and reference refuse the same data in the same words", () => {
  const i32 = (...values: number[]) => tensor(values, undefined, "int32");
  const rows = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const bad: readonly [name: string, code: string, fn: OpCase["run"], args: readonly Tensor[]][] = [
    ["gather above", "INVALID_DATA", (x, i) => ops.gather(x!, i!), [rows, i32(0, 1, 2)]],
    ["gather below", "INVALID_DATA", (x, i) => ops.gather(x!, i!, { axis: 1 }), [rows, i32(-1)]],
    ["scatterAdd", "INVALID_DATA", (i, x) => ops.scatterAdd(i!, x!, 1), [i32(0, 1), rows]],
    ["label", "LABEL_OUT_OF_RANGE", (x, l) => ops.sparseSoftmaxCrossEntropy(x!, l!), [rows, i32(2, 3)]],
    [
      "label below",
      "LABEL_OUT_OF_RANGE",
      (x, l) => ops.sparseSoftmaxCrossEntropy(x!, l!),
      [rows, i32(-7, 0)],
    ],
  ];
  test.each(bad)("%s", (_name, code, fn, args) => {
    const messages = [new NativeEngine(), new ReferenceEngine()].map((engine) => {
      const built = build((...xs) => [fn(...xs)].flat(), args, { engine });
      try {
        built.runSync(args);
      } catch (error) {
        expect(error).toMatchObject({ code });
        return (error as Error).message;
      }
      return "no error";
    });
    expect(messages[0]).toBe(messages[1]);
  });
});
