// What layers over images share: one to three spatial axes between batch and channels, which come last.

import type { Value } from "../graph/graph.ts";
import { checkDataFormat } from "./conv-base.ts";
import { type CallContext, LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import { UnaryLayer } from "./unary.ts";

export type SpatialRank = 1 | 2 | 3;

export interface SpatialOptions extends LayerOptions {
  /** Order of the axes; only "channelsLast" ([batch, ...spatial, channels]) is there. */
  dataFormat?: "channelsLast";
}

export const SPATIAL_OPTIONS = [...LAYER_OPTIONS, "dataFormat"] as const;

/** A layer of inputs [batch, `spatialRank` sizes, channels]. */
export abstract class SpatialLayer extends UnaryLayer {
  readonly spatialRank: SpatialRank;

  constructor(where: string, spatialRank: SpatialRank, options: SpatialOptions) {
    super(options);
    this.spatialRank = spatialRank;
    checkDataFormat(where, options.dataFormat ?? "channelsLast");
  }

  override call(x: Value, context: CallContext, mask: Mask): Value {
    this.checkRank(x.shape, this.spatialRank + 2, this.spatialRank + 2);
    return this.callOnImage(x, mask as Value | null, context);
  }

  /** @param mask of a sequence's steps, or null */
  protected abstract callOnImage(x: Value, mask: Value | null, context: CallContext): Value;

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), dataFormat: "channelsLast" };
  }
}
