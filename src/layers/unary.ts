// The base of built-in layers that take one input: the checks they share.

import type { Value } from "../graph/graph.ts";
import { type CallContext, Layer } from "./layer.ts";
import type { Layout } from "./nest.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";

/** A layer of one input and one output. */
export abstract class UnaryLayer extends Layer {
  abstract override call(x: Value, context: CallContext, mask: Value | null): Value;

  protected override checkInputs(inputs: readonly unknown[], layout: Layout): void {
    if (layout === null) return;
    throw this.error(
      "INVALID_ARGUMENT",
      `expected one input, got ${Array.isArray(layout) ? "a record" : "a list"} of ${inputs.length}`,
    );
  }

  /** Throws unless the rank, batch axis included, is in [min, max]. */
  protected checkRank(shape: BatchShape, min: number, max = Number.POSITIVE_INFINITY): void {
    if (shape.length >= min && shape.length <= max) return;
    const expected = max === min ? `rank ${min}` : `rank of at least ${min}`;
    throw this.error(
      "SHAPE_MISMATCH",
      `expected an input of ${expected} (batch axis included), got shape ${formatBatchShape(shape)}`,
    );
  }
}
