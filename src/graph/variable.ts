// A Variable is named state that outlives a run: a weight, an optimizer slot, a counter, a data set.
// In a graph it is an input; assigning to it makes an output that reuses its buffer. Where its memory lies is the engine's business.

import type { DType, HostArray } from "../core/dtype.ts";
import { allocateHost, outOfMemory } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { formatShape, type Shape, sameType, sizeOf, type TensorType } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import type { Value } from "./graph.ts";

/** Where the current value lies once an engine holds it. The engine side sets it; nothing else needs to know. */
export interface Residence {
  /** A fresh host copy of the current value; waits for a running step. */
  read(): HostArray;
  write(data: HostArray): void;
}

export interface VariableOptions {
  name?: string;
  trainable?: boolean;
  /** Called once, when the value is first needed. Defaults to zeros. */
  initial?: () => HostArray;
  /** A penalty for its value, which training adds to the loss while the variable is trained. */
  regularizer?: Rule;
  /** What optimizers bring it back to after every step. */
  constraint?: Rule;
}

/** A function of a variable's value, written with ops. */
export interface Rule {
  call(value: Value): Value;
}

export class Variable implements TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
  name: string;
  trainable: boolean;
  readonly regularizer: Rule | undefined;
  readonly constraint: Rule | undefined;
  /** @internal Undefined while no engine has seen the variable; its value is then kept here on the host. */
  residence: Residence | undefined;
  private readonly initial: (() => HostArray) | undefined;
  private host: HostArray | undefined;

  constructor(shape: Shape, dtype: DType = "float32", options: VariableOptions = {}) {
    this.shape = shape;
    this.dtype = dtype;
    this.name = options.name ?? "variable";
    this.trainable = options.trainable ?? true;
    this.initial = options.initial;
    this.regularizer = options.regularizer;
    this.constraint = options.constraint;
  }

  /** @internal A fresh host copy of the value to start from: what was last written, else drawn (once) or zeros. */
  makeInitial(): HostArray {
    if (!this.host) {
      const data = this.drawInitial();
      if (data.length !== sizeOf(this.shape)) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `Variable ${this.name}: initial value has ${data.length} elements, shape ${formatShape(this.shape)} needs ${sizeOf(this.shape)}`,
        );
      }
      this.host = data;
    }
    return this.host.slice();
  }

  private drawInitial(): HostArray {
    try {
      return this.initial?.() ?? allocateHost(this.dtype, sizeOf(this.shape));
    } catch (cause) {
      throw outOfMemory(`variable ${this.name}, ${this.dtype}${formatShape(this.shape)}`, cause);
    }
  }

  /** The current value, wherever it lies. Waits for a running step to finish. */
  read(): Tensor {
    return new Tensor(this.residence?.read() ?? this.makeInitial(), this.shape, this.dtype);
  }

  /** Gives the variable a new value of the same shape and dtype. */
  write(value: Tensor): void {
    if (!(value instanceof Tensor) || !sameType(this, value)) {
      const came = value instanceof Tensor ? `${value.dtype}${formatShape(value.shape)}` : describe(value);
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `Variable ${this.name}: expected ${this.dtype}${formatShape(this.shape)}, got ${came}`,
      );
    }
    if (this.residence) this.residence.write(value.data);
    else this.host = value.data.slice();
  }

  /** @internal Drops the host copy once an engine holds the value. */
  moveTo(residence: Residence): void {
    this.residence = residence;
    this.host = undefined;
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
