// State as users of ops change it: what a custom layer with running statistics or a hand-written training loop needs.

import { describe, MyelinError } from "../core/errors.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import { castTo, type Operand, toValue } from "./operand.ts";

/**
 * Gives a variable a new value: for later reads in this trace and, after the run, for everyone. Nothing changes until the
 * traced function runs.
 * @param value of the variable's shape; cast to its dtype
 * @returns the new value
 * @throws MyelinError SHAPE_MISMATCH
 * @example ops.assign(this.mean, ops.add(ops.multiply(this.mean, 0.9), ops.multiply(batchMean, 0.1)));
 */
export function assign(variable: Variable, value: Operand): Value {
  if (!(variable instanceof Variable)) {
    throw new MyelinError("INVALID_ARGUMENT", `assign: expected a Variable, got ${describe(variable)}`);
  }
  const next = castTo(toValue(value, variable.dtype, "assign"), variable.dtype);
  assignVariable(variable, next);
  return next;
}
