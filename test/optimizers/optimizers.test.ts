// Optimizers against ten recorded Keras steps of a small network; optimizers written with plain ops; names and misuse.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
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
}

const fixture = JSON.parse(readFileSync(new URL("../fixtures/optimizers.json", import.meta.url), "utf8")) as {
  x: number[][];
  y: number[][];
  weights: NestedArray[];
  runs: Run[];
};

const NAMES: Record<string, string> = { SGD: "sgd", Adam: "adam", AdamW: "adamW", RMSprop: "rmsprop" };
const OPTIONS: Record<string, string> = {
  learning_rate: "learningRate",
  weight_decay: "weightDecay",
  beta_1: "beta1",
  beta_2: "beta2",
};

/** Ten steps round differently; Adam's and RMSprop's first steps divide by the root of tiny squares. */
const TOLERANCE = 5e-6;

for (const engine of availableEngines()) {
  describe(`optimizers against Keras, ${engine.name} engine`, () => {
    for (const run of fixture.runs) {
      it(`${run.name} ${JSON.stringify(run.options)}`, async () => {
        const options = Object.fromEntries(Object.entries(run.options).map(([k, v]) => [OPTIONS[k] ?? k, v]));
        const model = sequential([
          layers.dense({ units: 5, activation: "tanh", inputShape: [3] }),
          layers.dense({ units: 2 }),
        ]);
        model.setWeights(fixture.weights.map((w) => tensor(w)));
        model.compile({ optimizer: { name: NAMES[run.name]!, options }, loss: "mse", engine });
        for (const expected of run.losses) {
          const { loss } = await model.trainOnBatch(fixture.x, fixture.y);
          expect(Math.abs(loss! - expected)).toBeLessThan(TOLERANCE * expected);
        }
        model.getWeights().forEach((w, i) => {
          const expected = tensor(run.weights[i]!);
          w.data.forEach((v, j) => {
            expect(Math.abs(v - expected.data[j]!)).toBeLessThan(TOLERANCE);
          });
        });
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
