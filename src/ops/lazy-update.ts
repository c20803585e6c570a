// Adam for tables of which a step looks up a few rows: only these rows and their moments move. Composite; its definition
// is Adam on the whole table, kept where a row was named.
//
// lazyAdamUpdate: inputs learningRate [], iteration int32 [], scale [1] where `scaled`, p [n, ...], indices int32 [k],
//                 rows [k, ...], m, v; outputs p, m, v, each possibly written over the input of the same name.

import { MyelinError } from "../core/errors.ts";
import { checkNumber, checkOptions } from "../core/options.ts";
import { sameShape } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { greater, where as select } from "./compare.ts";
import { scatterAdd } from "./gather.ts";
import { type Operand, toFloat, toInt } from "./operand.ts";
import { formatTypes, record } from "./record.ts";
import { ones, reshape } from "./shape.ts";
import { leadOf, readSweep, SWEEP_OPTIONS, type SweepOptions } from "./sweep.ts";
import { adamUpdateOp } from "./updates.ts";

interface LazyAdamAttrs extends Record<string, unknown> {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  clipvalue: number;
  scaled: boolean;
}

export const lazyAdamUpdateOp: Op = record<LazyAdamAttrs>({
  name: "lazyAdamUpdate",
  kind: "composite",
  infer(inputs, attrs, at) {
    const lead = leadOf(attrs);
    const [p, indices, rows, m, v] = inputs.slice(lead);
    const row = p?.shape.slice(1) ?? [];
    const fits =
      inputs.length === lead + 5 &&
      inputs[0]!.dtype === "float32" &&
      inputs[0]!.shape.length === 0 &&
      inputs[1]!.dtype === "int32" &&
      inputs[1]!.shape.length === 0 &&
      (!attrs.scaled || (inputs[2]!.dtype === "float32" && sameShape(inputs[2]!.shape, [1]))) &&
      p!.shape.length > 0 &&
      indices!.dtype === "int32" &&
      indices!.shape.length === 1 &&
      sameShape(rows!.shape, [indices!.shape[0]!, ...row]) &&
      [m!, v!].every((slot) => sameShape(slot.shape, p!.shape)) &&
      [p!, rows!, m!, v!].every((t) => t.dtype === "float32");
    if (fits) return [p!, m!, v!].map(({ shape, dtype }) => ({ shape, dtype }));
    const what = `${lead} scalars, then p [n, ...], int32 indices [k], rows [k, ...], m and v like p`;
    throw new MyelinError("INVALID_ARGUMENT", `${at}: expected ${what}, got ${formatTypes(inputs)}`);
  },
  expand(inputs, attrs) {
    const lead = inputs.slice(0, leadOf(attrs));
    const [p, indices, rows, m, v] = inputs.slice(lead.length) as [Value, Value, Value, Value, Value];
    const n = p.shape[0]!;
    const g = scatterAdd(indices, rows, n);
    const whole = { ...attrs, amsgrad: false, ema: false, emaMomentum: 0, emaOverwriteFrequency: 0 };
    const moved = adamUpdateOp.expand!([...lead, p, g, m, v], whole);
    const times = scatterAdd(indices, ones(indices.shape), n);
    const isNamed = reshape(greater(times, 0), [n, ...p.shape.slice(1).map(() => 1)]);
    return [p, m, v].map((old, i) => select(isNamed, moved[i]!, old));
  },
  inPlace: (_inputs, attrs) => [0, 1, 2].map((o) => [o, leadOf(attrs) + [0, 3, 4][o]!]),
});

/** A table, its moments, and what is known of its gradient: rows that add up at indices. */
export interface LazyAdamSlot {
  parameter: Operand;
  /** int32 [k]; one that is named twice gets the sum of its rows. An index outside of the table rejects the run. */
  indices: Operand;
  /** float32 [k, ...]. */
  rows: Operand;
  m: Operand;
  v: Operand;
}

export interface LazyAdamUpdateOptions
  extends Omit<SweepOptions, "emaMomentum" | "emaOverwriteFrequency" | "iteration"> {
  iteration: Operand;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
}

/**
 * Adam on the rows of a table that a step has looked up; all others, and their moments, stay as they are, where `adamUpdate`
 * lets moments fade and parameters go on moving by them. Weight decay too falls on named rows only.
 * @returns the new table and moments
 */
export function lazyAdamUpdate(
  slot: LazyAdamSlot,
  options: LazyAdamUpdateOptions,
): { parameter: Value; m: Value; v: Value } {
  const at = "lazyAdamUpdate";
  const own = SWEEP_OPTIONS.filter((o) => !o.startsWith("ema")) as (keyof LazyAdamUpdateOptions & string)[];
  const known = checkOptions(at, options, [...own, "beta1", "beta2", "epsilon"]);
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = known;
  const isRate = (x: number) => x >= 0 && x < 1;
  checkNumber(at, "beta1", beta1, "in [0, 1)", isRate);
  checkNumber(at, "beta2", beta2, "in [0, 1)", isRate);
  checkNumber(at, "epsilon", epsilon, "of at least 0", (x) => x >= 0);
  const { lead, attrs } = readSweep(at, known);
  const { weightDecay, clipvalue, scaled } = attrs;
  const inputs = [
    ...lead,
    toFloat(slot.parameter, at),
    toInt(slot.indices, at),
    toFloat(slot.rows, at),
    toFloat(slot.m, at),
    toFloat(slot.v, at),
  ];
  const rule = { beta1, beta2, epsilon, weightDecay, clipvalue, scaled };
  const [parameter, m, v] = emit(lazyAdamUpdateOp, inputs, rule);
  return { parameter: parameter!, m: m!, v: v! };
}
