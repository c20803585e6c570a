// What the recurrent sequences (lstm, gru, simpleRnn) share: checked sizes, the order of steps, and the options of their
// functions. Letters: B batch, T steps, U units, G gates.

import type { DType } from "../core/dtype.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import { formatType, type Shape, sameShape, type TensorType } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { castTo, type Operand, toFloat, toValue } from "./operand.ts";
import { formatTypes, shapeError } from "./record.ts";
import { concatenate, expandDims, reshape, sliceAxis, zeros } from "./shape.ts";

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

/** Throws unless each input is what its name and type say. */
export function checkSequenceInputs(
  where: string,
  inputs: readonly TensorType[],
  expected: readonly (readonly [name: string, shape: Shape, dtype?: "bool"])[],
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

/** What each step had before it: its predecessor's row of `states` [B, T, U], and `initial` [B, U] at the first. */
export function beforeEach(states: Value, initial: Value, goBackwards: boolean): Value {
  const steps = states.shape[1]!;
  const first = expandDims(initial, 1);
  if (steps === 1) return first;
  return goBackwards
    ? concatenate([sliceAxis(states, 1, 1, steps), first], { axis: 1 })
    : concatenate([first, sliceAxis(states, 1, 0, steps - 1)], { axis: 1 });
}

/** [B, T, n] as the matrix [B * T, n]. */
export function asRows(x: Value): Value {
  return reshape(x, [x.shape[0]! * x.shape[1]!, x.shape[2]!]);
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
