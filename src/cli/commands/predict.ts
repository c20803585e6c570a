// npx myelin predict: the target's column for every row of a file.

import { MyelinError, unknownName } from "../../core/errors.ts";
import { Table } from "../../data/table.ts";
import { writeText } from "../../models/plot/file.ts";
import { loadTabular } from "../../tabular/loading.ts";
import type { Scores } from "../../tabular/scores.ts";
import type { TabularModel } from "../../tabular/tabular-model.ts";
import type { Command, Writer } from "../command.ts";
import { figuresOf } from "../describe.ts";
import { readTable, TABLE_OPTIONS, toCsv } from "../files.ts";

export const predict: Command = {
  name: "predict",
  summary: "Predicts the target for the rows of a CSV or Parquet file",
  positionals: [
    { name: "model", help: "the folder that train wrote" },
    { name: "data", help: 'a .csv, .csv.gz, .tsv or .parquet file, or "-" for standard input' },
  ],
  options: {
    output: { type: "text", short: "o", value: "FILE", help: "where the CSV goes (default standard output)" },
    keep: { type: "list", value: "A,B,...", help: 'columns of the data to put in front; "all" for all' },
    probabilities: { type: "flag", help: "a column for the probability of each label" },
    ...TABLE_OPTIONS,
  },
  examples: [
    ["predict titanic.myelin new.csv", "a column of predictions and their probabilities"],
    [
      "predict titanic.myelin new.csv --keep name,age -o predicted.csv",
      "beside columns of the data, to a file",
    ],
    ["predict housing.myelin test.csv --json", "as JSON; where the data have the target, with scores"],
  ],
  async run(given, { out, err }) {
    const tabular = await loadTabular(String(given.model));
    const table = await readTable(String(given.data), given, tabular.types);
    if (table.numRows === 0) throw new MyelinError("INVALID_DATA", `${given.data}: expected rows, got none`);
    const predicted = await tabular.predict(table, { probabilities: given.probabilities === true });
    const { name } = tabular.target;
    const isKnown = table.names.includes(name) && table.countMissing(name) < table.numRows;
    const scores = isKnown ? await scored(tabular, table, err) : undefined;
    if (given.json) {
      out.write(`${JSON.stringify({ predictions: [...predicted], scores })}\n`);
      return;
    }
    const kept = keptColumns(table, given.keep as readonly string[] | undefined);
    const all = new Map<string, Parameters<typeof Table.fromColumns>[0][string]>();
    for (const column of kept) all.set(column, columnOf(table, column));
    // The truth keeps its name, what is predicted takes another.
    for (const column of predicted.names)
      all.set(all.has(column) ? `predicted ${column}` : column, columnOf(predicted, column));
    const text = toCsv(Table.fromColumns(Object.fromEntries(all)));
    if (given.output === undefined) out.write(text);
    else {
      await writeText(String(given.output), text);
      err.write(`wrote ${predicted.numRows} rows to ${given.output}\n`);
    }
    if (scores) {
      const figures = figuresOf(scores).map(([figure, value]) => `${figure} ${value}`);
      err.write(`${scores.rows} rows have ${name}: ${figures.join(", ")}\n`);
    }
  },
};

/** Data may name labels in other ways: that is no reason to give no predictions. */
async function scored(tabular: TabularModel, table: Table, err: Writer): Promise<Scores | undefined> {
  try {
    return await tabular.evaluate(table);
  } catch (error) {
    if ((error as MyelinError).code !== "INVALID_DATA") throw error;
    err.write(`not scored: ${(error as Error).message}\n`);
    return undefined;
  }
}

function keptColumns(table: Table, keep: readonly string[] = []): readonly string[] {
  if (keep.length === 1 && keep[0] === "all") return table.names;
  for (const name of keep)
    if (!table.names.includes(name)) throw unknownName("--keep", "column", name, table.names);
  return keep;
}

function columnOf(table: Table, name: string) {
  const values = table.column(name);
  return table.type(name) === "boolean" ? Array.from(values as Uint8Array, Boolean) : values;
}
