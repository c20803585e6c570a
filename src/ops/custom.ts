// Gradients by hand: stopGradient, and functions whose gradient the user states.

import { describe, MyelinError } from "../core/errors.ts";
import { sameShape } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { type Operand, toFloat, toValue } from "./operand.ts";
import { formatTypes, record } from "./record.ts";
import { zerosLike } from "./shape.ts";

export const stopGradientOp = record({
  name: "stopGradient",
  kind: "composite",
  infer: (inputs) => inputs,
  gradient: () => [null],
  expand: (inputs) => inputs,
});

/** x, through which no gradient flows. */
export function stopGradient(x: Operand): Value {
  return emit(stopGradientOp, [toValue(x, undefined, "stopGradient")])[0]!;
}

/** What a custom gradient rule is given. */
export interface CustomGradientContext {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Gradient of the final result by each output. */
  readonly grads: readonly Value[];
}

export type CustomGradientRule = (
  context: CustomGradientContext,
) => Operand | null | readonly (Operand | null)[];

/**
 * A function with a gradient of your own.
 * @param fn from Values to a Value or several; its own gradients are not used
 * @param gradient gives the gradient by each input, null for none, written with ops, so that it can be differentiated
 *   again; it may use Values of the surrounding function
 * @returns a function of the same arguments, for use where ops are
 * @example
 * const clippedIdentity = customGradient((x) => x, ({ grads: [g] }) => [ops.clip(g, -1, 1)]);
 */
export function customGradient<R extends Value | readonly Value[]>(
  fn: (...inputs: Value[]) => R,
  gradient: CustomGradientRule,
): (...inputs: Operand[]) => R {
  for (const f of [fn, gradient]) {
    if (typeof f !== "function") {
      throw new MyelinError("INVALID_ARGUMENT", `customGradient: expected a function, got ${describe(f)}`);
    }
  }
  return (...operands) => {
    const xs = operands.map((x) => toValue(x, undefined, "customGradient"));
    const result = fn(...xs);
    const ys = Array.isArray(result) ? (result as Value[]) : [result as Value];
    const outputs = emit(attachGradientOp(ys.length, gradient), [...ys, ...xs]);
    return (Array.isArray(result) ? outputs : outputs[0]!) as R;
  };
}

/** An op that passes on its first `count` inputs and holds a gradient rule for the others. One record per use. */
function attachGradientOp(count: number, rule: CustomGradientRule): Op {
  return record({
    name: "attachGradient",
    kind: "composite",
    infer: (inputs) => inputs.slice(0, count),
    expand: (inputs) => inputs.slice(0, count),
    gradient({ inputs, outputs, grads }) {
      const xs = inputs.slice(count);
      const given = rule({ inputs: xs, outputs, grads: grads.map((g, i) => g ?? zerosLike(outputs[i]!)) });
      const list: readonly (Operand | null)[] = Array.isArray(given) ? given : [given as Operand | null];
      if (list.length !== xs.length) {
        const got = `${list.length} gradients for ${xs.length} inputs`;
        throw new MyelinError(
          "INVALID_ARGUMENT",
          `customGradient: expected one gradient per input, got ${got}`,
        );
      }
      const dxs = list.map((dx, i) => {
        if (dx === null || dx === undefined) return null;
        const value = toFloat(dx, "customGradient");
        if (value.rank > 0 && !sameShape(value.shape, xs[i]!.shape)) {
          const what = `gradient and input ${i} of one shape, got ${formatTypes([value, xs[i]!])}`;
          throw new MyelinError("SHAPE_MISMATCH", `customGradient: expected ${what}`);
        }
        return value;
      });
      return [...inputs.slice(0, count).map(() => null), ...dxs];
    },
  });
}
