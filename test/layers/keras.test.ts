// Layers and activation functions against recorded results of Keras 3.15 (scripts/record-layer-fixtures.py).

import { describe, expect, test } from "vitest";
import type { DType } from "../../src/core/dtype.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { activations } from "../../src/layers/activation-option.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import recordedActivations from "../fixtures/activations.json" with { type: "json" };
import recordedLayers from "../fixtures/layers.json" with { type: "json" };
import { evaluate } from "../helpers/evaluate.ts";
import { difference } from "../helpers/matcher.ts";

interface Recorded {
  shape: number[];
  dtype: string;
  data: number[];
}

const restore = ({ data, shape, dtype }: Recorded): Tensor => tensor(data, shape, dtype as DType);
const factories = layers as unknown as Record<string, (options: object) => Layer>;

describe("layers as in Keras", () => {
  recordedLayers.cases.forEach(({ factory, options, ...recorded }, i) => {
    test(`${i}: ${factory} ${JSON.stringify(options)}`, () => {
      const layer = factories[factory]!(options);
      const inputs = (recorded.inputs as Recorded[]).map(restore);
      const shapes = inputs.map((t) => [null, ...t.shape.slice(1)]);
      const outputShape = layer.computeOutputShape(shapes.length === 1 ? shapes[0]! : shapes);
      expect(outputShape).toEqual(recorded.outputShape);
      expect(layer.namedWeights().map((w) => w.path)).toEqual(recorded.weightNames);
      layer.setWeights((recorded.weights as Recorded[]).map(restore));
      const [output] = evaluate((...xs) => layer.apply(xs.length === 1 ? xs[0]! : xs), inputs);
      // Both sides round to float32 at every step, in different orders: a few units in 2^-24 of the whole.
      expect(difference(output!, restore(recorded.output as Recorded), { norm: 5e-7 })).toBeUndefined();
      // And the configuration makes the same layer again.
      const again = factories[factory]!(JSON.parse(JSON.stringify(layer.getConfig())));
      expect(again.getConfig()).toEqual(layer.getConfig());
    });
  });
});

describe("activation functions as in Keras", () => {
  const { points, outputs } = recordedActivations.cases as {
    points: Recorded;
    outputs: Record<string, Recorded>;
  };
  const camel = (name: string) => name.replace(/_(.)/g, (_, c: string) => c.toUpperCase());

  test("all of Keras's names and no others", () => {
    expect(Object.keys(activations).sort()).toEqual(Object.keys(outputs).map(camel).sort());
  });

  // Keras 3.15 sums cumulated sums for its threshold, so that its rows do not sum to 1: we follow the paper instead.
  test("sparsemax as in Martins and Astudillo (2016), where Keras errs", () => {
    const layer = layers.activation({ activation: "sparsemax" });
    const [output] = evaluate((x) => layer.apply(x), [restore(points)], "float64");
    const firstRow = [0, 0, 0, 0, 0, 1 / 12, 1 / 3, 7 / 12];
    firstRow.forEach((e, i) => {
      expect(output!.data[i]).toBeCloseTo(e, 12);
    });
    expect(outputs.sparsemax!.data[5]).toBeCloseTo(11 / 12, 6);
  });

  test.each(Object.keys(outputs).filter((n) => n !== "sparsemax"))("%s", (name) => {
    const layer = layers.activation({ activation: camel(name) as keyof typeof activations });
    const [output] = evaluate((x) => layer.apply(x), [restore(points)], "float64");
    const expected = restore(outputs[name]!);
    expect(output!.shape).toEqual(expected.shape);
    // Ours in double precision; theirs with the rounding errors of their float32 formula.
    for (let i = 0; i < expected.size; i++) {
      const e = expected.data[i]!;
      expect(Math.abs(output!.data[i]! - e), `at ${i}`).toBeLessThan(1e-6 * Math.max(1, Math.abs(e)));
    }
  });
});
