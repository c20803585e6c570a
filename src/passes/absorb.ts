// absorb: factors per output channel that follow a product are taken into its weights, where both are steady (hoist.ts):
// the scale of a batch normalisation into the kernel of the convolution before it, 1 / sqrt(depth) into a projection. The
// one pass that does not keep bits: the weights are rounded once more, the products once less.

import { sameShape, sizeOf, type TensorType } from "../core/shape.ts";
import {
  type Attrs,
  type Graph,
  inferTypes,
  makeNode,
  type Node,
  type Op,
  type Value,
} from "../graph/graph.ts";
import { countUses, type Rewriter, rewrite } from "../graph/rewrite.ts";
import { reshapeOp } from "../ops/move.ts";
import { constantOf } from "./constants.ts";

/** Products y = x * weights; their last axis is that of the weights, whose last axis it is too unless they are turned round. */
const PRODUCTS: ReadonlySet<string> = new Set(["matmul", "conv"]);
const OFFSETS: ReadonlySet<string> = new Set(["add", "subtract"]);

/** @param steady every Value that depends on steady inputs alone */
export function absorb(graph: Graph, steady: ReadonlySet<Value>): Graph {
  const uses = countUses(graph);
  const known = (v: Value): boolean => steady.has(v) || constantOf(v) !== undefined;

  /** The operand that is an offset or a factor per channel of the other one, by its position; -1 when there is none. */
  const channelOperand = (node: Node): number => {
    const [a, b] = node.inputs as [Value, Value];
    const out = node.outputs[0]!;
    const fits = (factor: Value, other: Value): boolean =>
      known(factor) && !known(other) && sameShape(other.shape, out.shape) && isPerChannel(factor, out);
    return fits(b, a) ? 1 : fits(a, b) ? 0 : -1;
  };

  /** From what is multiplied down to the product, if there is nothing between but offsets and views nobody else sees. */
  const pathTo = (from: Value): Node[] | undefined => {
    const path: Node[] = [];
    for (let value = from; ; ) {
      const { node } = value;
      if (node === null || uses.get(value) !== 1) return undefined;
      path.push(node);
      if (PRODUCTS.has(node.op.name))
        return known(node.inputs[1]!) && !known(node.inputs[0]!) ? path : undefined;
      if (OFFSETS.has(node.op.name)) {
        const at = channelOperand(node);
        if (at < 0) return undefined;
        value = node.inputs[1 - at]!;
      } else if (node.op === reshapeOp && node.inputs[0]!.shape.at(-1) === value.shape.at(-1)) {
        value = node.inputs[0]!;
      } else return undefined;
    }
  };

  return rewrite(graph, (node, to) => {
    const at = node.op.name === "multiply" ? channelOperand(node) : -1;
    // A path ends in Values as they were; where one of them has been replaced already, the new ones count.
    const path = at < 0 || node.outputs[0]!.dtype !== "float32" ? undefined : pathTo(node.inputs[1 - at]!);
    if (path) to.replace(node.outputs[0]!, scaled(path, node.op, to.of(node.inputs[at]!), to));
    else to.copy(node);
  });

  /** The path again, from a product with scaled weights through scaled offsets. */
  function scaled(path: readonly Node[], multiply: Op, factor: Value, to: Rewriter): Value {
    const make = (op: Op, inputs: readonly Value[], attrs: Attrs, where: string): Value =>
      to.append(makeNode(op, inputs, attrs, inferTypes(op, inputs, attrs, where), where)).outputs[0]!;
    const shaped = (v: Value, shape: readonly number[]): Value =>
      sameShape(v.shape, shape) ? v : make(reshapeOp, [v], { shape }, path[0]!.where);
    const size = sizeOf(factor.shape);
    const flat = shaped(factor, size === 1 ? [] : [size]);

    const product = path.at(-1)!;
    const turned = product.attrs.transB === true && size > 1;
    const weights = to.of(product.inputs[1]!);
    const own = make(multiply, [weights, turned ? shaped(flat, [size, 1]) : flat], {}, product.where);
    let value = make(product.op, [to.of(product.inputs[0]!), own], product.attrs, product.where);
    for (const node of path.slice(0, -1).reverse()) {
      if (node.op === reshapeOp) value = shaped(value, node.outputs[0]!.shape);
      else {
        const at = channelOperand(node);
        const offset = make(multiply, [to.of(node.inputs[at]!), flat], {}, node.where);
        const inputs = at === 1 ? [value, offset] : [offset, value];
        value = make(node.op, inputs, node.attrs, node.where);
      }
    }
    return value;
  }
}

/** One number, or one for each element of the last axis. */
function isPerChannel(factor: TensorType, out: TensorType): boolean {
  const size = sizeOf(factor.shape);
  return (
    factor.dtype === "float32" && (size === 1 || (size === out.shape.at(-1) && factor.shape.at(-1) === size))
  );
}
