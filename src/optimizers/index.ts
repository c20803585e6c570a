// The public namespace `optimizers`, and how a name or object given to compile becomes an Optimizer.

import { describe, MyelinError } from "../core/errors.ts";
import { factoriesByName } from "../core/factories.ts";
import { adadelta } from "./adadelta.ts";
import { adafactor } from "./adafactor.ts";
import { adagrad } from "./adagrad.ts";
import { adam, adamW } from "./adam.ts";
import { adamax } from "./adamax.ts";
import { ftrl } from "./ftrl.ts";
import { lamb } from "./lamb.ts";
import { lazyAdam } from "./lazy-adam.ts";
import { lion } from "./lion.ts";
import { muon } from "./muon.ts";
import { nadam } from "./nadam.ts";
import { Optimizer, type OptimizerConfig } from "./optimizer.ts";
import { rmsprop } from "./rmsprop.ts";
import { scheduleFreeAdamW } from "./schedule-free-adamw.ts";
import { sgd } from "./sgd.ts";

export { type AdadeltaOptions, adadelta } from "./adadelta.ts";
export { type AdafactorOptions, adafactor } from "./adafactor.ts";
export { type AdagradOptions, adagrad } from "./adagrad.ts";
export { type AdamOptions, adam, adamW } from "./adam.ts";
export { type AdamaxOptions, adamax } from "./adamax.ts";
export { type FtrlOptions, ftrl } from "./ftrl.ts";
export { type LambOptions, lamb } from "./lamb.ts";
export { type LazyAdamOptions, lazyAdam } from "./lazy-adam.ts";
export { type LionOptions, lion } from "./lion.ts";
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
export { type RmspropOptions, rmsprop } from "./rmsprop.ts";
export { type ScheduleFreeAdamWOptions, scheduleFreeAdamW } from "./schedule-free-adamw.ts";
export * as schedules from "./schedules/index.ts";
export { type SgdOptions, sgd } from "./sgd.ts";

const BY_NAME = {
  sgd,
  adam,
  adamW,
  rmsprop,
  adadelta,
  adafactor,
  adagrad,
  adamax,
  ftrl,
  lamb,
  lazyAdam,
  lion,
  muon,
  nadam,
  scheduleFreeAdamW,
} as const;
const ALIASES = { adamw: "adamW", rmsProp: "rmsprop" } as const;

export type OptimizerName = keyof typeof BY_NAME | keyof typeof ALIASES;

/** What `compile` accepts as an optimizer. */
export type OptimizerLike = OptimizerName | Optimizer | OptimizerConfig;

const factory = factoriesByName<Optimizer, keyof typeof BY_NAME>("optimizer", BY_NAME, ALIASES);

/** Makes an Optimizer of a name (with default options), a saved config or an Optimizer. */
export function get(optimizer: OptimizerLike, where = "optimizers.get"): Optimizer {
  if (optimizer instanceof Optimizer) return optimizer;
  if (typeof optimizer === "string") return factory(where, optimizer)();
  if (typeof optimizer === "object" && optimizer !== null && typeof optimizer.name === "string") {
    return factory(where, optimizer.name)(optimizer.options);
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected an optimizer as a name or an Optimizer, got ${describe(optimizer)}`,
  );
}
