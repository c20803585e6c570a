// The picture of textbooks for small dense networks: a column of circles for each layer, a line for each weight, darker the
// larger it is; blue adds, red takes away.

import { MyelinError } from "../../core/errors.ts";
import type { Tensor } from "../../core/tensor.ts";
import { Dense } from "../../layers/dense.ts";
import { formatBatchShape } from "../../layers/symbolic.ts";
import type { Model } from "../model.ts";
import { activationOf } from "./graph.ts";
import { type Drawing, label, round } from "./svg.ts";

/** Circles of a column at most; of a larger layer its beginning and end are shown, with dots between. */
const MOST = 12;
const SPACING = 30;
const RADIUS = 10;
const COLUMN = 170;
const HEADER = 44;

interface Column {
  readonly title: string;
  readonly subtitle: string;
  readonly units: number;
  /** Which units are shown, from top to bottom; null: dots. */
  readonly shown: readonly (number | null)[];
  readonly fill: string;
  /** From the units before. */
  readonly kernel?: Tensor;
}

/** Layers that change neither how many units there are nor which is which. */
const TRANSPARENT = new Set([
  "InputLayer",
  "Flatten",
  "Dropout",
  "AlphaDropout",
  "GaussianDropout",
  "GaussianNoise",
  "Activation",
  "BatchNormalization",
  "LayerNormalization",
  "ReLU",
  "LeakyReLU",
  "ELU",
  "Softmax",
  "Identity",
  "Rescaling",
]);

/** @param isDown layers stand under one another instead of side by side */
export function drawNeurons(model: Model, isDown: boolean): Drawing {
  const columns = columnsOf(model);
  const rows = Math.max(...columns.map((c) => c.shown.length));
  const span = rows * SPACING;
  const center = (column: number, slot: number): [x: number, y: number] => {
    const along = column * COLUMN + (isDown ? 70 : 60);
    const across = span / 2 + (slot - (columns[column]!.shown.length - 1) / 2) * SPACING;
    return isDown ? [across + 130, along] : [along, across + HEADER];
  };
  const lines: string[] = [];
  const circles: string[] = [];
  columns.forEach((column, c) => {
    column.shown.forEach((unit, slot) => {
      const [x, y] = center(c, slot);
      if (unit === null) circles.push(dots(x, y, isDown));
      else {
        circles.push(
          `<circle cx="${round(x)}" cy="${round(y)}" r="${RADIUS}" fill="${column.fill}" stroke="#1f2937" stroke-width="1"/>`,
        );
      }
    });
    if (c > 0) lines.push(...connections(columns, c, center));
    const [x, y] = isDown ? [60, center(c, 0)[1] - 2] : [center(c, 0)[0], 14];
    circles.push(label(column.title, x, y, 13, "#111827", "bold"));
    circles.push(label(column.subtitle, x, y + 16, 11, "#4b5563"));
  });
  const length = (columns.length - 1) * COLUMN;
  const [width, height] = isDown ? [span + 140, length + 140] : [length + 120, span + HEADER];
  return { text: [...lines, ...circles].join("\n"), width, height };
}

function connections(
  columns: readonly Column[],
  c: number,
  center: (column: number, slot: number) => readonly [number, number],
): string[] {
  const { kernel, units, shown } = columns[c]!;
  const weights = kernel!.data;
  let largest = 1e-12;
  for (const w of weights) largest = Math.max(largest, Math.abs(w));
  const lines: { strength: number; text: string }[] = [];
  columns[c - 1]!.shown.forEach((from, i) => {
    shown.forEach((to, j) => {
      if (from === null || to === null) return;
      const w = weights[from * units + to]!;
      const strength = Math.abs(w) / largest;
      const [[x1, y1], [x2, y2]] = [center(c - 1, i), center(c, j)];
      const colour = w < 0 ? "#dc2626" : "#2563eb";
      const look = `stroke="${colour}" stroke-opacity="${round(10 * (0.08 + 0.82 * strength)) / 10}" stroke-width="${round(0.6 + 1.4 * strength)}"`;
      lines.push({
        strength,
        text: `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ${look}/>`,
      });
    });
  });
  // Strong ones on top.
  return lines.sort((a, b) => a.strength - b.strength).map((l) => l.text);
}

function dots(x: number, y: number, isDown: boolean): string {
  return [-7, 0, 7]
    .map(
      (d) =>
        `<circle cx="${round(x + (isDown ? d : 0))}" cy="${round(y + (isDown ? 0 : d))}" r="1.8" fill="#4b5563"/>`,
    )
    .join("");
}

function columnsOf(model: Model): Column[] {
  const calls = model.built ? model.layerCalls : [];
  const wrong = calls.find(
    ({ layer, inputs }) => inputs.length > 1 || !(layer instanceof Dense || TRANSPARENT.has(layer.className)),
  );
  const { shape } = calls[0]?.outputs[0] ?? { shape: [] };
  if (calls.length === 0 || wrong || shape.slice(1).includes(null)) {
    const came = wrong ? `${wrong.layer.name} (${wrong.layer.className})` : formatBatchShape(shape);
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `plotModel: style "neurons" expected a built chain of dense layers, got ${came}; style "layers" draws any model`,
    );
  }
  const inputs = shape.slice(1).reduce((a: number, b) => a * b!, 1);
  const columns: Column[] = [
    { title: "input", subtitle: `${inputs} values`, units: inputs, shown: shownOf(inputs), fill: "#e2e8f0" },
  ];
  const dense = calls.filter((call) => call.layer instanceof Dense);
  dense.forEach(({ layer }, i) => {
    const { units, kernel } = layer as Dense;
    // An activation may follow as a layer of its own.
    const at = calls.findIndex((call) => call.layer === layer);
    const after = calls[at + 1]?.layer;
    const activation =
      activationOf(layer) ?? (after && !(after instanceof Dense) ? activationOf(after) : undefined);
    columns.push({
      title: layer.name,
      subtitle: `${units} ${activation ?? "linear"}`,
      units,
      shown: shownOf(units),
      fill: i === dense.length - 1 ? "#fde68a" : "#bbf7d0",
      kernel: kernel.read(),
    });
  });
  return columns;
}

function shownOf(units: number): (number | null)[] {
  const all = Array.from({ length: Math.min(units, MOST) }, (_, i) => i);
  if (units <= MOST) return all;
  const half = MOST / 2;
  return [...all.slice(0, half), null, ...all.slice(0, half).map((i) => units - half + i)];
}
