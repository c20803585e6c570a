// Resizing of images [batch, height, width, channels]: a separable linear map, so its gradient is the same with input and
// output of each axis exchanged. Pixels are squares with their centre in the middle ("half pixel"), as in Keras 3.

import type { HostArray } from "../core/dtype.ts";
import { checkBoolean, checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape, type Shape, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { type Operand, toFloat } from "./operand.ts";
import { checkArity, formatTypes, record, shapeError } from "./record.ts";
import { perAxis } from "./windows.ts";

interface ResizeAttrs extends Record<string, unknown> {
  /** Height and width of the output. */
  size: readonly number[];
  /** Interpolate between pixels; otherwise take the nearest. */
  bilinear: boolean;
  /** Where the image shrinks, mean over all pixels an output covers. */
  antialias: boolean;
}

interface Tap {
  readonly input: number;
  readonly output: number;
  readonly weight: number;
}

/** Weights of one axis: output o is the sum of weight * input over its taps. They add up to 1. */
function tapsOf(n: number, outputs: number, { bilinear, antialias }: ResizeAttrs): Tap[] {
  const scale = n / outputs;
  const taps: Tap[] = [];
  for (let output = 0; output < outputs; output++) {
    if (!bilinear) {
      const input = Math.min(n - 1, Math.floor(((2 * output + 1) * n) / (2 * outputs)));
      taps.push({ input, output, weight: 1 });
    } else if (antialias && scale > 1) {
      // A triangle of the width of two outputs, cut at the edges and made to add up to 1.
      const centre = (output + 0.5) * scale;
      const begin = Math.max(0, Math.floor(centre - scale + 0.5));
      const end = Math.min(n, Math.floor(centre + scale + 0.5));
      const weights = Array.from({ length: end - begin }, (_, k) =>
        Math.max(0, 1 - Math.abs(begin + k + 0.5 - centre) / scale),
      );
      const total = weights.reduce((a, b) => a + b, 0);
      weights.forEach((w, k) => {
        taps.push({ input: begin + k, output, weight: w / total });
      });
    } else {
      const at = Math.max(0, (output + 0.5) * scale - 0.5);
      const input = Math.min(n - 1, Math.floor(at));
      const next = Math.min(n - 1, input + 1);
      taps.push({ input, output, weight: 1 - (at - input) });
      taps.push({ input: next, output, weight: at - input });
    }
  }
  return taps;
}

function checkSizes(where: string, x: TensorType | undefined, { size }: ResizeAttrs): TensorType {
  const { shape = [], dtype } = x ?? {};
  if (dtype !== "float32" || shape.length !== 4) {
    const got = x ? formatTypes([x]) : "nothing";
    throw shapeError(where, `expected float32 [batch, height, width, channels], got ${got}`);
  }
  if (size.length !== 2 || ![...shape.slice(1, 3), ...size].every((n) => n >= 1)) {
    const got = `${formatShape(shape)} and size [${size.join(", ")}]`;
    throw shapeError(where, `expected heights and widths of at least 1, got ${got}`);
  }
  return { shape: [shape[0]!, size[0]!, size[1]!, shape[3]!], dtype };
}

/** y[.., to of both axes, ..] += weights * x[.., from of both axes, ..]. */
function spread(
  x: HostArray,
  from: Shape,
  rows: readonly Move[],
  columns: readonly Move[],
  y: HostArray,
  to: Shape,
) {
  const channels = from[3]!;
  const sums = new Float64Array(y.length);
  for (let b = 0; b < from[0]!; b++) {
    for (const row of rows) {
      for (const column of columns) {
        const i = ((b * from[1]! + row.from) * from[2]! + column.from) * channels;
        const k = ((b * to[1]! + row.to) * to[2]! + column.to) * channels;
        const weight = row.weight * column.weight;
        for (let c = 0; c < channels; c++) sums[k + c]! += weight * x[i + c]!;
      }
    }
  }
  y.set(sums);
}

interface Move {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

export const resizeOp: Op = record<ResizeAttrs>({
  name: "resize",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 1);
    return [checkSizes(where, inputs[0], attrs)];
  },
  gradient({ grads, inputs, attrs }) {
    return [emit(resizeGradOp, [grads[0]!], { ...attrs, size: inputs[0]!.shape.slice(1, 3) })[0]!];
  },
  evaluate([x], [y], { attrs, inputTypes, outputTypes }) {
    const [from, to] = [inputTypes[0]!.shape, outputTypes[0]!.shape];
    const moves = [1, 2].map((a) =>
      tapsOf(from[a]!, to[a]!, attrs).map(({ input, output, weight }) => ({
        from: input,
        to: output,
        weight,
      })),
    );
    spread(x!, from, moves[0]!, moves[1]!, y!, to);
  },
});

/** The transposed map, from an output's gradient to that of an image of `size`. */
export const resizeGradOp: Op = record<ResizeAttrs>({
  name: "resizeGrad",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 1);
    return [checkSizes(where, inputs[0], attrs)];
  },
  gradient({ grads, inputs, attrs }) {
    return [emit(resizeOp, [grads[0]!], { ...attrs, size: inputs[0]!.shape.slice(1, 3) })[0]!];
  },
  evaluate([dy], [dx], { attrs, inputTypes, outputTypes }) {
    const [from, to] = [inputTypes[0]!.shape, outputTypes[0]!.shape];
    const moves = [1, 2].map((a) =>
      tapsOf(to[a]!, from[a]!, attrs).map(({ input, output, weight }) => ({
        from: output,
        to: input,
        weight,
      })),
    );
    spread(dy!, from, moves[0]!, moves[1]!, dx!, to);
  },
});

export type Interpolation = "nearest" | "bilinear";

/**
 * Images in another size, as keras.ops.image.resize with half-pixel centres.
 * @param x [batch, height, width, channels], computed in float32
 * @param size height and width of the output
 * @param options.interpolation "bilinear" (default) or "nearest"
 * @param options.antialias where bilinear shrinks, weigh all pixels an output covers (default false)
 */
export function resize(
  x: Operand,
  size: readonly [number, number],
  options?: { interpolation?: Interpolation; antialias?: boolean },
): Value {
  const { interpolation = "bilinear", antialias = false } = checkOptions("resize", options, [
    "interpolation",
    "antialias",
  ]);
  checkOneOf<Interpolation>("resize", "interpolation", interpolation, ["nearest", "bilinear"]);
  checkBoolean("resize", "antialias", antialias);
  const bilinear = interpolation === "bilinear";
  const attrs = { size: perAxis("resize", "size", size, 2), bilinear, antialias: bilinear && antialias };
  return emit(resizeOp, [toFloat(x, "resize")], attrs)[0]!;
}
