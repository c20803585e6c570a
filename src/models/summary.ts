// summary(): the table that Keras prints, as text, with what a forward pass costs.

import { BYTES } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import { sizeOf } from "../core/shape.ts";
import type { Variable } from "../graph/variable.ts";
import type { Layer } from "../layers/layer.ts";
import { formatBatchShape, type LayerCall } from "../layers/symbolic.ts";
import { flopsBelow, flopsByPath } from "./flops.ts";
import type { Model } from "./model.ts";
import { layersInRange } from "./range.ts";
import { type Row, table } from "./text-table.ts";

export interface SummaryOptions {
  /** False: only return the text. Default true: also print it. */
  print?: boolean;
  /** What prints the text. Default console.log. */
  printFn?: (text: string) => void;
  /** Shows the layers inside of models and custom layers, too. Default false. */
  expandNested?: boolean;
  /** Adds a column that tells trained layers from frozen ones. Default false. */
  showTrainable?: boolean;
  /** Adds a column of floating-point operations of one sample's forward pass (a multiply-add counts as two). Default false. */
  showFlops?: boolean;
  /** Adds a line on the memory a prediction of one sample needs at most besides the weights, which compiles it. Default false. */
  showMemory?: boolean;
  /** Characters of a line; longer cells are broken. Default: as wide as needed. */
  lineLength?: number;
  /** Where each column ends, as shares of the line that grow up to 1. Only with lineLength; default as Keras has it. */
  positions?: readonly number[];
  /** The first and the last layer to show, by name or regular expression. Default: all. */
  layerRange?: readonly [first: string, last: string] | null;
}

const FLAGS = ["print", "expandNested", "showTrainable", "showFlops", "showMemory"] as const;
const SUMMARY_OPTIONS = [...FLAGS, "printFn", "lineLength", "positions", "layerRange"] as const;

export function summarize(model: Model, options?: SummaryOptions): string {
  const where = `${model.name}.summary`;
  const o = checkOptions(where, options, SUMMARY_OPTIONS);
  for (const name of FLAGS) if (o[name] !== undefined) checkBoolean(where, name, o[name]);
  const { print = true, printFn = console.log, expandNested, showTrainable, showFlops, showMemory } = o;
  if (typeof printFn !== "function") {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected printFn to be a function, got ${describe(printFn)}`,
    );
  }
  const callsOf = groupCalls(model);
  const isChain = isLinear(model, callsOf);
  const flops = model.built ? flopsByPath(model) : undefined;
  const header = ["Layer (type)", "Output Shape", "Param #"];
  if (showFlops) header.push("FLOPs");
  if (!isChain) header.push("Connected to");
  if (showTrainable) header.push("Trainable");
  const rows: Row[] = [];
  const addRows = (layers: readonly Layer[], depth: number, above: string): void => {
    for (const layer of layers) {
      const own = callsOf.get(layer) ?? layer.calls;
      const indent = depth === 0 ? "" : `${"   ".repeat(depth)}└ `;
      const path = above + layer.name;
      const row = [`${indent}${layer.name} (${layer.className})`, outputShapes(own), paramText(layer)];
      if (showFlops) row.push(flops ? grouped(flopsBelow(flops, path)) : "?");
      if (!isChain) row.push(depth > 0 ? "" : connections(own, callsOf));
      if (showTrainable)
        row.push(layer.weights.length === 0 ? "-" : layer.trainableWeights.length > 0 ? "Y" : "N");
      rows.push(row);
      if (expandNested) addRows(layer.children(), depth + 1, `${path}/`);
    }
  };
  const shown =
    o.layerRange == null ? model.children() : layersInRange(where, model.children(), o.layerRange);
  addRows(shown, 0, "");
  const right = new Set([header.indexOf("Param #"), header.indexOf("FLOPs")]);
  const widths = widthsOf(where, header, o);
  const text = [
    `Model: "${model.name}"`,
    ...table(header, rows, { right, widths }),
    ...totals(model),
    ...costs(model, flops, showMemory ?? false),
  ].join("\n");
  if (print) printFn(text);
  return text;
}

function groupCalls(model: Model): Map<Layer, readonly LayerCall[]> {
  const calls = new Map<Layer, LayerCall[]>();
  if (!model.built) return calls;
  for (const call of model.layerCalls) {
    const known = calls.get(call.layer);
    if (known) known.push(call);
    else calls.set(call.layer, [call]);
  }
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
  return grouped(count(layer.weights));
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

/** Columns of a line of given length: Keras's shares, or those given. */
function widthsOf(where: string, header: Row, o: SummaryOptions): number[] | undefined {
  if (o.lineLength === undefined && o.positions === undefined) return undefined;
  const length = checkInteger(where, "lineLength", o.lineLength, 20);
  const shares = o.positions ?? defaultPositions(header);
  const grow = (p: unknown, i: number) =>
    typeof p === "number" && p <= 1 && p > (i === 0 ? 0 : (shares[i - 1] as number));
  if (!Array.isArray(shares) || shares.length !== header.length || !shares.every(grow)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected positions to be ${header.length} shares of the line that grow up to 1, got ${describe(o.positions)}`,
    );
  }
  let before = 0;
  return (shares as number[]).map((share) => {
    const end = Math.trunc(share * (length - 1));
    const width = end - before - 3;
    before = end;
    if (width >= 1) return width;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected a lineLength with room for ${header.length} columns, got ${length}`,
    );
  });
}

function defaultPositions(header: Row): number[] {
  const weights = header.map(
    (name) => ({ "Layer (type)": 0.34, "Output Shape": 0.26, "Connected to": 0.26 })[name] ?? 0.15,
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  let at = 0;
  return weights.map((w, i) => {
    at += w / sum;
    return i === weights.length - 1 ? 1 : at;
  });
}

function count(weights: readonly Variable[]): number {
  return weights.reduce((sum, w) => sum + sizeOf(w.shape), 0);
}

function bytesOf(weights: readonly Variable[]): number {
  return weights.reduce((sum, w) => sum + BYTES[w.dtype] * sizeOf(w.shape), 0);
}

/** As Keras has it, the total holds the optimizer's numbers once it has any. */
function totals(model: Model): string[] {
  const line = (label: string, weights: readonly Variable[]) =>
    ` ${label} params: ${grouped(count(weights))} (${formatBytes(bytesOf(weights))})`;
  const ofOptimizer = model.getOptimizerVariables?.() ?? [];
  return [
    line("Total", [...model.weights, ...ofOptimizer]),
    line("Trainable", model.trainableWeights),
    line("Non-trainable", model.nonTrainableWeights),
    ...(ofOptimizer.length > 0 ? [line("Optimizer", ofOptimizer)] : []),
  ];
}

function costs(model: Model, flops: ReadonlyMap<string, number> | undefined, showMemory: boolean): string[] {
  const lines: string[] = [];
  if (flops) {
    const all = [...flops.values()].reduce((a, b) => a + b, 0);
    lines.push(` Forward pass: ${grouped(all)} FLOPs a sample`);
  }
  const peak = showMemory ? model.measurePeakMemory?.() : undefined;
  if (peak !== undefined)
    lines.push(` Peak memory: ${formatBytes(peak)} besides weights, to predict a sample`);
  return lines;
}

function grouped(n: number): string {
  return Math.round(n).toLocaleString("en-US");
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
