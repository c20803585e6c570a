// Charts as SVG text for the report: lines, points, bars. Colours are classes of the page's style sheet, so that charts
// follow its light and dark dress.

import { escapeText } from "../../models/plot/svg.ts";
import { figure } from "../text.ts";

export interface Series {
  readonly name: string;
  readonly values: readonly number[];
}

const WIDTH = 460;
const HEIGHT = 260;
const LEFT = 58;
const RIGHT = 12;
const TOP = 26;
const BOTTOM = 40;

/** From numbers to places on the drawing. */
type Scale = (value: number) => number;

interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly text: string;
}

/** Steps of 1, 2 or 5 times a power of ten that hold a range. */
export function ticks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw * 0.999) ?? 10);
  const from = Math.ceil(low / step - 1e-9);
  const to = Math.floor(high / step + 1e-9);
  return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
}

/** Short names of large numbers. */
function tickLabel(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${figure(value / 1e9)}G`;
  if (size >= 1e6) return `${figure(value / 1e6)}M`;
  return size >= 1e4 ? `${figure(value / 1e3)}k` : figure(value);
}

function frame(
  [left, right]: readonly [number, number],
  [bottom, top]: readonly [number, number],
  xName: string,
  yName: string,
): Frame {
  const x = (v: number) => LEFT + ((v - left) / (right - left || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (v: number) => HEIGHT - BOTTOM - ((v - bottom) / (top - bottom || 1)) * (HEIGHT - TOP - BOTTOM);
  const lines = ticks(bottom, top, 5).map(
    (v) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(v))}" y2="${at(y(v))}"/><text x="${LEFT - 6}" y="${at(y(v) + 3.5)}" text-anchor="end">${tickLabel(v)}</text>`,
  );
  const marks = ticks(left, right, 6).map(
    (v) => `<text x="${at(x(v))}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${tickLabel(v)}</text>`,
  );
  const names = [
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeText(xName)}</text>`,
    `<text transform="translate(12 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeText(yName)}</text>`,
  ];
  return { x, y, text: [...lines, ...marks, ...names].join("\n") };
}

const at = (x: number): number => Math.round(x * 10) / 10;

function rangeOf(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) {
    if (!Number.isFinite(v)) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function padded([low, high]: readonly [number, number]): [number, number] {
  const room = (high - low) * 0.05;
  return [low - room, high + room];
}

function svg(title: string, body: string, height = HEIGHT): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">\n${body}\n</svg>`;
}

/** Values by epoch, with the best one marked. */
export function lineChart(title: string, series: readonly Series[], best: number): string {
  const count = Math.max(...series.map((s) => s.values.length));
  const { x, y, text } = frame(
    [1, Math.max(2, count)],
    padded(rangeOf(series.flatMap((s) => s.values))),
    "epoch",
    title,
  );
  const lines = series.map(({ values }, i) => {
    const points = values.map((v, k) => `${at(x(k + 1))},${at(y(v))}`).join(" ");
    return `<polyline class="line c${i}" points="${points}"/>`;
  });
  const legend = series.map(
    ({ name }, i) =>
      `<g transform="translate(${LEFT + i * 110} 10)"><line class="line c${i}" x2="18"/><text x="24" y="3.5">${escapeText(name)}</text></g>`,
  );
  const mark = `<line class="mark" x1="${at(x(best + 1))}" x2="${at(x(best + 1))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`;
  return svg(title, [text, mark, ...lines, ...legend].join("\n"));
}

/** What was predicted against what is; at most 2000 points. */
export function scatterChart(title: string, truth: ArrayLike<number>, predicted: ArrayLike<number>): string {
  const step = Math.max(1, Math.ceil(truth.length / 2000));
  const points: [number, number][] = [];
  for (let i = 0; i < truth.length; i += step) points.push([truth[i]!, predicted[i]!]);
  const range = padded(rangeOf(points.flat()));
  const { x, y, text } = frame(range, range, "actual", "predicted");
  const diagonal = `<line class="mark" x1="${at(x(range[0]))}" y1="${at(y(range[0]))}" x2="${at(x(range[1]))}" y2="${at(y(range[1]))}"/>`;
  const dots = points.map(([a, b]) => `<circle class="dot" cx="${at(x(a))}" cy="${at(y(b))}" r="2"/>`);
  return svg(title, [text, diagonal, ...dots].join("\n"));
}

/** How often residuals are of which size; the outermost hundredths are gathered at the ends. */
export function histogram(title: string, values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  const [low, high] = rangeOf([quantile(0.01), quantile(0.99)]);
  const bins = new Array<number>(30).fill(0);
  for (const v of values) {
    const bin = Math.floor(((v - low) / (high - low)) * bins.length);
    bins[Math.min(bins.length - 1, Math.max(0, bin))]!++;
  }
  const { x, y, text } = frame([low, high], [0, Math.max(...bins) * 1.05], "predicted less actual", "rows");
  const width = (x(high) - x(low)) / bins.length;
  const bars = bins.map((n, i) => {
    const top = y(n);
    return `<rect class="bar" x="${at(x(low) + i * width + 0.5)}" y="${at(top)}" width="${at(width - 1)}" height="${at(y(0) - top)}"/>`;
  });
  const zero = low < 0 && high > 0 ? `<line class="mark" x1="${at(x(0))}" x2="${at(x(0))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>` : ""; // biome-ignore format: one line
  return svg(title, [text, ...bars, zero].join("\n"));
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly deviation: number;
  readonly label: string;
}

/** Named bars, one below the other, with their deviations. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const row = 22;
  const left = 140;
  const room = WIDTH - left - 74;
  const [low, high] = rangeOf([0, ...bars.flatMap((b) => [b.value - b.deviation, b.value + b.deviation])]);
  const x = (v: number) => left + ((v - low) / (high - low)) * room;
  const lines = bars.map(({ name, value, deviation, label }, i) => {
    const y = 4 + i * row;
    const [from, to] = [Math.min(x(0), x(value)), Math.max(x(0), x(value))];
    const short = name.length > 22 ? `${name.slice(0, 20)}…` : name;
    return [
      `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${escapeText(short)}</text>`,
      `<rect class="bar" x="${at(from)}" y="${y + 2}" width="${at(Math.max(1, to - from))}" height="${row - 8}"/>`,
      `<line class="whisker" x1="${at(x(value - deviation))}" x2="${at(x(value + deviation))}" y1="${y + 9}" y2="${y + 9}"/>`,
      `<text x="${at(Math.max(to, x(value + deviation)) + 6)}" y="${y + 13}">${escapeText(label)}</text>`,
    ].join("");
  });
  return svg(title, lines.join("\n"), bars.length * row + 8);
}
