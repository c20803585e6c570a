// Options of layers whose weights are a factor gamma and an offset beta, as all normalisations have them.

import { checkBoolean } from "../core/options.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import type { LayerOptions } from "./layer.ts";

import { type WeightRules, weightRules } from "./weight-rules.ts";

export interface ScaleAndCenterOptions extends LayerOptions, WeightRules<"beta" | "gamma"> {
  /** Whether to add a learned beta. Default true. */
  center?: boolean;
  /** Whether to multiply by a learned gamma. Default true. */
  scale?: boolean;
  /** Default "zeros". */
  betaInitializer?: InitializerLike;
  /** Default "ones". */
  gammaInitializer?: InitializerLike;
}

export const SCALE_AND_CENTER_OPTIONS = [
  "center",
  "scale",
  "betaInitializer",
  "gammaInitializer",
  ...weightRules("beta", "gamma"),
] as const;

/** The same options, checked. */
export interface ScaleAndCenter {
  readonly center: boolean;
  readonly scale: boolean;
  readonly betaInitializer: Initializer;
  readonly gammaInitializer: Initializer;
}

export function scaleAndCenter(where: string, options: ScaleAndCenterOptions): ScaleAndCenter {
  const { center = true, scale = true, betaInitializer = "zeros", gammaInitializer = "ones" } = options;
  return {
    center: checkBoolean(where, "center", center),
    scale: checkBoolean(where, "scale", scale),
    betaInitializer: resolveInitializer(where, "betaInitializer", betaInitializer),
    gammaInitializer: resolveInitializer(where, "gammaInitializer", gammaInitializer),
  };
}

export function serializeScaleAndCenter(options: ScaleAndCenter): Record<string, unknown> {
  return {
    center: options.center,
    scale: options.scale,
    betaInitializer: serializeInitializer(options.betaInitializer),
    gammaInitializer: serializeInitializer(options.gammaInitializer),
  };
}
