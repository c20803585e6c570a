// Several cells as one: each takes the output of the one before as its input.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { type CallContext, LAYER_OPTIONS, type Layer, type LayerOptions } from "./layer.ts";
import type { Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import type { LayerConfig, LayerReader } from "./registry.ts";
import { RnnCell, type SequenceResult, type SequenceRun } from "./rnn-cell.ts";
import { type BatchShape, isBatchShape } from "./symbolic.ts";

export interface StackedRnnCellsOptions extends LayerOptions {
  /** From the input to the output. */
  cells: readonly RnnCell[];
}

export class StackedRnnCells extends RnnCell {
  static readonly className = "StackedRnnCells";
  readonly cells: readonly RnnCell[];

  constructor(options: StackedRnnCellsOptions) {
    const where = labelOf("stackedRnnCells", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "cells"]);
    super(given);
    const { cells } = given;
    if (!Array.isArray(cells) || cells.length === 0 || !cells.every((c) => c instanceof RnnCell)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected cells to be a list of at least one cell (a subclass of layers.RnnCell), got ${describe(cells)}`,
      );
    }
    this.cells = [...cells];
    this.adopt();
  }

  /** The states of all cells, one after another. */
  override get stateSize(): readonly number[] {
    return this.cells.flatMap((c) => c.stateSize);
  }

  override get outputSize(): number {
    return this.cells.at(-1)!.outputSize;
  }

  override build(shape: Nest<BatchShape>): void {
    let inputShape = isBatchShape(shape) ? shape : (shape as readonly BatchShape[])[0]!;
    for (const cell of this.cells) {
      if (!cell.built) cell.build(inputShape);
      inputShape = [inputShape[0]!, cell.outputSize];
    }
  }

  override call(x: readonly Value[], context: CallContext): readonly Value[] {
    let output = x[0]!;
    let at = 1;
    const states: Value[] = [];
    for (const cell of this.cells) {
      const count = [cell.stateSize].flat().length;
      const [next, ...after] = cell.apply<readonly Value[]>([output, ...x.slice(at, at + count)], context);
      output = next!;
      states.push(...after);
      at += count;
    }
    return [output, ...states];
  }

  override beginSequence(batch: number, features: number, context: CallContext): void {
    let width = features;
    for (const cell of this.cells) {
      cell.beginSequence(batch, width, context);
      width = cell.outputSize;
    }
  }

  override endSequence(): void {
    for (const cell of this.cells) cell.endSequence();
  }

  /** All steps of one cell after another, where every cell has an op for that. */
  override sequence(
    x: Value,
    states: readonly Value[],
    run: SequenceRun,
    context: CallContext,
  ): SequenceResult | undefined {
    let at = 0;
    let input = x;
    let last = x;
    const after: Value[] = [];
    for (const cell of this.cells) {
      const count = [cell.stateSize].flat().length;
      const result = cell.sequence(input, states.slice(at, at + count), run, context);
      if (!result) return undefined;
      input = result.outputs;
      last = result.last;
      after.push(...result.states);
      at += count;
    }
    return { outputs: input, last, states: after };
  }

  override getInitialState(batch: number): Value[] {
    return this.cells.flatMap((c) => c.getInitialState(batch));
  }

  override getConfig(): Record<string, unknown> {
    const cells = this.cells.map((c) => ({ className: c.className, config: c.getConfig() }));
    return { ...super.getConfig(), cells };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer {
    const { cells, ...options } = config as unknown as { cells: readonly LayerConfig[] };
    if (!Array.isArray(cells)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `stackedRnnCells configuration: expected cells to be a list, got ${describe(cells)}`,
      );
    }
    return new StackedRnnCells({ ...options, cells: cells.map((c) => read(c) as RnnCell) });
  }
}

/** Several cells as one, for `layers.rnn`. Its states are those of all cells, one after another. */
export function stackedRnnCells(options: StackedRnnCellsOptions): StackedRnnCells {
  return new StackedRnnCells(options);
}
