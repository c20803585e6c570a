// A Program: the graph in order with addresses added. Flat data that can be printed, hashed, encoded and sent to either engine.

import type { TensorType } from "../core/shape.ts";
import type { Attrs, Op } from "../graph/graph.ts";

/** arena: scratch, by byte offset. bound: a buffer given at each run, by slot. constant: the Program's own data, by byte offset. */
export type Space = "arena" | "bound" | "constant";

export interface ProgramTensor extends TensorType {
  readonly space: Space;
  /** Bound slot; 0 in the other spaces. */
  readonly slot: number;
  /** Bytes from the start of the arena or of the constants, a multiple of ALIGNMENT; 0 for bound tensors. */
  readonly offset: number;
}

/** What a run does to a bound buffer. */
export type Access = "read" | "write" | "readwrite";

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
 */
export interface Program {
  readonly slots: readonly Slot[];
  readonly tensors: readonly ProgramTensor[];
  readonly steps: readonly Step[];
  readonly arenaBytes: number;
  readonly constants: Uint8Array;
}

/** Tensors in the arena and among the constants start at multiples of this many bytes: one cache line, one AVX-512 vector. */
export const ALIGNMENT = 64;
