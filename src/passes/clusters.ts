// The bookkeeping of fusion: every node belongs to one unit; units may join as long as the graph of units stays without
// cycles and the joined unit is still one chain: one iteration shape, few enough instructions and operands.

import { type Shape, sameShape, sizeOf } from "../core/shape.ts";
import type { Graph, Node, Value } from "../graph/graph.ts";
import { isChainNode, isChainReduction } from "../program/chain.ts";

/** Up to this many elements a step costs more than its work: hundreds of nanoseconds against a few lanes. */
export const SMALL = 64;
/**
 * Instructions, and inputs or outputs, of one chain. Tiles of all live values share the L1 cache, so longer chains gain
 * little; small chains fit whole, and the fewer of them the better.
 */
const LIMITS = { small: { instructions: 256, operands: 64 }, large: { instructions: 32, operands: 16 } };

/** Nodes that will run as one step. */
export interface Unit {
  /** In the order of the graph. */
  readonly nodes: Node[];
  /** Iteration shape of a chain; undefined for any other node. */
  readonly shape: Shape | undefined;
  /** First axis its reductions fold; undefined without any. */
  readonly reducesFrom: number | undefined;
  /** The matrix product whose epilogue this is. */
  readonly product: Node | undefined;
}

export class Clusters {
  readonly units = new Set<Unit>();
  private readonly graph: Graph;
  private readonly unit = new Map<Node, Unit>();
  private readonly number = new Map<Node, number>();
  private readonly readers = new Map<Value, Node[]>();
  private readonly results: ReadonlySet<Value>;

  constructor(graph: Graph) {
    this.graph = graph;
    this.results = new Set(graph.outputs);
    graph.nodes.forEach((node, i) => {
      this.number.set(node, i);
      this.add({ nodes: [node], ...chainForm(node), product: undefined });
      for (const v of new Set(node.inputs)) {
        const list = this.readers.get(v);
        if (list) list.push(node);
        else this.readers.set(v, [node]);
      }
    });
  }

  unitOf(node: Node): Unit {
    return this.unit.get(node)!;
  }

  readersOf(value: Value): readonly Node[] {
    return this.readers.get(value) ?? [];
  }

  /** Values a unit reads from outside, in order of first use. */
  inputsOf(unit: Unit): Value[] {
    const seen = new Set<Value>();
    for (const node of unit.nodes) {
      for (const v of node.inputs) if (v.node === null || this.unit.get(v.node) !== unit) seen.add(v);
    }
    return [...seen];
  }

  /** Values of a unit that are needed outside of it. */
  outputsOf(unit: Unit): Value[] {
    return unit.nodes.flatMap((n) => n.outputs).filter((v) => this.isNeededOutside(v, unit));
  }

  isNeededOutside(value: Value, unit: Unit): boolean {
    return this.results.has(value) || this.readersOf(value).some((r) => this.unit.get(r) !== unit);
  }

  /** Makes one chain of two, if that may be. Returns whether it did. */
  join(a: Unit, b: Unit): boolean {
    if (a === b || !a.shape || !b.shape || !sameShape(a.shape, b.shape) || a.product || b.product)
      return false;
    if (a.reducesFrom !== undefined && b.reducesFrom !== undefined && a.reducesFrom !== b.reducesFrom)
      return false;
    return this.merge(a, b, {
      shape: a.shape,
      reducesFrom: a.reducesFrom ?? b.reducesFrom,
      product: undefined,
    });
  }

  /** Makes a chain the epilogue of a matrix product, if that may be. */
  joinProduct(product: Unit, chain: Unit): boolean {
    const result = product.nodes[0]!.outputs[0]!;
    if (!chain.shape || chain.product || !sameShape(chain.shape, result.shape)) return false;
    return this.merge(product, chain, { ...chain, product: product.nodes[0]! });
  }

  /** The graph's order of units: each as late as its last member stands, but before whatever reads it. */
  ordered(): Unit[] {
    const out: Unit[] = [];
    const done = new Set<Unit>();
    const visit = (unit: Unit): void => {
      if (done.has(unit)) return;
      done.add(unit);
      for (const v of this.inputsOf(unit)) if (v.node) visit(this.unit.get(v.node)!);
      out.push(unit);
    };
    const last = (unit: Unit): number => this.number.get(unit.nodes.at(-1)!)!;
    for (const unit of [...this.units].sort((a, b) => last(a) - last(b))) visit(unit);
    return out;
  }

  private add(unit: Unit): void {
    this.units.add(unit);
    for (const node of unit.nodes) this.unit.set(node, unit);
  }

  private merge(a: Unit, b: Unit, form: Omit<Unit, "nodes">): boolean {
    const nodes = [...a.nodes, ...b.nodes].sort((x, y) => this.number.get(x)! - this.number.get(y)!);
    if (this.leadsTo(a, b) || this.leadsTo(b, a)) return false;
    const merged: Unit = { ...form, nodes };
    this.units.delete(a);
    this.units.delete(b);
    this.add(merged);
    if (this.isSound(merged)) return true;
    this.units.delete(merged);
    this.add(a);
    this.add(b);
    return false;
  }

  /** The limits of one chain. A reduced value has another shape, so nothing in the chain may read it. */
  private isSound(unit: Unit): boolean {
    const limit = sizeOf(unit.shape!) <= SMALL ? LIMITS.small : LIMITS.large;
    const instructions = unit.nodes.filter((n) => n !== unit.product && !isChainReduction(n)).length;
    const readInside = (v: Value): boolean => this.readersOf(v).some((r) => this.unit.get(r) === unit);
    return (
      instructions >= 1 &&
      instructions <= limit.instructions &&
      this.outputsOf(unit).length <= limit.operands &&
      this.inputsOf(unit).length <= limit.operands &&
      !unit.nodes.some((n) => isChainReduction(n) && readInside(n.outputs[0]!))
    );
  }

  /** Whether `from` reaches `to` through at least one other unit. */
  private leadsTo(from: Unit, to: Unit): boolean {
    const limit = this.number.get(to.nodes.at(-1)!)!;
    const seen = new Set<Unit>([from, to]);
    const stack = [from];
    for (let unit = stack.pop(); unit !== undefined; unit = stack.pop()) {
      for (const node of unit.nodes) {
        for (const v of node.outputs) {
          for (const reader of this.readersOf(v)) {
            const next = this.unit.get(reader)!;
            if (next === to && unit !== from) return true;
            if (seen.has(next) || this.number.get(next.nodes[0]!)! > limit) continue;
            seen.add(next);
            stack.push(next);
          }
        }
      }
    }
    return false;
  }

  get nodes(): readonly Node[] {
    return this.graph.nodes;
  }
}

/** How a node would iterate as part of a chain. */
function chainForm(node: Node): { shape: Shape | undefined; reducesFrom: number | undefined } {
  if (isChainNode(node)) return { shape: node.outputs[0]!.shape, reducesFrom: undefined };
  const { shape } = node.inputs[0] ?? { shape: [] };
  const { begin, end } = node.attrs;
  // Empty rows have no last tile to fold; the reduction's own kernel knows what they mean.
  if (isChainReduction(node) && end === shape.length && begin < end && sizeOf(shape) > 0)
    return { shape, reducesFrom: begin };
  return { shape: undefined, reducesFrom: undefined };
}
