// What op functions accept, and how it becomes a Value: variables are read, tensors and numbers become constants,
// mixed dtypes are promoted by casts (bool < uint8 < int32 < float32).

import { type DType, promote } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { Tensor } from "../core/tensor.ts";
import { Value } from "../graph/graph.ts";
import { emit, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import { castOp } from "./cast.ts";
import { constantOp } from "./constant.ts";

/** Anything an op function takes as a tensor. Numbers take the other operand's dtype when whole, float32 otherwise. */
export type Operand = Value | Variable | Tensor | number | boolean;

/**
 * The Value an operand stands for in the current trace.
 * @param like dtype that a number or boolean should take when it can; float32 by default
 * @param where names the caller in errors
 */
export function toValue(x: Operand, like: DType = "float32", where = "ops"): Value {
  if (x instanceof Value) return x;
  if (x instanceof Variable) return readVariable(x);
  if (x instanceof Tensor) return emit(constantOp, [], { value: x })[0]!;
  if (typeof x === "number" || typeof x === "boolean") return scalar(x, literalType(x, like));
  throw new MyelinError(
    "INVALID_ARGUMENT",
    `${where}: expected a Value, Variable, Tensor, number or boolean, got ${describe(x)}`,
  );
}

/** A rank-0 constant. */
export function scalar(x: number | boolean, dtype: DType = "float32"): Value {
  const data =
    dtype === "float32"
      ? Float32Array.of(Number(x))
      : dtype === "int32"
        ? Int32Array.of(Number(x))
        : Uint8Array.of(dtype === "bool" ? Number(x !== 0 && x !== false) : Number(x));
  return emit(constantOp, [], { value: new Tensor(data, [], dtype) })[0]!;
}

function literalType(x: number | boolean, like: DType): DType {
  if (like === "float32") return "float32";
  if (typeof x === "boolean") return like;
  return Number.isInteger(x) && Math.abs(x) < 2 ** 31 ? "int32" : "float32";
}

/** Casts a Value; none is needed when it has that dtype already. */
export function castTo(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : emit(castOp, [x], { dtype })[0]!;
}

export function toFloat(x: Operand, where: string): Value {
  return castTo(toValue(x, "float32", where), "float32");
}

export function toInt(x: Operand, where: string): Value {
  return castTo(toValue(x, "int32", where), "int32");
}

/** bool and uint8 compute as int32. */
export function arithmeticType(dtype: DType): DType {
  return dtype === "float32" ? "float32" : "int32";
}

/** Values of a common dtype: literals adapt to the others. `rule` maps the promoted dtype to the one to compute in. */
export function toCommon(
  where: string,
  operands: readonly Operand[],
  rule: (dtype: DType) => DType = (d) => d,
): Value[] {
  const isLiteral = (x: Operand): x is number | boolean => typeof x === "number" || typeof x === "boolean";
  const typed = operands.map((x) => (isLiteral(x) ? x : toValue(x, undefined, where)));
  const known = typed.filter((x): x is Value => x instanceof Value).map((x) => x.dtype);
  const base = rule(known.length > 0 ? known.reduce(promote) : "float32");
  const literals = typed.filter(isLiteral).map((x) => literalType(x, base));
  const dtype = rule([base, ...literals].reduce(promote));
  return typed.map((x) => (isLiteral(x) ? scalar(x, dtype) : castTo(x, dtype)));
}
