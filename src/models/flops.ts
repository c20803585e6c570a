// How many floating-point operations a forward pass takes, by layer. The rule: a multiply-add of a matrix product or a
// convolution is two; an elementwise function, exponentials as well, is one for each element it makes; a sum or another
// reduction, a pooling, a running sum is one for each element it reads; moving, gathering, comparing labels and drawing random
// numbers are none. What is one step for an engine (softmax, normalisation, LSTM) counts as the plain ops it means.

import { sizeOf } from "../core/shape.ts";
import type { Node } from "../graph/graph.ts";
import { trace } from "../graph/trace.ts";
import type { Model } from "./model.ts";

/** Ops that move numbers and compute none. */
const MOVES: ReadonlySet<string> = new Set([
  "reshape",
  "broadcastTo",
  "transpose",
  "slice",
  "pad",
  "concatenate",
  "reverse",
  "iota",
  "constant",
  "cast",
  "stopGradient",
  "attachGradient",
  "identity",
  "gather",
  "scatterAdd",
  "randomBits",
  "bitsToUniform",
  "dropoutMask",
  "checkLabels",
  "sort",
]);

/**
 * Operations of one sample's forward pass in inference, by the path of the layer that takes them ("encoder/dense").
 * Undefined where sizes other than the batch are open.
 */
export function flopsByPath(model: Model): Map<string, number> | undefined {
  const { inputSpecs } = model;
  if (inputSpecs.some((s) => s.shape.slice(1).includes(null))) return undefined;
  const batch = inputSpecs.map((s) => s.shape[0]).find((d) => typeof d === "number") ?? 1;
  const types = inputSpecs.map(({ shape, dtype }) => ({
    dtype,
    shape: [batch, ...(shape.slice(1) as number[])],
  }));
  const { graph } = trace((...values) => model.callFlat(values, { training: false }), types);
  const found = new Map<string, number>();
  for (const node of graph.nodes) {
    found.set(node.where, (found.get(node.where) ?? 0) + flopsOf(node) / batch);
  }
  return found;
}

/** The sum of a layer and those inside it. */
export function flopsBelow(all: ReadonlyMap<string, number>, path: string): number {
  let sum = 0;
  for (const [where, n] of all) if (where === path || where.startsWith(`${path}/`)) sum += n;
  return sum;
}

function flopsOf({ op, inputs, outputs, attrs }: Node): number {
  if (MOVES.has(op.name)) return 0;
  const made = sizeOf(outputs[0]!.shape);
  const read = inputs[0] ? sizeOf(inputs[0].shape) : 0;
  switch (op.name) {
    case "matmul":
      return 2 * made * inputs[0]!.shape.at(attrs.transA ? -2 : -1)!;
    case "conv":
      return 2 * made * sizeOf(inputs[1]!.shape.slice(0, -1));
    case "convInputGrad":
      // A transposed convolution: the same products, seen from what it reads.
      return 2 * read * sizeOf(inputs[1]!.shape.slice(0, -1));
    case "convKernelGrad":
      return 2 * sizeOf(inputs[1]!.shape) * sizeOf(outputs[0]!.shape.slice(0, -1));
    case "maxPool":
    case "averagePool":
      return made * sizeOf(attrs.pool as readonly number[]);
    default:
  }
  if (op.kind === "elementwise") return made;
  if (op.kind !== "composite" || !op.expand) return Math.max(read, made);
  const { graph } = trace((...values) => op.expand!(values, attrs), inputs);
  return graph.nodes.reduce((sum, node) => sum + flopsOf(node), 0);
}
