// How figures and lists read on a terminal and in the report.

/** Pairs as two columns, indented. */
export function twoColumns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd());
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Four digits, or whole numbers in full. */
export function figure(x: number): string {
  if (!Number.isFinite(x)) return String(x);
  const size = Math.abs(x);
  if (size >= 1000) return Math.round(x).toLocaleString("en-US");
  return size !== 0 && size < 0.001 ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}
