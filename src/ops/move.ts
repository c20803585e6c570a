// Records of the ops that only move elements: outputs equal input elements bit for bit.

import type { HostArray } from "../core/dtype.ts";
import { describe } from "../core/errors.ts";
import {
  broadcastShapes,
  checkShape,
  formatShape,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from "../core/shape.ts";
import type { Op } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { forEachRun } from "./broadcast.ts";
import { checkArity, checkSameDType, formatTypes, record, shapeError, sizeBetween } from "./record.ts";

export const reshapeOp: Op = record<{ shape: Shape }>({
  name: "reshape",
  kind: "primitive",
  infer(inputs, { shape }, where) {
    checkArity(where, inputs, 1);
    checkShape(where, shape);
    if (sizeOf(shape) !== sizeOf(inputs[0]!.shape)) {
      throw shapeError(where, `cannot view ${formatShape(inputs[0]!.shape)} as ${formatShape(shape)}`);
    }
    return [{ shape, dtype: inputs[0]!.dtype }];
  },
  gradient: ({ grads, inputs }) => [emit(reshapeOp, [grads[0]!], { shape: inputs[0]!.shape })[0]!],
  evaluate: ([x], [y]) => y!.set(x!),
});

export const broadcastToOp: Op = record<{ shape: Shape }>({
  name: "broadcastTo",
  kind: "elementwise",
  infer(inputs, { shape }, where) {
    checkArity(where, inputs, 1);
    const from = inputs[0]!.shape;
    const to = broadcastShapes(from, shape);
    if (!to || !sameShape(to, shape)) {
      throw shapeError(
        where,
        `expected a shape that broadcasts to ${formatShape(shape)}, got ${formatShape(from)}`,
      );
    }
    return [{ shape, dtype: inputs[0]!.dtype }];
  },
  gradient: ({ grads }) => [grads[0]!], // the sweep sums over the repeated axes
  evaluate([x], [y], { inputTypes, outputTypes }) {
    forEachRun([inputTypes[0]!.shape], outputTypes[0]!.shape, ([at], [stride], k, end) => {
      if (stride === 0) y!.fill(x![at!]!, k, end);
      else y!.set(x!.subarray(at!, at! + end - k), k);
    });
  },
});

/**
 * Copies a strided box: y, of shape `shape` and row-major steps `to` from `toStart`, takes x at `from` from `fromStart`.
 * The heart of transpose, slice, pad and reverse.
 */
function copyBox(
  x: HostArray,
  fromStart: number,
  from: readonly number[],
  y: HostArray,
  toStart: number,
  to: readonly number[],
  shape: Shape,
): void {
  if (sizeOf(shape) === 0) return;
  if (shape.length === 0) {
    y[toStart] = x[fromStart]!;
    return;
  }
  const last = shape.length - 1;
  const [n, s, t] = [shape[last]!, from[last]!, to[last]!];
  const at = shape.map(() => 0);
  for (let i = fromStart, k = toStart; ; ) {
    for (let j = 0, p = i, q = k; j < n; j++, p += s, q += t) y[q] = x[p]!;
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      i += from[axis]!;
      k += to[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      i -= from[axis]! * shape[axis]!;
      k -= to[axis]! * shape[axis]!;
      at[axis] = 0;
    }
    if (axis < 0) return;
  }
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, x, i) => s + x * b[i]!, 0);

export const transposeOp: Op = record<{ perm: readonly number[] }>({
  name: "transpose",
  kind: "primitive",
  infer(inputs, { perm }, where) {
    checkArity(where, inputs, 1);
    const { shape, dtype } = inputs[0]!;
    const sorted = [...perm].sort((a, b) => a - b);
    if (sorted.length !== shape.length || sorted.some((a, i) => a !== i)) {
      throw shapeError(where, `expected a permutation of ${shape.length} axes, got ${describe(perm)}`);
    }
    return [{ shape: perm.map((a) => shape[a]!), dtype }];
  },
  gradient({ grads, attrs }) {
    const inverse = attrs.perm.map((_, i) => attrs.perm.indexOf(i));
    return [emit(transposeOp, [grads[0]!], { perm: inverse })[0]!];
  },
  evaluate([x], [y], { attrs, inputTypes, outputTypes }) {
    const from = stridesOf(inputTypes[0]!.shape);
    const { shape } = outputTypes[0]!;
    copyBox(
      x!,
      0,
      attrs.perm.map((a) => from[a]!),
      y!,
      0,
      stridesOf(shape),
      shape,
    );
  },
});

export const sliceOp: Op = record<{
  begin: readonly number[];
  size: readonly number[];
  step: readonly number[];
}>({
  name: "slice",
  kind: "primitive",
  infer(inputs, { begin, size, step }, where) {
    checkArity(where, inputs, 1);
    const { shape, dtype } = inputs[0]!;
    checkShape(where, size);
    const ok = shape.every(
      (d, i) =>
        Number.isInteger(begin[i]) &&
        Number.isInteger(step[i]) &&
        begin[i]! >= 0 &&
        step[i]! >= 1 &&
        begin[i]! + (size[i] === 0 ? 0 : (size[i]! - 1) * step[i]! + 1) <= d,
    );
    if (
      !ok ||
      size.length !== shape.length ||
      begin.length !== shape.length ||
      step.length !== shape.length
    ) {
      const what = `begin [${begin}], size [${size}], step [${step}]`;
      throw shapeError(where, `expected a range inside ${formatShape(shape)}, got ${what}`);
    }
    return [{ shape: size, dtype }];
  },
  gradient({ grads, inputs, attrs }) {
    const { begin, size, step } = attrs;
    const interior = step.map((s) => s - 1);
    const after = inputs[0]!.shape.map(
      (d, i) => d - begin[i]! - (size[i]! === 0 ? 0 : (size[i]! - 1) * step[i]! + 1),
    );
    return [emit(padOp, [grads[0]!], { before: begin, after, interior, value: 0 })[0]!];
  },
  evaluate([x], [y], { attrs, inputTypes, outputTypes }) {
    const strides = stridesOf(inputTypes[0]!.shape);
    const { shape } = outputTypes[0]!;
    const from = strides.map((s, i) => s * attrs.step[i]!);
    copyBox(x!, dot(attrs.begin, strides), from, y!, 0, stridesOf(shape), shape);
  },
});

interface PadAttrs extends Record<string, unknown> {
  before: readonly number[];
  after: readonly number[];
  /** Fill elements between neighbours: the gradient of a strided slice. */
  interior: readonly number[];
  value: number;
}

export const padOp: Op = record<PadAttrs>({
  name: "pad",
  kind: "primitive",
  infer(inputs, { before, after, interior }, where) {
    checkArity(where, inputs, 1);
    const { shape, dtype } = inputs[0]!;
    if (
      [before, after, interior].some(
        (l) => l.length !== shape.length || l.some((n) => !Number.isInteger(n) || n < 0),
      )
    ) {
      const what = `before [${before}], after [${after}], interior [${interior}]`;
      throw shapeError(where, `expected ${shape.length} sizes of at least 0 each, got ${what}`);
    }
    const padded = shape.map((d, i) => before[i]! + after[i]! + d + Math.max(0, d - 1) * interior[i]!);
    return [{ shape: padded, dtype }];
  },
  gradient({ grads, inputs, attrs }) {
    const step = attrs.interior.map((n) => n + 1);
    return [emit(sliceOp, [grads[0]!], { begin: attrs.before, size: inputs[0]!.shape, step })[0]!];
  },
  evaluate([x], [y], { attrs, inputTypes, outputTypes }) {
    y!.fill(attrs.value);
    const strides = stridesOf(outputTypes[0]!.shape);
    const to = strides.map((s, i) => s * (attrs.interior[i]! + 1));
    copyBox(x!, 0, stridesOf(inputTypes[0]!.shape), y!, dot(attrs.before, strides), to, inputTypes[0]!.shape);
  },
});

export const concatenateOp: Op = record<{ axis: number }>({
  name: "concatenate",
  kind: "primitive",
  infer(inputs, { axis }, where) {
    checkSameDType(where, inputs);
    const { shape, dtype } = inputs[0]!;
    if (
      !inputs.every(
        (t) => t.shape.length === shape.length && t.shape.every((d, i) => i === axis || d === shape[i]),
      )
    ) {
      throw shapeError(where, `expected shapes equal outside axis ${axis}, got ${formatTypes(inputs)}`);
    }
    const total = inputs.reduce((sum, t) => sum + t.shape[axis]!, 0);
    return [{ shape: shape.map((d, i) => (i === axis ? total : d)), dtype }];
  },
  gradient({ grads, inputs, attrs: { axis } }) {
    const g = grads[0]!;
    let begin = 0;
    return inputs.map((x) => {
      const from = x.shape.map((_, i) => (i === axis ? begin : 0));
      begin += x.shape[axis]!;
      return emit(sliceOp, [g], { begin: from, size: x.shape, step: from.map(() => 1) })[0]!;
    });
  },
  evaluate(inputs, [y], { attrs: { axis }, inputTypes, outputTypes }) {
    const outer = sizeBetween(outputTypes[0]!.shape, 0, axis);
    const rows = inputTypes.map((t) => sizeBetween(t.shape, axis, t.shape.length));
    for (let o = 0, at = 0; o < outer; o++) {
      for (let p = 0; p < inputs.length; p++) {
        const n = rows[p]!;
        y!.set(inputs[p]!.subarray(o * n, o * n + n), at);
        at += n;
      }
    }
  },
});

export const reverseOp: Op = record<{ axes: readonly number[] }>({
  name: "reverse",
  kind: "primitive",
  infer(inputs, { axes }, where) {
    checkArity(where, inputs, 1);
    const { shape } = inputs[0]!;
    if (axes.some((a) => !(a >= 0 && a < shape.length))) {
      throw shapeError(where, `expected axes of ${formatShape(shape)}, got ${describe(axes)}`);
    }
    return [inputs[0]!];
  },
  gradient: ({ grads, attrs }) => [emit(reverseOp, [grads[0]!], attrs)[0]!],
  evaluate([x], [y], { attrs: { axes }, outputTypes }) {
    const { shape } = outputTypes[0]!;
    const to = stridesOf(shape);
    const start = axes.reduce((sum, a) => sum + to[a]! * (shape[a]! - 1), 0);
    copyBox(
      x!,
      start,
      to.map((s, i) => (axes.includes(i) ? -s : s)),
      y!,
      0,
      to,
      shape,
    );
  },
});

export const iotaOp: Op = record<{ size: number }>({
  name: "iota",
  kind: "primitive",
  infer: (_inputs, { size }, where) => [{ shape: checkShape(where, [size]), dtype: "int32" }],
  gradient: () => [],
  evaluate(_inputs, [y]) {
    for (let i = 0; i < y!.length; i++) y![i] = i;
  },
});
