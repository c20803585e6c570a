// What becomes of indices: themselves, one-hot rows, or rows that say which (or how many, or how telling) there are.

import { MyelinError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import { Tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";

export type OutputMode = "int" | "oneHot" | "multiHot" | "count" | "tfIdf";
export const OUTPUT_MODES = ["int", "oneHot", "multiHot", "count", "tfIdf"] as const;

/** Rows of indices as one float32 row of `size` each (int: as they are). Rows may be of different lengths, except for int. */
export function encodeRows(
  where: string,
  rows: readonly ArrayLike<number>[],
  mode: OutputMode,
  size: number,
  options: { isFlat: boolean; weights?: ArrayLike<number> | undefined },
): Tensor {
  const { isFlat, weights } = options;
  if (mode === "int") {
    const length = rows[0]?.length ?? 1;
    const odd = rows.findIndex((r) => r.length !== length);
    if (odd >= 0) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}: expected rows of ${length} for outputMode "int", got ${rows[odd]!.length} in row ${odd}`,
      );
    }
    const flat = new Int32Array(rows.length * length);
    rows.forEach((r, i) => {
      flat.set(r, i * length);
    });
    return new Tensor(flat, isFlat ? [rows.length] : [rows.length, length], "int32");
  }
  if (mode === "oneHot" && rows.some((r) => r.length !== 1)) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected one element a row for outputMode "oneHot"; "multiHot" takes several`,
    );
  }
  const out = new Float32Array(rows.length * size);
  rows.forEach((r, i) => {
    for (let k = 0; k < r.length; k++) {
      const at = r[k]!;
      if (at < 0 || at >= size) {
        throw new MyelinError(
          "LABEL_OUT_OF_RANGE",
          `${where}: expected indices from 0 to ${size - 1}, got ${at} in row ${i}`,
        );
      }
      if (mode === "count" || mode === "tfIdf") out[i * size + at]!++;
      else out[i * size + at] = 1;
    }
  });
  if (mode === "tfIdf") for (let i = 0; i < out.length; i++) out[i]! *= weights![i % size]!;
  return new Tensor(out, [rows.length, size], "float32");
}

/** The same in a Program. */
export function encodeValue(where: string, x: Value, mode: OutputMode, size: number, weights?: Value): Value {
  const indices = ops.cast(x, "int32");
  if (mode === "int") return indices;
  const isColumn = indices.rank > 1 && indices.shape.at(-1) === 1;
  if (mode === "oneHot") return ops.oneHot(isColumn ? ops.squeeze(indices, -1) : indices, size);
  if (indices.rank > 2) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${where}: expected rows of indices for outputMode "${mode}", got shape ${formatShape(x.shape)}`,
    );
  }
  const rows = indices.rank === 1 ? ops.expandDims(indices, -1) : indices;
  const each = ops.oneHot(rows, size);
  if (mode === "multiHot") return ops.max(each, { axis: 1 });
  const counts = ops.sum(each, { axis: 1 });
  return mode === "count" ? counts : ops.multiply(counts, weights!);
}
