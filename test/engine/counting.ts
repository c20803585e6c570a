// Programs built by hand, for tests of engines below lowering. They count: each step adds one to int32 states [1, n]
// by a cumulative sum, so that a state says how many whole steps have been through it.

import type { DType } from "../../src/core/dtype.ts";
import type { Shape } from "../../src/core/shape.ts";
import type { DeviceBuffer, Engine } from "../../src/engine/engine.ts";
import type { Attrs, Op } from "../../src/graph/graph.ts";
import type { Access, Program, ProgramTensor, Slot, Step } from "../../src/program/program.ts";

const op = (name: string): Op => ({ name, kind: "primitive", infer: () => [] });

/** Collects slots, tensors and steps; methods return tensor indices. */
export class HandBuilt {
  readonly slots: Slot[] = [];
  readonly tensors: ProgramTensor[] = [];
  readonly steps: Step[] = [];
  arenaBytes = 0;
  preparedBytes = 0;
  preparation = 0;

  slot(dtype: DType, shape: Shape, access: Access): number {
    this.slots.push({ type: { dtype, shape }, access });
    return this.tensor({ dtype, shape, space: "bound", slot: this.slots.length - 1, offset: 0 });
  }
  arena(dtype: DType, shape: Shape): number {
    const offset = this.arenaBytes;
    this.arenaBytes += Math.ceil((shape.reduce((p, d) => p * d, 1) * 4) / 64) * 64;
    return this.tensor({ dtype, shape, space: "arena", slot: 0, offset });
  }
  prepared(dtype: DType, shape: Shape): number {
    const offset = this.preparedBytes;
    this.preparedBytes += Math.ceil((shape.reduce((p, d) => p * d, 1) * 4) / 64) * 64;
    return this.tensor({ dtype, shape, space: "prepared", slot: 0, offset });
  }
  tensor(tensor: ProgramTensor): number {
    return this.tensors.push(tensor) - 1;
  }
  step(name: string, inputs: number[], outputs: number[], attrs: Attrs = {}, where = ""): this {
    this.steps.push({ op: op(name), attrs, inputs, outputs, where });
    return this;
  }
  program(constants = new Uint8Array(0)): Program {
    const { slots, tensors, steps, preparation, preparedBytes, arenaBytes } = this;
    return { slots, tensors, steps, preparation, preparedBytes, arenaBytes, constants };
  }
}

/** Adds one to each of `states` counters in turn, with `work` elements sorted between. */
export function countingProgram(states = 1, work = 0): Program {
  const p = new HandBuilt();
  for (let i = 0; i < states; i++) {
    const state = p.slot("int32", [2], "readwrite");
    const sum = p.arena("int32", [2]);
    p.step("cumsum", [state], [sum], { axis: 0, exclusive: false, reverse: false });
    if (work > 0) {
      const list = p.arena("int32", [work]);
      p.step("iota", [], [list]);
      const outputs = [p.arena("int32", [work]), p.arena("int32", [work])];
      p.step("sort", [list], outputs, { axis: 0, descending: true });
    }
    p.step("slice", [sum], [state], { begin: [0], step: [1] });
  }
  return p.program();
}

/** out = x, both int32 [2]. */
export function copyProgram(): Program {
  const p = new HandBuilt();
  const x = p.slot("int32", [2], "read");
  const out = p.slot("int32", [2], "write");
  return p.step("slice", [x], [out], { begin: [0], step: [1] }).program();
}

/** A row of x by index, after a count, so that a failing step has a step before it. */
export function gatherProgram(where = "encoder/lookup"): Program {
  const p = new HandBuilt();
  const state = p.slot("int32", [2], "readwrite");
  const x = p.slot("float32", [3], "read");
  const indices = p.slot("int32", [2], "read");
  const out = p.slot("float32", [2], "write");
  const sum = p.arena("int32", [2]);
  p.step("cumsum", [state], [sum], { axis: 0, exclusive: false, reverse: false });
  p.step("slice", [sum], [state], { begin: [0], step: [1] });
  return p.step("gather", [x, indices], [out], { axis: 0 }, where).program();
}

export function counter(engine: Engine): DeviceBuffer {
  const buffer = engine.allocate({ dtype: "int32", shape: [2] });
  engine.write(buffer, Int32Array.of(1, 0));
  return buffer;
}

export function countOf(engine: Engine, buffer: DeviceBuffer): number {
  const words = new Int32Array(2);
  engine.read(buffer, words);
  return words[1]!;
}
