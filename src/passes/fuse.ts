// fuse: elementwise nodes that iterate over the same shape run as one `fused` step, tile by tile, so that what passes
// between them never leaves the cache; a chain on a matrix product or convolution becomes its epilogue. Small chains join even when they
// have nothing to do with each other: for them the number of steps is what costs.

import { sameShape, sizeOf } from "../core/shape.ts";
import { type Graph, makeNode, type Node, Value } from "../graph/graph.ts";
import { fusedOp } from "../ops/fused.ts";
import { isChainReduction } from "../program/chain.ts";
import { Clusters, SMALL, type Unit } from "./clusters.ts";

export function fuse(graph: Graph): Graph {
  const clusters = new Clusters(graph);
  absorbProducers(clusters);
  shareProducers(clusters);
  joinSiblings(clusters);
  takeIntoProducts(graph, clusters);
  return rebuild(graph, clusters);
}

/** A node all of whose readers are in one chain joins it: its result need not exist in memory. */
function absorbProducers(clusters: Clusters): void {
  for (let n = clusters.nodes.length - 1; n >= 0; n--) {
    const node = clusters.nodes[n]!;
    const readers = clusters.readersOf(node.outputs[0]!);
    if (readers.length === 0) continue;
    const reader = clusters.unitOf(readers[0]!);
    if (
      readers.every((r) => clusters.unitOf(r) === reader) &&
      !clusters.isNeededOutside(node.outputs[0]!, reader)
    ) {
      clusters.join(clusters.unitOf(node), reader);
    }
  }
}

/** A node that others need too joins a chain that reads it: its result is written, but not read back by the chain. */
function shareProducers(clusters: Clusters): void {
  for (const node of clusters.nodes) {
    for (const reader of clusters.readersOf(node.outputs[0]!))
      clusters.join(clusters.unitOf(node), clusters.unitOf(reader));
  }
}

/** Chains that read the same large tensor join, and small ones whatever they read. */
function joinSiblings(clusters: Clusters): void {
  for (const value of clusters.values()) {
    if (sizeOf(value.shape) > SMALL) joinByShape(clusters, clusters.readersOf(value));
  }
  const small = clusters.nodes.filter((n) => sizeOf(clusters.unitOf(n).shape ?? [SMALL + 1]) <= SMALL);
  joinByShape(clusters, small);
}

/** How many chains a node is offered to: the last ones of its shape that have room. */
const PEERS = 8;

/** Joins each node's unit with the first one of its shape that takes it. */
function joinByShape(clusters: Clusters, nodes: readonly Node[]): void {
  const byShape = new Map<string, Node[]>(); // one node stands for its unit, which changes with every join
  for (const node of nodes) {
    const unit = clusters.unitOf(node);
    if (!unit.shape) continue;
    const key = unit.shape.join();
    const peers = byShape.get(key) ?? [];
    byShape.set(key, peers);
    if (peers.some((p) => clusters.unitOf(p) === unit)) continue;
    const at = peers.findIndex((p) => clusters.join(clusters.unitOf(p), unit));
    if (at < 0) {
      if (peers.length === PEERS) peers.shift();
      peers.push(node);
    } else if (clusters.isFull(clusters.unitOf(node))) peers.splice(at, 1);
  }
}

/**
 * A chain on a product of its own shape is computed while the product's tile is in cache. Not one that gives states their
 * new values: alone it writes over the old ones, while a product accumulates in its output and so cannot.
 */
function takeIntoProducts(graph: Graph, clusters: Clusters): void {
  const states = new Set(graph.outputs.filter((_, i) => graph.updates[i] !== undefined));
  for (const node of clusters.nodes) {
    const product = node.outputs[0]!;
    if (!node.op.takesBody || node.attrs.body || product.dtype !== "float32") continue;
    const readers = [...new Set(clusters.readersOf(product).map((r) => clusters.unitOf(r)))];
    const chains = readers.filter((u) => !clusters.outputsOf(u).some((v) => states.has(v)));
    const whole = chains.filter((u) => !clusters.isNeededOutside(product, u));
    [...whole, ...chains].some((u) => clusters.joinProduct(clusters.unitOf(node), u));
  }
}

function rebuild(graph: Graph, clusters: Clusters): Graph {
  const map = new Map<Value, Value>();
  const of = (v: Value): Value => map.get(v) ?? v;
  const nodes: Node[] = [];
  for (const unit of clusters.ordered()) {
    const [only, ...others] = unit.nodes;
    const outputs = others.length === 0 ? only!.outputs : stepOutputs(unit, clusters);
    if (outputs.length === 0) continue; // a chain nobody reads, where nothing was pruned
    const node = others.length === 0 ? copyOf(only!, of) : fusedNode(unit, clusters, of);
    nodes.push(node);
    outputs.forEach((v, i) => {
      if (node.outputs[i] !== v) map.set(v, node.outputs[i]!);
    });
  }
  return { ...graph, nodes, outputs: graph.outputs.map(of) };
}

function copyOf(node: Node, of: (v: Value) => Value): Node {
  const inputs = node.inputs.map(of);
  return inputs.every((v, i) => v === node.inputs[i])
    ? node
    : makeNode(node.op, inputs, node.attrs, node.outputs, node.where);
}

/** The Values a unit hands out. A product is computed in the memory of its first output if that is a tensor like it. */
function stepOutputs(unit: Unit, clusters: Clusters): Value[] {
  const outputs = clusters.outputsOf(unit);
  const like = (v: Value): boolean => v.dtype === "float32" && sameShape(v.shape, unit.shape!);
  const main =
    unit.product && (outputs.find((v) => like(v) && v.node !== unit.product) ?? outputs.find(like));
  return main ? [main, ...outputs.filter((v) => v !== main)] : outputs;
}

function fusedNode(unit: Unit, clusters: Clusters, of: (v: Value) => Value): Node {
  const { product } = unit;
  const own = product ? product.inputs : [];
  const inner = new Map<Value, Value>();
  const bodyInputs: Value[] = [];
  const addInput = (v: Value): void => {
    const input = new Value({ shape: v.shape, dtype: v.dtype }, null, bodyInputs.length);
    bodyInputs.push(input);
    inner.set(v, input);
  };
  const members = unit.nodes.filter((n) => n !== product);
  const made = new Set(members.flatMap((n) => n.outputs));
  const outside = new Set(members.flatMap((n) => n.inputs).filter((v) => !made.has(v) && v.node !== product));
  if (product) addInput(product.outputs[0]!);
  outside.forEach(addInput);
  const bodyNodes = members.map((n) => {
    const copy = makeNode(n.op, n.inputs.map((v) => inner.get(v)!), n.attrs, n.outputs, n.where); // biome-ignore format: one call
    n.outputs.forEach((v, i) => {
      inner.set(v, copy.outputs[i]!);
    });
    return copy;
  });
  const outputs = stepOutputs(unit, clusters);
  const bodyOutputs = outputs.map((v) => inner.get(v)!);
  const body: Graph = {
    inputs: bodyInputs,
    nodes: bodyNodes,
    outputs: bodyOutputs,
    updates: outputs.map(() => undefined),
  };
  const inputs = [...own, ...outside].map(of);
  const where = commonPath(unit.nodes);
  if (product) return makeNode(product.op, inputs, { ...product.attrs, body }, outputs, where);
  return makeNode(fusedOp, inputs, { shape: unit.shape!, body }, outputs, where);
}

/** The layer path all nodes share. */
function commonPath(nodes: readonly Node[]): string {
  const paths = nodes.filter((n) => !isChainReduction(n)).map((n) => n.where.split("/"));
  const [first = []] = paths;
  const differs = first.findIndex((part, i) => paths.some((p) => p[i] !== part));
  return (differs < 0 ? first : first.slice(0, differs)).join("/");
}
