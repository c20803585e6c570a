// Makers of elementwise ops: each op is its name, its meaning on plain numbers and its gradient, written with ops.

import type { DType, HostArray } from "../core/dtype.ts";
import { broadcastShapes, formatShape, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { forEachRun, type Loop2 } from "./broadcast.ts";
import { arithmeticType, castTo, type Operand, toCommon, toFloat, toValue } from "./operand.ts";
import { checkArity, checkDTypes, checkSameDType, record, shapeError } from "./record.ts";

/** An op function that carries its record. */
export type UnaryFunction = ((x: Operand) => Value) & { readonly op: Op };
export type BinaryFunction = ((x: Operand, y: Operand) => Value) & { readonly op: Op };

/** float: computes in float32 whatever comes. number: int32 stays int32. whole: a no-op on integers. */
export type Domain = "float" | "number" | "whole";

const FLOAT: readonly DType[] = ["float32"];
const NUMBER: readonly DType[] = ["float32", "int32"];

export interface UnaryRule {
  domain?: Domain;
  /** Meaning on one number; or, where speed matters, on the whole array. */
  apply?: (x: number) => number;
  loop?: (x: HostArray, y: HostArray) => void;
  /** Meaning on int32 where the float one would lose bits. */
  applyInt?: (x: number) => number;
  /** Gradient by x, from the gradient by y. */
  gradient: (g: Value, x: Value, y: Value) => Value | null;
}

export function unary(name: string, rule: UnaryRule): UnaryFunction {
  const domain = rule.domain ?? "float";
  const loop = rule.loop ?? each(rule.apply!);
  const loopInt = rule.applyInt ? each(rule.applyInt) : loop;
  const op = record({
    name,
    kind: "elementwise",
    infer(inputs, _attrs, where) {
      checkArity(where, inputs, 1);
      checkDTypes(where, inputs, domain === "number" ? NUMBER : FLOAT);
      return [inputs[0]!];
    },
    gradient: ({ grads, inputs, outputs }) => [rule.gradient(grads[0]!, inputs[0]!, outputs[0]!)],
    evaluate: ([x], [y]) => (y instanceof Int32Array ? loopInt : loop)(x!, y!),
  });
  const call = (x: Operand): Value => {
    const value = domain === "float" ? toFloat(x, name) : toValue(x, undefined, name);
    if (domain === "whole" && value.dtype !== "float32") return value;
    return emit(op, [castTo(value, arithmeticType(value.dtype))])[0]!;
  };
  return Object.assign(call, { op });
}

function each(apply: (x: number) => number): (x: HostArray, y: HostArray) => void {
  return (x, y) => {
    for (let i = 0; i < y.length; i++) y[i] = apply(x[i]!);
  };
}

export interface BinaryRule {
  domain?: "float" | "number";
  apply?: (x: number, y: number) => number;
  loop?: Loop2;
  applyInt?: (x: number, y: number) => number;
  gradient: (g: Value, x: Value, y: Value, z: Value) => readonly [Value | null, Value | null];
}

/** Arithmetic with NumPy broadcasting. */
export function binary(name: string, rule: BinaryRule): BinaryFunction {
  const domain = rule.domain ?? "number";
  const loop = rule.loop ?? each2(rule.apply!);
  const loopInt = rule.applyInt ? each2(rule.applyInt) : loop;
  const op = record({
    name,
    kind: "elementwise",
    infer(inputs, _attrs, where) {
      checkDTypes(where, inputs, domain === "float" ? FLOAT : NUMBER);
      return [{ shape: inferBroadcast(inputs, where), dtype: inputs[0]!.dtype }];
    },
    gradient: ({ grads, inputs, outputs }) => rule.gradient(grads[0]!, inputs[0]!, inputs[1]!, outputs[0]!),
    evaluate: ([x, y], [z], { inputTypes, outputTypes }) =>
      run2(z instanceof Int32Array ? loopInt : loop, x!, y!, z!, inputTypes, outputTypes[0]!),
  });
  const dtypeRule = domain === "float" ? (): DType => "float32" : arithmeticType;
  return Object.assign((x: Operand, y: Operand): Value => emit(op, toCommon(name, [x, y], dtypeRule))[0]!, {
    op,
  });
}

/** Comparisons: operands of one dtype, bool out, no gradient. */
export function comparison(name: string, loop: Loop2, dtype?: DType): BinaryFunction {
  const op = record({
    name,
    kind: "elementwise",
    infer(inputs, _attrs, where) {
      if (dtype) checkDTypes(where, inputs, [dtype]);
      return [{ shape: inferBroadcast(inputs, where), dtype: "bool" }];
    },
    gradient: () => [null, null],
    evaluate: ([x, y], [z], { inputTypes, outputTypes }) =>
      run2(loop, x!, y!, z!, inputTypes, outputTypes[0]!),
  });
  const dtypeRule = dtype ? (): DType => dtype : undefined;
  return Object.assign((x: Operand, y: Operand): Value => emit(op, toCommon(name, [x, y], dtypeRule))[0]!, {
    op,
  });
}

/** Type rule of every broadcasting op with two inputs of one dtype. */
export function inferBroadcast(inputs: readonly TensorType[], where: string): readonly number[] {
  checkArity(where, inputs, 2);
  checkSameDType(where, inputs);
  const shape = broadcastShapes(inputs[0]!.shape, inputs[1]!.shape);
  if (!shape) {
    const [a, b] = inputs.map((t) => formatShape(t.shape));
    throw shapeError(where, `expected shapes that broadcast together, got ${a} and ${b}`);
  }
  return shape;
}

function each2(apply: (x: number, y: number) => number): Loop2 {
  return (a, i, s, b, j, t, y, k, end) => {
    for (; k < end; k++, i += s, j += t) y[k] = apply(a[i]!, b[j]!);
  };
}

function run2(
  loop: Loop2,
  x: HostArray,
  y: HostArray,
  z: HostArray,
  types: readonly TensorType[],
  to: TensorType,
): void {
  forEachRun([types[0]!.shape, types[1]!.shape], to.shape, (at, strides, k, end) =>
    loop(x, at[0]!, strides[0]!, y, at[1]!, strides[1]!, z, k, end),
  );
}
