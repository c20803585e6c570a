// The order of steps: as the graph has it, except that a step which gives a state its new value waits for the steps that
// still read the old one. Then the new value can be written straight into the state's buffer, without a copy.

import type { Graph, Node, Value } from "../graph/graph.ts";

/** The same graph with its nodes in a better order; inputs, outputs and Values are untouched. */
export function schedule(graph: Graph): Graph {
  const index = new Map<Node, number>(graph.nodes.map((node, i) => [node, i]));
  const after: number[][] = graph.nodes.map(() => []); // who waits for me
  const waiting = new Array<number>(graph.nodes.length).fill(0); // for how many inputs I wait
  graph.nodes.forEach((node, i) => {
    for (const v of new Set(node.inputs.map((v) => v.node))) {
      if (v === null) continue;
      after[index.get(v)!]!.push(i);
      waiting[i]!++;
    }
  });
  const { politely, wishes } = updateWishes(graph, index);

  // Ready nodes by number; those with open wishes stand back until nobody else is left.
  const ready = new Heap();
  const standBack = new Heap();
  const offer = (i: number): void => (wishes[i] === 0 ? ready : standBack).push(i);
  for (let i = 0; i < graph.nodes.length; i++) if (waiting[i] === 0) offer(i);
  const nodes: Node[] = [];
  const done = new Set<number>();
  while (nodes.length < graph.nodes.length) {
    const i = ready.pop() ?? standBack.pop()!;
    if (done.has(i)) continue;
    done.add(i);
    nodes.push(graph.nodes[i]!);
    for (const j of politely[i]!) if (--wishes[j]! === 0 && waiting[j] === 0) ready.push(j);
    for (const j of after[i]!) if (--waiting[j]! === 0) offer(j);
  }
  return { ...graph, nodes };
}

/** For each node, the update writers that would like to run after it, and how many such wishes each writer has. */
function updateWishes(graph: Graph, index: Map<Node, number>): { politely: number[][]; wishes: number[] } {
  const readers = new Map<Value, number[]>();
  graph.nodes.forEach((node, i) => {
    for (const v of new Set(node.inputs.map(aliasRoot))) if (v.node === null) listOf(readers, v).push(i);
  });
  const politely: number[][] = graph.nodes.map(() => []);
  const wishes = new Array<number>(graph.nodes.length).fill(0);
  graph.outputs.forEach((output, o) => {
    const target = graph.updates[o];
    const writer = aliasRoot(output).node;
    if (target === undefined || writer === null) return;
    const w = index.get(writer)!;
    for (const r of readers.get(graph.inputs[target]!) ?? []) {
      if (r === w) continue;
      politely[r]!.push(w);
      wishes[w]!++;
    }
  });
  return { politely, wishes };
}

/** The Value whose memory this one is: a reshape only renames. */
export function aliasRoot(value: Value): Value {
  let v = value;
  while (v.node !== null && v.node.op.name === "reshape") v = v.node.inputs[0]!;
  return v;
}

function listOf<K>(map: Map<K, number[]>, key: K): number[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}

/** A binary min-heap of whole numbers. */
class Heap {
  private readonly items: number[] = [];

  push(x: number): void {
    const a = this.items;
    let i = a.push(x) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (a[parent]! <= x) break;
      a[i] = a[parent]!;
      i = parent;
    }
    a[i] = x;
  }

  pop(): number | undefined {
    const a = this.items;
    const top = a[0];
    const last = a.pop();
    if (last === undefined || a.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= a.length) break;
      if (child + 1 < a.length && a[child + 1]! < a[child]!) child++;
      if (a[child]! >= last) break;
      a[i] = a[child]!;
      i = child;
    }
    a[i] = last;
    return top;
  }
}
