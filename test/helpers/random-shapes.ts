// Test data: deterministic in a seed, awkward in shape.

import * as fc from "fast-check";
import { allocateHost, type DType } from "../../src/core/dtype.ts";
import type { Random } from "../../src/core/random.ts";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import { Tensor } from "../../src/core/tensor.ts";

/** How one input of a case is filled. */
export interface InputSpec {
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Uniform in here; [-2, 2] by default, [0, 1] for bool. */
  readonly range?: readonly [number, number];
  /** Points from which float32 elements stay `distance` away: kinks and ties, where finite differences mean nothing. */
  readonly away?: readonly number[];
  /** All elements differ by at least some hundredths. */
  readonly distinct?: boolean;
  /** Literal elements, instead of random ones. */
  readonly values?: readonly number[];
}

const DISTANCE = 0.05;

/** Fills a tensor. Elements lie on a grid of 2^-12, so that float32 and float64 storage hold the same numbers. */
export function fill(spec: InputSpec, random: Random): Tensor {
  const { shape, dtype = "float32", values, distinct = false, away = [] } = spec;
  const size = sizeOf(shape);
  const data = allocateHost(dtype, size);
  const [low, high] = spec.range ?? (dtype === "bool" ? [0, 1] : [-2, 2]);
  if (values) data.set(values);
  else if (distinct) {
    const order = Int32Array.from({ length: size }, (_, i) => i);
    random.shuffle(order);
    for (let i = 0; i < size; i++) data[i] = grid(low + ((order[i]! + 0.5) / size) * (high - low));
  } else {
    for (let i = 0; i < size; i++) {
      if (dtype === "float32") {
        do data[i] = grid(low + random.uniform() * (high - low));
        while (away.some((a) => Math.abs(data[i]! - a) < DISTANCE));
      } else data[i] = low + random.integer(high - low + 1);
    }
  }
  return new Tensor(data, shape, dtype);
}

function grid(x: number): number {
  return Math.round(x * 4096) / 4096;
}

/** Shapes of rank 0 to `maxRank` with small sizes, zeros and ones among them. */
export const shapes = (maxRank = 4, maxSize = 4): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 0, max: maxSize }), { maxLength: maxRank });

/** Two shapes that broadcast together. */
export const broadcastPair: fc.Arbitrary<[number[], number[]]> = shapes(4, 3).chain((shape) =>
  fc
    .tuple(
      ...[0, 1].map(() =>
        fc.tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })),
      ),
    )
    .map(
      (sides) =>
        sides.map(([drop, ones]) => shape.map((d, i) => (ones[i] ? 1 : d)).slice(drop)) as [
          number[],
          number[],
        ],
    ),
);

/** A tensor of a shape, of whole numbers, which every op treats exactly. */
export const wholeTensor = (shape: Shape, dtype: DType = "float32"): fc.Arbitrary<Tensor> =>
  fc
    .array(fc.integer({ min: -9, max: 9 }), { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
    .map((values) => {
      const data = allocateHost(dtype, values.length);
      data.set(values);
      return new Tensor(data, shape, dtype);
    });
