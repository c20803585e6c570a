// The public namespace `optimizers`.

export { type AdadeltaOptions, adadelta } from "./adadelta.ts";
export { type AdafactorOptions, adafactor } from "./adafactor.ts";
export { type AdagradOptions, adagrad } from "./adagrad.ts";
export { type AdamOptions, adam, adamW } from "./adam.ts";
export { type AdamaxOptions, adamax } from "./adamax.ts";
export { type FtrlOptions, ftrl } from "./ftrl.ts";
export { type LambOptions, lamb } from "./lamb.ts";
export { type LazyAdamOptions, lazyAdam } from "./lazy-adam.ts";
export { type LionOptions, lion } from "./lion.ts";
export { LossScaleOptimizer, type LossScaleOptions, lossScaleOptimizer } from "./loss-scale.ts";
export {
  MultiOptimizer,
  type MultiOptimizerOptions,
  multiOptimizer,
  type OptimizerSelector,
} from "./multi.ts";
export { type MuonOptions, muon } from "./muon.ts";
export { type NadamOptions, nadam } from "./nadam.ts";
export {
  type Hyper,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type SlotSpec,
  type Updated,
} from "./optimizer.ts";
export { OptimizerMap, type OptimizerMapOptions, optimizerMap } from "./optimizer-map.ts";
export { get, type OptimizerLike, type OptimizerName } from "./resolve.ts";
export { type RmspropOptions, rmsprop } from "./rmsprop.ts";
export { type ScheduleFreeAdamWOptions, scheduleFreeAdamW } from "./schedule-free-adamw.ts";
export * as schedules from "./schedules/index.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
