// TimeDistributed: one layer applied to every step of a sequence. Steps become rows of the batch, so that the layer runs
// once: what it computes of all rows together (batch statistics) it computes of all steps.

import { checkOptions } from "../core/options.ts";
import { formatShape, sameShape } from "../core/shape.ts";
import { Value } from "../graph/graph.ts";
import { reshape } from "../ops/index.ts";
import { type CallContext, LAYER_OPTIONS, type Layer, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";
import { Wrapper } from "./wrapper.ts";

export interface TimeDistributedOptions extends LayerOptions {
  /** A layer of one input and one output. */
  layer: Layer;
}

export class TimeDistributed extends Wrapper {
  static readonly className = "TimeDistributed";
  override supportsMasking = true;

  constructor(options: TimeDistributedOptions) {
    const where = labelOf("timeDistributed", options);
    super(checkOptions(where, options, [...LAYER_OPTIONS, "layer"]), where);
  }

  override build(inputShape: BatchShape): void {
    if (inputShape.length < 3) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected inputs [batch, steps, ...] of rank 3 or more, got ${formatBatchShape(inputShape)}`,
      );
    }
    const [, , ...sample] = inputShape;
    this.layer.build([null, ...sample]);
  }

  override call(x: Value, context: CallContext, mask: Value | null): Value {
    const [batch, steps, ...sample] = x.shape as [number, number, ...number[]];
    const asRows = (v: Value): Value => reshape(v, [batch * steps, ...v.shape.slice(2)]);
    if (mask && !sameShape(mask.shape.slice(0, 2), [batch, steps])) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected a mask that begins with [batch, steps] ${formatShape([batch, steps])}, got ${formatShape(mask.shape)}`,
      );
    }
    // A mask of steps says nothing about what is inside of one.
    const inner = mask && mask.rank > 2 ? asRows(mask) : null;
    const y = this.layer.apply(reshape(x, [batch * steps, ...sample]), context, inner);
    if (!(y instanceof Value)) {
      throw this.error(
        "INVALID_ARGUMENT",
        `expected a layer with one output, got several from ${this.layer.name}`,
      );
    }
    return reshape(y, [batch, steps, ...y.shape.slice(1)]);
  }
}

/**
 * One layer applied to every step: [batch, steps, ...] -> [batch, steps, ...what the layer makes of one].
 * @example layers.timeDistributed({ layer: layers.dense({ units: 8 }) })
 */
export function timeDistributed(options: TimeDistributedOptions): TimeDistributed {
  return new TimeDistributed(options);
}
