// Constants: tensors known while tracing. Lowering stores them with the Program; there is no kernel.

import type { Tensor } from "../core/tensor.ts";
import { record } from "./record.ts";

export const constantOp = record<{ value: Tensor }>({
  name: "constant",
  kind: "primitive",
  infer: (_inputs, { value }) => [{ shape: value.shape, dtype: value.dtype }],
  gradient: () => [],
  evaluate: (_inputs, [y], { attrs }) => y!.set(attrs.value.data),
});
