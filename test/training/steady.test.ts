// Predictions after every way of changing weights: what was prepared from them must never be old. The layer here squares its
// kernel, so that there is something to prepare on every engine.

import { afterEach, describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import type { Variable } from "../../src/graph/variable.ts";
import { input, model, ops, optimizers, sequential, setEngine } from "../../src/index.ts";
import { Layer, type LayerOptions } from "../../src/layers/layer.ts";
import type { BatchShape } from "../../src/layers/symbolic.ts";
import { availableEngines } from "../helpers/engines.ts";

/** x * kernel^2, for kernels [n, n] that start as all 1. */
class Squared extends Layer {
  kernel!: Variable;
  override build(shape: BatchShape) {
    const n = shape.at(-1)!;
    this.kernel = this.addWeight({ name: "kernel", shape: [n, n], initializer: "ones" });
  }
  override call(x: Value) {
    return ops.matmul(x, ops.square(this.kernel));
  }
}

const N = 4;
const x = tensor([[1, 0, 0, 0]]);
const full = (value: number): Tensor => tensor(new Float32Array(N * N).fill(value), [N, N]);
const make = (options: LayerOptions = {}) => {
  const layer = new Squared({ ...options, inputShape: [N] });
  return { layer, m: sequential([layer]) };
};
const first = (t: Tensor): number => t.data[0]!;

afterEach(() => setEngine("auto"));

describe.each(availableEngines())("predictions on $name", (engine) => {
  test("follow writes, setWeights and training", async () => {
    setEngine(engine);
    const { layer, m } = make();
    expect(first(m.predictSync(x))).toBe(1);
    layer.kernel.write(full(2));
    expect(first(m.predictSync(x))).toBe(4);
    m.setWeights([full(3)]);
    expect(first(await m.predict(x))).toBe(9);
    m.compile({ optimizer: optimizers.sgd({ learningRate: 0.125 }), loss: "meanSquaredError" });
    await m.trainOnBatch(x, tensor([[0, 0, 0, 0]]));
    const now = layer.kernel.read().data[0]!;
    expect(now).toBeLessThan(3);
    expect(first(m.predictSync(x))).toBe(Math.fround(now * now));
    const { loss } = await m.evaluate(x, tensor([[0, 0, 0, 0]]), { verbose: 0 });
    expect(loss).toBeCloseTo(now ** 4, 4);
    m.setWeights([full(1)]);
    expect(await m.evaluate(x, tensor([[0, 0, 0, 0]]), { verbose: 0 })).toEqual({ loss: 1 });
  });

  test("follow a layer that two models share", async () => {
    setEngine(engine);
    const { layer, m } = make();
    const i = input({ shape: [N] });
    const other = model({ inputs: i, outputs: layer.apply(i) });
    expect(first(m.predictSync(x))).toBe(1);
    expect(first(other.predictSync(x))).toBe(1);
    other.setWeights([full(2)]);
    expect(first(m.predictSync(x))).toBe(4);
    expect(first(other.predictSync(x))).toBe(4);
  });

  test("keep two models apart that look the same", () => {
    setEngine(engine);
    const [a, b] = [make(), make()];
    expect(first(a.m.predictSync(x)) + first(b.m.predictSync(x))).toBe(2);
    b.m.setWeights([full(5)]);
    expect(first(a.m.predictSync(x))).toBe(1);
    expect(first(b.m.predictSync(x))).toBe(25);
  });

  test("in a callback see the weights of the step before", async () => {
    setEngine(engine);
    const { layer, m } = make();
    m.compile({ optimizer: optimizers.sgd({ learningRate: 0.01 }), loss: "meanSquaredError" });
    const seen: [number, number][] = [];
    const rows = tensor(new Float32Array(8 * N).fill(0.5), [8, N]);
    await m.fit(rows, tensor(new Float32Array(8 * N), [8, N]), {
      batchSize: 2,
      epochs: 2,
      verbose: 0,
      callbacks: {
        onTrainBatchEnd: async () => {
          const y = seen.length % 2 ? m.predictSync(x) : await m.predict(x);
          seen.push([first(y), layer.kernel.read().data[0]! ** 2]);
        },
      },
    });
    expect(seen).toHaveLength(8);
    for (const [got, wanted] of seen) expect(got).toBe(Math.fround(wanted));
    expect(new Set(seen.map(([y]) => y)).size).toBe(8);
  });

  test("beside a training see whole steps, later ones later", async () => {
    setEngine(engine);
    const { m } = make();
    // Every element of the kernel has the same history here, so a torn step or a mix of two would show.
    m.compile({ optimizer: optimizers.sgd({ learningRate: 1e-5 }), loss: "meanSquaredError" });
    const rows = tensor(new Float32Array(64 * N).fill(1), [64, N]);
    const fit = m.fit(rows, tensor(new Float32Array(64 * N), [64, N]), {
      batchSize: 1,
      epochs: engine.name === "native" ? 40 : 4,
      verbose: 0,
    });
    const ones = tensor(new Float32Array(N).fill(1), [1, N]);
    const values: number[] = [];
    let over = false;
    void fit.then(() => {
      over = true;
    });
    while (!over) {
      for (const y of [await m.predict<Tensor>(ones), m.predictSync<Tensor>(ones)]) {
        expect(new Set(y.data).size).toBe(1);
        values.push(first(y));
      }
    }
    await fit;
    expect(values).toEqual(values.toSorted((a, b) => b - a));
    const [kernel] = m.getWeights() as [Tensor];
    expect(first(m.predictSync(ones))).toBeCloseTo(N * kernel.data[0]! ** 2, 5);
  });
});

test("predictions follow the model from engine to engine", () => {
  const engines = availableEngines();
  const { m } = make();
  for (let round = 0; round < 3; round++) {
    for (const engine of engines) {
      setEngine(engine);
      expect(first(m.predictSync(x))).toBe((round + 1) ** 2);
    }
    setEngine(engines[round % engines.length]!);
    m.setWeights([full(round + 2)]);
  }
});
