// plotModel: a model as a picture.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkNumber, checkOneOf, checkOptions } from "../../core/options.ts";
import type { LayerCall } from "../../layers/symbolic.ts";
import { Model } from "../model.ts";
import { layersInRange } from "../range.ts";
import { summarize } from "../summary.ts";
import { describeCalls } from "./graph.ts";
import { drawNeurons } from "./neurons.ts";
import { document, drawGraph, escapeText, FONT } from "./svg.ts";

export interface PlotOptions {
  /** "layers" (default): a box for each layer; "neurons": a circle for each unit of a small dense network. */
  style?: "layers" | "neurons";
  /** Shapes of inputs and outputs. Default false. */
  showShapes?: boolean;
  /** Dtypes of inputs and outputs. Default false. */
  showDtype?: boolean;
  /** Default false. */
  showLayerNames?: boolean;
  /** Activations of layers that have one. Default false. */
  showLayerActivations?: boolean;
  /** Which layers are trained and which frozen. Default false. */
  showTrainable?: boolean;
  /** "TB" (default): from top to bottom, "LR": from left to right. Neurons: default "LR". */
  rankdir?: "TB" | "LR";
  /** Draws the models inside as frames around their layers. Default false. */
  expandNested?: boolean;
  /** The first and the last layer to show, by name. Default: all. */
  layerRange?: readonly [first: string, last: string] | null;
  /** Pixels per inch, of which a picture has 96 by itself. Default 96. */
  dpi?: number;
}

export interface PlotFileOptions extends PlotOptions {
  /** Where to write: a path that ends in .svg, or .html for a page that stands alone. Default "model.svg"; null: nowhere. */
  toFile?: string | null;
}

const FLAGS = [
  "showShapes",
  "showDtype",
  "showLayerNames",
  "showLayerActivations",
  "showTrainable",
  "expandNested",
] as const;
const OPTIONS = [...FLAGS, "style", "rankdir", "layerRange", "dpi"] as const;

/**
 * A model as an SVG document: its layers as boxes in ranks, with arrows and ways around; or, for small dense networks, as
 * circles with a line for each weight.
 * @returns the text of the document
 * @throws INVALID_OPTION; NOT_BUILT for a model that has seen no shape
 * @example document.body.innerHTML = modelToSvg(model, { showShapes: true });
 */
export function modelToSvg(model: Model, options?: PlotOptions): string {
  return draw("modelToSvg", model, options);
}

function draw(where: string, model: Model, options: PlotOptions | undefined): string {
  if (!(model instanceof Model)) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a model, got ${describe(model)}`);
  }
  const o = checkOptions(where, options, OPTIONS);
  const style = checkOneOf(where, "style", o.style ?? "layers", ["layers", "neurons"]);
  const byDefault = style === "layers" ? "TB" : "LR";
  const rankdir = checkOneOf(where, "rankdir", o.rankdir ?? byDefault, ["TB", "LR"]);
  const dpi = checkNumber(where, "dpi", o.dpi ?? 96, "greater than 0", (x) => x > 0);
  const flags = Object.fromEntries(FLAGS.map((name) => [name, checkBoolean(where, name, o[name] ?? false)]));
  if (style === "neurons") return document(drawNeurons(model, rankdir === "TB"), model.name, dpi);
  let calls: readonly LayerCall[] = model.layerCalls;
  if (o.layerRange != null) {
    const kept = new Set(layersInRange(where, model.layers, o.layerRange));
    calls = calls.filter((call) => kept.has(call.layer));
  }
  const graph = describeCalls(model, calls, flags as Record<(typeof FLAGS)[number], boolean>);
  return document(drawGraph(graph, rankdir === "LR"), model.name, dpi);
}

/**
 * Writes a model's picture to a file: SVG, or an HTML page that stands alone, with the summary below the picture.
 * @returns the SVG document
 * @throws INVALID_OPTION, INVALID_FILE
 * @example await plotModel(model, { toFile: "resnet.svg", showShapes: true, rankdir: "LR" });
 */
export async function plotModel(model: Model, options: PlotFileOptions = {}): Promise<string> {
  const where = "plotModel";
  const { toFile = "model.svg", ...shown } = checkOptions(where, options, [...OPTIONS, "toFile"]);
  if (toFile !== null && (typeof toFile !== "string" || !/.\.(svg|html)$/.test(toFile))) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected toFile to be a path that ends in .svg or .html, got ${describe(toFile)}`,
    );
  }
  const svg = draw(where, model, shown);
  if (toFile === null) return svg;
  const { writeText } = await import("./file.ts");
  await writeText(toFile, toFile.endsWith(".html") ? page(model, svg) : svg);
  return svg;
}

function page(model: Model, svg: string): string {
  const table = summarize(model, { print: false, showTrainable: true });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeText(model.name)}</title>
<style>
body { margin: 2rem; font-family: ${FONT}; color: #111827; background: #ffffff; }
figure { margin: 0 0 2rem; overflow: auto; }
svg { max-width: none; }
pre { overflow: auto; line-height: 1.25; font-size: 0.8rem; }
</style>
</head>
<body>
<h1>${escapeText(model.name)}</h1>
<figure>
${svg}</figure>
<pre>${escapeText(table)}</pre>
</body>
</html>
`;
}
