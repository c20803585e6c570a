// A model of a table as a service: rows by column name.

import { describe, MyelinError } from "../../core/errors.ts";
import type { Cell } from "../../data/columns.ts";
import { Table } from "../../data/table.ts";
import { isPlainObject } from "../../layers/nest.ts";
import type { ColumnPlan } from "../../tabular/columns.ts";
import type { TabularModel } from "../../tabular/tabular-model.ts";
import type { Service, ServiceOptions } from "./http.ts";

/** Characters of a cell in JSON with its name, text aside, with room. */
const BYTES_OF_CELL = 128;
const BYTES_OF_TEXT = 20_000;

export function tabularService(tabular: TabularModel, options: ServiceOptions): Service {
  const batcher = tabular.model.batcher(options);
  const { columns } = tabular;
  const bytes = columns.map((c) => c.name.length * 4 + (c.kind === "text" ? BYTES_OF_TEXT : BYTES_OF_CELL));
  return {
    batcher,
    example: { rows: [Object.fromEntries(columns.map((c) => [c.name, exampleOf(c)]))] },
    maxBytes: 1024 + options.maxBatch * bytes.reduce((a, b) => a + b, 0),
    async predict(body) {
      const rows = isPlainObject(body) ? body.rows : undefined;
      if (!Array.isArray(rows) || rows.length === 0) {
        throw new MyelinError("INVALID_DATA", `expected {"rows": [{...}, ...]}, got ${describe(body)}`);
      }
      const table = Table.fromColumns(
        Object.fromEntries(columns.map((column) => [column.name, cellsOf(column, rows)])),
      );
      const y = await batcher.predict(tabular.encode(table));
      return { predictions: [...tabular.decode(y, { probabilities: true })] };
    },
  };
}

/** A column of the rows, checked cell by cell. Null is missing; a name that is absent is a mistake. */
function cellsOf({ name, cells: type }: ColumnPlan, rows: readonly unknown[]): (Cell | null)[] {
  return rows.map((row, i) => {
    const wrong = (expected: string, got: unknown) =>
      new MyelinError("INVALID_DATA", `rows[${i}]: expected ${expected}, got ${describe(got)}`);
    if (!isPlainObject(row)) throw wrong("columns by name", row);
    if (!Object.hasOwn(row, name)) throw wrong(`${describe(name)} (null where it is not known)`, row);
    const cell = row[name];
    if (cell === null) return null;
    if (type === "string" ? typeof cell === "string" : typeof cell === "number") return cell as Cell;
    if (type === "boolean" && typeof cell === "boolean") return Number(cell);
    throw wrong(`${describe(name)} to be ${type === "string" ? "a string" : `a ${type}`} or null`, cell);
  });
}

function exampleOf({ kind, cells, categories, fill = 0 }: ColumnPlan): Cell {
  if (kind === "number") return fill;
  if (kind === "date") return new Date(fill).toISOString().slice(0, 10);
  const known = categories?.find((c) => c !== "") ?? "some words";
  return cells === "string" ? known : Number(known);
}
