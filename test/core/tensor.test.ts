// Host tensors: what tensor() accepts, refuses and converts, and the methods of Tensor.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocateHost } from "../../src/core/dtype.ts";
import { type NestedArray, Tensor, type TensorLike, tensor } from "../../src/core/tensor.ts";
import { Variable } from "../../src/graph/variable.ts";
import { thrown } from "../helpers/thrown.ts";

const parts = (t: Tensor) => ({ dtype: t.dtype, shape: [...t.shape], data: Array.from(t.data) });

describe("tensor of nested arrays", () => {
  test.each<[TensorLike, string, number[], number[]]>([
    [5, "float32", [], [5]],
    [true, "bool", [], [1]],
    [[], "float32", [0], []],
    [[[], []], "float32", [2, 0], []],
    [[1, 2, 3], "float32", [3], [1, 2, 3]],
    [
      [
        [1, 2],
        [3, 4],
      ],
      "float32",
      [2, 2],
      [1, 2, 3, 4],
    ],
    [[[[1]], [[2]]], "float32", [2, 1, 1], [1, 2]],
    [[true, false], "bool", [2], [1, 0]],
    [[true, 0.5], "float32", [2], [1, 0.5]],
    [[Number.NaN, Infinity], "float32", [2], [Number.NaN, Infinity]],
  ])("%j", (data, dtype, shape, values) => {
    expect(parts(tensor(data))).toEqual({ dtype, shape, data: values });
  });

  test.each<[string, unknown, string]>([
    ["a short row", [[1, 2], [3]], "ragged array at [1]: expected an array of 2, got an array of 1"],
    ["a long row", [[1], [2, 3]], "ragged array at [1]: expected an array of 1, got an array of 2"],
    ["a number for a row", [[1, 2], 3], "ragged array at [1]: expected an array of 2, got 3"],
    [
      "an array for a number",
      [
        [1, 2],
        [3, [4]],
      ],
      "ragged array at [1][1]: expected a number or boolean, got an array of 1",
    ],
    [
      "deep inside",
      [
        [[1], [2]],
        [[3], [4, 5]],
      ],
      "ragged array at [1][1]: expected an array of 1, got an array of 2",
    ],
    ["a string", [[1, "2"]], 'wrong element at [0][1]: expected a number or boolean, got "2"'],
    ["null", [1, null], "wrong element at [1]: expected a number or boolean, got null"],
    ["a hole", new Array(2), "wrong element at [0]: expected a number or boolean, got undefined"],
    ["no array at all", "abc", 'wrong element: expected a number or boolean, got "abc"'],
    ["undefined", undefined, "wrong element: expected a number or boolean, got undefined"],
    ["an object", { length: 2 }, "wrong element: expected a number or boolean, got Object {length}"],
    ["nine levels", [[[[[[[[[1]]]]]]]]], "expected arrays nested at most 8 deep"],
  ])("refused: %s", (_, data, message) => {
    const error = thrown(() => tensor(data as NestedArray));
    expect(error.code).toBe("INVALID_DATA");
    expect(error.message).toContain(`tensor: ${message}`);
  });

  test("refused: an array that contains itself, and ragged rows that promise more than memory holds", () => {
    const endless: unknown[] = [];
    endless[0] = endless;
    expect(thrown(() => tensor(endless as NestedArray)).code).toBe("INVALID_DATA");
    const wide = new Array(1e6).fill(0);
    const tall = Array.from({ length: 1e6 }, (_, i) => (i === 0 ? wide : [0]));
    expect(thrown(() => tensor(tall)).message).toContain("ragged array at [1]");
  });

  test("any nested array comes back from toArray", () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
    const property = fc.property(shapes, (shape) => {
      let next = 0;
      const build = (axis: number): NestedArray =>
        axis === shape.length ? next++ : Array.from({ length: shape[axis]! }, () => build(axis + 1));
      const nested = build(0);
      const t = tensor(nested);
      expect(t.toArray()).toEqual(nested);
      // Dimensions after an empty one cannot be seen in nested arrays.
      const zero = shape.indexOf(0);
      expect(t.shape).toEqual(zero < 0 ? shape : shape.slice(0, zero + 1));
    });
    fc.assert(property);
  });

  test("a large data set is read in time", () => {
    const rows = Array.from({ length: 6000 }, () => new Array<number>(784).fill(0.5));
    const start = performance.now();
    expect(tensor(rows).shape).toEqual([6000, 784]);
    // A tenth of MNIST, which must take under 3 s as a whole; it takes 0.05 s on an idle machine.
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe("tensor of typed arrays and tensors", () => {
  test.each<[TensorLike, string]>([
    [new Float32Array([1, 2]), "float32"],
    [new Float64Array([1, 2]), "float32"],
    [new Int32Array([1, 2]), "int32"],
    [new Uint8Array([1, 2]), "uint8"],
    [new Uint8ClampedArray([1, 2]), "uint8"],
    [Buffer.from([1, 2]), "uint8"],
    [tensor([1, 2]), "float32"],
  ])("%o gives %s", (data, dtype) => {
    expect(parts(tensor(data))).toEqual({ dtype, shape: [2], data: [1, 2] });
  });

  test("memory is shared unless it must be converted", () => {
    const data = new Float32Array([1, 2]);
    expect(tensor(data).data).toBe(data);
    expect(tensor(data, [2, 1]).data).toBe(data);
    expect(tensor(tensor(data), [1, 2]).data).toBe(data);
    expect(tensor(data, undefined, "int32").data).not.toBe(data);
  });

  test.each([
    ["Int16Array", new Int16Array(2)],
    ["BigInt64Array", new BigInt64Array(2)],
    ["DataView", new DataView(new ArrayBuffer(4))],
  ])("refused: %s", (_, data) => {
    const error = thrown(() => tensor(data as never));
    expect(error.code).toBe("INVALID_DATA");
    expect(error.message).toContain("tensor: expected Float32Array, Float64Array, Int32Array or Uint8Array");
  });
});

describe("shapes", () => {
  const six = new Float32Array(6);
  test("given, inferred and scalar", () => {
    expect(tensor(six, [2, 3]).shape).toEqual([2, 3]);
    expect(tensor(six, [-1, 2]).shape).toEqual([3, 2]);
    expect(
      tensor(
        [
          [1, 2],
          [3, 4],
        ],
        [4],
      ).shape,
    ).toEqual([4]);
    expect(tensor([7], []).shape).toEqual([]);
    expect(tensor([], [0, -1]).shape).toEqual([0, 0]);
    expect(tensor(six).reshape([3, -1]).shape).toEqual([3, 2]);
  });

  test.each([[[4]], [[-1, -1]], [[-1, 4]], [[2.5, -1]], [[-2, -3]], [[]], [[0, -1]], [["6"]]])(
    "refused: 6 elements as %j",
    (shape) => {
      expect(thrown(() => tensor(six, shape as number[])).code).toBe("SHAPE_MISMATCH");
      expect(thrown(() => tensor(six).reshape(shape as number[])).message).toMatch(/^Tensor.reshape: cannot/);
    },
  );

  test("refused: no shape at all, and too many axes", () => {
    expect(thrown(() => tensor(six, 6 as never)).message).toBe("tensor: expected a shape, got 6");
    expect(thrown(() => tensor(six, [1, 1, 1, 1, 1, 1, 1, 1, 6])).code).toBe("INVALID_ARGUMENT");
    expect(thrown(() => tensor(six).reshape([1, 1, 1, 1, 1, 1, 1, 1, -1])).code).toBe("INVALID_ARGUMENT");
  });
});

describe("conversion", () => {
  const values = [1.9, -1.9, 0, 1e10, -1e10, Number.NaN, 300];
  const int32 = [1, -1, 0, 2147483647, -2147483648, 0, 300];
  const uint8 = [1, 255, 0, 255, 0, 0, 44];
  const bool = [1, 1, 0, 1, 1, 1, 1];
  test.each<[string, TensorLike]>([
    ["nested arrays", values],
    ["Float32Array", new Float32Array(values)],
    ["Float64Array", new Float64Array(values)],
    ["a tensor", tensor(values)],
  ])("from %s", (_, data) => {
    expect(Array.from(tensor(data, undefined, "int32").data)).toEqual(int32);
    expect(Array.from(tensor(data, undefined, "uint8").data)).toEqual(uint8);
    expect(Array.from(tensor(data, undefined, "bool").data)).toEqual(bool);
    expect(Array.from(tensor(data, undefined, "float32").data)).toEqual(Array.from(new Float32Array(values)));
  });

  test("int32 keeps digits that float32 has not", () => {
    expect(tensor([16777217], undefined, "int32").item()).toBe(16777217);
    expect(tensor(new Float64Array([16777217]), undefined, "int32").item()).toBe(16777217);
    expect(tensor(new Int32Array([16777217]), undefined, "float32").item()).toBe(16777216);
  });

  test("booleans and bytes", () => {
    expect(parts(tensor([true, false], undefined, "int32"))).toEqual({
      dtype: "int32",
      shape: [2],
      data: [1, 0],
    });
    expect(parts(tensor(new Uint8Array([0, 7]), undefined, "bool")).data).toEqual([0, 1]);
    expect(parts(tensor(new Uint8Array([0, 200]), undefined, "float32")).data).toEqual([0, 200]);
    expect(parts(tensor([], undefined, "bool"))).toEqual({ dtype: "bool", shape: [0], data: [] });
  });

  test("refused: an unknown dtype", () => {
    const error = thrown(() => tensor([1], undefined, "float23" as never));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toBe('tensor: unknown dtype "float23"; did you mean "float32"?');
  });
});

describe("Tensor", () => {
  const t = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);

  test("refused: data of another size or type", () => {
    expect(thrown(() => new Tensor(new Float32Array(3), [2], "float32")).message).toBe(
      "Tensor: shape [2] needs 2 elements, got 3",
    );
    expect(thrown(() => new Tensor(new Float32Array(2), [2], "int32")).message).toBe(
      'Tensor: Float32Array(2) cannot hold "int32"',
    );
    expect(thrown(() => new Tensor(new Float32Array(2), [2], "half" as never)).code).toBe("DTYPE_MISMATCH");
    expect(new Tensor(new Float64Array(2), [2], "float32").size).toBe(2);
  });

  test.each<[number | undefined, number | undefined, number[][]]>([
    [
      undefined,
      undefined,
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
    [
      1,
      undefined,
      [
        [3, 4],
        [5, 6],
      ],
    ],
    [
      0,
      2,
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [-1, undefined, [[5, 6]]],
    [-2, -1, [[3, 4]]],
    [
      1,
      Infinity,
      [
        [3, 4],
        [5, 6],
      ],
    ],
    [2, 1, []],
    [7, 9, []],
  ])("slice(%s, %s)", (begin, end, rows) => {
    const part = t.slice(begin, end);
    expect(part.toArray()).toEqual(rows);
    expect(part.shape).toEqual([rows.length, 2]);
  });

  test("slice copies, keeps the dtype, and refuses scalars and fractions", () => {
    const part = t.slice(0, 1);
    part.data[0] = 9;
    expect(t.at(0, 0)).toBe(1);
    expect(tensor([true, false]).slice(0, 1).dtype).toBe("bool");
    expect(thrown(() => tensor(1).slice()).message).toBe(
      "Tensor.slice: expected rank of at least 1, got a scalar",
    );
    expect(thrown(() => t.slice(0.5)).message).toBe("Tensor.slice: expected whole rows, got 0.5");
    expect(thrown(() => t.slice(0, Number.NaN)).code).toBe("INVALID_ARGUMENT");
  });

  test("at", () => {
    expect(t.at(2, 1)).toBe(6);
    expect(t.at(-1, -2)).toBe(5);
    expect(tensor(3).at()).toBe(3);
    expect(tensor([false, true]).at(1)).toBe(1);
    expect(thrown(() => t.at(1)).message).toBe("Tensor.at: expected 2 indices, got 1");
    expect(thrown(() => t.at(0, 2)).message).toBe("Tensor.at: expected index 1 to be from -2 to 1, got 2");
    expect(thrown(() => t.at(0.5, 0)).message).toBe(
      "Tensor.at: expected index 0 to be from -3 to 2, got 0.5",
    );
  });

  test("item", () => {
    expect(tensor([[4]]).item()).toBe(4);
    expect(thrown(() => t.item()).message).toBe("Tensor.item: expected one element, got shape [3, 2]");
  });

  test("toArray gives booleans for bool and numbers for uint8", () => {
    expect(tensor([[true], [false]]).toArray()).toEqual([[true], [false]]);
    expect(tensor(new Uint8Array([1, 0])).toArray()).toEqual([1, 0]);
    expect(tensor(2).toArray()).toBe(2);
    expect(tensor([], [2, 0]).toArray()).toEqual([[], []]);
    expect(tensor([], [0, 2]).toArray()).toEqual([]);
  });

  test("toString is short", () => {
    expect(String(tensor([1, 0.1]))).toBe("Tensor float32[2] [1, 0.1]");
    expect(String(tensor(new Float32Array(1000)))).toBe("Tensor float32[1000] [0, 0, 0, 0, 0, 0, ...]");
    expect(String(tensor(Number.NaN))).toBe("Tensor float32[] [NaN]");
  });

  test("size and rank", () => {
    expect([t.size, t.rank, tensor(1).size, tensor(1).rank, tensor([]).size]).toEqual([6, 2, 1, 0, 0]);
  });
});

test("memory that is not there is an error that says so", () => {
  expect(thrown(() => allocateHost("float32", 2 ** 40))).toMatchObject({
    code: "OUT_OF_MEMORY",
    message: expect.stringContaining("1099511627776 elements of float32"),
  });
  const huge = new Variable([2 ** 20, 2 ** 20], "float32", { name: "huge" });
  expect(thrown(() => huge.read())).toMatchObject({ code: "OUT_OF_MEMORY" });
});
