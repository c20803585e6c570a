// Softmax and cross-entropy, composites over the last axis. Each is defined by its expansion, which is stable for any
// finite logits; an engine may run it whole.

import { MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { formatShape, normalizeAxis, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { exp, log } from "./elementwise.ts";
import { takeAlongAxis } from "./gather.ts";
import { type Operand, toFloat, toInt, toValue } from "./operand.ts";
import { formatTypes, record, shapeError } from "./record.ts";
import { max, sum } from "./reduce.ts";
import { expandDims, moveAxis, oneHot, squeeze } from "./shape.ts";

const lastAxis = { axis: -1, keepDims: true };

function checkLogits(where: string, x: TensorType | undefined): void {
  if (x?.dtype !== "float32" || !(x.shape.at(-1)! > 0)) {
    const got = x ? formatTypes([x]) : "nothing";
    throw shapeError(where, `expected float32 logits with a last axis of at least 1, got ${got}`);
  }
}

export const softmaxOp: Op = record({
  name: "softmax",
  kind: "composite",
  infer(inputs, _attrs, where) {
    checkLogits(where, inputs[0]);
    return [inputs[0]!];
  },
  gradient({ grads, outputs }) {
    const [g, y] = [grads[0]!, outputs[0]!];
    return [multiply(y, subtract(g, sum(multiply(g, y), lastAxis)))];
  },
  expand([x]) {
    const e = exp(subtract(x!, max(x!, lastAxis)));
    return [divide(e, sum(e, lastAxis))];
  },
  inPlace: () => [[0, 0]],
});

export const logSoftmaxOp: Op = record({
  name: "logSoftmax",
  kind: "composite",
  infer(inputs, _attrs, where) {
    checkLogits(where, inputs[0]);
    return [inputs[0]!];
  },
  gradient({ grads, outputs }) {
    const [g, y] = [grads[0]!, outputs[0]!];
    return [subtract(g, multiply(exp(y), sum(g, lastAxis)))];
  },
  expand([x]) {
    const shifted = subtract(x!, max(x!, lastAxis));
    return [subtract(shifted, log(sum(exp(shifted), lastAxis)))];
  },
  inPlace: () => [[0, 0]],
});

function overAxis(name: string, op: Op, x: Operand, options: { axis?: number } | undefined): Value {
  const { axis = -1 } = checkOptions(name, options, ["axis"]);
  const value = toFloat(x, name);
  const at = normalizeAxis(name, axis, value.rank);
  return moveAxis(emit(op, [moveAxis(value, at, -1)])[0]!, -1, at);
}

/** exp(x) / sum(exp(x)) along an axis (the last by default). */
export function softmax(x: Operand, options?: { axis?: number }): Value {
  return overAxis("softmax", softmaxOp, x, options);
}

/** log(softmax(x)) along an axis (the last by default). */
export function logSoftmax(x: Operand, options?: { axis?: number }): Value {
  return overAxis("logSoftmax", logSoftmaxOp, x, options);
}

/** max + log(sum(exp(x - max))) over the last axis, which stays with size 1. */
function logSumExpLast(x: Value): Value {
  const top = max(x, lastAxis);
  return add(top, log(sum(exp(subtract(x, top)), lastAxis)));
}

/** Labels as they are. Where it runs whole it refuses those outside [0, classes); a kernel that takes labels does so itself. */
export const checkLabelsOp: Op = record<{ classes: number }>({
  name: "checkLabels",
  kind: "composite",
  infer: (inputs) => inputs,
  gradient: () => [null],
  expand: (inputs) => inputs,
  evaluate([labels], [y], { attrs: { classes } }) {
    const bad = (labels as Int32Array).findIndex((label) => label < 0 || label >= classes);
    if (bad >= 0) {
      throw new MyelinError(
        "LABEL_OUT_OF_RANGE",
        `sparseSoftmaxCrossEntropy: label ${labels![bad]} at row ${bad} is outside [0, ${classes})`,
      );
    }
    y!.set(labels!);
  },
});

function inferSparse(inputs: readonly TensorType[], where: string): TensorType {
  checkLogits(where, inputs[0]);
  const [logits, labels] = [inputs[0]!, inputs[1]];
  const rows = logits.shape.slice(0, -1);
  if (labels?.dtype !== "int32" || formatShape(labels.shape) !== formatShape(rows)) {
    throw shapeError(
      where,
      `expected logits [.., classes] and int32 labels [..], got ${formatTypes(inputs)}`,
    );
  }
  return { shape: rows, dtype: "float32" };
}

function inferDense(inputs: readonly TensorType[], where: string): TensorType {
  checkLogits(where, inputs[0]);
  const [logits, labels] = [inputs[0]!, inputs[1]];
  if (labels?.dtype !== "float32" || formatShape(labels.shape) !== formatShape(logits.shape)) {
    throw shapeError(where, `expected float32 logits and labels of one shape, got ${formatTypes(inputs)}`);
  }
  return { shape: logits.shape.slice(0, -1), dtype: "float32" };
}

/** Gradient of a log-sum-exp over the last axis. */
function lseGradient(logits: Value, lse: Value, g: Value): Value {
  return multiply(exp(subtract(logits, expandDims(lse, -1))), expandDims(g, -1));
}

function addMaybe(a: Value | null, b: Value | null): Value | null {
  return a && b ? add(a, b) : (a ?? b);
}

export const sparseSoftmaxCrossEntropyOp: Op = record({
  name: "sparseSoftmaxCrossEntropy",
  kind: "composite",
  infer(inputs, _attrs, where) {
    const rows = inferSparse(inputs, where);
    return [rows, rows];
  },
  gradient({ grads, inputs, outputs }) {
    const [logits, labels] = [inputs[0]!, inputs[1]!];
    const lse = outputs[1]!;
    const byLoss = grads[0] && emit(sparseSoftmaxCrossEntropyGradOp, [logits, labels, lse, grads[0]])[0]!;
    return [addMaybe(byLoss ?? null, grads[1] ? lseGradient(logits, lse, grads[1]) : null), null];
  },
  expand([logits, labels]) {
    const checked = emit(checkLabelsOp, [labels!], { classes: logits!.shape.at(-1)! })[0]!;
    const lse = squeeze(logSumExpLast(logits!), -1);
    const chosen = squeeze(takeAlongAxis(logits!, expandDims(checked, -1)), -1);
    return [subtract(lse, chosen), lse];
  },
});

export const sparseSoftmaxCrossEntropyGradOp: Op = record({
  name: "sparseSoftmaxCrossEntropyGrad",
  kind: "composite",
  infer(inputs, _attrs, where) {
    checkRows(where, inputs, inferSparse(inputs, where));
    return [inputs[0]!];
  },
  expand([logits, labels, lse, g]) {
    const probabilities = exp(subtract(logits!, expandDims(lse!, -1)));
    const truth = oneHot(labels!, logits!.shape.at(-1)!);
    return [multiply(subtract(probabilities, truth), expandDims(g!, -1))];
  },
  inPlace: () => [[0, 0]],
});

export const softmaxCrossEntropyOp: Op = record({
  name: "softmaxCrossEntropy",
  kind: "composite",
  infer(inputs, _attrs, where) {
    const rows = inferDense(inputs, where);
    return [rows, rows];
  },
  gradient({ grads, inputs, outputs }) {
    const [logits, labels] = [inputs[0]!, inputs[1]!];
    const lse = outputs[1]!;
    const byLse = grads[1] ? lseGradient(logits, lse, grads[1]) : null;
    if (!grads[0]) return [byLse, null];
    const byLoss = emit(softmaxCrossEntropyGradOp, [logits, labels, lse, grads[0]])[0]!;
    const byLabels = multiply(expandDims(grads[0], -1), subtract(expandDims(lse, -1), logits));
    return [addMaybe(byLoss, byLse), byLabels];
  },
  expand([logits, labels]) {
    const lse = logSumExpLast(logits!);
    const loss = sum(multiply(labels!, subtract(lse, logits!)), { axis: -1 });
    return [loss, squeeze(lse, -1)];
  },
});

export const softmaxCrossEntropyGradOp: Op = record({
  name: "softmaxCrossEntropyGrad",
  kind: "composite",
  infer(inputs, _attrs, where) {
    checkRows(where, inputs, inferDense(inputs, where));
    return [inputs[0]!];
  },
  // The sum of the labels is 1 for distributions; weighted or smoothed labels need it.
  expand([logits, labels, lse, g]) {
    const probabilities = exp(subtract(logits!, expandDims(lse!, -1)));
    const total = sum(labels!, lastAxis);
    return [multiply(subtract(multiply(probabilities, total), labels!), expandDims(g!, -1))];
  },
  inPlace: () => [[0, 0]],
});

/** Loss, log-sum-exp and gradient by the logits from logits, labels and the gradient of the loss: what passes/pair.ts makes. */
function withGradOp(loss: Op, gradient: Op): Op {
  return record({
    name: `${loss.name}WithGrad`,
    kind: "composite",
    infer(inputs, attrs, where) {
      const rows = loss.infer(inputs.slice(0, 2), attrs, where);
      checkRows(where, [...inputs.slice(0, 2), rows[1]!, ...inputs.slice(2)], rows[0]!);
      return [...rows, inputs[0]!];
    },
    expand([logits, labels, g]) {
      const [value, lse] = emit(loss, [logits!, labels!]) as [Value, Value];
      return [value, lse, emit(gradient, [logits!, labels!, lse, g!])[0]!];
    },
    inPlace: () => [[2, 0]],
  });
}

export const sparseSoftmaxCrossEntropyWithGradOp = withGradOp(
  sparseSoftmaxCrossEntropyOp,
  sparseSoftmaxCrossEntropyGradOp,
);
export const softmaxCrossEntropyWithGradOp = withGradOp(softmaxCrossEntropyOp, softmaxCrossEntropyGradOp);

function checkRows(where: string, inputs: readonly TensorType[], rows: TensorType): void {
  const extra = inputs.slice(2);
  if (
    extra.length !== 2 ||
    extra.some((t) => t.dtype !== "float32" || formatShape(t.shape) !== formatShape(rows.shape))
  ) {
    throw shapeError(
      where,
      `expected log-sum-exp and gradient ${formatShape(rows.shape)}, got ${formatTypes(extra)}`,
    );
  }
}

/**
 * Cross-entropy of integer labels and softmax(logits), one loss per row.
 * @param logits float32 [.., classes]
 * @param labels [..], cast to int32; one outside [0, classes) rejects the run with LABEL_OUT_OF_RANGE
 */
export function sparseSoftmaxCrossEntropy(logits: Operand, labels: Operand): Value {
  const x = toFloat(logits, "sparseSoftmaxCrossEntropy");
  return emit(sparseSoftmaxCrossEntropyOp, [x, toInt(labels, "sparseSoftmaxCrossEntropy")])[0]!;
}

/**
 * Cross-entropy of distributions and softmax(logits), one loss per row: -sum(labels * logSoftmax(logits)).
 * @param labels [.., classes], as the logits; they need not add up to 1
 */
export function softmaxCrossEntropy(logits: Operand, labels: Operand): Value {
  const x = toFloat(logits, "softmaxCrossEntropy");
  return emit(softmaxCrossEntropyOp, [x, toFloat(toValue(labels), "softmaxCrossEntropy")])[0]!;
}
