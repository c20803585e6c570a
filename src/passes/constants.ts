// What passes ask about constants.

import type { Tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { constantOp } from "../ops/constant.ts";

/** The tensor behind a constant, or undefined. */
export function constantOf(value: Value): Tensor | undefined {
  return value.node?.op === constantOp ? (value.node.attrs.value as Tensor) : undefined;
}

/** Whether every element of a constant is this number; -0 is not 0. */
export function isFull(value: Value, x: number): boolean {
  const t = constantOf(value);
  return t !== undefined && t.size > 0 && t.data.every((e) => Object.is(e, x));
}
