// Losses against recorded Keras results: per-sample values, reductions and gradients; names, options and misuse.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as losses from "../../src/losses/index.ts";
import * as ops from "../../src/ops/index.ts";

const engine = new ReferenceEngine();

/** Runs a function of Values on host tensors. */
function evaluate(fn: (...args: Value[]) => Value, ...args: Tensor[]): Tensor {
  return build((...values) => [fn(...values)], args, { engine }).runSync(args)[0]!;
}

const fixture = JSON.parse(readFileSync(new URL("../fixtures/losses.json", import.meta.url), "utf8")) as {
  batches: Record<string, { true: number[][]; pred: number[][] }>;
  losses: {
    name: string;
    options: Record<string, unknown>;
    batch: string;
    values: number[];
    mean: number;
    sum: number;
    gradient: number[][];
  }[];
};

const NAMES: Record<string, losses.LossName> = {
  KLDivergence: "klDivergence",
};
const OPTIONS: Record<string, string> = { from_logits: "fromLogits", label_smoothing: "labelSmoothing" };

function ours(name: string, options: Record<string, unknown>, reduction: losses.Reduction): losses.Loss {
  const entries = Object.entries(options).map(([k, v]) => [OPTIONS[k] ?? k, v]);
  const ourName = NAMES[name] ?? name[0]!.toLowerCase() + name.slice(1);
  return losses.get({ name: ourName, options: { ...Object.fromEntries(entries), reduction } });
}

/** Largest difference relative to the largest expected value. */
function difference(actual: ArrayLike<number>, expected: readonly number[]): number {
  const scale = Math.max(1e-6, ...expected.map(Math.abs));
  return Math.max(...Array.from(actual, (x, i) => Math.abs(x - expected[i]!))) / scale;
}

describe("losses against Keras", () => {
  for (const c of fixture.losses) {
    const batch = fixture.batches[c.batch]!;
    const yTrue = tensor(batch.true);
    const yPred = tensor(batch.pred);
    it(`${c.name} ${JSON.stringify(c.options)} on ${c.batch}`, () => {
      const values = evaluate((t, p) => ours(c.name, c.options, "none").apply(t, p), yTrue, yPred);
      expect(difference(values.data, c.values)).toBeLessThan(2e-6);
      const mean = evaluate((t, p) => ours(c.name, c.options, "sumOverBatchSize").apply(t, p), yTrue, yPred);
      expect(difference(mean.data, [c.mean])).toBeLessThan(2e-6);
      const sum = evaluate((t, p) => ours(c.name, c.options, "sum").apply(t, p), yTrue, yPred);
      expect(difference(sum.data, [c.sum])).toBeLessThan(2e-6);
    });
  }
});
