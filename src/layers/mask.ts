// Masks: which steps of a sequence count. A mask is a bool Value [batch, steps], true where a step counts; it travels
// beside the Value it belongs to, from layer to layer, as in Keras 3. Layer.apply does the passing on.

import type { Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { cast } from "../ops/index.ts";
import { reshapeOp } from "../ops/move.ts";
import type { Nest } from "./nest.ts";

/** The masks of a layer's inputs or outputs, laid out like them: null where there is none. */
export type Mask = Nest<Value | null>;

/** By the Value they belong to; both live as long as their trace. */
const masks = new WeakMap<Value, Value>();

/** The mask that came with a Value, or null. */
export function maskOf(x: Value): Value | null {
  return masks.get(x) ?? null;
}

/**
 * Lets a mask travel with a Value: whatever layer the Value is given to sees it. Replaces one that is there.
 * @param mask of the shape of x's leading axes; not 0 where a step counts; null takes the mask away
 * @returns x
 * @example layers.setMask(steps, ops.notEqual(tokens, 0))
 */
export function setMask(x: Value, mask: Value | null): Value {
  if (mask) masks.set(x, mask.dtype === "bool" ? mask : cast(mask, "bool"));
  else masks.delete(x);
  return x;
}

/** @internal The same numbers as a Value of their own, with this mask or none. */
export function remasked(x: Value, mask: Value | null): Value {
  return setMask(emit(reshapeOp, [x], { shape: x.shape })[0]!, mask);
}
