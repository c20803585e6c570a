// What `compile` was told, checked and resolved against the outputs of a model: one loss per output, metrics per output.

import { describe, MyelinError } from "../core/errors.ts";
import type { Value } from "../graph/graph.ts";
import { maskOf } from "../layers/mask.ts";
import { get as getLoss, type Loss, type LossLike } from "../losses/index.ts";
import { get as getMetric, type Metric, type MetricLike } from "../metrics/index.ts";
import * as ops from "../ops/index.ts";
import type { Batch, Port } from "./data.ts";
import { meanOverRows } from "./steps.ts";
import type { Tracked } from "./totals.ts";

/** One per output: alone for a single one, else a list or a record by output name. */
export type PerOutput<T> = T | readonly T[] | Readonly<Record<string, T>>;

export interface Objective {
  /** Undefined for an output that nothing is asked of. */
  readonly losses: readonly (Loss | undefined)[];
  readonly weights: readonly number[];
  readonly metrics: readonly (readonly Metric[])[];
  /** Those that take sample weights into account. */
  readonly weightedMetrics: readonly (readonly Metric[])[];
}

type MetricsOption =
  | readonly (MetricLike | readonly MetricLike[])[]
  | Readonly<Record<string, MetricLike | readonly MetricLike[]>>;

export interface ObjectiveOptions {
  /** May be left out where layers add losses of their own or the model has a `computeLoss` or `trainStep`. */
  loss?: PerOutput<LossLike | null> | null;
  metrics?: MetricsOption;
  weightedMetrics?: MetricsOption;
  lossWeights?: readonly number[] | Readonly<Record<string, number>>;
}

const WHERE = "compile";

/** Checks what can be checked before the outputs are known: names, mainly. */
export function checkObjective(options: ObjectiveOptions): void {
  for (const loss of listed(options.loss)) {
    if (loss == null) continue;
    const resolved = getLoss(loss as LossLike, WHERE);
    if (resolved.reduction !== "none") continue;
    throw new MyelinError(
      "INVALID_OPTION",
      `${WHERE}: expected loss ${resolved.name} to have a reduction for training, got "none"`,
    );
  }
  const { lossWeights } = options;
  for (const name of ["metrics", "weightedMetrics"] as const) {
    const metrics = options[name];
    if (metrics !== undefined && (typeof metrics !== "object" || metrics === null)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${WHERE}: expected ${name} to be a list or a record by output, got ${describe(metrics)}`,
      );
    }
    for (const metric of listed(metrics ?? []).flat()) getMetric(metric as MetricLike, WHERE);
  }
  for (const weight of listed(lossWeights ?? [])) {
    if (typeof weight === "number" && Number.isFinite(weight)) continue;
    throw new MyelinError(
      "INVALID_OPTION",
      `${WHERE}: expected lossWeights to be finite numbers, got ${describe(weight)}`,
    );
  }
}

/** Several things in a list or a record by name; a saved config or a class instance is one thing. */
function listed(x: unknown): readonly unknown[] {
  if (Array.isArray(x)) return x;
  return isByName(x) ? Object.values(x) : [x];
}

function isByName(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null || Array.isArray(x)) return false;
  const isPlain = Object.getPrototypeOf(x) === Object.prototype || Object.getPrototypeOf(x) === null;
  return isPlain && !("name" in x && "options" in x);
}

/** Brings losses, weights and metrics into the order of the outputs. */
export function resolveObjective(options: ObjectiveOptions, outputs: readonly Port[]): Objective {
  checkObjective(options);
  const { loss, lossWeights } = options;
  const losses = perOutput("loss", loss, outputs, true).map((l) =>
    l == null ? undefined : getLoss(l as LossLike, WHERE),
  );
  if (loss != null && losses.every((l) => l === undefined)) {
    throw new MyelinError("INVALID_OPTION", `${WHERE}: expected a loss for at least one output, got none`);
  }
  const weights = (
    lossWeights === undefined ? outputs.map(() => 1) : perOutput("lossWeights", lossWeights, outputs, true)
  ).map((w) => w ?? 1);
  return {
    losses,
    weights: weights as number[],
    metrics: metricsPerOutput("metrics", options.metrics, outputs),
    weightedMetrics: metricsPerOutput("weightedMetrics", options.weightedMetrics, outputs),
  };
}

/** @param mayLack whether a record may leave outputs out */
function perOutput(option: string, given: unknown, outputs: readonly Port[], mayLack = false): unknown[] {
  const names = outputs.map((o) => o.name);
  const expected = `one ${option} per output (${names.join(", ")})`;
  if (isByName(given)) {
    const wrong = Object.keys(given).filter((k) => !names.includes(k));
    const isWhole = mayLack || names.every((n) => Object.hasOwn(given, n));
    if (wrong.length === 0 && isWhole)
      return names.map((n) => (Object.hasOwn(given, n) ? given[n] : undefined));
    throw new MyelinError(
      "INVALID_OPTION",
      `${WHERE}: expected ${expected}, got ${Object.keys(given).join(", ") || "none"}`,
    );
  }
  if (!Array.isArray(given)) return outputs.map(() => given);
  if (given.length !== outputs.length) {
    throw new MyelinError("INVALID_OPTION", `${WHERE}: expected ${expected}, got ${given.length}`);
  }
  return given;
}

/** A flat list belongs to the only output; several outputs say which: a list of lists, or a record (gaps allowed). */
function metricsPerOutput(
  option: string,
  metrics: MetricsOption | undefined,
  outputs: readonly Port[],
): Metric[][] {
  if (metrics === undefined) return outputs.map(() => []);
  const get = (list: unknown) =>
    (Array.isArray(list) ? list : [list]).map((m) => getMetric(m as MetricLike, WHERE));
  if (isByName(metrics)) {
    const unknown = Object.keys(metrics).find((k) => !outputs.some((o) => o.name === k));
    if (unknown !== undefined) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${WHERE}: expected ${option} for outputs ${outputs.map((o) => o.name).join(", ")}, got ${describe(unknown)}`,
      );
    }
    return outputs.map((o) => (Object.hasOwn(metrics, o.name) ? get(metrics[o.name]) : []));
  }
  const list = metrics as readonly unknown[];
  if (outputs.length === 1) return [get(list.flat())];
  return perOutput(`${option} entry`, list, outputs).map(get);
}

/** What one batch comes to: the number to be made smaller, and everything that is logged. */
export interface Outcome {
  readonly loss: Value;
  readonly tracked: readonly Tracked[];
}

/**
 * Inside a trace: losses and metrics of a batch.
 * @param added losses of layers and regularizers: part of the total
 * @param ownTotal what the model makes of the total, where it has a say
 */
export function score(
  objective: Objective,
  ports: readonly Port[],
  batch: Batch<Value>,
  predictions: readonly Value[],
  rows: number,
  added: readonly Value[] = [],
  ownTotal?: (total: Value | undefined) => Value,
): Outcome {
  const { losses, weights } = objective;
  const isSingle = ports.length === 1;
  const parts = losses.map((loss, i) => loss && scalarLoss(loss, ports[i]!, batch, i, predictions[i]!));
  const weighted = parts
    .map((part, i) => (part && weights[i] !== 1 ? ops.multiply(part, weights[i]!) : part))
    .filter((part) => part !== undefined);
  const [first, ...others] = [...weighted, ...added];
  const sum = first && others.reduce((a, b) => ops.add(a, b), first);
  const total = ownTotal ? ownTotal(sum) : sum;
  if (!total) {
    throw new MyelinError(
      "INVALID_OPTION",
      'expected a loss: give compile one, e.g. loss: "meanSquaredError", or let a layer add its own (addLoss)',
    );
  }
  const tracked = [meanOverRows("loss", total, rows)];
  parts.forEach((part, i) => {
    if (!isSingle && part) tracked.push(meanOverRows(`${ports[i]!.name}Loss`, part, rows));
  });
  ports.forEach((port, i) => {
    const measure = (metric: Metric, sampleWeight: Value | undefined) => {
      const target = batch.targets[i];
      if (!target) throw lacksTarget(`metric ${metric.name}`, port);
      const prediction = predictions[i]!;
      tracked.push({
        name: unused(tracked, isSingle ? metric.name : port.name + capitalized(metric.name)),
        direction: metric.direction,
        amounts: metric.update(target, prediction, maskOf(prediction), sampleWeight),
        result: (sums) => metric.result(sums),
      });
    };
    for (const metric of objective.metrics[i]!) measure(metric, undefined);
    for (const metric of objective.weightedMetrics[i]!) measure(metric, batch.weights[i]);
  });
  return { loss: total, tracked };
}

function lacksTarget(what: string, port: Port): MyelinError {
  return new MyelinError("INVALID_DATA", `${what}: expected targets for output ${port.name}, got none`);
}

function scalarLoss(loss: Loss, port: Port, batch: Batch<Value>, i: number, prediction: Value): Value {
  const target = batch.targets[i];
  if (!target) throw lacksTarget(`loss ${loss.name}`, port);
  const value = loss.apply(target, prediction, maskOf(prediction), batch.weights[i]);
  if (value.rank === 0 && value.dtype === "float32") return value;
  throw new MyelinError(
    "SHAPE_MISMATCH",
    `loss ${loss.name}: expected apply to give a float32 scalar, got ${value.dtype}[${value.shape}]`,
  );
}

/** Two metrics of one name are told apart by a number. */
function unused(tracked: readonly Tracked[], name: string): string {
  let candidate = name;
  for (let n = 1; tracked.some((t) => t.name === candidate); n++) candidate = `${name}_${n}`;
  return candidate;
}

/** valLoss, headAccuracy: names put together in camelCase. */
export function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
