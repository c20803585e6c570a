// Matrix products.

import type { Shape } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/graph.ts";
import { emit, trace } from "../../src/graph/trace.ts";
import * as ops from "../../src/ops/index.ts";
import { matmulOp } from "../../src/ops/matmul.ts";
import { caseList, NONE } from "./case.ts";

const { cases, add } = caseList();

export { cases as productCases };

// Products: every transpose case; sizes of one, none, odd, below and above blocks and tiles; batches that broadcast.
const PRODUCTS: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [2, 8, 4],
  [7, 33, 65],
  [65, 7, 33],
  [1, 40, 300],
  [40, 1, 300],
  [3, 5, 0],
  [0, 3, 5],
  [130, 67, 20],
];
for (const [m, n, k] of PRODUCTS) {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      const a = transposeA ? [k, m] : [m, k];
      const b = transposeB ? [n, k] : [k, n];
      add(
        "matmul",
        (x, y) => ops.matmul(x!, y!, { transposeA, transposeB }),
        [[{ shape: a }, { shape: b }]],
        { terms: k },
        {
          note: `${m} ${n} ${k} ${transposeA} ${transposeB}`,
          second: m * n * k < 1000,
        },
      );
    }
  }
}
const BATCHES: readonly (readonly [Shape, Shape])[] = [
  [
    [3, 4, 5],
    [3, 5, 2],
  ],
  [
    [3, 4, 5],
    [5, 2],
  ],
  [
    [4, 5],
    [3, 5, 2],
  ],
  [
    [2, 1, 4, 5],
    [3, 5, 2],
  ],
  [
    [0, 4, 5],
    [5, 2],
  ],
  [[5], [5]],
  [[5], [3, 5, 2]],
  [[3, 4, 5], [5]],
];
for (const [a, b] of BATCHES) {
  add(
    "matmul",
    (x, y) => ops.matmul(x!, y!),
    [[{ shape: a }, { shape: b }]],
    { terms: 5 },
    { note: `${JSON.stringify(a)} ${JSON.stringify(b)}` },
  );
}
add(
  "matmul",
  (x, y) => ops.matmul(x!, y!, { transposeA: true, transposeB: true }),
  [[{ shape: [3, 5, 4] }, { shape: [2, 5] }]],
  { terms: 5 },
  { note: "batch, both turned" },
);
add(
  "matmul",
  (x, y, z) => withEpilogue(x!, y!, z!),
  [[{ shape: [9, 5] }, { shape: [5, 7] }, { shape: [7] }]],
  { terms: 8 },
  { ...NONE, note: "with a body" },
);
add(
  "dot",
  ops.dot,
  [
    [{ shape: [2, 3, 4] }, { shape: [5, 4, 2] }],
    [{ shape: [4] }, { shape: [4] }],
  ],
  { terms: 4 },
);

/** relu(x * y + z) as one step. */
function withEpilogue(x: Value, y: Value, z: Value): readonly Value[] {
  const product = { shape: [x.shape[0]!, y.shape[1]!], dtype: "float32" as const };
  const { graph: body } = trace((p, b) => [ops.relu(ops.add(p!, b!))], [product, z]);
  return emit(matmulOp, [x, y, z], { transA: false, transB: false, body });
}
