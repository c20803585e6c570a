// Chains: the body of a fused elementwise step or of the epilogue of a product, as the micro-op list both engines understand.
// Body graphs hold elementwise nodes only, and may end in reductions (sum, max, min, prod) over trailing axes.

import type { DType } from "../core/dtype.ts";
import { internal } from "../core/errors.ts";
import { formatType, type Shape, sizeOf, type TensorType } from "../core/shape.ts";
import type { Graph, Node, Value } from "../graph/graph.ts";
import { CHAIN_REDUCTIONS, MICRO_OPS } from "./opcodes.ts";

export interface ChainInstruction {
  /** Index into MICRO_OPS. */
  readonly micro: number;
  /** Operands: 0..inputs-1 are the step's inputs, inputs+j the result of instruction j. */
  readonly operands: readonly number[];
}

export interface ChainOutput {
  readonly value: number;
  /** Index into CHAIN_REDUCTIONS. */
  readonly reduction: number;
}

/**
 * The iteration space is `shape`; inputs broadcast to it (NumPy rules). Reduced outputs fold its last `inner` elements
 * (the product of the trailing axes) into one; inner is 1 when nothing is reduced.
 */
export interface Chain {
  readonly inputs: number;
  readonly shape: Shape;
  readonly inner: number;
  readonly instructions: readonly ChainInstruction[];
  readonly outputs: readonly ChainOutput[];
}

const MICRO_INDEX = new Map(MICRO_OPS.map((m, i) => [m.name, i]));

const LANE: Record<DType, "f32" | "i32"> = { float32: "f32", int32: "i32", bool: "i32", uint8: "i32" };

/** The micro-op an elementwise op stands for on these types; undefined when there is none. */
export function microName(op: string, inputs: readonly TensorType[], output: TensorType): string | undefined {
  const from = inputs[0]!.dtype;
  const lane = LANE[from];
  if (op === "cast") {
    const to = output.dtype;
    if (from === to || (to === "int32" && lane === "i32") || (to === "uint8" && from === "bool"))
      return "copy";
    if (to === "float32") return "cast_i32_f32";
    return `cast_${lane}_${to === "int32" ? "i32" : to === "bool" ? "bool" : "u8"}`;
  }
  if (op === "broadcastTo") return "copy";
  if (op === "bitsToUniform") return "bitsToUniform_f32";
  return [op, `${op}_${lane}`].find((name) => MICRO_INDEX.has(name));
}

/** Whether a node can be one instruction of a chain. */
export function isChainNode(node: Node): boolean {
  return (
    node.op.kind === "elementwise" && microName(node.op.name, node.inputs, node.outputs[0]!) !== undefined
  );
}

/** Whether a node is a reduction a chain may end with. Whether its axes are trailing is for the caller to know. */
export function isChainReduction(node: Node): boolean {
  return CHAIN_REDUCTIONS.indexOf(node.op.name as (typeof CHAIN_REDUCTIONS)[number]) > 0;
}

function microIndex(op: string, inputs: readonly TensorType[], output: TensorType): number {
  const name = microName(op, inputs, output);
  if (name === undefined)
    throw internal(`chain: ${op} on ${inputs.map(formatType).join(", ")} has no micro-op`);
  return MICRO_INDEX.get(name)!;
}

/** The chain of one elementwise op standing alone. */
export function chainOfOne(op: string, inputs: readonly TensorType[], output: TensorType): Chain {
  const instruction = { micro: microIndex(op, inputs, output), operands: inputs.map((_, i) => i) };
  return {
    inputs: inputs.length,
    shape: output.shape,
    inner: 1,
    instructions: [instruction],
    outputs: [{ value: inputs.length, reduction: 0 }],
  };
}

/** Flattens a body graph. `shape` is the iteration space. */
export function chainOf(body: Graph, shape: Shape): Chain {
  const index = new Map<Value, number>(body.inputs.map((v, i) => [v, i]));
  const instructions: ChainInstruction[] = [];
  const reductions = new Map<Value, ChainOutput>();
  let inner = 1;
  for (const node of body.nodes) {
    const reduction = CHAIN_REDUCTIONS.indexOf(node.op.name as (typeof CHAIN_REDUCTIONS)[number]);
    if (reduction > 0) {
      inner = sizeOf(shape.slice(node.attrs.begin as number));
      reductions.set(node.outputs[0]!, { value: index.get(node.inputs[0]!)!, reduction });
      continue;
    }
    index.set(node.outputs[0]!, body.inputs.length + instructions.length);
    instructions.push({
      micro: microIndex(node.op.name, node.inputs, node.outputs[0]!),
      operands: node.inputs.map((v) => index.get(v)!),
    });
  }
  const outputs = body.outputs.map((v) => reductions.get(v) ?? { value: index.get(v)!, reduction: 0 });
  return { inputs: body.inputs.length, shape, inner, instructions, outputs };
}
