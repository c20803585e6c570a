// TabularEncoder: a table's columns as one row of numbers each, by their plans. Missing cells, magnitudes and dates are dealt
// with here; what numbers, categories and words become is layers.featureSpace's business.

import { describe, MyelinError } from "../core/errors.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Table } from "../data/table.ts";
import {
  type FeatureOptions,
  type FeatureSpace,
  featureSpace,
  featureSpaceFromJSON,
} from "../layers/preprocessing/feature-space.ts";
import { type ColumnPlan, cellTexts, DAY, timesOf } from "./columns.ts";
import { logarithm } from "./statistics.ts";

/** Stands for a category that is not known; no cell of a file can be it. */
const OTHER = "\u0000other";
/** Likewise for a missing cell. */
const MISSING = "\u0000missing";

type Values = Float64Array | readonly string[];

/** How a column becomes inputs of the feature space ("age/value", "age/missing"): what each is, and their values. */
interface ColumnReader {
  readonly inputs: readonly (readonly [key: string, options: FeatureOptions])[];
  /** One for each of the inputs, in their order. */
  read(table: Table): readonly Values[];
}

export class TabularEncoder {
  readonly columns: readonly ColumnPlan[];
  private readonly readers: readonly ColumnReader[];
  private readonly space: FeatureSpace;

  constructor(columns: readonly ColumnPlan[], known?: unknown) {
    this.columns = columns;
    this.readers = columns.map(readerOf);
    const features = Object.fromEntries(this.readers.flatMap((r) => r.inputs));
    this.space =
      known === undefined
        ? featureSpace({ features })
        : featureSpaceFromJSON({ options: { features }, known: known as Record<string, unknown> });
  }

  adapt(table: Table): void {
    this.space.adapt(this.values(table));
  }

  /** float32 [rows, numbers of all columns]. @throws INVALID_DATA a column is missing or of another type */
  encode(table: Table): Tensor {
    return this.space.encode(this.values(table));
  }

  /** What was learnt of the data. */
  get known(): Record<string, unknown> {
    return this.space.toJSON().known;
  }

  private values(table: Table): Record<string, Values> {
    const { names } = table;
    const absent = this.columns.map((c) => c.name).filter((name) => !names.includes(name));
    if (absent.length > 0) {
      throw new MyelinError(
        "INVALID_DATA",
        `expected the columns that the model was trained on, got none of ${absent.map(describe).join(", ")}; there are ${names.join(", ")}`,
      );
    }
    const all = this.readers.flatMap(({ inputs, read }) => {
      const values = read(table);
      return inputs.map(([key], i) => [key, values[i]!] as const);
    });
    return Object.fromEntries(all);
  }
}

/** @throws INVALID_DATA text */
function numbersOf(table: Table, name: string): Float64Array {
  if (table.type(name) !== "string") return Float64Array.from(table.numbers(name));
  const text = table.strings(name).find((cell) => cell !== "");
  if (text === undefined) return new Float64Array(table.numRows).fill(Number.NaN);
  throw new MyelinError(
    "INVALID_DATA",
    `column ${describe(name)}: expected numbers, got text such as ${describe(text)}`,
  );
}

function readerOf(column: ColumnPlan): ColumnReader {
  const { name, kind, fill = 0 } = column;
  const missing: ColumnReader["inputs"] = column.hasMissing ? [[`${name}/missing`, { kind: "float" }]] : [];
  const gaps = (cells: Float64Array) => cells.map((v) => (Number.isNaN(v) ? 1 : 0));
  const filled = (cells: Float64Array) => cells.map((v) => (Number.isNaN(v) ? fill : v));
  switch (kind) {
    case "number":
      return {
        inputs: [[`${name}/value`, { kind: "floatNormalized" }], ...missing],
        read(table) {
          const cells = numbersOf(table, name);
          const known = filled(cells);
          return [column.isLogarithmic ? known.map(logarithm) : known, gaps(cells)];
        },
      };
    case "category": {
      const known = new Set(column.categories);
      const read = (text: string): string => (known.has(text) ? text || MISSING : OTHER);
      return {
        inputs: [[`${name}/value`, { kind: "stringCategorical" }]],
        read: (table) => [cellTexts(table, name).map(read)],
      };
    }
    case "text":
      return {
        inputs: [[`${name}/words`, { kind: "text", maxTokens: column.maxWords ?? 1000 }], ...missing],
        read(table) {
          const texts = cellTexts(table, name);
          return [texts, Float64Array.from(texts, (t) => (t === "" ? 1 : 0))];
        },
      };
    case "date": {
      const categories = ["month", "weekday", ...(column.hasTime ? ["hour"] : [])];
      return {
        inputs: [
          [`${name}/day`, { kind: "floatNormalized" }],
          ...categories.map((part) => [`${name}/${part}`, { kind: "stringCategorical" }] as const),
          ...missing,
        ],
        read(table) {
          const cells = timesOf(table, name);
          const times = filled(cells);
          const dates = Array.from(times, (t) => new Date(t));
          const month = dates.map((d) => String(d.getUTCMonth() + 1));
          const weekday = dates.map((d) => String(d.getUTCDay()));
          const hour = column.hasTime ? [dates.map((d) => String(d.getUTCHours()))] : [];
          return [times.map((t) => t / DAY), month, weekday, ...hour, gaps(cells)];
        },
      };
    }
  }
}
