// Embedding, einsum and attention layers against recorded results of Keras 3.15, rotary positions against PyTorch
// (scripts/record-attention-fixtures.py): outputs, gradients by inputs and weights, ten Adam steps on every engine.

import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { build } from "../../src/compile.ts";
import type { DType } from "../../src/core/dtype.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { readVariable } from "../../src/graph/trace.ts";
import * as layers from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import type { SymbolicTensor } from "../../src/layers/symbolic.ts";
import { input, model, modelFromJSON } from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import { adam } from "../../src/optimizers/index.ts";
import fixture from "../fixtures/attention.json" with { type: "json" };
import { availableEngines } from "../helpers/engines.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { difference } from "../helpers/matcher.ts";
import { thrown } from "../helpers/thrown.ts";
import "../../src/training/attach.ts";

interface Recorded {
  shape: number[];
  dtype: string;
  data: (number | boolean)[];
}
interface Case {
  factory: string;
  options: object;
  call: { names?: string[] };
  masks: Record<string, Recorded>;
  inputs: Recorded[];
  weightNames: string[];
  weights: Recorded[];
  outputs: Recorded[];
  seeds: Recorded[];
  gradients: Recorded[];
  target?: Recorded;
  losses?: number[];
  after?: Recorded[];
}

const restore = ({ data, shape, dtype }: Recorded): Tensor => tensor(data.map(Number), shape, dtype as DType);
const factories = layers as unknown as Record<string, (options: object) => Layer>;
const cases = fixture.cases as unknown as Case[];
const title = (c: Case, i: number) =>
  `${i}: ${c.factory} ${JSON.stringify(c.options)} ${JSON.stringify(c.call)}${Object.keys(c.masks).length > 0 ? " masked" : ""}`;

/** The layer on Values as the case has it, all outputs as a list. */
function use(c: Case, layer: Layer, xs: readonly Value[]): readonly Value[] {
  const { names, ...options } = c.call;
  // A Value of its own for each input: masks travel with Values.
  const inputs = xs.map((x) => ops.reshape(ops.identity(x), x.shape));
  for (const [i, mask] of Object.entries(c.masks)) {
    inputs[Number(i)] = ops.multiply(inputs[Number(i)]!, 1);
    layers.setMask(inputs[Number(i)]!, ops.constant(restore(mask)));
  }
  const given = names ? Object.fromEntries(names.map((name, i) => [name, inputs[i]!])) : inputs;
  const result = layer.apply<readonly Value[]>(given.length === 1 ? inputs[0]! : given, options);
  return [result].flat();
}

const norm = (xs: ArrayLike<number>): number => Math.hypot(...Array.from(xs));

/** The norm of the error, relative to that of what is expected, or to `least` where that is larger. */
function distance(actual: Tensor, expected: Tensor, least = 0): number {
  const errors = Array.from(expected.data, (e, i) => actual.data[i]! - e);
  return norm(errors) / Math.max(least, norm(expected.data));
}

function make(c: Case): Layer {
  const layer = factories[c.factory]!(c.options);
  const shapes = c.inputs.map((t) => [null, ...t.shape.slice(1)]);
  const { names } = c.call;
  const nest = names ? Object.fromEntries(names.map((name, i) => [name, shapes[i]!])) : shapes;
  layer.build(shapes.length === 1 ? shapes[0]! : nest);
  layer.setWeights(c.weights.map(restore));
  return layer;
}

describe("as in Keras", () => {
  cases.forEach((c, i) => {
    test(title(c, i), () => {
      const layer = make(c);
      expect(layer.namedWeights().map((w) => w.path)).toEqual(c.weightNames);
      const inputs = c.inputs.map(restore);
      const results = evaluate((...xs) => {
        const outputs = use(c, layer, xs);
        const weights = layer.trainableWeights.map(readVariable);
        const wanted = [...xs.filter((x) => x.dtype === "float32"), ...weights];
        const seeds = c.seeds.map((s) => ops.constant(restore(s)));
        return [...outputs, ...(wanted.length > 0 ? backward(outputs, seeds, wanted) : [])];
      }, inputs);
      const expected = [...c.outputs, ...c.gradients].map(restore);
      expect(results.map((t) => t.shape)).toEqual(expected.map((t) => t.shape));
      // Both sides round to float32 at every step, in different orders; the file holds seven digits.
      // The gradient by the bias of the keys is 0 but for rounding, so the largest sets the scale of what is small.
      const least = 0.1 * Math.max(...expected.map((e) => norm(e.data)));
      results.forEach((t, k) => {
        expect(distance(t, expected[k]!, least), `result ${k}`).toBeLessThan(5e-6);
      });
      const again = factories[c.factory]!(JSON.parse(JSON.stringify(layer.getConfig())));
      expect(again.getConfig()).toEqual(layer.getConfig());
    });
  });
});

describe.each(availableEngines().map((e) => [e.name, e] as const))(
  "ten Adam steps, %s engine",
  (_, engine) => {
    cases.forEach((c, i) => {
      if (!c.losses) return;
      test(title(c, i), () => {
        const layer = make(c);
        const optimizer = adam({ learningRate: 0.01 });
        const step = build(
          (...xs) => {
            const [output] = use(c, layer, xs.slice(1));
            const loss = ops.mean(ops.square(ops.subtract(output!, xs[0]!)));
            const weights = layer.trainableWeights;
            optimizer.apply(backward([loss], [], weights.map(readVariable)), weights);
            return [loss];
          },
          [restore(c.target!), ...c.inputs.map(restore)],
          { engine },
        );
        for (const expected of c.losses!) {
          const [loss] = step.runSync([restore(c.target!), ...c.inputs.map(restore)]);
          expect(Math.abs(loss!.item() - expected)).toBeLessThan(1e-5 * expected);
        }
        // Adam's first steps divide by the root of tiny squares; the bias of keys it moves by rounding errors alone.
        layer.namedWeights().forEach(({ path, variable }, k) => {
          if (path.endsWith("key/bias")) return;
          expect(distance(variable.read(), restore(c.after![k]!)), path).toBeLessThan(2e-5);
        });
      });
    });
  },
);

describe("in models", () => {
  const tokens = tensor([5, 3, 0, 0, 2, 4, 1, 0], [2, 4], "int32");
  const build = () => {
    const ids = input({ shape: [4], dtype: "int32" });
    const x = layers.embedding({ inputDim: 6, outputDim: 8, maskZero: true }).apply(ids);
    const attention = layers.multiHeadAttention({ numHeads: 2, keyDim: 3, name: "attention" });
    const [y, scores] = attention.apply<readonly SymbolicTensor[]>([x, x], {
      useCausalMask: true,
      returnAttentionScores: true,
    });
    return model({ inputs: ids, outputs: [y!, scores!] });
  };

  test("options of the call are kept, saved and read again", async () => {
    const first = build();
    const again = modelFromJSON(JSON.stringify(first));
    again.setWeights(first.getWeights());
    const [outputs, copies] = await Promise.all([first.predict(tokens), again.predict(tokens)]);
    const [y, scores] = outputs as unknown as Tensor[];
    expect(y!.shape).toEqual([2, 4, 8]);
    expect(scores!.shape).toEqual([2, 2, 4, 4]);
    (copies as unknown as Tensor[]).forEach((t, i) => {
      expect([...t.data]).toEqual([...[y!, scores!][i]!.data]);
    });
    // The first query sees itself alone; the second of the first row never sees the padding.
    const rows = scores!.toArray() as number[][][][];
    expect(rows[0]![0]![0]).toEqual([1, 0, 0, 0]);
    expect(rows[0]![1]![1]!.slice(2)).toEqual([0, 0]);
    expect(rows[1]![0]![2]![3]).toBe(0);
  });

  test("training: false keeps a layer as it is in inference", () => {
    const x = input({ shape: [3] });
    const y = layers.dropout({ rate: 0.9 }).apply(x, { training: false });
    const m = model({ inputs: x, outputs: y });
    expect(modelFromJSON(m.toJSON()).toJSON()).toEqual(m.toJSON());
    const ones = tensor([[1, 1, 1]]);
    for (const same of [m, modelFromJSON(m.toJSON())]) {
      const [out] = evaluate((v) => same.apply(v, { training: true }), [ones]);
      expect([...out!.data]).toEqual([1, 1, 1]);
    }
  });

  test("dropout of attention draws in training only", () => {
    const layer = layers.multiHeadAttention({ numHeads: 2, keyDim: 4, dropout: 0.5, seed: 3 });
    const x = tensor(
      Float32Array.from({ length: 80 }, (_, i) => Math.sin(i)),
      [2, 5, 8],
    );
    const run = (training: boolean) => evaluate((v) => layer.apply([v, v], { training }), [x])[0]!;
    expect([...run(false).data]).toEqual([...run(false).data]);
    expect([...run(true).data]).not.toEqual([...run(false).data]);
  });
});

describe("wrong use", () => {
  const x = input({ shape: [3, 4] });
  const mha = (options = {}) =>
    layers.multiHeadAttention({ numHeads: 2, keyDim: 3, name: "mha", ...options });
  test.each<[() => unknown, string]>([
    [
      () => mha({ numHeads: 0 }),
      'multiHeadAttention "mha": expected numHeads to be an integer of at least 1, got 0',
    ],
    [() => mha({ dropout: 1 }), 'multiHeadAttention "mha": expected dropout to be a number in [0, 1), got 1'],
    [
      () => mha({ attentionAxes: [0] }),
      'multiHeadAttention "mha": expected attentionAxes to be a list of integers other than 0, got [0]',
    ],
    [
      () => mha({ attentionAxes: [2] }).apply([x, x]),
      "mha: expected attentionAxes to be among the axes 1 of inputs of rank 3, got [2]",
    ],
    [
      () => mha({ slidingWindow: 0 }),
      'multiHeadAttention "mha": expected slidingWindow to be an integer of at least 1, got 0',
    ],
    [() => mha().apply(x as never), "mha: expected [query, value], [query, value, key] or a record"],
    [() => mha().apply({ query: x } as never), "got a record of query"],
    [() => mha().apply([x, x], { causal: true } as never), 'mha, apply: unknown option "causal"'],
    [
      () => mha().apply([x, x], { useCausalMask: 1 } as never),
      "mha: expected useCausalMask to be true or false, got 1",
    ],
    [
      () => mha().apply([x, input({ shape: [4] })]),
      "mha: expected query, value and key of one rank from 3 on, got (null, 3, 4), (null, 4), (null, 4)",
    ],
    [
      () => mha().apply([x, x, input({ shape: [5, 4] })]),
      "mha: expected value and key of the same positions, got (null, 3, 4) and (null, 5, 4)",
    ],
    [
      () => mha().apply({ query: x, value: x, valueMask: input({ shape: [2], dtype: "bool" }) }),
      "mha: expected valueMask of shape [batch, 3], got [8, 2]",
    ],
    [
      () => mha().apply({ query: x, value: x, attentionMask: input({ shape: [], dtype: "bool" }) }),
      "mha: expected attentionMask [T, S], [batch, T, S] or [batch, heads, T, S], got [8]",
    ],
    [
      () => {
        const image = input({ shape: [3, 4, 5] });
        return mha().apply([image, image], { useCausalMask: true });
      },
      "mha: expected inputs of rank 3 with masks, a sliding window or causal order",
    ],
    [
      () => layers.groupQueryAttention({ headDim: 2, numQueryHeads: 3, numKeyValueHeads: 2 }),
      "groupQueryAttention: expected numQueryHeads to be a multiple of numKeyValueHeads, got 3 and 2",
    ],
    [() => layers.attention({ scoreMode: "sum" as never }), 'attention: unknown scoreMode "sum"'],
    [
      () => layers.attention({ name: "a" }).apply([input({ shape: [3] }), x]),
      "a: expected query, value and key of rank 3, got (null, 3), (null, 3, 4), (null, 3, 4)",
    ],
    [
      () => layers.einsumDense({ equation: "ab,cd", outputShape: 3 }),
      'einsumDense: expected equation to be like "ab,bc->ac"',
    ],
    [
      () => layers.einsumDense({ equation: "ab,bc->ad", outputShape: 3 }),
      'einsumDense: "ab,bc->ad" has output axis "d" from nowhere',
    ],
    [
      () => layers.einsumDense({ equation: "ab,bcx->ac", outputShape: 3 }),
      'einsumDense: "ab,bcx->ac" has kernel axis "x" in neither input nor output',
    ],
    [
      () => layers.einsumDense({ equation: "ab,bc->ac", outputShape: [3, 4] }),
      'einsumDense: expected an outputShape of 1 sizes for "ab,bc->ac", got (3, 4)',
    ],
    [
      () => layers.einsumDense({ equation: "ab,bc->ac", outputShape: 3, biasAxes: "b" }),
      'einsumDense: expected biasAxes to be letters of the output "ac", got "b"',
    ],
    [
      () => layers.einsumDense({ equation: "abc,cd->abd", outputShape: [5, 2], name: "e" }).apply(x),
      'e: expected 5 for axis "b" of abc,cd->abd, got 3',
    ],
  ])("%#", (fn, message) => {
    expect(thrown(fn).message).toContain(message);
  });
});

describe("rotaryEmbedding as PyTorch computes it in float64", () => {
  test.each(fixture.rotary.map((r, i) => [i, r] as const))("%i", (_, { x, positions, base, y }) => {
    const at = positions as number[] | number[][] | null;
    const [turned] = evaluate(
      (v) =>
        ops.rotaryEmbedding(v, {
          base,
          ...(at ? { positions: ops.constant(tensor(at, undefined, "int32")) } : {}),
        }),
      [restore(x)],
    );
    // Angles are rounded to float32 before their sine: 1e-7 of the largest position.
    expect(difference(turned!, restore(y), { norm: 1e-5 })).toBeUndefined();
  });
});
