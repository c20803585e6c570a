// hoist: what depends only on inputs that seldom change is worked out once, not in every run. The graph comes apart in two:
// a preparation over these inputs, and the main graph, which takes its results as further inputs. An engine keeps them
// until one of the inputs they came from is written (program.ts).

import { type Graph, makeNode, type Node, Value } from "../graph/graph.ts";
import { type Rewriter, rewrite } from "../graph/rewrite.ts";
import { prune } from "./prune.ts";

export interface Hoisted {
  /** Its last inputs are the outputs of the preparation, in order. */
  readonly graph: Graph;
  /** Undefined when there is nothing to prepare. */
  readonly preparation: Graph | undefined;
}

/** Ops that move nothing, or make much of little: their inputs are worth keeping, they are not. */
const CHEAP: ReadonlySet<string> = new Set(["reshape", "broadcastTo"]);

/**
 * Values that depend on nothing but steady inputs, the inputs among them; constants are not among them, for they are known
 * already. A steady input the graph itself updates does not count.
 */
export function steadyValues(graph: Graph, inputs: ReadonlySet<Value>): Set<Value> {
  const updated = new Set(graph.updates.map((input) => input !== undefined && graph.inputs[input]));
  const steady = new Set<Value>([...inputs].filter((v) => !updated.has(v)));
  for (const node of graph.nodes) if (isSteady(node, steady)) for (const v of node.outputs) steady.add(v);
  return steady;
}

function isSteady(node: Node, steady: ReadonlySet<Value>): boolean {
  if (node.op.pure === false) return false;
  return node.inputs.some((v) => steady.has(v)) && node.inputs.every((v) => steady.has(v) || isConstant(v));
}

const isConstant = (v: Value): boolean => v.node?.op.name === "constant";

/** @param inputs the steady ones among the graph's inputs */
export function hoist(graph: Graph, inputs: ReadonlySet<Value>): Hoisted {
  const steady = steadyValues(graph, inputs);
  // Backwards, so that a cheap node stays in the main graph when one of its readers does.
  const stays = new Set<Node>();
  const wanted = new Set<Value>(graph.outputs);
  for (const node of graph.nodes.toReversed()) {
    const isWanted = node.outputs.some((v) => wanted.has(v));
    if (steady.has(node.outputs[0]!) && !(isWanted && CHEAP.has(node.op.name))) continue;
    stays.add(node);
    for (const v of node.inputs) wanted.add(v);
  }
  const made = graph.nodes.filter((n) => !stays.has(n)).flatMap((n) => n.outputs);
  const outputs = made.filter((v) => wanted.has(v));
  if (outputs.length === 0) return { graph, preparation: undefined };

  const updates = outputs.map(() => undefined);
  const own = graph.nodes.filter((n) => n.op.name === "constant" || steady.has(n.outputs[0]!));
  // Cheap nodes may be needed on both sides, where they are two.
  const preparation = rewrite(prune({ inputs: graph.inputs, nodes: own, outputs, updates }), (node, to) =>
    CHEAP.has(node.op.name) ? remake(node, to.of, to) : to.copy(node),
  );
  const taken = new Map(outputs.map((v, i) => [v, new Value(v, null, graph.inputs.length + i)]));
  const main = rewrite({ ...graph, nodes: graph.nodes.filter((n) => stays.has(n)) }, (node, to) => {
    const of = (v: Value): Value => taken.get(v) ?? to.of(v);
    if (node.inputs.some((v) => taken.has(v))) remake(node, of, to);
    else to.copy(node);
  });
  return {
    graph: prune({
      ...main,
      inputs: [...graph.inputs, ...taken.values()],
      outputs: main.outputs.map((v) => taken.get(v) ?? v),
    }),
    preparation,
  };
}

/** Puts a node of its own in the place of an old one. */
function remake(node: Node, of: (v: Value) => Value, to: Rewriter): void {
  const copy = to.append(makeNode(node.op, node.inputs.map(of), node.attrs, node.outputs, node.where));
  node.outputs.forEach((v, i) => {
    to.replace(v, copy.outputs[i]!);
  });
}
