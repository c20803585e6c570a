// How many inputs and outputs one element of a weight connects; the scale of most initializers follows from it.

import { type Shape, sizeOf } from "../core/shape.ts";

export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/**
 * Fan-in and fan-out as Keras counts them: [inputs, outputs] for a matrix, [...kernel, inputs, outputs] for a
 * convolution (each times the kernel's size), the length for a vector, 1 for a scalar.
 */
export function computeFans(shape: Shape): Fans {
  if (shape.length === 0) return { fanIn: 1, fanOut: 1 };
  if (shape.length === 1) return { fanIn: shape[0]!, fanOut: shape[0]! };
  const field = sizeOf(shape.slice(0, -2));
  return { fanIn: field * shape.at(-2)!, fanOut: field * shape.at(-1)! };
}
