// What the columns of a table are good for: found out once, on the table that is trained on, and kept with the model.

import { describe, MyelinError } from "../core/errors.ts";
import { median } from "../data/statistics.ts";
import type { Table } from "../data/table.ts";
import { logarithm, skewness } from "./statistics.ts";

/** How a column becomes numbers; see the table in docs/tabular.md. */
export type ColumnKind = "number" | "category" | "text" | "date";

export const COLUMN_KINDS: readonly ColumnKind[] = ["number", "category", "text", "date"];

/** A column that the model reads. Plain data. */
export interface ColumnPlan {
  readonly name: string;
  readonly kind: ColumnKind;
  /** What cells are. "boolean" also stands for numbers that are 0 and 1 only. */
  readonly cells: "number" | "boolean" | "string";
  /** Whether cells were missing in training: that they are is then an input of its own. */
  readonly hasMissing: boolean;
  /** number, date: what stands for a missing cell, the median. Dates in milliseconds since 1970. */
  readonly fill?: number;
  /** number: whether only orders of magnitude tell rows apart. */
  readonly isLogarithmic?: boolean;
  /** category: the cells that are known; others count as one further category. */
  readonly categories?: readonly string[];
  /** text: most words that are known. */
  readonly maxWords?: number;
  /** date: whether there are times of the day. */
  readonly hasTime?: boolean;
}

/** A column that the model does not read, and why. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

export interface ColumnPlans {
  readonly columns: readonly ColumnPlan[];
  readonly leftOut: readonly LeftOut[];
}

/** Whole numbers of no more distinct values are categories. */
const MAX_CATEGORIES_OF_NUMBERS = 10;
const MAX_CATEGORIES = 200;
/** Texts have so many words on average, and mostly differ. */
const WORDS_OF_TEXT = 3;
/** Rows from which a category can be learnt; rarer ones count as one. */
const ROWS_OF_CATEGORY = 5;
/** Share of rows that known categories must have, for the column to be worth reading. */
const LEAST_KNOWN = 0.1;

/** Milliseconds. */
export const DAY = 86_400_000;

const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/**
 * @param whole all rows, which say what columns are
 * @param table those that are trained on, which say how they are encoded
 * @param kinds those that are told, by column
 */
export function planColumns(
  whole: Table,
  table: Table,
  names: readonly string[],
  kinds: Readonly<Record<string, ColumnKind>>,
): ColumnPlans {
  const columns: ColumnPlan[] = [];
  const leftOut: LeftOut[] = [];
  for (const name of names) {
    const plan = planColumn(whole, table, name, kinds[name]);
    if (typeof plan === "string") leftOut.push({ name, reason: plan });
    else columns.push(plan);
  }
  return { columns, leftOut };
}

/** A plan, or why there is none. */
function planColumn(
  whole: Table,
  table: Table,
  name: string,
  told: ColumnKind | undefined,
): ColumnPlan | string {
  const missing = table.countMissing(name);
  if (missing === table.numRows) return "all cells are missing";
  const isText = table.type(name) === "string";
  if (isText ? new Set(table.strings(name)).size === 1 : isConstant(table.numbers(name)))
    return "it is the same in every row";
  const base = { name, hasMissing: missing > 0 };
  const kind = told ?? (isText ? kindOfTexts(whole, name) : kindOfNumbers(whole, name));
  if (kind === undefined) return "it numbers the rows";
  const cells = isText ? "string" : isTruth(table, name) ? "boolean" : "number";
  switch (kind) {
    case "number":
      return { ...base, kind, cells, ...planNumbers(name, table) };
    case "date":
      return { ...base, kind, cells: "string", ...planDates(name, table) };
    case "text": {
      // A word in every tenth row is the most that rows can tell about words.
      const maxWords = Math.min(2000, Math.max(32, Math.floor(table.numRows / 10)));
      return { ...base, kind, cells, maxWords };
    }
    case "category": {
      const categories = knownCategories(cellTexts(table, name), table.numRows);
      return told !== undefined || categories.share >= LEAST_KNOWN
        ? { ...base, kind, cells, categories: categories.known }
        : "nearly every row has a text of its own";
    }
  }
}

/** Undefined for what only numbers the rows. */
function kindOfNumbers(table: Table, name: string): ColumnKind | undefined {
  const values = table.numbers(name);
  const distinct = new Set<number>();
  let isWhole = true;
  for (const v of values) {
    if (Number.isNaN(v)) continue;
    isWhole &&= Number.isInteger(v);
    if (distinct.size <= MAX_CATEGORIES_OF_NUMBERS) distinct.add(v);
  }
  if (isWhole && distinct.size <= MAX_CATEGORIES_OF_NUMBERS) return "category";
  return isWhole && values.length > 2 && isCounting(values) ? undefined : "number";
}

function isCounting(values: ArrayLike<number>): boolean {
  const step = values[1]! - values[0]!;
  if (Math.abs(step) !== 1) return false;
  for (let i = 1; i < values.length; i++) if (values[i]! - values[i - 1]! !== step) return false;
  return true;
}

function kindOfTexts(table: Table, name: string): ColumnKind {
  const known = table.categories(name).filter((c) => c !== "");
  if (known.filter((c) => DATE.test(c)).length >= 0.95 * known.length) return "date";
  const words = known.reduce((sum, text) => sum + text.trim().split(/\s+/).length, 0) / known.length;
  const rows = table.numRows - table.countMissing(name);
  return words >= WORDS_OF_TEXT && known.length > rows / 2 ? "text" : "category";
}

function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (!Object.is(values[i], values[0])) return false;
  return true;
}

function isTruth(table: Table, name: string): boolean {
  return table.numbers(name).every((v) => v === 0 || v === 1 || Number.isNaN(v));
}

function planNumbers(name: string, table: Table): Pick<ColumnPlan, "fill" | "isLogarithmic"> {
  if (table.type(name) === "string") {
    throw new MyelinError(
      "DTYPE_MISMATCH",
      `column ${describe(name)}: expected numbers for kind "number", got text such as ${describe(table.categories(name).find((c) => c !== ""))}`,
    );
  }
  const known = Float64Array.from(table.numbers(name)).filter((v) => !Number.isNaN(v));
  const infinite = known.find((v) => !Number.isFinite(v));
  if (infinite !== undefined) {
    throw new MyelinError(
      "INVALID_DATA",
      `column ${describe(name)}: expected finite numbers, got ${describe(infinite)}`,
    );
  }
  const before = Math.abs(skewness(known));
  const after = Math.abs(skewness(known.map(logarithm)));
  return { fill: median(known.toSorted()), isLogarithmic: before > 2 && after < before / 2 };
}

function planDates(name: string, table: Table): Pick<ColumnPlan, "fill" | "hasTime"> {
  const known = timesOf(table, name).filter((t) => !Number.isNaN(t));
  return { fill: median(known.toSorted()), hasTime: known.some((t) => t % DAY !== 0) };
}

/** A column of dates in milliseconds since 1970, NaN where one is missing. @throws INVALID_DATA a cell that is no date */
export function timesOf(table: Table, name: string): Float64Array {
  return Float64Array.from(table.strings(name), (text, row) => {
    const time = parseDate(text);
    if (!Number.isNaN(time) || text === "") return time;
    throw new MyelinError(
      "INVALID_DATA",
      `column ${describe(name)}, row ${row + 1}: expected a date such as 2026-01-31 or 2026-01-31T12:00:00Z, got ${describe(text)}`,
    );
  });
}

/** Milliseconds since 1970, of UTC where a date says no zone; NaN for what is no date. */
function parseDate(text: string): number {
  if (!DATE.test(text)) return Number.NaN;
  const iso = text.replace(" ", "T");
  return Date.parse(/T/.test(iso) && !/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? `${iso}Z` : iso);
}

/** Cells as categories go by: booleans as 0 and 1, as files may write them either way. */
export function cellTexts(table: Table, name: string): string[] {
  return table.type(name) === "boolean" ? Array.from(table.numbers(name), String) : table.strings(name);
}

/** The frequent ones, and what share of rows they have. */
function knownCategories(cells: readonly string[], rows: number): { known: string[]; share: number } {
  const counts = new Map<string, number>();
  for (const cell of cells) counts.set(cell, (counts.get(cell) ?? 0) + 1);
  // Of few rows a category can have but few.
  const least = Math.min(ROWS_OF_CATEGORY, Math.ceil(rows / 20));
  const frequent = [...counts]
    .filter(([, count]) => count >= least)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, MAX_CATEGORIES);
  const share = frequent.reduce((sum, [, count]) => sum + count, 0) / rows;
  return { known: frequent.map(([cell]) => cell), share };
}
