// InputSpec: what a layer expects of an input, said once and checked before every call.

import { DTYPES, type DType } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from "../core/options.ts";
import { flatten, type Layout, type Nest } from "./nest.ts";
import { type BatchShape, checkBatchShape, formatBatchShape, type TensorSpec } from "./symbolic.ts";

export interface InputSpecOptions {
  dtype?: DType;
  /** With the batch axis; null: any size. */
  shape?: BatchShape;
  /** How many axes, batch included. Follows from shape. */
  ndim?: number;
  minNdim?: number;
  maxNdim?: number;
  /** Sizes of single axes; negative ones count from the end: `{ "-1": 64 }`. */
  axes?: Readonly<Record<number, number>>;
  /** Whether a last axis of 1 may be there or not. Default false. */
  allowLastAxisSqueeze?: boolean;
  /** Of the input, for messages. */
  name?: string;
}

const OPTIONS = [
  "dtype",
  "shape",
  "ndim",
  "minNdim",
  "maxNdim",
  "axes",
  "allowLastAxisSqueeze",
  "name",
] as const;

export class InputSpec {
  readonly options: Readonly<InputSpecOptions>;

  /** @throws INVALID_OPTION */
  constructor(options: InputSpecOptions = {}) {
    const where = "inputSpec";
    const given = checkOptions(where, options, OPTIONS);
    if (given.dtype !== undefined) checkOneOf(where, "dtype", given.dtype, DTYPES);
    if (given.shape !== undefined) checkBatchShape(`${where}, shape`, given.shape);
    for (const name of ["ndim", "minNdim", "maxNdim"] as const) {
      if (given[name] !== undefined) checkInteger(where, name, given[name], 0);
    }
    const { axes = {}, allowLastAxisSqueeze = false } = given;
    checkBoolean(where, "allowLastAxisSqueeze", allowLastAxisSqueeze);
    for (const [axis, size] of Object.entries(axes)) {
      checkInteger(where, "an axis", Number(axis), Number.MIN_SAFE_INTEGER);
      checkInteger(where, `axes[${axis}]`, size, 0);
    }
    this.options = given;
  }

  /** What is wrong with an input, as "expected ..., got ..."; undefined: nothing. */
  problemWith({ shape, dtype }: TensorSpec): string | undefined {
    const { options: o } = this;
    const came = `got shape ${formatBatchShape(shape)}`;
    const rank = o.shape?.length ?? o.ndim;
    if (o.dtype !== undefined && dtype !== o.dtype) return `expected ${o.dtype}, got ${dtype}`;
    if (rank !== undefined && shape.length !== rank && !o.allowLastAxisSqueeze) {
      return `expected rank ${rank} (batch axis included), ${came}`;
    }
    if (o.minNdim !== undefined && shape.length < o.minNdim)
      return `expected a rank of at least ${o.minNdim}, ${came}`;
    if (o.maxNdim !== undefined && shape.length > o.maxNdim)
      return `expected a rank of at most ${o.maxNdim}, ${came}`;
    for (const [axis, size] of Object.entries(o.axes ?? {})) {
      const own = shape.at(Number(axis));
      if (own !== size && own !== null) return `expected axis ${axis} to have size ${size}, ${came}`;
    }
    if (!o.shape || fits(o.shape, shape, o.allowLastAxisSqueeze ?? false)) return undefined;
    return `expected shape ${formatBatchShape(o.shape)}, ${came}`;
  }
}

function fits(wanted: BatchShape, shape: BatchShape, squeeze: boolean): boolean {
  const core = (s: BatchShape) => (squeeze && s.at(-1) === 1 ? s.slice(0, -1) : s);
  const [a, b] = [core(wanted), core(shape)];
  return a.length === b.length && a.every((d, i) => d === null || b[i] === null || d === b[i]);
}

/** Throws unless all inputs are as their specs say. */
export function checkInputSpec(
  where: string,
  specs: Nest<InputSpec>,
  inputs: readonly unknown[],
  layout: Layout,
): void {
  const { leaves, layout: expected } = flatten<InputSpec>(specs, (s) => s instanceof InputSpec);
  const names = Array.isArray(expected) ? expected : undefined;
  if (leaves.length !== inputs.length || Array.isArray(layout) !== Boolean(names)) {
    const wanted = names
      ? `a record of ${names.join(", ")}`
      : `${leaves.length} input${leaves.length > 1 ? "s" : ""}`;
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected ${wanted}, got ${inputs.length}`);
  }
  leaves.forEach((spec, i) => {
    const at = names ? (layout as readonly string[]).indexOf(names[i]!) : i;
    const x = inputs[at] as TensorSpec | undefined;
    const label = spec.options.name ?? names?.[i];
    const input = label ? `input ${describe(label)}` : leaves.length > 1 ? `input ${i}` : "";
    const problem = x ? spec.problemWith(x) : "expected an input of this name, got none";
    if (problem) throw new MyelinError("SHAPE_MISMATCH", `${where}: ${input && `${input}: `}${problem}`);
  });
}
