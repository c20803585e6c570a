// The names of the `random` namespace.

export {
  bernoulli,
  dropout,
  normal,
  permutation,
  randomBits as bits,
  SeedGenerator,
  truncatedNormal,
  uniform,
} from "./random.ts";
