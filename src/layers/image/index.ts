// Layers that change images, mostly in training only.

export * from "./color.ts";
export * from "./distortion.ts";
export * from "./equalization.ts";
export * from "./geometry.ts";
export * from "./local.ts";
export * from "./mixing.ts";
export * from "./policies.ts";
export type { Factor, ValueOptions, ValueRange } from "./random-image.ts";
export type { FillMode, WarpOptions } from "./warp.ts";
