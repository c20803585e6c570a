// FarmHash's 64-bit fingerprint, which TensorFlow and BigQuery bin strings by (Pike and Alakuijala, github.com/google/farmhash,
// the function `farmhashna::Hash64`); and how TensorFlow makes one fingerprint of two.

const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;
const MASK = 0xffff_ffff_ffff_ffffn;

const wrap = (x: bigint): bigint => x & MASK;
const rotate = (x: bigint, by: bigint): bigint => (x >> by) | wrap(x << (64n - by));
const shiftMix = (x: bigint): bigint => x ^ (x >> 47n);

function mix(u: bigint, v: bigint, mul: bigint): bigint {
  const a = shiftMix(wrap((u ^ v) * mul));
  const b = shiftMix(wrap((v ^ a) * mul));
  return wrap(b * mul);
}

type Pair = [bigint, bigint];

/** 32 bytes into two numbers. */
function weak(at: (i: number) => bigint, from: number, seedA: bigint, seedB: bigint): Pair {
  const z = at(from + 24);
  const a = wrap(seedA + at(from));
  const sum = wrap(a + at(from + 8) + at(from + 16));
  const b = wrap(rotate(wrap(seedB + a + z), 21n) + rotate(sum, 44n));
  return [wrap(sum + z), wrap(b + a)];
}

const encoder = new TextEncoder();

/** Of a text's UTF-8 bytes. */
export const fingerprintOf = (text: string): bigint => fingerprint64(encoder.encode(text));

/** A whole number in [0, 2^64). */
export function fingerprint64(bytes: Uint8Array): bigint {
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const at = (i: number) => view.getBigUint64(i, true);
  if (length <= 16) return upTo16(bytes, view, at);
  const mul = K2 + BigInt(length * 2);
  if (length <= 64) {
    const [first, last] = [length <= 32 ? K1 : K2, length];
    const a = wrap(at(0) * first);
    const b = at(8);
    const c = wrap(at(last - 8) * mul);
    const d = wrap(at(last - 16) * K2);
    const y = wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d);
    const z = mix(y, wrap(a + rotate(wrap(b + K2), 18n) + c), mul);
    if (length <= 32) return z;
    const e = wrap(at(16) * mul);
    const f = at(24);
    const g = wrap((y + at(last - 32)) * mul);
    const h = wrap((z + at(last - 24)) * mul);
    return mix(wrap(rotate(wrap(e + f), 43n) + rotate(g, 30n) + h), wrap(e + rotate(wrap(f + a), 18n) + g), mul); // biome-ignore format: one line
  }
  return longer(length, at);
}

function upTo16(bytes: Uint8Array, view: DataView, at: (i: number) => bigint): bigint {
  const { length } = bytes;
  const mul = K2 + BigInt(length * 2);
  if (length >= 8) {
    const a = wrap(at(0) + K2);
    const b = at(length - 8);
    return mix(wrap(rotate(b, 37n) * mul + a), wrap((rotate(a, 25n) + b) * mul), mul);
  }
  if (length >= 4) {
    const half = (i: number) => BigInt(view.getUint32(i, true));
    return mix(BigInt(length) + (half(0) << 3n), half(length - 4), mul);
  }
  if (length === 0) return K2;
  const y = BigInt(bytes[0]! + bytes[length >> 1]! * 256);
  const z = BigInt(length + bytes[length - 1]! * 4);
  return wrap(shiftMix(wrap(y * K2) ^ wrap(z * K0)) * K2);
}

function longer(length: number, at: (i: number) => bigint): bigint {
  const seed = 81n;
  let y = wrap(seed * K1 + 113n);
  let z = wrap(shiftMix(wrap(y * K2 + 113n)) * K2);
  let x = wrap(seed * K2 + at(0));
  let v: Pair = [0n, 0n];
  let w: Pair = [0n, 0n];
  const rest = (length - 1) & 63;
  const step = (s: number, mul: bigint, own: bigint) => {
    x = wrap(rotate(wrap(x + y + v[0] + at(s + 8)), 37n) * mul);
    y = wrap(rotate(wrap(y + v[1] + at(s + 48)), 42n) * mul);
    x ^= wrap(w[1] * own);
    y = wrap(y + v[0] * own + at(s + 40));
    z = wrap(rotate(wrap(z + w[0]), 33n) * mul);
    v = weak(at, s, wrap(v[1] * mul), wrap(x + w[0]));
    w = weak(at, s + 32, wrap(z + w[1]), wrap(y + at(s + 16)));
    [z, x] = [x, z];
  };
  const end = length - 1 - rest;
  for (let s = 0; s < end; s += 64) step(s, K1, 1n);
  const mul = K1 + ((z & 0xffn) << 1n);
  w[0] = wrap(w[0] + BigInt(rest));
  v[0] = wrap(v[0] + w[0]);
  w[0] = wrap(w[0] + v[0]);
  step(length - 64, mul, 9n);
  const first = wrap(mix(v[0], w[0], mul) + shiftMix(y) * K0 + z);
  return mix(first, wrap(mix(v[1], w[1], mul) + x), mul);
}

/** One fingerprint of two, in their order. */
export function concatenated(a: bigint, b: bigint): bigint {
  const mul = 0xc6a4a7935bd1e995n;
  const mixed = wrap(shiftMix(wrap(b * mul)) * mul);
  const both = wrap((a ^ mul ^ mixed) * mul);
  return shiftMix(wrap(shiftMix(both) * mul));
}
