// Philox against the published vectors, and the order in which tensors take its words.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bitsToUniform, fillBits, philox, Random, splitSeed } from "../../src/core/random.ts";

// From the kat_vectors file of the Random123 distribution, philox4x32 with 10 rounds.
const VECTORS = [
  { counter: [0, 0, 0, 0], key: [0, 0], words: ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    words: ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
  },
];

const hex = (words: Iterable<number>) => [...words].map((w) => (w >>> 0).toString(16).padStart(8, "0"));

describe("philox", () => {
  test.each(VECTORS)("counter $counter, key $key", ({ counter, key, words }) => {
    const out = new Int32Array(6);
    philox(counter[0]!, counter[1]!, counter[2]!, counter[3]!, key[0]!, key[1]!, out, 1);
    expect(hex(out.subarray(1, 5))).toEqual(words);
    expect([out[0], out[5]]).toEqual([0, 0]);
    // Negative int32 forms of the same words are the same words.
    const [c0, c1, c2, c3] = counter.map((w) => w | 0);
    philox(c0!, c1!, c2!, c3!, key[0]! | 0, key[1]! | 0, out, 1);
    expect(hex(out.subarray(1, 5))).toEqual(words);
  });
});

describe("fillBits", () => {
  test("element i is word i % 4 of block i / 4 with counter (block, 0, stream, step)", () => {
    for (const length of [0, 1, 3, 4, 5, 17]) {
      const out = new Int32Array(length);
      fillBits(out, 7, -9, 3, 11);
      const word = new Int32Array(4);
      for (let i = 0; i < length; i++) {
        philox(Math.floor(i / 4), 0, 3, 11, 7, -9, word, 0);
        expect(out[i]).toBe(word[i % 4]);
      }
    }
  });

  test("key, stream and step each give other bits", () => {
    const draw = (...args: [number, number, number, number]) => {
      const out = new Int32Array(4);
      fillBits(out, ...args);
      return hex(out).join();
    };
    const all = [draw(0, 0, 0, 0), draw(1, 0, 0, 0), draw(0, 1, 0, 0), draw(0, 0, 1, 0), draw(0, 0, 0, 1)];
    expect(new Set(all).size).toBe(all.length);
  });
});

test("bitsToUniform stays in [0, 1) and is exact in float32", () => {
  expect(bitsToUniform(0)).toBe(0);
  expect(bitsToUniform(-1)).toBe(1 - 2 ** -24);
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (bits) => {
      const u = bitsToUniform(bits);
      expect(u).toBeGreaterThanOrEqual(0);
      expect(u).toBeLessThan(1);
      expect(Math.fround(u)).toBe(u);
    }),
  );
});

describe("Random", () => {
  test("draws the words of fillBits in order", () => {
    const seed = 2 ** 40 + 12345;
    const words = new Int32Array(11);
    fillBits(words, ...splitSeed(seed), 5, 6);
    const random = new Random(seed, 5, 6);
    expect(hex(Array.from(words, () => random.bits()))).toEqual(hex(words));
  });

  test("integers reach every value below n and no other", () => {
    const random = new Random(1);
    const seen = new Set(Array.from({ length: 2000 }, () => random.integer(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("normal has mean 0 and deviation 1", () => {
    const random = new Random(3);
    const draws = Array.from({ length: 20000 }, () => random.normal());
    const mean = draws.reduce((a, b) => a + b, 0) / draws.length;
    const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
    // Five standard errors: 1 / sqrt(n) of the mean, sqrt(2 / n) of the variance.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(20000));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / 20000));
  });

  test("shuffle keeps the elements and depends on the seed", () => {
    const order = (seed: number) => {
      const values = Int32Array.from({ length: 50 }, (_, i) => i);
      new Random(seed).shuffle(values);
      return Array.from(values);
    };
    expect(order(1)).toEqual(order(1));
    expect(order(1)).not.toEqual(order(2));
    expect([...order(1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});

test("splitSeed keeps all 53 bits", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (seed) => {
      const [low, high] = splitSeed(seed);
      expect((high >>> 0) * 2 ** 32 + (low >>> 0)).toBe(seed);
    }),
  );
});
