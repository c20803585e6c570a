// Layers of the user's own: weights, sub-layers, random sources, saving, and what goes wrong.

import { afterEach, describe, expect, test } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { assignVariable, trace } from "../../src/graph/trace.ts";
import { type Variable, variable } from "../../src/graph/variable.ts";
import { input, model, modelFromJSON, ops, optimizers, sequential, setEngine } from "../../src/index.ts";
import * as layers from "../../src/layers/index.ts";
import { type CallContext, Layer, type LayerOptions } from "../../src/layers/layer.ts";
import { registerLayer } from "../../src/layers/registry.ts";
import type { BatchShape } from "../../src/layers/symbolic.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { thrown } from "../helpers/thrown.ts";

class MyDense extends Layer {
  readonly units: number;
  kernel!: Variable;
  bias!: Variable;
  constructor(options: LayerOptions & { units: number }) {
    super(options);
    this.units = options.units;
  }
  override build(inputShape: BatchShape) {
    this.kernel = this.addWeight({ name: "kernel", shape: [inputShape.at(-1)!, this.units] });
    this.bias = this.addWeight({ name: "bias", shape: [this.units], initializer: "zeros" });
  }
  override call(x: Value) {
    return ops.add(ops.matmul(x, this.kernel), this.bias);
  }
  override getConfig() {
    return { ...super.getConfig(), units: this.units };
  }
}

/** x + f(x), with layers as properties: alone, in a list and in a record. */
class Residual extends Layer {
  readonly parts: Record<string, Layer> = { first: new MyDense({ units: 3 }) };
  readonly rest = [layers.dropout({ rate: 0.5 }), new MyDense({ units: 3 })];
  readonly scale = variable(tensor(2), { name: "scale" });
  override call(x: Value) {
    let y = this.parts.first!.apply(x);
    for (const layer of this.rest) y = layer.apply(y);
    return ops.add(x, ops.multiply(y, this.scale));
  }
}

describe("a dense layer of one's own", () => {
  test("does in sequential and functional models what the built-in one does", () => {
    const mine = sequential([new MyDense({ units: 3, inputShape: [4] })], { seed: 5 });
    const builtIn = sequential([layers.dense({ units: 3, inputShape: [4] })], { seed: 5 });
    expect(mine.getWeights()).toEqual(builtIn.getWeights());
    expect(mine.namedWeights().map((w) => w.path)).toEqual(["myDense/kernel", "myDense/bias"]);
    const x = input({ shape: [7, 4] });
    const y = mine.getLayer(0).apply(x);
    expect(y.shape).toEqual([null, 7, 3]);
    const values = tensor(
      new Float32Array(28).map((_, i) => i / 28),
      [1, 7, 4],
    );
    const m = model({ inputs: x, outputs: y });
    const [a] = evaluate((v) => m.callFlat([v], { training: false }), [values]);
    const [b] = evaluate((v) => builtIn.getLayer(0).apply(v), [values]);
    expect(a).toEqual(b);
  });

  test("comes back from its configuration once it is registered", () => {
    const m = sequential([new MyDense({ units: 3, inputShape: [4] })]);
    const json = JSON.stringify(m);
    const unknown = thrown(() => modelFromJSON(json));
    expect(unknown.code).toBe("INVALID_OPTION");
    expect(unknown.message).toContain('unknown layer class "MyDense"');
    expect(unknown.message).toContain("registerLayer");
    expect(modelFromJSON(json, { customLayers: [MyDense] }).getLayer(0)).toBeInstanceOf(MyDense);
    expect(registerLayer(MyDense)).toBe(MyDense);
    const again = modelFromJSON(json);
    expect(again.getLayer(0)).toBeInstanceOf(MyDense);
    expect(JSON.stringify(again)).toBe(json);
  });
});

describe("training", () => {
  test("reaches the weights of a layer of one's own, alone and inside others", async () => {
    setEngine("reference");
    const x = input({ shape: [3] });
    const m = model({
      inputs: x,
      outputs: layers.dense({ units: 1 }).apply(new Residual().apply(x)),
      seed: 4,
    });
    m.compile({ optimizer: optimizers.adam({ learningRate: 0.02 }), loss: "meanSquaredError" });
    const before = m.getWeights();
    const rows = Array.from({ length: 32 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i)]);
    const targets = rows.map(([a, b, c]) => [a! - 2 * b! + c!]);
    const { history } = await m.fit(rows, targets, { epochs: 60, batchSize: 8, verbose: 0 });
    expect(history.loss!.at(-1)).toBeLessThan(0.2 * history.loss![0]!);
    // Every weight has moved, the scale that is no addWeight among them.
    m.getWeights().forEach((w, i) => {
      expect(w.data, m.weights[i]!.name).not.toEqual(before[i]!.data);
    });
  });
});

describe("layers inside layers", () => {
  test("are found wherever they are held; their weights have distinct paths", () => {
    const layer = new Residual();
    const x = input({ shape: [3] });
    const m = model({ inputs: x, outputs: layer.apply(x) });
    expect(m.namedWeights().map((w) => w.path)).toEqual([
      "residual/scale",
      "residual/myDense/kernel",
      "residual/myDense/bias",
      "residual/myDense_1/kernel",
      "residual/myDense_1/bias",
    ]);
    expect(layer.countParams()).toBe(1 + 2 * 12);
    expect(layer.children().map((l) => l.name)).toEqual(["myDense", "dropout", "myDense_1"]);
    const { graph } = trace(
      (v) => m.callFlat([v], { training: false }),
      [{ shape: [2, 3], dtype: "float32" }],
    );
    expect(graph.nodes.map((n) => n.where)).toContain("residual/myDense_1");
  });

  test("take over training mode from the call around them", () => {
    const layer = new Residual();
    const draws = (training: boolean) => {
      const { graph } = trace((v) => [layer.apply(v, { training })], [{ shape: [2, 3], dtype: "float32" }]);
      return graph.nodes.some((n) => n.op.name === "dropoutMask");
    };
    expect([draws(true), draws(false)]).toEqual([true, false]);
  });

  test("freeze and thaw with their owner", () => {
    const layer = new Residual();
    const inputs = input({ shape: [3] });
    const m = model({ inputs, outputs: layer.apply(inputs) });
    expect(m.trainableWeights.length).toBe(5);
    layer.parts.first!.trainable = false;
    expect(m.trainableWeights.length).toBe(3);
    expect(m.nonTrainableWeights.map((w) => w.name)).toEqual(["myDense/kernel", "myDense/bias"]);
    m.trainable = false;
    expect([m.trainableWeights.length, layer.trainable, layer.rest[1]!.trainable]).toEqual([0, false, false]);
    m.trainable = true;
    expect(m.trainableWeights.length).toBe(5);
  });

  test("may be whole models; a reference back to the owner does no harm", () => {
    class Wrapper extends Layer {
      readonly inner = sequential([layers.dense({ units: 2 })]);
      readonly back = { owner: this as Layer };
      override call(x: Value) {
        return this.inner.apply(x);
      }
    }
    const layer = new Wrapper();
    (layer.inner as unknown as { parent: Layer }).parent = layer;
    expect(layer.apply(input({ shape: [5] })).shape).toEqual([null, 2]);
    expect(layer.namedWeights().map((w) => w.path)).toEqual([
      "sequential/dense/kernel",
      "sequential/dense/bias",
    ]);
  });

  test("that call each other's build, as in Keras, are built once", () => {
    class Outer extends Layer {
      readonly inner = new MyDense({ units: 2 });
      override build(inputShape: BatchShape) {
        this.inner.build(inputShape);
      }
      override call(x: Value) {
        return this.inner.apply(x);
      }
    }
    const layer = new Outer();
    expect(layer.inner.built).toBe(false);
    layer.build([null, 3]);
    layer.build([null, 4]);
    expect(layer.inner.built).toBe(true);
    expect(layer.countParams()).toBe(8);
    expect(layer.apply(input({ shape: [3] })).shape).toEqual([null, 2]);
  });

  test("two given names alike are refused", () => {
    class Pair extends Layer {
      readonly a = layers.identity({ name: "same" });
      readonly b = layers.identity({ name: "same" });
      override call(x: Value) {
        return this.b.apply(this.a.apply(x));
      }
    }
    const layer = new Pair();
    const x = input({ shape: [1] });
    expect(thrown(() => model({ inputs: x, outputs: layer.apply(x) })).message).toBe(
      'pair: expected distinct layer names, got two layers called "same"',
    );
  });
});

describe("several inputs and outputs, state, modes", () => {
  class SplitSum extends Layer {
    shapes: unknown;
    override build(inputShape: readonly BatchShape[]) {
      this.shapes = inputShape;
    }
    override call([a, b]: readonly Value[]) {
      return { sum: ops.add(a!, b!), first: a! };
    }
  }

  test("build sees nested shapes; records come back as records", () => {
    const layer = new SplitSum();
    const out = layer.apply<{ sum: ReturnType<typeof input>; first: ReturnType<typeof input> }>([
      input({ shape: [2] }),
      input({ shape: [1] }),
    ]);
    expect(layer.shapes).toEqual([
      [null, 2],
      [null, 1],
    ]);
    expect(Object.keys(out)).toEqual(["sum", "first"]);
    expect(
      layer.computeOutputShape([
        [null, 2],
        [4, 2],
      ]),
    ).toEqual({ sum: [4, 2], first: [4, 2] });
  });

  test("state that moves in training is an untrained weight", () => {
    class Counter extends Layer {
      count!: Variable;
      override build() {
        this.count = this.addWeight({ name: "count", shape: [], dtype: "int32" });
      }
      override call(x: Value, { training }: CallContext) {
        if (training) assignVariable(this.count, ops.add(this.count, 1));
        return ops.multiply(x, ops.cast(this.count, "float32"));
      }
    }
    const layer = new Counter();
    layer.apply(input({ shape: [1] }));
    expect(layer.nonTrainableWeights.map((w) => w.name)).toEqual(["counter/count"]);
    const traced = (training: boolean) =>
      trace((x) => [layer.apply(x, { training })], [{ shape: [1, 1], dtype: "float32" }]).graph.updates
        .length;
    expect([traced(true), traced(false)]).toEqual([2, 1]);
  });

  test("a layer with a seed of its own has random state", () => {
    const m = sequential([layers.dropout({ rate: 0.5, seed: 3, inputShape: [4] })]);
    expect(m.namedRandomState().map((v) => v.path)).toEqual([
      "seedGenerator/key",
      "seedGenerator/counter",
      "dropout/seedGenerator/key",
      "dropout/seedGenerator/counter",
    ]);
    expect(m.weights).toEqual([]);
  });
});

describe("weights", () => {
  const built = () => {
    const layer = new MyDense({ units: 2, name: "mine" });
    layer.build([null, 3]);
    return layer;
  };

  test("are read and set, all or none", () => {
    const layer = built();
    layer.setWeights([
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      tensor([7, 8]),
    ]);
    expect(layer.getWeights().map((w) => w.toArray())).toEqual([
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [7, 8],
    ]);
    expect(
      thrown(() =>
        layer.setWeights([
          [
            [0, 0],
            [0, 0],
            [0, 0],
          ],
          [1, 2, 3],
        ]),
      ).code,
    ).toBe("SHAPE_MISMATCH");
    expect(layer.getWeights()[0]!.toArray()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    // A copy comes out.
    layer.getWeights()[1]!.data.fill(0);
    expect(layer.getWeights()[1]!.toArray()).toEqual([7, 8]);
  });

  test.each<[string, (l: MyDense) => unknown, string, string]>([
    [
      "too few",
      (l) => l.setWeights([[1, 2]]),
      "INVALID_ARGUMENT",
      "mine: setWeights: expected 2 tensors, got 1",
    ],
    [
      "no list",
      (l) => l.setWeights(3 as never),
      "INVALID_ARGUMENT",
      "mine: setWeights: expected 2 tensors, got 3",
    ],
    [
      "wrong shape",
      (l) => l.setWeights([tensor([1]), [1, 2]]),
      "SHAPE_MISMATCH",
      "mine: setWeights, kernel: expected float32[3, 2], got float32[1]",
    ],
    [
      "wrong dtype",
      (l) =>
        l.setWeights([
          tensor(
            [
              [1, 2],
              [3, 4],
              [5, 6],
            ],
            undefined,
            "int32",
          ),
          [1, 2],
        ]),
      "DTYPE_MISMATCH",
      "mine: setWeights, kernel: expected float32[3, 2], got int32[3, 2]",
    ],
    [
      "ragged",
      (l) =>
        l.setWeights([
          [[1, 2], [3], [5, 6]],
          [1, 2],
        ]),
      "INVALID_DATA",
      "ragged",
    ],
    [
      "after build",
      (l) => l.addWeight({ name: "late", shape: [1] }),
      "INVALID_ARGUMENT",
      "mine: weight late comes after build; make all weights there",
    ],
  ])("refused: %s", (_, fn, code, message) => {
    const error = thrown(() => fn(built()));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test.each<[string, Parameters<Layer["addWeight"]>[0], string]>([
    ["unknown size", { name: "w", shape: [null, 2] }, "l: weight w: expected a known shape, got [null, 2]"],
    ["no shape", { name: "w" } as never, "l, addWeight: w: expected a shape"],
    ["no name", { shape: [1] } as never, "l, addWeight: expected name to be 1 to 200 characters"],
    ["a slash", { name: "a/b", shape: [1] }, 'got "a/b"'],
    [
      "option",
      { name: "w", shape: [1], initialiser: "ones" } as never,
      'l, addWeight: unknown option "initialiser"; did you mean "initializer"?',
    ],
    [
      "initializer",
      { name: "w", shape: [1], initializer: "one" },
      'l, w: unknown initializer "one"; did you mean "ones"?',
    ],
    [
      "trained integers",
      { name: "w", shape: [1], dtype: "int32", trainable: true },
      "l: weight w: expected float32 for a trainable weight, got int32",
    ],
  ])("addWeight refuses: %s", (_, options, message) => {
    class L extends Layer {
      override build() {
        this.addWeight(options);
      }
      override call(x: Value) {
        return x;
      }
    }
    const layer: Layer = new L({ name: "l" });
    expect(thrown(() => layer.build([null, 1])).message).toContain(message);
    expect(layer.built).toBe(false);
  });

  test("a build that failed can be tried again", () => {
    class Twice extends Layer {
      tries = 0;
      override build() {
        this.addWeight({ name: "a", shape: [1] });
        if (this.tries++ === 0) this.addWeight({ name: "a", shape: [1] });
      }
      override call(x: Value) {
        return x;
      }
    }
    const layer: Layer = new Twice();
    expect(thrown(() => layer.build([null, 1])).message).toBe(
      'twice: expected distinct weight names, got "a" twice',
    );
    layer.build([null, 1]);
    expect(layer.weights.length).toBe(1);
  });

  test("need a shape before they exist", () => {
    const error = thrown(() => new MyDense({ units: 1, name: "mine" }).getWeights());
    expect(error.code).toBe("NOT_BUILT");
    expect(error.message).toContain("mine: getWeights needs weights");
  });
});

describe("misuse", () => {
  afterEach(() => expect(() => ops.add(1, 2)).toThrow()); // no trace is left open

  test("call that returns no Value", () => {
    class Nothing extends Layer {
      override call(): Value {
        return undefined as never;
      }
    }
    expect(thrown(() => new Nothing().apply(input({ shape: [1] }))).message).toContain(
      "nothing: expected call to return Values, got undefined",
    );
  });

  test("a wrong shape names the layer and says what was traced", () => {
    const layer = new MyDense({ units: 2, name: "mine" });
    layer.build([null, 3]);
    const error = thrown(() => layer.apply(input({ shape: [4] })));
    expect(error.code).toBe("SHAPE_MISMATCH");
    expect(error.message).toMatch(/^matmul at mine: .*\(unknown sizes traced as 8\)$/);
  });

  test("a rank that depends on the batch", () => {
    class Odd extends Layer {
      override call(x: Value) {
        return x.shape[0] === 8 ? x : ops.expandDims(x, 0);
      }
    }
    expect(thrown(() => new Odd().apply(input({ shape: [1] })))).toMatchObject({ code: "SHAPE_MISMATCH" });
  });

  test.each<[string, () => unknown, string]>([
    ["a Tensor", () => new MyDense({ units: 1 }).apply(tensor([1]) as never), "got Tensor {"],
    [
      "a mixture",
      () => layers.add().apply([input({ shape: [1] }), 3 as never]),
      "add: expected symbolic tensors (from input()) or, inside a layer's call, Values; got 3",
    ],
    ["nothing", () => new MyDense({ units: 1 }).apply([]), "got []"],
    [
      "bad trainable",
      () => new MyDense({ units: 1, trainable: 1 as never }),
      "myDense: expected trainable to be true or false, got 1",
    ],
    [
      "bad dtype",
      () => new MyDense({ units: 1, dtype: "float16" as never }),
      'myDense: unknown dtype "float16"',
    ],
    ["bad name", () => new MyDense({ units: 1, name: "$x" }), 'myDense "$x": expected name to be'],
    [
      "both shapes",
      () => new MyDense({ units: 1, inputShape: [1], batchInputShape: [null, 1] }),
      "expected inputShape or batchInputShape, got both",
    ],
    [
      "two uses",
      () => {
        const d = new MyDense({ units: 1 });
        const x = input({ shape: [1] });
        d.apply(x);
        d.apply(x);
        return d.output;
      },
      "expected one use of the layer to have one output, got 2; see calls",
    ],
    [
      "no use",
      () => new MyDense({ units: 1 }).input,
      "expected one use of the layer to have one input, got none",
    ],
    ["no class", () => registerLayer(3 as never), "registerLayer: expected a subclass of Layer, got 3"],
    ["no name", () => registerLayer(class extends MyDense {}), "registerLayer: expected a class with a name"],
  ])("refused: %s", (_, fn, message) => {
    expect(thrown(fn).message).toContain(message);
  });
});
