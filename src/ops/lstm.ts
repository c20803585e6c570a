// Long short-term memory over a whole sequence, a composite: defined by the loop over its steps, unrolled into primitives;
// an engine may run it, and its gradient, whole.
//   i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of the four parts of z[t] + h R
//   c = f c + i g        h = o tanh(c)
// z holds what comes from the inputs, x W + b, for all steps: one matrix product. S. Hochreiter and J. Schmidhuber, "Long
// short-term memory", 1997, with the forget gate of Gers et al., 1999, as in Keras.

import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, multiply, subtract } from "./arithmetic.ts";
import { where as select } from "./compare.ts";
import { sigmoid, square, tanh } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import type { Operand } from "./operand.ts";
import { record } from "./record.ts";
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
import { concatenate, expandDims, split, stack, unstack } from "./shape.ts";

const GATES = 4;

/**
 * Inputs: z [B, T, 4U], recurrent kernel [U, 4U], h [B, U], c [B, U], and a mask bool [B, T] or none.
 * Outputs: h at each step [B, T, U], the final h and c [B, U]; and for the gradient the gates after their activations
 * [B, T, 4U] (zeros where masked) and c at each step [B, T, U].
 */
export const lstmOp: Op = record<SequenceAttrs>({
  name: "lstm",
  kind: "composite",
  infer(inputs, _attrs, where) {
    const { batch, steps, units } = sequenceSizes(where, inputs[0], inputs[1], GATES);
    const state = [batch, units];
    checkSequenceInputs(where, inputs.slice(2), [
      ["h", state],
      ["c", state],
      ...(inputs.length > 4 ? [["mask", [batch, steps], "bool"] as const] : []),
    ]);
    const types = [[batch, steps, units], state, state, [batch, steps, GATES * units], [batch, steps, units]];
    return types.map((shape) => ({ shape, dtype: "float32" as const }));
  },
  gradient({ inputs, outputs, grads, attrs: { goBackwards } }) {
    const [, kernel, h0, c0, ...mask] = inputs as [Value, Value, Value, Value, ...Value[]];
    const [y, , , gates, cells] = outputs as [Value, Value, Value, Value, Value];
    const [dy, dh, dc, byGates, byCells] = grads;
    // Only who differentiates a gradient comes by these.
    if (byGates || byCells) return undefined;
    const { arrived, attrs } = gradientInputs(mask, dy, [dh, dc], goBackwards, h0.shape);
    const [dz, dh0, dc0] = emit(lstmGradOp, [kernel, c0, gates, cells, ...arrived], attrs);
    const dKernel = recurrentKernelGrad(y, h0, dz!, goBackwards);
    return [dz!, dKernel, dh0!, dc0!, ...mask.map(() => null)];
  },
  expand(inputs, { goBackwards }) {
    const [z, kernel, h0, c0, mask] = inputs as [Value, Value, Value, Value, Value | undefined];
    const [zs, masks] = [unstack(z, { axis: 1 }), mask && unstack(mask, { axis: 1 })];
    const [ys, cells, gates]: [Value[], Value[], Value[]] = [[], [], []];
    let [h, c] = [h0, c0];
    for (const t of stepOrder(zs.length, goBackwards)) {
      const [i, f, g, o] = activated(add(zs[t]!, matmul(h, kernel)));
      const nextC = add(multiply(f!, c), multiply(i!, g!));
      const nextH = multiply(o!, tanh(nextC));
      const all = concatenate([i!, f!, g!, o!], { axis: -1 });
      if (masks) {
        const counts = expandDims(masks[t]!, -1);
        [h, c] = [select(counts, nextH, h), select(counts, nextC, c)];
        gates[t] = select(counts, all, 0);
      } else {
        [h, c, gates[t]] = [nextH, nextC, all];
      }
      [ys[t], cells[t]] = [h, c];
    }
    return [stack(ys, { axis: 1 }), h, c, stack(gates, { axis: 1 }), stack(cells, { axis: 1 })];
  },
  // Every row of the batch reads its part of z, h and c before it writes those of the outputs.
  inPlace: () => [
    [3, 0],
    [1, 2],
    [2, 3],
  ],
});

function activated(z: Value): Value[] {
  return split(z, GATES, { axis: -1 }).map((part, gate) => (gate === 2 ? tanh(part) : sigmoid(part)));
}

/**
 * Inputs: recurrent kernel, initial c, gates, c at each step, then a mask, the gradient by the outputs and the two by the
 * final states, as the attributes say. Outputs: the gradients by z [B, T, 4U], the initial h and the initial c.
 */
export const lstmGradOp: Op = record<SequenceGradAttrs>({
  name: "lstmGrad",
  kind: "composite",
  infer(inputs, attrs, where) {
    const sizes = sequenceSizes(where, inputs[2], inputs[0], GATES);
    const { batch, steps, units } = sizes;
    const state = [batch, units];
    checkSequenceInputs(
      where,
      [inputs[1]!, ...inputs.slice(3)],
      [["c", state], ["cells", [batch, steps, units]], ...gradientInputTypes(attrs, sizes, ["dh", "dc"])],
    );
    return [inputs[2]!, { shape: state, dtype: "float32" }, { shape: state, dtype: "float32" }];
  },
  expand(inputs, attrs) {
    const [kernel, c0, gates, cells, ...rest] = inputs as [Value, Value, Value, Value, ...Value[]];
    const { masks, dys, byStates } = readGradientInputs(rest, attrs, 2, c0.shape);
    let [dh, dc] = byStates as [Value, Value];
    const [gatesAt, cellsAt] = [unstack(gates, { axis: 1 }), unstack(cells, { axis: 1 })];
    const order = stepOrder(gatesAt.length, attrs.goBackwards);
    const dzs: Value[] = [];
    for (let s = order.length - 1; s >= 0; s--) {
      const t = order[s]!;
      const [i, f, g, o] = split(gatesAt[t]!, GATES, { axis: -1 }) as [Value, Value, Value, Value];
      const squashed = tanh(cellsAt[t]!);
      const before = s === 0 ? c0 : cellsAt[order[s - 1]!]!;
      const byH = dys ? add(dh, dys[t]!) : dh;
      const byC = add(dc, multiply(multiply(byH, o), subtract(1, square(squashed))));
      const dz = concatenate(
        [
          multiply(multiply(byC, g), sigmoidSlope(i)),
          multiply(multiply(byC, before), sigmoidSlope(f)),
          multiply(multiply(byC, i), subtract(1, square(g))),
          multiply(multiply(byH, squashed), sigmoidSlope(o)),
        ],
        { axis: -1 },
      );
      const [nextDh, nextDc] = [matmul(dz, kernel, { transposeB: true }), multiply(byC, f)];
      if (masks) {
        const counts = expandDims(masks[t]!, -1);
        [dh, dc, dzs[t]] = [select(counts, nextDh, byH), select(counts, nextDc, dc), select(counts, dz, 0)];
      } else {
        [dh, dc, dzs[t]] = [nextDh, nextDc, dz];
      }
    }
    return [stack(dzs, { axis: 1 }), dh, dc];
  },
  inPlace: () => [[0, 2]],
});

/**
 * A long short-term memory over all steps, with sigmoid gates and tanh.
 * @param z [batch, steps, 4 units]: inputs times their kernel plus bias, in the order i, f, c, o of Keras
 * @param recurrentKernel [units, 4 units]
 * @param options.initialState [h, c], each [batch, units]
 * @returns `outputs` [batch, steps, units], and `state`: the final [h, c]
 * @throws MyelinError SHAPE_MISMATCH
 * @example const { outputs } = ops.lstm(ops.add(ops.matmul(x, kernel), bias), recurrentKernel);
 */
export function lstm(
  z: Operand,
  recurrentKernel: Operand,
  options?: SequenceOptions<readonly [Operand, Operand]>,
): { outputs: Value; state: readonly [Value, Value] } {
  const s = readSequence("lstm", z, recurrentKernel, options, GATES);
  const states = s.states ?? [s.zero(), s.zero()];
  const [outputs, h, c] = emit(lstmOp, [s.z, s.kernel, ...states, ...s.mask], s.attrs);
  return { outputs: outputs!, state: [h!, c!] };
}
