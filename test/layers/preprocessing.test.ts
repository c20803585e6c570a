// Preprocessing layers: numbers and sound against Keras, in Programs on both engines and on the host; tokens and texts by
// what Keras's documentation says of them; configurations; what is refused.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type NestedArray, type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Dataset, type Layer, layers, type Model, modelFromJSON, sequential } from "../../src/index.ts";
import { fingerprintOf } from "../../src/layers/preprocessing/farm-hash.ts";
import { sipHash64 } from "../../src/layers/preprocessing/sip-hash.ts";
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

interface Case {
  options: Record<string, unknown>;
  result: NestedArray;
  mean?: number[];
  ids?: NestedArray;
  values?: NestedArray;
}
const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/preprocessing.json", import.meta.url), "utf8"),
) as { x: number[][]; signal: number[] } & Record<
  "normalization" | "mel" | "stft" | "encoding" | "bins",
  Case[]
>;
const x = tensor(fixture.x);
const names = (cases: Case[]) => cases.map((c) => [JSON.stringify(c.options), c] as const);

function close(ours: Tensor, theirs: NestedArray, digits = 4): void {
  const flat = (v: NestedArray): number[] => (Array.isArray(v) ? v.flatMap(flat) : [Number(v)]);
  const wanted = flat(theirs);
  expect(ours.size).toBe(wanted.length);
  wanted.forEach((v, i) => {
    expect(ours.data[i]! / Math.max(1, Math.abs(v)), `element ${i}`).toBeCloseTo(
      v / Math.max(1, Math.abs(v)),
      digits,
    );
  });
}

async function predicted(
  layer: Layer,
  data: Tensor,
  engine: Engine,
  dtype: "float32" | "int32" = "float32",
): Promise<Tensor> {
  const m = sequential([layers.inputLayer({ shape: data.shape.slice(1), dtype }), layer]);
  m.compile({ engine, loss: "mse" });
  return m.predict(data);
}

describe.each(availableEngines().map((e) => [e.name, e] as const))(
  "as Keras on the %s engine",
  (_, engine) => {
    it.each(names(fixture.normalization))("normalization %s", async (_, { options, result, mean }) => {
      const layer = layers.normalization(options);
      if (mean) {
        layer.adapt(x);
        mean.forEach((m, i) => {
          expect(layer.mean!.read().data[i]).toBeCloseTo(m, 3);
        });
      }
      close(layer.encode(x), result, 3);
      close(await predicted(layer, x, engine), result, 3);
    });
    it.each(names(fixture.encoding))("categoryEncoding %s", async (_, { options, ids, result }) => {
      const layer = layers.categoryEncoding(options as never);
      const data = tensor(ids!, undefined, "int32");
      close(layer.encode(data), result);
      close(await predicted(layer, data.rank === 1 ? data.reshape([-1, 1]) : data, engine, "int32"), result);
    });
    it.each(names(fixture.bins))("discretization %s", async (_, { options, values, result }) => {
      const layer = layers.discretization(options);
      close(layer.encode(values!), result);
      close(await predicted(layer, tensor(values!), engine), result);
    });
    it.each(names(fixture.mel))("melSpectrogram %s", async (_, { options, result }) => {
      const signal = tensor([fixture.signal]);
      close(await predicted(layers.melSpectrogram(options), signal, engine), result, 3);
    });
    it.each(names(fixture.stft))("stftSpectrogram %s", async (_, { options, result }) => {
      const { signal } = fixture;
      const two = tensor([signal.slice(0, 120).map((v, i) => [v, signal[100 + i]!])]);
      const ours = await predicted(layers.stftSpectrogram(options), two, engine);
      if (options.mode !== "angle") return close(ours, result, 3);
      // pi and -pi are one angle, and rounding decides between them where the imaginary part is zero.
      const cosines = (v: NestedArray): NestedArray =>
        Array.isArray(v) ? v.map(cosines) : Math.cos(Number(v));
      const sines = (v: NestedArray): NestedArray => (Array.isArray(v) ? v.map(sines) : Math.sin(Number(v)));
      for (const of of [cosines, sines]) close(tensor(of(ours.toArray())), of(result), 3);
    });
    it("integerLookup in a Program as on the host", async () => {
      const data = tensor([[7, 9], [100, 7]], undefined, "int32"); // biome-ignore format: rows
      for (const outputMode of ["int", "multiHot", "count", "tfIdf"] as const) {
        const layer = layers.integerLookup({ outputMode, numOovIndices: 2, maskToken: 0 });
        layer.adapt([[7, 7, 9], [8, 9, 7]]); // biome-ignore format: rows
        const host = layer.encode(data);
        close(await predicted(layer, data, engine, "int32"), host.toArray());
      }
    });
  },
);

describe("adapting", () => {
  it("to batches gives what all rows at once give, also from a Dataset", async () => {
    const [a, b] = [layers.normalization(), layers.normalization()];
    a.adapt(x);
    await b.adapt(Dataset.fromTensorSlices(x).batch(2) as never);
    expect(b.mean!.read().data).toEqual(a.mean!.read().data);
    close(tensor(b.variance!.read().data), a.variance!.read().toArray(), 3);
    const words = layers.stringLookup();
    await words.adapt(Dataset.from([["a", "b"], ["b"]]) as never);
    expect(words.getVocabulary()).toEqual(["[UNK]", "b", "a"]);
  });

  it("makes bins with as many numbers each", () => {
    const layer = layers.discretization({ numBins: 4 });
    layer.adapt(Float32Array.from({ length: 101 }, (_, i) => i));
    expect(layer.binBoundaries).toEqual([25, 50, 75]);
    expect(layer.encode([0, 25, 99]).toArray()).toEqual([0, 1, 3]);
  });

  it("keeps digits of numbers far from zero", () => {
    const layer = layers.normalization({ axis: null });
    layer.adapt(Float64Array.from({ length: 1000 }, (_, i) => 1e6 + (i % 2)) as never);
    expect(layer.variance!.read().item()).toBeCloseTo(0.25, 3);
  });
});

describe("strings", () => {
  it("are numbered by frequency, equals from the end of the alphabet", () => {
    const layer = layers.stringLookup();
    layer.adapt(["c", "d", "a", "c", "b"]);
    expect(layer.getVocabulary()).toEqual(["[UNK]", "c", "d", "b", "a"]);
    expect(layer.encode(["a", "c", "z"]).toArray()).toEqual([4, 1, 0]);
    expect(layer.encode([["a", "z"], ["c", "c"]]).toArray()).toEqual([[4, 0], [1, 1]]); // biome-ignore format: rows
    expect(layer.decode([4, 0, 77])).toEqual(["a", "[UNK]", "[UNK]"]);
    expect(layer.vocabularySize).toBe(5);
  });

  it("come as rows of what there is", () => {
    const vocabulary = ["a", "b", "c"];
    const rows = [["a", "c", "c"], ["z"]];
    const encode = (o: object) =>
      layers
        .stringLookup({ vocabulary, ...o })
        .encode(rows)
        .toArray();
    expect(encode({ outputMode: "multiHot" })).toEqual([[0, 1, 0, 1], [1, 0, 0, 0]]); // biome-ignore format: rows
    expect(encode({ outputMode: "count", maxTokens: 6, padToMaxTokens: true })).toEqual([[0, 1, 0, 2, 0, 0], [1, 0, 0, 0, 0, 0]]); // biome-ignore format: rows
    expect(encode({ outputMode: "tfIdf", idfWeights: [0.5, 1, 1.5] })).toEqual([[0, 0.5, 0, 3], [1, 0, 0, 0]]); // biome-ignore format: rows
    expect(layers.stringLookup({ vocabulary, maskToken: "" }).encode(["", "a", "q"]).toArray()).toEqual([
      0, 2, 1,
    ]);
    expect(layers.stringLookup({ vocabulary, outputMode: "oneHot", numOovIndices: 0 }).encode(["b"]).toArray()).toEqual([[0, 1, 0]]); // biome-ignore format: one line
  });

  it("fall into bins by a hash, evenly", () => {
    const layer = layers.hashing({ numBins: 10 });
    const words = Array.from({ length: 5000 }, (_, i) => `word${i}`);
    const counts = new Array(10).fill(0);
    for (const bin of layer.encode(words).data) counts[bin]++;
    for (const n of counts) expect(Math.abs(n - 500)).toBeLessThan(100);
    expect(layers.hashing({ numBins: 3, maskValue: "" }).encode(["", ""]).toArray()).toEqual([0, 0]);
  });

  // What Keras's documentation and own tests say, which run on TensorFlow.
  it("fall into the bins of Keras", () => {
    const bins = (data: (string | number)[], options: Omit<layers.HashingOptions, "numBins">, numBins = 3) =>
      layers
        .hashing({ numBins, ...options })
        .encode(data)
        .toArray();
    const letters = ["A", "B", "C", "D", "E"];
    expect(bins(letters, {})).toEqual([1, 0, 1, 1, 2]);
    expect(bins(["A", "B", "", "C", "D"], { maskValue: "" })).toEqual([1, 1, 0, 2, 2]);
    expect(bins(letters, { salt: [133, 137] })).toEqual([1, 2, 1, 0, 2]);
    expect(bins(letters, { salt: 133 })).toEqual([0, 0, 2, 1, 0]);
    const names = ["omar", "stringer", "marlo", "wire", "skywalker"];
    expect(bins(names, {}, 2)).toEqual([0, 0, 1, 0, 0]);
    expect(bins(names, { salt: [211, 137] }, 2)).toEqual([1, 0, 1, 0, 1]);
    expect(bins([0, 1, 2, 3, 4], {})).toEqual([1, 0, 1, 0, 2]);
    expect(bins([0, 1, 2, 3, 4], { salt: [133, 137] })).toEqual([1, 1, 2, 0, 1]);
    const cross = layers.hashedCrossing({ numBins: 5 });
    expect(cross.encode([["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]]).toArray()).toEqual([1, 4, 1, 1, 3]); // biome-ignore format: one line
    const lookup = layers.stringLookup({ vocabulary: ["a", "b", "c", "d"], numOovIndices: 2 });
    expect(lookup.encode([["a", "c", "d"], ["m", "z", "b"]]).toArray()).toEqual([[2, 4, 5], [0, 1, 3]]); // biome-ignore format: one line
  });

  it("have FarmHash's and SipHash's published values at every length", () => {
    for (const [text, value] of [
      ["", 0x9ae16a3b2f90404fn],
      ["a", 0xb3454265b6df75e3n],
      ["abcde", 0xc22f4663e54e04d4n],
      ["abcdefgh", 0xfee9d22990c82909n],
      ["bF&d$MYIhB.Ac=qC", 17582099205024456557n],
      ["dXB@tDQ-v5<H]rq2Pcc*s>nC-[Mdy", 8365906589669344754n],
      ["F7479877-4690-4A44-AFC9-8FE987EA512F:some_other_id", 6862335115798125349n],
      ["Even if I could be Shakespeare, I think I should still choose to be Faraday. - A. Huxley", 0x5a05644eb66e435en], // biome-ignore format: one line
      ["The fugacity of a constituent in a mixture of gases at a given temperature is proportional to its mole fraction.  Lewis-Randall Rule", 0x98eff6958c5e91an], // biome-ignore format: one line
    ] as const)
      expect(fingerprintOf(text), text).toBe(value); // biome-ignore format: one line
    const bytes = Uint8Array.from({ length: 15 }, (_, i) => i);
    expect(sipHash64(bytes, [0x0706050403020100n, 0x0f0e0d0c0b0a0908n])).toBe(0xa129ca6149be45e5n);
  });
});

describe("texts", () => {
  it("become rows of words", () => {
    const layer = layers.textVectorization({ outputSequenceLength: 4 });
    layer.adapt(["Foo, qux!", "bar baz", "foo"]);
    expect(layer.getVocabulary()).toEqual(["", "[UNK]", "foo", "qux", "baz", "bar"]);
    expect(layer.encode(["foo QUX bar foo baz", "what?"]).toArray()).toEqual([[2, 3, 5, 2], [1, 0, 0, 0]]); // biome-ignore format: rows
  });

  it("become counts of letters, words and runs of them", () => {
    const pairs = layers.textVectorization({ ngrams: 2, outputMode: "count", vocabulary: ["a", "a b", "b"] });
    expect(pairs.encode(["a b a"]).toArray()).toEqual([[1, 2, 1, 1]]);
    const letters = layers.textVectorization({ split: "character", ngrams: [2], outputMode: "multiHot", standardize: null, vocabulary: ["ab", "Bc"] }); // biome-ignore format: one line
    expect(letters.tokens("aBc")).toEqual(["aB", "Bc"]);
    expect(letters.encode(["aBc", "abc"]).toArray()).toEqual([[1, 0, 1], [1, 1, 0]]); // biome-ignore format: rows
    const own = layers.textVectorization({ standardize: (t) => t.replaceAll("-", " "), split: (t) => t.split(" "), vocabulary: ["x"] }); // biome-ignore format: one line
    expect(own.encode(["x-y"]).toArray()).toEqual([[2, 1]]);
    const telling = layers.textVectorization({ outputMode: "tfIdf" });
    telling.adapt(["a b", "a c", "a a"]);
    const row = telling.encode(["a b"]).data;
    expect(row[1]).toBeCloseTo(Math.log(1 + 3 / 4), 5);
    expect(row[telling.getVocabulary().indexOf("b")]).toBeCloseTo(Math.log(1 + 3 / 2), 5);
  });
});

it("all make themselves again, with what they know", () => {
  const adapted = <L extends { adapt(data: never): unknown }>(layer: L, data: unknown): L => {
    layer.adapt(data as never);
    return layer;
  };
  const all: Layer[] = [
    layers.normalization({ mean: [1, 2], variance: [3, 4], invert: true }),
    adapted(layers.discretization({ numBins: 3, outputMode: "oneHot" }), [1, 2, 3, 4]),
    layers.categoryEncoding({ numTokens: 4, outputMode: "count" }),
    adapted(layers.stringLookup({ outputMode: "tfIdf" }), [["a"], ["b"]]),
    adapted(layers.integerLookup({ maskToken: 0, numOovIndices: 2 }), [3, 4, 4]),
    layers.hashing({ numBins: 4, salt: 2, maskValue: "x" }),
    layers.hashedCrossing({ numBins: 4, outputMode: "oneHot" }),
    adapted(layers.textVectorization({ maxTokens: 5, ngrams: 2 }), ["a b", "b"]),
    layers.melSpectrogram({ fftLength: 64, window: "hamming" }),
    layers.stftSpectrogram({ mode: "psd", padding: "same" }),
  ];
  for (const layer of all) {
    const config = JSON.parse(JSON.stringify(layer.getConfig())) as object;
    const again = new (layer.constructor as new (o: object) => Layer)(config);
    expect(again.getConfig()).toEqual(layer.getConfig());
  }
  const m = sequential([layers.integerLookup({ vocabulary: [5, 6], inputShape: [1] }), layers.embedding({ inputDim: 3, outputDim: 2 })]); // biome-ignore format: one line
  const json = JSON.parse(JSON.stringify(m.toJSON())) as ReturnType<Model["toJSON"]>;
  expect(modelFromJSON(json).toJSON()).toEqual(json);
});

it("refuse what does not make sense", () => {
  const l = layers;
  const wrong: [() => unknown, RegExp][] = [
    [() => l.normalization({ mean: [1] }), /mean and variance together/],
    [() => l.normalization({ axis: 0 }), /other than 0, the batch/],
    [() => l.normalization().encode([[1]]), /encode needs weights/],
    [() => l.discretization({}), /either numBins or binBoundaries/],
    [() => l.discretization({ binBoundaries: [2, 1] }), /increasing numbers/],
    [() => l.discretization({ numBins: 0 }), /numBins to be an integer of at least 1/],
    [() => l.discretization({ numBins: 3 }).encode([1]), /call adapt\(data\) first/],
    [() => l.categoryEncoding({ numTokens: 2 }).encode([[3]]), /indices from 0 to 1, got 3 in row 0/],
    [() => l.stringLookup().encode(["a"]), /expected a vocabulary; call adapt/],
    [() => l.stringLookup({ vocabulary: [] }), /vocabulary to be a list of tokens/],
    [() => l.stringLookup({ vocabulary: ["a", "a"] }), /distinct tokens, got "a" twice/],
    [() => l.stringLookup({ vocabulary: ["a"], maxTokens: 1 }), /maxTokens above the 1 special/],
    [
      () => l.stringLookup({ vocabulary: ["a"], numOovIndices: 0 }).encode(["b"]),
      /tokens of the vocabulary where numOovIndices is 0, got "b"/,
    ],
    [() => l.stringLookup({ invert: true, outputMode: "count" }), /outputMode "int" with invert/],
    [() => l.stringLookup({ vocabulary: ["a"] }).encode([3 as never]), /expected strings, got 3 in row 0/],
    [
      () => l.stringLookup({ vocabulary: ["a"] }).encode([["a"], ["a", "a"]]),
      /rows of 1 for outputMode "int", got 2 in row 1/,
    ],
    [() => l.stringLookup({ outputMode: "tfIdf", vocabulary: ["a"] }).encode(["a"]), /expected idfWeights/],
    [() => l.stringLookup({ outputMode: "some" as never }), /unknown outputMode/],
    [() => l.hashing({ numBins: 2, salt: [1] as never }), /salt to be one or two whole numbers, got/],
    [() => l.hashedCrossing({ numBins: 3 }).encode([["a"], [0.5]]), /strings or whole numbers, got 0.5/],
    [() => l.hashing({ numBins: 0 }), /numBins to be an integer of at least 1/],
    [() => l.hashedCrossing({ numBins: 2 }).encode([["a"]]), /two or more lists of equal length/],
    [() => l.textVectorization({ split: "words" as never }), /unknown split/],
    [() => l.textVectorization({ vocabulary: ["a"] }).encode("a" as never), /expected a list of texts/],
    [() => l.textVectorization({ standardize: (t) => t, vocabulary: ["a"] }).getConfig(), /got a function/],
    [() => l.melSpectrogram({ maxFreq: 9000, samplingRate: 16000 }), /maxFreq to be a number up to 8000/],
    [() => l.melSpectrogram({ sequenceLength: 4000 }), /sequenceLength to be an integer from 1 to 2048/],
    [() => l.stftSpectrogram({ frameStep: 300 }), /frameStep to be an integer from 1 to 256/],
    [() => l.stftSpectrogram({ mode: "phase" as never }), /unknown mode/],
  ];
  for (const [call, message] of wrong) expect(thrown(call).message).toMatch(message);
});
