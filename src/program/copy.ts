// The one op that exists in Programs only.

import type { Op } from "../graph/graph.ts";

/** Moves a tensor as it is: results that are inputs, states that trade places. */
export const copy: Op = {
  name: "copy",
  kind: "elementwise",
  infer: (inputs) => [inputs[0]!],
  evaluate: (inputs, outputs) => outputs[0]!.set(inputs[0]!),
};
