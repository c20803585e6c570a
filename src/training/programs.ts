// The Programs of single batches and predictions that a model keeps: one per shape seen lately.

import type { Built } from "../compile.ts";
import type { Engine } from "../engine/engine.ts";
import type { Ledger } from "./totals.ts";

/** This many at most. */
const MAX_PROGRAMS = 64;
/** And the bytes they may hold of what they prepared from the weights, each its own. The last one may hold more. */
const MAX_PREPARED_BYTES = 256 * 2 ** 20;

/** A Program over one batch given as arguments, whose results are sums. */
export interface BatchProgram {
  readonly built: Built;
  readonly ledger: Ledger;
}

type Kept = BatchProgram | Built;

const builtOf = (p: Kept): Built => ("built" in p ? p.built : p);

/** Kept in order of use; the one unused for longest goes first. */
export class ProgramCache {
  private readonly programs = new Map<string, Kept>();

  /** The Program of this key on this engine, made when there is none. */
  get(key: string, engine: Engine, make: () => Kept): Kept {
    const kept = this.programs.get(key);
    const program = kept && builtOf(kept).engine === engine ? kept : make();
    this.programs.delete(key);
    this.programs.set(key, program);
    if (program !== kept) this.forgetOldest();
    return program;
  }

  clear(): void {
    this.programs.clear();
  }

  /** Frees what they hold now rather than when they are collected. */
  dispose(): void {
    for (const program of this.programs.values()) builtOf(program).dispose();
    this.clear();
  }

  private forgetOldest(): void {
    let prepared = [...this.programs.values()].reduce((sum, p) => sum + builtOf(p).preparedBytes, 0);
    for (const [key, program] of this.programs) {
      const { size } = this.programs;
      if (size === 1 || (size <= MAX_PROGRAMS && prepared <= MAX_PREPARED_BYTES)) return;
      this.programs.delete(key);
      prepared -= builtOf(program).preparedBytes;
    }
  }
}
