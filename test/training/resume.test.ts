// A training that was saved, loaded and taken up again gives the bits of one that was never interrupted.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setEngine } from "../../src/engine/select.ts";
import * as layers from "../../src/layers/index.ts";
import { loadModel } from "../../src/models/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import { availableEngines } from "../helpers/engines.ts";
import { spiral, weightsOf } from "../helpers/problems.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "myelin-resume-"));
});
afterAll(() => rm(folder, { recursive: true }));

const OPTIMIZERS: readonly optimizers.OptimizerLike[] = [
  optimizers.sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }).getConfig(),
  optimizers.adam({ learningRate: 0.02 }).getConfig(),
  optimizers.adamW({ learningRate: 0.02 }).getConfig(),
  optimizers.rmsprop({ momentum: 0.5, centered: true }).getConfig(),
];

for (const engine of availableEngines()) {
  describe(`save, load and fit on the ${engine.name} engine`, () => {
    for (const [i, optimizer] of OPTIMIZERS.entries()) {
      const { name } = optimizer as optimizers.OptimizerConfig;
      it(`goes on as if unbroken with ${name}`, async () => {
        setEngine(engine);
        const { x, y } = spiral(20);
        const make = () => {
          const model = sequential([
            layers.dense({ units: 16, activation: "relu", inputShape: [2] }),
            layers.dropout({ rate: 0.2 }),
            layers.dropout({ rate: 0.2, seed: 5 }),
            layers.dense({ units: 3, activation: "softmax" }),
          ]);
          model.compile({ optimizer, loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
          return model;
        };
        const unbroken = make();
        const whole = await unbroken.fit(x, y, { epochs: 5, batchSize: 16, seed: 7 });
        const first = make();
        await first.fit(x, y, { epochs: 2, batchSize: 16, seed: 7 });
        const path = join(folder, `${engine.name}-${i}`);
        await first.save(path);
        const again = await loadModel(path);
        expect(weightsOf(again as never)).toEqual(weightsOf(first));
        const rest = await again.fit(x, y, { epochs: 5, initialEpoch: 2, batchSize: 16 });
        expect(rest.history.loss).toEqual(whole.history.loss!.slice(2));
        expect(rest.history.accuracy).toEqual(whole.history.accuracy!.slice(2));
        expect(weightsOf(again as never)).toEqual(weightsOf(unbroken));
        // Saying the seed again changes nothing either.
        const third = await loadModel(path);
        await third.fit(x, y, { epochs: 5, initialEpoch: 2, batchSize: 16, seed: 7 });
        expect(weightsOf(third as never)).toEqual(weightsOf(unbroken));
      });
    }
  });
}
