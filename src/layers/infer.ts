// Output shapes without shape rules: a function is traced on two sets of made-up sizes; axes that differ are unknown.
// So a layer's `call` is the only place that knows its shapes.

import { MyelinError } from "../core/errors.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { trace } from "../graph/trace.ts";
import type { TensorSpec } from "./symbolic.ts";

/**
 * Stand-ins for unknown sizes in the two traces, by axis: 8, 9, 10, ... and 24, 25, 26, ... Even for the batch, so that
 * a layer may halve it; the same axis gets the same size in every input, so that inputs still fit each other.
 */
const FIRST_SIZES = [8, 24];

/**
 * What `fn` makes of inputs of these specs. Nothing is computed.
 * @throws whatever `fn` throws while tracing, with a note about the made-up sizes
 */
export function inferSpecs(
  fn: (inputs: Value[]) => readonly Value[],
  inputs: readonly TensorSpec[],
): TensorSpec[] {
  const open = inputs.some((t) => t.shape.includes(null));
  const [first, second] = FIRST_SIZES.slice(0, open ? 2 : 1).map((size) => traceOnce(fn, inputs, size));
  return first!.map((t, i) => {
    const other = second?.[i] ?? t;
    if (other.shape.length !== t.shape.length) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `output ${i}: expected the same rank for every batch size, got ${formatShape(t.shape)} and ${formatShape(other.shape)}`,
      );
    }
    return { dtype: t.dtype, shape: t.shape.map((d, axis) => (d === other.shape[axis] ? d : null)) };
  });
}

function traceOnce(
  fn: (inputs: Value[]) => readonly Value[],
  inputs: readonly TensorSpec[],
  size: number,
): TensorSpec[] {
  // Inputs of a known batch size set that of the others.
  const batch = inputs.map((t) => t.shape[0]).find((d) => typeof d === "number") ?? size;
  const types = inputs.map((t) => ({
    dtype: t.dtype,
    shape: t.shape.map((d, axis) => d ?? (axis === 0 ? batch : size + axis)),
  }));
  let specs: TensorSpec[] = [];
  try {
    trace((...args) => {
      const results = fn(args);
      specs = results.map(({ shape, dtype }) => ({ shape, dtype }));
      return [];
    }, types);
  } catch (error) {
    const made = types.flatMap((t, i) => t.shape.filter((_, axis) => inputs[i]!.shape[axis] === null));
    if (!(error instanceof MyelinError) || made.length === 0) throw error;
    const note = ` (unknown sizes traced as ${[...new Set(made)].join(", ")})`;
    throw new MyelinError(error.code, error.message + note, { cause: error });
  }
  return specs;
}
