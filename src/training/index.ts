// What training adds to the public API: the namespace `callbacks` and the types of options and results. Importing this
// file gives models their training methods.

import "./attach.ts";

export type { Batcher, BatcherOptions, BatcherPredictOptions, BatcherStats } from "./batcher.ts";
export {
  Callback,
  type CallbackHooks,
  type CallbackLike,
  type CallbackParams,
  type Logs,
} from "./callback.ts";
export * as callbacks from "./callbacks/index.ts";
export type { ArrayData, DataLike, ShapedData } from "./data.ts";
export type { EvaluateOptions } from "./evaluate.ts";
export type { FitOptions } from "./fit-options.ts";
export type { GenerateOptions } from "./generate.ts";
export { History } from "./history.ts";
export { MetricState } from "./metric-state.ts";
export type { PerOutput } from "./plan.ts";
export type { PredictOptions } from "./predict.ts";
export type { ProgressStream, Verbose } from "./progress.ts";
export type { LossData, StepData } from "./steps.ts";
export type { CompileOptions } from "./trainer.ts";
