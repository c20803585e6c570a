// The sums behind a loss and metrics while batches go by. They live in Variables and grow inside the Program, so that
// nothing leaves it per batch; the host reads them when somebody wants to know, and makes numbers of them.

import { type Tensor, tensor } from "../core/tensor.ts";
import { Value } from "../graph/graph.ts";
import { assignVariable, readVariable } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import type { Amounts } from "../metrics/index.ts";
import * as ops from "../ops/index.ts";
import type { Direction, Logs } from "./callback.ts";

/** One logged number: what a batch adds to its sums, and how it follows from them. */
export interface Tracked {
  readonly name: string;
  readonly direction: Direction;
  readonly amounts: Amounts;
  result(sums: ArrayLike<number>): number;
}

interface Entry {
  readonly name: string;
  readonly direction: Direction;
  result(sums: ArrayLike<number>): number;
  /** Where its sums are among the packed scalars; size 0: in a vector of its own. */
  readonly at: number;
  readonly size: number;
}

/** How the sums of a set of tracked numbers are laid out, and what follows from them. */
export class Ledger {
  private entries: readonly Entry[] | undefined;
  private packed = 0;

  /** In a trace: what this batch adds, as few Values: all scalars in one, then those that are vectors. */
  amounts(tracked: readonly Tracked[]): Value[] {
    this.entries ??= this.layOut(tracked);
    const scalars: (Value | number)[] = [];
    const vectors: Value[] = [];
    for (const { amounts } of tracked) {
      if (amounts instanceof Value) vectors.push(ops.cast(amounts, "float32"));
      else scalars.push(...amounts);
    }
    return scalars.length > 0 ? [pack(scalars), ...vectors] : vectors;
  }

  /** Names that logs will have, with their directions. */
  get names(): ReadonlyMap<string, Direction> {
    return new Map(this.entries?.map((e) => [e.name, e.direction]));
  }

  /** The numbers, from the sums of `amounts`. */
  logs(sums: readonly ArrayLike<number>[]): Logs {
    const logs: Logs = {};
    let next = this.packed > 0 ? 1 : 0;
    for (const { name, result, at, size } of this.entries ?? []) {
      const own = size === 0 ? sums[next++]! : Array.prototype.slice.call(sums[0], at, at + size);
      logs[name] = result(own);
    }
    return logs;
  }

  private layOut(tracked: readonly Tracked[]): Entry[] {
    return tracked.map(({ name, direction, amounts, result }) => {
      const size = amounts instanceof Value ? 0 : amounts.length;
      const entry = { name, direction, result, at: this.packed, size };
      this.packed += size;
      return entry;
    });
  }
}

/** Sums that grow while batches go by. Scalars share one Variable: a tiny model's step has one more chain, not ten. */
export class Totals {
  private readonly ledger = new Ledger();
  /** What the sums are in, to be read or watched; empty before the first trace. */
  variables: readonly Variable[] = [];

  /**
   * In a trace: adds what this batch brings.
   * @param isFirst whether the sums start anew with this batch; a bool scalar when that depends on the run
   */
  add(tracked: readonly Tracked[], isFirst: Value | boolean): void {
    const amounts = this.ledger.amounts(tracked);
    if (this.variables.length === 0) {
      this.variables = amounts.map(
        (a, i) => new Variable(a.shape, "float32", { name: `sums/${i}`, trainable: false }),
      );
    }
    amounts.forEach((amount, i) => {
      grow(this.variables[i]!, amount, isFirst);
    });
  }

  get names(): ReadonlyMap<string, Direction> {
    return this.ledger.names;
  }

  /** The sums as they are. */
  read(): Tensor[] {
    return this.variables.map((v) => v.read());
  }

  /** Goes on from sums that `read` gave. */
  restore(sums: readonly Tensor[]): void {
    this.variables.forEach((v, i) => {
      v.write(sums[i]!);
    });
  }

  /** The numbers, from the present sums or from contents of `variables` at another time. */
  logs(contents: readonly ArrayLike<number>[] = this.variables.map((v) => v.read().data)): Logs {
    return this.ledger.logs(contents);
  }
}

function grow(variable: Variable, amount: Value, isFirst: Value | boolean): void {
  if (isFirst === true) {
    assignVariable(variable, amount);
    return;
  }
  const before = readVariable(variable);
  assignVariable(variable, ops.add(isFirst ? ops.where(isFirst, 0, before) : before, amount));
}

/**
 * Scalars side by side. Selections instead of a concatenation: they fuse into one chain with what follows, while a
 * concatenation of many single numbers is a step of its own. Selected, not multiplied by 0 and 1: NaN stays in its place.
 */
function pack(scalars: readonly (Value | number)[]): Value {
  const fixed = Float32Array.from(scalars, (s) => (s instanceof Value ? 0 : s));
  let packed = ops.constant(tensor(fixed));
  scalars.forEach((s, i) => {
    if (!(s instanceof Value)) return;
    const here = Uint8Array.from(scalars, (_, j) => Number(i === j));
    const mask = ops.constant(tensor(here, [scalars.length], "bool"));
    packed = ops.where(mask, ops.reshape(ops.cast(s, "float32"), []), packed);
  });
  return packed;
}
