// Shape arithmetic: broadcasting against its definition, axes, strides, printing.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  broadcastShapes,
  broadcastStrides,
  checkShape,
  formatShape,
  formatType,
  normalizeAxes,
  normalizeAxis,
  sameShape,
  sameType,
  sizeOf,
  stridesOf,
} from "../../src/core/shape.ts";
import { inferShape } from "../../src/core/tensor.ts";
import { thrown } from "../helpers/thrown.ts";

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 });

test("sizeOf and stridesOf", () => {
  expect(sizeOf([])).toBe(1);
  expect(sizeOf([2, 3, 4])).toBe(24);
  expect(sizeOf([2, 0, 4])).toBe(0);
  expect(stridesOf([])).toEqual([]);
  expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
  expect(stridesOf([5])).toEqual([1]);
});

test("sameShape and sameType", () => {
  expect(sameShape([], [])).toBe(true);
  expect(sameShape([1, 2], [1, 2])).toBe(true);
  expect(sameShape([1, 2], [2, 1])).toBe(false);
  expect(sameShape([1], [1, 1])).toBe(false);
  expect(sameType({ shape: [2], dtype: "int32" }, { shape: [2], dtype: "int32" })).toBe(true);
  expect(sameType({ shape: [2], dtype: "int32" }, { shape: [2], dtype: "float32" })).toBe(false);
});

describe("broadcasting", () => {
  test.each([
    [[], [], []],
    [[], [3], [3]],
    [[2, 1], [3], [2, 3]],
    [
      [8, 1, 6, 1],
      [7, 1, 5],
      [8, 7, 6, 5],
    ],
    [[0], [1], [0]],
    [[1], [0], [0]],
    [
      [2, 0],
      [2, 1],
      [2, 0],
    ],
  ])("%j with %j", (a, b, out) => {
    expect(broadcastShapes(a, b)).toEqual(out);
    expect(broadcastShapes(b, a)).toEqual(out);
  });

  test.each([
    [[2], [3]],
    [[0], [2]],
    [
      [2, 1],
      [3, 3],
    ],
  ])("%j and %j do not fit", (a, b) => {
    expect(broadcastShapes(a, b)).toBeUndefined();
    expect(broadcastShapes(b, a)).toBeUndefined();
  });

  test("strides read the element that broadcasting repeats", () => {
    const property = fc.property(shapes, shapes, (a, b) => {
      const out = broadcastShapes(a, b);
      fc.pre(out !== undefined && sizeOf(out) > 0);
      const strides = broadcastStrides(a, out!);
      const outer = stridesOf(out!);
      for (let flat = 0; flat < sizeOf(out!); flat++) {
        const index = out!.map((d, i) => Math.floor(flat / outer[i]!) % d);
        const own = index.slice(out!.length - a.length).map((k, i) => (a[i] === 1 ? 0 : k));
        const want = own.reduce((at, k, i) => at * a[i]! + k, 0);
        expect(index.reduce((at, k, i) => at + k * strides[i]!, 0)).toBe(want);
      }
    });
    fc.assert(property);
  });
});

describe("axes", () => {
  test("normalizeAxis", () => {
    expect(normalizeAxis("f", 0, 3)).toBe(0);
    expect(normalizeAxis("f", 2, 3)).toBe(2);
    expect(normalizeAxis("f", -1, 3)).toBe(2);
    expect(normalizeAxis("f", -3, 3)).toBe(0);
  });

  test.each([3, -4, 0.5, Number.NaN, "1", null, undefined])("axis %s of rank 3 is refused", (axis) => {
    const error = thrown(() => normalizeAxis("sum", axis as number, 3));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(/^sum: expected an axis from -3 to 2 for rank 3, got /);
  });

  test("a scalar has no axis", () => {
    expect(thrown(() => normalizeAxis("sum", 0, 0)).message).toBe("sum: expected no axis for rank 0, got 0");
    expect(normalizeAxes("sum", undefined, 0)).toEqual([]);
  });

  test("normalizeAxes sorts, and takes undefined and null for all", () => {
    expect(normalizeAxes("f", undefined, 3)).toEqual([0, 1, 2]);
    expect(normalizeAxes("f", null, 2)).toEqual([0, 1]);
    expect(normalizeAxes("f", -1, 3)).toEqual([2]);
    expect(normalizeAxes("f", [2, 0], 3)).toEqual([0, 2]);
    expect(normalizeAxes("f", [-1, -2], 12)).toEqual([10, 11]);
    expect(normalizeAxes("f", [], 3)).toEqual([]);
    expect(thrown(() => normalizeAxes("f", [0, -3], 3)).message).toBe("f: repeated axis in [0, -3]");
    expect(thrown(() => normalizeAxes("f", {} as never, 3)).code).toBe("INVALID_ARGUMENT");
    expect(thrown(() => normalizeAxes("f", "0" as never, 3)).code).toBe("INVALID_ARGUMENT");
  });
});

describe("checkShape", () => {
  test("accepts shapes as they are", () => {
    for (const shape of [[], [0], [1, 2, 3], [1, 1, 1, 1, 1, 1, 1, 1]])
      expect(checkShape("f", shape)).toBe(shape);
  });
  test.each([
    [[-1]],
    [[1.5]],
    [["2"]],
    [[Number.NaN]],
    [[null]],
    [[1, 1, 1, 1, 1, 1, 1, 1, 1]],
    [3],
    [undefined],
    ["12"],
  ])("%j is refused", (shape) => {
    const error = thrown(() => checkShape("zeros", shape));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(/^zeros: expected a shape of at most 8 non-negative integers, got /);
  });
  test("sizes beyond any memory are refused", () => {
    expect(thrown(() => checkShape("zeros", [2 ** 30, 2 ** 30])).message).toBe(
      "zeros: expected a shape of at most 2^40 elements, got [1073741824, 1073741824]",
    );
  });
});

test("inferShape fills one hole", () => {
  expect(inferShape("f", [-1], 6)).toEqual([6]);
  expect(inferShape("f", [2, -1], 6)).toEqual([2, 3]);
  expect(inferShape("f", [2, -1], 0)).toEqual([2, 0]);
  expect(inferShape("f", [], 1)).toEqual([]);
  expect(thrown(() => inferShape("f", [4, -1], 6)).message).toBe("f: cannot view 6 elements as [4, -1]");
});

test("printing", () => {
  expect(formatShape([])).toBe("[]");
  expect(formatShape([null, 2])).toBe("[null, 2]");
  expect(formatType({ shape: [32, 10], dtype: "float32" })).toBe("f32[32,10]");
  expect(
    ["int32", "bool", "uint8"].map((dtype) => formatType({ shape: [], dtype: dtype as "bool" })),
  ).toEqual(["i32[]", "bool[]", "u8[]"]);
});
