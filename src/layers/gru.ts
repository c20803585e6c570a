// GRU: a cell with gates for updating and resetting; its equations are in ops/gru.ts.

import { checkBoolean, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { add, gru as gruOp, matmul, multiply, reshape, sliceAxis, split, subtract } from "../ops/index.ts";
import { cellOptions, GatedRnn, type GatedRnnOptions } from "./gated-rnn.ts";
import type { GivesList } from "./gives-list.ts";
import type { CallContext } from "./layer.ts";
import { labelOf } from "./options.ts";
import { RECURRENT_OPTIONS } from "./rnn.ts";
import {
  type GatedCellOptions,
  RECURRENT_ACTIVATION_OPTIONS,
  RecurrentActivationCell,
  type RecurrentActivationOptions,
  type SequenceResult,
  type SequenceRun,
} from "./rnn-cell.ts";

interface OwnOptions extends RecurrentActivationOptions {
  /**
   * Whether the reset gate comes after the recurrent product, which then has a bias of its own (the second row), or before
   * it; before makes a graph of every step. Default true.
   */
  resetAfter?: boolean;
}

export interface GruCellOptions extends GatedCellOptions, OwnOptions {}
export interface GruOptions extends GatedRnnOptions, OwnOptions {}

const CELL_OPTIONS = [...RECURRENT_ACTIVATION_OPTIONS, "resetAfter"] as const;

/**
 * Weights: kernel [inputs, 3 units], recurrentKernel [units, 3 units], bias [2, 3 units] (of inputs and of states), or
 * [3 units] with `resetAfter: false`; gates z, r, h.
 */
export class GruCell extends RecurrentActivationCell {
  static readonly className = "GruCell";
  protected readonly gates = 3;
  readonly resetAfter: boolean;

  constructor(options: GruCellOptions, where = labelOf("gruCell", options)) {
    const given = checkOptions(where, options, CELL_OPTIONS);
    super(where, given);
    this.resetAfter = checkBoolean(where, "resetAfter", given.resetAfter ?? true);
  }

  override get stateSize(): number {
    return this.units;
  }

  protected override get biasShape(): number[] {
    return this.resetAfter ? [2, 3 * this.units] : [3 * this.units];
  }

  /** The bias of the inputs, and that of the states where there is one. */
  private biases(): readonly [Value | undefined, Value | undefined] {
    if (!this.bias) return [undefined, undefined];
    const row = (i: number) =>
      reshape(this.resetAfter ? sliceAxis(this.bias!, 0, i, i + 1) : this.bias!, [-1]);
    return [row(0), this.resetAfter ? row(1) : undefined];
  }

  override call(x: readonly Value[], context: CallContext): readonly Value[] {
    return this.step(x, context, () => {
      const [inputs, h] = x as [Value, Value];
      const [bias, recurrentBias] = this.biases();
      const product = this.product(inputs, this.kernel, "inputs");
      const [xz, xr, xh] = split(bias ? add(product, bias) : product, 3, { axis: -1 });
      const [z, inner] = this.resetAfter
        ? this.resetsAfter(h, xz!, xr!, recurrentBias)
        : this.resetsBefore(h, xz!, xr!);
      const candidate = this.activate(add(xh!, inner));
      const next = add(multiply(z, h), multiply(subtract(1, z), candidate));
      return [next, next];
    });
  }

  private resetsAfter(h: Value, xz: Value, xr: Value, bias: Value | undefined): [Value, Value] {
    const product = this.product(h, this.recurrentKernel, "states");
    const [mz, mr, mh] = split(bias ? add(product, bias) : product, 3, { axis: -1 });
    const [z, r] = [this.activateGate(add(xz, mz!)), this.activateGate(add(xr, mr!))];
    return [z, multiply(r, mh!)];
  }

  private resetsBefore(h: Value, xz: Value, xr: Value): [Value, Value] {
    const [hz, hr, hh] = this.dropped(h);
    const [kz, kr, kh] = split(this.recurrentKernel, 3, { axis: 1 });
    const [z, r] = [
      this.activateGate(add(xz, matmul(hz!, kz!))),
      this.activateGate(add(xr, matmul(hr!, kr!))),
    ];
    return [z, matmul(multiply(r, hh!), kh!)];
  }

  override sequence(
    x: Value,
    states: readonly Value[],
    run: SequenceRun,
    context: CallContext,
  ): SequenceResult | undefined {
    if (!this.resetAfter || this.isStepwise(context)) return undefined;
    const [bias, recurrentBias] = this.biases();
    const product = this.project(x);
    const { outputs, state } = gruOp(bias ? add(product, bias) : product, this.recurrentKernel, {
      ...run,
      recurrentBias,
      initialState: states[0]!,
    });
    return { outputs, last: state, states: [state] };
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), resetAfter: this.resetAfter };
  }
}

/** One step of a GRU, for `layers.rnn`. */
export function gruCell(options: GruCellOptions): GruCell {
  return new GruCell(options);
}

export class Gru extends GatedRnn<GruCell> {
  static override readonly className = "Gru";
  constructor(options: GruOptions) {
    const where = labelOf("gru", options);
    const given = checkOptions(where, options, [...CELL_OPTIONS, ...RECURRENT_OPTIONS]);
    super({ ...given, cell: new GruCell(cellOptions(given, "gruCell"), where) }, where);
  }
}

/**
 * Gated recurrent units: [batch, steps, features] -> [batch, units], or [batch, steps, units] with `returnSequences`.
 * An initial state comes in a list: `layer.apply([x, state])`. Another activation than the defaults, `resetAfter: false`,
 * or `recurrentDropout` in training, makes a graph of every step, which takes longer to compile and to run.
 * @example layers.bidirectional({ layer: layers.gru({ units: 64 }) })
 */
export function gru(options: GruOptions & { returnState: true }): GivesList<2> & Gru;
export function gru(options: GruOptions): Gru;
export function gru(options: GruOptions): Gru {
  return new Gru(options);
}
