// Gated recurrent units over a whole sequence, a composite like lstm: defined by its unrolled steps.
//   m = h R + b'                              the reset gate comes after the product (Keras: resetAfter)
//   z, r = sigmoid of the first two parts of x[t] + m
//   g = tanh(x[t]'s third part + r m's third part)
//   h = z h + (1 - z) g
// x holds what comes from the inputs, their kernel's product plus bias, for all steps. K. Cho et al., "Learning phrase
// representations using RNN encoder-decoder", 2014.

import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, multiply, subtract } from "./arithmetic.ts";
import { where as select } from "./compare.ts";
import { sigmoid, square, tanh } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import { type Operand, toFloat } from "./operand.ts";
import { record } from "./record.ts";
import { sum } from "./reduce.ts";
import {
  checkSequenceInputs,
  gradientInputs,
  gradientInputTypes,
  readGradientInputs,
  readSequence,
  recurrentKernelGrad,
  type SequenceAttrs,
  type SequenceGradAttrs,
  type SequenceOptions,
  sequenceSizes,
  sigmoidSlope,
  stepOrder,
} from "./sequence.ts";
import { concatenate, expandDims, split, stack, unstack, zeros } from "./shape.ts";

const GATES = 3;

/**
 * Inputs: x [B, T, 3U], recurrent kernel [U, 3U], recurrent bias [3U], h [B, U], and a mask bool [B, T] or none.
 * Outputs: h at each step [B, T, U], the final h [B, U]; and for the gradient z, r and g [B, T, 3U] and the third part of
 * m [B, T, U], both zeros where masked.
 */
export const gruOp: Op = record<SequenceAttrs>({
  name: "gru",
  kind: "composite",
  infer(inputs, _attrs, where) {
    const { batch, steps, units } = sequenceSizes(where, inputs[0], inputs[1], GATES);
    checkSequenceInputs(where, inputs.slice(2), [
      ["recurrent bias", [GATES * units]],
      ["h", [batch, units]],
      ...(inputs.length > 4 ? [["mask", [batch, steps], "bool"] as const] : []),
    ]);
    const types = [
      [batch, steps, units],
      [batch, units],
      [batch, steps, GATES * units],
      [batch, steps, units],
    ];
    return types.map((shape) => ({ shape, dtype: "float32" as const }));
  },
  gradient({ inputs, outputs, grads, attrs: { goBackwards } }) {
    const [, kernel, , h0, ...mask] = inputs as [Value, Value, Value, Value, ...Value[]];
    const [y, , gates, inner] = outputs as [Value, Value, Value, Value];
    const [dy, dh, byGates, byInner] = grads;
    // Only who differentiates a gradient comes by these.
    if (byGates || byInner) return undefined;
    const { arrived, attrs } = gradientInputs(mask, dy, [dh], goBackwards, h0.shape);
    const [dx, dm, dh0] = emit(gruGradOp, [kernel, h0, y, gates, inner, ...arrived], attrs);
    const dKernel = recurrentKernelGrad(y, h0, dm!, goBackwards);
    return [dx!, dKernel, sum(dm!, { axis: [0, 1] }), dh0!, ...mask.map(() => null)];
  },
  expand(inputs, { goBackwards }) {
    const [x, kernel, bias, h0, mask] = inputs as [Value, Value, Value, Value, Value | undefined];
    const [xs, masks] = [unstack(x, { axis: 1 }), mask && unstack(mask, { axis: 1 })];
    const [ys, gates, inners]: [Value[], Value[], Value[]] = [[], [], []];
    let h = h0;
    for (const t of stepOrder(xs.length, goBackwards)) {
      const [xz, xr, xg] = split(xs[t]!, GATES, { axis: -1 });
      const [mz, mr, mg] = split(add(matmul(h, kernel), bias), GATES, { axis: -1 });
      const z = sigmoid(add(xz!, mz!));
      const r = sigmoid(add(xr!, mr!));
      const g = tanh(add(xg!, multiply(r, mg!)));
      const next = add(multiply(z, h), multiply(subtract(1, z), g));
      const all = concatenate([z, r, g], { axis: -1 });
      if (masks) {
        const counts = expandDims(masks[t]!, -1);
        [h, gates[t], inners[t]] = [select(counts, next, h), select(counts, all, 0), select(counts, mg!, 0)];
      } else {
        [h, gates[t], inners[t]] = [next, all, mg!];
      }
      ys[t] = h;
    }
    return [stack(ys, { axis: 1 }), h, stack(gates, { axis: 1 }), stack(inners, { axis: 1 })];
  },
  // Every row of the batch reads its part of x and h before it writes those of the outputs.
  inPlace: () => [
    [2, 0],
    [1, 3],
  ],
});

/**
 * Inputs: recurrent kernel, initial h, h at each step, gates, third part of m, then a mask, the gradient by the outputs and
 * by the final state, as the attributes say. Outputs: the gradients by x [B, T, 3U], by m [B, T, 3U] and the initial h.
 */
export const gruGradOp: Op = record<SequenceGradAttrs>({
  name: "gruGrad",
  kind: "composite",
  infer(inputs, attrs, where) {
    const sizes = sequenceSizes(where, inputs[3], inputs[0], GATES);
    const { batch, steps, units } = sizes;
    const state = [batch, units];
    const all = [batch, steps, units];
    checkSequenceInputs(
      where,
      [inputs[1]!, inputs[2]!, ...inputs.slice(4)],
      [["h", state], ["outputs", all], ["inner", all], ...gradientInputTypes(attrs, sizes, ["dh"])],
    );
    return [inputs[3]!, inputs[3]!, { shape: state, dtype: "float32" }];
  },
  expand(inputs, attrs) {
    const [kernel, h0, y, gates, inner, ...rest] = inputs as [Value, Value, Value, Value, Value, ...Value[]];
    const { masks, dys, byStates } = readGradientInputs(rest, attrs, 1, h0.shape);
    let dh = byStates[0]!;
    const [ys, gatesAt, innerAt] = [y, gates, inner].map((v) => unstack(v, { axis: 1 }));
    const order = stepOrder(ys!.length, attrs.goBackwards);
    const [dxs, dms]: [Value[], Value[]] = [[], []];
    for (let s = order.length - 1; s >= 0; s--) {
      const t = order[s]!;
      const [z, r, g] = split(gatesAt![t]!, GATES, { axis: -1 }) as [Value, Value, Value];
      const before = s === 0 ? h0 : ys![order[s - 1]!]!;
      const byH = dys ? add(dh, dys[t]!) : dh;
      const byG = multiply(multiply(byH, subtract(1, z)), subtract(1, square(g)));
      const byZ = multiply(multiply(byH, subtract(before, g)), sigmoidSlope(z));
      const byR = multiply(multiply(byG, innerAt![t]!), sigmoidSlope(r));
      const dx = concatenate([byZ, byR, byG], { axis: -1 });
      const dm = concatenate([byZ, byR, multiply(byG, r)], { axis: -1 });
      const next = add(multiply(byH, z), matmul(dm, kernel, { transposeB: true }));
      if (masks) {
        const counts = expandDims(masks[t]!, -1);
        [dh, dxs[t], dms[t]] = [select(counts, next, byH), select(counts, dx, 0), select(counts, dm, 0)];
      } else {
        [dh, dxs[t], dms[t]] = [next, dx, dm];
      }
    }
    return [stack(dxs, { axis: 1 }), stack(dms, { axis: 1 }), dh];
  },
  inPlace: () => [[0, 3]],
});

/**
 * Gated recurrent units over all steps, with sigmoid gates and tanh; the reset gate comes after the product.
 * @param x [batch, steps, 3 units]: inputs times their kernel plus bias, in the order z, r, h of Keras
 * @param recurrentKernel [units, 3 units]
 * @param options.recurrentBias [3 units]; zeros by default
 * @param options.initialState [batch, units]
 * @returns `outputs` [batch, steps, units], and `state`: the final one
 * @throws MyelinError SHAPE_MISMATCH
 */
export function gru(
  x: Operand,
  recurrentKernel: Operand,
  options: SequenceOptions<Operand> & { recurrentBias?: Operand } = {},
): { outputs: Value; state: Value } {
  const { recurrentBias, ...rest } = options;
  const s = readSequence("gru", x, recurrentKernel, rest, GATES);
  const bias = recurrentBias === undefined ? zeros([s.z.shape[2]!]) : toFloat(recurrentBias, "gru");
  const states = s.states ?? [s.zero()];
  const [outputs, state] = emit(gruOp, [s.z, s.kernel, bias, ...states, ...s.mask], s.attrs);
  return { outputs: outputs!, state: state! };
}
