// cast: float32 to int32 truncates toward zero and saturates, NaN gives 0; anything to bool tests for non-zero;
// to uint8 keeps the low 8 bits (of the int32 for a float). Also the gradient-free corner where dtypes change.

import type { DType, HostArray } from "../core/dtype.ts";
import { castTo } from "./operand.ts";
import { checkArity, record } from "./record.ts";

export const castOp = record<{ dtype: DType }>({
  name: "cast",
  kind: "elementwise",
  infer(inputs, { dtype }, where) {
    checkArity(where, inputs, 1);
    return [{ shape: inputs[0]!.shape, dtype }];
  },
  gradient: ({ grads, inputs }) => [inputs[0]!.dtype === "float32" ? castTo(grads[0]!, "float32") : null],
  evaluate([x], [y], { inputTypes, outputTypes }) {
    const from = inputTypes[0]!.dtype;
    const to = outputTypes[0]!.dtype;
    if (to === "bool") for (let i = 0; i < y!.length; i++) y![i] = x![i] !== 0 ? 1 : 0;
    else if (from === "float32" && to !== "float32") saturate(x!, y!);
    else y!.set(x!); // widening, or a typed array's own modulo 2^8
  },
});

function saturate(x: HostArray, y: HostArray): void {
  for (let i = 0; i < y.length; i++) {
    const v = x[i]!;
    // Storing into a Uint8Array keeps the low 8 bits.
    y[i] = v >= 2147483647 ? 2147483647 : v <= -2147483648 ? -2147483648 : Math.trunc(v);
  }
}
