// npx myelin train: from a file and the name of a column to a model and a report of it.

import { access, constants } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { MyelinError } from "../../core/errors.ts";
import { VERSION } from "../../core/version.ts";
import { writeText } from "../../models/plot/file.ts";
import { type TabularTraining, trainTabular } from "../../tabular/train.ts";
import { Callback } from "../../training/callback.ts";
import { type Command, type Given, type Io, UsageError } from "../command.ts";
import { caveatOf, describeColumns, figuresOf } from "../describe.ts";
import { readTable, TABLE_OPTIONS } from "../files.ts";
import { type Report, reportPage } from "../report/page.ts";
import { figure, percent, twoColumns } from "../text.ts";

export const train: Command = {
  name: "train",
  summary: "Trains a network to predict a column of a CSV or Parquet file; writes a model and a report",
  positionals: [{ name: "data", help: 'a .csv, .csv.gz, .tsv or .parquet file, or "-" for standard input' }],
  options: {
    target: { type: "text", short: "t", value: "COLUMN", help: "the column to predict (required)" },
    output: { type: "text", short: "o", value: "FOLDER", help: "where the model goes (default DATA.myelin)" },
    report: { type: "text", value: "FILE", help: "where the report goes (default DATA.html)" },
    test: { type: "text", value: "FILE", help: "rows to measure on that training does not see" },
    task: {
      type: "text",
      value: "NAME",
      help: "classification or regression (default by the target's values)",
    },
    features: { type: "list", value: "A,B,...", help: "columns to read (default all but the target)" },
    ignore: { type: "list", value: "A,B,...", help: "columns not to read" },
    kind: { type: "list", value: "A=KIND", help: "what a column is: number, category, text or date" },
    "validation-split": {
      type: "number",
      value: "SHARE",
      help: "of the rows, held back (default 0.2)",
    },
    epochs: { type: "number", value: "N", help: "at most (default 100)" },
    patience: { type: "number", value: "N", help: "epochs without improvement until it stops (default 10)" },
    "hidden-units": { type: "list", value: "A,B,...", help: "widths of the hidden layers (default 128,64)" },
    dropout: { type: "number", value: "SHARE", help: "default 0.1" },
    "learning-rate": { type: "number", value: "X", help: "default 0.002" },
    "batch-size": { type: "number", value: "N", help: "default 32 to 256, by the number of rows" },
    seed: { type: "number", value: "N", help: "rules everything that is drawn (default 0)" },
    ...TABLE_OPTIONS,
  },
  examples: [
    ["train titanic.csv --target survived", "writes titanic.myelin and titanic.html"],
    ["train houses.csv.gz -t price --ignore id --hidden-units 256,128", "a number, without the column id"],
    [
      "train adult-train.csv -t income --test adult-test.csv --json",
      "measured on another file, for programs",
    ],
  ],
  async run(given, io) {
    const data = String(given.data);
    if (given.target === undefined) throw new UsageError("--target is missing: the column to predict");
    const stem = data === "-" ? "model" : basename(data).replace(/(\.(csv|tsv|parquet|txt))?(\.gz)?$/i, "");
    const { output = `${stem}.myelin`, report = `${stem}.html` } = given as Record<string, string>;
    const options = trainOptions(given);
    const test = given.test as string | undefined;
    await checkPlaces(test, [output, report]);
    const human = given.json ? undefined : io.out;

    const table = await readTable(data, given);
    human?.write(`${data}: ${figure(table.numRows)} rows, ${table.names.length} columns\n`);
    const from = performance.now();
    const training = await trainTabular(table, {
      ...options,
      target: String(given.target),
      verbose: human ? (human.isTTY ? 1 : 2) : 0,
      stream: human ?? io.err,
      callbacks: [new StopWhenAsked(io)],
    });
    const seconds = (performance.now() - from) / 1000;
    const { tabular, validation } = training;
    const isNumber = tabular.target.task === "regression";
    const found: Report = {
      training,
      importance: await tabular.importance(validation, { seed: options.seed ?? 0 }),
      predicted: isNumber ? (await tabular.predict(validation)).numbers(tabular.target.name) : undefined,
      test: test === undefined ? undefined : await measured(test, given, training),
      file: basename(data),
      modelPath: output,
      seconds,
      version: VERSION,
    };
    await tabular.save(output);
    await writeText(report, reportPage(found));
    if (human) human.write(`${inWords(found)}model   ${output}\nreport  ${report}\n`);
    else io.out.write(`${JSON.stringify(asData(found, report), null, 2)}\n`);
  },
};

/** What would fail after the training should fail before it. */
async function checkPlaces(test: string | undefined, written: readonly string[]): Promise<void> {
  const places: (readonly [string, number])[] = written.map((path) => [dirname(path), constants.W_OK]);
  if (test !== undefined) places.push([test, constants.R_OK]);
  for (const [place, mode] of places) {
    await access(place, mode).catch((cause) => {
      const what = mode === constants.R_OK ? "read" : "written to";
      throw new MyelinError("INVALID_FILE", `${place}: cannot be ${what} (${cause.message})`, { cause });
    });
  }
}

function asData({ training, importance, test, modelPath, seconds }: Report, report: string) {
  const { tabular, train, validation, scores, history, bestEpoch } = training;
  const { target, columns, leftOut } = tabular;
  const rows = { train: train.numRows, validation: validation.numRows };
  return { model: modelPath, report, seconds, rows, target, columns, leftOut, scores, test, importance, bestEpoch, history }; // biome-ignore format: one line
}

function inWords({ training: { tabular, scores }, importance, test }: Report): string {
  const block = (title: string, rows: readonly (readonly [string, string])[]) =>
    `${title}\n${twoColumns(rows).join("\n")}\n`;
  const isShare = scores.task === "classification";
  const counts = importance
    .slice(0, 8)
    .map(({ column, loss }) => [column, isShare ? percent(loss) : figure(loss)] as const);
  const caveat = caveatOf(tabular);
  return [
    "",
    `${describeColumns(tabular)}\n`,
    block(
      `On ${figure(scores.rows)} validation rows, which decided when training stopped`,
      figuresOf(scores),
    ),
    ...(test
      ? [block(`On ${figure(test.scores.rows)} rows of ${test.file}, given by --test`, figuresOf(test.scores))] // biome-ignore format: one line
      : []),
    ...(caveat ? [`${caveat}\n`] : []),
    block(
      `Permutation importance: ${isShare ? "accuracy lost" : "growth of the error"} when a column is shuffled`,
      counts,
    ),
    "",
  ].join("\n");
}

/** The first wish to end ends the training after its epoch; what follows is still done, with the best weights so far. */
class StopWhenAsked extends Callback {
  constructor(private readonly io: Io) {
    super();
  }

  override onEpochEnd(): void {
    if (!this.io.interrupt.aborted || this.model.stopTraining) return;
    this.model.stopTraining = true;
    this.io.err.write("stopping here; Ctrl-C again to drop everything\n");
  }
}

async function measured(file: string, given: Given, { tabular }: TabularTraining) {
  const scores = await tabular.evaluate(await readTable(file, given, tabular.types));
  return { file: basename(file), scores };
}

function trainOptions(given: Given) {
  const {
    task,
    features,
    ignore,
    validationSplit,
    epochs,
    patience,
    dropout,
    learningRate,
    batchSize,
    seed,
  } = given as Record<string, never>;
  const kinds = Object.fromEntries(
    ((given.kind ?? []) as string[]).map((text) => {
      const at = text.lastIndexOf("=");
      if (at < 1) throw new UsageError(`--kind is COLUMN=KIND, got ${JSON.stringify(text)}`);
      return [text.slice(0, at), text.slice(at + 1) as never];
    }),
  );
  const hiddenUnits = (given.hiddenUnits as string[] | undefined)?.map(Number);
  return { task, features, ignore, kinds, validationSplit, epochs, patience, dropout, learningRate, batchSize, seed, hiddenUnits }; // biome-ignore format: one line
}
