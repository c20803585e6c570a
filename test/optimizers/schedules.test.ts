// Learning-rate schedules, gradient accumulation and loss scaling: against Keras on both engines, through saving, and
// what is refused.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { Variable } from "../../src/graph/variable.ts";
import { layers, type Model, ops, optimizers, sequential } from "../../src/index.ts";
import type { LearningRateSchedule, ScheduleConfig } from "../../src/optimizers/schedules/index.ts";
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

interface Fixture {
  steps: number[];
  schedules: { name: keyof typeof optimizers.schedules; options: object; values: number[] }[];
  runs: { name: "sgd"; options: object; weights: number[][] }[];
}

const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/schedules.json", import.meta.url), "utf8"),
) as Fixture;

const make = (name: string, options: object): LearningRateSchedule =>
  (optimizers.schedules as never as Record<string, (o: object) => LearningRateSchedule>)[name]!(options);

describe.each(availableEngines().map((e) => [e.name, e] as const))(
  "as Keras on the %s engine",
  (_, engine) => {
    it.each(fixture.schedules)("$name $options", async ({ name, options, values }) => {
      const schedule = make(name, options);
      const program = build((steps: Value) => [schedule.call(steps)], [{ shape: [], dtype: "float32" }], {
        engine,
      });
      for (const [i, step] of fixture.steps.entries()) {
        const [inProgram] = await program.run([tensor(Float32Array.of(step), [])]);
        // Cosine near its zeros: float32 rounds the angle.
        expect(inProgram!.item(), `step ${step}`).toBeCloseTo(values[i]!, 7);
        expect(schedule.at(step), `step ${step} on the host`).toBeCloseTo(values[i]!, 6);
      }
    });

    it.each(fixture.runs)("$name $options", async ({ name, options, weights }) => {
      const optimizer = optimizers[name](options as never);
      const w = new Variable([2, 2], "float32", {
        name: "w",
        initial: () => Float32Array.of(0.5, -1, 2, 0.25),
      });
      const scale = (options as { lossScaleFactor?: number }).lossScaleFactor ?? 1;
      const step = build((gradient: Value) => { optimizer.apply([gradient], [w]); return []; }, [{ shape: [2, 2], dtype: "float32" }], { engine }); // biome-ignore format: one line
      for (const [i, expected] of weights.entries()) {
        const gradient = Float32Array.of(0.3, -0.2, 0.1, 0.7).map((g) => g * (i + 1) * scale);
        await step.run([tensor(gradient, [2, 2])]);
        const values = w.read().data;
        expected.forEach((v, j) => {
          // Keras works 1 - beta2 ** t out in float32, which at t = 1 keeps four digits of it.
          expect(values[j], `step ${i}[${j}]`).toBeCloseTo(v, name.startsWith("adam") ? 4 : 6);
        });
      }
      expect(optimizer.stepsTaken).toBe(weights.length);
    });
  },
);

describe("training with them", () => {
  const x = tensor(Float32Array.from({ length: 36 }, (_, i) => Math.sin(i)), [12, 3]); // biome-ignore format: one line
  const y = tensor(Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)), [12, 1]); // biome-ignore format: one line
  const options = { batchSize: 4, verbose: 0, seed: 5 } as const;
  const schedule = { name: "cosineDecay", options: { initialLearningRate: 0, decaySteps: 20, warmupTarget: 0.1, warmupSteps: 5 } }; // biome-ignore format: one line

  function compiled(): Model {
    const m = sequential([layers.dense({ units: 4, activation: "tanh", inputShape: [3] }), layers.dropout({ rate: 0.2 }), layers.dense({ units: 1 })], { seed: 2 }); // biome-ignore format: one line
    const optimizer = optimizers.adam({
      learningRate: schedule,
      gradientAccumulationSteps: 2,
      lossScaleFactor: 8,
    });
    m.compile({ optimizer, loss: "mse" });
    return m;
  }

  it("goes on from a saved state as if unbroken, in the middle of an accumulation", async () => {
    const [whole, first, second] = [compiled(), compiled(), compiled()];
    await whole.fit(x, y, { ...options, epochs: 5 });
    await first.fit(x, y, { ...options, epochs: 3 });
    second.setWeights(first.getWeights());
    const { counter } = first.seedGenerator;
    second.seedGenerator.counter.write(counter.read());
    second.setTrainingState!(JSON.parse(JSON.stringify(first.getTrainingState!(), (_, v) => v)) && first.getTrainingState!()!); // biome-ignore format: one line
    await second.fit(x, y, { ...options, epochs: 5, initialEpoch: 3 });
    expect(second.getWeights()).toEqual(whole.getWeights());
    expect(second.optimizer!.learningRate).toBe(whole.optimizer!.learningRate);
    expect(second.optimizer!.stepsTaken).toBe(15);
  });

  it("gathers what one large batch would give", async () => {
    const train = async (gradientAccumulationSteps: number | undefined, batchSize: number) => {
      const m = sequential([layers.dense({ units: 1, inputShape: [3] })], { seed: 2 });
      m.compile({ optimizer: optimizers.sgd({ learningRate: 0.1, gradientAccumulationSteps }), loss: "mse" });
      await m.fit(x, y, { ...options, shuffle: false, batchSize, epochs: 3 });
      return m.getWeights()[0]!.data;
    };
    const [large, small] = [await train(undefined, 12), await train(3, 4)];
    small.forEach((v: number, i: number) => {
      expect(v).toBeCloseTo(large[i]!, 6);
    });
  });

  it("says the rate of the next step, takes functions and classes, refuses to be overruled", async () => {
    const m = compiled();
    expect(m.optimizer!.learningRate).toBe(0);
    await m.fit(x, y, { ...options, epochs: 1 });
    expect(m.optimizer!.learningRate).toBeCloseTo(0.06, 6);
    expect(() => {
      m.optimizer!.learningRate = 1;
    }).toThrow(/where a schedule rules it/);
    const own = optimizers.sgd({ learningRate: (step) => ops.divide(0.1, ops.add(step, 1)) });
    const n = sequential([layers.dense({ units: 1, inputShape: [3] })]);
    n.compile({ optimizer: own, loss: "mse" });
    await n.fit(x, y, { ...options, epochs: 1 });
    expect(own.learningRate).toBeCloseTo(0.1 / 3, 6);
    expect(n.getTrainingState!()).toBeNull();
  });
});

it("keeps every option in its configuration", () => {
  for (const { name, options } of fixture.schedules) {
    const config = JSON.parse(JSON.stringify(make(name, options).getConfig())) as ScheduleConfig;
    expect(config.options).toMatchObject(options);
    const optimizer = optimizers.adam({
      learningRate: config,
      gradientAccumulationSteps: 3,
      lossScaleFactor: 2,
    });
    const again = optimizers.get(JSON.parse(JSON.stringify(optimizer.getConfig())));
    expect(again.getConfig()).toEqual(optimizer.getConfig());
  }
});

it("refuses wrong options", () => {
  const s = optimizers.schedules;
  const wrong: [() => unknown, RegExp][] = [
    [
      () => s.exponentialDecay({ initialLearningRate: 0.1, decaySteps: 0, decayRate: 0.9 }),
      /decaySteps to be a number above 0, got 0/,
    ],
    [
      () => s.exponentialDecay({ initialLearningRate: -1, decaySteps: 1, decayRate: 0.9 }),
      /initialLearningRate .* got -1/,
    ],
    [
      () => s.cosineDecay({ initialLearningRate: 0.1, decaySteps: 5, warmUp: 3 } as never),
      /unknown option "warmUp"/,
    ],
    [
      () => s.piecewiseConstantDecay({ boundaries: [1, 2], values: [1, 2] }),
      /one value more than boundaries/,
    ],
    [
      () => s.piecewiseConstantDecay({ boundaries: [2, 1], values: [1, 2, 3] }),
      /boundaries to be an integer of at least 3, got 1/,
    ],
    [
      () => s.polynomialDecay({ initialLearningRate: 0.1, decaySteps: 2, cycle: 1 as never }),
      /cycle to be true or false/,
    ],
    [
      () => s.cosineDecayRestarts({ initialLearningRate: 0.1, firstDecaySteps: 2, tMul: 0.5 }),
      /tMul to be a number of at least 1/,
    ],
    [() => optimizers.sgd({ learningRate: { name: "linear", options: {} } }), /unknown schedule "linear"/],
    [
      () => optimizers.sgd({ learningRate: "fast" as never }),
      /learningRate to be a number of at least 0 or a schedule, got "fast"/,
    ],
    [
      () => optimizers.sgd({ gradientAccumulationSteps: 1 }),
      /gradientAccumulationSteps to be an integer from 2 to 2147483647, got 1/,
    ],
    [() => optimizers.sgd({ lossScaleFactor: 0 }), /lossScaleFactor to be a number above 0, got 0/],
  ];
  for (const [call, message] of wrong) expect(thrown(call).message).toMatch(message);
});
