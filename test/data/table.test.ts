// Table: columns of every type, what changes rows and columns, tensors and data sets from it, and misuse.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Table } from "../../src/index.ts";
import { thrown } from "../helpers/thrown.ts";

const table = Table.fromColumns({
  age: [22, null, 26, 35],
  rank: Int32Array.of(3, 1, 3, 1),
  sex: ["m", "f", "", "f"],
  alive: [false, true, true, true],
});

describe("columns", () => {
  it("finds types and gives values back", () => {
    expect(table.names.map((n) => table.type(n))).toEqual(["number", "integer", "string", "boolean"]);
    expect([...table.column("age")]).toEqual([22, Number.NaN, 26, 35]);
    expect(table.column("sex")).toEqual(["m", "f", "", "f"]);
    expect(Array.from(table.numbers("alive"))).toEqual([0, 1, 1, 1]);
    expect(table.strings("age")).toEqual(["22", "", "26", "35"]);
    expect(table.categories("sex")).toEqual(["m", "f", ""]);
    expect(Array.from(table.codes("sex"))).toEqual([0, 1, 2, 1]);
    expect(Array.from(table.codes("sex", ["f", "m"]))).toEqual([1, 0, -1, 0]);
    expect(table.countMissing("age")).toBe(1);
    expect(table.countMissing("sex")).toBe(1);
    expect(Table.fromColumns({ big: [2 ** 31] }).type("big")).toBe("number");
    expect(Table.fromColumns({ float: Float32Array.of(0.5), byte: Uint8Array.of(7) }).row(0)).toEqual({
      float: 0.5,
      byte: 7,
    });
  });

  it("selects, drops, renames, adds and fills", () => {
    expect(table.select(["sex", "age"]).names).toEqual(["sex", "age"]);
    expect(table.drop(["sex"]).names).toEqual(["age", "rank", "alive"]);
    expect(table.rename({ sex: "gender" }).names).toEqual(["age", "rank", "gender", "alive"]);
    const more = table.withColumn("both", (row, i) => (row.rank as number) * 10 + i);
    expect([...more.column("both")]).toEqual([30, 11, 32, 13]);
    expect(table.withColumn("sex", ["a", "b", "c", "d"]).names).toEqual(table.names);
    expect(table.fillMissing("age", "median").row(1).age).toBe(26);
    expect(table.fillMissing("age", "mean").row(1).age).toBeCloseTo(83 / 3);
    expect(table.fillMissing("age", -1).row(1).age).toBe(-1);
    expect(table.fillMissing("sex", "x").column("sex")).toEqual(["m", "f", "x", "f"]);
    expect(table.fillMissing("rank", 9)).toBe(table);
  });

  it("makes tensors", () => {
    const t = table.toTensor(["alive", "rank", "age"]);
    expect([t.shape, t.dtype]).toEqual([[4, 3], "float32"]);
    expect(t.toArray()[1 as never]).toEqual([1, 1, Number.NaN]);
    expect(table.select([]).toTensor().shape).toEqual([4, 0]);
  });

  it("makes data sets of rows, batched by column", async () => {
    const [row] = await table.toDataset().toArray();
    expect(row).toEqual({ age: 22, rank: 3, sex: "m", alive: false });
    const [batch] = await table.toDataset(["rank", "sex"]).batch(3).toArray();
    expect(batch).toMatchObject({ sex: ["m", "f", ""], rank: { dtype: "int32", shape: [3] } });
  });
});

describe("rows", () => {
  it("slices, takes, filters and walks", () => {
    expect([...table.slice(-2)].map((r) => r.age)).toEqual([26, 35]);
    expect(table.slice(3, 1).numRows).toBe(0);
    expect(table.take([2, 0, 2]).column("sex")).toEqual(["", "m", ""]);
    expect(table.filter((r) => r.rank === 1).numRows).toBe(2);
    expect(table.dropMissing().numRows).toBe(2);
    expect(table.dropMissing(["age"]).numRows).toBe(3);
    expect(table.map((r) => r.sex)).toEqual(["m", "f", "", "f"]);
    expect(table.row(1)).toEqual({ age: Number.NaN, rank: 1, sex: "f", alive: true });
    expect(Table.fromRows([...table.rows()]).column("sex")).toEqual(table.column("sex"));
    expect(Table.fromRows([{ a: 1 }, { b: "x" }]).row(1)).toEqual({ a: Number.NaN, b: "x" });
  });

  it("shuffles and splits rows as a whole", () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 50 }), fc.nat(), (n, seed) => {
        const ids = Array.from({ length: n }, (_, i) => i);
        const t = Table.fromColumns({ id: ids, name: ids.map((i) => `n${i}`) });
        const whole = (part: Table): boolean => part.map((r) => r.name === `n${r.id}`).every(Boolean);
        const mixed = t.shuffle({ seed });
        expect(Array.from(mixed.numbers("id")).sort((a, b) => a - b)).toEqual(ids);
        const [train, test] = t.split({ testSize: 0.4, seed });
        expect([whole(mixed), whole(train), whole(test)]).toEqual([true, true, true]);
        expect(train.numRows + test.numRows).toBe(n);
        expect(test.numRows).toBe(Math.ceil(n * 0.4));
      }),
    ));

  it("keeps the shares of a column when it splits", () => {
    const t = Table.fromColumns({ y: Array.from({ length: 100 }, (_, i) => (i < 20 ? "rare" : "often")) });
    const [, test] = t.split({ testSize: 0.25, stratify: "y", seed: 3 });
    expect(test.filter((r) => r.y === "rare").numRows).toBe(5);
  });

  it("prints its first rows", () => {
    expect(String(table.select(["age", "sex"]).slice(0, 2))).toBe(
      "Table of 2 rows\nage  sex\n22   m\nNaN  f",
    );
  });
});

it("refuses wrong use", () => {
  const of = (fn: () => unknown): string => thrown(fn).message;
  expect(of(() => table.column("agee"))).toBe('Table.column: unknown column "agee"; did you mean "age"?');
  expect(of(() => table.toTensor(["sex"]))).toContain('got text in column "sex"; use codes("sex")');
  expect(of(() => table.numbers("sex"))).toContain("expected numbers");
  expect(of(() => table.codes("age"))).toContain("expected a column of text");
  expect(of(() => table.withColumn("x", [1]))).toBe("Table.withColumn: x: expected 4 values, got 1");
  expect(of(() => table.take([4]))).toContain("expected rows from 0 to 3, got 4");
  expect(of(() => table.row(-1))).toContain("index");
  expect(of(() => table.rename({ age: "sex" }))).toContain('"sex" twice');
  expect(of(() => table.fillMissing("age", "mode"))).toContain('"mean" or "median"');
  expect(of(() => table.fillMissing("sex", 3))).toContain("expected a string");
  expect(of(() => Table.fromColumns({ a: [1, 2], b: [1] }))).toBe(
    'Table: expected 2 rows in column "b", got 1',
  );
  expect(of(() => Table.fromColumns({ a: [1, "x"] }))).toContain('got "x" in row 1');
  expect(of(() => Table.fromColumns({ a: [{} as never] }))).toContain("in row 0");
  expect(of(() => table.split({ testSize: 0 }))).toContain("testSize");
  expect(of(() => table.shuffle({ seeds: 1 } as never))).toContain("seeds");
});
