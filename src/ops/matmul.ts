// Matrix products, batched with broadcasting. Float32 only: other dtypes are cast.

import type { HostArray } from "../core/dtype.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import {
  broadcastShapes,
  broadcastStrides,
  formatShape,
  type Shape,
  sizeOf,
  type TensorType,
} from "../core/shape.ts";
import type { Graph, Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { evaluateWithBody, inferWithBody } from "./fused.ts";
import { gemm } from "./gemm.ts";
import { type Operand, toFloat } from "./operand.ts";
import { checkDTypes, formatTypes, record, shapeError } from "./record.ts";
import { moveAxis, reshape, squeeze } from "./shape.ts";

interface MatmulAttrs extends Record<string, unknown> {
  transA: boolean;
  transB: boolean;
  /** Elementwise epilogue made by the fuse pass: input 0 is the product, the others the op's further inputs. */
  body?: Graph;
}

interface Sizes {
  m: number;
  n: number;
  k: number;
  batch: Shape;
}

/** Sizes of [batch.., m, k] x [batch.., k, n], each pair turned round by its flag. */
function sizes(a: Shape, b: Shape, { transA, transB }: MatmulAttrs, where: string): Sizes {
  const [a0, a1] = a.slice(-2) as [number, number];
  const [b0, b1] = b.slice(-2) as [number, number];
  const [m, k] = transA ? [a1, a0] : [a0, a1];
  const [k2, n] = transB ? [b1, b0] : [b0, b1];
  const flags =
    transA || transB
      ? ` with ${[transA && "transposeA", transB && "transposeB"].filter(Boolean).join(", ")}`
      : "";
  const shapes = `${formatShape(a)} x ${formatShape(b)}${flags}`;
  if (k !== k2) throw shapeError(where, `inner sizes must match, got ${shapes} (${k} and ${k2})`);
  const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2));
  if (!batch) throw shapeError(where, `batch axes must broadcast together, got ${shapes}`);
  return { m, n, k, batch };
}

export const matmulOp: Op = record<MatmulAttrs>({
  name: "matmul",
  kind: "primitive",
  takesBody: true,
  infer(inputs, attrs, where) {
    const [a, b] = inputs as [TensorType, TensorType];
    if (!(a?.shape.length >= 2 && b?.shape.length >= 2)) {
      throw shapeError(where, `expected two matrices, got ${formatTypes(inputs)}`);
    }
    checkDTypes(where, [a, b], ["float32"]);
    const { m, n, batch } = sizes(a.shape, b.shape, attrs, where);
    const product: TensorType = { shape: [...batch, m, n], dtype: "float32" };
    return inferWithBody(attrs.body, product, inputs, 2, where);
  },
  gradient({ grads, inputs, attrs }) {
    const [g, a, b] = [grads[0]!, inputs[0]!, inputs[1]!];
    const { transA, transB } = attrs;
    const product = (x: Value, y: Value, flags: MatmulAttrs) => emit(matmulOp, [x, y], flags)[0]!;
    const da = transA
      ? product(b, g, { transA: transB, transB: true })
      : product(g, b, { transA: false, transB: !transB });
    const db = transB
      ? product(g, a, { transA: true, transB: transA })
      : product(a, g, { transA: !transA, transB: false });
    return [da, db];
  },
  evaluate(inputs, outputs, { attrs, inputTypes }) {
    const [a, b] = inputs as [HostArray, HostArray];
    const [aShape, bShape] = [inputTypes[0]!.shape, inputTypes[1]!.shape];
    const { m, n, k, batch } = sizes(aShape, bShape, attrs, "matmul");
    const [aAt, bAt] = [batchOffsets(aShape, batch, m * k), batchOffsets(bShape, batch, k * n)];
    evaluateWithBody(attrs.body, inputs, 2, outputs, (c) => {
      for (let i = 0; i < aAt.length; i++) {
        const [aPart, bPart] = [part(a, aAt[i]!, m * k), part(b, bAt[i]!, k * n)];
        gemm(aPart, bPart, part(c, i * m * n, m * n), m, n, k, attrs.transA, attrs.transB);
      }
    });
  },
});

function part(x: HostArray, at: number, size: number): HostArray {
  return at === 0 && x.length === size ? x : x.subarray(at, at + size);
}

/** Where each matrix of the broadcast batch begins. */
function batchOffsets(shape: Shape, batch: Shape, matrix: number): number[] {
  const own = shape.slice(0, -2);
  const strides = broadcastStrides(own, batch);
  const offsets = [0];
  batch.forEach((d, axis) => {
    const before = offsets.splice(0);
    for (const o of before) for (let i = 0; i < d; i++) offsets.push(o + i * strides[axis]! * matrix);
  });
  return offsets;
}

export interface MatmulOptions {
  /** Turn the last two axes of a round first. */
  transposeA?: boolean;
  transposeB?: boolean;
}

/**
 * Matrix product over the last two axes; leading axes are batches and broadcast. A one-dimensional operand counts as a row
 * on the left, a column on the right, and that axis is left out of the result, as in NumPy. Computes in float32.
 * @example matmul(x, w)                          // [32, 784] x [784, 10] -> [32, 10]
 * @example matmul(q, k, { transposeB: true })    // [8, 20, 64] x [8, 20, 64] -> [8, 20, 20]
 */
export function matmul(a: Operand, b: Operand, options?: MatmulOptions): Value {
  const { transposeA = false, transposeB = false } = checkOptions("matmul", options, [
    "transposeA",
    "transposeB",
  ]);
  checkBoolean("matmul", "transposeA", transposeA);
  checkBoolean("matmul", "transposeB", transposeB);
  const [x, y] = [toFloat(a, "matmul"), toFloat(b, "matmul")];
  if (x.rank === 0 || y.rank === 0) {
    throw shapeError("matmul", `expected rank of at least 1, got ${formatTypes([x, y])}`);
  }
  if (x.rank === 1) {
    const row = matmul(reshape(x, [1, x.shape[0]!]), y, { transposeB });
    return squeeze(row, y.rank === 1 ? 0 : -2);
  }
  if (y.rank === 1) return squeeze(matmul(x, reshape(y, [y.shape[0]!, 1]), { transposeA }), -1);
  const attrs = { transA: transposeA, transB: transposeB };
  if (y.rank === 2 && x.rank > 2 && !transposeA) {
    // One tall product instead of many small ones. Sizes are checked first, so that errors show the shapes as given.
    const { n, k } = sizes(x.shape, y.shape, attrs, "matmul");
    const rows = sizeOf(x.shape.slice(0, -1));
    return reshape(emit(matmulOp, [reshape(x, [rows, k]), y], attrs)[0]!, [...x.shape.slice(0, -1), n]);
  }
  return emit(matmulOp, [x, y], attrs)[0]!;
}

/** NumPy's dot: the sum over the last axis of a and the second-to-last (or only) axis of b. */
export function dot(a: Operand, b: Operand): Value {
  const [x, y] = [toFloat(a, "dot"), toFloat(b, "dot")];
  if (x.rank === 0 || y.rank === 0)
    throw shapeError("dot", `expected rank of at least 1, got ${formatTypes([x, y])}`);
  if (y.rank <= 2) return matmul(x, y);
  const k = y.shape.at(-2)!;
  const columns = reshape(moveAxis(y, -2, 0), [k, sizeOf(y.shape) / Math.max(1, k)]);
  return reshape(matmul(x, columns), [...x.shape.slice(0, -1), ...y.shape.slice(0, -2), y.shape.at(-1)!]);
}

/** Products of all pairs: [n] and [m] give [n, m]. */
export function outer(a: Operand, b: Operand): Value {
  return matmul(reshape(a, [-1, 1]), reshape(b, [1, -1]));
}
