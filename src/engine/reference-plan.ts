// A Program made ready for plain evaluation: one flat list of calls of `op.evaluate`, fused bodies and epilogues taken
// apart, every operand an address. Checks the Program too: what gets past here does not go wrong by itself.

import { BYTES, type DType } from "../core/dtype.ts";
import { MyelinError } from "../core/errors.ts";
import { formatType, sameType, sizeOf, type TensorType } from "../core/shape.ts";
import { type EvaluateContext, type Graph, inferTypes, type Op, type Value } from "../graph/graph.ts";
import { copy } from "../program/copy.ts";
import { type Lifetime, planMemory } from "../program/memory.ts";
import type { Program, ProgramTensor, Space, Step } from "../program/program.ts";

/** Where an operand lies. `at` is a slot in the bound space, a byte offset (of float32 storage) elsewhere. */
export interface Operand {
  readonly space: Space;
  readonly at: number;
  readonly dtype: DType;
  readonly length: number;
}

/** One evaluation. */
export interface PlannedCall {
  readonly op: Op;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly context: EvaluateContext;
  readonly where: string;
  /** Rough work in elements touched, to decide when to look at the clock. */
  readonly cost: number;
}

export interface Plan {
  readonly calls: readonly PlannedCall[];
  /** Scratch of the Program and, above it, temporaries of single steps. */
  readonly arenaBytes: number;
}

/** Ops that touch each element many times over. */
const PRODUCTS = new Set(["matmul", "conv", "convInputGrad", "convKernelGrad"]);

/** Flattens and checks a Program. Throws INVALID_PROGRAM naming the step. */
export function planCalls(program: Program): Plan {
  program.tensors.forEach((t, i) => {
    checkTensor(program, t, i);
  });
  const operands = program.tensors.map(operandOf);
  const calls: PlannedCall[] = [];
  let scratch = 0;
  program.steps.forEach((step, s) => {
    checkStep(program, step, s);
    const planner = new StepPlanner(step, operands, program, calls);
    scratch = Math.max(scratch, planner.plan());
  });
  return { calls, arenaBytes: program.arenaBytes + scratch };
}

function invalid(what: string): MyelinError {
  return new MyelinError("INVALID_PROGRAM", `load: ${what}`);
}

function checkTensor(program: Program, t: ProgramTensor, i: number): void {
  const room = roomOf(program, t.space);
  if (t.space === "bound") {
    const slot = program.slots[t.slot];
    if (!slot || slot.type.dtype !== t.dtype || sizeOf(slot.type.shape) !== sizeOf(t.shape)) {
      throw invalid(`tensor ${i}: expected the type of slot ${t.slot}, got ${formatType(t)}`);
    }
  } else if (
    !Number.isInteger(t.offset) ||
    t.offset < 0 ||
    t.offset % 4 !== 0 ||
    t.offset + bytesOf(t) > room
  ) {
    throw invalid(`tensor ${i}: ${formatType(t)} at ${t.offset} does not fit the ${room} bytes of its space`);
  }
}

function roomOf(program: Program, space: Space): number {
  if (space === "prepared") return program.preparedBytes;
  return space === "arena" ? program.arenaBytes : program.constants.length;
}

function checkStep(program: Program, step: Step, s: number): void {
  for (const t of [...step.inputs, ...step.outputs]) {
    if (!program.tensors[t]) throw invalid(`step ${s} (${step.op.name}): no tensor ${t}`);
  }
  const outputs = step.outputs.map((t) => program.tensors[t]!);
  if (outputs.some((t) => t.space === "constant"))
    throw invalid(`step ${s} (${step.op.name}) writes a constant`);
  const inputs = step.inputs.map((t) => program.tensors[t]!);
  const types = inferTypes(step.op, inputs, step.attrs, step.where);
  if (types.length !== outputs.length || !types.every((t, i) => sameType(t, outputs[i]!))) {
    const text = (list: readonly TensorType[]): string => list.map(formatType).join(", ");
    throw invalid(`step ${s} (${step.op.name}): expected outputs ${text(types)}, got ${text(outputs)}`);
  }
}

/** Makes the calls of one step; its temporaries lie above the Program's own scratch. */
class StepPlanner {
  private readonly inputs: readonly Operand[];
  private readonly outputs: readonly Operand[];
  private readonly blocks: Lifetime[] = [];
  private readonly temporaries: { operand: Mutable<Operand>; block: Mutable<Lifetime> }[] = [];
  private clock = 0;

  constructor(
    private readonly step: Step,
    operands: readonly Operand[],
    private readonly program: Program,
    private readonly calls: PlannedCall[],
  ) {
    this.inputs = step.inputs.map((t) => operands[t]!);
    this.outputs = step.outputs.map((t) => operands[t]!);
  }

  /** @returns bytes of temporaries */
  plan(): number {
    const { op, attrs } = this.step;
    const body = attrs.body as Graph | undefined;
    if (body === undefined) {
      this.direct();
    } else if (op.name === "fused") {
      this.body(body, this.inputs);
    } else {
      // An epilogue: the op's own result, then the body on it and on the inputs the op itself does not take.
      const own = this.inputs.length - (body.inputs.length - 1);
      const product = this.temporary(body.inputs[0]!);
      const inputTypes = this.step.inputs.slice(0, own).map((t) => this.program.tensors[t]!);
      const context = { attrs: { ...attrs, body: undefined }, inputTypes, outputTypes: [body.inputs[0]!] };
      this.call(op, this.inputs.slice(0, own), [product], context, this.step.where);
      this.body(body, [product, ...this.inputs.slice(own)]);
    }
    const plan = planMemory(this.blocks);
    this.temporaries.forEach((t, i) => {
      t.operand.at = this.program.arenaBytes + plan.offsets[i]!;
    });
    return plan.bytes;
  }

  private direct(): void {
    const inputTypes = this.step.inputs.map((t) => this.program.tensors[t]!);
    const outputTypes = this.step.outputs.map((t) => this.program.tensors[t]!);
    // Evaluations may not write over what they read; such outputs go through a temporary.
    const targets = this.outputs.map((o, i) => (this.isRead(o) ? this.temporary(outputTypes[i]!) : o));
    this.call(
      this.step.op,
      this.inputs,
      targets,
      { attrs: this.step.attrs, inputTypes, outputTypes },
      this.step.where,
    );
    this.outputs.forEach((o, i) => {
      if (targets[i] !== o) this.copy(targets[i]!, o, outputTypes[i]!);
    });
  }

  private body(body: Graph, inputs: readonly Operand[]): void {
    const at = new Map<Value, Operand>(body.inputs.map((v, i) => [v, inputs[i]!]));
    for (const node of body.nodes) {
      const outputs = node.outputs.map((v) => {
        const o = body.outputs.indexOf(v);
        const operand = o >= 0 && !this.isRead(this.outputs[o]!) ? this.outputs[o]! : this.temporary(v);
        at.set(v, operand);
        return operand;
      });
      const context = { attrs: node.attrs, inputTypes: node.inputs, outputTypes: node.outputs };
      this.call(node.op, node.inputs.map((v) => at.get(v)!), outputs, context, node.where || this.step.where); // biome-ignore format: one call
    }
    body.outputs.forEach((v, o) => {
      if (at.get(v) !== this.outputs[o]) this.copy(at.get(v)!, this.outputs[o]!, v);
    });
  }

  private isRead(operand: Operand): boolean {
    return this.inputs.some((i) => overlap(i, operand));
  }

  private call(
    op: Op,
    inputs: readonly Operand[],
    outputs: readonly Operand[],
    context: EvaluateContext,
    where: string,
  ): void {
    if (!op.evaluate) throw invalid(`${op.name} has no plain evaluation`);
    this.clock++;
    for (const t of this.temporaries) if (inputs.includes(t.operand)) t.block.last = this.clock;
    for (const t of this.temporaries)
      if (outputs.includes(t.operand)) t.block.last = Math.max(t.block.last, this.clock);
    const elements = [...inputs, ...outputs].reduce((sum, o) => sum + o.length, 0);
    const cost = PRODUCTS.has(op.name) ? elements * 64 : elements;
    this.calls.push({ op, inputs, outputs, context, where, cost });
  }

  private copy(from: Operand, to: Operand, type: TensorType): void {
    this.call(copy, [from], [to], { attrs: {}, inputTypes: [type], outputTypes: [type] }, this.step.where);
  }

  private temporary(type: TensorType): Operand {
    const operand = { space: "arena" as const, at: 0, dtype: type.dtype, length: sizeOf(type.shape) };
    const block = { bytes: bytesOf(type), first: this.clock + 1, last: this.clock + 1 };
    this.blocks.push(block);
    this.temporaries.push({ operand, block });
    return operand;
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function operandOf(t: ProgramTensor): Operand {
  return {
    space: t.space,
    at: t.space === "bound" ? t.slot : t.offset,
    dtype: t.dtype,
    length: sizeOf(t.shape),
  };
}

function overlap(a: Operand, b: Operand): boolean {
  if (a.space !== b.space) return false;
  if (a.space === "bound") return a.at === b.at;
  return a.at < b.at + b.length * BYTES[b.dtype] && b.at < a.at + a.length * BYTES[a.dtype];
}

function bytesOf(type: TensorType): number {
  return sizeOf(type.shape) * BYTES[type.dtype];
}
