// Attention: several heads, shared keys, blocks of queries and keys with leftovers, masks of every broadcast, rows that see
// nothing, dropout. Its gradient runs whole on the native engine, too.

import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { emit } from "../../src/graph/trace.ts";
import { dotProductAttentionGradOp } from "../../src/ops/attention.ts";
import * as ops from "../../src/ops/index.ts";
import type { InputSpec } from "../helpers/random-shapes.ts";
import { caseList, NORM } from "./case.ts";

const { cases, add } = caseList();

export { cases as attentionCases };

/** q, k and v of [batch, queries, heads, depth] and [batch, keys, key heads, depth and width]. */
const qkv = (
  b: number,
  t: number,
  s: number,
  h: number,
  kh: number,
  d: number,
  e = d,
): [InputSpec, InputSpec, InputSpec] => [
  { shape: [b, t, h, d], range: [-2, 2] },
  { shape: [b, s, kh, d], range: [-2, 2] },
  { shape: [b, s, kh, e] },
];
const mask = (...shape: number[]): InputSpec => ({ shape, dtype: "bool" });

// Small ones have their derivatives checked; large ones cross the blocks of the kernels.
const SMALL = [qkv(2, 3, 4, 2, 2, 5), qkv(1, 5, 3, 4, 2, 3, 2), qkv(1, 1, 1, 1, 1, 1), qkv(0, 3, 4, 2, 1, 5)];
const LARGE = [
  qkv(2, 70, 131, 2, 2, 32),
  qkv(1, 33, 257, 6, 3, 17, 40),
  qkv(1, 600, 129, 4, 1, 8),
  qkv(1, 130, 64, 1, 1, 64, 3),
];
const PLAIN = { gradient: false, second: false } as const;

for (const isCausal of [false, true]) {
  const run = (q: Value, k: Value, v: Value) => ops.dotProductAttention(q, k, v, { isCausal });
  const note = isCausal ? "causal" : "all";
  add("dotProductAttention", run as never, SMALL, NORM, { note });
  add("dotProductAttention", run as never, LARGE, NORM, { ...PLAIN, note: `${note}, blocks` });
}
for (const isCausal of [false, true]) {
  const run = (q: Value, k: Value, v: Value, m: Value) =>
    ops.dotProductAttention(q, k, v, { mask: m, isCausal, scale: 0.5 });
  const note = isCausal ? "masked, causal" : "masked";
  add(
    "dotProductAttention",
    run as never,
    [
      [...SMALL[0]!, mask(3, 4)],
      [...SMALL[1]!, mask(1, 4, 5, 1)],
    ],
    NORM,
    {
      note,
    },
  );
  const large = [
    [...LARGE[0]!, mask(2, 1, 1, 131)],
    [...LARGE[0]!, mask(2, 1, 70, 1)],
    [...LARGE[1]!, mask(6, 33, 257)],
  ];
  add("dotProductAttention", run as never, large, NORM, { ...PLAIN, note: `${note}, blocks` });
}
for (const [inputs, note, options] of [
  [[SMALL[0]!, SMALL[1]!], "dropout", { second: false }],
  [LARGE.slice(0, 2), "dropout, blocks", PLAIN],
] as const) {
  add(
    "dotProductAttention",
    (q, k, v) => ops.dotProductAttention(q!, k!, v!, { dropout: 0.3, seed: 5 }),
    inputs,
    NORM,
    { ...options, note },
  );
}
add(
  "dotProductAttention",
  (q, k, v, bias) => ops.dotProductAttention(q!, k!, v!, { bias, isCausal: true }),
  [[...SMALL[0]!, { shape: [2, 3, 4] }]],
  NORM,
  { note: "bias" },
);
add(
  "attentionWeights",
  (q, k, m) => ops.attentionWeights(q!, k!, { mask: m }),
  [[...SMALL[1]!.slice(0, 2), mask(5, 3)]],
  NORM,
);

add(
  "rotaryEmbedding",
  (x) => ops.rotaryEmbedding(x!),
  [[{ shape: [2, 3, 2, 4] }], [{ shape: [1, 1, 1, 2] }]],
  NORM,
);
add(
  "rotaryEmbedding",
  (x, at) => ops.rotaryEmbedding(x!, { positions: at!, base: 100 }),
  [[{ shape: [2, 3, 2, 4] }, { shape: [2, 3], dtype: "int32", range: [0, 50] }]],
  NORM,
  { note: "positions" },
);
for (const [equation, x, y] of [
  ["bqm,mhd->bqhd", [2, 3, 4], [4, 2, 3]],
  ["bqhd,hdm->bqm", [2, 3, 2, 3], [2, 3, 4]],
  ["bthd,bshd->bhts", [2, 3, 2, 4], [2, 5, 2, 4]],
  ["...ab,cb->c...a", [2, 1, 3, 4], [5, 4]],
  ["ab,c->c", [2, 3], [4]],
] as const) {
  add(
    "einsum",
    (a, b) => ops.einsum(equation, a!, b!),
    [[{ shape: x }, { shape: y }]],
    { terms: 24 },
    {
      note: equation,
    },
  );
}

// The gradient as an op: rows that saw something, whose log-sum-exp is large enough for weights below 1.
const gradient =
  (isCausal: boolean, masked: boolean, rate: number) =>
  (...xs: Value[]) => {
    const [q, k, v, ...rest] = xs as [Value, Value, Value, ...Value[]];
    const draws =
      rate > 0 ? [ops.constant(tensor([7, 9], [2], "int32")), ops.constant(tensor(3, [], "int32"))] : [];
    const inputs = [q, k, v, ...(masked ? [rest.shift()!] : []), ...draws, ...rest];
    return emit(dotProductAttentionGradOp, inputs, { isCausal, mask: masked, stream: 2, scale: 0.25, rate });
  };
const withStatistics = (c: readonly InputSpec[], ...more: InputSpec[]): InputSpec[] => {
  const [b, t, h] = c[0]!.shape as [number, number, number];
  return [
    ...c,
    ...more,
    { shape: [b, t, h], range: [3, 5] },
    { shape: [b, t, h, c[2]!.shape[3]!] },
    { shape: [b, t, h] },
  ];
};
for (const isCausal of [false, true]) {
  const note = isCausal ? "causal" : "all";
  add(
    "dotProductAttentionGrad",
    gradient(isCausal, false, 0),
    SMALL.map((c) => withStatistics(c)),
    NORM,
    {
      note,
    },
  );
  add(
    "dotProductAttentionGrad",
    gradient(isCausal, false, 0),
    LARGE.map((c) => withStatistics(c)),
    NORM,
    {
      ...PLAIN,
      note: `${note}, blocks`,
    },
  );
  add(
    "dotProductAttentionGrad",
    gradient(isCausal, true, 0.25),
    [withStatistics(LARGE[0]!, mask(2, 1, 1, 131)), withStatistics(LARGE[1]!, mask(1, 6, 33, 257))],
    NORM,
    { ...PLAIN, note: `${note}, masked, dropout, blocks` },
  );
}
