// Pooling and resizing: one to three spatial sizes; windows that touch, overlap, leave gaps and cross the edges; channels
// from one to several vectors.

import type { Shape } from "../../src/core/shape.ts";
import { emit } from "../../src/graph/trace.ts";
import * as ops from "../../src/ops/index.ts";
import { averagePoolGradOp, maxPoolGatherOp, maxPoolGradOp, maxPoolOp } from "../../src/ops/pool.ts";
import { resizeGradOp } from "../../src/ops/resize.ts";
import { adaptiveWindows, slidingWindows, spatialOf, type WindowAttrs } from "../../src/ops/windows.ts";
import { caseList, EXACT, NONE } from "./case.ts";

const { cases, add } = caseList();

export { cases as poolCases };

type Way = readonly [
  image: Shape,
  poolSize: number | readonly number[],
  strides?: number | readonly number[] | null,
  padding?: "valid" | "same",
];

const WAYS: readonly Way[] = [
  [[2, 4, 6, 5], 2],
  [[1, 5, 7, 1], 2],
  [[2, 9, 3], 3, 2],
  [[1, 9, 33], 3, 1, "same"],
  [[3, 11, 2], 2, 3, "same"],
  [[2, 5, 5, 3], 3, 2, "same"],
  [
    [1, 6, 5, 17],
    [3, 2],
    [1, 2],
  ],
  [[1, 7, 6, 4], [2, 3], 4],
  [[1, 4, 5, 6, 3], 2],
  [[2, 3, 4, 5, 2], [2, 3, 2], 1, "same"],
  [[1, 20, 21, 2], 17, 2, "same"], // more than 256 elements: places in int32
  [[1, 6, 10, 8], 2],
  [[0, 4, 4, 2], 2],
];
const BINS: readonly (readonly [image: Shape, size: number | readonly number[]])[] = [
  [[2, 7, 3], 3],
  [[2, 3, 5], 5],
  [
    [1, 7, 10, 20],
    [3, 4],
  ],
  [[1, 6, 6, 2], 3],
  [
    [2, 5, 4, 3, 2],
    [2, 4, 1],
  ],
];

const windowsOf = ([image, poolSize, strides, padding = "valid"]: Way): WindowAttrs =>
  slidingWindows("case", spatialOf(image), poolSize, strides, padding);
const pairs = [
  ...WAYS.map((way) => ({ image: way[0], attrs: windowsOf(way), note: JSON.stringify(way) })),
  ...BINS.map(([image, size]) => ({
    image,
    attrs: adaptiveWindows("case", spatialOf(image), size),
    note: `adaptive ${JSON.stringify([image, size])}`,
  })),
];

for (const [image, poolSize, strides, padding] of WAYS) {
  const note = JSON.stringify([image, poolSize, strides, padding]);
  const options = { strides, padding };
  add("maxPool", (x) => ops.maxPool(x, poolSize, options), [[{ shape: image, distinct: true }]], EXACT, {
    note,
  });
  add(
    "averagePool",
    (x) => ops.averagePool(x, poolSize, options),
    [[{ shape: image }]],
    { terms: 2 },
    { note },
  );
}
for (const [image, size] of BINS) {
  const note = `adaptive ${JSON.stringify([image, size])}`;
  add("maxPool", (x) => ops.adaptiveMaxPool(x, size), [[{ shape: image, distinct: true }]], EXACT, { note });
  add("averagePool", (x) => ops.adaptiveAveragePool(x, size), [[{ shape: image }]], { terms: 2 }, { note });
}
for (const { image, attrs, note } of pairs) {
  const out: Shape = [image[0]!, ...attrs.size, image.at(-1)!];
  const back = { ...attrs, size: spatialOf(image) };
  add(
    "maxPool",
    (x) => emit(maxPoolOp, [x], attrs),
    [[{ shape: image, range: [-3, 3], distinct: true }]],
    EXACT,
    {
      ...NONE,
      note: `places ${note}`,
    },
  );
  add(
    "maxPoolGrad",
    (x, dy) => emit(maxPoolGradOp, [dy!, emit(maxPoolOp, [ops.stopGradient(x!)], attrs)[1]!], back),
    [[{ shape: image, distinct: true }, { shape: out }]],
    { terms: 9 },
    { note },
  );
  add(
    "maxPoolGather",
    (x, v) => emit(maxPoolGatherOp, [v!, emit(maxPoolOp, [ops.stopGradient(x!)], attrs)[1]!], attrs),
    [[{ shape: image, distinct: true }, { shape: image }]],
    EXACT,
    { note },
  );
  add(
    "averagePoolGrad",
    (dy) => emit(averagePoolGradOp, [dy], back),
    [[{ shape: out }]],
    { terms: 9 },
    { note },
  );
}

// NaN, infinities and ties.
const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
const HARD = [1, nan, 2, 2, nan, nan, -inf, -inf, inf, 3, inf, inf, 0, 0, -inf, nan];
for (const shape of [
  [1, 16, 1],
  [1, 4, 4, 1],
  [1, 2, 2, 4],
  [1, 2, 2, 2, 2],
] as const) {
  const attrs = slidingWindows("case", spatialOf(shape), 2, null, "valid");
  add("maxPool", (x) => emit(maxPoolOp, [x], attrs), [[{ shape, values: HARD }]], EXACT, {
    ...NONE,
    note: `hard ${JSON.stringify(shape)}`,
  });
}

const RESIZES: readonly (readonly [image: Shape, size: readonly [number, number]])[] = [
  [
    [2, 3, 4, 5],
    [6, 8],
  ],
  [
    [1, 5, 7, 1],
    [8, 3],
  ],
  [
    [1, 7, 6, 17],
    [3, 4],
  ],
  [
    [2, 1, 9, 3],
    [4, 1],
  ],
  [
    [1, 4, 4, 40],
    [4, 4],
  ],
  [
    [1, 30, 41, 3],
    [4, 5],
  ],
  [
    [0, 3, 4, 2],
    [2, 2],
  ],
];
for (const [shape, size] of RESIZES) {
  for (const options of [
    { interpolation: "nearest" },
    { interpolation: "bilinear" },
    { interpolation: "bilinear", antialias: true },
  ] as const) {
    const note = JSON.stringify([shape, size, options]);
    add("resize", (x) => ops.resize(x, size, options), [[{ shape }]], { terms: 4 }, { note });
    const attrs = { bilinear: options.interpolation === "bilinear", antialias: "antialias" in options };
    const dy: Shape = [shape[0]!, ...size, shape[3]!];
    add(
      "resizeGrad",
      (g) => emit(resizeGradOp, [g], { ...attrs, size: shape.slice(1, 3) }),
      [[{ shape: dy }]],
      { terms: 9 },
      { note },
    );
  }
}
