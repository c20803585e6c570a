// Sample weights and class weights as they are given, to one Tensor of weights per output.

import { describe, MyelinError } from "../core/errors.ts";
import { formatShape } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { type Port, readOne, spread } from "./data.ts";

/** Weight of each class, by its number; classes that are not named keep 1. */
export type ClassWeight = Readonly<Record<number, number>> | ReadonlyMap<number, number>;

/**
 * Weights for the outputs. One array counts for all outputs; a list or record may leave outputs out.
 * @param rows how many the inputs have
 */
export function readWeights(
  where: string,
  data: unknown,
  ports: readonly Port[],
  targets: readonly (Tensor | undefined)[],
): (Tensor | undefined)[] {
  if (data == null) return ports.map(() => undefined);
  const isOne = ports.length > 1 && (data instanceof Tensor || ArrayBuffer.isView(data) || isNumbers(data));
  const given: [string, unknown][] = isOne
    ? ports.map(() => [where, data])
    : spread(where, data, ports, () => true).map(([label, one]) => [label, one]);
  return given.map(([label, one], i) => {
    const target = targets[i];
    if (one == null || !target) return undefined;
    const weights = readOne(label, one, undefined);
    const fits =
      weights.rank > 0 &&
      weights.shape.every((d, axis) => d === target.shape[axis] || (axis > 0 && d === 1)) &&
      weights.rank <= Math.max(1, target.rank);
    if (!fits) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${label}: expected one weight per row (or step) of y ${formatShape(target.shape)}, got ${formatShape(weights.shape)}`,
      );
    }
    return weights.dtype === "float32" ? weights : asFloat(weights);
  });
}

const isNumbers = (x: unknown): boolean => Array.isArray(x) && typeof x[0] === "number";

const asFloat = (t: Tensor): Tensor => new Tensor(Float32Array.from(t.data), t.shape, "float32");

/** The weight of every row's class. Targets are labels, 0 or 1, or one-hot rows. */
export function classWeights(
  where: string,
  classWeight: unknown,
  targets: readonly (Tensor | undefined)[],
): Tensor[] {
  const weightOf = readClassWeight(where, classWeight);
  const [target] = targets;
  if (targets.length !== 1 || !target) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected a model with one output for classWeight, got ${targets.length}; use sampleWeight`,
    );
  }
  if (target.rank > 2) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected y of rank 1 or 2 for classWeight, got ${formatShape(target.shape)}; use sampleWeight`,
    );
  }
  const rows = target.shape[0]!;
  const classes = target.rank === 2 ? target.shape[1]! : 1;
  const out = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const label = classes === 1 ? target.data[row]! : largest(target, row, classes);
    out[row] = weightOf.get(label) ?? 1;
  }
  return [new Tensor(out, [rows], "float32")];
}

function largest(t: Tensor, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) {
    if (t.data[row * classes + c]! > t.data[row * classes + best]!) best = c;
  }
  return best;
}

function readClassWeight(where: string, given: unknown): Map<number, number> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected classWeight to be a record of weights by class, got ${describe(given)}`,
    );
  }
  const entries: [unknown, unknown][] =
    given instanceof Map ? [...given] : Object.entries(given).map(([k, v]) => [Number(k), v]);
  for (const [label, weight] of entries) {
    const isClass = Number.isInteger(label) && (label as number) >= 0;
    if (isClass && typeof weight === "number" && Number.isFinite(weight) && weight >= 0) continue;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected classWeight to give classes 0, 1, ... weights of at least 0, got ${describe(label)}: ${describe(weight)}`,
    );
  }
  return new Map(entries as [number, number][]);
}
