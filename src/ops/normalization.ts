// What the type rules and gradients of normalisations share. gamma and beta are left out, not set to ones and zeros, where
// scale or center is false. Statistics are outputs of the ops: gradients and moving averages read them.

import { formatShape, type Shape, sameShape, type TensorType } from "../core/shape.ts";
import type { Attrs, Value } from "../graph/graph.ts";
import { add } from "./arithmetic.ts";
import { checkArity, checkDTypes, shapeError } from "./record.ts";

export interface NormAttrs extends Attrs {
  epsilon: number;
  /** Whether gamma is among the inputs (and its gradient among the outputs). */
  scale: boolean;
  /** The same of beta, which only the forward op reads. */
  center: boolean;
}

/** The shape each input after x must have, by name. */
export type Expected = (readonly [name: string, shape: Shape])[];

export const when = (present: boolean, name: string, shape: Shape): Expected =>
  present ? [[name, shape]] : [];

/** Throws unless all inputs are float32 and those after x are as expected. */
export function checkShapes(where: string, inputs: readonly TensorType[], expected: Expected): void {
  checkArity(where, inputs, 1 + expected.length);
  checkDTypes(where, inputs, ["float32"]);
  expected.forEach(([name, shape], i) => {
    const came = inputs[i + 1]!.shape;
    if (sameShape(came, shape)) return;
    const x = formatShape(inputs[0]!.shape);
    throw shapeError(where, `expected ${name} ${formatShape(shape)} for x ${x}, got ${formatShape(came)}`);
  });
}

export const float = (shape: Shape): TensorType => ({ shape, dtype: "float32" });

export function addMaybe(a: Value | null, b: Value | null): Value | null {
  return a && b ? add(a, b) : (a ?? b);
}

export const channelsOf = (x: TensorType): Shape => x.shape.slice(-1);
