// Pooling over channels-last images. maxPool also gives the place of each maximum in its window, so that its gradient
// reads that small index instead of the image; averagePool and averagePoolGrad are each other's gradients.

import { checkOptions } from "../core/options.ts";
import { formatShape, type Shape, sameShape, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { type Operand, toFloat } from "./operand.ts";
import { checkArity, formatTypes, record, shapeError } from "./record.ts";
import {
  adaptiveWindows,
  checkImage,
  checkWindows,
  forEachPlace,
  type Padding,
  placeType,
  slidingWindows,
  spatialOf,
  type WindowAttrs,
} from "./windows.ts";

const resized = (shape: Shape, size: Shape): Shape => [shape[0]!, ...size, shape.at(-1)!];

/** The type of pooling x. */
function pooled(where: string, x: TensorType, attrs: WindowAttrs): TensorType {
  checkImage(where, x);
  checkWindows(where, spatialOf(x.shape), attrs, attrs.size);
  return { shape: resized(x.shape, attrs.size), dtype: "float32" };
}

/** The type of an image whose pooling is like dy; its spatial sizes are `attrs.size`. */
function unpooled(where: string, dy: TensorType, attrs: WindowAttrs): TensorType {
  checkImage(where, dy);
  checkWindows(where, attrs.size, attrs, spatialOf(dy.shape));
  return { shape: resized(dy.shape, attrs.size), dtype: "float32" };
}

function checkIndex(where: string, index: TensorType, shape: Shape, attrs: WindowAttrs): void {
  const dtype = placeType(attrs.pool);
  if (index.dtype === dtype && sameShape(index.shape, shape)) return;
  throw shapeError(
    where,
    `expected a window index ${dtype} ${formatShape(shape)}, got ${formatTypes([index])}`,
  );
}

/** The same windows from the other side. */
const towards = (attrs: WindowAttrs, shape: Shape): WindowAttrs => ({ ...attrs, size: spatialOf(shape) });

export const maxPoolOp: Op = record<WindowAttrs>({
  name: "maxPool",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 1);
    const y = pooled(where, inputs[0]!, attrs);
    return [y, { shape: y.shape, dtype: placeType(attrs.pool) }];
  },
  gradient({ grads, inputs, outputs, attrs }) {
    if (!grads[0]) return [null];
    return [emit(maxPoolGradOp, [grads[0], outputs[1]!], towards(attrs, inputs[0]!.shape))[0]!];
  },
  // The first of equal numbers wins; NaN wins over all, the last one as in PyTorch.
  evaluate([x], [y, index], { attrs, inputTypes, outputTypes }) {
    const { shape } = inputTypes[0]!;
    const channels = shape.at(-1)!;
    let begun = -1;
    forEachPlace(shape, outputTypes[0]!.shape, attrs, (o, i, place) => {
      const first = o !== begun;
      begun = o;
      for (let c = 0; c < channels; c++) {
        const v = x![i + c]!;
        if (!first && !(v > y![o + c]!) && !Number.isNaN(v)) continue;
        y![o + c] = v;
        index![o + c] = place;
      }
    });
  },
});

/** Sends dy back to where the maxima were; dx is 0 elsewhere. */
export const maxPoolGradOp: Op = record<WindowAttrs>({
  name: "maxPoolGrad",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 2);
    const dx = unpooled(where, inputs[0]!, attrs);
    checkIndex(where, inputs[1]!, inputs[0]!.shape, attrs);
    return [dx];
  },
  gradient({ grads, inputs: [dy, index], attrs }) {
    return [emit(maxPoolGatherOp, [grads[0]!, index!], towards(attrs, dy!.shape))[0]!, null];
  },
  evaluate([dy, index], [dx], { attrs, inputTypes, outputTypes }) {
    const { shape } = outputTypes[0]!;
    const channels = shape.at(-1)!;
    forEachPlace(shape, inputTypes[0]!.shape, attrs, (o, i, place) => {
      for (let c = 0; c < channels; c++) if (index![o + c] === place) dx![i + c]! += dy![o + c]!;
    });
  },
});

/** The elements of x at the places of an earlier maxPool's index: the derivative of maxPool in the direction x. */
export const maxPoolGatherOp: Op = record<WindowAttrs>({
  name: "maxPoolGather",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 2);
    const y = pooled(where, inputs[0]!, attrs);
    checkIndex(where, inputs[1]!, y.shape, attrs);
    return [y];
  },
  gradient({ grads, inputs: [x, index], attrs }) {
    return [emit(maxPoolGradOp, [grads[0]!, index!], towards(attrs, x!.shape))[0]!, null];
  },
  evaluate([x, index], [y], { attrs, inputTypes, outputTypes }) {
    const { shape } = inputTypes[0]!;
    const channels = shape.at(-1)!;
    forEachPlace(shape, outputTypes[0]!.shape, attrs, (o, i, place) => {
      for (let c = 0; c < channels; c++) if (index![o + c] === place) y![o + c] = x![i + c]!;
    });
  },
});

export const averagePoolOp: Op = record<WindowAttrs>({
  name: "averagePool",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 1);
    return [pooled(where, inputs[0]!, attrs)];
  },
  gradient({ grads, inputs, attrs }) {
    return [emit(averagePoolGradOp, [grads[0]!], towards(attrs, inputs[0]!.shape))[0]!];
  },
  evaluate([x], [y], { attrs, inputTypes, outputTypes }) {
    const { shape } = inputTypes[0]!;
    const channels = shape.at(-1)!;
    const sums = new Float64Array(y!.length);
    forEachPlace(shape, outputTypes[0]!.shape, attrs, (o, i, _place, count) => {
      for (let c = 0; c < channels; c++) sums[o + c]! += x![i + c]! / count;
    });
    y!.set(sums);
  },
});

/** Spreads dy over its windows: every input gets dy divided by the number of inputs of the window. */
export const averagePoolGradOp: Op = record<WindowAttrs>({
  name: "averagePoolGrad",
  kind: "primitive",
  infer(inputs, attrs, where) {
    checkArity(where, inputs, 1);
    return [unpooled(where, inputs[0]!, attrs)];
  },
  gradient({ grads, inputs, attrs }) {
    return [emit(averagePoolOp, [grads[0]!], towards(attrs, inputs[0]!.shape))[0]!];
  },
  evaluate([dy], [dx], { attrs, inputTypes, outputTypes }) {
    const { shape } = outputTypes[0]!;
    const channels = shape.at(-1)!;
    const sums = new Float64Array(dx!.length);
    forEachPlace(shape, inputTypes[0]!.shape, attrs, (o, i, _place, count) => {
      for (let c = 0; c < channels; c++) sums[i + c]! += dy![o + c]! / count;
    });
    dx!.set(sums);
  },
});

export interface PoolOptions {
  /** How far windows are apart, one number or one for each spatial axis; null: poolSize. */
  strides?: number | readonly number[] | null;
  /** "valid" (default): windows that fit; "same": ceil(size / strides) of them, over the edges, where nothing counts. */
  padding?: Padding;
}

function slide(name: string, x: Operand, poolSize: unknown, options: PoolOptions | undefined) {
  const { strides, padding = "valid" } = checkOptions(name, options, ["strides", "padding"]);
  const value = toFloat(x, name);
  checkImage(name, value);
  return { value, attrs: slidingWindows(name, spatialOf(value.shape), poolSize, strides, padding) };
}

function adapt(name: string, x: Operand, outputSize: unknown) {
  const value = toFloat(x, name);
  checkImage(name, value);
  return { value, attrs: adaptiveWindows(name, spatialOf(value.shape), outputSize) };
}

/**
 * The largest element of each window, as keras.ops.max_pool. NaN wins; of equal elements the first gets the gradient.
 * @param x [batch, 1 to 3 spatial sizes, channels], computed in float32
 * @param poolSize one number, or one for each spatial axis
 * @example maxPool(x, 2)   // [8, 24, 24, 64] -> [8, 12, 12, 64]
 */
export function maxPool(x: Operand, poolSize: number | readonly number[], options?: PoolOptions): Value {
  const { value, attrs } = slide("maxPool", x, poolSize, options);
  return emit(maxPoolOp, [value], attrs)[0]!;
}

/**
 * The mean of each window, as keras.ops.average_pool; with "same" padding the mean of the elements that exist.
 * @param x [batch, 1 to 3 spatial sizes, channels], computed in float32
 * @param poolSize one number, or one for each spatial axis
 */
export function averagePool(x: Operand, poolSize: number | readonly number[], options?: PoolOptions): Value {
  const { value, attrs } = slide("averagePool", x, poolSize, options);
  return emit(averagePoolOp, [value], attrs)[0]!;
}

/**
 * The largest element of each of `outputSize` bins that cover the image, as keras.ops.adaptive_max_pool: bin o of n covers
 * floor(o * size / n) to ceil((o + 1) * size / n) - 1.
 * @param x [batch, 1 to 3 spatial sizes, channels], computed in float32
 */
export function adaptiveMaxPool(x: Operand, outputSize: number | readonly number[]): Value {
  const { value, attrs } = adapt("adaptiveMaxPool", x, outputSize);
  return emit(maxPoolOp, [value], attrs)[0]!;
}

/** The mean of each of `outputSize` bins that cover the image, as keras.ops.adaptive_average_pool; bins as adaptiveMaxPool's. */
export function adaptiveAveragePool(x: Operand, outputSize: number | readonly number[]): Value {
  const { value, attrs } = adapt("adaptiveAveragePool", x, outputSize);
  return emit(averagePoolOp, [value], attrs)[0]!;
}
