// Labels as one-hot rows, and rows of unit length.

import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { normalizeAxis, sizeOf } from "../core/shape.ts";
import { Tensor, type TensorLike, tensor } from "../core/tensor.ts";

/**
 * Labels 0 to numClasses - 1 as one-hot vectors (Keras `to_categorical`); a last axis of size 1 is dropped first.
 * @param numClasses default: the largest label plus one
 * @returns float32 [...labels, numClasses]
 * @throws LABEL_OUT_OF_RANGE for anything that is no whole number in the range
 */
export function toCategorical(labels: TensorLike, numClasses?: number): Tensor {
  const where = "toCategorical";
  const given = tensor(labels);
  const shape = given.rank > 1 && given.shape.at(-1) === 1 ? given.shape.slice(0, -1) : given.shape;
  let most = 0;
  for (const label of given.data) most = Math.max(most, label + 1);
  const classes = numClasses === undefined ? most : checkInteger(where, "numClasses", numClasses, 1);
  const out = new Float32Array(given.size * classes);
  given.data.forEach((label, i) => {
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new MyelinError(
        "LABEL_OUT_OF_RANGE",
        `${where}: expected labels from 0 to ${classes - 1}, got ${describe(label)} in place ${i}`,
      );
    }
    out[i * classes + label] = 1;
  });
  return new Tensor(out, [...shape, classes], "float32");
}

/**
 * Rows divided by their norm (Keras `normalize`); a row of zeros stays.
 * @param options.axis along which norms are taken. Default -1
 * @param options.order of the norm: 1, 2, ... or Infinity. Default 2
 */
export function normalize(x: TensorLike, options?: { axis?: number; order?: number }): Tensor {
  const t = tensor(x);
  const { axis = -1, order = 2 } = checkOptions("normalize", options, ["axis", "order"]);
  const at = normalizeAxis("normalize", axis, t.rank);
  if (!(order > 0)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `normalize: expected order to be above 0, got ${describe(order)}`,
    );
  }
  const length = t.shape[at]!;
  const inner = sizeOf(t.shape.slice(at + 1));
  const out = new Float32Array(t.size);
  for (let begin = 0; begin < t.size; begin += length * inner) {
    for (let i = begin; i < begin + inner; i++) {
      let norm = 0;
      for (let k = 0; k < length; k++) {
        const size = Math.abs(t.data[i + k * inner]!);
        norm = order === Number.POSITIVE_INFINITY ? Math.max(norm, size) : norm + size ** order;
      }
      if (order !== Number.POSITIVE_INFINITY) norm **= 1 / order;
      for (let k = 0; k < length; k++) {
        const place = i + k * inner;
        out[place] = t.data[place]! / (norm === 0 ? 1 : norm);
      }
    }
  }
  return new Tensor(out, t.shape, "float32");
}
