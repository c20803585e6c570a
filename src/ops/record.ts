// Small helpers for writing op records: typed attributes, and the checks that type rules share.

import type { DType } from "../core/dtype.ts";
import { MyelinError } from "../core/errors.ts";
import { formatType, type TensorType } from "../core/shape.ts";
import type { Attrs, Op } from "../graph/graph.ts";

/** An op record whose own code sees its attributes typed. The graph carries it as a plain Op. */
export function record<A extends Attrs = Attrs>(op: Op<A>): Op {
  return op as unknown as Op;
}

/** `[f32[2,3], f32[4]]` for messages. */
export function formatTypes(types: readonly TensorType[]): string {
  return types.map(formatType).join(" and ");
}

export function checkArity(where: string, inputs: readonly unknown[], count: number): void {
  if (inputs.length !== count) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected ${count} inputs, got ${inputs.length}`);
  }
}

/** Every input has one of these dtypes. */
export function checkDTypes(where: string, inputs: readonly TensorType[], allowed: readonly DType[]): void {
  if (!inputs.every((t) => allowed.includes(t.dtype))) {
    throw new MyelinError(
      "DTYPE_MISMATCH",
      `${where}: expected dtype ${allowed.join(" or ")}, got ${formatTypes(inputs)}`,
    );
  }
}

export function checkSameDType(where: string, inputs: readonly TensorType[]): void {
  if (inputs.some((t) => t.dtype !== inputs[0]!.dtype)) {
    throw new MyelinError("DTYPE_MISMATCH", `${where}: expected one dtype, got ${formatTypes(inputs)}`);
  }
}

export function shapeError(where: string, message: string): MyelinError {
  return new MyelinError("SHAPE_MISMATCH", `${where}: ${message}`);
}

/** Product of dims[begin..end). */
export function sizeBetween(shape: readonly number[], begin: number, end: number): number {
  let size = 1;
  for (let i = begin; i < end; i++) size *= shape[i]!;
  return size;
}
