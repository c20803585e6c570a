// What a tabular model reads and how it fared, in words.

import type { ColumnPlan } from "../tabular/columns.ts";
import type { Scores } from "../tabular/scores.ts";
import type { TabularModel } from "../tabular/tabular-model.ts";
import { figure, percent, twoColumns } from "./text.ts";

export function describePlan(column: ColumnPlan): string {
  const gaps = column.hasMissing ? ", may be missing" : "";
  switch (column.kind) {
    case "number":
      return `number${column.isLogarithmic ? ", by its logarithm" : ""}${gaps}`;
    case "category": {
      const known = column.categories!.filter((c) => c !== "").length;
      return known === 0 ? "whether it is there" : `one of ${known} categories${gaps}`;
    }
    case "text":
      return `text, by its words${gaps}`;
    case "date":
      return `date${column.hasTime ? " and time" : ""}${gaps}`;
  }
}

export function describeTarget({ target }: TabularModel): string {
  if (target.task === "regression")
    return `${target.name}, a number${target.isLogarithmic ? ", by its logarithm" : ""}`;
  const { labels } = target;
  const named = labels.slice(0, 6).join(", ");
  return `${target.name}, one of ${labels.length} labels: ${named}${labels.length > 6 ? ", ..." : ""}`;
}

export function describeColumns(tabular: TabularModel): string {
  const read = tabular.columns.map((c) => [c.name, describePlan(c)] as const);
  const left = tabular.leftOut.map((l) => [l.name, l.reason] as const);
  return [
    `Predicts ${describeTarget(tabular)}`,
    "",
    "Reads",
    ...twoColumns(read),
    ...(left.length > 0 ? ["Leaves out", ...twoColumns(left)] : []),
  ].join("\n");
}

/** What to think of the scores on validation rows. */
export function caveatOf({ columns }: TabularModel): string {
  const dates = columns.filter((c) => c.kind === "date").map((c) => c.name);
  return dates.length === 0
    ? ""
    : `Rows are held back at random, also between others by ${dates.join(", ")}: to know how well later rows are predicted, keep them in a file of their own and give it by --test.`;
}

/** Figures of a score by name, most telling first. */
export function figuresOf(scores: Scores): [name: string, value: string][] {
  if (scores.task === "classification") {
    return [
      ["accuracy", percent(scores.accuracy)],
      ["always the most frequent label", percent(scores.baseline)],
      ...(scores.auc === undefined
        ? []
        : [["area under the ROC curve", scores.auc.toFixed(3)] as [string, string]]),
      ["F1, mean of labels", scores.f1.toFixed(3)],
      ["cross-entropy", scores.crossentropy.toFixed(3)],
    ];
  }
  return [
    ["root mean squared error", figure(scores.rootMeanSquaredError)],
    ["always the mean", figure(scores.baseline)],
    ["mean absolute error", figure(scores.meanAbsoluteError)],
    ["R2", scores.r2.toFixed(3)],
  ];
}
