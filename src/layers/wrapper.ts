// Wrapper: the base of layers that take another layer and do something more with it.

import { describe, MyelinError } from "../core/errors.ts";
import { Layer, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import type { LayerClass, LayerConfig, LayerReader } from "./registry.ts";
import type { BatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

export interface WrapperOptions extends LayerOptions {
  /** The layer inside. */
  layer: Layer;
}

/**
 * Base of wrappers: holds a layer, builds it, writes and reads it with its own configuration. A subclass says what `call`
 * does.
 * @example
 * class Residual extends layers.Wrapper {
 *   static readonly className = "Residual";
 *   override call(x: Value, context: CallContext) {
 *     return ops.add(x, this.layer.apply(x, context));
 *   }
 * }
 */
export abstract class Wrapper extends UnaryLayer {
  readonly layer: Layer;

  constructor(options: WrapperOptions, where = labelOf("wrapper", options)) {
    super(options);
    const { layer } = options;
    if (!(layer instanceof Layer)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected layer to be a layer, got ${describe(layer)}`,
      );
    }
    this.layer = layer;
  }

  override build(inputShape: BatchShape): void {
    this.layer.build(inputShape);
  }

  override getConfig(): Record<string, unknown> {
    const { className } = this.layer;
    return { ...super.getConfig(), layer: { className, config: this.layer.getConfig() } };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer {
    const { layer, ...options } = config;
    // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass that was asked.
    return new (this as unknown as LayerClass)({ ...options, layer: read(layer as LayerConfig) });
  }
}
