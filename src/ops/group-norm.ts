// Group normalisation, over runs of channels in each sample, and its gradient: composites. Groups are runs of
// channels / groups neighbours.

import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxis, type Shape, sizeOf, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { rsqrt, square } from "./elementwise.ts";
import { addMaybe, channelsOf, checkShapes, float, type NormAttrs, when } from "./normalization.ts";
import { type Operand, toFloat } from "./operand.ts";
import { checkDTypes, record, shapeError, sizeBetween } from "./record.ts";
import { mean, sum } from "./reduce.ts";
import { broadcastTo, moveAxis, reshape } from "./shape.ts";

interface GroupAttrs extends NormAttrs {
  groups: number;
}

function checkGroups(where: string, x: TensorType | undefined, groups: number): TensorType {
  checkDTypes(where, x ? [x] : [], ["float32"]);
  const channels = x?.shape.at(-1) ?? 0;
  if (!x || x.shape.length < 2 || sizeOf(x.shape.slice(1)) === 0 || channels % groups !== 0) {
    const came = x ? formatShape(x.shape) : "nothing";
    throw shapeError(
      where,
      `expected x [samples, .., channels] with channels a multiple of ${groups} groups and no empty sample, got ${came}`,
    );
  }
  return x;
}

/** x as [samples, pixels, groups, channels of a group]. */
function grouped(x: Value, groups: number): Value {
  const [samples, channels] = [x.shape[0]!, x.shape.at(-1)!];
  return reshape(x, [samples, sizeBetween(x.shape, 1, x.rank - 1), groups, channels / groups]);
}
const ofGroup = { axis: [1, 3], keepDims: true };
const perGroup = (v: Value): Value => reshape(v, [v.shape[0]!, 1, v.shape[1]!, 1]);
const byGroup = (v: Value, groups: number): Value => reshape(v, [groups, v.shape[0]! / groups]);

/** x [samples, .., channels], gamma [channels]?, beta [channels]? -> y, mean [samples, groups], rstd [samples, groups]. */
export const groupNormOp: Op = record<GroupAttrs>({
  name: "groupNorm",
  kind: "composite",
  infer(inputs, { groups, scale, center }, where) {
    const x = checkGroups(where, inputs[0], groups);
    const channels = channelsOf(x);
    checkShapes(where, inputs, [...when(scale, "gamma", channels), ...when(center, "beta", channels)]);
    return [x, float([x.shape[0]!, groups]), float([x.shape[0]!, groups])];
  },
  gradient({ inputs, outputs, grads, attrs }) {
    const { groups, scale, center } = attrs;
    const [, centre, rstd] = outputs as [Value, Value, Value];
    const [g, byMean, byRstd] = grads as [Value | null, Value | null, Value | null];
    const found = g
      ? emit(groupNormGradOp, [inputs[0]!, g, ...inputs.slice(1, scale ? 2 : 1), centre, rstd], {
          groups,
          scale,
          center,
        })
      : [];
    let own: Value | null = null;
    if (byMean || byRstd) {
      const x = grouped(inputs[0]!, groups);
      const count = x.shape[1]! * x.shape[3]!;
      const shifted = subtract(x, perGroup(centre));
      const cube = byRstd && multiply(multiply(square(rstd), rstd), divide(byRstd, -count));
      const parts = addMaybe(
        byMean && broadcastTo(perGroup(divide(byMean, count)), x.shape),
        cube && multiply(shifted, perGroup(cube)),
      )!;
      own = reshape(parts, inputs[0]!.shape);
    }
    return [addMaybe(found[0] ?? null, own), ...inputs.slice(1).map((_, i) => found[i + 1] ?? null)];
  },
  expand(inputs, { groups, epsilon, scale, center }) {
    const x = grouped(inputs[0]!, groups);
    const centre = mean(x, ofGroup);
    const shifted = subtract(x, centre);
    const rstd = rsqrt(add(mean(square(shifted), ofGroup), epsilon));
    const normal = multiply(shifted, rstd);
    const scaled = scale ? multiply(normal, byGroup(inputs[1]!, groups)) : normal;
    const y = center ? add(scaled, byGroup(inputs.at(-1)!, groups)) : scaled;
    const statistics: Shape = [x.shape[0]!, groups];
    return [reshape(y, inputs[0]!.shape), reshape(centre, statistics), reshape(rstd, statistics)];
  },
  inPlace: () => [[0, 0]],
});

/** x, dy, gamma?, mean, rstd -> dx, dgamma?, dbeta?. */
export const groupNormGradOp: Op = record<GroupAttrs>({
  name: "groupNormGrad",
  kind: "composite",
  infer(inputs, { groups, scale, center }, where) {
    const x = checkGroups(where, inputs[0], groups);
    const channels = channelsOf(x);
    const statistics: Shape = [x.shape[0]!, groups];
    checkShapes(where, inputs, [
      ["the gradient", x.shape],
      ...when(scale, "gamma", channels),
      ["mean", statistics],
      ["rstd", statistics],
    ]);
    return [x, ...[scale, center].filter(Boolean).map(() => float(channels))];
  },
  expand(inputs, { groups, scale, center }) {
    const [x, g] = inputs.slice(0, 2).map((v) => grouped(v, groups)) as [Value, Value];
    const [centre, rstd] = inputs.slice(-2).map(perGroup) as [Value, Value];
    const normal = multiply(subtract(x, centre), rstd);
    const weighted = scale ? multiply(g, byGroup(inputs[2]!, groups)) : g;
    const rest = add(mean(weighted, ofGroup), multiply(normal, mean(multiply(weighted, normal), ofGroup)));
    const byX = reshape(multiply(subtract(weighted, rest), rstd), inputs[0]!.shape);
    const perChannel = (v: Value): Value => reshape(sum(v, { axis: [0, 1] }), channelsOf(inputs[0]!));
    return [byX, ...(scale ? [perChannel(multiply(g, normal))] : []), ...(center ? [perChannel(g)] : [])];
  },
  inPlace: () => [
    [0, 0],
    [0, 1],
  ],
});

export interface GroupNormOptions {
  /** How many groups the channels make; one for each channel is instance normalisation. */
  groups: number;
  /** Axis of the channels, not the first. Default -1. */
  axis?: number;
  /** Factors [channels]; default: none. */
  gamma?: Operand;
  /** Offsets [channels]; default: none. */
  beta?: Operand;
  /** Added to the variance. Default 1e-3. */
  epsilon?: number;
}

/**
 * (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and variance of each group of channels in each sample.
 * @returns of x's shape
 * @throws MyelinError SHAPE_MISMATCH, where the channels are not a multiple of the groups among others
 * @example groupNorm(x, { groups: 4, gamma, beta })   // x [32, 28, 28, 16], gamma and beta [16]
 */
export function groupNorm(x: Operand, options: GroupNormOptions): Value {
  const known = checkOptions("groupNorm", options, ["groups", "axis", "gamma", "beta", "epsilon"]);
  const { axis = -1, gamma, beta, epsilon = 1e-3 } = known;
  const groups = checkInteger("groupNorm", "groups", known.groups, 1);
  checkNumber("groupNorm", "epsilon", epsilon, "of at least 0", (e) => e >= 0);
  const value = toFloat(x, "groupNorm");
  const at = normalizeAxis("groupNorm", axis, value.rank);
  if (at === 0)
    throw shapeError("groupNorm", "expected an axis of channels behind that of the samples, got 0");
  const inputs = [moveAxis(value, at, -1)];
  for (const given of [gamma, beta]) if (given !== undefined) inputs.push(toFloat(given, "groupNorm"));
  const attrs = { groups, epsilon, scale: gamma !== undefined, center: beta !== undefined };
  return moveAxis(emit(groupNormOp, inputs, attrs)[0]!, -1, at);
}
