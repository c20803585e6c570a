// What a metric is: amounts to add up per batch, computed with ops inside the Program, and a number made of the sums
// on the host. Whoever trains owns the sums, so a metric is a description without state and costs no trip per batch.

import { describe, MyelinError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { Value } from "../graph/graph.ts";
import { countedBy, spreadOver } from "../losses/loss.ts";
import * as ops from "../ops/index.ts";

/** A metric as a plain function: per-sample values (their mean over all samples is the metric) or a scalar per batch. */
export type MetricFunction = (yTrue: Value, yPred: Value) => Value;

/** What one batch adds: scalars, one per sum; or one Value whose elements are the sums. */
export type Amounts = readonly (Value | number)[] | Value;

/**
 * Base of all metrics.
 * @example
 * class Bias extends Metric {
 *   constructor() { super("bias"); }
 *   update(yTrue, yPred) { return [ops.sum(ops.subtract(yPred, yTrue)), yPred.shape[0]]; }
 *   result([total, count]) { return total / count; }
 * }
 */
export abstract class Metric {
  readonly name: string;
  /** Which way is better, for callbacks that compare epochs; undefined where nobody can say. */
  readonly direction: "min" | "max" | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }

  /**
   * What this batch adds to the sums.
   * @param mask of the predictions, where a layer gave them one. As in Keras, means count what it lets count; other
   * metrics (precision, recall, f1Score, auc, rootMeanSquaredError) do not look at it
   * @param sampleWeight for `weightedMetrics`: float32 [batch] or of more leading axes; means divide by the sum of weights
   */
  abstract update(yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null): Amounts;

  /** The metric, from the sums over all batches. */
  abstract result(sums: ArrayLike<number>): number;

  /** @internal What `get` needs to make this metric again; undefined for metrics that only exist as code. */
  getConfig(): MetricConfig | undefined {
    return undefined;
  }
}

/** A built-in metric as data. */
export interface MetricConfig {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface MetricOptions {
  /** The name in logs and History; defaults to the metric's own. */
  name?: string;
}

export interface MetricSpec {
  /** Registered name. */
  readonly name: string;
  readonly options: MetricOptions;
  readonly direction: "min" | "max";
  update(yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null): Amounts;
  result(sums: ArrayLike<number>): number;
}

/** A metric made by one of the functions of this folder. */
export class BuiltInMetric extends Metric {
  override readonly direction: "min" | "max";
  private readonly spec: MetricSpec;

  constructor(spec: MetricSpec) {
    super(spec.options.name ?? spec.name);
    this.spec = spec;
    this.direction = spec.direction;
  }

  override update(yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null): Amounts {
    return this.spec.update(yTrue, yPred, mask, sampleWeight);
  }

  override result(sums: ArrayLike<number>): number {
    return this.spec.result(sums);
  }

  override getConfig(): MetricConfig {
    return { name: this.spec.name, options: { ...this.spec.options } };
  }
}

/** The mean of a function's values over everything seen. A scalar result counts as one value per batch. */
export class MeanMetric extends Metric {
  private readonly fn: MetricFunction;

  constructor(fn: MetricFunction, name: string) {
    super(name);
    this.fn = fn;
  }

  override update(yTrue: Value, yPred: Value, mask?: Value | null, sampleWeight?: Value | null): Amounts {
    const values = this.fn(yTrue, yPred);
    if (!(values instanceof Value)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `metric ${this.name}: expected the function to return a Value made with ops, got ${describe(values)}`,
      );
    }
    return sumAndCount(`metric ${this.name}`, values, mask, sampleWeight);
  }

  override result(sums: ArrayLike<number>): number {
    return quotient(sums[0]!, sums[1]!);
  }
}

/** The sum of a function's values over everything seen, each times its sample's weight. */
export class SumMetric extends MeanMetric {
  override result(sums: ArrayLike<number>): number {
    return sums[0]!;
  }
}

/** The two amounts of a mean over the values that count. */
export function sumAndCount(
  where: string,
  values: Value,
  mask?: Value | null,
  sampleWeight?: Value | null,
): Amounts {
  const numbers = ops.cast(values, "float32");
  if (sampleWeight && values.rank > 0) {
    const weights = ops.broadcastTo(spreadOver(where, numbers, sampleWeight), numbers.shape);
    const counted = mask ? countedBy(where, weights, mask)[0] : weights;
    return [ops.sum(ops.multiply(numbers, counted)), ops.sum(counted)];
  }
  if (!mask || values.rank === 0) return [ops.sum(numbers), sizeOf(values.shape)];
  const [counted, count] = countedBy(where, numbers, mask);
  return [ops.sum(counted), count];
}

/** 0 where nothing was counted, as Keras has it; NaN stays NaN. */
export function quotient(total: number, count: number): number {
  return count === 0 ? 0 : total / count;
}
