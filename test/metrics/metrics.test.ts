// Metrics against recorded Keras results, over two batches of different sizes; the choice "accuracy" makes; misuse.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { Value } from "../../src/graph/graph.ts";
import * as metrics from "../../src/metrics/index.ts";
import * as ops from "../../src/ops/index.ts";

const engine = new ReferenceEngine();

type Rows = readonly (number | readonly number[])[];

/** The metric over some batches, added up as a training would. */
function measure(metric: metrics.Metric, batches: readonly (readonly [Rows, Rows])[]): number {
  let sums: number[] = [];
  for (const [yTrue, yPred] of batches) {
    const args = [tensor(yTrue), tensor(yPred)] as const;
    const update = (t: Value, p: Value): Value[] => {
      const amounts = metric.update(t, p);
      if (amounts instanceof Value) return [amounts];
      return amounts.map((a) => (a instanceof Value ? a : ops.constant(tensor(a))));
    };
    const added = build(update as never, args, { engine })
      .runSync(args)
      .flatMap((t) => Array.from(t.data));
    sums = added.map((x, i) => x + (sums[i] ?? 0));
  }
  return metric.result(sums);
}

const fixture = JSON.parse(readFileSync(new URL("../fixtures/metrics.json", import.meta.url), "utf8")) as {
  batches: Record<string, { true: Rows; pred: Rows }>;
  metrics: { name: string; options: Record<string, unknown>; batch: string; result: number }[];
};

const NAMES: Record<string, string> = { KLDivergence: "klDivergence", AUC: "auc", LogCoshError: "logCosh" };
const OPTIONS: Record<string, string> = { num_thresholds: "numThresholds" };

describe("metrics against Keras", () => {
  for (const c of fixture.metrics) {
    it(`${c.name} ${JSON.stringify(c.options)} on ${c.batch}`, () => {
      const options = Object.fromEntries(Object.entries(c.options).map(([k, v]) => [OPTIONS[k] ?? k, v]));
      const metric = metrics.get({
        name: NAMES[c.name] ?? c.name[0]!.toLowerCase() + c.name.slice(1),
        options,
      });
      const { true: t, pred: p } = fixture.batches[c.batch]!;
      const result = measure(metric, [
        [t.slice(0, 4), p.slice(0, 4)],
        [t.slice(4), p.slice(4)],
      ]);
      expect(Math.abs(result - c.result)).toBeLessThan(2e-6 * Math.max(1, Math.abs(c.result)));
    });
  }
});

describe("accuracy", () => {
  it("is binary for one output, with or without a column in the targets", () => {
    const pred = [[0.2], [0.7], [0.9]];
    expect(measure(metrics.accuracy(), [[[0, 1, 0], pred]])).toBeCloseTo(2 / 3, 6);
    expect(measure(metrics.accuracy(), [[[[0], [1], [0]], pred]])).toBeCloseTo(2 / 3, 6);
  });
  it("is sparse for labels, categorical for one-hot targets", () => {
    const pred = [
      [0.1, 0.9, 0],
      [0.8, 0.1, 0.1],
    ];
    expect(measure(metrics.accuracy(), [[[1, 2], pred]])).toBe(0.5);
    expect(measure(metrics.accuracy(), [[[[1], [2]], pred]])).toBe(0.5);
    const oneHot = [
      [0, 1, 0],
      [0, 0, 1],
    ];
    expect(measure(metrics.accuracy(), [[oneHot, pred]])).toBe(0.5);
  });
});

describe("metrics", () => {
  it("take functions: per-sample values, or a scalar per batch that counts once", () => {
    const perSample = metrics.mean((t, p) => ops.subtract(p, t), { name: "bias" });
    expect(perSample.name).toBe("bias");
    const batches = [
      [
        [[1], [1]],
        [[2], [4]],
      ],
      [[[0]], [[5]]],
    ] as const;
    expect(measure(perSample, batches)).toBe(3);
    const perBatch = metrics.get(function largest(_t: Value, p: Value) {
      return ops.max(p);
    });
    expect(perBatch.name).toBe("largest");
    expect(measure(perBatch, batches)).toBe(4.5);
  });
  it("never counts a NaN score among the top k", () => {
    const pred = [[Number.NaN, 0.5, 0.1]];
    expect(measure(metrics.sparseTopKCategoricalAccuracy({ k: 2 }), [[[0], pred]])).toBe(0);
    expect(measure(metrics.sparseTopKCategoricalAccuracy({ k: 2 }), [[[1], pred]])).toBe(1);
  });
  it("carry the name they were asked for by", () => {
    expect(metrics.get("mse").name).toBe("mse");
    expect(metrics.get("accuracy").name).toBe("accuracy");
    expect(metrics.precision({ name: "p" }).name).toBe("p");
  });
  it("refuse unknown names, options and values", () => {
    expect(() => metrics.get("acuracy" as never)).toThrow(
      'metrics.get: unknown metric "acuracy"; did you mean "accuracy"?',
    );
    expect(() => metrics.get(3 as never)).toThrow(
      "expected a metric as a name, a Metric or a function, got 3",
    );
    expect(() => metrics.precision({ treshold: 1 } as never)).toThrow(
      'unknown option "treshold"; did you mean "thresholds"?',
    );
    expect(() => metrics.precision({ thresholds: 2 })).toThrow(
      "precision: expected thresholds to be a number in [0, 1], got 2",
    );
    expect(() => metrics.topKCategoricalAccuracy({ k: 0 })).toThrow(
      "expected k to be an integer of at least 1, got 0",
    );
    expect(() => metrics.auc({ curve: "roc" as never })).toThrow(
      'auc: unknown curve "roc"; did you mean "ROC"?',
    );
    expect(() => metrics.mean(1 as never)).toThrow("metrics.mean: expected a function, got 1");
  });
  it("refuse targets of another shape", () => {
    const wrong = () => measure(metrics.meanSquaredError(), [[[[1, 2]], [[1, 2, 3]]]]);
    expect(wrong).toThrow(
      "loss meanSquaredError: expected targets shaped like the predictions [1, 3], got [1, 2]",
    );
    expect(() => measure(metrics.f1Score(), [[[[[1]]], [[[1]]]]] as never)).toThrow(
      "expected predictions [batch, classes]",
    );
  });
});
