// FeatureSpace: each kind of column, tables, crosses, JSON, what is refused.

import { expect, it } from "vitest";
import { layers, Table } from "../../src/index.ts";
import { thrown } from "../helpers/thrown.ts";

const columns = {
  age: [10, 20, 30],
  pay: [1, 5, 9],
  job: ["smith", "baker", "smith"],
  code: [7, 7, 9],
  town: ["x", "y", "z"],
};
const features = {
  age: "floatNormalized",
  pay: { kind: "floatDiscretized", numBins: 3 },
  job: "stringCategorical",
  code: "integerCategorical",
  town: { kind: "stringHashed", numBins: 4 },
} as const;

it("puts every kind of column side by side", () => {
  const space = layers.featureSpace({ features, crosses: [{ features: ["job", "town"], dim: 5 }] });
  space.adapt(columns);
  const rows = space.encode(columns).toArray() as number[][];
  expect(rows[0]).toHaveLength(1 + 3 + 3 + 3 + 4 + 5);
  expect(rows.map((r) => r[0]!.toFixed(3))).toEqual(["-1.225", "0.000", "1.225"]);
  expect(rows.map((r) => r.slice(1, 4))).toEqual([[1, 0, 0], [0, 1, 0], [0, 0, 1]]); // biome-ignore format: rows
  expect(rows.map((r) => r.slice(4, 7))).toEqual([[0, 1, 0], [0, 0, 1], [0, 1, 0]]); // biome-ignore format: rows
  expect(rows.map((r) => r.slice(7, 10))).toEqual([[0, 1, 0], [0, 1, 0], [0, 0, 1]]); // biome-ignore format: rows
  for (const r of rows) expect(r.slice(10).reduce((a, b) => a + b, 0)).toBe(2);
});

it("takes tables, knows unknown categories, and comes back from JSON", () => {
  const space = layers.featureSpace({ features });
  const table = Table.fromColumns(columns as never);
  space.adapt(table);
  expect(space.encode(table)).toEqual(space.encode(columns));
  const json = JSON.parse(JSON.stringify(space.toJSON())) as ReturnType<typeof space.toJSON>;
  const again = layers.featureSpaceFromJSON(json);
  const fresh = { ...columns, job: ["poet", "smith", "smith"], code: [1, 9, 7] };
  expect(again.encode(fresh)).toEqual(space.encode(fresh));
  expect((again.encode(fresh).toArray() as number[][])[0]!.slice(4, 7)).toEqual([1, 0, 0]);
});

it("says which words a text has", () => {
  const space = layers.featureSpace({ features: { note: { kind: "text", maxTokens: 3 } } });
  space.adapt({ note: ["ripe fruit", "Ripe, ripe!", "fruit"] });
  const again = layers.featureSpaceFromJSON(JSON.parse(JSON.stringify(space)));
  // Unknown words, then by frequency: ripe, fruit.
  const rows = again.encode({ note: ["fruit salad", "ripe ripe", ""] }).toArray();
  expect(rows).toEqual([[1, 0, 1], [0, 1, 0], [0, 0, 0]]); // biome-ignore format: rows
});

it("refuses what it does not know", () => {
  const wrong: [() => unknown, RegExp][] = [
    [() => layers.featureSpace({ features: {} }), /expected features by name/],
    [() => layers.featureSpace({ features: { a: "number" as never } }), /a: unknown kind "number"/],
    [
      () => layers.featureSpace({ features: { a: { kind: "float", bins: 3 } as never } }),
      /unknown option "bins"/,
    ],
    [
      () => layers.featureSpace({ features: { a: "float" }, crosses: [{ features: ["a", "b"], dim: 3 }] }),
      /crosses of its features, got "b"/,
    ],
    [() => layers.featureSpace({ features: { a: "float" } }).encode({ b: [1] }), /expected a column "a"/],
    [
      () => layers.featureSpace({ features: { a: "float", b: "float" } }).encode({ a: [1], b: [1, 2] }),
      /columns of 1 rows/,
    ],
    [
      () => layers.featureSpace({ features: { a: "stringCategorical" } }).encode({ a: ["x"] }),
      /expected a vocabulary/,
    ],
  ];
  for (const [call, message] of wrong) expect(thrown(call).message).toMatch(message);
});
