// The public namespace `losses`, and how a name, object or function given to compile becomes a Loss.

import { describe, MyelinError } from "../core/errors.ts";
import { factoriesByName } from "../core/factories.ts";
import { circle } from "./circle.ts";
import { ctc } from "./ctc.ts";
import {
  binaryFocalCrossentropy,
  categoricalFocalCrossentropy,
  categoricalGeneralizedCrossEntropy,
} from "./focal.ts";
import { categoricalHinge, hinge, squaredHinge } from "./hinge.ts";
import { FunctionLoss, Loss, type LossConfig, type LossFunction } from "./loss.ts";
import { dice, tversky } from "./overlap.ts";
import {
  binaryCrossentropy,
  categoricalCrossentropy,
  klDivergence,
  sparseCategoricalCrossentropy,
} from "./probability.ts";
import {
  cosineSimilarity,
  huber,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
} from "./regression.ts";

export * from "./circle.ts";
export * from "./ctc.ts";
export * from "./focal.ts";
export * from "./hinge.ts";
export { Loss, type LossConfig, type LossFunction, type LossOptions, type Reduction } from "./loss.ts";
export * from "./overlap.ts";
export {
  binaryCrossentropy,
  type CrossentropyOptions,
  categoricalCrossentropy,
  klDivergence,
  type SmoothedCrossentropyOptions,
  type SparseCrossentropyOptions,
  sparseCategoricalCrossentropy,
} from "./probability.ts";
export * from "./regression.ts";

const BY_NAME = {
  meanSquaredError,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  huber,
  logCosh,
  poisson,
  cosineSimilarity,
  binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
  klDivergence,
  hinge,
  squaredHinge,
  categoricalHinge,
  binaryFocalCrossentropy,
  categoricalFocalCrossentropy,
  categoricalGeneralizedCrossEntropy,
  dice,
  tversky,
  circle,
  ctc,
} as const;

const ALIASES = {
  mse: "meanSquaredError",
  MSE: "meanSquaredError",
  mae: "meanAbsoluteError",
  MAE: "meanAbsoluteError",
  mape: "meanAbsolutePercentageError",
  MAPE: "meanAbsolutePercentageError",
  msle: "meanSquaredLogarithmicError",
  MSLE: "meanSquaredLogarithmicError",
  bce: "binaryCrossentropy",
  BCE: "binaryCrossentropy",
  kld: "klDivergence",
  KLD: "klDivergence",
} as const;

export type LossName = keyof typeof BY_NAME | keyof typeof ALIASES;

/** What `compile` accepts as a loss. */
export type LossLike = LossName | Loss | LossFunction | LossConfig;

const factory = factoriesByName<Loss, keyof typeof BY_NAME>("loss", BY_NAME, ALIASES);

/** Makes a Loss of a name ("mse", "binaryCrossentropy", ...), a function of Values, a saved config or a Loss. */
export function get(loss: LossLike, where = "losses.get"): Loss {
  if (loss instanceof Loss) return loss;
  if (typeof loss === "function") return new FunctionLoss(loss);
  if (typeof loss === "string") return factory(where, loss)();
  if (typeof loss === "object" && loss !== null && typeof loss.name === "string") {
    return factory(where, loss.name)(loss.options);
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected loss to be a name, a Loss or a function, got ${describe(loss)}`,
  );
}
