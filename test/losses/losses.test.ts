// Losses against recorded Keras results: per-sample values, reductions and gradients; names, options and misuse.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { build } from "../../src/compile.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as losses from "../../src/losses/index.ts";
import * as ops from "../../src/ops/index.ts";
import { availableEngines } from "../helpers/engines.ts";

/** Runs a function of Values on host tensors, on the engine whose turn it is. */
function evaluate(fn: (...args: Value[]) => Value, ...args: Tensor[]): Tensor {
  return build((...values) => [fn(...values)], args, { engine }).runSync(args)[0]!;
}

const engines = availableEngines();
let engine = engines[0]!;

/** A test on every engine. */
function onEngines(name: string, test: () => void): void {
  for (const one of engines) {
    it(`${name} (${one.name})`, () => {
      engine = one;
      try {
        test();
      } finally {
        engine = engines[0]!;
      }
    });
  }
}

interface Recorded {
  batches: Record<string, { true: number[][]; pred: number[][] }>;
  losses: {
    name: string;
    options: Record<string, unknown>;
    batch: string;
    values: number[];
    mean: number;
    sum: number;
    gradient: number[][];
  }[];
}

type Case = Recorded["losses"][number] & { pair: Recorded["batches"][string] };

const read = (file: string): Case[] => {
  const text = readFileSync(new URL(`../fixtures/${file}.json`, import.meta.url), "utf8");
  const { batches, losses } = JSON.parse(text) as Recorded;
  return losses.map((loss) => ({ ...loss, pair: batches[loss.batch]! }));
};

const recorded = [...read("losses"), ...read("special-losses")];

const NAMES: Record<string, losses.LossName> = { KLDivergence: "klDivergence", CTC: "ctc" };

const camel = (name: string) => name.replace(/_(.)/g, (_, c: string) => c.toUpperCase());

function ours(name: string, options: Record<string, unknown>, reduction: losses.Reduction): losses.Loss {
  const entries = Object.entries(options).map(([k, v]) => [camel(k), v]);
  const ourName = NAMES[name] ?? name[0]!.toLowerCase() + name.slice(1);
  return losses.get({ name: ourName, options: { ...Object.fromEntries(entries), reduction } });
}

/** Largest difference relative to the largest expected value. */
function difference(actual: ArrayLike<number>, expected: readonly number[]): number {
  const scale = Math.max(1e-6, ...expected.map(Math.abs));
  return Math.max(...Array.from(actual, (x, i) => Math.abs(x - expected[i]!))) / scale;
}

describe("losses against Keras", () => {
  for (const c of recorded) {
    const batch = c.pair;
    const yTrue = tensor(batch.true);
    const yPred = tensor(batch.pred);
    onEngines(`${c.name} ${JSON.stringify(c.options)} on ${c.batch}`, () => {
      const values = evaluate((t, p) => ours(c.name, c.options, "none").apply(t, p), yTrue, yPred);
      // 1 - p for p near 1 keeps few digits of a float32 sigmoid, whose last bit differs between libraries.
      const limit = c.name.startsWith("BinaryFocal") && c.options.from_logits ? 4e-6 : 2e-6;
      expect(difference(values.data, c.values)).toBeLessThan(limit);
      const mean = evaluate((t, p) => ours(c.name, c.options, "sumOverBatchSize").apply(t, p), yTrue, yPred);
      expect(difference(mean.data, [c.mean])).toBeLessThan(limit);
      const sum = evaluate((t, p) => ours(c.name, c.options, "sum").apply(t, p), yTrue, yPred);
      expect(difference(sum.data, [c.sum])).toBeLessThan(limit);
    });
  }
});

describe("gradients of losses against Keras", () => {
  for (const c of recorded) {
    const batch = c.pair;
    onEngines(`${c.name} ${JSON.stringify(c.options)} on ${c.batch}`, () => {
      const loss = ours(c.name, c.options, "sumOverBatchSize");
      const gradient = evaluate(
        (t, p) => backward([loss.apply(t, p)], [undefined], [p])[0]!,
        tensor(batch.true),
        tensor(batch.pred),
      );
      expect(difference(gradient.data, c.gradient.flat(3) as number[])).toBeLessThan(3e-6);
    });
  }
});

describe("crossentropies of predictions straight out of an activation", () => {
  const logits = tensor([
    [30, -40, 2],
    [-200, 0, 0],
  ]);
  const labels = tensor(Int32Array.from([1, 0]));

  it("use the logits of a softmax: exact where clipping would cut off", () => {
    const loss = losses.sparseCategoricalCrossentropy({ reduction: "none" });
    const viaSoftmax = evaluate((t, x) => loss.apply(t, ops.softmax(x)), labels, logits);
    const fromLogits = losses.sparseCategoricalCrossentropy({ reduction: "none", fromLogits: true });
    expect(viaSoftmax.data).toEqual(evaluate((t, x) => fromLogits.apply(t, x), labels, logits).data);
    expect(viaSoftmax.data[0]).toBeCloseTo(70, 4);
  });
  it("use the logits of a softmax for one-hot targets, too", () => {
    const oneHot = tensor([
      [0, 1, 0],
      [1, 0, 0],
    ]);
    const loss = losses.categoricalCrossentropy({ reduction: "none" });
    const values = evaluate((t, x) => loss.apply(t, ops.softmax(x)), oneHot, logits);
    expect(values.data[0]).toBeCloseTo(70, 4);
  });
  it("use the logits of a sigmoid", () => {
    const loss = losses.binaryCrossentropy();
    const value = evaluate((t, x) => loss.apply(t, ops.sigmoid(x)), tensor([[1]]), tensor([[-60]]));
    expect(value.item()).toBeCloseTo(60, 4);
  });
  it("have the right slope at a logit of exactly 0", () => {
    const loss = losses.binaryCrossentropy();
    const slope = (t: number) =>
      evaluate(
        (y, x) => backward([loss.apply(y, ops.sigmoid(x))], [undefined], [x])[0]!,
        tensor([[t]]),
        tensor([[0]]),
      ).item();
    expect(slope(1)).toBe(-0.5);
    expect(slope(0)).toBe(0.5);
  });
  it("take other predictions for probabilities", () => {
    const loss = losses.binaryCrossentropy();
    const value = evaluate((t, p) => loss.apply(t, p), tensor([[1]]), tensor([[0]]));
    expect(value.item()).toBeCloseTo(-Math.log(1e-7), 4);
  });
});

describe("losses", () => {
  it("add or drop a last axis of size 1, and never broadcast otherwise", () => {
    const mse = losses.meanSquaredError();
    expect(evaluate((t, p) => mse.apply(t, p), tensor([1, 2]), tensor([[1], [4]])).item()).toBe(2);
    expect(evaluate((t, p) => mse.apply(t, p), tensor([[1], [2]]), tensor([1, 4])).item()).toBe(2);
    const wrong = () => evaluate((t, p) => mse.apply(t, p), tensor([[1, 2]]), tensor([[1], [2]]));
    expect(wrong).toThrow(
      "loss meanSquaredError: expected targets shaped like the predictions [2, 1], got [1, 2]",
    );
  });
  it("tell one-hot targets from labels", () => {
    const loss = losses.sparseCategoricalCrossentropy();
    const wrong = () => evaluate((t, p) => loss.apply(t, p), tensor([[0, 1]]), tensor([[0.5, 0.5]]));
    expect(wrong).toThrow("one-hot targets go with categoricalCrossentropy");
  });
  it("are found by name, alias, config, function or as they are", () => {
    expect(losses.get("mse").getConfig()).toEqual({ name: "meanSquaredError", options: {} });
    expect(losses.get({ name: "huber", options: { delta: 2 } }).getConfig()?.options).toEqual({ delta: 2 });
    const own = losses.poisson();
    expect(losses.get(own)).toBe(own);
    const fn = losses.get(function distance(t: Value, p: Value) {
      return ops.abs(ops.subtract(p, t));
    });
    expect(fn.name).toBe("distance");
    expect(evaluate((t, p) => fn.apply(t, p), tensor([[1], [2]]), tensor([[2], [5]])).item()).toBe(2);
  });
  it("can be subclassed", () => {
    class Cubed extends losses.Loss {
      constructor() {
        super("cubed");
      }
      override call(t: Value, p: Value): Value {
        return ops.power(ops.abs(ops.subtract(t, p)), 3);
      }
    }
    expect(evaluate((t, p) => new Cubed().apply(t, p), tensor([[1], [2]]), tensor([[2], [4]])).item()).toBe(
      4.5,
    );
  });
  it("refuse unknown names, options and values", () => {
    expect(() => losses.get("meanSquareError" as never)).toThrow(
      'losses.get: unknown loss "meanSquareError"; did you mean "meanSquaredError"?',
    );
    expect(() => losses.get("toString" as never)).toThrow('unknown loss "toString"');
    expect(() => losses.get(7 as never)).toThrow(
      "losses.get: expected loss to be a name, a Loss or a function, got 7",
    );
    expect(() => losses.huber({ detla: 1 } as never)).toThrow(
      'huber: unknown option "detla"; did you mean "delta"?',
    );
    expect(() => losses.huber({ delta: 0 })).toThrow("huber: expected delta to be a number above 0, got 0");
    expect(() => losses.binaryCrossentropy({ labelSmoothing: 2 })).toThrow(
      "expected labelSmoothing to be a number in [0, 1], got 2",
    );
    expect(() => losses.hinge({ reduction: "avg" as never })).toThrow('hinge: unknown reduction "avg"');
    const notAValue = () =>
      evaluate((t, p) => losses.get((() => 3) as never).apply(t, p), tensor([1]), tensor([1]));
    expect(notAValue).toThrow("expected the function to return a Value made with ops, got 3");
  });
});

describe("losses with targets of their own kinds", () => {
  it("refuse wrong options", () => {
    const wrong: [() => unknown, RegExp][] = [
      [() => losses.binaryFocalCrossentropy({ gamma: -1 }), /gamma to be a number of at least 0/],
      [() => losses.binaryFocalCrossentropy({ balance: true } as never), /unknown option "balance"/],
      [() => losses.categoricalGeneralizedCrossEntropy({ q: 1 }), /q to be a number in \(0, 1\)/],
      [() => losses.dice({ axis: "all" as never }), /axis to be whole numbers/],
      [() => losses.tversky({ alpha: -1 }), /alpha to be a number of at least 0/],
      [() => losses.circle({ margin: 2 }), /margin to be a number in \[0, 1\]/],
      [() => losses.sparseCategoricalCrossentropy({ ignoreClass: 0.5 }), /ignoreClass to be an integer/],
      [() => losses.categoricalCrossentropy({ axis: "x" as never }), /axis to be an integer/],
    ];
    for (const [call, message] of wrong) expect(call).toThrow(message);
  });

  it("say which shapes they take", () => {
    const run = (loss: losses.Loss, t: Tensor, p: Tensor) => () => evaluate((a, b) => loss.apply(a, b), t, p);
    expect(run(losses.ctc(), tensor([[1]]), tensor([[1, 2]]))).toThrow(/logits \[batch, steps, classes\]/);
    expect(run(losses.circle(), tensor([1, 2]), tensor([[1, 2]]))).toThrow(/a label for each/);
  });

  it("ctc has no way to spell what is too long, and says so by a huge loss", () => {
    const loss = evaluate((t, p) => losses.ctc().apply(t, p), tensor([[1, 1, 1]]), tensor([[[0, 1], [0, 1]]])); // biome-ignore format: one line
    expect(loss.item()).toBeGreaterThan(1e29);
  });
});
