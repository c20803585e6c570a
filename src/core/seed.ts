// Seeds for host-side draws that were given none: shuffles of data sets, splits. They follow `setRandomSeed`.

import { Random } from "./random.ts";

/** Apart from the streams of initialisers and of ops, which use the seed itself. */
const HOST_STREAM = -2;

let source: Random | undefined;

/** Everything seeded by `drawSeed` from here on follows from `seed`. */
export function seedHostDraws(seed: number): void {
  source = new Random(seed, HOST_STREAM);
}

/** A seed of one's own: follows from the last `setRandomSeed`, else is arbitrary. */
export function drawSeed(): number {
  source ??= new Random(Math.floor(Math.random() * 2 ** 32), HOST_STREAM);
  return source.bits();
}
