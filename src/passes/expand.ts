// expand: composites become their definition, again and again, until only primitives and what the engine runs whole are
// left. Markers (gradient attachments, identities, gradient stops) are composites too: their definition is their input.

import { internal } from "../core/errors.ts";
import { type Graph, makeNode, type Node, type Value } from "../graph/graph.ts";
import { type Rewriter, rewrite } from "../graph/rewrite.ts";
import { trace } from "../graph/trace.ts";

/** @param whole names of composites the engine has kernels for; they stay */
export function expand(graph: Graph, whole: ReadonlySet<string> = new Set()): Graph {
  const stays = (node: Node): boolean => node.op.kind !== "composite" || whole.has(node.op.name);
  if (graph.nodes.every(stays)) return graph;
  return rewrite(graph, (node, to) => {
    if (stays(node)) to.copy(node);
    else replaceBy(node, expand(definition(node), whole), to);
  });
}

/** The graph a composite stands for on these types. */
function definition(node: Node): Graph {
  const { op, inputs, attrs } = node;
  if (!op.expand) throw internal(`composite ${op.name} has no definition`);
  const traced = trace((...values) => op.expand!(values, attrs), inputs);
  if (traced.variables.length > 0) throw internal(`the definition of ${op.name} reads variables`);
  return traced.graph;
}

/** Puts a body in a node's place; what it is made of keeps the layer path of the whole. */
function replaceBy(node: Node, body: Graph, to: Rewriter): void {
  const map = new Map<Value, Value>(body.inputs.map((v, i) => [v, to.of(node.inputs[i]!)]));
  for (const part of body.nodes) {
    const inputs = part.inputs.map((v) => map.get(v)!);
    const copy = to.append(makeNode(part.op, inputs, part.attrs, part.outputs, node.where));
    part.outputs.forEach((v, i) => {
      map.set(v, copy.outputs[i]!);
    });
  }
  node.outputs.forEach((v, i) => {
    to.replace(v, map.get(body.outputs[i]!)!);
  });
}
