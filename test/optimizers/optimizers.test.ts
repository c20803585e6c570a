// Optimizers against ten recorded Keras steps of a small network; optimizers written with plain ops; names and misuse.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { build } from "../../src/compile.ts";
import { type NestedArray, tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import type { Value } from "../../src/graph/graph.ts";
import { Variable } from "../../src/graph/variable.ts";
import * as layers from "../../src/layers/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as ops from "../../src/ops/index.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import "../../src/training/attach.ts";
import { availableEngines } from "../helpers/engines.ts";

interface Run {
  name: string;
  options: Record<string, unknown>;
  losses: number[];
  weights: NestedArray[];
  /** What parameters are once their averages have taken their place. */
  averages?: NestedArray[];
}

const fixture = JSON.parse(readFileSync(new URL("../fixtures/optimizers.json", import.meta.url), "utf8")) as {
  x: number[][];
  y: number[][];
  weights: NestedArray[];
  runs: Run[];
};

const NAMES: Record<string, string> = {
  SGD: "sgd",
  RMSprop: "rmsprop",
  AdamW: "adamW",
  ScheduleFreeAdamW: "scheduleFreeAdamW",
};
const ours = (name: string) => NAMES[name] ?? name.toLowerCase();
const camel = (option: string) => option.replace(/_(.)/g, (_, c: string) => c.toUpperCase());

/** Ten steps round differently; Adam's and RMSprop's first steps divide by the root of tiny squares. */
const TOLERANCE = 5e-6;

for (const engine of availableEngines()) {
  describe(`optimizers against Keras, ${engine.name} engine`, () => {
    for (const run of fixture.runs) {
      it(`${run.name} ${JSON.stringify(run.options)}`, async () => {
        const options = Object.fromEntries(Object.entries(run.options).map(([k, v]) => [camel(k), v]));
        const model = sequential([
          layers.dense({ units: 5, activation: "tanh", inputShape: [3] }),
          layers.dense({ units: 2 }),
        ]);
        model.setWeights(fixture.weights.map((w) => tensor(w)));
        model.compile({ optimizer: { name: ours(run.name), options }, loss: "mse", engine });
        for (const expected of run.losses) {
          const { loss } = await model.trainOnBatch(fixture.x, fixture.y);
          expect(Math.abs(loss! - expected)).toBeLessThan(TOLERANCE * expected);
        }
        const compare = (expected: NestedArray[]) =>
          model.getWeights().forEach((w, i) => {
            const { data } = tensor(expected[i]!);
            w.data.forEach((v, j) => {
              expect(Math.abs(v - data[j]!)).toBeLessThan(TOLERANCE);
            });
          });
        compare(run.weights);
        if (run.averages) {
          model.optimizer!.finalizeVariableValues(model.trainableWeights);
          compare(run.averages);
        }
        expect(model.optimizer!.iterations.read().item()).toBe(10);
      });
    }
  });
}

const engine = new ReferenceEngine();

/** Minimises sum(w * w) from `start` and returns w after some steps. */
function descend(optimizer: optimizers.Optimizer, steps: number, start = 4): number {
  const w = new Variable([2], "float32", { name: "layer/w", initial: () => Float32Array.of(start, start) });
  const step = build(
    () => {
      optimizer.apply([ops.multiply(w, 2)], [w]);
      return [];
    },
    [],
    { engine },
  );
  step.runSync([], steps);
  return w.read().data[0]!;
}

describe("an optimizer written with plain ops", () => {
  class SignSgd extends optimizers.Optimizer {
    override readonly slotNames = ["count"];
    constructor(options: optimizers.OptimizerOptions = {}) {
      super("signSgd", { ...options, learningRate: options.learningRate ?? 0.5 });
    }
    override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: optimizers.Hyper) {
      const step = ops.multiply(ops.sign(gradient), hyper.learningRate);
      return { parameter: ops.subtract(parameter, step), slots: [ops.add(slots[0]!, hyper.step)] };
    }
  }

  it("needs update and slot names", () => {
    const optimizer = new SignSgd();
    expect(descend(optimizer, 3)).toBe(2.5);
    expect(optimizer.iterations.read().item()).toBe(3);
  });
  it("gets weight decay from the base class", () => {
    expect(descend(new SignSgd({ weightDecay: 0.5 }), 1)).toBe(4 - 4 * 0.5 * 0.5 - 0.5);
  });
  it("has its state in named Variables", () => {
    const optimizer = new SignSgd({ name: "mine" });
    const w = new Variable([2], "float32", { name: "dense/kernel" });
    expect(optimizer.variables([w]).map((v) => v.name)).toEqual([
      "mine/iterations",
      "mine/learningRate",
      "mine/dense_kernel_count",
    ]);
  });
  it("that returns the wrong number of slots is told so", () => {
    class Forgetful extends SignSgd {
      override update(parameter: Value) {
        return { parameter, slots: [] };
      }
    }
    expect(() => descend(new Forgetful(), 1)).toThrow(
      "signSgd.update for layer/w: expected a new parameter of the same shape and 1 slots, got 0 slots",
    );
  });
});

for (const engine of availableEngines()) {
  describe(`lazyAdam, ${engine.name} engine`, () => {
    /** Two look-ups in one table, and a head; ids 0 to 3 of 6 are named. Returns table, head and what it held before. */
    const train = (optimizer: optimizers.Optimizer, steps: number) => {
      const start = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i + 1));
      const table = new Variable([6, 2], "float32", { name: "table", initial: () => start.slice() });
      const head = new Variable([2], "float32", { name: "head", initial: () => Float32Array.of(1, -1) });
      const ids = [tensor([[0, 3], [3, 1]], undefined, "int32"), tensor([2, 3], undefined, "int32")]; // biome-ignore format: one row a sample
      build(
        () => {
          const [t, h] = [table, head].map((v) => ops.toValue(v)) as [Value, Value];
          const loss = ops.add(
            ops.sum(ops.square(ops.multiply(ops.gather(t, ids[0]!), h))),
            ops.sum(ops.square(ops.gather(t, ids[1]!))),
          );
          optimizer.apply(backward([loss], [undefined], [t, h]), [table, head]);
          return [];
        },
        [],
        { engine },
      ).runSync([], steps);
      return { start, table: table.read().data, head: head.read().data };
    };
    const settings = [
      {},
      { clipnorm: 0.5 },
      { globalClipnorm: 0.5 },
      { clipvalue: 0.2 },
      { lossScaleFactor: 4 },
    ];
    for (const options of settings) {
      it(`moves named rows as adam does, the rest not at all ${JSON.stringify(options)}`, () => {
        const lazy = train(optimizers.lazyAdam({ learningRate: 0.1, ...options }), 3);
        const full = train(optimizers.adam({ learningRate: 0.1, ...options }), 3);
        for (let i = 0; i < 8; i++) expect(lazy.table[i]).toBeCloseTo(full.table[i]!, 5);
        expect(lazy.table.slice(8)).toEqual(lazy.start.slice(8));
        expect(lazy.table[0]).not.toBe(lazy.start[0]);
        lazy.head.forEach((x, i) => {
          expect(x).toBeCloseTo(full.head[i]!, 5);
        });
      });
    }
    it("lets weight decay fall on named rows only", () => {
      for (const lossScaleFactor of [null, 4]) {
        const optimizer = optimizers.lazyAdam({ learningRate: 0.1, weightDecay: 0.5, lossScaleFactor });
        const { start, table } = train(optimizer, 1);
        expect(table.slice(8)).toEqual(start.slice(8));
      }
    });
    it("updates a table as adam does where more than look-ups make up its gradient", () => {
      const table = new Variable([3, 1], "float32", { name: "t", initial: () => Float32Array.of(1, 2, 3) });
      const optimizer = optimizers.lazyAdam({ learningRate: 0.1 });
      build(
        () => {
          const t = ops.toValue(table);
          const looked = ops.sum(ops.gather(t, tensor([1], undefined, "int32")));
          optimizer.apply(backward([ops.add(looked, ops.sum(ops.square(t)))], [undefined], [t]), [table]);
          return [];
        },
        [],
        { engine },
      ).runSync();
      table.read().data.forEach((x, i) => {
        expect(x).toBeCloseTo(i + 1 - 0.1, 5);
      });
    });
  });
}

describe("the learning rate", () => {
  it("changes between steps without another compilation", () => {
    const optimizer = optimizers.sgd({ learningRate: 0.25 });
    const w = new Variable([], "float32", { initial: () => Float32Array.of(8) });
    const step = build(
      () => {
        optimizer.apply([ops.multiply(w, 1)], [w]);
        return [];
      },
      [],
      { engine },
    );
    step.runSync();
    expect(w.read().item()).toBe(6);
    optimizer.learningRate = 0.5;
    step.runSync();
    expect(w.read().item()).toBe(3);
    expect(optimizer.learningRate).toBe(0.5);
    expect(optimizer.getConfig()?.options.learningRate).toBe(0.5);
  });
  it("must be a number of at least 0", () => {
    const optimizer = optimizers.adam();
    expect(() => {
      optimizer.learningRate = Number.NaN;
    }).toThrow("adam: expected learningRate to be a number of at least 0, got NaN");
    expect(optimizer.learningRate).toBe(0.001);
  });
});

describe("optimizers", () => {
  it("spare what is excluded from weight decay", () => {
    for (const make of [optimizers.sgd, optimizers.rmsprop]) {
      const optimizer = make({ learningRate: 0.5, weightDecay: 0.5 });
      optimizer.excludeFromWeightDecay({ names: ["bias"] });
      const [kernel, bias] = ["dense/kernel", "dense/bias"].map(
        (name) => new Variable([], "float32", { name, initial: () => Float32Array.of(1) }),
      );
      build(
        () => {
          optimizer.apply([ops.constant(tensor(0)), ops.constant(tensor(0))], [kernel!, bias!]);
          return [];
        },
        [],
        { engine },
      ).runSync();
      expect([kernel!.read().item(), bias!.read().item()]).toEqual([0.75, 1]);
    }
  });
  it("give a model the averages of its weights when fit ends", async () => {
    const model = sequential([layers.dense({ units: 1, inputShape: [1], useBias: false })]);
    model.setWeights([tensor([[1]])]);
    const optimizer = optimizers.sgd({ learningRate: 0.25, useEma: true, emaMomentum: 0.5 });
    model.compile({ optimizer, loss: "mse", engine });
    // Steps to 0.5 and 0.25; averages 0.5 and 0.375.
    await model.fit([[1], [1]], [[0], [0]], { batchSize: 1, verbose: 0 });
    expect(model.getWeights()[0]!.item()).toBe(0.375);
    expect(optimizer.namedSlotsOf(model.trainableWeights[0]!).map(([name]) => name)).toEqual(["average"]);
  });
  it("leave parameters without a gradient alone", () => {
    const optimizer = optimizers.sgd({ learningRate: 1, momentum: 0.5 });
    const [a, b] = ["a", "b"].map(
      (name) => new Variable([], "float32", { name, initial: () => Float32Array.of(1) }),
    );
    build(
      () => {
        optimizer.apply([ops.multiply(a!, 1), null], [a!, b!]);
        return [];
      },
      [],
      { engine },
    ).runSync();
    expect([a!.read().item(), b!.read().item()]).toEqual([0, 1]);
  });
  it("come back from their config", () => {
    for (const made of [
      optimizers.sgd({ momentum: 0.5, nesterov: true }),
      optimizers.adam({ beta1: 0.8 }),
      optimizers.adamW({ weightDecay: 0.1, name: "w" }),
      optimizers.rmsprop({ centered: true }),
      optimizers.adam({
        amsgrad: true,
        clipnorm: 1,
        useEma: true,
        emaMomentum: 0.5,
        emaOverwriteFrequency: 7,
      }),
      optimizers.adadelta({ rho: 0.8, clipvalue: 2 }),
      optimizers.adafactor({ beta2Decay: -0.5, relativeStep: false }),
      optimizers.adagrad({ initialAccumulatorValue: 0, globalClipnorm: 3 }),
      optimizers.adamax({ beta2: 0.5 }),
      optimizers.ftrl({ l1RegularizationStrength: 0.1, learningRatePower: 0 }),
      optimizers.lamb({ epsilon: 1 }),
      optimizers.lazyAdam({ beta1: 0.3, weightDecay: 0.1, clipnorm: 2 }),
      optimizers.lion({ beta1: 1 }),
      optimizers.muon({ rmsRate: null, excludeLayers: ["head"], muonA: 3 }),
      optimizers.nadam({ beta1: 0.7 }),
      optimizers.scheduleFreeAdamW({ warmupSteps: 3 }),
    ]) {
      const config = JSON.parse(JSON.stringify(made.getConfig())) as optimizers.OptimizerConfig;
      expect(optimizers.get(config).getConfig()).toEqual(made.getConfig());
    }
  });
  it("have Keras's defaults", () => {
    expect(optimizers.get("adamW").getConfig()?.options).toMatchObject({
      learningRate: 0.001,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-7,
      weightDecay: 0.004,
    });
    expect(optimizers.get("sgd").getConfig()?.options).toMatchObject({ learningRate: 0.01, momentum: 0 });
    expect(optimizers.get("muon").getConfig()?.options).toMatchObject({ weightDecay: 0.004, rmsRate: 0.2 });
    expect(optimizers.get("scheduleFreeAdamW").getConfig()?.options).toMatchObject({
      learningRate: 0.0025,
      epsilon: 1e-8,
    });
    expect(optimizers.get("lion").getConfig()?.options).toMatchObject({ beta2: 0.99, emaMomentum: 0.99 });
  });
  it("refuse unknown names, options and values", () => {
    expect(() => optimizers.get("adan" as never)).toThrow(
      'optimizers.get: unknown optimizer "adan"; did you mean "adam"?',
    );
    expect(() => optimizers.get(1 as never)).toThrow(
      "expected an optimizer as a name or an Optimizer, got 1",
    );
    expect(() => optimizers.adam({ lr: 1 } as never)).toThrow('adam: unknown option "lr"');
    expect(() => optimizers.adam({ learningrate: 1 } as never)).toThrow('did you mean "learningRate"?');
    expect(() => optimizers.adam({ beta1: 1 })).toThrow(
      "adam: expected beta1 to be a number in [0, 1), got 1",
    );
    expect(() => optimizers.sgd({ momentum: 2 })).toThrow(
      "sgd: expected momentum to be a number in [0, 1], got 2",
    );
    expect(() => optimizers.sgd({ learningRate: -1 })).toThrow(
      "sgd: expected learningRate to be a number of at least 0, got -1",
    );
    expect(() => optimizers.rmsprop({ rho: "high" as never })).toThrow(
      'rmsprop: expected rho to be a number in [0, 1], got "high"',
    );
    expect(() => optimizers.adam({ clipnorm: 1, globalClipnorm: 2 })).toThrow(
      "adam: expected at most one of clipnorm, clipvalue and globalClipnorm, got clipnorm and globalClipnorm",
    );
    expect(() => optimizers.adam({ clipvalue: 0 })).toThrow(
      "adam: expected clipvalue to be a number above 0, got 0",
    );
    expect(() => optimizers.sgd({ useEma: true, emaMomentum: 1.5 })).toThrow(
      "sgd: expected emaMomentum to be a number in [0, 1], got 1.5",
    );
    expect(() => optimizers.sgd({ emaOverwriteFrequency: 0.5 })).toThrow(
      "sgd: expected emaOverwriteFrequency to be an integer from 1 to 2147483647, got 0.5",
    );
    expect(() => optimizers.ftrl({ learningRatePower: 1 })).toThrow(
      "ftrl: expected learningRatePower to be a number of at most 0, got 1",
    );
    expect(() => optimizers.lion({ beta1: 0 })).toThrow(
      "lion: expected beta1 to be a number in (0, 1], got 0",
    );
    expect(() => optimizers.lazyAdam({ useEma: true } as never)).toThrow('lazyAdam: unknown option "useEma"');
    const two = () =>
      build(
        () => {
          optimizers.sgd().apply([], [new Variable([])]);
          return [];
        },
        [],
        { engine },
      );
    expect(two).toThrow("sgd.apply: expected 1 gradients, got 0");
  });
});
