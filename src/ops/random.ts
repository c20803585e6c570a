// Random numbers inside graphs. One primitive, randomBits (Philox, see core/random.ts); everything else is composed of it.
// A seed generator is two Variables: the key, and a counter that moves on by one with every run of a graph that draws.

import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { fillBits, Random, splitSeed, bitsToUniform as uniformOf } from "../core/random.ts";
import { seedHostDraws } from "../core/seed.ts";
import { checkShape, formatShape, type Shape } from "../core/shape.ts";
import { tensor } from "../core/tensor.ts";
import type { Op, Value } from "../graph/graph.ts";
import { assignVariable, emit, nextStream, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import { add, multiply, subtract } from "./arithmetic.ts";
import { greaterEqual, less, where } from "./compare.ts";
import { cos, log, negative, sqrt, square } from "./elementwise.ts";
import { type Operand, scalar, toFloat } from "./operand.ts";
import { checkArity, checkDTypes, formatTypes, record, shapeError } from "./record.ts";
import { argsort } from "./scan.ts";
import { broadcastTo, constant } from "./shape.ts";

export const randomBitsOp: Op = record<{ stream: number; shape: Shape }>({
  name: "randomBits",
  kind: "primitive",
  infer(inputs, { shape }, where) {
    checkArity(where, inputs, 2);
    checkDTypes(where, inputs, ["int32"]);
    if (formatShape(inputs[0]!.shape) !== "[2]" || inputs[1]!.shape.length !== 0) {
      throw shapeError(where, `expected key [2] and counter [], got ${formatTypes(inputs)}`);
    }
    return [{ shape: checkShape(where, shape), dtype: "int32" }];
  },
  gradient: () => [null, null],
  evaluate([key, counter], [y], { attrs }) {
    fillBits(y as Int32Array, key![0]!, key![1]!, attrs.stream, counter![0]!);
  },
});

export const bitsToUniformOp: Op = record({
  name: "bitsToUniform",
  kind: "elementwise",
  infer(inputs, _attrs, where) {
    checkArity(where, inputs, 1);
    checkDTypes(where, inputs, ["int32"]);
    return [{ shape: inputs[0]!.shape, dtype: "float32" }];
  },
  gradient: () => [null],
  evaluate([x], [y]) {
    for (let i = 0; i < y!.length; i++) y![i] = uniformOf(x![i]!);
  },
});

/** What a dropout keeps: whether the uniforms of a draw are at least the rate. One byte an element, for both directions. */
export const dropoutMaskOp: Op = record<{ stream: number; shape: Shape; rate: number }>({
  name: "dropoutMask",
  kind: "composite",
  infer(inputs, attrs, where) {
    const [bits] = randomBitsOp.infer(inputs, attrs, where);
    return [{ shape: bits!.shape, dtype: "bool" }];
  },
  gradient: () => [null, null],
  expand([key, counter], { stream, shape, rate }) {
    const bits = emit(randomBitsOp, [key!, counter!], { stream, shape })[0]!;
    return [greaterEqual(emit(bitsToUniformOp, [bits])[0]!, rate)];
  },
});

/**
 * A source of random numbers: the same seed gives the same numbers in every run of the program, on both engines.
 * @example const seed = new SeedGenerator(7); random.normal([3], { seed })
 */
export class SeedGenerator {
  readonly seed: number;
  readonly key: Variable;
  readonly counter: Variable;
  private readonly host: Random;

  /** @param seed a whole number from 0 to 2^53 - 1; taken from the clock's chance when missing */
  constructor(seed: number = Math.floor(Math.random() * 2 ** 32), name = "seedGenerator") {
    this.seed = checkInteger("SeedGenerator", "seed", seed);
    const initial = () => Int32Array.from(splitSeed(seed));
    this.key = new Variable([2], "int32", { name: `${name}/key`, trainable: false, initial });
    this.counter = new Variable([], "int32", { name: `${name}/counter`, trainable: false });
    this.host = new Random(seed, -1);
  }

  /** A fresh whole number for things seeded outside of graphs, such as initialisers and shuffles. */
  nextSeed(): number {
    return this.host.bits();
  }
}

let defaultGenerator: SeedGenerator | undefined;
const current: SeedGenerator[] = [];

/** Seeds everything random that is built afterwards and has no seed of its own. */
export function setRandomSeed(seed: number): void {
  defaultGenerator = new SeedGenerator(seed);
  seedHostDraws(seed);
}

/** The generator that draws without a seed use: that of the innermost `withSeedGenerator`, or the process's own. */
export function currentSeedGenerator(): SeedGenerator {
  defaultGenerator ??= new SeedGenerator();
  return current.at(-1) ?? defaultGenerator;
}

/** Runs `fn` with draws taken from this generator. */
export function withSeedGenerator<T>(generator: SeedGenerator, fn: () => T): T {
  current.push(generator);
  try {
    return fn();
  } finally {
    current.pop();
  }
}

/** A SeedGenerator moves on with every run; a number gives the same draw every time. */
export type Seed = SeedGenerator | number;

/** What the draws of this trace take: the key, the counter of runs, and a stream no other draw has. */
export function keyAndCounter(seed: Seed | undefined): [key: Value, counter: Value, stream: number] {
  if (typeof seed === "number") {
    const key = tensor(Int32Array.from(splitSeed(checkInteger("random", "seed", seed))));
    return [constant(key), scalar(0, "int32"), 0];
  }
  if (seed !== undefined && !(seed instanceof SeedGenerator)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `random: expected seed to be a number or SeedGenerator, got ${describe(seed)}`,
    );
  }
  const generator = seed ?? currentSeedGenerator();
  let counter = readVariable(generator.counter);
  if (counter.node === null) {
    // The first draw of this trace: one run, one count. All its draws then differ by their stream.
    counter = add(counter, 1);
    assignVariable(generator.counter, counter);
  }
  return [readVariable(generator.key), counter, nextStream()];
}

/** int32 words, every bit random. */
export function randomBits(shape: Shape, options?: { seed?: Seed }): Value {
  const { seed } = checkOptions("random.bits", options, ["seed"]);
  const [key, counter, stream] = keyAndCounter(seed);
  return emit(randomBitsOp, [key, counter], { stream, shape })[0]!;
}

/** Uniform in [0, 1), 24 bits. */
function unit(shape: Shape, seed: Seed | undefined): Value {
  return emit(bitsToUniformOp, [randomBits(shape, { seed })])[0]!;
}

/** Independent sources for draws that need two: a number is split, a generator serves both by its streams. */
function second(seed: Seed | undefined): Seed | undefined {
  return typeof seed === "number" ? new Random(seed, -2).bits() : seed;
}

/**
 * float32 numbers uniform in [min, max).
 * @param options.seed a number for the same draw every time; by default the current generator
 */
export function uniform(shape: Shape, options?: { min?: number; max?: number; seed?: Seed }): Value {
  const { min = 0, max = 1, seed } = checkOptions("random.uniform", options, ["min", "max", "seed"]);
  checkNumber("random.uniform", "min", min);
  checkNumber("random.uniform", "max", max);
  const u = unit(shape, seed);
  const scaled = max - min === 1 ? u : multiply(u, max - min);
  return min === 0 ? scaled : add(scaled, min);
}

interface NormalOptions {
  mean?: number;
  stddev?: number;
  seed?: Seed;
}

function shift(where: string, x: Value, { mean = 0, stddev = 1 }: NormalOptions): Value {
  checkNumber(where, "mean", mean);
  checkNumber(where, "stddev", stddev, "of at least 0", (s) => s >= 0);
  const scaled = stddev === 1 ? x : multiply(x, stddev);
  return mean === 0 ? scaled : add(scaled, mean);
}

/** float32 numbers of a normal distribution, by Box and Muller. */
export function normal(shape: Shape, options?: NormalOptions): Value {
  const known = checkOptions("random.normal", options, ["mean", "stddev", "seed"]);
  const radius = sqrt(multiply(log(add(unit(shape, known.seed), 2 ** -25)), -2)); // moved off log(0)
  const angle = multiply(unit(shape, second(known.seed)), 2 * Math.PI);
  return shift("random.normal", multiply(radius, cos(angle)), known);
}

// M. Giles, "Approximating the erfinv function", GPU Computing Gems Jade Edition (2011), single precision, |x| < 0.9966.
const ERF_INV = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];

function centralErfInv(x: Value): Value {
  const w = subtract(negative(log(subtract(1, square(x)))), 2.5);
  const [first, ...rest] = ERF_INV as [number, ...number[]];
  return multiply(
    x,
    rest.reduce((p, c) => add(multiply(p, w), c), scalar(first)),
  );
}

/** Normal numbers within two standard deviations of the mean (those outside are drawn again, in distribution). */
export function truncatedNormal(shape: Shape, options?: NormalOptions): Value {
  const known = checkOptions("random.truncatedNormal", options, ["mean", "stddev", "seed"]);
  const bound = 0.9544997361036416; // erf(sqrt(2)): the share of a normal distribution within two standard deviations
  const u = uniform(shape, { min: -bound, max: bound, seed: known.seed });
  return shift("random.truncatedNormal", multiply(centralErfInv(u), Math.SQRT2), known);
}

/** bool, true with probability p (0.5 by default). */
export function bernoulli(shape: Shape, options?: { p?: number; seed?: Seed }): Value {
  const { p = 0.5, seed } = checkOptions("random.bernoulli", options, ["p", "seed"]);
  checkNumber("random.bernoulli", "p", p, "in [0, 1]", (x) => x >= 0 && x <= 1);
  return less(unit(shape, seed), p);
}

/** The numbers 0 to n - 1 in random order. int32. */
export function permutation(n: number, options?: { seed?: Seed }): Value {
  const { seed } = checkOptions("random.permutation", options, ["seed"]);
  return argsort(randomBits([checkInteger("random.permutation", "n", n)], { seed }));
}

/**
 * x with a share `rate` of its elements set to 0 and the others scaled by 1 / (1 - rate).
 * @param options.noiseShape shape of the mask, broadcast to x: 1 where an axis is to be dropped as a whole
 */
export function dropout(x: Operand, rate: number, options?: { noiseShape?: Shape; seed?: Seed }): Value {
  const { noiseShape, seed } = checkOptions("random.dropout", options, ["noiseShape", "seed"]);
  checkNumber("random.dropout", "rate", rate, "in [0, 1)", (r) => r >= 0 && r < 1);
  const value = toFloat(x, "random.dropout");
  if (rate === 0) return value;
  const [key, counter, stream] = keyAndCounter(seed);
  const shape = noiseShape ?? value.shape;
  const keep = emit(dropoutMaskOp, [key, counter], { stream, shape, rate })[0]!;
  return where(broadcastTo(keep, value.shape), multiply(value, 1 / (1 - rate)), 0);
}
