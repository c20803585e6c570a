// The names of the `random` namespace.

export { binomial, categorical, randint, shuffle } from "./choices.ts";
export { beta, gamma } from "./gamma.ts";
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
