// The `layers` namespace of the public API: a function for each layer, and the classes behind them.

export * from "./activation.ts";
export * from "./batch-normalization.ts";
export * from "./conv.ts";
export * from "./conv-transpose.ts";
export * from "./core.ts";
export * from "./dense.ts";
export * from "./depthwise-conv.ts";
export * from "./embedding.ts";
export * from "./global-pooling.ts";
export * from "./group-normalization.ts";
export * from "./layer-normalization.ts";
export * from "./margins.ts";
export { type Mask, maskOf, setMask } from "./mask.ts";
export * from "./masking.ts";
export * from "./merging.ts";
export type { NoiseOptions } from "./noise.ts";
export * from "./pooling.ts";
export * from "./regularization.ts";
export * from "./reshaping.ts";
export * from "./resizing.ts";
export * from "./separable-conv.ts";
export * from "./spatial-dropout.ts";
