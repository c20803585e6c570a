// The geometry of convolutions: what the options mean, the sizes that come out, and one normal form with three spatial
// axes that evaluation works on. `ConvShape` in native/conv.h is the same record.

import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkOneOf } from "../core/options.ts";
import { formatShape, type Shape } from "../core/shape.ts";
import { shapeError } from "./record.ts";

/** Attributes that `conv` and its two gradients share, one number for each spatial axis. */
export interface ConvAttrs extends Record<string, unknown> {
  strides: readonly number[];
  /** Zeros before and after the image. */
  before: readonly number[];
  after: readonly number[];
  dilations: readonly number[];
  groups: number;
}

/** One number for all spatial axes, or one for each. */
export type Sizes = number | readonly number[];

/**
 * "valid" pads nothing; "same" pads so that the output has ceil(size / stride) elements, the odd zero at the end, as
 * TensorFlow does; "causal" (one spatial axis) pads before only, so that nothing later is seen; or a pair [before, after]
 * for each spatial axis.
 */
export type Padding = "valid" | "same" | "causal" | readonly (readonly [before: number, after: number])[];

/** A convolution [batch, in.., cin] x [kernel.., cin / groups, cout] -> [batch, out.., cout], lifted to three axes. */
export interface ConvShape {
  batch: number;
  in: readonly number[];
  out: readonly number[];
  kernel: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  before: readonly number[];
  cin: number;
  cout: number;
  groups: number;
}

/** How far a kernel reaches: its size with the gaps of dilation. */
export function reach(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/** Elements along one axis of the output; below 1 where the kernel does not fit. */
export function outputSize(
  size: number,
  kernel: number,
  attrs: Pick<ConvAttrs, "strides" | "before" | "after" | "dilations">,
  axis: number,
): number {
  const room = size + attrs.before[axis]! + attrs.after[axis]! - reach(kernel, attrs.dilations[axis]!);
  return Math.floor(room / attrs.strides[axis]!) + 1;
}

/** Checks x, kernel and attributes; the shape of the result. */
export function convOutputShape(x: Shape, kernel: Shape, attrs: ConvAttrs, where: string): Shape {
  checkRanks(where, x, kernel);
  const [cin, cout] = [x.at(-1)!, kernel.at(-1)!];
  const { groups } = attrs;
  if (cin % groups !== 0 || cout % groups !== 0) {
    throw shapeError(where, `expected groups to divide ${cin} and ${cout} channels, got ${groups}`);
  }
  if (kernel.at(-2) !== cin / groups) {
    const channels = groups === 1 ? `${cin}` : `${cin} / ${groups}`;
    throw shapeError(
      where,
      `expected a kernel for ${channels} input channels, got ${formatShape(kernel)} for ${formatShape(x)}`,
    );
  }
  const spatial = x.slice(1, -1).map((size, axis) => {
    const out = outputSize(size, kernel[axis]!, attrs, axis);
    if (out < 1) {
      const padded = size + attrs.before[axis]! + attrs.after[axis]!;
      const need = reach(kernel[axis]!, attrs.dilations[axis]!);
      const text = `a kernel that reaches ${need} elements does not fit the ${padded} of spatial axis ${axis}`;
      throw shapeError(where, `${text}, got ${formatShape(kernel)} for ${formatShape(x)}`);
    }
    return out;
  });
  return [x[0]!, ...spatial, cout];
}

/** x [batch, *spatial, channels] and kernel [*spatial, in, out] with the same one to three spatial axes. */
export function checkRanks(where: string, x: Shape, kernel: Shape): void {
  const axes = x.length - 2;
  if (axes >= 1 && axes <= 3 && kernel.length === x.length) {
    if (kernel.slice(0, -2).every((k) => k >= 1)) return;
    throw shapeError(where, `expected a kernel of at least 1 along each axis, got ${formatShape(kernel)}`);
  }
  const wanted = "x [batch, *spatial, channels] with 1 to 3 spatial axes and a kernel of the same rank";
  throw shapeError(where, `expected ${wanted}, got ${formatShape(x)} and ${formatShape(kernel)}`);
}

/** The normal form: missing spatial axes in front have size 1. */
export function liftConv(x: Shape, kernel: Shape, y: Shape, attrs: ConvAttrs): ConvShape {
  const lift = (list: readonly number[], fill: number): number[] => [
    ...Array<number>(3 - list.length).fill(fill),
    ...list,
  ];
  return {
    batch: x[0]!,
    in: lift(x.slice(1, -1), 1),
    out: lift(y.slice(1, -1), 1),
    kernel: lift(kernel.slice(0, -2), 1),
    strides: lift(attrs.strides, 1),
    dilations: lift(attrs.dilations, 1),
    before: lift(attrs.before, 0),
    cin: x.at(-1)!,
    cout: y.at(-1)!,
    groups: attrs.groups,
  };
}

/** An option that is one number or one for each axis, as a list. */
export function sizesOption(where: string, name: string, value: Sizes, axes: number, min: number): number[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : Array<unknown>(axes).fill(value);
  if (list.length !== axes) {
    const wanted = axes === 1 ? "1 number" : `${axes} numbers`;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to hold ${wanted}, got ${describe(value)}`,
    );
  }
  return list.map((v) => checkInteger(where, name, v, min, 2 ** 31 - 1));
}

const PADDINGS = ["valid", "same", "causal"] as const;

/** The padding option as numbers of zeros before and after. */
export function paddingOption(
  where: string,
  padding: Padding,
  x: Shape,
  kernel: Shape,
  strides: readonly number[],
  dilations: readonly number[],
): { before: number[]; after: number[] } {
  const spatial = x.slice(1, -1);
  if (typeof padding !== "string") return explicitPadding(where, padding, spatial.length);
  const kind = checkOneOf(where, "padding", padding, PADDINGS);
  if (kind === "causal" && spatial.length !== 1) {
    const got = `${spatial.length} for ${formatShape(x)}`;
    throw new MyelinError("INVALID_OPTION", `${where}: padding "causal" is for one spatial axis, got ${got}`);
  }
  const pairs = spatial.map((size, axis) => {
    const beyond = reach(kernel[axis]!, dilations[axis]!) - 1;
    if (kind === "valid") return [0, 0] as const;
    if (kind === "causal") return [beyond, 0] as const;
    const out = Math.ceil(size / strides[axis]!);
    const total = Math.max(0, (out - 1) * strides[axis]! + beyond + 1 - size);
    return [Math.floor(total / 2), Math.ceil(total / 2)] as const;
  });
  return { before: pairs.map((p) => p[0]), after: pairs.map((p) => p[1]) };
}

function explicitPadding(
  where: string,
  padding: unknown,
  axes: number,
): { before: number[]; after: number[] } {
  const pairs = padding as readonly (readonly [number, number])[];
  if (
    !Array.isArray(padding) ||
    pairs.length !== axes ||
    !pairs.every((p) => Array.isArray(p) && p.length === 2)
  ) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected padding to be "valid", "same", "causal" or ${axes} pairs [before, after], got ${describe(padding)}`,
    );
  }
  const side = (i: 0 | 1): number[] => pairs.map((p) => checkInteger(where, "padding", p[i], 0, 2 ** 31 - 1));
  return { before: side(0), after: side(1) };
}

/**
 * Where a transposed convolution puts its output along one axis, by Keras's rules: `size` elements, of which the first is
 * `before` elements into the full one (whose element i * stride + k * dilation gets input i times tap k).
 */
export function transposedAxis(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: "valid" | "same",
  outputPadding: number | undefined,
): { size: number; before: number } {
  const span = reach(kernel, dilation);
  if (padding === "valid") {
    const extra = outputPadding ?? Math.max(span, stride) - span;
    return { size: (size - 1) * stride + span + extra, before: 0 };
  }
  const total = outputPadding === undefined ? stride + span - 2 : span + (span % 2) - 2 + outputPadding;
  const left = Math.min(Math.ceil(total / 2), span - 1);
  const out = outputPadding === undefined ? size * stride : (size - 1) * stride + (span % 2) + outputPadding;
  return { size: out, before: span - 1 - left };
}
