// The base of layers that disturb their input in training only: a seed, and nothing to do otherwise.

import { checkInteger } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { cast, identity, SeedGenerator } from "../ops/index.ts";
import type { CallContext, LayerOptions } from "./layer.ts";
import { UnaryLayer } from "./unary.ts";

export interface NoiseOptions extends LayerOptions {
  /** A stream of its own for this layer; default: the model's. */
  seed?: number | null;
}

/** What they have in common: a seed, and nothing to do outside of training. */
export abstract class Noise extends UnaryLayer {
  override supportsMasking = true;
  /** Undefined: the model's own is used. */
  readonly seedGenerator: SeedGenerator | undefined;

  constructor(where: string, options: NoiseOptions) {
    super(options);
    const { seed } = options;
    if (seed != null) this.seedGenerator = new SeedGenerator(checkInteger(where, "seed", seed));
  }

  override call(x: Value, context: CallContext): Value {
    const value = cast(x, "float32");
    return context.training ? this.disturb(value, this.seedGenerator) : identity(value);
  }

  protected abstract disturb(x: Value, seed: SeedGenerator | undefined): Value;

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), seed: this.seedGenerator?.seed ?? null };
  }
}
