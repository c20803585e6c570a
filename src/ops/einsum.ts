// Einstein's notation for two operands, as one matrix product: axes are gathered into batch, rows, inner and columns.
// Where the letters come in such an order already, nothing is moved.

import { describe, MyelinError } from "../core/errors.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { matmul } from "./matmul.ts";
import { type Operand, toFloat } from "./operand.ts";
import { sum } from "./reduce.ts";
import { reshape, transpose } from "./shape.ts";

const TERM = "([a-zA-Z]*)(\\.\\.\\.)?([a-zA-Z]*)";
const FORM = new RegExp(`^${TERM},${TERM}->${TERM}$`);

/** The letters of both operands and of the result; an ellipsis becomes letters no one can write. */
function lettersOf(equation: string, ranks: readonly [number, number]): [string[], string[], string[]] {
  const parts = typeof equation === "string" ? FORM.exec(equation.replaceAll(" ", "")) : null;
  if (!parts) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `einsum: expected an equation like "ab,bc->ac" or "...ab,bc->...ac", got ${describe(equation)}`,
    );
  }
  const dotsOf = (at: number, rank: number): string[] => {
    const count = parts[at + 1] ? rank - parts[at]!.length - parts[at + 2]!.length : 0;
    return Array.from({ length: Math.max(0, count) }, (_, i) => `.${i}`);
  };
  const spread = (at: number, inside: readonly string[]): string[] => [
    ...parts[at]!,
    ...(parts[at + 1] ? inside : []),
    ...parts[at + 2]!,
  ];
  const [left, right] = [dotsOf(1, ranks[0]), dotsOf(4, ranks[1])];
  return [spread(1, left), spread(4, right), spread(7, left.length >= right.length ? left : right)];
}

/**
 * Sums of products of two operands over the axes whose letter is not in the result. A letter stands for one size; "..."
 * for the axes that have no letter. Letters of one operand alone that are not in the result are summed over first.
 * @throws INVALID_ARGUMENT for other forms, a letter twice in one operand, or a result letter from nowhere
 * @example einsum("bqm,mhd->bqhd", x, kernel)   // [2, 8, 32] x [32, 4, 16] -> [2, 8, 4, 16]
 */
export function einsum(equation: string, x: Operand, y: Operand): Value {
  const [a, b] = [toFloat(x, "einsum"), toFloat(y, "einsum")];
  const [left, right, out] = lettersOf(equation, [a.rank, b.rank]);
  const sizes = new Map<string, number>();
  for (const [letters, value] of [[left, a] as const, [right, b] as const]) {
    const shapes = `${formatShape(a.shape)} and ${formatShape(b.shape)}`;
    if (letters.length !== value.rank) {
      throw new MyelinError("SHAPE_MISMATCH", `einsum: "${equation}" does not have the axes of ${shapes}`);
    }
    if (new Set(letters).size !== letters.length) {
      throw new MyelinError("INVALID_ARGUMENT", `einsum: "${equation}" has a letter twice in one operand`);
    }
    letters.forEach((letter, axis) => {
      const size = sizes.get(letter) ?? value.shape[axis]!;
      if (size !== value.shape[axis]) {
        const what = `${size} and ${value.shape[axis]} for "${letter}"`;
        throw new MyelinError("SHAPE_MISMATCH", `einsum: "${equation}" of ${shapes}: sizes differ, ${what}`);
      }
      sizes.set(letter, size);
    });
  }
  if (new Set(out).size !== out.length || out.some((letter) => !sizes.has(letter))) {
    throw new MyelinError("INVALID_ARGUMENT", `einsum: "${equation}" has a result that does not follow`);
  }

  const batch = left.filter((c) => right.includes(c) && out.includes(c));
  const inner = left.filter((c) => right.includes(c) && !out.includes(c));
  const rows = left.filter((c) => !right.includes(c) && out.includes(c));
  const columns = right.filter((c) => !left.includes(c) && out.includes(c));
  const total = (letters: readonly string[]) => sizeOf(letters.map((c) => sizes.get(c)!));
  const lead = batch.length > 0 ? [total(batch)] : [];
  const matrix = (value: Value, letters: readonly string[], order: readonly string[], shape: number[]) => {
    const gone = letters.flatMap((c, axis) => (order.includes(c) ? [] : [axis]));
    const kept = letters.filter((c) => order.includes(c));
    const summed = gone.length > 0 ? sum(value, { axis: gone }) : value;
    const ordered = transpose(
      summed,
      order.map((c) => kept.indexOf(c)),
    );
    return reshape(ordered, [...lead, ...shape]);
  };
  const [m, k, n] = [total(rows), total(inner), total(columns)];
  const product = matmul(
    matrix(a, left, [...batch, ...rows, ...inner], [m, k]),
    matrix(b, right, [...batch, ...inner, ...columns], [k, n]),
  );
  const made = [...batch, ...rows, ...columns];
  return transpose(
    reshape(
      product,
      made.map((c) => sizes.get(c)!),
    ),
    out.map((c) => made.indexOf(c)),
  );
}
