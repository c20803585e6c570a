// Optimizers around others, and averages: against recorded Keras steps on both engines, through saving, and what is refused.

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { Variable } from "../../src/graph/variable.ts";
import { constraints, input, layers, loadModel, type Model, model, optimizers, sequential } from "../../src/index.ts"; // biome-ignore format: one line
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

interface Run {
  name: string;
  options: Record<string, unknown>;
  /** Steps with an infinite gradient. */
  bad?: number[];
  constrained?: boolean;
  weights: number[][];
  averages?: number[];
  scale: number | null;
}

const { wrappers } = JSON.parse(
  readFileSync(new URL("../fixtures/schedules.json", import.meta.url), "utf8"),
) as { wrappers: Run[] };

const types = [
  { shape: [2, 2], dtype: "float32" },
  { shape: [3], dtype: "float32" },
] as const;

describe.each(availableEngines().map((e) => [e.name, e] as const))(
  "as Keras on the %s engine",
  (_, engine) => {
    it.each(wrappers)(
      "$name $options",
      async ({ name, options, bad = [], constrained, weights, ...recorded }) => {
        const optimizer = optimizers.get({ name, options });
        const constraint = constrained
          ? constraints.minMaxNorm({ minValue: 0.2, maxValue: 0.6, rate: 0.5 })
          : undefined;
        const a = new Variable([2, 2], "float32", { name: "a", constraint, initial: () => Float32Array.of(0.5, -1, 2, 0.25) }); // biome-ignore format: one line
        const b = new Variable([3], "float32", {
          name: "b",
          initial: () => Float32Array.of(1.5, -0.75, 0.1),
        });
        const step = build((...gradients: Value[]) => { optimizer.apply(gradients, [a, b]); return []; }, types, { engine }); // biome-ignore format: one line
        const scaling = optimizer instanceof optimizers.LossScaleOptimizer ? optimizer : undefined;
        for (const [i, expected] of weights.entries()) {
          const scale = scaling?.dynamicScale.read().item() ?? optimizer.lossScaleFactor ?? 1;
          const ga = Float32Array.of(0.3, -0.2, 0.1, 0.7).map((g) => g * (i + 1) * scale);
          const gb = Float32Array.of(-0.4, 0.9, 0.05).map((g) => g * (3 - i) * scale);
          if (bad.includes(i)) gb[1] = Number.POSITIVE_INFINITY;
          await step.run([tensor(ga, [2, 2]), tensor(gb, [3])]);
          const values = [...a.read().data, ...b.read().data];
          expected.forEach((v, j) => {
            expect(values[j], `step ${i}[${j}]`).toBeCloseTo(v, 5);
          });
        }
        if (recorded.scale !== null) expect(scaling!.dynamicScale.read().item()).toBe(recorded.scale);
        if (!recorded.averages) return;
        const averages = [a, b].flatMap((p) => [...optimizer.averageOf(p)!.read().data]);
        recorded.averages.forEach((v, j) => {
          expect(averages[j], `average [${j}]`).toBeCloseTo(v, 5);
        });
      },
    );
  },
);

const x = tensor(Float32Array.from({ length: 36 }, (_, i) => Math.sin(i)), [12, 3]); // biome-ignore format: one line
const y = tensor(Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)), [12, 1]); // biome-ignore format: one line
const fitting = { batchSize: 4, verbose: 0, seed: 5 } as const;

/** With an encoder that is a model inside a model. */
function nested(optimizer: optimizers.Optimizer): Model {
  const encoder = sequential([layers.dense({ units: 4, activation: "tanh", inputShape: [3] })], {
    name: "encoder",
    seed: 3,
  });
  const inputs = input({ shape: [3] });
  const outputs = layers.dense({ units: 1, name: "head" }).apply(encoder.apply(inputs));
  const made = model({ inputs, outputs, seed: 4 });
  made.compile({ optimizer, loss: "mse" });
  return made;
}

const multi = () => {
  const shared = optimizers.adam({ learningRate: 0.01, useEma: true });
  return optimizers.multiOptimizer({
    optimizerMap: {
      defaultOptimizer: "rmsprop",
      optimizers: { "encoder/.*": shared, "head/bias": optimizers.sgd({ learningRate: 0 }), unused: shared },
    },
  });
};

describe("multiOptimizer", () => {
  it("chooses by the path a weight has in the model", async () => {
    const optimizer = multi();
    const m = nested(optimizer);
    const before = m.getWeights();
    await m.fit(x, y, fitting);
    const [encoderKernel, , headKernel, headBias] = m.trainableWeights;
    const [adam, sgd, rmsprop] = optimizer.optimizers;
    expect(optimizer.optimizers).toHaveLength(3);
    expect(optimizer.optimizerOf(encoderKernel!)).toBe(adam);
    expect(optimizer.optimizerOf(headKernel!)).toBe(rmsprop);
    expect(optimizer.optimizerOf(headBias!)).toBe(sgd);
    expect(m.getWeights()[3]).toEqual(before[3]);
    expect(m.getWeights()[2]).not.toEqual(before[2]);
    expect(adam!.iterations.read().item()).toBe(3);
    expect(optimizer.stepsTaken).toBe(3);
  });

  it("asks a function once for each weight", async () => {
    const asked: string[] = [];
    const optimizer = optimizers.multiOptimizer({
      optimizerMap: (_, path) => {
        asked.push(path);
        return path.startsWith("encoder") ? "adam" : "sgd";
      },
    });
    const m = nested(optimizer);
    await m.fit(x, y, { ...fitting, epochs: 2 });
    expect(asked).toEqual(m.namedWeights().map((w) => w.path));
    expect(optimizer.optimizers).toHaveLength(4);
    expect(m.getTrainingState!()).toBeNull();
  });
});

describe.each([
  ["multiOptimizer", multi],
  [
    "lossScaleOptimizer around it",
    () => optimizers.lossScaleOptimizer({ innerOptimizer: multi(), dynamicGrowthSteps: 2, initialScale: 8 }),
  ],
  [
    "averages with accumulation",
    () => optimizers.adam({ gradientAccumulationSteps: 2, useEma: true, emaMomentum: 0.5 }),
  ],
])("%s", (_, make) => {
  it("goes on from a file as if unbroken", async () => {
    const folder = await mkdtemp(join(tmpdir(), "myelin-optimizers-"));
    try {
      const [whole, first] = [nested(make()), nested(make())];
      // An average takes the weights' place when fit ends: break both trainings there.
      for (const m of [whole, first]) await m.fit(x, y, { ...fitting, epochs: 3 });
      await first.save(join(folder, "m"));
      const second = await loadModel(join(folder, "m"));
      await whole.fit(x, y, { ...fitting, epochs: 5, initialEpoch: 3 });
      await second.fit(x, y, { ...fitting, epochs: 5, initialEpoch: 3 });
      expect(second.getWeights()).toEqual(whole.getWeights());
      expect(second.optimizer!.getConfig()).toEqual(whole.optimizer!.getConfig());
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("averages", () => {
  it("are exchanged with weights and back, and set to them", async () => {
    const optimizer = optimizers.lossScaleOptimizer({
      innerOptimizer: optimizers.sgd({ learningRate: 0.1, useEma: true, emaMomentum: 0.5 }),
    });
    const m = nested(optimizer);
    await m.trainOnBatch(x, y);
    await m.trainOnBatch(x, y);
    const weights = m.getWeights();
    const averages = m.trainableWeights.map((w) => optimizer.averageOf(w)!.read());
    expect(averages).not.toEqual(weights);
    optimizer.swapEma(m.trainableWeights);
    expect(m.getWeights()).toEqual(averages);
    optimizer.swapEma(m.trainableWeights);
    expect(m.getWeights()).toEqual(weights);
    optimizer.copyToEma(m.trainableWeights);
    optimizer.finalizeVariableValues(m.trainableWeights);
    expect(m.getWeights()).toEqual(weights);
  });

  it("leave a weight without gradients as it is", () => {
    const optimizer = optimizers.sgd({ useEma: true });
    const [a, b] = ["a", "b"].map((name) => new Variable([], "float32", { name, initial: () => Float32Array.of(3) })); // biome-ignore format: one line
    build(() => { optimizer.apply([null, null], [a!, b!]); return []; }, []).runSync(); // biome-ignore format: one line
    optimizer.finalizeVariableValues([a!, b!]);
    expect([a!.read().item(), b!.read().item()]).toEqual([3, 3]);
  });
});

it("refuse what they cannot do", () => {
  const o = optimizers;
  const w = new Variable([], "float32", { name: "dense/kernel" });
  const two = o.optimizerMap({
    defaultOptimizer: "sgd",
    optimizers: { "dense/.*": "adam", ".*kernel": "sgd" },
  });
  const wrong: [() => unknown, RegExp][] = [
    [
      () => o.lossScaleOptimizer({ innerOptimizer: "adm" as never }),
      /innerOptimizer: unknown optimizer "adm"/,
    ],
    [
      () => o.lossScaleOptimizer({ innerOptimizer: o.sgd({ lossScaleFactor: 2 }) }),
      /innerOptimizer without a lossScaleFactor of its own, got 2/,
    ],
    [
      () => o.lossScaleOptimizer({ innerOptimizer: "sgd", initialScale: 0 }),
      /initialScale to be a number above 0/,
    ],
    [
      () => o.lossScaleOptimizer({ innerOptimizer: "sgd", dynamicGrowthSteps: 0 }),
      /dynamicGrowthSteps to be an integer of at least 1/,
    ],
    [
      () => o.lossScaleOptimizer({ innerOptimizer: "sgd", clipnorm: 1 } as never),
      /unknown option "clipnorm"/,
    ],
    [() => o.multiOptimizer({ optimizerMap: "sgd" as never }), /optimizerMap to be an OptimizerMap/],
    [() => o.multiOptimizer({ optimizerMap: () => multi() }).slotsOf(w), /no wrapper .* got multiOptimizer/],
    [() => o.multiOptimizer({ optimizerMap: () => undefined as never }).slotsOf(w), /optimizer of dense\/kernel: expected an optimizer/], // biome-ignore format: one line
    [() => multi().learningRate, /learning rate of one of its optimizers/],
    [() => (multi().learningRate = 1), /learning rate of one of its optimizers/],
    [
      () => o.multiOptimizer({ optimizerMap: two }).slotsOf(w),
      /one pattern to fit dense\/kernel, got "dense\/\.\*" and/,
    ],
    [() => two.set("dense/.*", "sgd"), /distinct patterns, got "dense\/\.\*" twice/],
    [() => two.set("(", "sgd"), /a path or a regular expression, got "\("/],
    [
      () => o.optimizerMap({ defaultOptimizer: multi() }),
      /no wrapper and scales no loss, got multiOptimizer/,
    ],
    [() => o.optimizerMap({ defaultOptimizer: "sgd", optimizers: { a: { sameAs: "b" } } }), /sameAs to be an earlier pattern, got "b"/], // biome-ignore format: one line
    [() => o.sgd().swapEma([w]), /sgd.swapEma: expected an optimizer made with useEma: true/],
    [() => o.sgd().copyToEma([w]), /sgd.copyToEma: expected an optimizer made with useEma: true/],
  ];
  for (const [call, message] of wrong) expect(thrown(call).message).toMatch(message);
});
