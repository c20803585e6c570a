// Batch normalisation over all axes but the last, and its gradient: composites.

import { checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxis, sizeOf, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { rsqrt, square } from "./elementwise.ts";
import { addMaybe, channelsOf, checkShapes, float, type NormAttrs, when } from "./normalization.ts";
import { type Operand, toFloat } from "./operand.ts";
import { checkDTypes, record, shapeError } from "./record.ts";
import { mean, sum } from "./reduce.ts";
import { moveAxis } from "./shape.ts";

const allButLast = (x: TensorType): number[] => x.shape.slice(0, -1).map((_, i) => i);

function checkChannels(where: string, x: TensorType | undefined): TensorType {
  checkDTypes(where, x ? [x] : [], ["float32"]);
  if (!x || x.shape.length === 0 || sizeOf(x.shape) === 0) {
    throw shapeError(
      where,
      `expected x [.., channels] with at least one element, got ${x ? formatShape(x.shape) : "nothing"}`,
    );
  }
  return x;
}

/** x [.., channels], gamma [channels]?, beta [channels]? -> y, mean [channels], variance [channels]. */
export const batchNormOp: Op = record<NormAttrs>({
  name: "batchNorm",
  kind: "composite",
  infer(inputs, { scale, center }, where) {
    const x = checkChannels(where, inputs[0]);
    const channels = channelsOf(x);
    checkShapes(where, inputs, [...when(scale, "gamma", channels), ...when(center, "beta", channels)]);
    return [x, float(channels), float(channels)];
  },
  gradient({ inputs, outputs, grads, attrs }) {
    const x = inputs[0]!;
    const [, centre, variance] = outputs as [Value, Value, Value];
    const [g, byMean, byVariance] = grads as [Value | null, Value | null, Value | null];
    const count = sizeOf(x.shape) / sizeOf(centre.shape);
    const found = g
      ? emit(batchNormGradOp, [x, g, ...inputs.slice(1, attrs.scale ? 2 : 1), centre, variance], attrs)
      : [];
    const shifted = byVariance && multiply(subtract(x, centre), multiply(byVariance, 2));
    const own = addMaybe(byMean, shifted);
    const byX = addMaybe(found[0] ?? null, own && divide(own, count));
    return [byX, ...inputs.slice(1).map((_, i) => found[i + 1] ?? null)];
  },
  expand(inputs, { epsilon, scale, center }) {
    const x = inputs[0]!;
    const axis = allButLast(x);
    const centre = mean(x, { axis });
    const shifted = subtract(x, centre);
    const variance = mean(square(shifted), { axis });
    const inverse = rsqrt(add(variance, epsilon));
    const scaled = multiply(shifted, scale ? multiply(inverse, inputs[1]!) : inverse);
    return [center ? add(scaled, inputs.at(-1)!) : scaled, centre, variance];
  },
  inPlace: () => [[0, 0]],
});

/** x, dy, gamma?, mean, variance -> dx, dgamma?, dbeta?. */
export const batchNormGradOp: Op = record<NormAttrs>({
  name: "batchNormGrad",
  kind: "composite",
  infer(inputs, { scale, center }, where) {
    const x = checkChannels(where, inputs[0]);
    const channels = channelsOf(x);
    checkShapes(where, inputs, [
      ["the gradient", x.shape],
      ...when(scale, "gamma", channels),
      ["mean", channels],
      ["variance", channels],
    ]);
    return [x, ...[scale, center].filter(Boolean).map(() => float(channels))];
  },
  expand(inputs, { epsilon, scale, center }) {
    const [x, g] = inputs as [Value, Value];
    const [centre, variance] = inputs.slice(-2) as [Value, Value];
    const axis = allButLast(x);
    const count = sizeOf(x.shape) / sizeOf(centre.shape);
    const inverse = rsqrt(add(variance, epsilon));
    const normal = multiply(subtract(x, centre), inverse);
    const byBeta = sum(g, { axis });
    const byGamma = sum(multiply(g, normal), { axis });
    const rest = add(divide(byBeta, count), multiply(normal, divide(byGamma, count)));
    const byX = multiply(subtract(g, rest), scale ? multiply(inverse, inputs[2]!) : inverse);
    return [byX, ...(scale ? [byGamma] : []), ...(center ? [byBeta] : [])];
  },
  inPlace: () => [
    [0, 0],
    [0, 1],
  ],
});

export interface BatchNormOptions {
  /** The axis that keeps statistics of its own. Default -1. */
  axis?: number;
  /** Factors [channels]; default: none. */
  gamma?: Operand;
  /** Offsets [channels]; default: none. */
  beta?: Operand;
  /** Added to the variance. Default 1e-3. */
  epsilon?: number;
}

/**
 * (x - mean) / sqrt(variance + epsilon) * gamma + beta with the mean and the population variance of x over all axes but one.
 * For inference, on known statistics, multiply and add what they come to instead.
 * @returns y of x's shape; mean and variance [channels]
 * @throws MyelinError SHAPE_MISMATCH, for an x without elements among others
 * @example const { y, mean, variance } = batchNorm(x, { gamma, beta });   // x [32, 28, 28, 16], gamma [16]
 */
export function batchNorm(
  x: Operand,
  options?: BatchNormOptions,
): { y: Value; mean: Value; variance: Value } {
  const known = checkOptions("batchNorm", options, ["axis", "gamma", "beta", "epsilon"]);
  const { axis = -1, gamma, beta, epsilon = 1e-3 } = known;
  checkNumber("batchNorm", "epsilon", epsilon, "of at least 0", (e) => e >= 0);
  const value = toFloat(x, "batchNorm");
  const at = normalizeAxis("batchNorm", axis, value.rank);
  const inputs = [moveAxis(value, at, -1)];
  for (const given of [gamma, beta]) if (given !== undefined) inputs.push(toFloat(given, "batchNorm"));
  const attrs = { epsilon, scale: gamma !== undefined, center: beta !== undefined };
  const [y, centre, variance] = emit(batchNormOp, inputs, attrs) as [Value, Value, Value];
  return { y: moveAxis(y, -1, at), mean: centre, variance };
}
