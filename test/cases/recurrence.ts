// Recurrent sequences and their gradients, whole on an engine with their kernels, unrolled elsewhere.

import type { Value } from "../../src/graph/graph.ts";
import { emit } from "../../src/graph/trace.ts";
import { gruGradOp, gruOp } from "../../src/ops/gru.ts";
import * as ops from "../../src/ops/index.ts";
import { lstmGradOp, lstmOp } from "../../src/ops/lstm.ts";
import { simpleRnnGradOp, simpleRnnOp } from "../../src/ops/simple-rnn.ts";
import type { InputSpec } from "../helpers/random-shapes.ts";
import { caseList, NONE, NORM } from "./case.ts";

const { cases, add } = caseList();

export { cases as recurrenceCases };

/** [batch, steps, units]: one of everything, odd ones, and for the kernels alone several vectors, tiles and parts of rows. */
type Sizes = readonly [batch: number, steps: number, units: number];
const SMALL: readonly Sizes[] = [
  [1, 1, 1],
  [2, 3, 3],
  [3, 2, 2],
];
const LARGE: readonly Sizes[] = [
  [0, 2, 3],
  [1, 4, 33],
  [5, 3, 16],
  [9, 5, 19],
  [33, 2, 40],
  [2, 2, 90],
];

const BIT: Omit<InputSpec, "shape"> = { dtype: "bool" };
const GATE: Omit<InputSpec, "shape"> = { range: [0.05, 0.95] };

const sequence =
  (name: "lstm" | "gru" | "simpleRnn", states: number, masked: boolean, goBackwards: boolean) =>
  (...inputs: Value[]): Value[] => {
    const [z, kernel, ...rest] = inputs as [Value, Value, ...Value[]];
    const mask = masked ? rest.pop()! : undefined;
    if (name === "lstm") {
      const initialState = [rest[0]!, rest[1]!] as const;
      const { outputs, state } = ops.lstm(z, kernel, { initialState, mask, goBackwards });
      return [outputs, ...state];
    }
    if (name === "simpleRnn") {
      const { outputs, state } = ops.simpleRnn(z, kernel, { initialState: rest[0]!, mask, goBackwards });
      return [outputs, state];
    }
    const [initialState, recurrentBias] = [rest[0]!, rest[states]!];
    const { outputs, state } = ops.gru(z, kernel, { initialState, recurrentBias, mask, goBackwards });
    return [outputs, state];
  };

const FORMS = [
  { name: "lstm", gates: 4, states: 2, op: lstmOp },
  { name: "gru", gates: 3, states: 1, op: gruOp },
  { name: "simpleRnn", gates: 1, states: 1, op: simpleRnnOp },
] as const;

for (const { name, gates, states, op } of FORMS) {
  const bias = (u: number): InputSpec[] => (name === "gru" ? [{ shape: [3 * u] }] : []);
  for (const masked of [false, true]) {
    for (const goBackwards of [false, true]) {
      const note = `${masked ? "masked" : ""} ${goBackwards ? "backwards" : ""}`;
      const mask = (b: number, t: number): InputSpec[] => (masked ? [{ ...BIT, shape: [b, t] }] : []);
      const inputs = ([b, t, u]: Sizes): InputSpec[] => [
        { shape: [b, t, gates * u] },
        { shape: [u, gates * u], range: [-1, 1] },
        ...Array.from({ length: states }, () => ({ shape: [b, u] })),
        ...bias(u),
        ...mask(b, t),
      ];
      const run = sequence(name, states, masked, goBackwards);
      add(name, run, SMALL.map(inputs), NORM, { note });
      add(name, run, LARGE.map(inputs), NORM, { note: `${note} large`, ...NONE });
      // Everything it returns, what its gradient needs included.
      const raw = ([b, t, u]: Sizes): InputSpec[] => [
        ...inputs([b, t, u]).slice(0, 2),
        ...bias(u),
        ...Array.from({ length: states }, () => ({ shape: [b, u] })),
        ...mask(b, t),
      ];
      add(name, (...xs) => emit(op, xs, { goBackwards }), [...SMALL, ...LARGE].map(raw), NORM, {
        note: `${note} all outputs`,
        ...NONE,
      });
    }
  }
}

/** Inputs of a gradient up to the optional ones. */
const FIXED: Record<string, ([b, t, u]: Sizes) => InputSpec[]> = {
  lstmGrad: ([b, t, u]) => [
    { shape: [u, 4 * u], range: [-1, 1] },
    { shape: [b, u] },
    { ...GATE, shape: [b, t, 4 * u] },
    { shape: [b, t, u] },
  ],
  gruGrad: ([b, t, u]) => [
    { shape: [u, 3 * u], range: [-1, 1] },
    { shape: [b, u] },
    { shape: [b, t, u] },
    { ...GATE, shape: [b, t, 3 * u] },
    { shape: [b, t, u] },
  ],
  simpleRnnGrad: ([b, t, u]) => [
    { shape: [u, u], range: [-1, 1] },
    { ...GATE, shape: [b, t, u] },
  ],
};

for (const op of [lstmGradOp, gruGradOp, simpleRnnGradOp]) {
  const states = op === lstmGradOp ? 2 : 1;
  for (const [masked, byOutputs, byState, goBackwards] of [
    [false, true, false, false],
    [false, false, true, true],
    [true, true, true, false],
    [true, true, false, true],
  ] as const) {
    const inputs = ([b, t, u]: Sizes): InputSpec[] => [
      ...FIXED[op.name]!([b, t, u]),
      ...(masked ? [{ ...BIT, shape: [b, t] }] : []),
      ...(byOutputs ? [{ shape: [b, t, u] }] : []),
      ...(byState ? Array.from({ length: states }, () => ({ shape: [b, u] })) : []),
    ];
    const attrs = { masked, byOutputs, byState, goBackwards };
    const note = Object.entries(attrs).flatMap(([key, is]) => (is ? [key] : []));
    const run = (...xs: Value[]) => emit(op, xs, attrs);
    add(op.name, run, SMALL.map(inputs), NORM, { note: note.join(" "), second: false });
    add(op.name, run, LARGE.map(inputs), NORM, { note: `${note.join(" ")} large`, ...NONE });
  }
}
