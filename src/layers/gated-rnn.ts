// The base of the recurrent layers that make their cell themselves: options of both in one place.

import type { Layer, LayerOptions } from "./layer.ts";
import { LAYER_OPTIONS } from "./layer.ts";
import type { LayerClass, LayerReader } from "./registry.ts";
import { RECURRENT_OPTIONS, type RecurrentOptions, Rnn } from "./rnn.ts";
import type { GatedCell, GatedCellOptions } from "./rnn-cell.ts";

export interface GatedRnnOptions extends GatedCellOptions, RecurrentOptions {}

const OF_LAYER: ReadonlySet<string> = new Set(RECURRENT_OPTIONS);

/** The options of its cell: whatever is not the layer's; `trainable` is both's. */
export function cellOptions<O extends LayerOptions>(options: O, name: string): O {
  const own = Object.entries(options).filter(([key]) => !OF_LAYER.has(key));
  return { ...Object.fromEntries(own), trainable: options.trainable, name } as O;
}

export abstract class GatedRnn<C extends GatedCell> extends Rnn {
  declare readonly cell: C;

  get units(): number {
    return this.cell.units;
  }

  override getConfig(): Record<string, unknown> {
    const { cell: _, ...own } = super.getConfig();
    const cell = Object.entries(this.cell.getConfig()).filter(([key]) => !isLayerOption(key));
    return { ...own, ...Object.fromEntries(cell) };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, _read: LayerReader): Layer {
    // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass that was asked.
    return new (this as unknown as LayerClass)(config);
  }
}

function isLayerOption(key: string): boolean {
  return (LAYER_OPTIONS as readonly string[]).includes(key);
}
