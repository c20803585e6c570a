// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
// The same key and counter give the same bits here, on the reference engine and in the native kernel.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the product of two unsigned 32-bit integers. */
function mulhi(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  // Every partial sum stays below 2^33, so doubles hold it exactly.
  const mid = ah * bl + ((al * bl) >>> 16);
  const mid2 = al * bh + (mid % 65536);
  return (ah * bh + Math.floor(mid / 65536) + Math.floor(mid2 / 65536)) >>> 0;
}

/**
 * One Philox block: four 32-bit words written to `out[at..at+3]` as int32.
 * Counter words c0..c3 and key words k0, k1 are taken modulo 2^32.
 */
export function philox(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  out: Int32Array,
  at: number,
): void {
  for (let round = 0; round < 10; round++) {
    const hi0 = mulhi(M0, c0 >>> 0);
    const lo0 = Math.imul(M0, c0);
    const hi1 = mulhi(M1, c2 >>> 0);
    const lo1 = Math.imul(M1, c2);
    c0 = hi1 ^ c1 ^ k0;
    c1 = lo1;
    c2 = hi0 ^ c3 ^ k1;
    c3 = lo0;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/**
 * Element i of a random tensor is word i % 4 of the block with counter (i / 4 low, i / 4 high, stream, step) and key (seed low, seed high).
 * `stream` tells apart the random ops of one graph; `step` moves on with every training step.
 */
export function fillBits(
  out: Int32Array,
  seedLow: number,
  seedHigh: number,
  stream: number,
  step: number,
): void {
  const word = new Int32Array(4);
  for (let i = 0; i < out.length; i += 4) {
    const block = i / 4;
    philox(block | 0, Math.floor(block / 2 ** 32) | 0, stream, step, seedLow, seedHigh, word, 0);
    for (let j = 0; j < 4 && i + j < out.length; j++) out[i + j] = word[j]!;
  }
}

/** 24 random bits as a float32 in [0, 1): exact in float32 and float64 alike. */
export function bitsToUniform(bits: number): number {
  return (bits >>> 8) * 2 ** -24;
}

/** A host-side stream of uniforms for initialisers and shuffles: deterministic in (seed, stream). */
export class Random {
  private readonly word = new Int32Array(4);
  private next = 4;
  private block = 0;
  private readonly low: number;
  private readonly high: number;
  constructor(
    seed: number,
    private readonly stream = 0,
    private readonly step = 0,
  ) {
    [this.low, this.high] = splitSeed(seed);
  }

  bits(): number {
    if (this.next === 4) {
      philox(
        this.block | 0,
        Math.floor(this.block / 2 ** 32) | 0,
        this.stream,
        this.step,
        this.low,
        this.high,
        this.word,
        0,
      );
      this.block++;
      this.next = 0;
    }
    return this.word[this.next++]! >>> 0;
  }

  /** In [0, 1), 24 bits. */
  uniform(): number {
    return bitsToUniform(this.bits());
  }

  /** Whole number in [0, n), n up to 2^32. */
  integer(n: number): number {
    return Math.floor((this.bits() / 2 ** 32) * n);
  }

  /** Standard normal (Box-Muller; the first uniform is moved off zero). */
  normal(): number {
    const u = this.uniform() + 2 ** -25;
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Fisher-Yates, in place. */
  shuffle(values: Int32Array | number[]): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const t = values[i]!;
      values[i] = values[j]!;
      values[j] = t;
    }
  }
}

/** A seed is a whole number up to 2^53 - 1; its two 32-bit halves are the Philox key. */
export function splitSeed(seed: number): [low: number, high: number] {
  return [seed | 0, Math.floor(seed / 2 ** 32) | 0];
}

/** Keeps seeds derived from a seed apart from the numbers drawn with it. */
const DERIVE_STEP = 0x5eed;

/** The seed of part `index` (0 or more) of something that has a seed: well mixed, 53 bits. */
export function deriveSeed(seed: number, index: number): number {
  const random = new Random(seed, index, DERIVE_STEP);
  return random.bits() * 2 ** 21 + (random.bits() >>> 11);
}
