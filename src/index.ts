// Public names, nothing else.

// By itself: a bundler that finds nothing used of training/index.ts would drop what gives models compile, fit and predict.
import "./training/attach.ts";

export { type CheckGradientsOptions, checkGradients } from "./check-gradients.ts";
export * as constraints from "./constraints/index.ts";
export type { DType } from "./core/dtype.ts";
export { type ErrorCode, MyelinError } from "./core/errors.ts";
export type { Shape, TensorType } from "./core/shape.ts";
export { type NestedArray, Tensor, type TensorLike, tensor } from "./core/tensor.ts";
export {
  type BatchOptions,
  Dataset,
  type InterleaveOptions,
  type MapOptions,
  type ShuffleOptions,
  type Source,
  type WindowOptions,
} from "./data/dataset.ts";
export type { Stacked, Unstacked } from "./data/nest.ts";
export { type Row, Table } from "./data/table.ts";
export * as utils from "./data/utils.ts";
export type { EngineInfo } from "./engine/engine.ts";
export { ReferenceEngine, type ReferenceOptions } from "./engine/reference.ts";
export { type EngineName, engineInfo, setEngine } from "./engine/select.ts";
export {
  type Compiled,
  type CompileOptions,
  compile,
  type GradOptions,
  grad,
  type ValueAndGradient,
  valueAndGrad,
} from "./functions.ts";
export type { Value } from "./graph/graph.ts";
export { Variable, variable } from "./graph/variable.ts";
export * as initializers from "./initializers/index.ts";
export * as layers from "./layers/index.ts";
export { type CallContext, Layer, type LayerOptions, type WeightOptions } from "./layers/layer.ts";
export { registerLayer } from "./layers/registry.ts";
export type { BatchShape, SymbolicTensor } from "./layers/symbolic.ts";
export * as losses from "./losses/index.ts";
export * as metrics from "./metrics/index.ts";
export {
  applications,
  type CloneOptions,
  cloneModel,
  copyLayer,
  input,
  loadModel,
  Model,
  type ModelOptions,
  model,
  modelFromJSON,
  modelToSvg,
  type PlotFileOptions,
  type PlotOptions,
  plotModel,
  Sequential,
  type SummaryOptions,
  sequential,
} from "./models/index.ts";
export * as ops from "./ops/index.ts";
export { customGradient, type Operand, SeedGenerator, setRandomSeed, stopGradient } from "./ops/index.ts";
export * as optimizers from "./optimizers/index.ts";
export * as regularizers from "./regularizers/index.ts";
export {
  type Batcher,
  type BatcherOptions,
  type BatcherStats,
  Callback,
  type CallbackHooks,
  type CallbackLike,
  type CompileOptions as ModelCompileOptions,
  callbacks,
  type DataLike,
  type EvaluateOptions,
  type FitOptions,
  type GenerateOptions,
  History,
  type Logs,
  type LossData,
  MetricState,
  type PredictOptions,
  type StepData,
} from "./training/index.ts";
