// What a case is, and the input sets that many ops share.

import type { Shape } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/graph.ts";
import type { Tolerance } from "../helpers/matcher.ts";
import type { InputSpec } from "../helpers/random-shapes.ts";

export interface OpCase {
  /** The op's record, or the name of a composition of ops. */
  readonly op: string;
  /** What tells this case from others of the op. */
  readonly note: string;
  readonly run: (...inputs: Value[]) => Value | readonly Value[];
  /** Each entry is one set of inputs. */
  readonly inputs: readonly (readonly InputSpec[])[];
  readonly tolerance: Tolerance;
  /** Relative tolerance of first derivatives; false: there are none. */
  readonly gradient: number | false;
  /** Whether second derivatives are checked too. */
  readonly second: boolean;
}

export type Options = Partial<Pick<OpCase, "note" | "gradient" | "second">>;
export type Fill = Omit<InputSpec, "shape">;

export const EXACT: Tolerance = { exact: true };
export const NORM: Tolerance = { norm: 1e-5 };
/** No derivatives: integers, comparisons, draws. */
export const NONE: Options = { gradient: false, second: false };

/** Finite differences of fourth order in float64 reach 1e-9; a wrong rule is off by far more than this. */
const GRADIENT = 1e-6;

export type Add = (
  op: string,
  run: OpCase["run"],
  inputs: readonly (readonly InputSpec[])[],
  tolerance: Tolerance,
  options?: Options,
) => void;

/** An empty list of cases and the function that adds one. */
export function caseList(): { cases: readonly OpCase[]; add: Add } {
  const cases: OpCase[] = [];
  const add: Add = (op, run, inputs, tolerance, options = {}) => {
    cases.push({ op, note: "", run, inputs, tolerance, gradient: GRADIENT, second: true, ...options });
  };
  return { cases, add };
}

// Elementwise: scalars, empty, one below and above vector widths, several tiles of a fused step, rank 5.
export const SHAPES: readonly Shape[] = [[], [0], [1], [7], [17], [3, 5], [2, 1, 3, 2, 2], [4, 1031]];
export const one = (spec: Fill): InputSpec[][] => SHAPES.map((shape) => [{ ...spec, shape }]);

// Same shape, scalars on either side, rows, columns, both, missing axes, empty ones.
export const PAIRS: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[5], []],
  [[], [2, 3]],
  [[33], [33]],
  [[4, 17], [17]],
  [
    [4, 17],
    [4, 1],
  ],
  [
    [4, 1],
    [1, 9],
  ],
  [[3], [2, 1, 3]],
  [
    [0, 3],
    [1, 3],
  ],
  [
    [2, 1, 3, 1, 2],
    [4, 1, 3, 2],
  ],
  [
    [3, 700],
    [3, 700],
  ],
];
export const two = (x: Fill, y: Fill = x): InputSpec[][] =>
  PAIRS.map(([a, b]) => [
    { ...x, shape: a },
    { ...y, shape: b },
  ]);

export const int = (low = -9, high = 9): Fill => ({ dtype: "int32", range: [low, high] });

/** One filling for each dtype; only the first is differentiable. */
export const DTYPES: readonly Fill[] = [{}, int(), { dtype: "uint8", range: [0, 255] }, { dtype: "bool" }];
