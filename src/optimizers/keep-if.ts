// A step that is worked out in any case and then kept or not: a Program has no branches.

import type { Value } from "../graph/graph.ts";
import { assignVariable, readVariable } from "../graph/trace.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";

/**
 * Inside a trace: what `step` assigns to these variables holds only where `condition` is true.
 * @param condition bool scalar
 */
export function keepIf(condition: Value, touched: readonly Variable[], step: () => void): void {
  const before = touched.map(readVariable);
  step();
  touched.forEach((variable, i) => {
    const after = readVariable(variable);
    if (after !== before[i]) assignVariable(variable, ops.where(condition, after, before[i]!));
  });
}
