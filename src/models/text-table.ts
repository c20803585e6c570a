// Box-drawn tables of text, as the summary prints them.

/** One table row; a cell may have several lines. */
export type Row = readonly string[];

export interface TableOptions {
  /** Columns aligned right. */
  readonly right: ReadonlySet<number>;
  /** Characters between the bars of each column; longer lines are broken. Default: as wide as the longest line. */
  readonly widths?: readonly number[];
}

export function table(header: Row, rows: readonly Row[], { right, widths: given }: TableOptions): string[] {
  const lines = (cell: string, c: number) =>
    cell.split("\n").flatMap((line) => (given ? broken(line, given[c]!) : [line]));
  const widths =
    given ??
    header.map((_, c) =>
      Math.max(...[header, ...rows].flatMap((row) => lines(row[c]!, c).map((l) => l.length))),
    );
  const rule = (left: string, fill: string, cross: string, end: string) =>
    left + widths.map((w) => fill.repeat(w + 2)).join(cross) + end;
  const pad = (text: string, c: number) =>
    right.has(c) ? text.padStart(widths[c]!) : text.padEnd(widths[c]!);
  const draw = (row: Row, bar: string) => {
    const cells = row.map(lines);
    const height = Math.max(...cells.map((cell) => cell.length));
    return Array.from(
      { length: height },
      (_, i) => `${bar} ${cells.map((cell, c) => pad(cell[i] ?? "", c)).join(` ${bar} `)} ${bar}`,
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

/** A line in pieces of at most `width`, broken after a space where there is one. */
function broken(line: string, width: number): string[] {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const at = space > 0 ? space : width;
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return [...pieces, rest];
}
