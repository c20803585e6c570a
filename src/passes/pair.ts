// pair: a cross-entropy and its gradient by the logits, where a graph has both, become one node that goes over the logits
// once. That needs the gradient of the loss beforehand: a training's, one over the batch size, has nothing to wait for.

import { type Graph, makeNode, type Node, type Value } from "../graph/graph.ts";
import { rewrite } from "../graph/rewrite.ts";
import { softmaxCrossEntropyWithGradOp, sparseSoftmaxCrossEntropyWithGradOp } from "../ops/softmax.ts";

const PAIRED = new Map([
  ["sparseSoftmaxCrossEntropy", sparseSoftmaxCrossEntropyWithGradOp],
  ["softmaxCrossEntropy", softmaxCrossEntropyWithGradOp],
]);

/** @param whole names of composites the engine has kernels for */
export function pair(graph: Graph, whole: ReadonlySet<string>): Graph {
  const gradients = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const loss = lossOf(node, whole);
    if (loss && !gradients.has(loss) && !ancestors(node.inputs[3]!).has(loss)) gradients.set(loss, node);
  }
  if (gradients.size === 0) return graph;

  const nodes = new Set<Node>();
  for (const node of graph.nodes) {
    const gradient = gradients.get(node);
    if (gradient) {
      const before = ancestors(gradient.inputs[3]!);
      for (const n of graph.nodes) if (before.has(n)) nodes.add(n);
    }
    nodes.add(node);
  }
  const taken = new Set(gradients.values());
  return rewrite({ ...graph, nodes: [...nodes] }, (node, to) => {
    const gradient = gradients.get(node);
    if (!gradient) {
      if (!taken.has(node)) to.copy(node);
      return;
    }
    const inputs = [...node.inputs, gradient.inputs[3]!].map(to.of);
    const types = [...node.outputs, gradient.outputs[0]!];
    const both = to.append(makeNode(PAIRED.get(node.op.name)!, inputs, {}, types, node.where));
    types.forEach((v, i) => {
      to.replace(v, both.outputs[i]!);
    });
  });
}

/** The loss a node is the gradient of, where one op computes both. */
function lossOf({ op, inputs }: Node, whole: ReadonlySet<string>): Node | undefined {
  if (!op.name.endsWith("CrossEntropyGrad")) return undefined;
  const loss = inputs[2]!.node;
  const both = loss && PAIRED.get(loss.op.name);
  const fits =
    both &&
    whole.has(both.name) &&
    op.name === `${loss.op.name}Grad` &&
    inputs[2] === loss.outputs[1] &&
    inputs[0] === loss.inputs[0] &&
    inputs[1] === loss.inputs[1];
  return fits ? loss : undefined;
}

/** All nodes a Value comes from. */
function ancestors(value: Value): Set<Node> {
  const found = new Set<Node>();
  const pending = [value];
  for (let v = pending.pop(); v; v = pending.pop()) {
    if (!v.node || found.has(v.node)) continue;
    found.add(v.node);
    pending.push(...v.node.inputs);
  }
  return found;
}
