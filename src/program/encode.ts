// Program -> bytes for the native decoder. docs/program.md is the text of this format; native/program.cc reads it.
//
// int32 words, little endian:
//   magic, version, opcode hash, slots, tensors, steps, preparation steps,
//   arena bytes (low, high), constant bytes (low, high), prepared bytes (low, high)
//   per slot:   dtype, access (1 read, 2 write, 3 both, 5 steady), elements (low, high)
//   per tensor: space, slot, offset (low, high), dtype, rank, dims...
//   per step:   opcode, words that follow in this step, inputs, outputs, attribute words, input ids..., output ids..., attributes...
// A body: inputs, rank, dims..., inner (low, high), instructions, outputs,
//   per instruction: micro-op, operands (one to three words), per output: value, reduction.

import { internal } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Graph } from "../graph/graph.ts";
import { type Chain, chainOf, chainOfOne } from "./chain.ts";
import {
  DTYPE_IDS,
  MICRO_OPS,
  OPCODES,
  type Opcode,
  opcodeHash,
  PROGRAM_MAGIC,
  PROGRAM_VERSION,
  SPACE_IDS,
} from "./opcodes.ts";
import type { Program, Step } from "./program.ts";

const ACCESS_IDS = { read: 1, write: 2, readwrite: 3, steady: 5 } as const;
const OPCODE_INDEX = new Map(OPCODES.map((o, i) => [o.name, i]));

/** Whether the native engine has a kernel for this op name. */
export function hasOpcode(name: string): boolean {
  return OPCODE_INDEX.has(name);
}

export function encode(program: Program): Int32Array {
  const words: number[] = [
    PROGRAM_MAGIC,
    PROGRAM_VERSION,
    opcodeHash(),
    program.slots.length,
    program.tensors.length,
    program.steps.length,
    program.preparation,
  ];
  wide(words, program.arenaBytes);
  wide(words, program.constants.length);
  wide(words, program.preparedBytes);
  for (const slot of program.slots) {
    words.push(DTYPE_IDS[slot.type.dtype], ACCESS_IDS[slot.access]);
    wide(words, sizeOf(slot.type.shape));
  }
  for (const t of program.tensors) {
    words.push(SPACE_IDS[t.space], t.slot);
    wide(words, t.offset);
    words.push(DTYPE_IDS[t.dtype], t.shape.length, ...t.shape);
  }
  for (const step of program.steps) encodeStep(words, program, step);
  return Int32Array.from(words);
}

function wide(words: number[], value: number): void {
  words.push(value | 0, Math.floor(value / 2 ** 32) | 0);
}

function encodeStep(words: number[], program: Program, step: Step): void {
  const { name, attrs } = nativeForm(program, step);
  const id = OPCODE_INDEX.get(name);
  if (id === undefined) throw internal(`no opcode for ${name}`);
  const body: number[] = [];
  for (const [key, kind] of Object.entries((OPCODES[id] as Opcode).attrs)) encodeAttr(body, kind, attrs[key]);
  const rest = 3 + step.inputs.length + step.outputs.length + body.length;
  words.push(
    id,
    rest,
    step.inputs.length,
    step.outputs.length,
    body.length,
    ...step.inputs,
    ...step.outputs,
    ...body,
  );
}

/** Elementwise ops and fused steps share one opcode; the body of a product becomes a chain. */
function nativeForm(program: Program, step: Step): { name: string; attrs: Record<string, unknown> } {
  const types = step.inputs.map((t) => program.tensors[t]!);
  const output = program.tensors[step.outputs[0]!]!;
  if (step.op.kind === "elementwise")
    return { name: "elementwise", attrs: { body: chainOfOne(step.op.name, types, output) } };
  if (step.op.name === "fused")
    return {
      name: "elementwise",
      attrs: { body: chainOf(step.attrs.body as Graph, step.attrs.shape as number[]) },
    };
  if (step.op.takesBody && step.attrs.body) {
    const body = step.attrs.body as Graph;
    // A body iterates over the op's own result, its first input.
    return { name: step.op.name, attrs: { ...step.attrs, body: chainOf(body, body.inputs[0]!.shape) } };
  }
  return { name: step.op.name, attrs: step.attrs };
}

const floatWord = new Float32Array(1);
const floatBits = new Int32Array(floatWord.buffer);

function encodeAttr(words: number[], kind: string, value: unknown): void {
  if (kind === "int") words.push(value as number);
  else if (kind === "bool") words.push(value ? 1 : 0);
  else if (kind === "float") {
    floatWord[0] = value as number;
    words.push(floatBits[0]!);
  } else if (kind === "list") words.push((value as number[]).length, ...(value as number[]));
  else {
    if (kind === "body?") words.push(value ? 1 : 0);
    if (value) encodeChain(words, value as Chain);
  }
}

function encodeChain(words: number[], chain: Chain): void {
  words.push(chain.inputs, chain.shape.length, ...chain.shape);
  wide(words, chain.inner);
  words.push(chain.instructions.length, chain.outputs.length);
  for (const i of chain.instructions) {
    if (i.operands.length !== MICRO_OPS[i.micro]!.arity)
      throw internal(`micro-op ${MICRO_OPS[i.micro]!.name}: wrong arity`);
    words.push(i.micro, ...i.operands);
  }
  for (const o of chain.outputs) words.push(o.value, o.reduction);
}
