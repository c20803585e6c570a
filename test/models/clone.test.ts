// cloneModel and copyLayer: same shape, fresh weights, layers changed on the way.

import { expect, test } from "vitest";
import type { Tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as layers from "../../src/layers/index.ts";
import { Layer } from "../../src/layers/layer.ts";
import {
  applications,
  cloneModel,
  copyLayer,
  input,
  model,
  Sequential,
  sequential,
} from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import "../../src/training/index.ts";
import { thrown } from "../helpers/thrown.ts";

class Twice extends Layer {
  static readonly className = "Twice";
  override call(x: Value): Value {
    return ops.multiply(x, 2);
  }
}

function branching() {
  const a = input({ shape: [3], name: "a" });
  const b = input({ shape: [3], name: "b" });
  const shared = layers.dense({ units: 3, name: "shared", trainable: false });
  const inner = sequential([layers.dense({ units: 2, inputShape: [3] }), new Twice()], { name: "inner" });
  const sum = layers.add().apply([shared.apply(a), shared.apply(b)]);
  const raised = layers.lambda((x) => ops.add(x, 1)).apply(inner.apply(sum));
  return model({ inputs: { a, b }, outputs: [raised, sum], seed: 4, name: "branching" });
}

test("a functional model: same structure and outputs with the same weights, which are fresh", () => {
  const m = branching();
  const clone = cloneModel(m);
  expect(clone.name).toBe("branching");
  expect(clone.layers.map((l) => [l.name, l.className, l.trainable])).toEqual(
    m.layers.map((l) => [l.name, l.className, l.trainable]),
  );
  expect(clone.layers.filter((l) => m.layers.includes(l))).toEqual([]);
  expect(clone.namedWeights().map((w) => w.path)).toEqual(m.namedWeights().map((w) => w.path));
  expect(clone.getWeights()[0]!.data).not.toEqual(m.getWeights()[0]!.data);
  expect(clone.getLayer("inner").getWeights()[0]!.data).not.toEqual(
    m.getLayer("inner").getWeights()[0]!.data,
  );
  clone.setWeights(m.getWeights());
  const x = { a: [[1, 2, 3]], b: [[0, 1, 0]] };
  const [p, q] = [m, clone].map((n) => n.predictSync<readonly Tensor[]>(x).map((t) => t.data));
  expect(p).toEqual(q);
  // And it trains by itself.
  clone.getLayer("shared").trainable = true;
  expect(m.getLayer("shared").trainable).toBe(false);
});

test("a sequential model stays one, built or not", () => {
  const built = sequential([layers.dense({ units: 2, inputShape: [3] }), layers.dropout({ rate: 0.5 })]);
  const clone = cloneModel(built);
  expect(clone).toBeInstanceOf(Sequential);
  expect(clone.getConfig()).toEqual({ ...built.getConfig(), seed: clone.seed });
  const open = cloneModel(sequential([layers.dense({ units: 2 })]));
  expect(open.built).toBe(false);
  expect(open.layers).toHaveLength(1);
});

test("models of a class of their own stay what they are", () => {
  const m = applications.gpt({
    vocabularySize: 5,
    sequenceLength: 4,
    width: 8,
    heads: 2,
    blocks: 1,
    seed: 1,
  });
  const clone = cloneModel(m);
  expect(clone).toBeInstanceOf(applications.Gpt);
  expect(clone.getWeights()[0]!.data).not.toEqual(m.getWeights()[0]!.data);
});

test("inputTensors, as new inputs and as outputs of other layers", () => {
  const m = branching();
  const [a, b] = [input({ shape: [3] }), input({ shape: [3] })];
  const clone = cloneModel(m, { inputTensors: { b, a } });
  expect(clone.inputNames).toEqual(["a", "b"]);
  expect(clone.inputs).toEqual({ a, b });
  const chain = sequential([layers.dense({ units: 2, inputShape: [3] })]);
  const wider = cloneModel(sequential([layers.dense({ units: 2 })]), { inputTensors: input({ shape: [7] }) });
  expect(wider.countParams()).toBe(16);
  expect(cloneModel(chain, { inputTensors: a }).countParams()).toBe(8);
});

test("cloneFunction changes layers, callFunction their use; into the models inside when recursive", () => {
  const m = branching();
  const unbias = (l: Layer) =>
    l instanceof layers.Dense
      ? layers.dense({ ...l.getConfig(), useBias: false } as unknown as { units: number })
      : copyLayer(l);
  const seen: string[] = [];
  const callFunction: NonNullable<Parameters<typeof cloneModel>[1]>["callFunction"] = (layer, x, options) => {
    seen.push(layer.name);
    return layer.apply(x, options);
  };
  const clone = cloneModel(m, { cloneFunction: unbias, callFunction });
  expect(clone.getLayer("shared").countParams()).toBe(9);
  expect((clone.getLayer("inner") as Sequential).layers[0]!.countParams()).toBe(8);
  expect(seen).toEqual(["shared", "shared", "add", "inner", "lambda"]);
  const deep = cloneModel(m, { cloneFunction: unbias, recursive: true });
  expect((deep.getLayer("inner") as Sequential).layers[0]!.countParams()).toBe(6);
  // The layers themselves: another model on the same weights.
  const same = cloneModel(m, { cloneFunction: (l) => l });
  expect(same.weights).toEqual(m.weights);
});

test("wrong use", () => {
  const m = branching();
  const cases: [() => unknown, string][] = [
    [() => cloneModel({} as never), "cloneModel: expected a model, got"],
    [() => cloneModel(m, { cloneFn: 1 } as never), 'cloneModel: unknown option "cloneFn"'],
    [() => cloneModel(m, { cloneFunction: 1 as never }), "cloneModel: expected cloneFunction to be a function, got 1"],
    [() => cloneModel(m, { cloneFunction: () => 1 as never }), "cloneModel: expected cloneFunction to return a layer for shared, got 1"],
    [() => cloneModel(m, { callFunction: () => 1 as never }), "cloneModel: expected 1 symbolic tensor of shared, got 1"],
    [() => cloneModel(m, { inputTensors: input({ shape: [3] }) }), "cloneModel: expected inputTensors to be 2 symbolic tensors (from input()), got"],
    [() => cloneModel(sequential([]), { callFunction: () => 1 as never }), "cloneModel: expected callFunction for functional models only; sequential is sequential"],
  ]; // biome-ignore format: one line each
  for (const [clone, message] of cases) expect(thrown(clone).message).toContain(message);
});
