// Several layers as one, for preprocessing: each takes the output of the one before.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { type CallContext, LAYER_OPTIONS, Layer, type LayerOptions } from "./layer.ts";
import type { Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import type { LayerConfig, LayerReader } from "./registry.ts";

export interface PipelineOptions extends LayerOptions {
  /** From the input to the output. */
  layers: readonly Layer[];
}

export class Pipeline extends Layer {
  static readonly className = "Pipeline";
  override supportsMasking = true;
  readonly layers: readonly Layer[];

  constructor(options: PipelineOptions) {
    const where = labelOf("pipeline", options);
    const { layers, ...rest } = checkOptions(where, options, [...LAYER_OPTIONS, "layers"]);
    super(rest);
    if (!Array.isArray(layers) || layers.length === 0 || !layers.every((l) => l instanceof Layer)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected layers to be a list of at least one layer, got ${describe(layers)}`,
      );
    }
    this.layers = [...layers];
    this.adopt();
  }

  override call(x: Nest<Value>, context: CallContext): Nest<Value> {
    return this.layers.reduce((value, layer) => layer.apply(value as never, context) as never, x);
  }

  override getConfig(): Record<string, unknown> {
    const layers = this.layers.map((l) => ({ className: l.className, config: l.getConfig() }));
    return { ...super.getConfig(), layers };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer {
    const { layers, ...options } = config as unknown as { layers: readonly LayerConfig[] };
    return new Pipeline({ ...options, layers: layers.map(read) });
  }
}

/**
 * A chain of layers in the place of one, such as the preprocessing of images; unlike a `sequential` model it is a plain
 * layer.
 * @example layers.pipeline({ layers: [layers.randomFlip(), layers.randomRotation({ factor: 0.1 })] })
 */
export function pipeline(options: PipelineOptions): Pipeline {
  return new Pipeline(options);
}
