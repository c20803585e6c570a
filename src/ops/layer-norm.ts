// Layer and RMS normalisation over trailing axes, and their gradients: composites. gamma and beta have the shape of the
// axes from `begin` on, statistics that of the axes before. rstd is 1 / sqrt(variance + epsilon), and of rmsNorm
// 1 / sqrt(mean square + epsilon).

import { checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxes, type Shape, sizeOf, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { rsqrt, square } from "./elementwise.ts";
import { addMaybe, checkShapes, float, type NormAttrs, when } from "./normalization.ts";
import { type Operand, toFloat } from "./operand.ts";
import { checkDTypes, record, shapeError, sizeBetween } from "./record.ts";
import { mean, sum } from "./reduce.ts";
import { reshape, transpose } from "./shape.ts";

interface RowAttrs extends NormAttrs {
  begin: number;
}

function splitRows(
  where: string,
  x: TensorType | undefined,
  begin: number,
): { x: TensorType; rows: Shape; inner: Shape } {
  checkDTypes(where, x ? [x] : [], ["float32"]);
  const shape = x?.shape ?? [];
  const inner = shape.slice(begin);
  if (!x || !(begin >= 0 && begin < shape.length) || sizeOf(inner) === 0) {
    const came = x ? formatShape(shape) : "nothing";
    throw shapeError(where, `expected x with axes from ${begin} on that are not empty, got ${came}`);
  }
  return { x, rows: shape.slice(0, begin), inner };
}

const trailing = (x: TensorType, begin: number): { axis: number[]; keepDims: true } => ({
  axis: x.shape.flatMap((_, i) => (i >= begin ? [i] : [])),
  keepDims: true,
});

/** Statistics [rows] as they broadcast to x. */
const perRow = (v: Value, x: Value): Value => reshape(v, [...v.shape, ...x.shape.slice(v.rank).map(() => 1)]);

/** The factors of rstd's gradient: d rstd / dx = -rstd^3 (x - mean) / n. */
function rstdGradient(g: Value, x: Value, shifted: Value, rstd: Value, begin: number): Value {
  const cube = multiply(multiply(square(rstd), rstd), divide(g, -sizeBetween(x.shape, begin, x.rank)));
  return multiply(shifted, perRow(cube, x));
}

/** x, gamma?, beta? -> y, mean, rstd. */
export const layerNormOp: Op = record<RowAttrs>({
  name: "layerNorm",
  kind: "composite",
  infer(inputs, { begin, scale, center }, where) {
    const { x, rows, inner } = splitRows(where, inputs[0], begin);
    checkShapes(where, inputs, [...when(scale, "gamma", inner), ...when(center, "beta", inner)]);
    return [x, float(rows), float(rows)];
  },
  gradient({ inputs, outputs, grads, attrs }) {
    const x = inputs[0]!;
    const { begin, scale, center } = attrs;
    const [, centre, rstd] = outputs as [Value, Value, Value];
    const [g, byMean, byRstd] = grads as [Value | null, Value | null, Value | null];
    const found = g
      ? emit(layerNormGradOp, [x, g, ...inputs.slice(1, scale ? 2 : 1), centre, rstd], {
          begin,
          scale,
          center,
        })
      : [];
    const count = sizeBetween(x.shape, begin, x.rank);
    const own = addMaybe(
      byMean && perRow(divide(byMean, count), x),
      byRstd && rstdGradient(byRstd, x, subtract(x, perRow(centre, x)), rstd, begin),
    );
    return [addMaybe(found[0] ?? null, own), ...inputs.slice(1).map((_, i) => found[i + 1] ?? null)];
  },
  expand(inputs, { begin, epsilon, scale, center }) {
    const x = inputs[0]!;
    const over = trailing(x, begin);
    const rows = x.shape.slice(0, begin);
    const centre = mean(x, over);
    const shifted = subtract(x, centre);
    const rstd = rsqrt(add(mean(square(shifted), over), epsilon));
    const normal = multiply(shifted, rstd);
    const scaled = scale ? multiply(normal, inputs[1]!) : normal;
    return [center ? add(scaled, inputs.at(-1)!) : scaled, reshape(centre, rows), reshape(rstd, rows)];
  },
  inPlace: () => [[0, 0]],
});

/** x, dy, gamma?, mean, rstd -> dx, dgamma?, dbeta?. */
export const layerNormGradOp: Op = record<RowAttrs>({
  name: "layerNormGrad",
  kind: "composite",
  infer(inputs, { begin, scale, center }, where) {
    const { x, rows, inner } = splitRows(where, inputs[0], begin);
    checkShapes(where, inputs, [
      ["the gradient", x.shape],
      ...when(scale, "gamma", inner),
      ["mean", rows],
      ["rstd", rows],
    ]);
    return [x, ...[scale, center].filter(Boolean).map(() => float(inner))];
  },
  expand(inputs, { begin, scale, center }) {
    const [x, g] = inputs as [Value, Value];
    const [centre, rstd] = inputs.slice(-2).map((v) => perRow(v, x)) as [Value, Value];
    const over = trailing(x, begin);
    const batch = { axis: x.shape.slice(0, begin).map((_, i) => i) };
    const normal = multiply(subtract(x, centre), rstd);
    const weighted = scale ? multiply(g, inputs[2]!) : g;
    const rest = add(mean(weighted, over), multiply(normal, mean(multiply(weighted, normal), over)));
    const byX = multiply(subtract(weighted, rest), rstd);
    return [byX, ...(scale ? [sum(multiply(g, normal), batch)] : []), ...(center ? [sum(g, batch)] : [])];
  },
  inPlace: () => [
    [0, 0],
    [0, 1],
  ],
});

/** x, gamma? -> y, rstd. */
export const rmsNormOp: Op = record<RowAttrs>({
  name: "rmsNorm",
  kind: "composite",
  infer(inputs, { begin, scale }, where) {
    const { x, rows, inner } = splitRows(where, inputs[0], begin);
    checkShapes(where, inputs, when(scale, "gamma", inner));
    return [x, float(rows)];
  },
  gradient({ inputs, outputs, grads, attrs }) {
    const x = inputs[0]!;
    const { begin, scale } = attrs;
    const rstd = outputs[1]!;
    const [g, byRstd] = grads as [Value | null, Value | null];
    const found = g ? emit(rmsNormGradOp, [x, g, ...inputs.slice(1), rstd], { begin, scale }) : [];
    const own = byRstd && rstdGradient(byRstd, x, x, rstd, begin);
    return [addMaybe(found[0] ?? null, own), ...inputs.slice(1).map((_, i) => found[i + 1] ?? null)];
  },
  expand(inputs, { begin, epsilon, scale }) {
    const x = inputs[0]!;
    const rstd = rsqrt(add(mean(square(x), trailing(x, begin)), epsilon));
    const normal = multiply(x, rstd);
    return [scale ? multiply(normal, inputs[1]!) : normal, reshape(rstd, x.shape.slice(0, begin))];
  },
  inPlace: () => [[0, 0]],
});

/** x, dy, gamma?, rstd -> dx, dgamma?. */
export const rmsNormGradOp: Op = record<RowAttrs>({
  name: "rmsNormGrad",
  kind: "composite",
  infer(inputs, { begin, scale }, where) {
    const { x, rows, inner } = splitRows(where, inputs[0], begin);
    checkShapes(where, inputs, [["the gradient", x.shape], ...when(scale, "gamma", inner), ["rstd", rows]]);
    return [x, ...(scale ? [float(inner)] : [])];
  },
  expand(inputs, { begin, scale }) {
    const [x, g] = inputs as [Value, Value];
    const rstd = perRow(inputs.at(-1)!, x);
    const normal = multiply(x, rstd);
    const weighted = scale ? multiply(g, inputs[2]!) : g;
    const rest = multiply(normal, mean(multiply(weighted, normal), trailing(x, begin)));
    const byX = multiply(subtract(weighted, rest), rstd);
    if (!scale) return [byX];
    return [byX, sum(multiply(g, normal), { axis: x.shape.slice(0, begin).map((_, i) => i) })];
  },
  inPlace: () => [
    [0, 0],
    [0, 1],
  ],
});

export interface LayerNormOptions {
  /** Axes normalised over. Default -1. */
  axis?: number | readonly number[];
  /** Factors, of the shape of those axes in ascending order; default: none. */
  gamma?: Operand;
  /** Offsets, of the same shape; default: none. */
  beta?: Operand;
  /** Added to the variance. Default 1e-3. */
  epsilon?: number;
}

/** Applies `op` to x with `axis` last; `op` gets where those axes begin then. */
function overTrailing(
  name: string,
  x: Value,
  axis: number | readonly number[],
  op: (x: Value, begin: number) => Value,
): Value {
  const axes = normalizeAxes(name, axis, x.rank);
  const others = x.shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const perm = [...others, ...axes];
  if (perm.every((p, i) => p === i)) return op(x, others.length);
  const y = op(transpose(x, perm), others.length);
  return transpose(
    y,
    perm.map((_, i) => perm.indexOf(i)),
  );
}

/**
 * (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and variance of each slice over `axis`.
 * @returns of x's shape
 * @throws MyelinError SHAPE_MISMATCH
 * @example layerNorm(x, { gamma, beta })   // x [12, 64, 128], gamma and beta [128]
 */
export function layerNorm(x: Operand, options?: LayerNormOptions): Value {
  const known = checkOptions("layerNorm", options, ["axis", "gamma", "beta", "epsilon"]);
  const { axis = -1, gamma, beta, epsilon = 1e-3 } = known;
  checkNumber("layerNorm", "epsilon", epsilon, "of at least 0", (e) => e >= 0);
  const weights = [gamma, beta].flatMap((v) => (v === undefined ? [] : [toFloat(v, "layerNorm")]));
  const attrs = { epsilon, scale: gamma !== undefined, center: beta !== undefined };
  return overTrailing(
    "layerNorm",
    toFloat(x, "layerNorm"),
    axis,
    (value, begin) => emit(layerNormOp, [value, ...weights], { begin, ...attrs })[0]!,
  );
}

/**
 * x / sqrt(mean(x^2) + epsilon) * gamma over `axis`.
 * @param options epsilon is 1e-6 by default; the others are as for `layerNorm`
 * @example rmsNorm(x, { gamma })   // x [12, 64, 128], gamma [128]
 */
export function rmsNorm(x: Operand, options?: Omit<LayerNormOptions, "beta">): Value {
  const { axis = -1, gamma, epsilon = 1e-6 } = checkOptions("rmsNorm", options, ["axis", "gamma", "epsilon"]);
  checkNumber("rmsNorm", "epsilon", epsilon, "of at least 0", (e) => e >= 0);
  const weights = gamma === undefined ? [] : [toFloat(gamma, "rmsNorm")];
  return overTrailing(
    "rmsNorm",
    toFloat(x, "rmsNorm"),
    axis,
    (value, begin) =>
      emit(rmsNormOp, [value, ...weights], { begin, epsilon, scale: gamma !== undefined })[0]!,
  );
}
