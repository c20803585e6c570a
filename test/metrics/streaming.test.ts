// Every metric over three batches of different sizes, with and without sample weights, against Keras, on both engines;
// MetricState's manners; what is refused.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import * as metrics from "../../src/metrics/index.ts";
import { MetricState } from "../../src/training/metric-state.ts";
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

type Rows = (number | number[])[];

const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/streaming-metrics.json", import.meta.url), "utf8"),
) as {
  cuts: number[];
  weights: number[];
  data: Record<string, { true: Rows; pred: Rows }>;
  metrics: {
    name: string;
    options: Record<string, unknown>;
    batch: string;
    result: number;
    weighted: number;
  }[];
};

const NAMES: Record<string, string> = { KLDivergence: "klDivergence", AUC: "auc", LogCoshError: "logCosh" };

function ours(name: string, options: Record<string, unknown>): metrics.Metric {
  const { numLabels: _, classAggregation, ...rest } = options;
  const aggregation = classAggregation === undefined ? {} : { classAggregation: "varianceWeightedAverage" };
  const own =
    NAMES[name] ?? (name[0]!.toLowerCase() + name.slice(1)).replace("ioU", "iou").replace("IoU", "Iou");
  return metrics.get({ name: own, options: { ...rest, ...aggregation } });
}

describe.each(availableEngines().map((e) => [e.name, e] as const))(
  "as Keras on the %s engine",
  (_, engine) => {
    for (const { name, options, batch, ...expected } of fixture.metrics) {
      for (const kind of ["result", "weighted"] as const) {
        it(`${name} ${JSON.stringify(options)} on ${batch}${kind === "weighted" ? ", weighted" : ""}`, () => {
          const state = new MetricState(ours(name, options), { engine });
          const { true: y, pred } = fixture.data[batch]!;
          const dtype = batch === "sparse" || batch === "classes" ? "int32" : "float32";
          fixture.cuts.slice(1).forEach((to, i) => {
            const from = fixture.cuts[i]!;
            const weights = kind === "weighted" ? fixture.weights.slice(from, to) : undefined;
            state.updateState(tensor(y.slice(from, to), undefined, dtype), pred.slice(from, to), weights);
          });
          const wanted = expected[kind];
          expect(Math.abs(state.result() - wanted)).toBeLessThan(3e-6 * Math.max(1, Math.abs(wanted)));
        });
      }
    }
  },
);

describe("MetricState", () => {
  it("starts with nothing, goes on, and starts anew", () => {
    const state = new MetricState("mse");
    expect(state.result()).toBeNaN();
    state.updateState([1, 2], [1, 4]);
    expect(state.result()).toBe(2);
    state.updateState([0], [2]);
    expect(state.result()).toBeCloseTo(8 / 3, 6);
    state.resetState();
    expect(state.result()).toBeNaN();
    state.updateState([0], [1]);
    expect(state.result()).toBe(1);
  });

  it("takes functions, sums", () => {
    const state = new MetricState(metrics.sum((t) => t, { name: "events" }));
    state.updateState([1, 2], [0, 0], [1, 0.5]);
    expect([state.name, state.result()]).toEqual(["events", 2]);
  });

  it("refuses what does not fit", () => {
    expect(thrown(() => new MetricState("mse").updateState([1, 2], [1, 2, 3])).code).toBe("SHAPE_MISMATCH");
    const state = new MetricState("f1Score");
    state.updateState([[0, 1]], [[0, 1]]);
    expect(thrown(() => state.updateState([[0, 1, 0]], [[0, 1, 0]])).message).toContain(
      "as many outputs as the first",
    );
    expect(thrown(() => new MetricState("mse").updateState([1, 2], [1, 2], [1, 2, 3])).message).toContain(
      "sampleWeight",
    );
  });
});

it("refuses wrong options", () => {
  const wrong: [() => unknown, RegExp][] = [
    [() => metrics.precision({ thresholds: [0.1] as never }), /one number as thresholds/],
    [() => metrics.precision({ topK: 0 }), /topK to be an integer of at least 1/],
    [() => metrics.recall({ classId: -1 }), /classId to be an integer of at least 0/],
    [() => metrics.truePositives({ topK: 1 } as never), /unknown option "topK"/],
    [() => metrics.fBetaScore({ beta: 0 }), /beta to be a number above 0/],
    [() => metrics.f1Score({ average: null as never }), /unknown average|expected average/],
    [() => metrics.auc({ thresholds: [2] }), /thresholds to be a number in \[0, 1\], got 2/],
    [() => metrics.auc({ numThresholds: 1 }), /numThresholds to be an integer of at least 2/],
    [() => metrics.auc({ labelWeights: [1] }), /labelWeights only with multiLabel/],
    [() => metrics.precisionAtRecall({ recall: 2 }), /recall to be a number in \[0, 1\], got 2/],
    [() => metrics.precisionAtRecall({} as never), /recall to be a number in \[0, 1\], got undefined/],
    [
      () => metrics.iou({ numClasses: 2, targetClassIds: [2] }),
      /targetClassIds to be an integer from 0 to 1/,
    ],
    [() => metrics.meanIou({} as never), /numClasses to be an integer/],
    [() => metrics.binaryIou({ threshold: 2 }), /threshold to be a number in \[0, 1\]/],
    [() => metrics.r2Score({ numRegressors: -1 }), /numRegressors to be an integer of at least 0/],
    [() => metrics.sum(3 as never), /metrics.sum: expected a function/],
  ];
  for (const [call, message] of wrong) expect(thrown(call).message).toMatch(message);
});
