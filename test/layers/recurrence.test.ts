// Recurrent layers against Keras 3.15 (scripts/record-recurrence-fixtures.py), on both engines and every CPU level: outputs,
// states, masks, gradients, ten optimizer steps. And cells of one's own, dropout, states, saving, wrong use.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { build } from "../../src/compile.ts";
import type { DType } from "../../src/core/dtype.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { loadBinding } from "../../src/engine/binding.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { NativeEngine } from "../../src/engine/native.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { Value } from "../../src/graph/graph.ts";
import { readVariable, trace } from "../../src/graph/trace.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import { flatten } from "../../src/layers/nest.ts";
import type { BatchShape } from "../../src/layers/symbolic.ts";
import { input, model, modelFromJSON, sequential } from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import "../../src/training/index.ts";
import convolutional from "../fixtures/conv-lstm.json" with { type: "json" };
import recurrent from "../fixtures/recurrence.json" with { type: "json" };
import { evaluate } from "../helpers/evaluate.ts";
import { difference } from "../helpers/matcher.ts";
import { thrown } from "../helpers/thrown.ts";

interface Recorded {
  shape: number[];
  dtype: string;
  data: (number | boolean)[];
}
interface Spec {
  factory: string;
  options: Record<string, unknown>;
}

const recorded = {
  ...recurrent,
  cases: [...recurrent.cases, ...convolutional.cases],
  stateful: [...recurrent.stateful, ...convolutional.stateful],
};

const restore = ({ data, shape, dtype }: Recorded): Tensor => tensor(data.map(Number), shape, dtype as DType);
const restoreAll = (list: unknown[]): Tensor[] => (list as Recorded[]).map(restore);
const factories = layers as unknown as Record<string, (options: object) => Layer>;

function isSpec(x: unknown): x is Spec {
  return typeof x === "object" && x !== null && "factory" in x;
}

/** Options that are layers, or lists of them, are specs themselves. */
function make({ factory, options }: Spec): Layer {
  const option = (x: unknown): unknown => (isSpec(x) ? make(x) : Array.isArray(x) ? x.map(option) : x);
  return factories[factory]!(Object.fromEntries(Object.entries(options).map(([k, v]) => [k, option(v)])));
}

function nativeEngines(): Engine[] {
  try {
    return loadBinding().levels.map((level) => new NativeEngine({ level, threads: 2 }));
  } catch (error) {
    console.log(`SKIPPED native engine: ${(error as Error).message}`);
    return [];
  }
}
const named = (engine: Engine): string =>
  engine instanceof NativeEngine ? `native ${engine.info().level}` : engine.name;
const engines = [new ReferenceEngine(), ...nativeEngines()];

const outputsOf = (layer: Layer, inputs: Value[], mask: Value | undefined): Value[] => {
  const x = inputs.length === 1 ? inputs[0]! : inputs;
  const given = mask && (inputs.length === 1 ? mask : [mask, ...inputs.slice(1).map(() => null)]);
  return flatten<Value>(layer.apply(x, { training: false }, given), (v) => v instanceof Value).leaves;
};

// Both sides round to float32 at every step, in different orders.
const CLOSE = { norm: 4e-6 };

for (const engine of engines) {
  describe(`recurrent layers as in Keras on the ${named(engine)} engine`, () => {
    recorded.cases.forEach(({ layer: spec, ...r }, i) => {
      test(`${i}: ${JSON.stringify(spec)} ${r.mask ? "masked" : ""}`, () => {
        const layer = make(spec as unknown as Spec);
        const inputs = restoreAll(r.inputs);
        layer.build([null, ...inputs[0]!.shape.slice(1)]);
        layer.setWeights(restoreAll(r.weights));
        const masks = r.mask ? [restore(r.mask as Recorded)] : [];
        const weigh = restoreAll(r.weigh);
        const given = [...inputs, ...masks, ...weigh];
        const all = (...xs: Value[]): Value[] => {
          const own = xs.slice(0, inputs.length);
          const outputs = outputsOf(layer, own, masks.length > 0 ? xs[inputs.length] : undefined);
          const seeds = xs.slice(inputs.length + masks.length);
          return [...outputs, ...backward(outputs, seeds, [...own, ...layer.weights.map(readVariable)])];
        };
        const results = build(all, given, { engine }).runSync(given);
        const expected = restoreAll([...r.outputs, ...r.inputGrads, ...r.weightGrads]);
        expect(results).toHaveLength(expected.length);
        results.forEach((t, j) => {
          expect(difference(t, expected[j]!, CLOSE), `result ${j}`).toBeUndefined();
        });
      });
    });
  });
}

describe("recurrent layers as descriptions", () => {
  test.each(recorded.cases.map((c) => [JSON.stringify(c.layer), c] as const))(
    "%s",
    (_, { layer: spec, ...r }) => {
      const layer = make(spec as unknown as Spec);
      const inputs = restoreAll(r.inputs);
      layer.build([null, ...inputs[0]!.shape.slice(1)]);
      // Weight names and order.
      const last = (path: string) =>
        path
          .split("/")
          .at(-1)!
          .replace(/_(.)/g, (_, c: string) => c.toUpperCase());
      expect(layer.namedWeights().map((w) => last(w.path))).toEqual(r.weightNames.map(last));
      expect(layer.weights.map((w) => w.shape)).toEqual((r.weights as Recorded[]).map((w) => w.shape));
      // Which output has a mask.
      let hasMask = false;
      trace((...xs) => {
        const inside = inputs[0]!.shape.map((_, axis) => axis).slice(2);
        const masks = r.mask ? ops.greater(ops.mean(xs[0]!, { axis: inside }), 0) : undefined;
        hasMask = layers.maskOf(outputsOf(layer, xs, masks)[0]!) !== null;
        return [];
      }, inputs);
      expect(hasMask).toBe(r.outputMask && r.mask !== null);
      // Shapes with an open batch, and the configuration.
      const x = inputs.map((t) => input({ shape: t.shape.slice(1) }));
      const y = [layer.apply(x.length === 1 ? x[0]! : x)].flat();
      expect(y.map((t) => t.shape)).toEqual(
        (r.outputs as Recorded[]).map((o) => [null, ...o.shape.slice(1)]),
      );
      const m = model({ inputs: x.length === 1 ? x[0]! : x, outputs: y.length === 1 ? y[0]! : y });
      m.setWeights(restoreAll(r.weights));
      const again = modelFromJSON(JSON.stringify(m));
      expect(JSON.stringify(again.getConfig())).toBe(JSON.stringify(m.getConfig()));
      expect(again.namedWeights().map((w) => w.path)).toEqual(m.namedWeights().map((w) => w.path));
    },
  );

  test("weights of both directions have their places", () => {
    const layer = layers.bidirectional({ layer: layers.lstm({ units: 2, name: "words" }) });
    layer.build([null, 4, 3]);
    expect(layer.namedWeights().map((w) => w.path)).toEqual(
      ["forward_words", "backward_words"].flatMap((l) =>
        ["kernel", "recurrentKernel", "bias"].map((w) => `${l}/lstmCell/${w}`),
      ),
    );
  });

  test("the forget gate's bias begins at 1", () => {
    const layer = layers.lstm({ units: 2 });
    layer.build([null, 4, 3]);
    expect([...layer.getWeights()[2]!.data]).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
    const without = layers.lstm({ units: 2, unitForgetBias: false, biasInitializer: "ones" });
    without.build([null, 4, 3]);
    expect([...without.getWeights()[2]!.data]).toEqual(new Array(8).fill(1));
  });
});

for (const engine of engines.slice(0, 2)) {
  describe(`training as in Keras on the ${named(engine)} engine`, () => {
    test.each(recorded.trained.map((t) => [t.name, t] as const))("%s", async (_name, t) => {
      const inputs = restore(t.inputs as Recorded);
      const inputShape = inputs.shape.slice(1);
      const first = t.masking ? layers.masking({ inputShape }) : layers.identity({ inputShape });
      const m = sequential([
        first,
        ...t.layers.map((s) => make(s as unknown as Spec)),
        layers.dense({ units: t.units }),
      ]);
      m.setWeights(restoreAll(t.weights));
      m.compile({ optimizer: optimizers.adam({ learningRate: 0.03125 }), loss: "meanSquaredError", engine });
      const targets = restore(t.targets as Recorded);
      for (const expected of t.losses) {
        const { loss } = await m.trainOnBatch(inputs, targets);
        expect(Math.abs(loss! - expected)).toBeLessThan(1e-5);
      }
      // Adam divides by the root of squares: where a gradient is nearly zero its rounding decides the step.
      m.getWeights().forEach((w, i) => {
        expect(difference(w, restore(t.after[i] as Recorded), { norm: 1e-4 }), `weight ${i}`).toBeUndefined();
      });
    });
  });

  describe(`stateful layers as in Keras on the ${named(engine)} engine`, () => {
    test.each(recorded.stateful.map((s) => [JSON.stringify(s.layer), s] as const))("%s", (_name, s) => {
      const layer = make(s.layer as unknown as Spec) as layers.Rnn | layers.Bidirectional;
      const batches = restoreAll(s.batches);
      layer.build(batches[0]!.shape);
      layer.setWeights(restoreAll(s.weights));
      const plain = build((x) => [layer.apply(x!)], [batches[0]!], { engine });
      const masked = build(
        (x, mask) => [layer.apply(x!, { training: false }, mask)],
        [batches[0]!, restore(s.mask as Recorded)],
        {
          engine,
        },
      );
      batches.forEach((batch, i) => {
        if (i === 2) layer.resetState();
        const [y] = i === 1 ? masked.runSync([batch, restore(s.mask as Recorded)]) : plain.runSync([batch]);
        expect(difference(y!, restore(s.outputs[i] as Recorded), CLOSE), `batch ${i}`).toBeUndefined();
      });
    });
  });
}

/** A leaky integrator with an output of another width than its state. */
class Leaky extends layers.RnnCell {
  static readonly className = "Leaky";
  readonly stateSize = 3;
  readonly inner = layers.dense({ units: 3, useBias: false });
  override get outputSize() {
    return 6;
  }
  override build(inputShape: BatchShape) {
    this.inner.build(inputShape);
  }
  override call([x, state]: readonly Value[]) {
    const next = ops.add(ops.multiply(state!, 0.5), this.inner.apply(x!));
    return [ops.concatenate([next, ops.negative(next)], { axis: -1 }), next];
  }
}

describe("cells of one's own", () => {
  const x = tensor(
    Float32Array.from({ length: 12 }, (_, i) => i - 5),
    [2, 3, 2],
  );

  test("are repeated over the steps, masked and backwards", () => {
    const layer = layers.rnn({ cell: new Leaky(), returnSequences: true, returnState: true });
    layer.build([null, 3, 2]);
    layer.setWeights([
      tensor([
        [1, 0, 0],
        [0, 1, 0],
      ]),
    ]);
    const mask = tensor([0, 1, 1, 1, 0, 1], [2, 3], "bool");
    const [y, state] = evaluate((v, m) => layer.apply<Value[]>(v, { training: false }, m), [x, mask]);
    expect(y!.shape).toEqual([2, 3, 6]);
    const firstTwo = [...y!.data].filter((_, i) => i % 6 < 2);
    expect(firstTwo).toEqual([0, 0, -3, -2, -2.5, -1, 1, 2, 1, 2, 5.5, 7]);
    expect([...state!.data]).toEqual([-2.5, -1, 0, 5.5, 7, 0]);
    const turned = layers.rnn({ cell: new Leaky(), goBackwards: true });
    turned.build([null, 3, 2]);
    turned.setWeights(layer.getWeights());
    const [last] = evaluate((v) => turned.apply(v), [x]);
    expect([...last!.data].filter((_, i) => i % 6 < 2)).toEqual([-6.75, -5, 3.75, 5.5]);
  });

  test("inside bidirectional and saved models", () => {
    const made = sequential([
      layers.bidirectional({ layer: layers.rnn({ cell: new Leaky() }), inputShape: [3, 2] }),
    ]);
    const again = modelFromJSON(JSON.stringify(made), { customLayers: [Leaky] });
    again.setWeights(made.getWeights());
    expect(again.predictSync(x)).toEqual(made.predictSync(x));
    expect(() => modelFromJSON(JSON.stringify(made))).toThrow(/Leaky/);
  });

  test("have to return a state for each they take", () => {
    class Broken extends Leaky {
      override call([x]: readonly Value[]) {
        return [x!];
      }
    }
    const layer = layers.rnn({ cell: new Broken() });
    const error = thrown(() => evaluate((v) => layer.apply(v), [x]));
    expect(error.message).toMatch(
      /expected the cell to return a list of its output and its new states \[2, 3\], got \[2, 2\]/,
    );
  });
});

describe("dropout in recurrent layers", () => {
  const ones = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
  const training = { training: true };

  test("drops the same inputs at every step, in training only", () => {
    const layer = layers.simpleRnn({
      units: 40,
      dropout: 0.5,
      useBias: false,
      recurrentInitializer: "zeros",
      kernelInitializer: "identity",
      returnSequences: true,
      seed: 3,
      activation: "tanh",
    });
    layer.build([null, 4, 40]);
    const [y] = evaluate((v) => layer.apply(v, training), [ones(2, 4, 40)]);
    const rows = Array.from({ length: 8 }, (_, i) => [...y!.data.slice(i * 40, i * 40 + 40)]);
    for (const i of [1, 2, 3]) expect(rows[i]).toEqual(rows[0]);
    expect(rows[4]).not.toEqual(rows[0]);
    expect([...new Set(rows[0])].sort()).toEqual([0, Math.fround(Math.tanh(2))]);
    const [still] = evaluate((v) => layer.apply(v), [ones(1, 4, 40)]);
    expect(new Set(still!.data)).toEqual(new Set([Math.fround(Math.tanh(1))]));
  });

  test.each(["lstm", "gru", "simpleRnn"] as const)(
    "recurrentDropout of %s drops states for the whole sequence",
    (name) => {
      const layer = factories[name]!({
        units: 8,
        recurrentDropout: 0.5,
        dropout: 0.25,
        returnSequences: true,
        seed: 1,
      });
      layer.build([null, 4, 3]);
      const run = (engine: Engine) =>
        build((v) => [layer.apply(v!, training)], [ones(2, 4, 3)], { engine }).runSync([ones(2, 4, 3)])[0]!;
      const plain = evaluate((v) => layer.apply(v), [ones(2, 4, 3)])[0]!;
      const [first, ...others] = engines.map(run);
      expect(difference(first!, plain, { norm: 1e-3 })).toBeDefined();
      expect(first!.data.every(Number.isFinite)).toBe(true);
      expect(others.every((t) => t.shape.join() === first!.shape.join())).toBe(true);
    },
  );
});

describe("states of recurrent layers", () => {
  test("a stateful model predicts on from where it was, and is saved as it stands", async () => {
    const make = () =>
      sequential([layers.gru({ units: 3, stateful: true, batchInputShape: [2, 4, 2] })], { seed: 5 });
    const m = make();
    const x = tensor(
      Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)),
      [2, 4, 2],
    );
    const first = m.predictSync(x);
    const second = m.predictSync(x);
    expect(second.data).not.toEqual(first.data);
    expect(m.weights).toHaveLength(3);
    expect(m.namedRandomState().map((s) => s.path)).toContain("gru/state_0");
    const layer = m.getLayer(0) as layers.Gru;
    expect(layer.states![0]!.read().data).toEqual(second.data);
    layer.resetState();
    expect(m.predictSync(x).data).toEqual(first.data);
    layer.resetState([
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ]);
    expect(m.predictSync(x).data).not.toEqual(first.data);
  });

  test("initial states go in as a list, final ones come out as one", () => {
    const x = input({ shape: [4, 2] });
    const h = input({ shape: [3] });
    const c = input({ shape: [3] });
    const [y, nextH, nextC] = layers.lstm({ units: 3, returnState: true }).apply([x, h, c]);
    const m = model({ inputs: [x, h, c], outputs: [y, nextH, nextC] });
    expect(m.outputSpecs.map((s) => s.shape)).toEqual([
      [null, 3],
      [null, 3],
      [null, 3],
    ]);
  });
});

describe("wrong use of recurrent layers", () => {
  const x = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);
  const applied =
    (layer: Layer, ...inputs: Tensor[]) =>
    () =>
      evaluate((...xs) => layer.apply<Value[]>(xs.length === 1 ? xs[0]! : xs), inputs);
  // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose.
  const any = (v: unknown): any => v;

  test.each<[string, () => unknown, RegExp]>([
    ["units", () => layers.lstm({ units: 0 }), /^lstm: expected units to be an integer/],
    ["named", () => layers.gru({ units: any("3"), name: "g" }), /^gru "g": expected units/],
    [
      "unknown option",
      () => layers.gru(any({ units: 2, resetafter: true })),
      /^gru: unknown option "resetafter"/,
    ],
    [
      "dropout",
      () => layers.simpleRnn({ units: 2, dropout: 1 }),
      /^simpleRnn: expected dropout to be a number in \[0, 1\)/,
    ],
    ["flag", () => layers.lstm({ units: 2, returnState: any(1) }), /^lstm: expected returnState/],
    [
      "activation",
      () => layers.lstm({ units: 2, recurrentActivation: any("sigmoidd") }),
      /did you mean "sigmoid"/,
    ],
    ["cell", () => layers.rnn({ cell: any(layers.dense({ units: 2 })) }), /^rnn: expected cell to be a cell/],
    [
      "no cells",
      () => layers.stackedRnnCells({ cells: [] }),
      /^stackedRnnCells: expected cells to be a list of at least one/,
    ],
    [
      "rank",
      applied(layers.lstm({ units: 2 }), x(2, 3)),
      /lstm: expected inputs \[batch, steps, ...\], got rank 2/,
    ],
    [
      "cell rank",
      applied(layers.lstm({ units: 2 }), x(2, 3, 4, 5)),
      /expected inputs \[batch, features\] at each step, got rank 3/,
    ],
    [
      "states",
      applied(layers.lstm({ units: 2 }), x(2, 3, 4), x(2, 2)),
      /expected one input, or a list of it and 2 initial states, got a list of 2/,
    ],
    [
      "state shape",
      applied(layers.gru({ units: 2 }), x(2, 3, 4), x(2, 3)),
      /expected initial state 0 of shape \[2, 2\], got \[2, 3\]/,
    ],
    [
      "open batch",
      () => layers.lstm({ units: 2, stateful: true }).build([null, 3, 4]),
      /expected a fixed batch size for stateful: true/,
    ],
    ["not stateful", () => layers.lstm({ units: 2 }).resetState(), /expected a layer with stateful: true/],
    [
      "bidirectional of what",
      () => layers.bidirectional({ layer: any(layers.dense({ units: 2 })) }),
      /expected layer to be a recurrent layer/,
    ],
    [
      "mergeMode",
      () => layers.bidirectional({ layer: layers.gru({ units: 2 }), mergeMode: any("max") }),
      /expected mergeMode to be "concat"/,
    ],
    [
      "direction",
      () => layers.bidirectional({ layer: layers.gru({ units: 2, goBackwards: true }) }),
      /expected layers that go in different directions, got goBackwards: true for both/,
    ],
    [
      "differing",
      () =>
        layers.bidirectional({
          layer: layers.gru({ units: 2 }),
          backwardLayer: layers.gru({ units: 2, goBackwards: true, returnSequences: true }),
        }),
      /expected both directions to have the same returnSequences, got false and true/,
    ],
    [
      "timeDistributed of what",
      () => layers.timeDistributed({ layer: any(3) }),
      /timeDistributed: expected layer to be a layer/,
    ],
    [
      "too few axes",
      applied(layers.timeDistributed({ layer: layers.dense({ units: 2 }) }), x(2, 3)),
      /of rank 3 or more, got \(null, 3\)/,
    ],
    [
      "step",
      applied(layers.lstmCell({ units: 2 }), x(2, 3)),
      /expected a list of the inputs and 2 states, got one/,
    ],
    [
      "ops",
      () => evaluate((z, k) => ops.lstm(z!, k!).outputs, [x(2, 3, 8), x(2, 7)]),
      /lstm: expected float32 inputs \[batch, steps, 4 \* units\] of at least one step and a recurrent kernel \[units, 4 \* units\], got f32/,
    ],
    [
      "ops state",
      () =>
        evaluate((z, k, h) => ops.gru(z!, k!, { initialState: h! }).outputs, [x(2, 3, 6), x(2, 6), x(2, 3)]),
      /gru: expected h f32\[2,2\], got f32\[2,3\]/,
    ],
  ])("%s", (_name, fn, message) => {
    expect(thrown(fn).message).toMatch(message);
  });

  test("a stateful layer keeps to its batch", () => {
    const layer = layers.lstm({ units: 2, stateful: true });
    layer.build([4, 3, 2]);
    expect(thrown(applied(layer, x(2, 3, 2))).message).toMatch(
      /expected the batch of 4 that its states have, got 2/,
    );
  });

  test("a mask has to be one of steps", () => {
    const layer = layers.lstm({ units: 2 });
    const error = thrown(() =>
      evaluate((v, m) => layer.apply(v, { training: false }, m), [x(2, 3, 2), x(2, 2)]),
    );
    expect(error.message).toMatch(/expected a mask \[batch, steps\] \[2, 3\], got \[2, 2\]/);
  });
});
