// How a name, a saved configuration or an object becomes an Optimizer.

import { describe, MyelinError } from "../core/errors.ts";
import { type Factory, factoriesByName } from "../core/factories.ts";
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

/** Optimizers around others, which need this file to read what is inside them. */
const wrappers = new Map<string, Factory<Optimizer>>();

/** Makes a wrapper known to configurations. */
export function addWrapper(name: string, make: Factory<Optimizer>): void {
  wrappers.set(name, make);
}

/** Makes an Optimizer of a name (with default options), a saved config or an Optimizer. */
export function get(optimizer: OptimizerLike, where = "optimizers.get"): Optimizer {
  if (optimizer instanceof Optimizer) return optimizer;
  if (typeof optimizer === "string") return factory(where, optimizer)();
  if (typeof optimizer === "object" && optimizer !== null && typeof optimizer.name === "string") {
    const { name, options } = optimizer;
    return (wrappers.get(name) ?? factory(where, name))(options);
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected an optimizer as a name or an Optimizer, got ${describe(optimizer)}`,
  );
}
