// Graphs as text: one line per node, stable, so that tests compare whole graphs and people can read them.

import { formatType } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import type { AttrValue, Graph, Value } from "./graph.ts";

/**
 * `%2 f32[4,3] = matmul %0 %1 {transA: false}  @ dense` per node; inputs first, `return` last.
 * An output that updates an input prints as `%5 -> %1`.
 */
export function print(graph: Graph, indent = ""): string {
  const names = new Map<Value, string>();
  const name = (v: Value): string => {
    if (!names.has(v)) names.set(v, `%${names.size}`);
    return names.get(v)!;
  };
  const lines = [`${indent}(${graph.inputs.map((v) => `${name(v)} ${formatType(v)}`).join(", ")})`];
  for (const node of graph.nodes) {
    const ins = node.inputs.map((v) => ` ${name(v)}`).join("");
    const outs = node.outputs.map((v) => `${name(v)} ${formatType(v)}`).join(", ");
    const bodies: string[] = [];
    const attrs = Object.entries(node.attrs)
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => `${k}: ${formatAttr(v as AttrValue, bodies, `${indent}    `)}`);
    lines.push(
      `${indent}${outs} = ${node.op.name}${ins}${attrs.length ? ` {${attrs.join(", ")}}` : ""}${node.where ? `  @ ${node.where}` : ""}`,
      ...bodies,
    );
  }
  const outputs = graph.outputs.map((v, i) => {
    const target = graph.updates[i];
    return target === undefined ? name(v) : `${name(v)} -> ${name(graph.inputs[target]!)}`;
  });
  lines.push(`${indent}return ${outputs.join(", ")}`);
  return lines.join("\n");
}

function formatAttr(value: AttrValue, bodies: string[], indent: string): string {
  if (value instanceof Tensor) {
    return value.size <= 4 ? `[${Array.from(value.data).join(", ")}]` : `tensor ${formatType(value)}`;
  }
  if (Array.isArray(value)) return `[${value.join(",")}]`;
  if (typeof value === "object" && value !== null && "nodes" in value) {
    bodies.push(print(value as Graph, indent));
    return "...";
  }
  return String(value);
}
