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
import { type ColumnPlan, cellTexts, DAY, parseDate } from "./columns.ts";
import { logarithm } from "./statistics.ts";

/** Stands for a category that is not known; no cell of a file can be it. */
const OTHER = "\u0000other";
/** Likewise for a missing cell. */
const MISSING = "\u0000missing";

type Values = Float64Array | readonly string[];

/** One input of the feature space, of a part of a column: "age/value", "age/missing". */
interface Part {
  readonly key: string;
  readonly options: FeatureOptions;
  readonly values: (cells: Cells) => Values;
}

/** The cells of one column, on demand. */
interface Cells {
  readonly numbers: () => Float64Array;
  readonly texts: () => string[];
  readonly times: () => Float64Array;
}

export class TabularEncoder {
  readonly columns: readonly ColumnPlan[];
  private readonly parts: readonly (readonly Part[])[];
  private readonly space: FeatureSpace;

  constructor(columns: readonly ColumnPlan[], known?: unknown) {
    this.columns = columns;
    this.parts = columns.map(partsOf);
    const features = Object.fromEntries(this.parts.flat().map(({ key, options }) => [key, options]));
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
    const all: [string, Values][] = [];
    this.columns.forEach((column, i) => {
      const cells = cellsOf(table, column);
      for (const { key, values } of this.parts[i]!) all.push([key, values(cells)]);
    });
    return Object.fromEntries(all);
  }
}

function cellsOf(table: Table, { name }: ColumnPlan): Cells {
  const where = `column ${describe(name)}`;
  const numbers = () => {
    if (table.type(name) === "string" && table.countMissing(name) < table.numRows) {
      const text = table.strings(name).find((cell) => cell !== "");
      throw new MyelinError("INVALID_DATA", `${where}: expected numbers, got text such as ${describe(text)}`);
    }
    return table.type(name) === "string"
      ? new Float64Array(table.numRows).fill(Number.NaN)
      : Float64Array.from(table.numbers(name));
  };
  const texts = () => cellTexts(table, name);
  const times = () =>
    Float64Array.from(table.strings(name), (text, row) => {
      const time = parseDate(text);
      if (!Number.isNaN(time) || text === "") return time;
      throw new MyelinError(
        "INVALID_DATA",
        `${where}, row ${row + 1}: expected a date such as 2026-01-31, got ${describe(text)}`,
      );
    });
  return { numbers, texts, times };
}

function partsOf(column: ColumnPlan): Part[] {
  const { name, kind, hasMissing } = column;
  const missing = (isMissing: (cells: Cells) => Float64Array): Part[] =>
    hasMissing ? [{ key: `${name}/missing`, options: { kind: "float" }, values: isMissing }] : [];
  const isGap = (v: number): number => (Number.isNaN(v) ? 1 : 0);
  switch (kind) {
    case "number": {
      const { fill = 0, isLogarithmic = false } = column;
      const read = (v: number): number => {
        const known = Number.isNaN(v) ? fill : v;
        return isLogarithmic ? logarithm(known) : known;
      };
      return [
        {
          key: `${name}/value`,
          options: { kind: "floatNormalized" },
          values: ({ numbers }) => numbers().map(read),
        },
        ...missing(({ numbers }) => numbers().map(isGap)),
      ];
    }
    case "category": {
      const known = new Set(column.categories);
      const read = (text: string): string =>
        text === "" ? (known.has("") ? MISSING : OTHER) : known.has(text) ? text : OTHER;
      return [
        {
          key: `${name}/value`,
          options: { kind: "stringCategorical" },
          values: ({ texts }) => texts().map(read),
        },
      ];
    }
    case "text":
      return [
        {
          key: `${name}/words`,
          options: { kind: "text", maxTokens: column.maxWords ?? 1000 },
          values: ({ texts }) => texts(),
        },
        ...missing(({ texts }) => Float64Array.from(texts(), (t) => (t === "" ? 1 : 0))),
      ];
    case "date": {
      const { fill = 0 } = column;
      const part = (of: string, options: FeatureOptions, read: (date: Date) => number | string): Part => ({
        key: `${name}/${of}`,
        options,
        values: ({ times }) => {
          const values = Array.from(times(), (t) => read(new Date(Number.isNaN(t) ? fill : t)));
          return options.kind === "floatNormalized"
            ? Float64Array.from(values as number[])
            : values.map(String);
        },
      });
      const day = part("day", { kind: "floatNormalized" }, (d) => d.getTime() / DAY);
      const month = part("month", { kind: "stringCategorical" }, (d) => d.getUTCMonth() + 1);
      const weekday = part("weekday", { kind: "stringCategorical" }, (d) => d.getUTCDay());
      const hour = part("hour", { kind: "stringCategorical" }, (d) => d.getUTCHours());
      const parts = [day, month, weekday, ...(column.hasTime ? [hour] : [])];
      return [...parts, ...missing(({ times }) => times().map(isGap))];
    }
  }
}
