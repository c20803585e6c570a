// How a GPT writes: equal to predicting the whole text anew for each token, seeded, within and beyond its window.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import "../../src/training/index.ts";
import { applications, loadModel, modelFromJSON } from "../../src/models/index.ts";
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

const make = (options: Partial<Parameters<typeof applications.gpt>[0]> = {}) => {
  const m = applications.gpt({
    vocabularySize: 11,
    sequenceLength: 8,
    width: 16,
    heads: 2,
    blocks: 2,
    seed: 3,
    ...options,
  });
  // Far from uniform, so that the likeliest token is clear.
  for (const w of m.weights)
    if (w.shape.length > 1) w.write(tensor(w.read().data.map((v) => 4 * v) as Float32Array, w.shape));
  return m;
};

/** The likeliest next token, by the model as it trains: the last 8 tokens as a window. */
function next(m: ReturnType<typeof make>, text: readonly number[]): number {
  const window = [...text, ...new Array<number>(8).fill(0)].slice(0, 8);
  const y: Tensor = m.predictSync(tensor([window], undefined, "int32"));
  const row = Array.from(y.data.subarray((text.length - 1) * 11, text.length * 11));
  return row.indexOf(Math.max(...row));
}

describe.each(availableEngines().map((e) => [e.name, e] as const))("generate on %s", (_, engine) => {
  test("greedy: as predicting the whole text for every token, while it fits the window", async () => {
    for (const tieWeights of [true, false]) {
      const m = make({ tieWeights });
      m.compile({ loss: "sparseCategoricalCrossentropy", engine });
      const text = [1, 7];
      while (text.length < 9) text.push(next(m, text));
      const written = await m.generate([1, 7], { maxNewTokens: 7, temperature: 0 });
      expect(Array.from(written.data)).toEqual(text);
      expect(written.dtype).toBe("int32");
      // Weights that change are seen.
      for (const w of m.weights)
        if (w.shape.length > 1) w.write(tensor(w.read().data.map((v) => -v) as Float32Array, w.shape));
      expect((await m.generate([1, 7], { maxNewTokens: 1, temperature: 0 })).data[2]).toBe(next(m, [1, 7]));
    }
  });

  test("beyond the window: the last half of it is read anew", async () => {
    const m = make();
    m.compile({ loss: "sparseCategoricalCrossentropy", engine });
    const text = [5];
    let seen = [5];
    while (text.length < 30) {
      if (seen.length > 8) seen = seen.slice(-4);
      const token = next(m, seen);
      text.push(token);
      seen.push(token);
    }
    const written = await m.generate([5], { maxNewTokens: 29, temperature: 0 });
    expect(Array.from(written.data)).toEqual(text);
  });

  test("several texts at once, each as by itself", async () => {
    const m = make();
    m.compile({ loss: "sparseCategoricalCrossentropy", engine });
    const both = await m.generate([[1, 2], [9, 4]], { maxNewTokens: 12, temperature: 0 }); // biome-ignore format: one line
    expect(both.shape).toEqual([2, 14]);
    const second = await m.generate([9, 4], { maxNewTokens: 12, temperature: 0 });
    expect(Array.from(both.data.subarray(14))).toEqual(Array.from(second.data));
  });

  test("a seed gives the same text, at the same time as another one", async () => {
    const m = make();
    m.compile({ loss: "sparseCategoricalCrossentropy", engine });
    const options = { maxNewTokens: 20, seed: 5 };
    const [a, b, c] = await Promise.all([
      m.generate([1], options),
      m.generate([1], options),
      m.generate([1], { ...options, seed: 6 }),
    ]);
    expect(a!.data).toEqual(b!.data);
    expect(a!.data).not.toEqual(c!.data);
  });

  test("draws with the frequencies of temperature, topK and topP", async () => {
    const m = make();
    m.compile({ loss: "sparseCategoricalCrossentropy", engine });
    const window = tensor([[3, 0, 0, 0, 0, 0, 0, 0]], undefined, "int32");
    const likely = Array.from((m.predictSync(window) as Tensor).data.subarray(0, 11));
    const order = [...likely.keys()].sort((a, b) => likely[b]! - likely[a]!);
    const rows = 1500;
    const check = async (options: object, kept: readonly number[], temperature = 1) => {
      const prompt = tensor(new Int32Array(rows).fill(3), [rows, 1]);
      const { data } = await m.generate(prompt, { maxNewTokens: 1, seed: 1, ...options });
      const counts = new Array<number>(11).fill(0);
      for (let i = 1; i < data.length; i += 2) counts[data[i]!]!++;
      const weights = likely.map((p, i) => (kept.includes(i) ? p ** (1 / temperature) : 0));
      const sum = weights.reduce((a, b) => a + b, 0);
      counts.forEach((count, i) => {
        const p = weights[i]! / sum;
        // Four standard deviations of a count.
        expect(Math.abs(count - rows * p)).toBeLessThanOrEqual(4 * Math.sqrt(rows * p * (1 - p)) + 1e-3);
      });
    };
    await check({}, order);
    await check({ temperature: 2 }, order, 2);
    await check({ topK: 3 }, order.slice(0, 3));
    // The shortest head of the order that has more than this share.
    let share = 0;
    const nucleus = order.filter((i) => {
      const isIn = share < 0.7;
      share += likely[i]!;
      return isIn;
    });
    await check({ topP: 0.7 }, nucleus);
    await check({ topK: 1, topP: 0.5, temperature: 3 }, order.slice(0, 1));
  });

  test("pieces, a stop token, a signal", async () => {
    const m = make();
    m.compile({ loss: "sparseCategoricalCrossentropy", engine });
    const pieces: number[] = [];
    const greedy = { maxNewTokens: 40, temperature: 0 };
    const all = await m.generate([1, 2], { ...greedy, onTokens: (t) => pieces.push(...t.data) });
    expect(pieces).toEqual(Array.from(all.data.subarray(2)));
    const stopToken = all.data[6]!;
    const at = pieces.indexOf(stopToken);
    const stopped = await m.generate([1, 2], { ...greedy, stopToken });
    expect(Array.from(stopped.data)).toEqual([1, 2, ...pieces.slice(0, at + 1)]);
    await expect(m.generate([1], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect((await m.generate([1], { maxNewTokens: 0 })).data).toEqual(Int32Array.of(1));
  });
});

test("a saved one writes on; a file cannot ask for endless blocks", async () => {
  const m = make();
  const folder = await mkdtemp(join(tmpdir(), "myelin-gpt-"));
  try {
    await m.save(folder);
    const again = (await loadModel(folder)) as applications.Gpt;
    const options = { maxNewTokens: 12, seed: 4, topP: 0.8 };
    expect((await again.generate([3], options)).data).toEqual((await m.generate([3], options)).data);
  } finally {
    await rm(folder, { recursive: true });
  }
  const { className, config } = m.toJSON();
  expect(thrown(() => modelFromJSON({ className, config: { ...config, blocks: 1e9 } })).message).toBe(
    'gpt "gpt": expected blocks to be an integer from 1 to 1024, got 1000000000',
  );
});

test("wrong prompts and options say what was expected", async () => {
  const m = make();
  const cases: [Promise<unknown>, string][] = [
    [m.generate([]), "generate: expected a prompt of at least one token, [steps] or [batch, steps], got shape [0]"],
    [m.generate([1, 11]), "generate: expected tokens from 0 to 10, got 11"],
    [m.generate([1, -1]), "generate: expected tokens from 0 to 10, got -1"],
    [m.generate([1], { topK: 12 }), "generate: expected topK to be an integer from 1 to 11, got 12"],
    [m.generate([1], { topP: 0 }), "generate: expected topP to be a number in (0, 1], got 0"],
    [m.generate([1], { temperature: -1 }), "generate: expected temperature to be a number of at least 0, got -1"],
    [m.generate([1], { maxTokens: 3 } as never), 'generate: unknown option "maxTokens"'],
  ]; // biome-ignore format: one line each
  for (const [promise, message] of cases) {
    await expect(promise).rejects.toThrow(message);
  }
});
