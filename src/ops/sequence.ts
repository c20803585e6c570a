// What the recurrent sequences (lstm, gru, simpleRnn) share: checked sizes, the order of steps, the inputs of their
// gradients, and the options of their functions. Letters: B batch, T steps, U units, G gates.

import type { DType } from "../core/dtype.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import { formatType, type Shape, sameShape, type TensorType } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { multiply, subtract } from "./arithmetic.ts";
import { matmul } from "./matmul.ts";
import { castTo, type Operand, toFloat, toValue } from "./operand.ts";
import { formatTypes, shapeError } from "./record.ts";
import { concatenate, expandDims, reshape, sliceAxis, unstack, zeros } from "./shape.ts";

export interface SequenceAttrs extends Record<string, unknown> {
  /** From the last step to the first. Outputs stay at the place of their step. */
  goBackwards: boolean;
}

/** Attributes of a gradient: which of the optional inputs are there, in this order, after the fixed ones. */
export interface SequenceGradAttrs extends SequenceAttrs {
  masked: boolean;
  /** The gradients that arrive: by all outputs [B, T, U], and by each final state [B, U]. */
  byOutputs: boolean;
  byState: boolean;
}

export interface SequenceSizes {
  batch: number;
  steps: number;
  units: number;
}

/** Sizes of a sequence from z [B, T, G * U] and a recurrent kernel [U, G * U]. */
export function sequenceSizes(
  where: string,
  z: TensorType | undefined,
  kernel: TensorType | undefined,
  gates: number,
): SequenceSizes {
  const [batch, steps, width] = z?.shape ?? [];
  const [units, columns] = kernel?.shape ?? [];
  const fits =
    z?.shape.length === 3 &&
    kernel?.shape.length === 2 &&
    steps! > 0 &&
    width === gates * units! &&
    columns === width &&
    z.dtype === "float32" &&
    kernel.dtype === "float32";
  if (!fits) {
    const given = [z, kernel].map((t) => (t ? formatType(t) : "nothing")).join(" and ");
    const by = gates === 1 ? "" : `${gates} * `;
    throw shapeError(
      where,
      `expected float32 inputs [batch, steps, ${by}units] of at least one step and a recurrent kernel [units, ${by}units], got ${given}`,
    );
  }
  return { batch: batch!, steps: steps!, units: units! };
}

export type SequenceInput = readonly [name: string, shape: Shape, dtype?: "bool"];

/** Throws unless each input is what its name and type say. */
export function checkSequenceInputs(
  where: string,
  inputs: readonly TensorType[],
  expected: readonly SequenceInput[],
): void {
  if (inputs.length !== expected.length) {
    throw shapeError(
      where,
      `expected ${expected.length} inputs (${expected.map(([n]) => n).join(", ")}), got ${formatTypes(inputs)}`,
    );
  }
  expected.forEach(([name, shape, given], i) => {
    const dtype: DType = given ?? "float32";
    const came = inputs[i]!;
    if (came.dtype === dtype && sameShape(came.shape, shape)) return;
    throw shapeError(where, `expected ${name} ${formatType({ shape, dtype })}, got ${formatType(came)}`);
  });
}

/** The steps in the order they are worked through. */
export function stepOrder(steps: number, goBackwards: boolean): number[] {
  return Array.from({ length: steps }, (_, i) => (goBackwards ? steps - 1 - i : i));
}

/** The inputs of a gradient after the fixed ones, and what its attributes say of them: zeros for a state none arrives by. */
export function gradientInputs(
  mask: readonly Value[],
  dy: Value | null | undefined,
  byStates: readonly (Value | null | undefined)[],
  goBackwards: boolean,
  state: Shape,
): { arrived: Value[]; attrs: SequenceGradAttrs } {
  const byState = byStates.some((d) => d != null);
  return {
    arrived: [...mask, ...(dy ? [dy] : []), ...(byState ? byStates.map((d) => d ?? zeros(state)) : [])],
    attrs: { goBackwards, masked: mask.length > 0, byOutputs: dy != null, byState },
  };
}

/** Names and types of these inputs, for `checkSequenceInputs`. `states`: names of the gradients by the final states. */
export function gradientInputTypes(
  { masked, byOutputs, byState }: SequenceGradAttrs,
  { batch, steps, units }: SequenceSizes,
  states: readonly string[],
): SequenceInput[] {
  return [
    ...(masked ? [["mask", [batch, steps], "bool"] as const] : []),
    ...(byOutputs ? [["dy", [batch, steps, units]] as const] : []),
    ...(byState ? states.map((name) => [name, [batch, units]] as const) : []),
  ];
}

/** These inputs again: masks and gradients of each step, where there are any, and the gradients by the final states. */
export function readGradientInputs(
  inputs: readonly Value[],
  { masked, byOutputs, byState }: SequenceGradAttrs,
  states: number,
  state: Shape,
): { masks: Value[] | undefined; dys: Value[] | undefined; byStates: Value[] } {
  const rest = [...inputs];
  return {
    masks: masked ? unstack(rest.shift()!, { axis: 1 }) : undefined,
    dys: byOutputs ? unstack(rest.shift()!, { axis: 1 }) : undefined,
    byStates: byState ? rest : Array.from({ length: states }, () => zeros(state)),
  };
}

/** The gradient by the recurrent kernel: h before each step, transposed, times that by its product with the kernel. */
export function recurrentKernelGrad(y: Value, h0: Value, byProduct: Value, goBackwards: boolean): Value {
  const [first, steps] = [expandDims(h0, 1), y.shape[1]!];
  const shifted = () =>
    goBackwards ? [sliceAxis(y, 1, 1, steps), first] : [first, sliceAxis(y, 1, 0, steps - 1)];
  const before = steps === 1 ? first : concatenate(shifted(), { axis: 1 });
  return matmul(asRows(before), asRows(byProduct), { transposeA: true });
}

/** [B, T, n] as the matrix [B * T, n]. */
function asRows(x: Value): Value {
  return reshape(x, [x.shape[0]! * x.shape[1]!, x.shape[2]!]);
}

/** The derivative of a sigmoid, from its value. */
export function sigmoidSlope(y: Value): Value {
  return multiply(y, subtract(1, y));
}

export interface SequenceOptions<S> {
  /** What the first step begins with; zeros by default. */
  initialState?: S;
  /** [batch, steps]: where it is false (or 0) the state stays as it is, and the output repeats it. */
  mask?: Operand;
  /** From the last step to the first; outputs stay at the place of their step. Default false. */
  goBackwards?: boolean;
}

/** Operands of a sequence op, checked as far as the type rule cannot. */
export function readSequence(
  name: string,
  z: Operand,
  kernel: Operand,
  options: SequenceOptions<readonly Operand[] | Operand> | undefined,
  gates: number,
): {
  z: Value;
  kernel: Value;
  states: Value[] | undefined;
  mask: Value[];
  attrs: SequenceAttrs;
  zero: () => Value;
} {
  const {
    initialState,
    mask,
    goBackwards = false,
  } = checkOptions(name, options, ["initialState", "mask", "goBackwards"]);
  checkBoolean(name, "goBackwards", goBackwards);
  const [x, w] = [toFloat(z, name), toFloat(kernel, name)];
  const { batch, units } = sequenceSizes(name, x, w, gates);
  const given = initialState === undefined ? undefined : [initialState].flat();
  return {
    z: x,
    kernel: w,
    states: given?.map((s) => toFloat(s as Operand, name)),
    mask: mask === undefined ? [] : [castTo(toValue(mask, "bool", name), "bool")],
    attrs: { goBackwards },
    zero: () => zeros([batch, units]),
  };
}
