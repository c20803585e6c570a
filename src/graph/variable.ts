// A Variable is named state that outlives a run: a weight, an optimizer slot, a counter, a data set.
// In a graph it is an input; assigning to it makes an output that reuses its buffer. Where its memory lies is the engine's business.

import type { DType, HostArray } from "../core/dtype.ts";
import { allocateHost } from "../core/dtype.ts";
import { MyelinError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf, type TensorType } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";

export interface VariableOptions {
  name?: string;
  trainable?: boolean;
  /** Called once, when the value is first needed. Defaults to zeros. */
  initial?: () => HostArray;
}

export class Variable implements TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
  name: string;
  trainable: boolean;
  private readonly initial: (() => HostArray) | undefined;

  constructor(shape: Shape, dtype: DType = "float32", options: VariableOptions = {}) {
    this.shape = shape;
    this.dtype = dtype;
    this.name = options.name ?? "variable";
    this.trainable = options.trainable ?? true;
    this.initial = options.initial;
  }

  /** @internal A fresh host copy of the starting value. */
  makeInitial(): HostArray {
    const data = this.initial?.() ?? allocateHost(this.dtype, sizeOf(this.shape));
    if (data.length !== sizeOf(this.shape)) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `Variable ${this.name}: initial value has ${data.length} elements, shape ${formatShape(this.shape)} needs ${sizeOf(this.shape)}`,
      );
    }
    return data;
  }
}

/**
 * State for your own compiled functions.
 * @example const w = variable(tensor([0, 0]), { name: "w" });
 */
export function variable(initial: Tensor, options: Omit<VariableOptions, "initial"> = {}): Variable {
  if (!(initial instanceof Tensor))
    throw new MyelinError("INVALID_ARGUMENT", "variable: expected a Tensor as initial value");
  return new Variable(initial.shape, initial.dtype, { ...options, initial: () => initial.data.slice() });
}
