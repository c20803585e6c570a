// Columns of a Table: numbers in typed arrays, text as codes into a list of the distinct strings.

import { describe, MyelinError } from "../core/errors.ts";

export type ColumnType = "integer" | "number" | "boolean" | "string";

/** What a cell is in JavaScript. A missing number is NaN, a missing string "". */
export type Cell = number | boolean | string;

/** A column's memory. Text: `data` are codes, and code c stands for `categories[c]`. */
export type Column =
  | { readonly type: "integer"; readonly data: Int32Array }
  | { readonly type: "number"; readonly data: Float64Array }
  | { readonly type: "boolean"; readonly data: Uint8Array }
  | { readonly type: "string"; readonly data: Int32Array; readonly categories: readonly string[] };

/** What makes a column: typed arrays, or lists of numbers, booleans or strings. */
export type ColumnValues = Float32Array | Float64Array | Int32Array | Uint8Array | readonly Cell[];

const INT_MAX = 2 ** 31 - 1;

/** A column of the narrowest type that holds the values. null and undefined are missing. */
export function columnOf(where: string, values: ArrayLike<unknown>): Column {
  if (values instanceof Float64Array) return { type: "number", data: values };
  if (values instanceof Int32Array) return { type: "integer", data: values };
  if (values instanceof Float32Array) return { type: "number", data: Float64Array.from(values) };
  if (values instanceof Uint8Array) return { type: "integer", data: Int32Array.from(values) };
  const list = Array.from(values);
  const kinds = new Set(list.map((v) => (v === null || v === undefined ? "missing" : typeof v)));
  const has = (...only: string[]): boolean => [...kinds].every((k) => only.includes(k));
  if (has("boolean") && list.length > 0)
    return { type: "boolean", data: Uint8Array.from(list as never[], Number) };
  if (has("string", "missing") && kinds.has("string"))
    return textColumn(list.map((v) => (v ?? "") as string));
  if (has("number", "missing", "boolean")) {
    const numbers = list.map((v) => (v === null || v === undefined ? Number.NaN : Number(v)));
    const whole = numbers.every((v) => Number.isInteger(v) && Math.abs(v) <= INT_MAX && !Object.is(v, -0));
    return whole
      ? { type: "integer", data: Int32Array.from(numbers) }
      : { type: "number", data: Float64Array.from(numbers) };
  }
  const first = typeof list.find((v) => v !== null && v !== undefined);
  const odd = list.findIndex((v) => v !== null && v !== undefined && typeof v !== first);
  const at = odd < 0 ? list.findIndex((v) => v !== null && v !== undefined) : odd;
  throw new MyelinError(
    "INVALID_DATA",
    `${where}: expected numbers, booleans or strings throughout, got ${describe(list[at])} in row ${at}`,
  );
}

/** Text as codes in order of first appearance. */
export function textColumn(values: readonly string[]): Column {
  const codeOf = new Map<string, number>();
  const data = Int32Array.from(values, (v) => {
    let code = codeOf.get(v);
    if (code === undefined) {
      code = codeOf.size;
      codeOf.set(v, code);
    }
    return code;
  });
  return { type: "string", data, categories: [...codeOf.keys()] };
}

export function cellAt(column: Column, row: number): Cell {
  if (column.type === "string") return column.categories[column.data[row]!]!;
  return column.type === "boolean" ? column.data[row] !== 0 : column.data[row]!;
}

export function pickRows(column: Column, rows: ArrayLike<number>): Column {
  const data = new (column.data.constructor as Float64ArrayConstructor)(rows.length);
  for (let i = 0; i < rows.length; i++) data[i] = column.data[rows[i]!]!;
  return { ...column, data } as unknown as Column;
}

export function sliceRows(column: Column, begin: number, end: number): Column {
  return { ...column, data: column.data.slice(begin, end) } as Column;
}

export function isMissing(column: Column, row: number): boolean {
  if (column.type === "string") return column.categories[column.data[row]!] === "";
  return column.type === "number" && Number.isNaN(column.data[row]!);
}
