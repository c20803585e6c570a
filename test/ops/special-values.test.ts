// Judge: the whole range of float32 on every CPU level against the plain evaluation: random bit patterns, infinities, NaN
// and the edges of what exp and friends can hold.

import { describe, expect, test } from "vitest";
import { build } from "../../src/compile.ts";
import { Random } from "../../src/core/random.ts";
import { Tensor } from "../../src/core/tensor.ts";
import { loadBinding } from "../../src/engine/binding.ts";
import { NativeEngine } from "../../src/engine/native.ts";
import type { Value } from "../../src/graph/graph.ts";
import * as ops from "../../src/ops/index.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { difference, type Tolerance } from "../helpers/matcher.ts";

function availableLevels(): readonly string[] {
  try {
    return loadBinding().levels;
  } catch (error) {
    console.log(`SKIPPED special values on the native engine: ${(error as Error).message}`);
    return [];
  }
}

const SPECIAL = [
  0,
  -0,
  1,
  -1,
  2,
  -2,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3,
  Infinity,
  -Infinity,
  Number.NaN,
  3.4e38,
  -3.4e38,
  1e30,
  -1e30,
  1.2e-38,
  -1.2e-38,
  1e-30,
  87.3,
  88.72,
  -87.3,
  -103.9,
  0.99999994,
  1.0000001,
  8388608.5,
  16777216,
  2147483520,
  1e10,
];

/** Every exponent and sign, without denormals: the native engine takes those for 0. */
function anyFloats(count: number, seed: number): Float32Array {
  const random = new Random(seed);
  const bits = Int32Array.from({ length: count }, () => random.bits() | 0);
  const floats = new Float32Array(bits.buffer);
  return floats.map((x) => (Math.abs(x) < 2 ** -126 ? 0 : x));
}

const unarySamples = Float32Array.from([
  ...SPECIAL,
  ...anyFloats(20000, 1),
  ...anyFloats(20000, 2).map((x) => x % 100),
]);
const flat = (data: Float32Array): Tensor => new Tensor(data, [data.length], "float32");

const pairs = [...SPECIAL.flatMap((x) => SPECIAL.map((y) => [x, y] as const))];
/** Large enough that their remainders, multiples of their last bits, are no denormals either. */
const clear = (x: number) => (Math.abs(x) < 2 ** -100 ? 0 : x);
const manyX = anyFloats(20000, 3).map(clear);
const manyY = anyFloats(20000, 4).map(clear);
const left = flat(Float32Array.from([...pairs.map((p) => p[0]), ...manyX, ...manyX.map((x) => x % 50)]));
const right = flat(Float32Array.from([...pairs.map((p) => p[1]), ...manyY, ...manyY.map((x) => x % 8)]));

const EXACT: Tolerance = { exact: true };
const TWO: Tolerance = { ulp: 2 };
const unary: Record<string, [(x: Value) => Value, Tolerance]> = {
  negative: [ops.negative, EXACT],
  abs: [ops.abs, EXACT],
  sign: [ops.sign, EXACT],
  floor: [ops.floor, EXACT],
  ceil: [ops.ceil, EXACT],
  round: [ops.round, EXACT],
  sqrt: [ops.sqrt, EXACT],
  square: [ops.square, EXACT],
  reciprocal: [ops.reciprocal, EXACT],
  relu: [ops.relu, EXACT],
  isNan: [ops.isNan, EXACT],
  isFinite: [ops.isFinite, EXACT],
  toInt: [(x) => ops.cast(x, "int32"), EXACT],
  toBool: [(x) => ops.cast(x, "bool"), EXACT],
  toUint8: [(x) => ops.cast(x, "uint8"), EXACT],
  exp: [ops.exp, TWO],
  expm1: [ops.expm1, TWO],
  log: [ops.log, TWO],
  log1p: [ops.log1p, TWO],
  rsqrt: [ops.rsqrt, TWO],
  sin: [ops.sin, TWO],
  cos: [ops.cos, TWO],
  tanh: [ops.tanh, TWO],
  sigmoid: [ops.sigmoid, TWO],
  erf: [ops.erf, TWO],
};
const binary: Record<string, [(x: Value, y: Value) => Value, Tolerance]> = {
  add: [ops.add, EXACT],
  subtract: [ops.subtract, EXACT],
  multiply: [ops.multiply, EXACT],
  divide: [ops.divide, EXACT],
  minimum: [ops.minimum, EXACT],
  maximum: [ops.maximum, EXACT],
  less: [ops.less, EXACT],
  lessEqual: [ops.lessEqual, EXACT],
  equal: [ops.equal, EXACT],
  notEqual: [ops.notEqual, EXACT],
  greater: [ops.greater, EXACT],
  greaterEqual: [ops.greaterEqual, EXACT],
  mod: [ops.mod, EXACT],
  floorDivide: [ops.floorDivide, EXACT],
  power: [ops.power, { ulp: 4 }],
};

/** The native engine takes denormals for 0, in the middle of a computation too: what both sides find tiny is 0. */
const TINY = 2 ** -120;

function flushed(t: Tensor, other: Tensor): Tensor {
  if (t.dtype !== "float32") return t;
  const isTiny = (x: number) => Math.abs(x) < TINY;
  const data = Float64Array.from(t.data, (x, i) => (isTiny(x) && isTiny(other.data[i]!) ? 0 : x));
  return new Tensor(data, t.shape, t.dtype);
}

function problem(
  fn: (...xs: Value[]) => Value,
  args: readonly Tensor[],
  tolerance: Tolerance,
  engine: NativeEngine,
) {
  const precision = "exact" in tolerance ? "float32" : "float64";
  const expected = evaluate((...xs) => fn(...xs), args, precision)[0]!;
  const actual = build((...xs) => [fn(...xs)], args, { engine }).runSync(args)[0]!;
  const found = difference(flushed(actual, expected), flushed(expected, actual), tolerance, args);
  const at = found && /element (\d+)/.exec(found);
  return at ? `${found} from ${args.map((a) => a.data[Number(at[1])]).join(", ")}` : found;
}

const levels = availableLevels();
describe.skipIf(levels.length === 0).each(levels)("%s", (level) => {
  const engine = new NativeEngine({ level, threads: 2 });
  test.each(Object.entries(unary))("%s", (_name, [fn, tolerance]) => {
    expect(problem(fn as (...xs: Value[]) => Value, [flat(unarySamples)], tolerance, engine)).toBeUndefined();
  });
  test.each(Object.entries(binary))("%s", (_name, [fn, tolerance]) => {
    expect(problem(fn as (...xs: Value[]) => Value, [left, right], tolerance, engine)).toBeUndefined();
  });
});
