// The checker: everything a graph must be, verified after tracing and, in tests, after every pass.

import { internal } from "../core/errors.ts";
import { formatType, sameType } from "../core/shape.ts";
import { type Graph, inferTypes, type Value } from "./graph.ts";

/** Throws an internal error naming the first broken rule. `after` says which pass made the graph. */
export function check(graph: Graph, after = "trace"): void {
  const fail = (what: string) => internal(`graph after ${after}: ${what}`);
  const defined = new Set<Value>(graph.inputs);
  if (defined.size !== graph.inputs.length) throw fail("an input is listed twice");
  graph.nodes.forEach((node, n) => {
    const label = `node ${n} (${node.op.name})`;
    for (const v of node.inputs) if (!defined.has(v)) throw fail(`${label} uses a value before it is made`);
    const types = inferTypes(node.op, node.inputs, node.attrs, node.where);
    if (types.length !== node.outputs.length)
      throw fail(`${label} has ${node.outputs.length} outputs, its rule gives ${types.length}`);
    node.outputs.forEach((v, i) => {
      if (v.node !== node || v.index !== i) throw fail(`${label}: output ${i} does not point back`);
      if (!sameType(v, types[i]!))
        throw fail(`${label}: output ${i} is ${formatType(v)}, its rule gives ${formatType(types[i]!)}`);
      defined.add(v);
    });
  });
  for (const v of graph.outputs) if (!defined.has(v)) throw fail("an output is never made");
  if (graph.updates.length !== graph.outputs.length) throw fail("updates and outputs differ in length");
  graph.updates.forEach((input, i) => {
    if (input === undefined) return;
    const target = graph.inputs[input];
    if (!target || !sameType(target, graph.outputs[i]!))
      throw fail(`output ${i} cannot update input ${input}`);
  });
}
