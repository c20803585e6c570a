// What optimizer updates share: groups of tensors behind a few scalars, and what one sweep over them can do beside the
// update's own rule. In Keras's order: gradients are scaled and clipped, parameters decay, the rule moves them, their
// running average follows, and from time to time takes their place.
//
// Inputs of an update: learningRate [], iteration int32 [] (steps finished before this one), scale [1] or [tensors] where
// `scaled`, then per tensor p, g, the rule's slots, and average where `ema`. Outputs per tensor: all of these but g.
// Every output may be written over the input of the same name.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber } from "../core/options.ts";
import { sameShape, type TensorType } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import { add, maximum, minimum, mod, multiply, subtract } from "./arithmetic.ts";
import { equal, notEqual, where as select } from "./compare.ts";
import { castTo, type Operand, scalar, toFloat, toInt } from "./operand.ts";
import { formatTypes, shapeError } from "./record.ts";
import { reshape, sliceAxis } from "./shape.ts";

export interface SweepAttrs extends Record<string, unknown> {
  weightDecay: number;
  /** 0: gradients are not bounded. */
  clipvalue: number;
  scaled: boolean;
  ema: boolean;
  emaMomentum: number;
  /** 0: averages never take the parameters' place. */
  emaOverwriteFrequency: number;
}

/** Options of every update. */
export interface SweepOptions {
  /** float32 scalar. */
  learningRate: Operand;
  /** int32 scalar: how many steps were finished before this one. */
  iteration?: Operand;
  /** float32: what gradients are multiplied by first; one number, or a vector with one for each tensor. Default: none. */
  scale?: Operand;
  /** Above 0: then gradients are kept in [-clipvalue, clipvalue]. Default: no bound. */
  clipvalue?: number;
  /** Decoupled: parameters first lose this share of themselves times the learning rate. Default 0. */
  weightDecay?: number;
  /** In [0, 1]: keeps a running average of the parameters, in the slots' `average`. Default: none. */
  emaMomentum?: number;
  /** Every so many steps the average takes the parameters' place. Default: never. */
  emaOverwriteFrequency?: number;
}

export const SWEEP_OPTIONS = [
  "learningRate",
  "iteration",
  "scale",
  "clipvalue",
  "weightDecay",
  "emaMomentum",
  "emaOverwriteFrequency",
] as const;

/** The options checked: the scalar inputs, and the attributes. */
export function readSweep(where: string, options: SweepOptions): { lead: Value[]; attrs: SweepAttrs } {
  const { learningRate, iteration, scale, clipvalue, emaMomentum, emaOverwriteFrequency } = options;
  const weightDecay = options.weightDecay ?? 0;
  checkNumber(where, "weightDecay", weightDecay, "of at least 0", (x) => x >= 0);
  if (clipvalue !== undefined) checkNumber(where, "clipvalue", clipvalue, "above 0", (x) => x > 0);
  if (emaMomentum !== undefined)
    checkNumber(where, "emaMomentum", emaMomentum, "in [0, 1]", (x) => x >= 0 && x <= 1);
  if (emaOverwriteFrequency !== undefined)
    checkInteger(where, "emaOverwriteFrequency", emaOverwriteFrequency, 1, 2 ** 31 - 1);
  const lead = [toFloat(learningRate, where), toInt(iteration ?? 0, where)];
  if (scale !== undefined) lead.push(reshape(toFloat(scale, where), [-1]));
  const attrs = {
    weightDecay,
    clipvalue: clipvalue ?? 0,
    scaled: scale !== undefined,
    ema: emaMomentum !== undefined,
    emaMomentum: emaMomentum ?? 0,
    emaOverwriteFrequency: emaOverwriteFrequency ?? 0,
  };
  return { lead, attrs };
}

/** How many inputs come before the groups. */
export const leadOf = (attrs: { scaled: boolean }): number => (attrs.scaled ? 3 : 2);

/** Splits what follows the scalars into groups of `each` tensors of one shape; all float32. */
export function inferGroups(
  where: string,
  inputs: readonly TensorType[],
  attrs: SweepAttrs,
  each: number,
): readonly TensorType[] {
  const lead = leadOf(attrs);
  const rest = inputs.slice(lead);
  const count = rest.length / each;
  const [rate, iteration, scale] = inputs;
  const isScalar = (t: TensorType | undefined, dtype: string) => t?.shape.length === 0 && t.dtype === dtype;
  const isScale = (t: TensorType | undefined) =>
    t?.dtype === "float32" && t.shape.length === 1 && (t.shape[0] === 1 || t.shape[0] === count);
  if (
    !isScalar(rate, "float32") ||
    !isScalar(iteration, "int32") ||
    (attrs.scaled && !isScale(scale)) ||
    !Number.isInteger(count)
  ) {
    const what = `${lead} scalars and then groups of ${each} tensors`;
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected ${what}, got ${formatTypes(inputs)}`);
  }
  for (let i = 0; i < rest.length; i += each) {
    const group = rest.slice(i, i + each);
    if (!group.every((t) => t.dtype === "float32" && sameShape(t.shape, group[0]!.shape))) {
      throw shapeError(where, `expected float32 tensors of one shape, got ${formatTypes(group)}`);
    }
  }
  return rest.filter((_, i) => i % each !== 1);
}

/** Pairs [output, input] of groups in which only input 1, the gradient, has no output. */
export function inPlacePairs(inputs: readonly TensorType[], lead: number, each: number): [number, number][] {
  return inputs
    .map((_, i) => i)
    .filter((i) => i >= lead && (i - lead) % each !== 1)
    .map((i, output) => [output, i]);
}

/** What one tensor's rule gets and gives. */
export type Rule = (p: Value, g: Value, slots: readonly Value[]) => { p: Value; slots: readonly Value[] };

/** The definition of an update: its rule for each tensor, between what all updates do. */
export function expandSweep(inputs: readonly Value[], attrs: SweepAttrs, each: number, rule: Rule): Value[] {
  const lead = leadOf(attrs);
  const [learningRate, iteration, scale] = inputs as [Value, Value, Value];
  const outputs: Value[] = [];
  for (let i = lead; i < inputs.length; i += each) {
    const [p0, g0, ...slots] = inputs.slice(i, i + each) as [Value, Value, ...Value[]];
    const average = attrs.ema ? slots.pop()! : undefined;
    const at = scale?.shape[0] === 1 ? 0 : (i - lead) / each;
    const g = clipped(attrs.scaled ? multiply(g0, reshape(sliceAxis(scale, 0, at, at + 1), [])) : g0, attrs.clipvalue); // biome-ignore format: one call
    const moved = rule(decayed(p0, learningRate, attrs.weightDecay), g, slots);
    if (!average) {
      outputs.push(moved.p, ...moved.slots);
      continue;
    }
    const after = averaged(moved.p, average, iteration, attrs);
    outputs.push(after.p, ...moved.slots, after.average);
  }
  return outputs;
}

/** Keeps a gradient in [-bound, bound]; a bound of 0 is none. */
export function clipped(g: Value, bound: number): Value {
  return bound === 0 ? g : minimum(maximum(g, -bound), bound);
}

/** p -= p * weightDecay * learningRate, before the step, as Keras does it. */
export function decayed(p: Value, learningRate: Value, weightDecay: number): Value {
  return weightDecay === 0 ? p : subtract(p, multiply(multiply(p, weightDecay), learningRate));
}

/** The running average after a step, which begins as the parameter itself, and the parameter, which it may replace. */
export function averaged(
  p: Value,
  average: Value,
  iteration: Value,
  { emaMomentum, emaOverwriteFrequency }: Pick<SweepAttrs, "emaMomentum" | "emaOverwriteFrequency">,
): { p: Value; average: Value } {
  const momentum = multiply(castTo(notEqual(iteration, 0), "float32"), emaMomentum);
  const next = add(multiply(average, momentum), multiply(p, subtract(scalar(1), momentum)));
  if (emaOverwriteFrequency === 0) return { p, average: next };
  const isDue = equal(mod(add(iteration, 1), emaOverwriteFrequency), 0);
  return { p: select(isDue, next, p), average: next };
}
