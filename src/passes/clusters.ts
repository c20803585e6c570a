// The bookkeeping of fusion: every node belongs to one unit; units may join as long as the graph of units stays without
// cycles and the joined unit is still one chain: one iteration shape, few enough instructions and operands.

import { type Shape, sameShape, sizeOf } from "../core/shape.ts";
import type { Graph, Node, Value } from "../graph/graph.ts";
import { isChainNode, isChainReduction } from "../program/chain.ts";
import { aliasRoot } from "../program/schedule.ts";

/** Up to this many elements a step costs more than its work: hundreds of nanoseconds against a few lanes. */
export const SMALL = 64;
/**
 * Instructions, and inputs or outputs, of one chain. Tiles of all live values share the L1 cache, so longer chains gain
 * little; small chains fit whole, and the fewer of them the better.
 */
const LIMITS = { small: { instructions: 256, operands: 64 }, large: { instructions: 32, operands: 16 } };
/** Units looked at to find out whether one depends on another; beyond that they count as dependent. Keeps fusing linear. */
const SEARCH = 256;

/** Nodes that will run as one step. */
export interface Unit {
  /** In the order of the graph. */
  readonly nodes: Node[];
  /** Iteration shape of a chain; undefined for any other node. */
  readonly shape: Shape | undefined;
  /** First axis its reductions fold; undefined without any. */
  readonly reducesFrom: number | undefined;
  /** The matrix product or convolution whose epilogue this is. */
  readonly product: Node | undefined;
  /** How many instructions the chain has: reductions and the product are none. */
  readonly instructions: number;
}

export class Clusters {
  private readonly graph: Graph;
  private readonly unit = new Map<Node, Unit>();
  private readonly number = new Map<Node, number>();
  private readonly readers = new Map<Value, Node[]>();
  /** Nodes that should come later though they read nothing of it: new states wait for readers of the old ones. */
  private readonly followers = new Map<Node, Node[]>();
  private readonly results: ReadonlySet<Value>;
  /** Units in a possible order, with gaps, and where each stands: a unit reads only from units before it. */
  private readonly order: (Unit | undefined)[] = [];
  private readonly position = new Map<Unit, number>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.results = new Set(graph.outputs);
    graph.nodes.forEach((node, i) => {
      const unit = { nodes: [node], ...chainForm(node), product: undefined };
      this.number.set(node, i);
      this.position.set(unit, i);
      this.order.push(unit);
      this.add(unit);
      for (const v of new Set(node.inputs)) {
        const list = this.readers.get(v);
        if (list) list.push(node);
        else this.readers.set(v, [node]);
      }
    });
    this.noteFollowers();
  }

  /** As far as the order of the graph has it so; see schedule.ts. */
  private noteFollowers(): void {
    const writers = new Map<Value, Node>();
    this.graph.outputs.forEach((output, i) => {
      const target = this.graph.updates[i];
      const writer = aliasRoot(output).node;
      if (target !== undefined && writer) writers.set(this.graph.inputs[target]!, writer);
    });
    for (const node of this.graph.nodes) {
      for (const v of node.inputs) {
        const writer = writers.get(aliasRoot(v));
        if (!writer || this.number.get(writer)! <= this.number.get(node)!) continue;
        this.followers.set(node, [...(this.followers.get(node) ?? []), writer]);
      }
    }
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
    const out: Value[] = [];
    for (const node of unit.nodes) {
      for (const v of node.outputs) if (this.isNeededOutside(v, unit)) out.push(v);
    }
    return out;
  }

  isNeededOutside(value: Value, unit: Unit): boolean {
    return this.results.has(value) || this.readersOf(value).some((r) => this.unit.get(r) !== unit);
  }

  /** Whether a chain has no room for a neighbour that it has nothing to do with. */
  isFull(unit: Unit): boolean {
    const { instructions, operands } = limitsOf(unit.shape!);
    if (unit.instructions >= instructions) return true;
    return this.outputsOf(unit).length >= operands || this.inputsOf(unit).length >= operands;
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

  /** Makes a chain the epilogue of a product, if that may be. */
  joinProduct(product: Unit, chain: Unit): boolean {
    const result = product.nodes[0]!.outputs[0]!;
    if (!chain.shape || chain.product || !sameShape(chain.shape, result.shape)) return false;
    return this.merge(product, chain, { ...chain, product: product.nodes[0]! });
  }

  /** The units in an order in which they can run: the graph's, as far as it goes. */
  ordered(): Unit[] {
    return this.order.filter((unit) => unit !== undefined);
  }

  private add(unit: Unit): void {
    for (const node of unit.nodes) this.unit.set(node, unit);
  }

  private merge(a: Unit, b: Unit, form: Omit<Unit, "nodes" | "instructions">): boolean {
    const instructions = a.instructions + b.instructions;
    if (instructions < 1 || instructions > limitsOf(form.shape!).instructions) return false;
    const [first, last] = this.position.get(a)! < this.position.get(b)! ? [a, b] : [b, a];
    const between = this.readersBetween(first, last);
    if (!between) return false;
    const nodes = [...a.nodes, ...b.nodes].sort((x, y) => this.number.get(x)! - this.number.get(y)!);
    const merged: Unit = { ...form, nodes, instructions };
    this.add(merged);
    if (!this.isSound(merged)) {
      this.add(a);
      this.add(b);
      return false;
    }
    // Between the two, what reads the first goes behind the new unit, and what the last reads stays before it.
    const from = this.position.get(first)!;
    const to = this.position.get(last)!;
    const window = this.order.slice(from + 1, to);
    const next = [
      ...window.filter((u) => u && !between.has(u)),
      merged,
      ...window.filter((u) => u && between.has(u)),
    ];
    for (let i = from; i <= to; i++) {
      const unit = next[i - from];
      this.order[i] = unit;
      if (unit) this.position.set(unit, i);
    }
    return true;
  }

  /** Operands within the limit; and a reduced value has another shape, so nothing in the chain may read it. */
  private isSound(unit: Unit): boolean {
    const { operands } = limitsOf(unit.shape!);
    const readInside = (v: Value): boolean => this.readersOf(v).some((r) => this.unit.get(r) === unit);
    return (
      this.outputsOf(unit).length <= operands &&
      this.inputsOf(unit).length <= operands &&
      !unit.nodes.some((n) => isChainReduction(n) && readInside(n.outputs[0]!))
    );
  }

  private *nodesAfter(node: Node): Iterable<Node> {
    for (const v of node.outputs) yield* this.readersOf(v);
    yield* this.followers.get(node) ?? [];
  }

  /** Units before `last` that depend on `first`; undefined when `last` depends on one of them, or they are many. */
  private readersBetween(first: Unit, last: Unit): Set<Unit> | undefined {
    const limit = this.position.get(last)!;
    const found = new Set<Unit>();
    const stack = [first];
    for (let unit = stack.pop(); unit !== undefined; unit = stack.pop()) {
      for (const node of unit.nodes) {
        for (const after of this.nodesAfter(node)) {
          const next = this.unit.get(after)!;
          if (next === last && unit !== first) return undefined;
          if (next === unit || found.has(next) || this.position.get(next)! >= limit) continue;
          if (found.size === SEARCH) return undefined;
          found.add(next);
          stack.push(next);
        }
      }
    }
    return found;
  }

  /** Every Value anybody reads. */
  values(): Iterable<Value> {
    return this.readers.keys();
  }

  get nodes(): readonly Node[] {
    return this.graph.nodes;
  }
}

/** How a node would iterate as part of a chain. */
function chainForm(node: Node): Pick<Unit, "shape" | "reducesFrom" | "instructions"> {
  if (isChainNode(node)) return { shape: node.outputs[0]!.shape, reducesFrom: undefined, instructions: 1 };
  const { shape } = node.inputs[0] ?? { shape: [] };
  const { begin, end } = node.attrs;
  // Empty rows have no last tile to fold; the reduction's own kernel knows what they mean.
  const trails = isChainReduction(node) && end === shape.length && begin < end && sizeOf(shape) > 0;
  return { shape: trails ? shape : undefined, reducesFrom: trails ? begin : undefined, instructions: 0 };
}

function limitsOf(shape: Shape): { instructions: number; operands: number } {
  return sizeOf(shape) <= SMALL ? LIMITS.small : LIMITS.large;
}
