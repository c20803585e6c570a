// SpatialDropout: drops whole channels of a sample, for images whose neighbours say the same.

import { checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { random, type SeedGenerator } from "../ops/index.ts";
import { checkDataFormat } from "./conv-base.ts";
import { LAYER_OPTIONS } from "./layer.ts";
import { Noise, type NoiseOptions } from "./noise.ts";
import { labelOf } from "./options.ts";
import type { SpatialRank } from "./spatial.ts";

export interface SpatialDropoutOptions extends NoiseOptions {
  /** Share of channels set to 0, in [0, 1). */
  rate: number;
  /** Only "channelsLast". */
  dataFormat?: "channelsLast";
}

abstract class SpatialDropout extends Noise {
  readonly rate: number;
  readonly spatialRank: SpatialRank;

  constructor(factory: string, rank: SpatialRank, options: SpatialDropoutOptions) {
    const where = labelOf(factory, options);
    const own = rank === 1 ? (["seed", "rate"] as const) : (["seed", "rate", "dataFormat"] as const);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, ...own]);
    super(where, given);
    this.rate = checkNumber(where, "rate", given.rate, "in [0, 1)", (x) => x >= 0 && x < 1);
    this.spatialRank = rank;
    checkDataFormat(where, given.dataFormat ?? "channelsLast");
  }

  protected override disturb(x: Value, seed: SeedGenerator | undefined): Value {
    this.checkRank(x.shape, this.spatialRank + 2, this.spatialRank + 2);
    const noiseShape = x.shape.map((d, i) => (i === 0 || i === x.rank - 1 ? d : 1));
    return random.dropout(x, this.rate, { noiseShape, seed });
  }

  override getConfig(): Record<string, unknown> {
    const format = this.spatialRank === 1 ? {} : { dataFormat: "channelsLast" };
    return { ...super.getConfig(), rate: this.rate, ...format };
  }
}

export class SpatialDropout1D extends SpatialDropout {
  static readonly className = "SpatialDropout1D";
  constructor(options: SpatialDropoutOptions) {
    super("spatialDropout1d", 1, options);
  }
}

export class SpatialDropout2D extends SpatialDropout {
  static readonly className = "SpatialDropout2D";
  constructor(options: SpatialDropoutOptions) {
    super("spatialDropout2d", 2, options);
  }
}

export class SpatialDropout3D extends SpatialDropout {
  static readonly className = "SpatialDropout3D";
  constructor(options: SpatialDropoutOptions) {
    super("spatialDropout3d", 3, options);
  }
}

/** In training sets a share of the channels of each sample to 0 and scales the others up: [batch, steps, channels]. */
export function spatialDropout1d(options: SpatialDropoutOptions): SpatialDropout1D {
  return new SpatialDropout1D(options);
}

/** In training sets a share of the channels of each sample to 0 and scales the others up: [batch, height, width, channels]. */
export function spatialDropout2d(options: SpatialDropoutOptions): SpatialDropout2D {
  return new SpatialDropout2D(options);
}

/** In training sets a share of the channels of each sample to 0 and scales the others up: [batch, depth, height, width, channels]. */
export function spatialDropout3d(options: SpatialDropoutOptions): SpatialDropout3D {
  return new SpatialDropout3D(options);
}
