// summary(): the table that Keras prints, as text.

import { BYTES } from "../core/dtype.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import { sizeOf } from "../core/shape.ts";
import type { Variable } from "../graph/variable.ts";
import type { Layer } from "../layers/layer.ts";
import { formatBatchShape, type LayerCall } from "../layers/symbolic.ts";
import type { Model } from "./model.ts";

export interface SummaryOptions {
  /** False: only return the text. Default true: also console.log it. */
  print?: boolean;
  /** Shows the layers inside of models and custom layers, too. Default false. */
  expandNested?: boolean;
  /** Adds a column that tells trained layers from frozen ones. Default false. */
  showTrainable?: boolean;
}

const SUMMARY_OPTIONS = ["print", "expandNested", "showTrainable"] as const;

/** One table row; a cell may have several lines. */
type Row = readonly string[];

export function summarize(model: Model, options?: SummaryOptions): string {
  const where = `${model.name}.summary`;
  const {
    print = true,
    expandNested = false,
    showTrainable = false,
  } = checkOptions(where, options, SUMMARY_OPTIONS);
  checkBoolean(where, "print", print);
  const callsOf = groupCalls(model);
  const isChain = isLinear(model, callsOf);
  const header = ["Layer (type)", "Output Shape", "Param #"];
  if (!isChain) header.push("Connected to");
  if (showTrainable) header.push("Trainable");
  const rows: Row[] = [];
  const addRows = (
    layers: readonly Layer[],
    calls: Map<Layer, readonly LayerCall[]>,
    indent: string,
  ): void => {
    for (const layer of layers) {
      const own = calls.get(layer) ?? layer.calls;
      const row = [`${indent}${layer.name} (${layer.className})`, outputShapes(own), paramText(layer)];
      if (!isChain) row.push(indent ? "" : connections(own, calls));
      if (showTrainable)
        row.push(layer.weights.length === 0 ? "-" : layer.trainableWeights.length > 0 ? "Y" : "N");
      rows.push(row);
      if (expandNested) addRows(layer.children(), calls, `${indent}  `);
    }
  };
  addRows(model.children(), callsOf, "");
  const text = [
    `Model: "${model.name}"`,
    ...table(header, rows, header.indexOf("Param #")),
    ...totals(model),
  ].join("\n");
  if (print) console.log(text);
  return text;
}

function groupCalls(model: Model): Map<Layer, readonly LayerCall[]> {
  const calls = new Map<Layer, LayerCall[]>();
  if (!model.built) return calls;
  for (const call of model.layerCalls) calls.set(call.layer, [...(calls.get(call.layer) ?? []), call]);
  return calls;
}

/** True when every layer is used once, on the output of the one before it: no need to say what connects to what. */
function isLinear(model: Model, callsOf: Map<Layer, readonly LayerCall[]>): boolean {
  if (!model.built) return true;
  const uses = new Map<LayerCall, number>();
  for (const call of model.layerCalls) {
    if (call.inputs.length > 1 || callsOf.get(call.layer)!.length > 1) return false;
    for (const t of call.inputs) uses.set(t.call, (uses.get(t.call) ?? 0) + 1);
  }
  return (
    model.inputNames.length === 1 &&
    model.outputNames.length === 1 &&
    [...uses.values()].every((n) => n === 1)
  );
}

function outputShapes(calls: readonly LayerCall[]): string {
  const shapes = calls.map((call) => call.outputs.map((t) => formatBatchShape(t.shape)).join(", "));
  return shapes.length === 0 ? "?" : [...new Set(shapes)].join("\n");
}

function paramText(layer: Layer): string {
  if (!layer.built) return "0 (unbuilt)";
  return count(layer.weights).toLocaleString("en-US");
}

/** `dense[0][0]`: the first output of the first use of dense. */
function connections(calls: readonly LayerCall[], callsOf: Map<Layer, readonly LayerCall[]>): string {
  const label = (call: LayerCall) =>
    call.inputs.map(
      (t) => `${t.name}[${Math.max(0, callsOf.get(t.call.layer)?.indexOf(t.call) ?? 0)}][${t.index}]`,
    );
  const all = calls.flatMap(label);
  return all.length === 0 ? "-" : all.join("\n");
}

function count(weights: readonly Variable[]): number {
  return weights.reduce((sum, w) => sum + sizeOf(w.shape), 0);
}

function totals(model: Model): string[] {
  const line = (label: string, weights: readonly Variable[]) => {
    const bytes = weights.reduce((sum, w) => sum + BYTES[w.dtype] * sizeOf(w.shape), 0);
    return ` ${label} params: ${count(weights).toLocaleString("en-US")} (${formatBytes(bytes)})`;
  };
  return [
    line("Total", model.weights),
    line("Trainable", model.trainableWeights),
    line("Non-trainable", model.nonTrainableWeights),
  ];
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)} ${units[unit]}`;
}

/** Box-drawn, columns as wide as their longest line; the column `right` is aligned right. */
function table(header: Row, rows: readonly Row[], right: number): string[] {
  const lines = (cell: string) => cell.split("\n");
  const widths = header.map((_, c) =>
    Math.max(...[header, ...rows].flatMap((row) => lines(row[c]!).map((l) => l.length))),
  );
  const rule = (left: string, fill: string, cross: string, end: string) =>
    left + widths.map((w) => fill.repeat(w + 2)).join(cross) + end;
  const pad = (text: string, c: number) =>
    c === right ? text.padStart(widths[c]!) : text.padEnd(widths[c]!);
  const draw = (row: Row, bar: string) => {
    const height = Math.max(...row.map((cell) => lines(cell).length));
    return Array.from(
      { length: height },
      (_, i) => `${bar} ${row.map((cell, c) => pad(lines(cell)[i] ?? "", c)).join(` ${bar} `)} ${bar}`,
    );
  };
  const body = rows.flatMap((row, i) => [...(i === 0 ? [] : [rule("├", "─", "┼", "┤")]), ...draw(row, "│")]);
  return [
    rule("┏", "━", "┳", "┓"),
    ...draw(header, "┃"),
    rule("┡", "━", "╇", "┩"),
    ...body,
    rule("└", "─", "┴", "┘"),
  ];
}
