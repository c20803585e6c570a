// Pictures as SVG text: boxes for layers, frames for models inside, arrows. Only attributes, no style sheet, so that every
// renderer shows the same.

import type { Family, PlotGraph, PlotNode } from "./graph.ts";
import { layout, type Point } from "./layout.ts";

/** A piece of a picture and its size. */
export interface Drawing {
  readonly text: string;
  readonly width: number;
  readonly height: number;
}

const COLOURS: Readonly<Record<Family, string>> = {
  input: "#64748b",
  dense: "#15803d",
  convolution: "#1d4ed8",
  pooling: "#0e7490",
  recurrent: "#7e22ce",
  attention: "#be185d",
  normalization: "#b45309",
  activation: "#c2410c",
  regularization: "#6b7280",
  merging: "#0f766e",
  reshaping: "#475569",
  embedding: "#4338ca",
  model: "#334155",
  other: "#525252",
};

export const FONT = "Helvetica, Arial, sans-serif";
const TITLE = 13;
const LINE = 11;
const PAD = 12;
const TITLE_HEIGHT = 24;
const LINE_HEIGHT = 15;

/** @param isAcross ranks go from left to right instead of downwards */
export function drawGraph(graph: PlotGraph, isAcross: boolean): Drawing {
  const inner = graph.nodes.map((node) => (node.inner ? drawGraph(node.inner, isAcross) : undefined));
  const sizes = graph.nodes.map((node, i) => sizeOf(node, inner[i]));
  // The layout knows one direction only: for the other it is given, and gives, everything turned.
  const turn = <T>([a, b]: readonly [T, T]): [T, T] => (isAcross ? [b, a] : [a, b]);
  const boxes = sizes.map((size) => {
    const [width, height] = turn([size.width, size.height]);
    return { width, height };
  });
  const hasLarge = graph.nodes.some((node) => node.inner);
  const placed = layout(boxes, graph.edges, { rankGap: isAcross ? 36 : hasLarge ? 30 : 26, boxGap: 22 });
  const parts: string[] = [];
  for (const path of placed.paths) parts.push(arrow(path, isAcross));
  graph.nodes.forEach((node, i) => {
    const [x, y] = turn([placed.boxes[i]!.x, placed.boxes[i]!.y]);
    parts.push(box(node, x, y, sizes[i]!, inner[i]));
  });
  const [width, height] = turn([placed.width, placed.height]);
  return { text: parts.join("\n"), width, height };
}

/** A whole picture with a margin, as an SVG document. */
export function document(drawing: Drawing, title: string, dpi: number): string {
  const margin = 16;
  const [width, height] = [drawing.width, drawing.height].map((d) => Math.ceil(d + 2 * margin));
  const scaled = (d: number) => round((d * dpi) / 96);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${scaled(width!)}" height="${scaled(height!)}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeText(title)}</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
<g transform="translate(${margin} ${margin})" font-family="${FONT}">
${drawing.text}
</g>
</svg>
`;
}

function sizeOf(node: PlotNode, inner: Drawing | undefined): { width: number; height: number } {
  const lines = node.lines.map((line) => textWidth(line, LINE));
  const width = Math.max(textWidth(node.title, TITLE, true), ...lines, 60) + 2 * PAD;
  const textHeight = TITLE_HEIGHT + (node.lines.length > 0 ? node.lines.length * LINE_HEIGHT + 8 : 0);
  if (!inner) return { width: Math.ceil(width), height: textHeight };
  return {
    width: Math.ceil(Math.max(width, inner.width + 2 * PAD)),
    height: textHeight + inner.height + 2 * PAD,
  };
}

function box(
  node: PlotNode,
  x: number,
  y: number,
  size: { width: number; height: number },
  inner: Drawing | undefined,
) {
  const { width, height } = size;
  const colour = COLOURS[node.family];
  const middle = round(width / 2);
  const isOnlyTitle = height === TITLE_HEIGHT;
  const parts = [
    `<rect width="${width}" height="${round(height)}" rx="5" fill="${inner ? "#f8fafc" : "#ffffff"}" stroke="${colour}" stroke-width="1.2"${inner ? ' stroke-dasharray="5 3"' : ""}/>`,
    isOnlyTitle
      ? `<rect width="${width}" height="${TITLE_HEIGHT}" rx="5" fill="${colour}"/>`
      : `<path d="M0 ${TITLE_HEIGHT}V5a5 5 0 0 1 5-5H${width - 5}a5 5 0 0 1 5 5V${TITLE_HEIGHT}Z" fill="${colour}"/>`,
    label(node.title, middle, 16.5, TITLE, "#ffffff", "bold"),
    ...node.lines.map((line, i) =>
      label(line, middle, TITLE_HEIGHT + 15 + i * LINE_HEIGHT, LINE, i === 0 ? "#111827" : "#4b5563"),
    ),
  ];
  if (inner) {
    const left = round((width - inner.width) / 2);
    parts.push(
      `<g transform="translate(${left} ${round(height - inner.height - PAD)})">`,
      inner.text,
      "</g>",
    );
  }
  return `<g transform="translate(${round(x)} ${round(y)})">\n${parts.join("\n")}\n</g>`;
}

/** Curves between ranks, straight lines past them, and a head. */
function arrow(points: readonly Point[], isAcross: boolean): string {
  const at = ([x, y]: Point) => (isAcross ? `${round(y)} ${round(x)}` : `${round(x)} ${round(y)}`);
  const [endX, endY] = points.at(-1)!;
  const path = [`M${at(points[0]!)}`];
  points.forEach((to, i) => {
    if (i === 0) return;
    const from = points[i - 1]!;
    const target: Point = i === points.length - 1 ? [to[0], to[1] - 6] : to;
    if (Math.abs(from[0] - to[0]) < 0.5) path.push(`L${at(target)}`);
    else {
      const half = (from[1] + target[1]) / 2;
      path.push(`C${at([from[0], half])} ${at([target[0], half])} ${at(target)}`);
    }
  });
  const head = [
    [endX, endY],
    [endX - 4, endY - 8],
    [endX + 4, endY - 8],
  ] as const;
  return `<path d="${path.join("")}" fill="none" stroke="#64748b" stroke-width="1.3"/><path d="M${head.map(at).join("L")}Z" fill="#64748b"/>`;
}

export function label(
  text: string,
  x: number,
  y: number,
  size: number,
  fill: string,
  weight: "normal" | "bold" = "normal",
): string {
  const bold = weight === "bold" ? ' font-weight="bold"' : "";
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" text-anchor="middle" fill="${fill}"${bold}>${escapeText(text)}</text>`;
}

/** What text takes of a line, about: letters of common fonts are 0.56 of their size wide. */
export function textWidth(text: string, size: number, isBold = false): number {
  return text.length * size * (isBold ? 0.61 : 0.56);
}

export function round(x: number): number {
  return Math.round(x * 10) / 10;
}

export function escapeText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
