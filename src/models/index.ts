// What the public API takes from models.

export * as applications from "./architectures/index.ts";
export { type CloneOptions, cloneModel, copyLayer } from "./clone.ts";
export { modelFromJSON, type ReadOptions } from "./config.ts";
export { input } from "./input.ts";
export { loadModel } from "./loading.ts";
export { Model, type ModelOptions, model, type PortSpec, type TrainingState } from "./model.ts";
export { modelToSvg, type PlotFileOptions, type PlotOptions, plotModel } from "./plot/index.ts";
export { Sequential, sequential } from "./sequential.ts";
export type { SummaryOptions } from "./summary.ts";
