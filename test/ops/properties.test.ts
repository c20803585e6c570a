// Properties over random shapes: broadcasting as NumPy defines it, moves that undo each other, products as sums.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { broadcastShapes, sizeOf, stridesOf } from "../../src/core/shape.ts";
import { Tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { gemm } from "../../src/ops/gemm.ts";
import * as ops from "../../src/ops/index.ts";
import { evaluate } from "../helpers/evaluate.ts";
import { broadcastPair, shapes, wholeTensor } from "../helpers/random-shapes.ts";

/** Element at full indices, read with broadcasting. */
function read(t: Tensor, at: readonly number[]): number {
  const own = at.slice(at.length - t.rank);
  return t.data[
    own.reduce((sum, i, axis) => sum + (t.shape[axis] === 1 ? 0 : i) * stridesOf(t.shape)[axis]!, 0)
  ]!;
}

/** Every index of a shape, in order. */
function* indices(shape: readonly number[]): Generator<number[]> {
  for (let k = 0; k < sizeOf(shape); k++) {
    let rest = k;
    yield stridesOf(shape).map((s) => {
      const i = Math.floor(rest / s);
      rest -= i * s;
      return i;
    });
  }
}

const tensorOf = (shape: readonly number[]) => wholeTensor(shape);
const pairOfTensors = broadcastPair.chain(([a, b]) => fc.tuple(tensorOf(a), tensorOf(b)));
const anyTensor = shapes().chain(tensorOf);

function same(a: Tensor, b: Tensor): void {
  expect(a.shape).toEqual(b.shape);
  expect(a.dtype).toBe(b.dtype);
  expect(Array.from(a.data)).toEqual(Array.from(b.data));
}

const first = (fn: (...xs: Value[]) => Value | readonly Value[], ...args: Tensor[]): Tensor =>
  evaluate(fn, args)[0]!;

describe("broadcasting", () => {
  test("binary ops read each operand at its own index", () => {
    fc.assert(
      fc.property(pairOfTensors, ([a, b]) => {
        const y = first((p, q) => ops.subtract(p!, q!), a, b);
        expect(y.shape).toEqual(broadcastShapes(a.shape, b.shape));
        let k = 0;
        for (const at of indices(y.shape)) expect(y.data[k++]).toBe(read(a, at) - read(b, at));
      }),
    );
  });

  test("where broadcasts three ways", () => {
    fc.assert(
      fc.property(pairOfTensors, ([a, b]) => {
        const y = first((p, q) => ops.where(ops.greater(p!, 0), q!, p!), a, b);
        let k = 0;
        for (const at of indices(y.shape))
          expect(y.data[k++]).toBe(read(a, at) > 0 ? read(b, at) : read(a, at));
      }),
    );
  });

  test("broadcastTo repeats", () => {
    fc.assert(
      fc.property(pairOfTensors, ([a, b]) => {
        const to = broadcastShapes(a.shape, b.shape)!;
        const y = first((p) => ops.broadcastTo(p!, to), a);
        let k = 0;
        for (const at of indices(to)) expect(y.data[k++]).toBe(read(a, at));
      }),
    );
  });
});

describe("moves", () => {
  const permuted = anyTensor.chain((t) =>
    fc.tuple(
      fc.constant(t),
      fc.shuffledSubarray(
        t.shape.map((_, i) => i),
        { minLength: t.rank },
      ),
    ),
  );

  test("transpose puts element i at its permuted place, and back", () => {
    fc.assert(
      fc.property(permuted, ([t, perm]) => {
        const y = first((x) => ops.transpose(x!, perm), t);
        let k = 0;
        for (const at of indices(y.shape)) {
          const source = perm.reduce<number[]>((list, p, i) => Object.assign(list, { [p]: at[i] }), []);
          expect(y.data[k++]).toBe(read(t, source));
        }
        const inverse = perm.map((_, i) => perm.indexOf(i));
        same(
          first((x) => ops.transpose(ops.transpose(x!, perm), inverse), t),
          t,
        );
      }),
    );
  });

  const ranged = anyTensor.chain((t) =>
    fc.tuple(
      fc.constant(t),
      fc.tuple(
        ...t.shape.map((d) =>
          fc.record({ begin: fc.nat(d), step: fc.integer({ min: 1, max: 3 }) }).chain(({ begin, step }) =>
            fc.record({
              begin: fc.constant(begin),
              step: fc.constant(step),
              size: fc.nat(Math.ceil((d - begin) / step)),
            }),
          ),
        ),
      ),
    ),
  );

  test("slice reads at begin + i * step", () => {
    fc.assert(
      fc.property(ranged, ([t, axes]) => {
        const list = (key: "begin" | "step" | "size") => axes.map((a) => a[key]);
        const y = first((x) => ops.slice(x!, list("begin"), list("size"), { step: list("step") }), t);
        expect(y.shape).toEqual(list("size"));
        let k = 0;
        for (const at of indices(y.shape)) {
          expect(y.data[k++]).toBe(
            read(
              t,
              at.map((i, axis) => axes[axis]!.begin + i * axes[axis]!.step),
            ),
          );
        }
      }),
    );
  });

  test("a slice of a padded tensor is the tensor", () => {
    const padded = anyTensor.chain((t) =>
      fc.tuple(
        fc.constant(t),
        fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: t.rank, maxLength: t.rank }),
      ),
    );
    fc.assert(
      fc.property(padded, ([t, paddings]) => {
        const begin = paddings.map(([before]) => before);
        same(
          first((x) => ops.slice(ops.pad(x!, paddings, { value: 7 }), begin, t.shape), t),
          t,
        );
        const total = first((x) => ops.sum(ops.pad(x!, paddings, { value: 7 })), t);
        const grown = sizeOf(t.shape.map((d, i) => d + paddings[i]![0] + paddings[i]![1]));
        expect(total.item()).toBe(Array.from(t.data).reduce((s, v) => s + v, 0) + 7 * (grown - t.size));
      }),
    );
  });

  test("concatenate undoes split", () => {
    const cut = shapes(3)
      .filter((s) => s.length > 0)
      .chain((s) => fc.tuple(tensorOf(s), fc.nat(s.length - 1)))
      .chain(([t, axis]) =>
        fc.tuple(fc.constant(t), fc.constant(axis), fc.array(fc.nat(t.shape[axis]!), { maxLength: 3 })),
      );
    fc.assert(
      fc.property(cut, ([t, axis, cuts]) => {
        const rising = [...cuts].sort((a, b) => a - b);
        same(
          first((x) => ops.concatenate(ops.split(x!, rising, { axis }), { axis }), t),
          t,
        );
      }),
    );
  });

  test("reverse twice, unstack and stack, tile as concatenation", () => {
    const withAxis = shapes(3)
      .filter((s) => s.length > 0 && !s.includes(0))
      .chain((s) => fc.tuple(tensorOf(s), fc.nat(s.length - 1)));
    fc.assert(
      fc.property(withAxis, ([t, axis]) => {
        same(
          first((x) => ops.reverse(ops.reverse(x!, { axis }), { axis }), t),
          t,
        );
        same(
          first((x) => ops.stack(ops.unstack(x!, { axis }), { axis }), t),
          t,
        );
        const reps = t.shape.map((_, i) => (i === axis ? 3 : 1));
        same(
          first((x) => ops.tile(x!, reps), t),
          first((x) => ops.concatenate([x!, x!, x!], { axis }), t),
        );
      }),
    );
  });

  test("scatterAdd of a gather by a permutation is the tensor", () => {
    const shuffled = fc.integer({ min: 1, max: 6 }).chain((n) =>
      fc.tuple(
        tensorOf([n, 3]),
        fc.shuffledSubarray(
          Array.from({ length: n }, (_, i) => i),
          { minLength: n },
        ),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([t, order]) => {
        const at = new Tensor(Int32Array.from(order), [order.length], "int32");
        same(
          first((x, i) => ops.scatterAdd(i!, ops.gather(x!, i!), order.length), t, at),
          t,
        );
      }),
    );
  });
});

describe("order", () => {
  test("sort gives what Array.sort gives, in both directions", () => {
    const line = fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 12 });
    fc.assert(
      fc.property(line, fc.boolean(), (values, descending) => {
        const t = new Tensor(Float32Array.from(values), [values.length], "float32");
        const [sorted, order] = evaluate(
          (x) => [ops.sort(x!, { descending }), ops.argsort(x!, { descending })],
          [t],
        );
        const wanted = values
          .map((v, i) => [v, i] as const)
          .sort((a, b) => (descending ? b[0] - a[0] : a[0] - b[0]));
        expect(Array.from(sorted!.data)).toEqual(wanted.map((w) => w[0]));
        expect(Array.from(order!.data)).toEqual(wanted.map((w) => w[1]));
      }),
    );
  });

  test("cumsum ends with the sum, and its exclusive form leads it by one", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }).chain((n) => tensorOf([n])),
        (t) => {
          const [sums, before, total] = evaluate(
            (x) => [ops.cumsum(x!), ops.cumsum(x!, { exclusive: true }), ops.sum(x!)],
            [t],
          );
          expect(sums!.data.at(-1)).toBe(total!.item());
          expect(Array.from(before!.data, (b, i) => b + t.data[i]!)).toEqual(Array.from(sums!.data));
        },
      ),
    );
  });
});

describe("the reference matrix product", () => {
  test("agrees with the sum of products on sizes about its blocks and tiles", () => {
    const size = fc.oneof(fc.nat(9), fc.constantFrom(31, 64, 127, 128, 129, 257, 260));
    fc.assert(
      fc.property(size, size, fc.nat(300), fc.boolean(), fc.boolean(), (m, n, k, transA, transB) => {
        fc.pre(m * n * k < 3e6);
        const a = Float64Array.from({ length: m * k }, (_, i) => ((i * 7919) % 17) - 8);
        const b = Float64Array.from({ length: k * n }, (_, i) => ((i * 104729) % 13) - 6);
        const c = new Float64Array(m * n).fill(Number.NaN);
        gemm(a, b, c, m, n, k, transA, transB);
        const wanted = new Float64Array(m * n);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let p = 0; p < k; p++)
              sum += a[transA ? p * m + i : i * k + p]! * b[transB ? j * k + p : p * n + j]!;
            wanted[i * n + j] = sum;
          }
        }
        expect(equalNumbers(c, wanted)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

/** Whole numbers are exact in any order of summation; only the sign of zeros may differ. */
function equalNumbers(a: Float64Array, b: Float64Array): boolean {
  return a.every((x, i) => x === b[i]);
}
