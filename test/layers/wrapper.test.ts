// Wrapper, InputSpec, and options of ConvLSTM layers.

import { describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/graph.ts";
import * as layers from "../../src/layers/index.ts";
import { type CallContext, Layer } from "../../src/layers/layer.ts";
import { input, model, modelFromJSON, sequential } from "../../src/models/index.ts";
import "../../src/training/index.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import { thrown } from "../helpers/thrown.ts";

class Residual extends layers.Wrapper {
  static readonly className = "Residual";
  override call(x: Value, context: CallContext): Value {
    return ops.add(x, this.layer.apply<Value>(x, context));
  }
}

test("a wrapper builds, owns, writes and reads the layer inside", () => {
  const m = sequential([new Residual({ layer: layers.dense({ units: 3, name: "inner" }), inputShape: [3] })]);
  expect(m.namedWeights().map((w) => w.path)).toEqual(["residual/inner/kernel", "residual/inner/bias"]);
  const again = modelFromJSON(JSON.stringify(m), { customLayers: [Residual] });
  expect(again.getConfig()).toEqual(m.getConfig());
  expect(thrown(() => new Residual({ layer: "dense" as never })).message).toBe(
    'wrapper: expected layer to be a layer, got "dense"',
  );
});

describe("inputSpec", () => {
  class Picky extends Layer {
    static readonly className = "Picky";
    override call(x: Value): Value {
      return ops.identity(x);
    }
  }
  const picky = (options: layers.InputSpecOptions) => {
    const layer = new Picky();
    layer.inputSpec = new layers.InputSpec(options);
    return layer;
  };
  const x = input({ shape: [5, 3] });

  test("lets through what fits", () => {
    const fitting: layers.InputSpecOptions[] = [
      { ndim: 3 },
      { minNdim: 2, maxNdim: 3 },
      { axes: { [-1]: 3, 1: 5 } },
      { shape: [null, null, 3], dtype: "float32" },
      { shape: [7, 5, 3] },
      { shape: [null, 5, 3, 1], allowLastAxisSqueeze: true },
    ];
    for (const options of fitting) expect(picky(options).apply(x).shape).toEqual([null, 5, 3]);
  });

  test.each([
    [{ ndim: 2 }, "picky: expected rank 2 (batch axis included), got shape (null, 5, 3)"],
    [{ minNdim: 4 }, "picky: expected a rank of at least 4, got shape (null, 5, 3)"],
    [
      { maxNdim: 2, name: "image" },
      'picky: input "image": expected a rank of at most 2, got shape (null, 5, 3)',
    ],
    [{ axes: { [-1]: 4 } }, "picky: expected axis -1 to have size 4, got shape (null, 5, 3)"],
    [{ shape: [null, 4, 3] }, "picky: expected shape (null, 4, 3), got shape (null, 5, 3)"],
    [{ dtype: "int32" as const }, "picky: expected int32, got float32"],
  ])("%j refuses", (options, message) => {
    expect(thrown(() => picky(options).apply(x)).message).toBe(message);
  });

  test("one for each of several inputs, in a list or by name", () => {
    class Two extends Layer {
      static readonly className = "Two";
      override call(v: readonly Value[] | { a: Value; b: Value }): Value {
        return ops.identity("a" in v ? v.a : v[0]!);
      }
    }
    const two = new Two();
    two.inputSpec = [new layers.InputSpec({ ndim: 3 }), new layers.InputSpec({ ndim: 2 })];
    expect(thrown(() => two.apply([x, x])).message).toContain("two: input 1: expected rank 2");
    expect(thrown(() => two.apply(x)).message).toBe("two: expected 2 inputs, got 1");
    const named = new Two();
    named.inputSpec = { a: new layers.InputSpec({ ndim: 3 }), b: new layers.InputSpec({ ndim: 2 }) };
    expect(thrown(() => named.apply({ b: x, a: x })).message).toContain('input "b": expected rank 2');
    expect(named.apply({ b: input({ shape: [1] }), a: x }).shape).toEqual([null, 5, 3]);
  });

  test("wrong options", () => {
    expect(thrown(() => new layers.InputSpec({ ndim: -1 })).message).toContain("inputSpec: expected ndim");
    expect(thrown(() => new layers.InputSpec({ rank: 2 } as never)).message).toContain(
      'unknown option "rank"',
    );
  });
});

describe("convLstm", () => {
  test("wrong options and inputs", () => {
    const cases: [() => unknown, string][] = [
      [() => layers.convLstm2d({ filters: 0, kernelSize: 3 }), "convLstm2d: expected filters to be an integer of at least 1, got 0"],
      [() => layers.convLstm2d({ filters: 2, kernelSize: [3] }), "convLstm2d: expected kernelSize to hold 2 numbers, got [3]"],
      [() => layers.convLstm1d({ filters: 2, kernelSize: 3, strides: 2, dilationRate: 2 }), "convLstm1d: expected strides or dilationRate of 1, got strides [2] and dilationRate [2]"],
      [() => layers.convLstm2d({ filters: 2, kernelSize: 3, padding: "causal" as "same" }), 'convLstm2d: unknown padding "causal"'],
      [() => layers.convLstm2d({ units: 2, kernelSize: 3 } as never), 'convLstm2d: unknown option "units"'],
      [() => layers.convLstm2d({ filters: 2, kernelSize: 3 }).build([null, 4, 8, 8]), "expected images with 2 spatial axes of known size"],
      [() => layers.convLstm2d({ filters: 2, kernelSize: 3 }).build([null, 4, null, 8, 1]), "of known size"],
      [() => layers.convLstm2d({ filters: 2, kernelSize: 3, stateful: true }).build([null, 4, 8, 8, 1]), "expected a fixed batch size"],
    ]; // biome-ignore format: one line each
    for (const [build, message] of cases) expect(thrown(build).message).toContain(message);
  });

  test("takes regularizers and constraints for its weights, as others do", () => {
    const options = {
      filters: 1,
      kernelSize: 1,
      kernelRegularizer: "l2",
      recurrentRegularizer: "l1",
      biasConstraint: "nonNeg",
    } as const;
    const layer = layers.convLstm1d(options);
    layer.build([null, 2, 3, 1]);
    const { kernel, recurrentKernel, bias } = layer.cell;
    expect(kernel.regularizer).toBeDefined();
    expect(recurrentKernel.regularizer).toBeDefined();
    expect(bias?.constraint).toBeDefined();
    const again = layers.convLstm1d(layer.getConfig() as unknown as typeof options);
    expect(again.getConfig()).toEqual(layer.getConfig());
    expect(layer.getConfig().kernelRegularizer).toBeDefined();
    const places = layers.positionEmbedding({ sequenceLength: 2, embeddingsRegularizer: "l2" });
    places.build([null, 2, 3]);
    expect(places.embeddings.regularizer).toBeDefined();
    const tied = layers.reversibleEmbedding({ inputDim: 3, outputDim: 2, embeddingsRegularizer: "l2" });
    tied.build([null, 2]);
    expect(tied.embeddings.regularizer).toBeDefined();
  });

  test("drops in training, one draw for all steps; trains; both ways", async () => {
    const options = {
      filters: 2,
      kernelSize: 3,
      padding: "same",
      dropout: 0.5,
      recurrentDropout: 0.5,
    } as const;
    const x = input({ shape: [3, 4, 4, 1] });
    const both = layers.bidirectional({ layer: layers.convLstm2d({ ...options, returnSequences: true }) });
    const m = model({ inputs: x, outputs: both.apply(x) });
    expect(m.outputSpecs[0]!.shape).toEqual([null, 3, 4, 4, 4]);
    const again = modelFromJSON(JSON.stringify(m));
    expect(again.getConfig()).toEqual(m.getConfig());
    m.compile({ optimizer: optimizers.adam({ learningRate: 0.02 }), loss: "meanSquaredError" });
    const data = new Float32Array(2 * 3 * 16).fill(1);
    const target = new Float32Array(2 * 3 * 64).fill(0.5);
    const history = await m.fit(data, target, { epochs: 30, verbose: 0, seed: 1 });
    const loss = history.history.loss as number[];
    expect(loss.at(-1)!).toBeLessThan(0.7 * loss[0]!);
  });
});
