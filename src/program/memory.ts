// The memory plan: scratch tensors whose lifetimes do not meet may share addresses. Largest first, first fit: the big
// blocks settle the height of the arena, the small ones fill the gaps. Knows bytes and step numbers, nothing of tensors.

import { ALIGNMENT } from "./program.ts";

/** One block of scratch: needed from step `first` to step `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface MemoryPlan {
  /** Byte offset of each block, a multiple of ALIGNMENT. */
  readonly offsets: readonly number[];
  /** Height of the arena. */
  readonly bytes: number;
  /** What it would take if every block had its own place. */
  readonly naiveBytes: number;
}

/** Bytes a block really takes: whole cache lines, so that two tensors never share one. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

export function planMemory(blocks: readonly Lifetime[]): MemoryPlan {
  const offsets = new Array<number>(blocks.length).fill(0);
  const order = blocks.map((_, i) => i).sort((a, b) => blocks[b]!.bytes - blocks[a]!.bytes || a - b);
  const placed: number[] = []; // by offset
  let bytes = 0;
  let naiveBytes = 0;
  for (const i of order) {
    const block = blocks[i]!;
    const size = aligned(block.bytes);
    if (size === 0) continue;
    naiveBytes += size;
    let offset = 0;
    for (const j of placed) {
      const other = blocks[j]!;
      if (other.last < block.first || block.last < other.first) continue;
      if (offset + size <= offsets[j]!) break;
      offset = Math.max(offset, offsets[j]! + aligned(other.bytes));
    }
    offsets[i] = offset;
    bytes = Math.max(bytes, offset + size);
    let at = placed.length;
    while (at > 0 && offsets[placed[at - 1]!]! > offset) at--;
    placed.splice(at, 0, i);
  }
  return { offsets, bytes, naiveBytes };
}
