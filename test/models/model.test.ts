// Functional and sequential models: topology, names, specs, tracing, seeds, and every way to build one wrongly.

import { describe, expect, test } from "vitest";
import { build } from "../../src/compile.ts";
import { tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { print } from "../../src/graph/print.ts";
import { trace } from "../../src/graph/trace.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import type { SymbolicTensor } from "../../src/layers/symbolic.ts";
import { input, type Model, model, Sequential, sequential } from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import keras from "../fixtures/topology.json" with { type: "json" };
import { evaluate } from "../helpers/evaluate.ts";
import { thrown } from "../helpers/thrown.ts";

const { dense } = layers;
const INFERENCE = { training: false };
const names = (m: Model) => m.layers.map((l) => l.name);
const paths = (m: Model) => m.namedWeights().map((w) => w.path);

/** Values of a model's outputs for inputs, evaluated plainly. */
const run = (m: Model, ...inputs: ReturnType<typeof tensor>[]) =>
  evaluate((...xs) => m.callFlat(xs, INFERENCE), inputs);

describe("functional models", () => {
  test("several inputs and outputs, shared layers: order of layers and weights as in Keras", () => {
    const a = input({ shape: [4], name: "a" });
    const b = input({ shape: [3], name: "b" });
    const shared = dense({ units: 5, name: "shared" });
    const left = shared.apply(dense({ units: 4, name: "left" }).apply(a));
    const right = shared.apply(a);
    const late = dense({ units: 5, name: "late" }).apply(b);
    const total = layers.add({ name: "total" }).apply([left, right, late]);
    const side = dense({ units: 2, name: "side" }).apply(left);
    const m = model({ inputs: [b, a], outputs: [dense({ units: 1, name: "head" }).apply(total), side] });
    expect(names(m)).toEqual(keras.cases.residual.layers);
    expect(paths(m)).toEqual(keras.cases.residual.weights);
    expect(m.countParams()).toBe(keras.cases.residual.count);
    expect(m.inputSpecs).toEqual([
      { name: "b", shape: [null, 3], dtype: "float32" },
      { name: "a", shape: [null, 4], dtype: "float32" },
    ]);
    expect(m.outputNames).toEqual(["head", "side"]);
    expect(shared.calls.length).toBe(2);
  });

  test("models inside models: order as in Keras, their weights under their name", () => {
    const innerIn = input({ shape: [5], name: "inner_in" });
    const slope = layers.prelu({ name: "slope" }).apply(innerIn);
    const inner = model({
      inputs: innerIn,
      outputs: dense({ units: 5, name: "inner_dense" }).apply(slope),
      name: "inner",
    });
    const x = input({ shape: [5], name: "x" });
    const skip = dense({ units: 5, name: "skip" }).apply(x);
    const join = layers.concatenate({ name: "join" }).apply([inner.apply(skip), inner.apply(x), x]);
    const m = model({ inputs: x, outputs: join });
    expect(names(m)).toEqual(keras.cases.nested.layers);
    // Keras's paths leave out the model; the order is the same.
    expect(paths(m).map((p) => p.replace(/^inner\//, ""))).toEqual(keras.cases.nested.weights);
    expect(paths(m)).toContain("inner/slope/alpha");
    expect(m.countParams()).toBe(keras.cases.nested.count);
    expect(m.outputSpecs).toEqual([{ name: "join", shape: [null, 15], dtype: "float32" }]);
  });

  test("it computes what its layers compute", () => {
    const a = input({ shape: [2] });
    const b = input({ shape: [2] });
    const twice = dense({ units: 2, useBias: false });
    const difference = layers.subtract().apply([twice.apply(a), twice.apply(b)]);
    const m = model({
      inputs: { first: a, second: b },
      outputs: { difference, both: layers.concatenate().apply([a, b]) },
    });
    twice.setWeights([
      [
        [2, 0],
        [0, 3],
      ],
    ]);
    const [d, both] = run(m, tensor([[5, 7]]), tensor([[1, 2]]));
    expect(d!.toArray()).toEqual([[8, 15]]);
    expect(both!.toArray()).toEqual([[5, 7, 1, 2]]);
    expect(m.inputNames).toEqual(["first", "second"]);
    expect(m.outputNames).toEqual(["difference", "both"]);
    // By name, in whatever order the keys come.
    const [again] = evaluate(
      (p, q) => (m.call({ second: q, first: p }, INFERENCE) as { difference: typeof p }).difference,
      [tensor([[5, 7]]), tensor([[1, 2]])],
    );
    expect(again!.toArray()).toEqual([[8, 15]]);
  });

  test("a model cut out of another shares its weights", () => {
    const m = sequential([dense({ units: 3, inputShape: [2] }), dense({ units: 1 })]);
    const code = model({ inputs: m.inputs, outputs: m.getLayer("dense").output });
    const tail = model({ inputs: m.getLayer("dense").output, outputs: m.outputs });
    expect(code.weights).toEqual(m.weights.slice(0, 2));
    expect(tail.weights).toEqual(m.weights.slice(2));
    expect(tail.inputSpecs[0]!.shape).toEqual([null, 3]);
    const x = tensor([[0.5, -1]]);
    expect(run(tail, run(code, x)[0]!)[0]!.data).toEqual(run(m, x)[0]!.data);
  });

  test("unused inputs are inputs all the same", () => {
    const a = input({ shape: [2], name: "a" });
    const unused = input({ shape: [3], name: "unused" });
    const m = model({ inputs: [a, unused], outputs: layers.identity().apply(a) });
    expect(m.inputNames).toEqual(["a", "unused"]);
    expect(run(m, tensor([[1, 2]]), tensor([[1, 2, 3]]))[0]!.toArray()).toEqual([[1, 2]]);
  });

  test("an output may be an input, and two outputs of one layer get distinct names", () => {
    const a = input({ shape: [2], name: "a" });
    const f = dense({ units: 2, name: "f" });
    const m = model({ inputs: a, outputs: [a, f.apply(a), f.apply(f.apply(a))] });
    expect(m.outputNames).toEqual(["a", "f", "f_1"]);
    expect(run(m, tensor([[1, 2]]))[0]!.toArray()).toEqual([[1, 2]]);
  });

  test("unknown sizes besides the batch stay unknown; a fixed batch stays fixed", () => {
    const x = input({ shape: [null, 4] });
    const y = layers.flatten().apply(dense({ units: 2 }).apply(x));
    expect(y.shape).toEqual([null, null]);
    expect(dense({ units: 3 }).apply(input({ shape: [4], batchSize: 16 })).shape).toEqual([16, 3]);
  });

  test("a very deep model needs no deep stack", () => {
    let x: SymbolicTensor = input({ shape: [1] });
    const first = x;
    for (let i = 0; i < 3000; i++) x = layers.identity().apply(x);
    expect(model({ inputs: first, outputs: x }).layers.length).toBe(3001);
  });

  test("every node of the graph says which layer it came from", () => {
    const inner = sequential([dense({ units: 2, inputShape: [2] })], { name: "encoder" });
    const x = input({ shape: [2] });
    const m = model({ inputs: x, outputs: dense({ units: 1, activation: "tanh" }).apply(inner.apply(x)) });
    const { graph } = trace((v) => m.callFlat([v], INFERENCE), [{ shape: [4, 2], dtype: "float32" }]);
    expect(new Set(graph.nodes.map((n) => n.where))).toEqual(new Set(["encoder/dense", "dense"]));
    expect(print(graph)).toContain("@ encoder/dense");
  });

  test("inputs are cast up to the dtype they were declared with", () => {
    const m = sequential([layers.identity({ inputShape: [2] })]);
    const [y] = evaluate((x) => m.callFlat([x], INFERENCE), [tensor(Uint8Array.of(3, 255), [1, 2])]);
    expect(y!.dtype).toBe("float32");
    expect(y!.toArray()).toEqual([[3, 255]]);
  });
});

describe("functional errors", () => {
  const a = input({ shape: [4], name: "a" });
  const b = input({ shape: [4], name: "b" });
  const sum = layers.add({ name: "sum" }).apply([a, b]);

  test.each<[string, () => unknown, string, string]>([
    [
      "an input left out",
      () => model({ inputs: a, outputs: sum }),
      "INVALID_ARGUMENT",
      "model: output sum depends on input b, which is not among the inputs (a)",
    ],
    [
      "an input twice",
      () => model({ inputs: [a, a], outputs: a }),
      "INVALID_ARGUMENT",
      "model: expected distinct inputs, got one twice",
    ],
    [
      "no inputs",
      () => model({ inputs: [], outputs: a }),
      "INVALID_ARGUMENT",
      "model: expected inputs to be symbolic tensors (from input() and apply), got none",
    ],
    [
      "inputs undefined",
      () => model({ outputs: a } as never),
      "INVALID_OPTION",
      "model: expected inputs, got none",
    ],
    [
      "no tensors",
      () => model({ inputs: a, outputs: tensor([1]) as never }),
      "INVALID_ARGUMENT",
      "model: expected outputs to be symbolic tensors (from input() and apply), got Tensor {",
    ],
    [
      "unknown option",
      () => model({ inputs: a, output: a } as never),
      "INVALID_OPTION",
      'model: unknown option "output"; did you mean "outputs"?',
    ],
    [
      "two layers of one name",
      () =>
        model({
          inputs: a,
          outputs: [dense({ units: 1, name: "x" }).apply(a), dense({ units: 1, name: "x" }).apply(a)],
        }),
      "INVALID_ARGUMENT",
      'model: expected distinct layer names, got two layers called "x"',
    ],
    [
      "bad seed",
      () => model({ inputs: a, outputs: a, seed: -1 }),
      "INVALID_OPTION",
      "model: expected seed to be an integer of at least 0, got -1",
    ],
    [
      "bad name",
      () => model({ inputs: a, outputs: a, name: "x/y" }),
      "INVALID_OPTION",
      'model "x/y": expected name to be 1 to 200 characters without "/" and not starting with "$", got "x/y"',
    ],
    [
      "input without shape",
      () => input({} as never),
      "INVALID_OPTION",
      "input: expected shape (of one sample) or batchShape, got neither",
    ],
    [
      "input of a wrong shape",
      () => input({ shape: [-1] }),
      "INVALID_OPTION",
      "input, shape: expected a shape of at most 8 non-negative integers or nulls, got [-1]",
    ],
    [
      "input of a wrong dtype",
      () => input({ shape: [1], dtype: "float" as never }),
      "INVALID_OPTION",
      'input: unknown dtype "float"',
    ],
    [
      "input option",
      () => input({ shape: [1], names: "x" } as never),
      "INVALID_OPTION",
      'input: unknown option "names"; did you mean "name"?',
    ],
  ])("%s", (_, fn, code, message) => {
    const error = thrown(fn);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test("a cycle, which only tampering can make", () => {
    const x = input({ shape: [1], name: "x" });
    const first = layers.identity({ name: "first" }).apply(x);
    const second = layers.identity({ name: "second" }).apply(first);
    (first.call as { inputs: unknown }).inputs = [second];
    expect(thrown(() => model({ inputs: x, outputs: second })).message).toBe(
      "model: the layers form a cycle at second",
    );
  });

  test("wrong data while tracing names the input and the layer", () => {
    const m = model({ inputs: [a, b], outputs: sum, name: "m" });
    const one = thrown(() =>
      trace((v) => [m.call(v, INFERENCE) as typeof v], [{ shape: [2, 4], dtype: "float32" }]),
    );
    expect(one.message).toBe("m: expected a list of 2 inputs (a, b), got one");
    const wrongSize = thrown(() =>
      trace((v) => m.callFlat([v, v], INFERENCE), [{ shape: [2, 5], dtype: "float32" }]),
    );
    expect(wrongSize.message).toBe("m: input a: expected shape (null, 4), got [2, 5]");
  });

  test("a float where integers are declared", () => {
    const ids = input({ shape: [2], dtype: "int32", name: "ids" });
    const m = model({ inputs: ids, outputs: layers.identity().apply(ids), name: "m" });
    expect(m.outputSpecs[0]!.dtype).toBe("int32");
    const error = thrown(() => evaluate((x) => m.callFlat([x], INFERENCE), [tensor([[1, 2]])]));
    expect(error.message).toBe("m: input ids: expected int32, got float32");
    expect(error.code).toBe("DTYPE_MISMATCH");
  });

  test("a missing layer suggests the nearest", () => {
    const m = sequential([dense({ units: 1, inputShape: [1] })]);
    expect(m.getLayer(0)).toBe(m.layers[0]);
    expect(m.getLayer(-1)).toBe(m.layers[0]);
    expect(thrown(() => m.getLayer("dens")).message).toBe(
      'sequential: getLayer: no layer "dens"; did you mean "dense"?',
    );
    expect(thrown(() => m.getLayer(7)).message).toBe("sequential: getLayer: no layer 7; it has dense");
  });

  test("calling a model outside of a trace", () => {
    const m = model({ inputs: a, outputs: dense({ units: 1 }).apply(a) });
    expect(thrown(() => m.apply(tensor([[1, 2, 3, 4]]) as never))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("sequential models", () => {
  test("layers and names; the input is no layer", () => {
    const m = sequential([
      dense({ units: 8, activation: "relu", inputShape: [4] }),
      layers.dropout({ rate: 0.5 }),
      dense({ units: 3 }),
    ]);
    expect(names(m)).toEqual(["dense", "dropout", "dense_1"]);
    expect(paths(m)).toEqual(["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]);
    expect(m.weights[2]!.name).toBe("dense_1/kernel");
    expect(m.built).toBe(true);
    expect(m.inputSpecs).toEqual([{ name: "inputLayer", shape: [null, 4], dtype: "float32" }]);
    expect(m.outputSpecs).toEqual([{ name: "dense_1", shape: [null, 3], dtype: "float32" }]);
  });

  test("built later, by build or by the first use", () => {
    const m = sequential([dense({ units: 2 }), dense({ units: 1 })]);
    expect(m.built).toBe(false);
    expect(m.weights).toEqual([]);
    for (const get of [
      () => m.inputSpecs,
      () => m.countParams(),
      () => m.getWeights(),
      () => m.getConfig() && m.outputs,
    ]) {
      expect(thrown(get)).toMatchObject({ code: "NOT_BUILT" });
    }
    m.build([32, 5]);
    expect(m.inputSpecs[0]!.shape).toEqual([null, 5]);
    expect(m.countParams()).toBe(5 * 2 + 2 + 2 + 1);
    const used = sequential([dense({ units: 2 })]);
    const x = input({ shape: [3] });
    expect(used.apply(x).shape).toEqual([null, 2]);
    const traced = sequential([dense({ units: 2, kernelInitializer: "ones" })]);
    const [y] = evaluate((v) => traced.call(v, INFERENCE) as typeof v, [tensor([[1, 2, 3]])]);
    expect(y!.toArray()).toEqual([[6, 6]]);
    expect(traced.inputSpecs[0]!.shape).toEqual([null, 3]);
  });

  test("an input layer, a batch input shape or a model give the input", () => {
    const bytes = sequential([
      layers.inputLayer({ shape: [2], dtype: "uint8" }),
      layers.rescaling({ scale: 0.5 }),
    ]);
    expect(bytes.inputSpecs[0]).toMatchObject({ dtype: "uint8", shape: [null, 2] });
    expect(bytes.outputSpecs[0]!.dtype).toBe("float32");
    expect(sequential([dense({ units: 1, batchInputShape: [8, 3] })]).inputSpecs[0]!.shape).toEqual([8, 3]);
    const inner = sequential([dense({ units: 2, inputShape: [3] })]);
    const outer = sequential([inner, dense({ units: 1 })]);
    expect(outer.inputSpecs[0]!.shape).toEqual([null, 3]);
    expect(paths(outer)).toEqual([
      "sequential/dense/kernel",
      "sequential/dense/bias",
      "dense/kernel",
      "dense/bias",
    ]);
  });

  test("add and pop", () => {
    const m = sequential([dense({ units: 4, inputShape: [2] })]);
    m.add(dense({ units: 3 }));
    expect(m.outputSpecs[0]!.shape).toEqual([null, 3]);
    const popped = m.pop()!;
    expect(popped.calls.length).toBe(0);
    expect(m.outputSpecs[0]!.shape).toEqual([null, 4]);
    m.add(dense({ units: 5 }));
    expect(m.outputSpecs[0]!.shape).toEqual([null, 5]);
    expect(m.pop() && m.pop()).toBeDefined();
    expect(m.pop()).toBeUndefined();
    expect(m.built).toBe(false);
  });

  test("a layer that does not fit changes nothing", () => {
    const m = sequential([dense({ units: 4, inputShape: [2] })]);
    const error = thrown(() => m.add(layers.reshape({ targetShape: [3] })));
    expect(error.code).toBe("SHAPE_MISMATCH");
    expect(error.message).toContain("reshape");
    expect(names(m)).toEqual(["dense"]);
    m.add(layers.reshape({ targetShape: [2, 2] }));
    expect(m.outputSpecs[0]!.shape).toEqual([null, 2, 2]);
  });

  test("a shape that does not fit leaves it unbuilt", () => {
    const m = sequential([dense({ units: 4 }), layers.reshape({ targetShape: [3] })]);
    expect(thrown(() => m.build([null, 2]))).toMatchObject({ code: "SHAPE_MISMATCH" });
    expect(m.built).toBe(false);
    expect(m.layers[0]!.calls.length).toBe(0);
  });

  test.each<[string, () => unknown, string]>([
    [
      "no list",
      () => sequential(dense({ units: 1 }) as never),
      "sequential: expected a list of layers, got Dense",
    ],
    ["no layer", () => sequential([3 as never]), "sequential: expected a layer, got 3"],
    [
      "unknown option",
      () => sequential([], { nmae: "x" } as never),
      'sequential: unknown option "nmae"; did you mean "name"?',
    ],
    [
      "late input",
      () => sequential([dense({ units: 1 }), layers.inputLayer({ shape: [1] })]),
      "expected an input layer only as the first",
    ],
    [
      "a layer twice",
      () => {
        const d = dense({ units: 2, inputShape: [2] });
        return sequential([d, d]);
      },
      "sequential: dense is in it already; to use a layer twice, use the functional API",
    ],
    [
      "itself",
      () => {
        const m = new Sequential();
        m.add(m);
      },
      "sequential: a model cannot contain itself",
    ],
    [
      "itself, further in",
      () => {
        const inner = new Sequential();
        const outer = new Sequential([inner]);
        inner.add(outer);
      },
      "sequential: a model cannot contain itself",
    ],
    [
      "two of one name",
      () => sequential([dense({ units: 1, name: "d" }), dense({ units: 1, name: "d" })]),
      'got two layers called "d"',
    ],
    [
      "several outputs",
      () => sequential([layers.lambda((x) => [x, x], { inputShape: [1] })]),
      "expected layers with one output, got several from lambda",
    ],
    ["building without layers", () => sequential().build([null, 1]), "expected at least one layer, got none"],
  ])("refused: %s", (_, fn, message) => {
    expect(thrown(fn).message).toContain(message);
  });
});

describe("names", () => {
  test("automatic names are unique in a model and stay when layers move on", () => {
    const first = sequential([dense({ units: 1, inputShape: [1] }), dense({ units: 1 })]);
    const kept = first.layers[1]!;
    const second = sequential([dense({ units: 1, inputShape: [1] }), kept, dense({ units: 1 })]);
    expect(kept.name).toBe("dense_1");
    expect(names(second)).toEqual(["dense", "dense_1", "dense_2"]);
    expect(names(first)).toEqual(["dense", "dense_1"]);
  });

  test("a given name keeps automatic ones away", () => {
    const m = sequential([dense({ units: 1, inputShape: [1] }), dense({ units: 1, name: "dense" })]);
    expect(names(m)).toEqual(["dense_1", "dense"]);
  });
});

describe("seeds", () => {
  const make = (seed?: number, extra: Layer[] = []) =>
    sequential([...extra, dense({ units: 3, inputShape: [4] }), dense({ units: 3 })], { seed });
  const values = (m: Model) => m.getWeights().map((w) => [...w.data]);

  test("one seed gives the same weights, another others; two layers differ", () => {
    expect(values(make(7))).toEqual(values(make(7)));
    expect(values(make(7))).not.toEqual(values(make(8)));
    const same = sequential([dense({ units: 4, inputShape: [4] }), dense({ units: 4 })], { seed: 1 });
    const [a, , b] = values(same);
    expect(a).not.toEqual(b);
  });

  test("setRandomSeed rules models without a seed, each by its turn", () => {
    ops.setRandomSeed(3);
    const [a, b] = [make(), make()];
    ops.setRandomSeed(3);
    const [c, d] = [make(), make()];
    // Which is looked at first does not matter.
    expect(values(d)).toEqual(values(b));
    expect(values(c)).toEqual(values(a));
    expect(values(a)).not.toEqual(values(b));
  });

  test("the outer model's seed rules models inside", () => {
    const nested = (seed: number) =>
      sequential([sequential([dense({ units: 2, inputShape: [2] })])], { seed });
    expect(values(nested(1))).toEqual(values(nested(1)));
    expect(values(nested(1))).not.toEqual(values(nested(2)));
  });

  test("dropout draws from the model's generator: the same run after run of the program, another step by step", async () => {
    const engine = new ReferenceEngine();
    const draws = async (seed: number) => {
      const m = sequential([layers.dropout({ rate: 0.5, inputShape: [64] })], { seed });
      const step = build((x) => m.callFlat([x], { training: true }), [{ shape: [1, 64], dtype: "float32" }], {
        engine,
      });
      const x = tensor(new Float32Array(64).fill(1), [1, 64]);
      const results = [];
      for (let i = 0; i < 3; i++) results.push([...(await step.run([x]))[0]!.data]);
      return results;
    };
    const [one, again, other] = [await draws(1), await draws(1), await draws(2)];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect(one[1]).not.toEqual(one[0]);
  });

  test("models inside draw from the outer model's generator", () => {
    const inner = sequential([layers.dropout({ rate: 0.5, inputShape: [4] })]);
    const outer = sequential([inner]);
    const { variables } = trace(
      (x) => outer.callFlat([x], { training: true }),
      [{ shape: [1, 4], dtype: "float32" }],
    );
    expect(variables).toContain(outer.seedGenerator.counter);
    expect(variables).not.toContain(inner.seedGenerator.counter);
    expect(outer.namedRandomState().map((v) => v.path)).toEqual([
      "seedGenerator/key",
      "seedGenerator/counter",
    ]);
  });
});
