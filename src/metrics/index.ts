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
import { concordanceCorrelation, pearsonCorrelation, r2Score } from "./correlation.ts";
import {
  f1Score,
  falseNegatives,
  falsePositives,
  fBetaScore,
  precision,
  recall,
  trueNegatives,
  truePositives,
} from "./counts.ts";
import {
  auc,
  precisionAtRecall,
  recallAtPrecision,
  sensitivityAtSpecificity,
  specificityAtSensitivity,
} from "./curves.ts";
import { binaryIou, iou, meanIou, oneHotIou, oneHotMeanIou } from "./iou.ts";
import {
  MeanMetric,
  Metric,
  type MetricConfig,
  type MetricFunction,
  type MetricOptions,
  SumMetric,
} from "./metric.ts";
import {
  binaryCrossentropy,
  categoricalCrossentropy,
  categoricalHinge,
  cosineSimilarity,
  hinge,
  klDivergence,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
  rootMeanSquaredError,
  sparseCategoricalCrossentropy,
  squaredHinge,
} from "./regression.ts";

export * from "./accuracy.ts";
export * from "./correlation.ts";
export {
  type CountOptions,
  type F1Options,
  type FBetaOptions,
  f1Score,
  falseNegatives,
  falsePositives,
  fBetaScore,
  precision,
  recall,
  type ShareOptions,
  trueNegatives,
  truePositives,
} from "./counts.ts";
export * from "./curves.ts";
export * from "./iou.ts";
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

/**
 * The sum of a function of targets and predictions over everything seen.
 * @example metrics.sum((yTrue) => yTrue, { name: "events" })
 */
export function sum(fn: MetricFunction, options: MetricOptions = {}): Metric {
  if (typeof fn !== "function") {
    throw new MyelinError("INVALID_ARGUMENT", `metrics.sum: expected a function, got ${describe(fn)}`);
  }
  return new SumMetric(fn, options.name ?? (fn.name || "sum"));
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
  fBetaScore,
  auc,
  truePositives,
  trueNegatives,
  falsePositives,
  falseNegatives,
  precisionAtRecall,
  recallAtPrecision,
  sensitivityAtSpecificity,
  specificityAtSensitivity,
  hinge,
  squaredHinge,
  categoricalHinge,
  r2Score,
  pearsonCorrelation,
  concordanceCorrelation,
  iou,
  binaryIou,
  meanIou,
  oneHotIou,
  oneHotMeanIou,
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
  logCoshError: "logCosh",
  IoU: "iou",
  meanIoU: "meanIou",
  binaryIoU: "binaryIou",
  oneHotIoU: "oneHotIou",
  oneHotMeanIoU: "oneHotMeanIou",
} as const;

export type MetricName = keyof typeof BY_NAME | keyof typeof ALIASES;

/** What `compile` accepts as a metric. */
export type MetricLike = MetricName | Metric | MetricFunction | MetricConfig;

const factory = factoriesByName<Metric, keyof typeof BY_NAME>("metric", BY_NAME as never, ALIASES);

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
