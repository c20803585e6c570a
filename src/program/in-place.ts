// Which output of a step may be written over which of its inputs. The rule is the same for scratch and for state.

import { BYTES } from "../core/dtype.ts";
import { type Shape, sameShape, type TensorType } from "../core/shape.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { isChainReduction } from "./chain.ts";

/**
 * Elementwise steps read element i of an input before they write element i of an output, so an input of the same shape
 * and element size may be overwritten, as long as no later instruction of the chain still reads it.
 */
export function mayOverwrite(node: Node, output: number, input: number): boolean {
  const to = node.outputs[output]!;
  const from = node.inputs[input]!;
  if (node.op.name === "fused") {
    const body = node.attrs.body as Graph;
    return fits(from, to, node.attrs.shape as Shape) && lastRead(body, input) <= madeAt(body, output);
  }
  if (node.op.kind === "elementwise") return fits(from, to, to.shape);
  return node.op.inPlace?.(node.inputs, node.attrs).some(([o, i]) => o === output && i === input) ?? false;
}

function fits(from: TensorType, to: TensorType, shape: Shape): boolean {
  return BYTES[from.dtype] === BYTES[to.dtype] && sameShape(from.shape, shape) && sameShape(to.shape, shape);
}

/** The last instruction that reads a body input; Infinity when a reduction or an output takes it as it is. */
function lastRead(body: Graph, input: number): number {
  const value = body.inputs[input]!;
  if (body.outputs.includes(value)) return Infinity;
  let last = -1;
  body.nodes.forEach((node, i) => {
    if (node.inputs.includes(value)) last = isChainReduction(node) ? Infinity : i;
  });
  return last;
}

/** The instruction that makes a body output; -1 for a reduction, which is never written element by element. */
function madeAt(body: Graph, output: number): number {
  const node = body.outputs[output]!.node;
  return node === null || isChainReduction(node) ? -1 : body.nodes.indexOf(node);
}
