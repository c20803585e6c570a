// Initializers: the distributions recorded from Keras 3.15, exact properties, seeds, names and errors.

import { describe, expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { tensor } from "../../src/core/tensor.ts";
import { computeFans } from "../../src/initializers/fans.ts";
import * as initializers from "../../src/initializers/index.ts";
import { resolveInitializer, serializeInitializer } from "../../src/initializers/resolve.ts";
import recorded from "../fixtures/initializers.json" with { type: "json" };
import { thrown } from "../helpers/thrown.ts";

const draw = (like: initializers.InitializerLike, shape: number[], seed = 5) =>
  resolveInitializer("test", "initializer", like).make(shape, "float32", new Random(seed));

const factories = initializers as unknown as Record<string, (options: object) => initializers.Initializer>;

describe("distributions", () => {
  test.each(recorded.cases.draws)("$factory $options $shape", (keras) => {
    const values = Float64Array.from(draw(factories[keras.factory]!(keras.options), keras.shape)).sort();
    const n = values.length;
    const mean = values.reduce((s, x) => s + x, 0) / n;
    const stddev = Math.sqrt(values.reduce((s, x) => s + (x - mean) ** 2, 0) / n);
    // Two samples of n draws: means differ by stddev * sqrt(2 / n) at one sigma, the rest is of that order; five sigmas.
    const slack = 5 * keras.stddev * Math.sqrt(2 / n);
    expect(Math.abs(mean - keras.mean)).toBeLessThan(slack);
    expect(Math.abs(stddev - keras.stddev)).toBeLessThan(slack);
    [0.1, 0.25, 0.5, 0.75, 0.9].forEach((q, i) => {
      // Quantiles scatter more where the density is lower: up to 1.8 times as much at 0.1 and 0.9.
      expect(Math.abs(values[Math.floor(q * n)]! - keras.quantiles[i]!)).toBeLessThan(2 * slack);
    });
    if (
      !/ormal$/.test(keras.factory) ||
      keras.factory === "truncatedNormal" ||
      /^(he|glorot|lecun)/.test(keras.factory)
    ) {
      // Cut distributions end at the same place.
      if (keras.options.distribution === undefined) {
        expect(Math.abs(values[0]! - keras.min)).toBeLessThan(0.01 * keras.stddev);
        expect(Math.abs(values.at(-1)! - keras.max)).toBeLessThan(0.01 * keras.stddev);
      }
    }
  });

  test.each(recorded.cases.fans)("fans of $shape", ({ shape, fans }) => {
    const { fanIn, fanOut } = computeFans(shape);
    expect([fanIn, fanOut]).toEqual(fans);
  });

  test.each(recorded.cases.stft)("stft $options $shape", ({ options, shape, values }) => {
    const drawn = draw(initializers.stft(options as initializers.StftOptions), shape);
    expect(drawn).toHaveLength(values.length);
    // Keras takes cosines of float32 angles.
    for (const [i, v] of values.entries()) expect(Math.abs(drawn[i]! - v)).toBeLessThan(2e-6);
  });

  test("constants and the identity", () => {
    expect([...draw("zeros", [3])]).toEqual([0, 0, 0]);
    expect([...draw("ones", [2])]).toEqual([1, 1]);
    expect([...draw(initializers.constant({ value: 2.5 }), [2])]).toEqual([2.5, 2.5]);
    expect([...draw(initializers.identity({ gain: 2 }), [2, 3])]).toEqual([2, 0, 0, 0, 2, 0]);
    expect(draw("zeros", [0, 4]).length).toBe(0);
  });

  test.each([[[6, 4]], [[4, 6]], [[3, 2, 4]], [[5, 5]]])("orthogonal %j has orthonormal vectors", (shape) => {
    const q = draw(initializers.orthogonal({ gain: 3 }), shape);
    const columns = shape.at(-1)!;
    const rows = q.length / columns;
    const tall = rows >= columns;
    const count = Math.min(rows, columns);
    const at = (i: number, k: number) => (tall ? q[k * columns + i]! : q[i * columns + k]!);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) {
        let dot = 0;
        for (let k = 0; k < Math.max(rows, columns); k++) dot += at(i, k) * at(j, k);
        expect(dot).toBeCloseTo(i === j ? 9 : 0, 5);
      }
    }
  });
});

describe("seeds", () => {
  test("an initializer with a seed draws the same every time, one without follows its stream", () => {
    const seeded = initializers.heNormal({ seed: 3 });
    expect(draw(seeded, [4], 1)).toEqual(draw(seeded, [4], 2));
    expect(draw("heNormal", [4], 1)).toEqual(draw("heNormal", [4], 1));
    expect(draw("heNormal", [4], 1)).not.toEqual(draw("heNormal", [4], 2));
  });
});

describe("names, objects, functions", () => {
  test("every factory can be named and comes back from its configuration", () => {
    for (const name of Object.keys(factories)) {
      const made = resolveInitializer("test", "initializer", name);
      const config = JSON.parse(JSON.stringify(serializeInitializer(made)));
      const again = resolveInitializer("test", "initializer", config);
      expect(again.className).toBe(made.className);
      expect(again.getConfig()).toEqual(made.getConfig());
    }
    const options = { scale: 2, mode: "fanAvg", distribution: "uniform", seed: 4 } as const;
    const config = serializeInitializer(initializers.varianceScaling(options));
    expect(config).toEqual({ className: "VarianceScaling", config: options });
    // Keras loses this one.
    expect(serializeInitializer(initializers.identity({ gain: 3 })).config).toEqual({ gain: 3 });
  });

  test("a function makes the value; its type is checked", () => {
    expect([...draw((shape) => tensor(new Float32Array(shape[0]!).fill(7)), [3])]).toEqual([7, 7, 7]);
    const wrong = thrown(() => draw(() => tensor([1, 2]), [3]));
    expect(wrong).toMatchObject({ code: "SHAPE_MISMATCH" });
    expect(wrong.message).toBe(
      "test: expected the initializer function to return a float32 Tensor of shape [3], got float32[2]",
    );
  });

  test("a function cannot be saved, but its place is kept until weights are set", () => {
    const config = serializeInitializer(resolveInitializer("test", "initializer", () => tensor([1])));
    expect(thrown(() => draw(config as never, [1])).message).toContain("give its value with setWeights");
  });
});

describe("errors", () => {
  test.each([
    [
      () => draw("glorotUnifrom", [2]),
      'test: unknown initializer "glorotUnifrom"; did you mean "glorotUniform"?',
    ],
    [
      () => draw(3 as never, [2]),
      "test: expected initializer to be a name, an initializer or a function, got 3",
    ],
    [
      () => initializers.randomNormal({ stdev: 1 } as never),
      'randomNormal: unknown option "stdev"; did you mean "stddev"?',
    ],
    [
      () => initializers.randomNormal({ stddev: -1 }),
      "randomNormal: expected stddev to be a number of at least 0, got -1",
    ],
    [
      () => initializers.randomUniform({ minval: 1, maxval: 0 }),
      "randomUniform: expected maxval to be a number of at least minval (1), got 0",
    ],
    [
      () => initializers.varianceScaling({ scale: 0 }),
      "varianceScaling: expected scale to be a number above 0, got 0",
    ],
    [
      () => initializers.varianceScaling({ mode: "fanin" as never }),
      'varianceScaling: unknown mode "fanin"; did you mean "fanIn"?',
    ],
    [() => initializers.stft({ side: "left" as never }), 'stft: unknown side "left"; known: real, imag'],
    [() => initializers.stft({ periodic: 1 as never }), "stft: expected periodic to be true or false, got 1"],
    [
      () => initializers.heNormal({ seed: 1.5 }),
      "HeNormal: expected seed to be an integer of at least 0, got 1.5",
    ],
    [
      () => draw({ className: "glorotUniform", config: {} } as never, [2]),
      'test: unknown initializer "glorotUniform"; did you mean "GlorotUniform"?',
    ],
  ])("%#", (fn, message) => {
    const error = thrown(fn);
    expect(error).toMatchObject({ code: "INVALID_OPTION" });
    expect(error.message).toBe(message);
  });

  test("shapes that make no sense", () => {
    expect(thrown(() => draw("orthogonal", [3])).message).toBe(
      'orthogonal initializer: expected a shape of rank 2 or more, got "[3]"',
    );
    expect(thrown(() => draw("identity", [2, 2, 2]))).toMatchObject({ code: "SHAPE_MISMATCH" });
    expect(thrown(() => draw("stft", [4, 2, 3])).message).toContain("[frame, 1, at least 2 frequencies]");
  });
});
