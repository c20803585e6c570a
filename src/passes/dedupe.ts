// dedupe: the same op on the same inputs with the same attributes gives the same result, so it is computed once.
// Random draws differ in their `stream` attribute and stay apart.

import { Tensor } from "../core/tensor.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { rewrite } from "../graph/rewrite.ts";

export function dedupe(graph: Graph): Graph {
  const ids = new Map<unknown, number>();
  const idOf = (x: unknown): number => {
    const id = ids.get(x) ?? ids.size;
    ids.set(x, id);
    return id;
  };
  const known = new Map<string, Node>();
  return rewrite(graph, (node, to) => {
    if (node.op.pure === false) {
      to.copy(node);
      return;
    }
    const inputs = node.inputs.map((v) => idOf(to.of(v)));
    const key = `${idOf(node.op)}(${inputs.join(",")}){${attrsKey(node, idOf)}}`;
    const same = known.get(key);
    if (!same) {
      known.set(key, to.copy(node));
      return;
    }
    node.outputs.forEach((v, i) => {
      to.replace(v, same.outputs[i]!);
    });
  });
}

/** Tensors above this many elements are told apart by identity only: comparing them costs more than a copy is worth. */
const COMPARE_UP_TO = 64;

function attrsKey(node: Node, idOf: (x: unknown) => number): string {
  return Object.keys(node.attrs)
    .sort()
    .map((name) => `${name}:${valueKey(node.attrs[name], idOf)}`)
    .join(";");
}

function valueKey(value: unknown, idOf: (x: unknown) => number): string {
  if (value instanceof Tensor) {
    if (value.size > COMPARE_UP_TO) return `#${idOf(value)}`;
    // Object.is semantics: -0 and 0 are different constants, every NaN is the same.
    return `${value.dtype}[${value.shape}]${Array.from(value.data, (x) => (Object.is(x, -0) ? "-0" : x))}`;
  }
  if (Array.isArray(value)) return `[${value.map((v) => valueKey(v, idOf)).join(",")}]`;
  if (typeof value === "object" && value !== null) return `#${idOf(value)}`;
  return Object.is(value, -0) ? "-0" : `${typeof value} ${String(value)}`;
}
