// Optimizer steps over many tensors at once. Composites: one kernel call updates every weight of a model. What they share
// is in sweep.ts; here are the rules of SGD and Adam, and the norms that gradients are clipped by.
//
// The slots of a tensor, after p and g: sgdUpdate velocity when momentum > 0; adamUpdate m, v, and vHat with amsgrad.

import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, maximum, multiply, power, subtract } from "./arithmetic.ts";
import { sqrt, square } from "./elementwise.ts";
import { castTo, type Operand, toFloat } from "./operand.ts";
import { checkDTypes, record } from "./record.ts";
import { sum } from "./reduce.ts";
import { reshape, stack } from "./shape.ts";
import {
  expandSweep,
  inferGroups,
  inPlacePairs,
  leadOf,
  readSweep,
  SWEEP_OPTIONS,
  type SweepAttrs,
  type SweepOptions,
} from "./sweep.ts";

interface SgdAttrs extends SweepAttrs {
  momentum: number;
  nesterov: boolean;
}

const sgdEach = (attrs: SgdAttrs): number => 2 + Number(attrs.momentum > 0) + Number(attrs.ema);

export const sgdUpdateOp: Op = record<SgdAttrs>({
  name: "sgdUpdate",
  kind: "composite",
  infer: (inputs, attrs, where) => inferGroups(where, inputs, attrs, sgdEach(attrs)),
  expand(inputs, attrs) {
    const { momentum, nesterov } = attrs;
    return expandSweep(inputs, attrs, sgdEach(attrs), (p, g, slots) => {
      const step = multiply(g, inputs[0]!);
      if (momentum === 0) return { p: subtract(p, step), slots };
      const velocity = subtract(multiply(slots[0]!, momentum), step);
      const moved = nesterov ? subtract(multiply(velocity, momentum), step) : velocity;
      return { p: add(p, moved), slots: [velocity] };
    });
  },
  inPlace: (inputs, attrs) => inPlacePairs(inputs, leadOf(attrs), sgdEach(attrs)),
});

interface AdamAttrs extends SweepAttrs {
  beta1: number;
  beta2: number;
  epsilon: number;
  amsgrad: boolean;
}

const adamEach = (attrs: AdamAttrs): number => 4 + Number(attrs.amsgrad) + Number(attrs.ema);

export const adamUpdateOp: Op = record<AdamAttrs>({
  name: "adamUpdate",
  kind: "composite",
  infer: (inputs, attrs, where) => inferGroups(where, inputs, attrs, adamEach(attrs)),
  expand(inputs, attrs) {
    const { beta1, beta2, epsilon, amsgrad } = attrs;
    const t = add(castTo(inputs[1]!, "float32"), 1);
    const correction = divide(sqrt(subtract(1, power(beta2, t))), subtract(1, power(beta1, t)));
    const alpha = multiply(inputs[0]!, correction);
    return expandSweep(inputs, attrs, adamEach(attrs), (p, g, slots) => {
      const m = add(slots[0]!, multiply(subtract(g, slots[0]!), 1 - beta1));
      const v = add(slots[1]!, multiply(subtract(square(g), slots[1]!), 1 - beta2));
      const vHat = amsgrad ? maximum(slots[2]!, v) : v;
      const next = subtract(p, divide(multiply(m, alpha), add(sqrt(vHat), epsilon)));
      return { p: next, slots: amsgrad ? [m, v, vHat] : [m, v] };
    });
  },
  inPlace: (inputs, attrs) => inPlacePairs(inputs, leadOf(attrs), adamEach(attrs)),
});

export const squaredNormsOp: Op = record({
  name: "squaredNorms",
  kind: "composite",
  infer(inputs, _attrs, where) {
    checkDTypes(where, inputs, ["float32"]);
    return [{ shape: [inputs.length], dtype: "float32" }];
  },
  expand: (inputs) => [stack(inputs.map((x) => reshape(sum(square(x)), [])))],
});

/**
 * The sum of squares of each of many tensors, in one pass over all of them.
 * @returns float32 [tensors]
 * @example const global = ops.sqrt(ops.sum(ops.squaredNorms(gradients)));
 */
export function squaredNorms(tensors: readonly Operand[]): Value {
  return emit(squaredNormsOp, tensors.map((x) => toFloat(x, "squaredNorms")))[0]!; // biome-ignore format: one call
}

/** One tensor of an SGD step: its value, its gradient, with momentum its velocity, with EMA its average. */
export interface SgdSlot {
  parameter: Operand;
  gradient: Operand;
  velocity?: Operand;
  average?: Operand;
}

export interface SgdUpdateOptions extends SweepOptions {
  momentum?: number;
  nesterov?: boolean;
}

/** New values under the names of the slots they replace. */
export type UpdatedSlot<S> = { [K in keyof S as Exclude<K, "gradient">]: Value };

/**
 * Gradient descent on many tensors: velocity = momentum * velocity - learningRate * gradient, added to the parameter
 * (`nesterov`: looks one step ahead). Without momentum there is no velocity. weightDecay first shrinks the parameter.
 * @returns the new parameters, and velocities and averages where there are any, in the order of the slots
 */
export function sgdUpdate(slots: readonly SgdSlot[], options: SgdUpdateOptions): UpdatedSlot<SgdSlot>[] {
  const where = "sgdUpdate";
  const known = checkOptions(where, options, [...SWEEP_OPTIONS, "momentum", "nesterov"]);
  const { momentum = 0, nesterov = false } = known;
  checkNumber(where, "momentum", momentum, "in [0, 1]", (x) => x >= 0 && x <= 1);
  checkBoolean(where, "nesterov", nesterov);
  const { lead, attrs } = readSweep(where, known);
  const names = ["velocity", "average"].filter((n) => (n === "average" ? attrs.ema : momentum > 0));
  return emitSweep(sgdUpdateOp, lead, slots, names, { momentum, nesterov, ...attrs });
}

/** One tensor of an Adam step: its value, its gradient and its two moments; with amsgrad vHat, with EMA its average. */
export interface AdamSlot {
  parameter: Operand;
  gradient: Operand;
  m: Operand;
  v: Operand;
  vHat?: Operand;
  average?: Operand;
}

export interface AdamUpdateOptions extends SweepOptions {
  iteration: Operand;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  /** Divides by the largest v so far. */
  amsgrad?: boolean;
}

/**
 * Adam on many tensors, with Keras's defaults and its form of the bias correction.
 * @returns the new parameters, moments and averages, in the order of the slots
 */
export function adamUpdate(slots: readonly AdamSlot[], options: AdamUpdateOptions): UpdatedSlot<AdamSlot>[] {
  const where = "adamUpdate";
  const known = checkOptions(where, options, [...SWEEP_OPTIONS, "beta1", "beta2", "epsilon", "amsgrad"]);
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, amsgrad = false } = known;
  const isRate = (x: number) => x >= 0 && x < 1;
  checkNumber(where, "beta1", beta1, "in [0, 1)", isRate);
  checkNumber(where, "beta2", beta2, "in [0, 1)", isRate);
  checkNumber(where, "epsilon", epsilon, "of at least 0", (x) => x >= 0);
  checkBoolean(where, "amsgrad", amsgrad);
  const { lead, attrs } = readSweep(where, known);
  const names = ["m", "v", ...(amsgrad ? ["vHat"] : []), ...(attrs.ema ? ["average"] : [])];
  return emitSweep(adamUpdateOp, lead, slots, names, { beta1, beta2, epsilon, amsgrad, ...attrs });
}

/** Emits an update whose groups are parameter, gradient and the slots of these names. */
function emitSweep<S extends { parameter: Operand; gradient: Operand }>(
  op: Op,
  lead: readonly Value[],
  slots: readonly S[],
  names: readonly string[],
  attrs: SweepAttrs,
): UpdatedSlot<S>[] {
  const inputs = [...lead];
  for (const slot of slots) {
    for (const name of ["parameter", "gradient", ...names]) {
      inputs.push(toFloat(slot[name as keyof S] as Operand, `${op.name} ${name}`));
    }
  }
  const outputs = emit(op, inputs, attrs);
  const kept = ["parameter", ...names];
  return slots.map((_, i) => {
    const own = kept.map((name, k) => [name, outputs[i * kept.length + k]!]);
    return Object.fromEntries(own) as UpdatedSlot<S>;
  });
}
