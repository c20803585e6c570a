// Comparing tensors with the tolerance their op promises, and saying where the worst element is.

import { formatShape, sameShape } from "../../src/core/shape.ts";
import { Tensor } from "../../src/core/tensor.ts";

/**
 * exact: the same numbers (NaN for NaN; zeros may differ in sign, as neither engine promises it).
 * ulp:   distance from the double-precision result rounded to float32, in units in the last place.
 * terms: sums of k terms: 2 * eps * (k + 1) * the product of the inputs' largest values.
 * norm:  relative error in the Euclidean norm.
 */
export type Tolerance =
  | { readonly exact: true }
  | { readonly ulp: number }
  | { readonly terms: number }
  | { readonly norm: number };

const EPSILON = 2 ** -23;

/** The distance between float32 neighbours at x; the smallest normal one below that. */
export function ulpOf(x: number): number {
  const a = Math.abs(x);
  if (!Number.isFinite(a)) return Number.NaN;
  return 2 ** Math.max(Math.floor(Math.log2(Math.max(a, 2 ** -126))) - 23, -149);
}

/** Undefined when they agree; otherwise what differs. */
export function difference(
  actual: Tensor,
  expected: Tensor,
  tolerance: Tolerance,
  inputs: readonly Tensor[] = [],
): string | undefined {
  if (actual.dtype !== expected.dtype || !sameShape(actual.shape, expected.shape)) {
    const text = (t: Tensor): string => `${t.dtype}${formatShape(t.shape)}`;
    return `expected ${text(expected)}, got ${text(actual)}`;
  }
  if (actual.dtype !== "float32") return worst(actual, expected, () => 0);
  if ("exact" in tolerance) return worst(actual, expected, () => 0);
  if ("ulp" in tolerance) {
    const rounded = new Tensor(Float32Array.from(expected.data), expected.shape, expected.dtype);
    return worst(actual, rounded, (e) => tolerance.ulp * ulpOf(e));
  }
  if ("terms" in tolerance) {
    const scale = inputs.filter((t) => t.dtype === "float32").reduce((p, t) => p * largest(t), 1);
    return worst(actual, expected, () => 2 * EPSILON * (tolerance.terms + 1) * scale);
  }
  let error = 0;
  let size = 0;
  for (let i = 0; i < actual.size; i++) {
    const [a, e] = [actual.data[i]!, expected.data[i]!];
    if (Number.isFinite(a) !== Number.isFinite(e)) return `element ${i}: expected ${e}, got ${a}`;
    if (!Number.isFinite(e)) continue;
    error += (a - e) ** 2;
    size += e ** 2;
  }
  const relative = Math.sqrt(error) / Math.max(Math.sqrt(size), Number.MIN_VALUE);
  return error === 0 || relative <= tolerance.norm
    ? undefined
    : `relative error ${relative}, allowed ${tolerance.norm}`;
}

function largest(t: Tensor): number {
  let m = 0;
  for (const x of t.data) if (Number.isFinite(x)) m = Math.max(m, Math.abs(x));
  return m;
}

function worst(actual: Tensor, expected: Tensor, allowed: (expected: number) => number): string | undefined {
  let at = -1;
  let excess = 0;
  for (let i = 0; i < actual.size; i++) {
    const [a, e] = [actual.data[i]!, expected.data[i]!];
    // A double-precision result may lie beyond the largest float32.
    if (a === e || a === Math.fround(e) || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const over = Math.abs(a - e) / Math.max(allowed(e), Number.MIN_VALUE);
    if (!(over <= 1) && !(over <= excess)) {
      at = i;
      excess = over;
    }
  }
  if (at < 0) return undefined;
  const [a, e] = [actual.data[at]!, expected.data[at]!];
  const times =
    Number.isFinite(excess) && excess < 1e300 ? `, ${excess.toPrecision(3)} times the allowed error` : "";
  return `element ${at} of ${formatShape(actual.shape)}: expected ${e}, got ${a}${times}`;
}
