// The plain recurrent network over a whole sequence, a composite like lstm: h = tanh(z[t] + h R), where z holds what comes
// from the inputs, their kernel's product plus bias, for all steps.

import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, multiply, subtract } from "./arithmetic.ts";
import { where as select } from "./compare.ts";
import { square, tanh } from "./elementwise.ts";
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
  stepOrder,
} from "./sequence.ts";
import { expandDims, stack, unstack } from "./shape.ts";

/**
 * Inputs: z [B, T, U], recurrent kernel [U, U], h [B, U], and a mask bool [B, T] or none. Outputs: h at each step
 * [B, T, U] and the final h [B, U].
 */
export const simpleRnnOp: Op = record<SequenceAttrs>({
  name: "simpleRnn",
  kind: "composite",
  infer(inputs, _attrs, where) {
    const { batch, steps, units } = sequenceSizes(where, inputs[0], inputs[1], 1);
    checkSequenceInputs(where, inputs.slice(2), [
      ["h", [batch, units]],
      ...(inputs.length > 3 ? [["mask", [batch, steps], "bool"] as const] : []),
    ]);
    return [inputs[0]!, { shape: [batch, units], dtype: "float32" }];
  },
  gradient({ inputs, outputs, grads, attrs: { goBackwards } }) {
    const [, kernel, h0, ...mask] = inputs as [Value, Value, Value, ...Value[]];
    const y = outputs[0]!;
    const [dy, dh] = grads;
    const { arrived, attrs } = gradientInputs(mask, dy, [dh], goBackwards, h0.shape);
    const [dz, dh0] = emit(simpleRnnGradOp, [kernel, y, ...arrived], attrs);
    const dKernel = recurrentKernelGrad(y, h0, dz!, goBackwards);
    return [dz!, dKernel, dh0!, ...mask.map(() => null)];
  },
  expand(inputs, { goBackwards }) {
    const [z, kernel, h0, mask] = inputs as [Value, Value, Value, Value | undefined];
    const [zs, masks] = [unstack(z, { axis: 1 }), mask && unstack(mask, { axis: 1 })];
    const ys: Value[] = [];
    let h = h0;
    for (const t of stepOrder(zs.length, goBackwards)) {
      const next = tanh(add(zs[t]!, matmul(h, kernel)));
      h = masks ? select(expandDims(masks[t]!, -1), next, h) : next;
      ys[t] = h;
    }
    return [stack(ys, { axis: 1 }), h];
  },
  // Every row of the batch reads its part of z and h before it writes those of the outputs.
  inPlace: () => [
    [0, 0],
    [1, 2],
  ],
});

/**
 * Inputs: recurrent kernel, h at each step, then a mask, the gradient by the outputs and by the final state, as the
 * attributes say. Outputs: the gradients by z [B, T, U] and the initial h.
 */
export const simpleRnnGradOp: Op = record<SequenceGradAttrs>({
  name: "simpleRnnGrad",
  kind: "composite",
  infer(inputs, attrs, where) {
    const sizes = sequenceSizes(where, inputs[1], inputs[0], 1);
    checkSequenceInputs(where, inputs.slice(2), gradientInputTypes(attrs, sizes, ["dh"]));
    return [inputs[1]!, { shape: [sizes.batch, sizes.units], dtype: "float32" }];
  },
  expand(inputs, attrs) {
    const [kernel, y, ...rest] = inputs as [Value, Value, ...Value[]];
    const { masks, dys, byStates } = readGradientInputs(rest, attrs, 1, [y.shape[0]!, y.shape[2]!]);
    let dh = byStates[0]!;
    const ys = unstack(y, { axis: 1 });
    const dzs: Value[] = [];
    for (const t of stepOrder(ys.length, !attrs.goBackwards)) {
      const byH = dys ? add(dh, dys[t]!) : dh;
      const dz = multiply(byH, subtract(1, square(ys[t]!)));
      const next = matmul(dz, kernel, { transposeB: true });
      if (masks) {
        const counts = expandDims(masks[t]!, -1);
        [dh, dzs[t]] = [select(counts, next, byH), select(counts, dz, 0)];
      } else {
        [dh, dzs[t]] = [next, dz];
      }
    }
    return [stack(dzs, { axis: 1 }), dh];
  },
  inPlace: () => [[0, 1]],
});

/**
 * A plain recurrent network over all steps, with tanh.
 * @param z [batch, steps, units]: inputs times their kernel plus bias
 * @param recurrentKernel [units, units]
 * @param options.initialState [batch, units]
 * @returns `outputs` [batch, steps, units], and `state`: the final one
 * @throws MyelinError SHAPE_MISMATCH
 */
export function simpleRnn(
  z: Operand,
  recurrentKernel: Operand,
  options?: SequenceOptions<Operand>,
): { outputs: Value; state: Value } {
  const s = readSequence("simpleRnn", z, recurrentKernel, options, 1);
  const states = s.states ?? [s.zero()];
  const [outputs, state] = emit(simpleRnnOp, [s.z, s.kernel, ...states, ...s.mask], s.attrs);
  return { outputs: outputs!, state: state! };
}
