// The plain recurrent network: output = state = activation(x kernel + state recurrentKernel + bias).

import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { add, simpleRnn as simpleRnnOp } from "../ops/index.ts";
import { cellOptions, GatedRnn, type GatedRnnOptions } from "./gated-rnn.ts";
import type { GivesList } from "./gives-list.ts";
import type { CallContext } from "./layer.ts";
import { labelOf } from "./options.ts";
import { RECURRENT_OPTIONS } from "./rnn.ts";
import {
  GATED_CELL_OPTIONS,
  GatedCell,
  type GatedCellOptions,
  type SequenceResult,
  type SequenceRun,
} from "./rnn-cell.ts";

export type SimpleRnnCellOptions = GatedCellOptions;
export type SimpleRnnOptions = GatedRnnOptions;

/** Weights: kernel [inputs, units], recurrentKernel [units, units], bias [units]. */
export class SimpleRnnCell extends GatedCell {
  static readonly className = "SimpleRnnCell";
  protected readonly gates = 1;

  constructor(options: SimpleRnnCellOptions, where = labelOf("simpleRnnCell", options)) {
    super(where, checkOptions(where, options, GATED_CELL_OPTIONS));
  }

  override get stateSize(): number {
    return this.units;
  }

  override call(x: readonly Value[], context: CallContext): readonly Value[] {
    return this.step(x, context, () => {
      const own = this.product(x[0]!, this.kernel, "inputs");
      const states = this.product(x[1]!, this.recurrentKernel, "states");
      const next = this.activate(add(this.bias ? add(own, this.bias) : own, states));
      return [next, next];
    });
  }

  override sequence(
    x: Value,
    states: readonly Value[],
    run: SequenceRun,
    context: CallContext,
  ): SequenceResult | undefined {
    if (this.isStepwise(context)) return undefined;
    const product = this.project(x);
    const { outputs, state } = simpleRnnOp(
      this.bias ? add(product, this.bias) : product,
      this.recurrentKernel,
      {
        ...run,
        initialState: states[0]!,
      },
    );
    return { outputs, last: state, states: [state] };
  }
}

/** One step of a plain recurrent network, for `layers.rnn`. */
export function simpleRnnCell(options: SimpleRnnCellOptions): SimpleRnnCell {
  return new SimpleRnnCell(options);
}

export class SimpleRnn extends GatedRnn<SimpleRnnCell> {
  static override readonly className = "SimpleRnn";
  constructor(options: SimpleRnnOptions) {
    const where = labelOf("simpleRnn", options);
    const given = checkOptions(where, options, [...GATED_CELL_OPTIONS, ...RECURRENT_OPTIONS]);
    super({ ...given, cell: new SimpleRnnCell(cellOptions(given, "simpleRnnCell"), where) }, where);
  }
}

/**
 * A plain recurrent network: [batch, steps, features] -> [batch, units], or [batch, steps, units] with `returnSequences`.
 * An initial state comes in a list: `layer.apply([x, state])`.
 */
export function simpleRnn(options: SimpleRnnOptions & { returnState: true }): GivesList<2> & SimpleRnn;
export function simpleRnn(options: SimpleRnnOptions): SimpleRnn;
export function simpleRnn(options: SimpleRnnOptions): SimpleRnn {
  return new SimpleRnn(options);
}
