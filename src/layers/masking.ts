// Masking: steps that consist of one value alone do not count.

import { checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { any, expandDims, notEqual, where as select } from "../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { setMask } from "./mask.ts";
import { labelOf } from "./options.ts";
import { UnaryLayer } from "./unary.ts";

export interface MaskingOptions extends LayerOptions {
  /** A step all of whose elements equal it is masked. Default 0. */
  maskValue?: number;
}

export class Masking extends UnaryLayer {
  static readonly className = "Masking";
  readonly maskValue: number;
  constructor(options: MaskingOptions = {}) {
    const where = labelOf("masking", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "maskValue"]);
    super(given);
    this.maskValue = checkNumber(where, "maskValue", given.maskValue ?? 0);
  }

  override call(x: Value): Value {
    this.checkRank(x.shape, 2);
    const mask = this.computeMask(x);
    return setMask(select(expandDims(mask, -1), x, 0), mask);
  }

  override computeMask(x: Value): Value {
    return any(notEqual(x, this.maskValue), { axis: -1 });
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), maskValue: this.maskValue };
  }
}

/**
 * Gives its input the mask of the steps that are not all `maskValue`, and sets those that are to 0:
 * [batch, steps, ..., features] -> the same, with a mask [batch, steps, ...].
 * @example sequential([layers.masking({ inputShape: [80, 16] }), layers.lstm({ units: 32 })])
 */
export function masking(options?: MaskingOptions): Masking {
  return new Masking(options);
}
