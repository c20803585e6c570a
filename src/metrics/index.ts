// The public namespace `metrics`, and how a name, object or function given to compile becomes a Metric.

import { describe, MyelinError } from "../core/errors.ts";
import { factoriesByName } from "../core/factories.ts";
import {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  topKCategoricalAccuracy,
} from "./accuracy.ts";
import { auc, f1Score, precision, recall } from "./confusion.ts";
import { MeanMetric, Metric, type MetricConfig, type MetricFunction, type MetricOptions } from "./metric.ts";
import {
  binaryCrossentropy,
  categoricalCrossentropy,
  cosineSimilarity,
  klDivergence,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
  rootMeanSquaredError,
  sparseCategoricalCrossentropy,
} from "./regression.ts";

export * from "./accuracy.ts";
export * from "./confusion.ts";
export {
  type Amounts,
  Metric,
  type MetricConfig,
  type MetricFunction,
  type MetricOptions,
} from "./metric.ts";
export * from "./regression.ts";

/**
 * The mean of a function of targets and predictions over everything seen.
 * @example metrics.mean((yTrue, yPred) => ops.abs(ops.subtract(yPred, yTrue)), { name: "distance" })
 */
export function mean(fn: MetricFunction, options: MetricOptions = {}): Metric {
  if (typeof fn !== "function") {
    throw new MyelinError("INVALID_ARGUMENT", `metrics.mean: expected a function, got ${describe(fn)}`);
  }
  return new MeanMetric(fn, options.name ?? (fn.name || "mean"));
}

const BY_NAME = {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  meanSquaredError,
  rootMeanSquaredError,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  logCosh,
  cosineSimilarity,
  binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
  klDivergence,
  poisson,
  precision,
  recall,
  f1Score,
  auc,
} as const;

const ALIASES = {
  acc: "accuracy",
  mse: "meanSquaredError",
  MSE: "meanSquaredError",
  rmse: "rootMeanSquaredError",
  RMSE: "rootMeanSquaredError",
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
  AUC: "auc",
} as const;

export type MetricName = keyof typeof BY_NAME | keyof typeof ALIASES;

/** What `compile` accepts as a metric. */
export type MetricLike = MetricName | Metric | MetricFunction | MetricConfig;

const factory = factoriesByName<Metric, keyof typeof BY_NAME>("metric", BY_NAME, ALIASES);

/** Makes a Metric of a name (which logs then carry as given), a function of Values, a saved config or a Metric. */
export function get(metric: MetricLike, where = "metrics.get"): Metric {
  if (metric instanceof Metric) return metric;
  if (typeof metric === "function") return new MeanMetric(metric, metric.name || "metric");
  if (typeof metric === "string") return factory(where, metric)({ name: metric });
  if (typeof metric === "object" && metric !== null && typeof metric.name === "string") {
    return factory(where, metric.name)(metric.options);
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected a metric as a name, a Metric or a function, got ${describe(metric)}`,
  );
}
