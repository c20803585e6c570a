// Graph -> Program: gives every Value an address. Reshapes become aliases, constants go into one blob, results are made in
// their slot, new states in their state's buffer where nobody still needs the old one, and the rest in planned scratch.
// A preparation comes first; what it makes lies in a space of its own.

import { BYTES, type HostArray } from "../core/dtype.ts";
import { internal } from "../core/errors.ts";
import { sizeOf, type TensorType } from "../core/shape.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Graph, Node, Value } from "../graph/graph.ts";
import { copy } from "./copy.ts";
import { mayOverwrite } from "./in-place.ts";
import { aligned, planMemory } from "./memory.ts";
import type { Access, Program, ProgramTensor, Slot, Step } from "./program.ts";
import { aliasRoot } from "./schedule.ts";

export interface LowerOptions {
  /** Let steps write over inputs they are the last to read. Default true. */
  inPlace?: boolean;
  /** A graph with the same leading inputs; its outputs are the trailing inputs of the main one, in order. See passes/hoist.ts. */
  preparation?: Graph;
  /** Inputs that seldom change between runs. */
  steady?: ReadonlySet<Value>;
}

/** What the memory plan came to, in bytes of scratch. */
export interface MemoryReport {
  readonly peakBytes: number;
  readonly naiveBytes: number;
}

export interface Lowered {
  readonly program: Program;
  readonly memory: MemoryReport;
}

/** A block of scratch on its way to an address. */
interface Block {
  readonly bytes: number;
  readonly first: number;
  last: number;
}

type Place =
  | { readonly space: "bound"; readonly slot: number }
  | { readonly space: "constant" | "prepared"; readonly offset: number }
  | { readonly space: "arena"; readonly block: Block };

/** A final move into a bound slot. */
interface Move {
  readonly slot: number;
  source: Place;
  readonly type: TensorType;
}

export function lower(graph: Graph, options: LowerOptions = {}): Lowered {
  const inPlace = options.inPlace ?? true;
  const constants = new ConstantBlob();
  const places = new Map<Value, Place>(); // of alias roots
  const { preparation } = options;
  const made = preparation?.outputs ?? [];
  const bound = graph.inputs.slice(0, graph.inputs.length - made.length);
  bound.forEach((v, slot) => {
    places.set(v, { space: "bound", slot });
  });
  preparation?.inputs.forEach((v, slot) => {
    places.set(v, { space: "bound", slot });
  });
  let preparedBytes = 0;
  made.forEach((v, i) => {
    const place = { space: "prepared" as const, offset: preparedBytes };
    places.set(v, place);
    places.set(graph.inputs[bound.length + i]!, place);
    preparedBytes += aligned(bytesOf(v));
  });
  const nodes: Node[] = [];
  const addNode = (node: Node): void => {
    const out = node.outputs[0]!;
    if (node.op.name === "constant") {
      places.set(out, { space: "constant", offset: constants.add(out, node.attrs.value as Tensor) });
    } else if (aliasRoot(out) === out) nodes.push(node);
  };
  preparation?.nodes.forEach(addNode);
  const prepared = nodes.length;
  graph.nodes.forEach(addNode);

  const reads = new Map<Value, number[]>();
  nodes.forEach((node, n) => {
    for (const v of new Set(node.inputs.map(aliasRoot))) push(reads, v, n);
  });
  const { first, last } = placeOutputs(graph, bound.length, nodes, places, reads, inPlace);

  // Everything that has no place yet lives in scratch, from the step that makes it to the last that reads it.
  const blocks: Block[] = [];
  const end = nodes.length;
  const kept = new Set(last.map((m) => m.value));
  nodes.forEach((node, n) => {
    node.outputs.forEach((v, o) => {
      if (places.has(v)) return;
      const until = kept.has(v) ? end : (reads.get(v)?.at(-1) ?? n);
      const block = (inPlace && overwritable(node, n, o, places, reads, kept)) || {
        bytes: bytesOf(v),
        first: n,
        last: n,
      };
      if (block.first === n) blocks.push(block);
      block.last = until;
      places.set(v, { space: "arena", block });
    });
  });

  const moves = last.map((m): Move => ({ slot: m.slot, source: places.get(m.value)!, type: m.type }));
  const ordered = orderMoves(moves, (type) => {
    const block: Block = { bytes: bytesOf(type), first: end, last: end };
    blocks.push(block);
    return { space: "arena", block };
  });

  const plan = planMemory(blocks);
  const offsets = new Map<Block, number>(blocks.map((b, i) => [b, plan.offsets[i]!]));
  const table = new TensorTable(offsets);
  const tensorOf = (v: Value): number => table.index(places.get(aliasRoot(v))!, v);
  const steps: Step[] = [];
  const addCopy = (from: Place, to: Place, type: TensorType): void => {
    steps.push({
      op: copy,
      attrs: {},
      inputs: [table.index(from, type)],
      outputs: [table.index(to, type)],
      where: "",
    });
  };
  const addStep = (node: Node): void => {
    steps.push({
      op: node.op,
      attrs: node.attrs,
      inputs: node.inputs.map(tensorOf),
      outputs: node.outputs.map(tensorOf),
      where: node.where,
    });
  };
  nodes.slice(0, prepared).forEach(addStep);
  for (const m of first) addCopy(places.get(m.value)!, { space: "bound", slot: m.slot }, m.type);
  nodes.slice(prepared).forEach(addStep);
  for (const m of ordered) addCopy(m.from, m.to, m.type);

  const results = graph.outputs.filter((_, i) => graph.updates[i] === undefined);
  const read = slotsOf(
    steps.flatMap((s) => s.inputs),
    table.tensors,
  );
  const written = slotsOf(
    steps.flatMap((s) => s.outputs),
    table.tensors,
  );
  const slots = [...bound, ...results].map((v, slot): Slot => {
    const seldom = options.steady?.has(v) ? "steady" : "read";
    const access: Access = written.has(slot) ? (read.has(slot) ? "readwrite" : "write") : seldom;
    return { type: typeOf(v), access };
  });
  const program = {
    slots,
    tensors: table.tensors,
    steps,
    preparation: prepared,
    preparedBytes,
    arenaBytes: plan.bytes,
    constants: constants.bytes(),
  };
  return { program, memory: { peakBytes: plan.bytes, naiveBytes: plan.naiveBytes } };
}

interface Pending {
  readonly slot: number;
  readonly value: Value;
  readonly type: TensorType;
}

/**
 * Decides which outputs are made where they belong (entered in `places`) and which need a copy: results that are inputs or
 * constants are copied before the first step, while inputs still hold their old contents; all others after the last.
 * @param bound how many slots the inputs take
 */
function placeOutputs(
  graph: Graph,
  bound: number,
  nodes: readonly Node[],
  places: Map<Value, Place>,
  reads: ReadonlyMap<Value, readonly number[]>,
  inPlace: boolean,
): { first: Pending[]; last: Pending[] } {
  const first: Pending[] = [];
  const last: Pending[] = [];
  let slot = bound;
  graph.outputs.forEach((output, i) => {
    if (graph.updates[i] !== undefined) return;
    const value = aliasRoot(output);
    const pending = { slot: slot++, value, type: typeOf(output) };
    const place = places.get(value);
    if (place === undefined) places.set(value, { space: "bound", slot: pending.slot });
    else if (value.node === null || place.space === "constant") first.push(pending);
    else last.push(pending);
  });

  // States another state takes over as they were: they must keep their old contents to the end.
  const moved = new Set<Value>();
  graph.outputs.forEach((output, i) => {
    const target = graph.updates[i];
    if (target !== undefined && aliasRoot(output) !== graph.inputs[target]) moved.add(aliasRoot(output));
  });
  const made = new Map<Value, number>(
    nodes.flatMap((node, n) => node.outputs.map((v): [Value, number] => [v, n])),
  );
  graph.outputs.forEach((output, i) => {
    const target = graph.updates[i];
    if (target === undefined) return;
    const state = graph.inputs[target]!;
    const value = aliasRoot(output);
    if (value === state) return;
    const n = made.get(value);
    const free =
      n !== undefined &&
      !places.has(value) &&
      !moved.has(state) &&
      (reads.get(state) ?? []).every(
        (r) =>
          r < n || (r === n && inPlace && overwritesAll(nodes[n]!, nodes[n]!.outputs.indexOf(value), state)),
      );
    if (free) places.set(value, { space: "bound", slot: target });
    else last.push({ slot: target, value, type: typeOf(output) });
  });
  return { first, last };
}

/** Whether every input of the node that lies in `root` may be overwritten by this output. */
function overwritesAll(node: Node, output: number, root: Value): boolean {
  return node.inputs.every((v, i) => aliasRoot(v) !== root || mayOverwrite(node, output, i));
}

/** The scratch block of an input that dies in this step and that the output may take over. */
function overwritable(
  node: Node,
  n: number,
  output: number,
  places: ReadonlyMap<Value, Place>,
  reads: ReadonlyMap<Value, readonly number[]>,
  kept: ReadonlySet<Value>,
): Block | undefined {
  const bytes = bytesOf(node.outputs[output]!);
  for (const input of node.inputs) {
    const root = aliasRoot(input);
    const place = places.get(root)!;
    const dies =
      place.space === "arena" && place.block.last === n && reads.get(root)!.at(-1) === n && !kept.has(root);
    if (
      dies &&
      place.block.bytes === bytes &&
      overwritesAll(node, output, root) &&
      holdsOnly(node, place.block, root, places)
    ) {
      return place.block;
    }
  }
  return undefined;
}

/** No other operand of this step lies in the block: an earlier Value it was taken over from, or an output already put there. */
function holdsOnly(node: Node, block: Block, root: Value, places: ReadonlyMap<Value, Place>): boolean {
  return [...node.inputs, ...node.outputs].every((v) => {
    const place = places.get(aliasRoot(v));
    return aliasRoot(v) === root || place?.space !== "arena" || place.block !== block;
  });
}

interface OrderedMove {
  readonly from: Place;
  readonly to: Place;
  readonly type: TensorType;
}

/** Parallel assignment made sequential: nothing is overwritten before it is read; a ring is opened through scratch. */
function orderMoves(moves: readonly Move[], scratch: (type: TensorType) => Place): OrderedMove[] {
  const out: OrderedMove[] = [];
  const pending = [...moves];
  const reads = (m: Move, slot: number): boolean => m.source.space === "bound" && m.source.slot === slot;
  while (pending.length > 0) {
    const i = pending.findIndex((m) => !pending.some((other) => other !== m && reads(other, m.slot)));
    if (i >= 0) {
      const [m] = pending.splice(i, 1) as [Move];
      out.push({ from: m.source, to: { space: "bound", slot: m.slot }, type: m.type });
      continue;
    }
    const m = pending[0]!;
    const saved = scratch(m.type);
    out.push({ from: { space: "bound", slot: m.slot }, to: saved, type: m.type });
    for (const other of pending) if (reads(other, m.slot)) other.source = saved;
  }
  return out;
}

/** Tensors by place and type, each once. */
class TensorTable {
  readonly tensors: ProgramTensor[] = [];
  private readonly known = new Map<string, number>();
  private readonly offsets: ReadonlyMap<Block, number>;

  constructor(offsets: ReadonlyMap<Block, number>) {
    this.offsets = offsets;
  }

  index(place: Place, type: TensorType): number {
    const slot = place.space === "bound" ? place.slot : 0;
    const offset =
      place.space === "arena" ? this.offsets.get(place.block)! : place.space === "bound" ? 0 : place.offset;
    const key = `${place.space} ${slot} ${offset} ${type.dtype} ${type.shape.join(",")}`;
    let index = this.known.get(key);
    if (index === undefined) {
      index = this.tensors.push({ space: place.space, slot, offset, ...typeOf(type) }) - 1;
      this.known.set(key, index);
    }
    return index;
  }
}

/** The Program's own data: equal contents are stored once. */
class ConstantBlob {
  private size = 0;
  private readonly chunks: { offset: number; data: Uint8Array }[] = [];
  private readonly byHash = new Map<number, { offset: number; data: Uint8Array }[]>();

  add(type: TensorType, value: Tensor): number {
    const data = bytesOfHost(type, value.data);
    const hash = fnv(data);
    const same = this.byHash
      .get(hash)
      ?.find((c) => c.data.length === data.length && c.data.every((b, i) => b === data[i]));
    if (same) return same.offset;
    const chunk = { offset: this.size, data };
    this.chunks.push(chunk);
    push(this.byHash, hash, chunk);
    this.size += aligned(data.length);
    return chunk.offset;
  }

  bytes(): Uint8Array {
    const out = new Uint8Array(this.size);
    for (const c of this.chunks) out.set(c.data, c.offset);
    return out;
  }
}

function bytesOfHost(type: TensorType, data: HostArray): Uint8Array {
  const stored = data instanceof Float64Array ? Float32Array.from(data) : data;
  if (stored.byteLength !== bytesOf(type))
    throw internal(`constant of ${stored.byteLength} bytes where its type needs ${bytesOf(type)}`);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

function fnv(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const b of bytes) hash = Math.imul(hash ^ b, 0x01000193);
  return hash;
}

function bytesOf(type: TensorType): number {
  return sizeOf(type.shape) * BYTES[type.dtype];
}

function typeOf(type: TensorType): TensorType {
  return { shape: type.shape, dtype: type.dtype };
}

function slotsOf(ids: readonly number[], tensors: readonly ProgramTensor[]): Set<number> {
  return new Set(ids.map((t) => tensors[t]!).flatMap((t) => (t.space === "bound" ? [t.slot] : [])));
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
