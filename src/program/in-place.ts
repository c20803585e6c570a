// Which output of a step may be written over which of its inputs. The rule is the same for scratch and for state.

import { BYTES } from "../core/dtype.ts";
import { type Shape, sameShape, type TensorType } from "../core/shape.ts";
import type { Graph, Node } from "../graph/graph.ts";

/**
 * Chains read element i of an input before they write element i of an output, so an input that fills the iteration space
 * may be overwritten by an output that does, of the same element size. A product accumulates in its first output while
 * its operands and the inputs of its epilogue are still to be read; the other outputs of an epilogue are as any chain's.
 */
export function mayOverwrite(node: Node, output: number, input: number): boolean {
  const to = node.outputs[output]!;
  const from = node.inputs[input]!;
  if (node.op.name === "fused") return fits(from, to, node.attrs.shape as Shape);
  if (node.op.kind === "elementwise") return fits(from, to, to.shape);
  const body = node.attrs.body as Graph | undefined;
  if (body)
    return (
      output > 0 &&
      input >= node.inputs.length - body.inputs.length + 1 &&
      fits(from, to, body.inputs[0]!.shape)
    );
  return node.op.inPlace?.(node.inputs, node.attrs).some(([o, i]) => o === output && i === input) ?? false;
}

function fits(from: TensorType, to: TensorType, shape: Shape): boolean {
  return BYTES[from.dtype] === BYTES[to.dtype] && sameShape(from.shape, shape) && sameShape(to.shape, shape);
}
