// The one tool passes use: copy a graph node by node, replacing some.

import { type Graph, makeNode, type Node, type Value } from "./graph.ts";

export interface Rewriter {
  /** The new Value that stands for an old one. */
  of(old: Value): Value;
  /** Appends a node to the new graph. Types are taken from `like`, or inferred by the caller. */
  append(node: Node): Node;
  /** Copies an old node with mapped inputs and maps its outputs. */
  copy(node: Node): Node;
  /** Declares what an old Value becomes. */
  replace(old: Value, by: Value): void;
}

/** Walks `graph.nodes` in order; `visit` calls copy, append or replace. Inputs are kept as they are, so slot order never changes. */
export function rewrite(graph: Graph, visit: (node: Node, to: Rewriter) => void): Graph {
  const map = new Map<Value, Value>();
  const nodes: Node[] = [];
  const to: Rewriter = {
    of: (old) => map.get(old) ?? old,
    append(node) {
      nodes.push(node);
      return node;
    },
    copy(node) {
      const inputs = node.inputs.map(to.of);
      const unchanged = inputs.every((v, i) => v === node.inputs[i]);
      const copy = unchanged ? node : makeNode(node.op, inputs, node.attrs, node.outputs, node.where);
      nodes.push(copy);
      if (!unchanged) for (const [i, v] of node.outputs.entries()) map.set(v, copy.outputs[i]!);
      return copy;
    },
    replace: (old, by) => {
      map.set(old, by);
    },
  };
  for (const node of graph.nodes) visit(node, to);
  return { inputs: graph.inputs, nodes, outputs: graph.outputs.map(to.of), updates: graph.updates };
}

/** How often each Value is used, graph outputs included. */
export function countUses(graph: Graph): Map<Value, number> {
  const uses = new Map<Value, number>();
  const add = (v: Value) => uses.set(v, (uses.get(v) ?? 0) + 1);
  for (const node of graph.nodes) node.inputs.forEach(add);
  graph.outputs.forEach(add);
  return uses;
}
