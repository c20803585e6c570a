// A Program: the graph in order with addresses added. Flat data that can be printed, hashed, encoded and sent to either engine.

import type { TensorType } from "../core/shape.ts";
import type { Attrs, Op } from "../graph/graph.ts";

/**
 * arena: scratch, by byte offset. bound: a buffer given at each run, by slot. constant: the Program's own data, by byte
 * offset. prepared: what the first steps made of slots that seldom change, by byte offset; it outlives the run.
 */
export type Space = "arena" | "bound" | "constant" | "prepared";

export interface ProgramTensor extends TensorType {
  readonly space: Space;
  /** Bound slot; 0 in the other spaces. */
  readonly slot: number;
  /** Bytes from the start of its space, a multiple of ALIGNMENT; 0 for bound tensors. */
  readonly offset: number;
}

/** What a run does to a bound buffer. steady: it is read, and seldom changes between runs. */
export type Access = "read" | "write" | "readwrite" | "steady";

export interface Slot {
  readonly type: TensorType;
  readonly access: Access;
}

export interface Step {
  readonly op: Op;
  readonly attrs: Attrs;
  /** Indices into `tensors`. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly where: string;
}

/**
 * Slots are in the order of the graph: its inputs (arguments, then variables), then the outputs that are plain results.
 * An output that updates an input has no slot of its own.
 *
 * The first `preparation` steps read slots that are only read, constants and what they made themselves, and write scratch
 * and the prepared space. An engine need not run them again before one of the slots they read has been written.
 */
export interface Program {
  readonly slots: readonly Slot[];
  readonly tensors: readonly ProgramTensor[];
  readonly steps: readonly Step[];
  /** How many of the steps are preparation. */
  readonly preparation: number;
  readonly preparedBytes: number;
  readonly arenaBytes: number;
  readonly constants: Uint8Array;
}

/** Tensors outside of the bound space start at multiples of this many bytes: one cache line, one AVX-512 vector. */
export const ALIGNMENT = 64;
