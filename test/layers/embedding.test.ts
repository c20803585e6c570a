// Embedding: which rows it takes, what training it changes, and ids that do not exist.

import { describe, expect, test } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as layers from "../../src/layers/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import { availableEngines } from "../helpers/engines.ts";
import { evaluate } from "../helpers/evaluate.ts";
import "../../src/training/attach.ts";

const table = tensor([
  [1, 2],
  [3, 4],
  [5, 6],
  [7, 8],
]);

for (const engine of availableEngines()) {
  describe(`embedding, ${engine.name} engine`, () => {
    test("a row for each id, whatever its dtype", async () => {
      const layer = layers.embedding({ inputDim: 4, outputDim: 2, inputShape: [null] });
      expect(layer.computeOutputShape([null, 5])).toEqual([null, 5, 2]);
      layer.setWeights([table]);
      for (const dtype of ["int32", "uint8", "float32"] as const) {
        const [rows] = evaluate((ids) => layer.apply(ids), [tensor([3, 0, 3], [1, 3], dtype)]);
        expect(rows!.toArray()).toEqual([
          [
            [7, 8],
            [1, 2],
            [7, 8],
          ],
        ]);
      }
    });

    test("with maskZero, later layers do not see id 0", () => {
      const ids = tensor([3, 0, 1, 0], [1, 4], "int32");
      for (const maskZero of [false, true]) {
        const layer = layers.embedding({ inputDim: 4, outputDim: 2, maskZero });
        let mask: Value | null = null;
        evaluate(
          (x) => {
            const y = layer.apply(x);
            mask = layers.maskOf(y);
            return mask ?? y;
          },
          [ids],
        );
        expect(mask !== null).toBe(maskZero);
      }
      const layer = layers.embedding({ inputDim: 4, outputDim: 2, maskZero: true });
      const [mask] = evaluate((x) => layers.maskOf(layer.apply(x))!, [ids]);
      expect(mask!.toArray()).toEqual([[true, false, true, false]]);
    });

    test("training moves the rows of the batch, repeated ones by the sum", async () => {
      const model = sequential([
        layers.inputLayer({ shape: [3], dtype: "int32" }),
        layers.embedding({ inputDim: 4, outputDim: 2 }),
      ]);
      model.setWeights([table]);
      model.compile({ optimizer: { name: "sgd", options: { learningRate: 1 } }, loss: "mse", engine });
      // d mse / d row = 2 / 6 (row - target), and the target is 0.
      await model.trainOnBatch(tensor([1, 2, 1], [1, 3], "int32"), tensor([0, 0, 0, 0, 0, 0], [1, 3, 2]));
      const [after] = model.getWeights();
      const expected = [1, 2, 1, 4 / 3, 10 / 3, 4, 7, 8];
      expected.forEach((e, i) => {
        expect(after!.data[i]).toBeCloseTo(e, 5);
      });
    });

    test("an id outside of the table rejects the run", async () => {
      const model = sequential([
        layers.inputLayer({ shape: [2], dtype: "int32" }),
        layers.embedding({ inputDim: 4, outputDim: 2 }),
      ]);
      model.compile({ loss: "mse", engine });
      await expect(model.predict(tensor([1, 4], [1, 2], "int32"))).rejects.toThrow(
        "gather at embedding: index 4 at 1 is outside [0, 4)",
      );
    });
  });
}
