// The report of a training: one HTML page that needs nothing beside it.

import { escapeText } from "../../models/plot/svg.ts";
import type { Scores } from "../../tabular/scores.ts";
import type { Importance, TabularModel } from "../../tabular/tabular-model.ts";
import type { TabularTraining } from "../../tabular/train.ts";
import { caveatOf, describePlan, describeTarget, figuresOf } from "../describe.ts";
import { figure, percent } from "../text.ts";
import { barChart, histogram, lineChart, scatterChart } from "./charts.ts";
import { STYLE } from "./style.ts";

export interface Report {
  readonly training: TabularTraining;
  readonly importance: readonly Importance[];
  /** For a regression: what was predicted for the rows that are scored. */
  readonly predicted?: ArrayLike<number>;
  /** Scores on a file of rows that the training has not seen in any way. */
  readonly test?: { readonly file: string; readonly scores: Scores };
  readonly file: string;
  readonly modelPath: string;
  readonly seconds: number;
  readonly version: string;
}

/** Text from outside: names, labels, paths. */
const e = (text: unknown): string => escapeText(String(text));

export function reportPage(report: Report): string {
  const { training, file, version, seconds } = report;
  const { tabular, train, validation, history, bestEpoch } = training;
  const { name } = tabular.target;
  const epochs = history.loss!.length;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${e(name)} from ${e(file)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${e(name)} <small>from ${e(file)}</small></h1>
<p>Predicts ${e(describeTarget(tabular))}. Trained on ${figure(train.numRows)} rows, validated on ${figure(validation.numRows)} others${training.droppedRows > 0 ? `; ${figure(training.droppedRows)} rows have no ${e(name)} and were left out` : ""}.</p>
</header>
${tiles(report)}
<section class="wide two">
${scoresSection(report)}
</section>
<section>
<h2>Learning</h2>
<p>${epochs} epochs in ${seconds.toFixed(1)} s; the model has the weights of epoch ${bestEpoch + 1}, where the validation loss was least.</p>
${curves(report)}
</section>
<section>
<h2>Permutation importance</h2>
<p>${importanceText(tabular)}</p>
${importanceChart(report)}
</section>
<section class="wide">
<h2>Columns</h2>
${columnsTable(report)}
</section>
<section class="wide">
<h2>Using the model</h2>
${usage(report)}
</section>
<section class="wide">
<h2>Layers</h2>
<pre>${e(tabular.model.summary({ print: false }))}</pre>
</section>
<footer>myelin ${e(version)}</footer>
</body>
</html>
`;
}

function tiles({ training, test }: Report): string {
  const blocks = (scores: Scores, where: string) => {
    const own = figuresOf(scores).map(
      ([name, value]) => `<div><dt>${e(name)}</dt><dd>${e(value)}</dd></div>`,
    );
    return `<p class="where">${where}</p>\n<dl class="tiles">\n${own.join("\n")}\n</dl>`;
  };
  const own = blocks(
    training.scores,
    `On ${figure(training.scores.rows)} validation rows. They decided when training stopped: expect a little less of new rows. ${e(caveatOf(training.tabular))}`,
  );
  return test
    ? `${blocks(test.scores, `On ${figure(test.scores.rows)} rows of ${e(test.file)}, given by --test.`)}\n${own}`
    : own;
}

function scoresSection({ training, test, predicted }: Report): string {
  const { scores: own, validation, tabular } = training;
  if (own.task === "classification") {
    const scores = test?.scores.task === "classification" ? test.scores : own;
    return `<div><h2>Confusion</h2>
<p>Rows by what they are (down) and what was predicted (across).</p>
${confusionTable(scores)}</div>
<div><h2>By label</h2>
<table><thead><tr><th>label<th>rows<th>precision<th>recall<th>F1</tr></thead><tbody>
${scores.labels.map((l) => `<tr><th>${e(l.label)}<td>${figure(l.rows)}<td>${percent(l.precision)}<td>${percent(l.recall)}<td>${l.f1.toFixed(3)}</tr>`).join("\n")}
</tbody></table></div>`;
  }
  const truth = validation.numbers(tabular.target.name);
  const residuals = Array.from(truth, (v, i) => predicted![i]! - v);
  return `<div><h2>Predicted and actual</h2>${scatterChart("predicted against actual", truth, predicted!)}</div>
<div><h2>Residuals</h2>${histogram("residuals", residuals)}</div>`;
}

/** Labels beyond are put together. */
const MOST_LABELS = 12;

function confusionTable({ labels, confusion }: Scores & { task: "classification" }): string {
  const shown = labels
    .map((_, i) => i)
    .sort((a, b) => labels[b]!.rows - labels[a]!.rows)
    .slice(0, MOST_LABELS)
    .sort((a, b) => a - b);
  const head = shown.map((i) => `<th>${e(labels[i]!.label)}`).join("");
  const lines = shown.map((i) => {
    const total = Math.max(1, labels[i]!.rows);
    const cells = shown.map((j) => {
      const count = confusion[i]![j]!;
      const strength = (count / total).toFixed(3);
      return `<td class="${i === j ? "right" : "wrong"}" style="--s:${strength}">${figure(count)}<small>${percent(count / total)}</small>`;
    });
    return `<tr><th>${e(labels[i]!.label)}${cells.join("")}</tr>`;
  });
  const rest = labels.length - shown.length;
  return `<table class="confusion"><thead><tr><th>${head}</tr></thead><tbody>
${lines.join("\n")}
</tbody></table>${rest > 0 ? `<p>${rest} rarer labels are not shown.</p>` : ""}`;
}

function curves({ training: { history, bestEpoch } }: Report): string {
  const chart = (title: string, own: string, held: string) =>
    history[own] && history[held]
      ? lineChart(
          title,
          [
            { name: "training", values: history[own] },
            { name: "validation", values: history[held] },
          ],
          bestEpoch,
        )
      : "";
  return `${chart("loss", "loss", "valLoss")}\n${chart("accuracy", "accuracy", "valAccuracy")}`;
}

function importanceText({ target }: TabularModel): string {
  const what = target.task === "classification" ? "accuracy is lost" : "the error grows";
  return `How much ${what} when a column is shuffled among the validation rows, with the standard deviation over repeats. Columns that say the same share what they are worth.`;
}

function importanceChart({ importance, training }: Report): string {
  const isShare = training.tabular.target.task === "classification";
  const bars = importance.slice(0, 25).map(({ column, loss, deviation }) => ({
    name: column,
    value: loss,
    deviation,
    label: isShare ? percent(loss) : figure(loss),
  }));
  return barChart("importance of columns", bars);
}

function columnsTable({ training: { tabular, train } }: Report): string {
  const rows = tabular.columns.map((column) => {
    const missing = train.countMissing(column.name);
    return `<tr><th>${e(column.name)}<td>${e(describePlan(column))}<td class="tight">${missing === 0 ? "" : percent(missing / train.numRows)}<td>${e(valuesOf(column.name))}</tr>`;
  });
  const left = tabular.leftOut.map(
    ({ name, reason }) => `<tr class="left"><th>${e(name)}<td colspan="3">left out: ${e(reason)}</tr>`,
  );
  return `<table><thead><tr><th>column<th>read as<th>missing<th>values</tr></thead><tbody>
${[...rows, ...left].join("\n")}
</tbody></table>`;

  function valuesOf(name: string): string {
    if (train.type(name) === "string") {
      const known = [...new Set(train.strings(name))].filter((c) => c !== "");
      const shown = known.slice(0, 4).map((c) => (c.length > 24 ? `${c.slice(0, 22)}…` : c));
      return `${known.length} different: ${shown.join(", ")}${known.length > 4 ? ", …" : ""}`;
    }
    const values = Float64Array.from(train.numbers(name)).filter((v) => !Number.isNaN(v));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]); // biome-ignore format: one line
    return `${figure(low)} to ${figure(high)}, mean ${figure(mean)}`;
  }
}

function usage({ modelPath }: Report): string {
  const path = e(modelPath);
  return `<pre>npx myelin predict ${path} new.csv --output predicted.csv
npx myelin serve ${path} --port 3000</pre>
<pre>import { readCsv } from "myelin/csv";
import { loadTabular } from "myelin/tabular";

const tabular = await loadTabular(${e(JSON.stringify(modelPath))});
const predicted = await tabular.predict(await readCsv("new.csv", { types: tabular.types }));</pre>`;
}
