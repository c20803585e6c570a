// Convolutions over one to three spatial axes, channels last, and their gradients: three primitives that are each other's
// derivatives. Float32 only: other dtypes are cast. What the options mean is in conv-shape.ts.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape, type Shape, type TensorType } from "../core/shape.ts";
import type { Graph, Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { evaluateConv, evaluateConvInputGrad, evaluateConvKernelGrad } from "./conv-eval.ts";
import {
  type ConvAttrs,
  checkRanks,
  convOutputShape,
  liftConv,
  type Padding,
  paddingOption,
  type Sizes,
  sizesOption,
  transposedAxis,
} from "./conv-shape.ts";
import { evaluateWithBody, inferWithBody } from "./fused.ts";
import { type Operand, toFloat } from "./operand.ts";
import { checkArity, checkDTypes, record, shapeError } from "./record.ts";
import { reshape } from "./shape.ts";

/** `body`: elementwise epilogue made by the fuse pass. */
type ForwardAttrs = ConvAttrs & { body?: Graph };
/** `size`: spatial shape of the image, which strides leave open. */
type InputGradAttrs = ForwardAttrs & { size: readonly number[] };
/** `kernelSize`: spatial shape of the kernel, likewise. */
type KernelGradAttrs = ConvAttrs & { kernelSize: readonly number[] };

const shared = ({ strides, before, after, dilations, groups }: ConvAttrs): ConvAttrs => ({
  strides,
  before,
  after,
  dilations,
  groups,
});

function twoFloats(inputs: readonly TensorType[], where: string): [Shape, Shape] {
  if (inputs.length < 2) checkArity(where, inputs, 2);
  checkDTypes(where, inputs.slice(0, 2), ["float32"]);
  return [inputs[0]!.shape, inputs[1]!.shape];
}

const float32 = (shape: Shape): TensorType => ({ shape, dtype: "float32" });

/** x [N, *S, Cin], kernel [*K, Cin / groups, Cout] -> [N, *O, Cout]: sums of what the kernel, not turned round, sees. */
export const convOp: Op = record<ForwardAttrs>({
  name: "conv",
  kind: "primitive",
  takesBody: true,
  infer(inputs, attrs, where) {
    const [x, kernel] = twoFloats(inputs, where);
    const result = float32(convOutputShape(x, kernel, attrs, where));
    return inferWithBody(attrs.body, result, inputs, 2, where);
  },
  gradient({ grads, inputs, attrs }) {
    const [g, x, kernel] = [grads[0]!, inputs[0]!, inputs[1]!];
    return [inputGrad(g, kernel, attrs, x), kernelGrad(x, g, attrs, kernel)];
  },
  evaluate(inputs, outputs, { attrs, inputTypes, outputTypes }) {
    const { shape } = attrs.body?.inputs[0] ?? outputTypes[0]!;
    const s = liftConv(inputTypes[0]!.shape, inputTypes[1]!.shape, shape, attrs);
    evaluateWithBody(attrs.body, inputs, 2, outputs, (y) => evaluateConv(s, inputs[0]!, inputs[1]!, y));
  },
});

/** dy [N, *O, Cout], kernel [*K, Cin / groups, Cout] -> dx [N, *size, Cin]; a transposed convolution is the same thing. */
export const convInputGradOp: Op = record<InputGradAttrs>({
  name: "convInputGrad",
  kind: "primitive",
  takesBody: true,
  infer(inputs, attrs, where) {
    const [dy, kernel] = twoFloats(inputs, where);
    checkRanks(where, dy, kernel);
    const dx = [dy[0]!, ...attrs.size, kernel.at(-2)! * attrs.groups];
    const made = convOutputShape(dx, kernel, attrs, where);
    if (made.some((d, i) => d !== dy[i])) {
      const text = `expected dy ${formatShape(made)} for ${formatShape(dx)} and ${formatShape(kernel)}`;
      throw shapeError(where, `${text}, got ${formatShape(dy)}`);
    }
    return inferWithBody(attrs.body, float32(dx), inputs, 2, where);
  },
  gradient({ grads, inputs, attrs }) {
    const [g, dy, kernel] = [grads[0]!, inputs[0]!, inputs[1]!];
    return [emit(convOp, [g, kernel], shared(attrs))[0]!, kernelGrad(g, dy, attrs, kernel)];
  },
  evaluate(inputs, outputs, { attrs, inputTypes, outputTypes }) {
    const { shape } = attrs.body?.inputs[0] ?? outputTypes[0]!;
    const s = liftConv(shape, inputTypes[1]!.shape, inputTypes[0]!.shape, attrs);
    evaluateWithBody(attrs.body, inputs, 2, outputs, (dx) =>
      evaluateConvInputGrad(s, inputs[0]!, inputs[1]!, dx),
    );
  },
});

/** x [N, *S, Cin], dy [N, *O, Cout] -> dkernel [*kernelSize, Cin / groups, Cout]. */
export const convKernelGradOp: Op = record<KernelGradAttrs>({
  name: "convKernelGrad",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 2);
    const [x, dy] = twoFloats(inputs, where);
    checkRanks(where, x, [...attrs.kernelSize, 1, 1]);
    const kernel = [...attrs.kernelSize, Math.floor(x.at(-1)! / attrs.groups), dy.at(-1) ?? 0];
    const made = convOutputShape(x, kernel, attrs, where);
    if (made.length !== dy.length || made.some((d, i) => d !== dy[i])) {
      const text = `expected dy ${formatShape(made)} for ${formatShape(x)} and ${formatShape(kernel)}`;
      throw shapeError(where, `${text}, got ${formatShape(dy)}`);
    }
    return [float32(kernel)];
  },
  gradient({ grads, inputs, attrs }) {
    const [g, x, dy] = [grads[0]!, inputs[0]!, inputs[1]!];
    return [inputGrad(dy, g, attrs, x), emit(convOp, [x, g], shared(attrs))[0]!];
  },
  evaluate([x, dy], [dkernel], { attrs, inputTypes, outputTypes }) {
    const s = liftConv(inputTypes[0]!.shape, outputTypes[0]!.shape, inputTypes[1]!.shape, attrs);
    evaluateConvKernelGrad(s, x!, dy!, dkernel!);
  },
});

function inputGrad(dy: Value, kernel: Value, attrs: ConvAttrs, x: Value): Value {
  return emit(convInputGradOp, [dy, kernel], { ...shared(attrs), size: x.shape.slice(1, -1) })[0]!;
}

function kernelGrad(x: Value, dy: Value, attrs: ConvAttrs, kernel: Value): Value {
  return emit(convKernelGradOp, [x, dy], { ...shared(attrs), kernelSize: kernel.shape.slice(0, -2) })[0]!;
}

export interface ConvOptions {
  /** Steps between neighbouring outputs, one number or one for each spatial axis. Default 1. */
  strides?: Sizes;
  /** Zeros around the image. Default "valid": none. */
  padding?: Padding;
  /** Distance between the elements the kernel sees. Default 1. */
  dilations?: Sizes;
  /** Parts the channels are cut into, each convolved with its own part of the kernel. Default 1. */
  groups?: number;
}

/**
 * Convolution over one to three spatial axes, as in deep learning (the kernel is not turned round). Computes in float32.
 * @param x [batch, *spatial, channels]
 * @param kernel [*spatial, channels / groups, filters]
 * @returns [batch, *spatial, filters]
 * @example conv(images, kernel, { padding: "same" })   // [8, 28, 28, 3] and [3, 3, 3, 32] -> [8, 28, 28, 32]
 */
export function conv(x: Operand, kernel: Operand, options?: ConvOptions): Value {
  return emitConv("conv", toFloat(x, "conv"), toFloat(kernel, "conv"), options, [
    "strides",
    "padding",
    "dilations",
    "groups",
  ]);
}

function emitConv(
  where: string,
  x: Value,
  kernel: Value,
  options: ConvOptions | undefined,
  known: readonly (keyof ConvOptions)[],
): Value {
  const { strides = 1, padding = "valid", dilations = 1, groups = 1 } = checkOptions(where, options, known);
  checkRanks(where, x.shape, kernel.shape);
  const axes = x.rank - 2;
  const steps = sizesOption(where, "strides", strides, axes, 1);
  const gaps = sizesOption(where, "dilations", dilations, axes, 1);
  checkInteger(where, "groups", groups, 1);
  const zeros = paddingOption(where, padding, x.shape, kernel.shape, steps, gaps);
  const attrs: ConvAttrs = { strides: steps, ...zeros, dilations: gaps, groups };
  convOutputShape(x.shape, kernel.shape, attrs, where);
  return emit(convOp, [x, kernel], attrs)[0]!;
}

export type DepthwiseConvOptions = Pick<ConvOptions, "strides" | "padding" | "dilations">;

/**
 * Convolves every channel with kernels of its own: channel c, filter m becomes channel c * multiplier + m.
 * @param x [batch, *spatial, channels]
 * @param kernel [*spatial, channels, multiplier]
 * @returns [batch, *spatial, channels * multiplier]
 */
export function depthwiseConv(x: Operand, kernel: Operand, options?: DepthwiseConvOptions): Value {
  const where = "depthwiseConv";
  return emitDepthwise(where, toFloat(x, where), toFloat(kernel, where), options);
}

const DEPTHWISE_OPTIONS = ["strides", "padding", "dilations"] as const;

function emitDepthwise(where: string, x: Value, kernel: Value, options?: DepthwiseConvOptions): Value {
  checkRanks(where, x.shape, kernel.shape);
  const [channels, multiplier] = [kernel.shape.at(-2)!, kernel.shape.at(-1)!];
  if (channels !== x.shape.at(-1)) {
    const got = `${formatShape(kernel.shape)} for ${formatShape(x.shape)}`;
    throw shapeError(where, `expected a kernel of ${x.shape.at(-1)} channels, got ${got}`);
  }
  checkOptions(where, options, DEPTHWISE_OPTIONS);
  const grouped = reshape(kernel, [...kernel.shape.slice(0, -2), 1, channels * multiplier]);
  return emitConv(where, x, grouped, { ...options, groups: Math.max(1, channels) }, [
    ...DEPTHWISE_OPTIONS,
    "groups",
  ]);
}

/**
 * A depthwise convolution, then a convolution with a kernel of size 1 that mixes the channels.
 * @param depthwiseKernel [*spatial, channels, multiplier]
 * @param pointwiseKernel [1 for each spatial axis, channels * multiplier, filters]
 * @returns [batch, *spatial, filters]
 */
export function separableConv(
  x: Operand,
  depthwiseKernel: Operand,
  pointwiseKernel: Operand,
  options?: DepthwiseConvOptions,
): Value {
  const where = "separableConv";
  const y = emitDepthwise(where, toFloat(x, where), toFloat(depthwiseKernel, where), options);
  const mix = toFloat(pointwiseKernel, where);
  if (mix.rank !== y.rank || mix.shape.slice(0, -2).some((k) => k !== 1)) {
    const got = formatShape(mix.shape);
    throw shapeError(where, `expected a pointwise kernel [1, .., channels, filters], got ${got}`);
  }
  return emitConv(where, y, mix, undefined, []);
}

export interface ConvTransposeOptions {
  strides?: Sizes;
  /** Default "valid". */
  padding?: "valid" | "same";
  /** Elements added at the end of each axis, less than its stride; without it "same" gives size * stride. */
  outputPadding?: Sizes;
  dilations?: Sizes;
}

/**
 * Transposed convolution: the gradient of a convolution by its image, with Keras's rules for the output's size.
 * "valid" gives (size - 1) * stride + max(kernel, stride), "same" size * stride.
 * @param x [batch, *spatial, channels]
 * @param kernel [*spatial, filters, channels]
 * @returns [batch, *spatial, filters]
 */
export function convTranspose(x: Operand, kernel: Operand, options?: ConvTransposeOptions): Value {
  const where = "convTranspose";
  const known = checkOptions(where, options, ["strides", "padding", "outputPadding", "dilations"]);
  const { strides = 1, padding = "valid", outputPadding, dilations = 1 } = known;
  const [dy, weights] = [toFloat(x, where), toFloat(kernel, where)];
  checkRanks(where, dy.shape, weights.shape);
  if (weights.shape.at(-1) !== dy.shape.at(-1)) {
    const got = `${formatShape(weights.shape)} for ${formatShape(dy.shape)}`;
    throw shapeError(where, `expected a kernel [.., filters, ${dy.shape.at(-1)}], got ${got}`);
  }
  const axes = dy.rank - 2;
  const steps = sizesOption(where, "strides", strides, axes, 1);
  const gaps = sizesOption(where, "dilations", dilations, axes, 1);
  const extra =
    outputPadding === undefined ? undefined : sizesOption(where, "outputPadding", outputPadding, axes, 0);
  const tooMuch = extra?.findIndex((e, axis) => e >= steps[axis]!) ?? -1;
  if (tooMuch >= 0) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected outputPadding below the stride ${steps[tooMuch]}, got ${extra![tooMuch]}`,
    );
  }
  const kind = checkOneOf(where, "padding", padding, ["valid", "same"] as const);
  const spatial = dy.shape.slice(1, -1);
  const places = spatial.map((size, axis) =>
    transposedAxis(size, weights.shape[axis]!, steps[axis]!, gaps[axis]!, kind, extra?.[axis]),
  );
  const size = places.map((p) => p.size);
  const before = places.map((p) => p.before);
  const after = spatial.map((n, axis) => {
    const full = (n - 1) * steps[axis]! + (weights.shape[axis]! - 1) * gaps[axis]! + 1;
    return Math.max(0, full - before[axis]! - size[axis]!);
  });
  const attrs = { strides: steps, before, after, dilations: gaps, groups: 1, size };
  return emit(convInputGradOp, [dy, weights], attrs)[0]!;
}
