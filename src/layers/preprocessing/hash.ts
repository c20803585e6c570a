// A hash of strings that spreads them evenly: FNV-1a over UTF-8, finished as in MurmurHash3. Not the one of TensorFlow:
// buckets differ from those of a model trained there.

const encoder = new TextEncoder();

/** A whole number in [0, 2^32). */
export function hash(text: string, salt = 0): number {
  let h = (2166136261 ^ salt) >>> 0;
  for (const byte of encoder.encode(text)) h = Math.imul(h ^ byte, 16777619);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
