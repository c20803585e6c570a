// LSTM: a cell with gates for input, forgetting and output; its equations are in ops/lstm.ts.

import { checkBoolean, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Initializer } from "../initializers/initializer.ts";
import { add, lstm as lstmOp, multiply, split } from "../ops/index.ts";
import { cellOptions, GatedRnn, type GatedRnnOptions } from "./gated-rnn.ts";
import type { GivesList } from "./gives-list.ts";
import type { CallContext } from "./layer.ts";
import { labelOf } from "./options.ts";
import { RECURRENT_OPTIONS } from "./rnn.ts";
import {
  forgetBias,
  type GatedCellOptions,
  RECURRENT_ACTIVATION_OPTIONS,
  RecurrentActivationCell,
  type RecurrentActivationOptions,
  type SequenceResult,
  type SequenceRun,
} from "./rnn-cell.ts";

interface OwnOptions extends RecurrentActivationOptions {
  /** Start the forget gate's bias at 1, as Jozefowicz et al. recommend. Default true. */
  unitForgetBias?: boolean;
}

export interface LstmCellOptions extends GatedCellOptions, OwnOptions {}
export interface LstmOptions extends GatedRnnOptions, OwnOptions {}

const CELL_OPTIONS = [...RECURRENT_ACTIVATION_OPTIONS, "unitForgetBias"] as const;

/** Weights: kernel [inputs, 4 units], recurrentKernel [units, 4 units], bias [4 units]; gates i, f, c, o. States: h, c. */
export class LstmCell extends RecurrentActivationCell {
  static readonly className = "LstmCell";
  protected readonly gates = 4;
  readonly unitForgetBias: boolean;

  constructor(options: LstmCellOptions, where = labelOf("lstmCell", options)) {
    const given = checkOptions(where, options, CELL_OPTIONS);
    super(where, given);
    this.unitForgetBias = checkBoolean(where, "unitForgetBias", given.unitForgetBias ?? true);
  }

  override get stateSize(): readonly number[] {
    return [this.units, this.units];
  }

  protected override get biasInitializer(): Initializer {
    const others = this.initializers.biasInitializer;
    return this.unitForgetBias ? forgetBias(others, this.units) : others;
  }

  override call(x: readonly Value[], context: CallContext): readonly Value[] {
    return this.step(x, context, () => {
      const [inputs, h, c] = x as [Value, Value, Value];
      const own = this.product(inputs, this.kernel, "inputs");
      const z = add(own, this.product(h, this.recurrentKernel, "states"));
      const parts = split(this.bias ? add(z, this.bias) : z, 4, { axis: -1 });
      const [i, f, o] = [parts[0]!, parts[1]!, parts[3]!].map((p) => this.activateGate(p)) as [
        Value,
        Value,
        Value,
      ];
      const nextC = add(multiply(f, c), multiply(i, this.activate(parts[2]!)));
      const nextH = multiply(o, this.activate(nextC));
      return [nextH, nextH, nextC];
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
    const z = this.bias ? add(product, this.bias) : product;
    const initialState = [states[0]!, states[1]!] as const;
    const { outputs, state } = lstmOp(z, this.recurrentKernel, { ...run, initialState });
    return { outputs, last: state[0], states: state };
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), unitForgetBias: this.unitForgetBias };
  }
}

/** One step of an LSTM, for `layers.rnn`. */
export function lstmCell(options: LstmCellOptions): LstmCell {
  return new LstmCell(options);
}

export class Lstm extends GatedRnn<LstmCell> {
  static override readonly className = "Lstm";
  constructor(options: LstmOptions) {
    const where = labelOf("lstm", options);
    const given = checkOptions(where, options, [...CELL_OPTIONS, ...RECURRENT_OPTIONS]);
    super({ ...given, cell: new LstmCell(cellOptions(given, "lstmCell"), where) }, where);
  }
}

/**
 * Long short-term memory: [batch, steps, features] -> [batch, units], or [batch, steps, units] with `returnSequences`.
 * Initial states come as a list: `layer.apply([x, h, c])`. Another activation than the defaults, or `recurrentDropout` in
 * training, makes a graph of every step, which takes longer to compile and to run.
 * @example layers.lstm({ units: 128, returnSequences: true, inputShape: [100, 64] })
 */
export function lstm(options: LstmOptions & { returnState: true }): GivesList<3> & Lstm;
export function lstm(options: LstmOptions): Lstm;
export function lstm(options: LstmOptions): Lstm {
  return new Lstm(options);
}
