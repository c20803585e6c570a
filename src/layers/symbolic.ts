// Tensors that do not exist yet: what `input()` returns and layers pass on in the functional API. They remember the
// calls that made them, so that `model({ inputs, outputs })` can walk back from the outputs.

import type { DType } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { MAX_RANK } from "../core/shape.ts";
import type { Layer } from "./layer.ts";
import type { Layout } from "./nest.ts";

/** A shape whose unknown sizes are null; the first axis is the batch. */
export type BatchShape = readonly (number | null)[];

/** What is known of a tensor before any data: its shape with nulls, and its dtype. */
export interface TensorSpec {
  readonly shape: BatchShape;
  readonly dtype: DType;
}

/** One use of a layer: which tensors went in, which came out. `layout` is null for a single tensor. */
export interface LayerCall {
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  readonly inputLayout: Layout;
  /** What `apply` was given beside inputs. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly outputs: readonly SymbolicTensor[];
  readonly outputLayout: Layout;
}

/** The result of applying a layer to `input()`: a shape, a dtype and where it comes from. */
export class SymbolicTensor implements TensorSpec {
  readonly shape: BatchShape;
  readonly dtype: DType;
  /** The call that makes it, and which of its outputs it is. */
  readonly call: LayerCall;
  readonly index: number;

  constructor(spec: TensorSpec, call: LayerCall, index: number) {
    this.shape = spec.shape;
    this.dtype = spec.dtype;
    this.call = call;
    this.index = index;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** The name of the layer that makes it. */
  get name(): string {
    return this.call.layer.name;
  }

  /** As errors and logs show it: `dense float32[null, 8]`. */
  toString(): string {
    return `${this.name} ${this.dtype}[${this.shape.map((d) => d ?? "null").join(", ")}]`;
  }
}

export function isBatchShape(x: unknown): x is BatchShape {
  return (
    Array.isArray(x) &&
    x.length <= MAX_RANK &&
    x.every((d) => d === null || (Number.isInteger(d) && d >= 0 && d <= 2 ** 40))
  );
}

/** Throws unless `shape` is a list of sizes and nulls. */
export function checkBatchShape(where: string, shape: unknown): BatchShape {
  if (!isBatchShape(shape)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected a shape of at most ${MAX_RANK} non-negative integers or nulls, got ${describe(shape)}`,
    );
  }
  return shape;
}

/** `(null, 28, 28)`, as Keras prints shapes with a batch axis. */
export function formatBatchShape(shape: BatchShape): string {
  return `(${shape.map((d) => d ?? "null").join(", ")})`;
}
