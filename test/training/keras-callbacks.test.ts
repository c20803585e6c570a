// Decisions of callbacks and the order of hooks, against what Keras 3 did (scripts/record-callback-decision-fixtures.py).

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import * as layers from "../../src/layers/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import { type Callback, callbacks, type Logs } from "../../src/training/index.ts";

type Options = Record<string, unknown>;
interface Recorded {
  traces: Record<string, number[]>;
  stopping: [string, Options, number, number, number, number | null, number][];
  plateau: [string, Options, number[]][];
  hooks: Record<"fit" | "evaluate" | "predict", [string, number | null, string[]][]>;
}

const path = new URL("../fixtures/callback-decisions.json", import.meta.url);
const keras = JSON.parse(readFileSync(path, "utf8")) as Recorded;
const engine = new ReferenceEngine();
const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const camelOptions = (o: Options) => Object.fromEntries(Object.entries(o).map(([k, v]) => [camel(k), v]));

/** The validation loss of each epoch is the model's one weight, which a callback sets. */
async function scripted(values: readonly number[], callback: Callback) {
  const model = sequential([layers.dense({ units: 1, useBias: false, inputShape: [1], trainable: false })]);
  const loss = (_t: ops.Operand, p: ops.Operand) => ops.mean(p, { axis: -1 });
  model.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: loss as never, engine });
  const script = { onEpochBegin: (epoch: number) => model.setWeights([[[values[epoch]!]]]) };
  const history = await model.fit([[1]], [[0]], {
    epochs: values.length,
    validationData: [[[1]], [[0]]],
    callbacks: [script, callback],
  });
  return { history, weight: model.getWeights()[0]!.item() };
}

describe("decisions are Keras's", () => {
  it.each(keras.stopping)("earlyStopping on %s with %o", async (name, options, ...expected) => {
    const stopping = callbacks.earlyStopping(camelOptions(options));
    const { history, weight } = await scripted(keras.traces[name]!, stopping);
    const { stoppedEpoch, bestEpoch, best } = stopping;
    expect([history.epoch.length, stoppedEpoch, bestEpoch, best ?? null, weight]).toEqual(expected);
  });
  it.each(keras.plateau)("reduceLROnPlateau on %s with %o", async (name, options, rates) => {
    const { history } = await scripted(
      keras.traces[name]!,
      callbacks.reduceLROnPlateau(camelOptions(options)),
    );
    expect(history.history.learningRate!.length).toBe(rates.length);
    history.history.learningRate!.forEach((rate, i) => {
      expect(Math.abs(rate / rates[i]! - 1)).toBeLessThan(1e-6);
    });
  });
});

describe("hooks come in Keras's order, with its logs", () => {
  it.each(["fit", "evaluate", "predict"] as const)("%s", async (what) => {
    const log: [string, number | null, string[]][] = [];
    const expected = keras.hooks[what].map(([hook, number, logs]) => [
      camel(hook),
      number,
      // Batches of predict are not logged here: outputs are Tensors, and logs are numbers.
      logs
        .filter((l) => l !== "outputs")
        .map((l) => camel(l))
        .sort(),
    ]);
    const recorder = Object.fromEntries(
      expected.map(([hook]) => [
        hook,
        (first: number | Logs, logs?: Logs) => {
          const number = typeof first === "number" ? first : null;
          log.push([
            hook as string,
            number,
            Object.keys(logs ?? (number === null ? (first as Logs) : {})).sort(),
          ]);
        },
      ]),
    );
    const model = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    model.compile({ optimizer: "sgd", loss: "mse", metrics: ["mae"], engine });
    const [x, y] = [Array(5).fill([1, 1]), Array(5).fill([1])];
    if (what === "fit")
      await model.fit(x, y, { epochs: 2, batchSize: 2, validationData: [x, y], callbacks: recorder });
    else if (what === "evaluate") await model.evaluate(x, y, { batchSize: 2, callbacks: recorder });
    else await model.predict(x, { batchSize: 2, callbacks: recorder });
    expect(log).toEqual(expected);
  });
});
