// ConvLSTM layers: an LSTM over sequences of images, [batch, steps, *spatial, channels], with one to three spatial axes. Its cell
// is in conv-lstm-cell.ts.

import { checkOptions } from "../core/options.ts";
import { CONV_LSTM_CELL_OPTIONS, ConvLstmCell, type ConvLstmCellOptions } from "./conv-lstm-cell.ts";
import { cellOptions, GatedRnn } from "./gated-rnn.ts";
import type { GivesList } from "./gives-list.ts";
import { labelOf } from "./options.ts";
import { RECURRENT_OPTIONS, type RecurrentOptions } from "./rnn.ts";

export interface ConvLstmOptions extends ConvLstmCellOptions, RecurrentOptions {}

abstract class ConvLstm extends GatedRnn<ConvLstmCell> {
  constructor(factory: string, axes: number, options: ConvLstmOptions) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [...CONV_LSTM_CELL_OPTIONS, ...RECURRENT_OPTIONS]);
    super({ ...given, cell: new ConvLstmCell(where, axes, cellOptions(given, "convLstmCell")) }, where);
  }

  get filters(): number {
    return this.cell.units;
  }
}

export class ConvLstm1D extends ConvLstm {
  static override readonly className = "ConvLstm1D";
  constructor(options: ConvLstmOptions) {
    super("convLstm1d", 1, options);
  }
}

export class ConvLstm2D extends ConvLstm {
  static override readonly className = "ConvLstm2D";
  constructor(options: ConvLstmOptions) {
    super("convLstm2d", 2, options);
  }
}

export class ConvLstm3D extends ConvLstm {
  static override readonly className = "ConvLstm3D";
  constructor(options: ConvLstmOptions) {
    super("convLstm3d", 3, options);
  }
}

/**
 * LSTM over sequences of rows: [batch, steps, length, channels] -> [batch, length', filters], or [batch, steps, length',
 * filters] with `returnSequences`. Steps are traced one by one: compile time grows with their number.
 */
export function convLstm1d(options: ConvLstmOptions & { returnState: true }): GivesList<3> & ConvLstm1D;
export function convLstm1d(options: ConvLstmOptions): ConvLstm1D;
export function convLstm1d(options: ConvLstmOptions): ConvLstm1D {
  return new ConvLstm1D(options);
}

/**
 * LSTM over sequences of images: [batch, steps, height, width, channels] -> [batch, height', width', filters], or [batch,
 * steps, height', width', filters] with `returnSequences`. Initial states come as a list: `layer.apply([x, h, c])`.
 * @example layers.convLstm2d({ filters: 16, kernelSize: 3, padding: "same", returnSequences: true, inputShape: [10, 32, 32, 1] })
 */
export function convLstm2d(options: ConvLstmOptions & { returnState: true }): GivesList<3> & ConvLstm2D;
export function convLstm2d(options: ConvLstmOptions): ConvLstm2D;
export function convLstm2d(options: ConvLstmOptions): ConvLstm2D {
  return new ConvLstm2D(options);
}

/** LSTM over sequences of volumes: [batch, steps, depth, height, width, channels] -> [batch, depth', height', width', filters]. */
export function convLstm3d(options: ConvLstmOptions & { returnState: true }): GivesList<3> & ConvLstm3D;
export function convLstm3d(options: ConvLstmOptions): ConvLstm3D;
export function convLstm3d(options: ConvLstmOptions): ConvLstm3D {
  return new ConvLstm3D(options);
}
