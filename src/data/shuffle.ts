// Shuffling: through a buffer for streams, as tf.data does it, and of the whole order for arrays.

import { deriveSeed, Random } from "../core/random.ts";
import type { Stream } from "./streams.ts";

/** The seed of each pass: the same one every time, or one that follows from the first and the number of the pass. */
export class PassSeeds {
  private pass = 0;
  constructor(
    private readonly seed: number,
    private readonly reshuffle: boolean,
  ) {}
  next(): number {
    return this.reshuffle ? deriveSeed(this.seed, this.pass++) : this.seed;
  }
}

/** Each element comes from a random place in a buffer of the `size` elements that are next. */
export async function* shuffleStream<T>(source: Stream<T>, size: number, seed: number): AsyncGenerator<T> {
  const random = new Random(seed);
  const buffer: T[] = [];
  for await (const element of source) {
    if (buffer.length < size) {
      buffer.push(element);
      continue;
    }
    const at = random.integer(size);
    const chosen = buffer[at]!;
    buffer[at] = element;
    yield chosen;
  }
  while (buffer.length > 0) {
    const at = random.integer(buffer.length);
    const chosen = buffer[at]!;
    buffer[at] = buffer[buffer.length - 1]!;
    buffer.pop();
    yield chosen;
  }
}

/** A shuffled copy of an order of rows. */
export function shuffleOrder(order: Int32Array, seed: number): Int32Array {
  const shuffled = order.slice();
  new Random(seed).shuffle(shuffled);
  return shuffled;
}
