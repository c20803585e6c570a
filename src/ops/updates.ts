// Optimizer steps over many tensors at once. Composites: one kernel call updates every weight of a model.
//
// sgdUpdate:  inputs learningRate [], then per tensor p, g (and velocity when momentum > 0);
//             outputs per tensor p (and velocity).
// adamUpdate: inputs learningRate [], iteration int32 [] (steps finished before this one), then per tensor p, g, m, v;
//             outputs per tensor p, m, v.
// Every output may be written over the input of the same name.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import { sameShape, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, multiply, power, subtract } from "./arithmetic.ts";
import { sqrt, square } from "./elementwise.ts";
import { castTo, type Operand, toFloat, toInt } from "./operand.ts";
import { formatTypes, record, shapeError } from "./record.ts";

/** Splits what follows the `lead` scalars into groups of tensors of one shape; all float32. */
function inferGroups(
  where: string,
  inputs: readonly TensorType[],
  lead: number,
  each: number,
): readonly TensorType[][] {
  const rest = inputs.slice(lead);
  const scalars = inputs.slice(0, lead);
  const ok =
    scalars.length === lead &&
    scalars.every((t, i) => t.shape.length === 0 && t.dtype === (i === 0 ? "float32" : "int32"));
  if (!ok || rest.length % each !== 0) {
    const what = `${lead} scalars and then groups of ${each} tensors`;
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected ${what}, got ${formatTypes(inputs)}`);
  }
  const groups = Array.from({ length: rest.length / each }, (_, i) => rest.slice(i * each, (i + 1) * each));
  for (const group of groups) {
    if (!group.every((t) => t.dtype === "float32" && sameShape(t.shape, group[0]!.shape))) {
      throw shapeError(where, `expected float32 tensors of one shape, got ${formatTypes(group)}`);
    }
  }
  return groups;
}

/** Pairs [output, input] of groups in which only input 1, the gradient, has no output. */
function inPlacePairs(inputs: readonly TensorType[], lead: number, each: number): [number, number][] {
  return inputs
    .map((_, i) => i)
    .filter((i) => i >= lead && (i - lead) % each !== 1)
    .map((i, output) => [output, i]);
}

interface SgdAttrs extends Record<string, unknown> {
  momentum: number;
  nesterov: boolean;
  weightDecay: number;
}

const sgdEach = (attrs: SgdAttrs): number => (attrs.momentum > 0 ? 3 : 2);

/** p -= p * weightDecay * learningRate, before the step, as Keras does it. */
function decay(p: Value, learningRate: Value, weightDecay: number): Value {
  return weightDecay === 0 ? p : subtract(p, multiply(multiply(p, weightDecay), learningRate));
}

export const sgdUpdateOp: Op = record<SgdAttrs>({
  name: "sgdUpdate",
  kind: "composite",
  infer: (inputs, attrs, where) =>
    inferGroups(where, inputs, 1, sgdEach(attrs)).flatMap((g) => g.filter((_, i) => i !== 1)),
  expand(inputs, attrs) {
    const { momentum, nesterov, weightDecay } = attrs;
    const learningRate = inputs[0]!;
    const outputs: Value[] = [];
    for (let i = 1; i < inputs.length; i += sgdEach(attrs)) {
      const p = decay(inputs[i]!, learningRate, weightDecay);
      const step = multiply(inputs[i + 1]!, learningRate);
      if (momentum === 0) {
        outputs.push(subtract(p, step));
        continue;
      }
      const velocity = subtract(multiply(inputs[i + 2]!, momentum), step);
      const moved = nesterov ? subtract(multiply(velocity, momentum), step) : velocity;
      outputs.push(add(p, moved), velocity);
    }
    return outputs;
  },
  inPlace: (inputs, attrs) => inPlacePairs(inputs, 1, sgdEach(attrs)),
});

interface AdamAttrs extends Record<string, unknown> {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

export const adamUpdateOp: Op = record<AdamAttrs>({
  name: "adamUpdate",
  kind: "composite",
  infer: (inputs, _attrs, where) =>
    inferGroups(where, inputs, 2, 4).flatMap((g) => g.filter((_, i) => i !== 1)),
  expand(inputs, { beta1, beta2, epsilon, weightDecay }) {
    const learningRate = inputs[0]!;
    const t = add(castTo(inputs[1]!, "float32"), 1);
    const correction = divide(sqrt(subtract(1, power(beta2, t))), subtract(1, power(beta1, t)));
    const alpha = multiply(learningRate, correction);
    const outputs: Value[] = [];
    for (let i = 2; i < inputs.length; i += 4) {
      const [p0, g, m0, v0] = inputs.slice(i, i + 4) as [Value, Value, Value, Value];
      const m = add(m0, multiply(subtract(g, m0), 1 - beta1));
      const v = add(v0, multiply(subtract(square(g), v0), 1 - beta2));
      const p = decay(p0, learningRate, weightDecay);
      outputs.push(subtract(p, divide(multiply(m, alpha), add(sqrt(v), epsilon))), m, v);
    }
    return outputs;
  },
  inPlace: (inputs) => inPlacePairs(inputs, 2, 4),
});

/** One tensor of an SGD step: its value, its gradient and, with momentum, its velocity. */
export interface SgdSlot {
  parameter: Operand;
  gradient: Operand;
  velocity?: Operand;
}

export interface SgdUpdateOptions {
  /** float32 scalar. */
  learningRate: Operand;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
}

/**
 * Gradient descent on many tensors: velocity = momentum * velocity - learningRate * gradient, added to the parameter
 * (`nesterov`: looks one step ahead). Without momentum there is no velocity. weightDecay first shrinks the parameter.
 * @returns the new parameters, and velocities where there are any, in the order of the slots
 */
export function sgdUpdate(
  slots: readonly SgdSlot[],
  options: SgdUpdateOptions,
): { parameter: Value; velocity?: Value }[] {
  const known = checkOptions("sgdUpdate", options, ["learningRate", "momentum", "nesterov", "weightDecay"]);
  const { momentum = 0, nesterov = false, weightDecay = 0 } = known;
  checkNumber("sgdUpdate", "momentum", momentum, "in [0, 1]", (x) => x >= 0 && x <= 1);
  checkBoolean("sgdUpdate", "nesterov", nesterov);
  checkNumber("sgdUpdate", "weightDecay", weightDecay, "of at least 0", (x) => x >= 0);
  const inputs = [toFloat(options.learningRate, "sgdUpdate")];
  for (const { parameter, gradient, velocity } of slots) {
    inputs.push(toFloat(parameter, "sgdUpdate"), toFloat(gradient, "sgdUpdate"));
    if (momentum > 0) inputs.push(toFloat(velocity as Operand, "sgdUpdate velocity"));
  }
  const outputs = emit(sgdUpdateOp, inputs, { momentum, nesterov, weightDecay });
  const each = momentum > 0 ? 2 : 1;
  return slots.map((_, i) => {
    const parameter = outputs[i * each]!;
    return momentum > 0 ? { parameter, velocity: outputs[i * each + 1]! } : { parameter };
  });
}

/** One tensor of an Adam step: its value, its gradient and its two moments. */
export interface AdamSlot {
  parameter: Operand;
  gradient: Operand;
  m: Operand;
  v: Operand;
}

export interface AdamUpdateOptions {
  /** float32 scalar. */
  learningRate: Operand;
  /** int32 scalar: how many steps were finished before this one. */
  iteration: Operand;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  /** Decoupled, as in AdamW; 0 for plain Adam. */
  weightDecay?: number;
}

/**
 * Adam on many tensors, with Keras's defaults and its form of the bias correction.
 * @returns the new parameters and moments, in the order of the slots
 */
export function adamUpdate(
  slots: readonly AdamSlot[],
  options: AdamUpdateOptions,
): { parameter: Value; m: Value; v: Value }[] {
  const known = checkOptions("adamUpdate", options, [
    "learningRate",
    "iteration",
    "beta1",
    "beta2",
    "epsilon",
    "weightDecay",
  ]);
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weightDecay = 0 } = known;
  const isRate = (x: number) => x >= 0 && x < 1;
  checkNumber("adamUpdate", "beta1", beta1, "in [0, 1)", isRate);
  checkNumber("adamUpdate", "beta2", beta2, "in [0, 1)", isRate);
  checkNumber("adamUpdate", "epsilon", epsilon, "of at least 0", (x) => x >= 0);
  checkNumber("adamUpdate", "weightDecay", weightDecay, "of at least 0", (x) => x >= 0);
  const inputs = [toFloat(options.learningRate, "adamUpdate"), toInt(options.iteration, "adamUpdate")];
  for (const { parameter, gradient, m, v } of slots) {
    inputs.push(...[parameter, gradient, m, v].map((x) => toFloat(x, "adamUpdate")));
  }
  const outputs = emit(adamUpdateOp, inputs, { beta1, beta2, epsilon, weightDecay });
  return slots.map((_, i) => ({
    parameter: outputs[3 * i]!,
    m: outputs[3 * i + 1]!,
    v: outputs[3 * i + 2]!,
  }));
}
