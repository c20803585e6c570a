// prune: a node nobody reads is not computed. Walks backward from the outputs.

import type { Graph, Node, Value } from "../graph/graph.ts";

export function prune(graph: Graph): Graph {
  const needed = new Set<Value>(graph.outputs);
  const nodes: Node[] = [];
  for (let n = graph.nodes.length - 1; n >= 0; n--) {
    const node = graph.nodes[n]!;
    if (!node.outputs.some((v) => needed.has(v))) continue;
    nodes.push(node);
    for (const v of node.inputs) needed.add(v);
  }
  return nodes.length === graph.nodes.length ? graph : { ...graph, nodes: nodes.reverse() };
}
