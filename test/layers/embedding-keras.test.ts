// ReversibleEmbedding and AlphaDropout against Keras 3.15 (scripts/record-embedding-fixtures.py), on both engines; positions,
// embeddings that start with given vectors, and wrong use.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { build } from "../../src/compile.ts";
import type { DType } from "../../src/core/dtype.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { readVariable, trace } from "../../src/graph/trace.ts";
import * as layers from "../../src/layers/index.ts";
import { input, model, modelFromJSON } from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import recorded from "../fixtures/embedding.json" with { type: "json" };
import { availableEngines } from "../helpers/engines.ts";
import { difference } from "../helpers/matcher.ts";
import { thrown } from "../helpers/thrown.ts";

interface Recorded {
  shape: number[];
  dtype: string;
  data: number[];
}
const restore = ({ data, shape, dtype }: Recorded): Tensor => tensor(data, shape, dtype as DType);

for (const engine of availableEngines()) {
  describe(`as in Keras on the ${engine.name} engine`, () => {
    test.each(recorded.reversible.map((r) => [JSON.stringify(r.options), r] as const))("%s", (_, r) => {
      const layer = layers.reversibleEmbedding(r.options);
      layer.build([null, 4]);
      layer.setWeights(r.weights.map(restore));
      const args = [r.ids, r.shift, r.weigh].map(restore);
      const run = build(
        (ids, shift, weigh) => {
          const logits = layer.apply(ops.add(layer.apply(ids!), shift!), { reverse: true });
          return [logits, ...backward([logits], [weigh!], layer.weights.map(readVariable))];
        },
        args,
        { engine },
      );
      const expected = [r.logits, ...r.grads].map(restore);
      run.runSync(args).forEach((t, i) => {
        expect(difference(t, expected[i]!, { norm: 1e-6 }), `result ${i}`).toBeUndefined();
      });
    });

    test.each(recorded.alphaDropout)("alphaDropout of $rate", ({ rate, values }) => {
      const layer = layers.alphaDropout({ rate, seed: 3 });
      const x = tensor(new Float32Array(20000).fill(0.75), [20000]);
      const run = build((v) => [layer.apply(v!, { training: true }), layer.apply(v!)], [x], { engine });
      const [y, same] = run.runSync([x]);
      expect(same!.data).toEqual(x.data);
      const seen = [...new Set(y!.data as Float32Array)].sort((a, b) => a - b);
      expect(seen).toHaveLength(2);
      seen.forEach((v, i) => {
        expect(Math.abs(v - values[i]!)).toBeLessThan(2e-5);
      });
      const floor = seen.find((v) => v < 0)!;
      const dropped = (y!.data as Float32Array).filter((v) => v === floor).length / 20000;
      expect(Math.abs(dropped - rate)).toBeLessThan(0.02);
    });
  });
}

test("alphaDropout keeps mean and variance, and drops whole axes by noiseShape", () => {
  const layer = layers.alphaDropout({ rate: 0.3, seed: 3 });
  const [y] = build(() => [
    layer.apply(ops.random.normal([40000], { seed: 5 }), { training: true }),
  ]).runSync();
  const data = Array.from(y!.data as Float32Array);
  const mean = data.reduce((a, b) => a + b) / data.length;
  const variance = data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length;
  expect(Math.abs(mean)).toBeLessThan(0.02);
  expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  const rows = layers.alphaDropout({ rate: 0.5, noiseShape: [null, 1], seed: 3 });
  const [z] = build(() => [rows.apply(ops.ones([50, 4]), { training: true })]).runSync();
  for (let i = 0; i < 50; i++) expect(new Set(z!.data.subarray(4 * i, 4 * i + 4)).size).toBe(1);
});

test("positionEmbedding adds the vector of each place, to shorter sequences too", () => {
  const layer = layers.positionEmbedding({ sequenceLength: 3 });
  layer.build([null, 2, 2]);
  layer.setWeights([[[1, 2], [3, 4], [5, 6]]]); // biome-ignore format: one line
  const [y] = build(() => [layer.apply(ops.full([1, 2, 2], 10))]).runSync();
  expect(Array.from(y!.data)).toEqual([11, 12, 13, 14]);
  expect(thrown(() => layer.computeOutputShape([null, 4, 2])).message).toContain(
    "positionEmbedding: expected [batch, at most 3, 2], got shape (8, 4, 2)",
  );
});

test("embedding starts with given vectors", () => {
  const table = [[1, 2], [3, 4], [5, 6]]; // biome-ignore format: one line
  const layer = layers.embedding({ inputDim: 3, outputDim: 2, weights: table, trainable: false });
  layer.build([null]);
  expect(Array.from(layer.getWeights()[0]!.data)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(layer.getConfig()).not.toHaveProperty("weights");
  const wrong = thrown(() => layers.embedding({ inputDim: 4, outputDim: 2, weights: table }));
  expect(wrong.message).toBe("embedding: expected weights float32[4, 2], got float32[3, 2]");
});

test("a tied head in a model: saved with its two uses, masked on the way in", () => {
  const ids = input({ shape: [4], dtype: "int32" });
  const table = layers.reversibleEmbedding({ inputDim: 7, outputDim: 3, maskZero: true });
  const m = model({ inputs: ids, outputs: table.apply(table.apply(ids), { reverse: true }) });
  expect(m.outputSpecs[0]!.shape).toEqual([null, 4, 7]);
  expect(m.countParams()).toBe(21);
  const again = modelFromJSON(JSON.stringify(m));
  expect(again.getConfig()).toEqual(m.getConfig());
  trace(
    (x) => {
      const vectors = table.apply(x!);
      expect(layers.maskOf(vectors)).not.toBeNull();
      expect(layers.maskOf(table.apply(vectors, { reverse: true }))).toBeNull();
      return [];
    },
    [{ shape: [2, 4], dtype: "int32" }],
  );
  const wrong = thrown(() => table.apply(input({ shape: [4, 2] }), { reverse: true }));
  expect(wrong.message).toContain("expected a last axis of 3 on the way back, got shape (8, 4, 2)");
  expect(
    thrown(() => layers.reversibleEmbedding({ inputDim: 2, outputDim: 2, logitSoftCap: 0 })).message,
  ).toBe("reversibleEmbedding: expected logitSoftCap to be a number greater than 0, got 0");
});
