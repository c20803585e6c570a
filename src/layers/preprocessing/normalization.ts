// Normalization: numbers with their mean taken away, divided by their spread, as found in the data.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkOptions } from "../../core/options.ts";
import { formatShape, normalizeAxis, sizeOf } from "../../core/shape.ts";
import { Tensor, type TensorLike } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import type { Variable } from "../../graph/variable.ts";
import * as ops from "../../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { type BatchShape, formatBatchShape } from "../symbolic.ts";
import { UnaryLayer } from "../unary.ts";
import { type AdaptData, inBatches, type Numbers, numbersOf } from "./host-data.ts";

export interface NormalizationOptions extends LayerOptions {
  /** Axes that have a mean and variance for each of their places; null: one for everything. Default -1. */
  axis?: number | readonly number[] | null;
  /** Given together with variance instead of adapting. */
  mean?: TensorLike | null;
  variance?: TensorLike | null;
  /** The way back. Default false. */
  invert?: boolean;
}

/** Keeps quotients finite where nothing varies. */
const EPSILON = 1e-7;

/** Weights: mean and variance over the kept axes, not trained; none when they were given. */
export class Normalization extends UnaryLayer {
  static readonly className = "Normalization";
  override supportsMasking = true;
  readonly axis: readonly number[] | null;
  readonly invert: boolean;
  mean: Variable | undefined;
  variance: Variable | undefined;
  private readonly given: { mean: Tensor; variance: Tensor } | undefined;

  constructor(options: NormalizationOptions = {}) {
    const where = labelOf("normalization", options);
    const o = checkOptions(where, options, [...LAYER_OPTIONS, "axis", "mean", "variance", "invert"]);
    super(o);
    const { axis = -1 } = o;
    this.axis = axis === null ? null : typeof axis === "number" ? [axis] : [...axis];
    if (this.axis?.some((a) => !Number.isInteger(a) || a === 0)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected axis to be whole numbers other than 0, the batch, got ${describe(axis)}`,
      );
    }
    this.invert = checkBoolean(where, "invert", o.invert ?? false);
    if ((o.mean == null) !== (o.variance == null)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected mean and variance together, got one of them`,
      );
    }
    if (o.mean != null) {
      this.given = { mean: numbersOf(where, o.mean), variance: numbersOf(where, o.variance) };
    }
  }

  /** Axes with statistics of their own, from 1 on. */
  private axesOf(rank: number): number[] {
    return (this.axis ?? []).map((a) => normalizeAxis(this.path, a, rank)).sort((a, b) => a - b);
  }

  override build(inputShape: BatchShape): void {
    if (this.given) return;
    const shape = this.axesOf(inputShape.length).map((a) => inputShape[a]!);
    const weight = (name: string, initializer: string) =>
      this.addWeight({ name, shape, initializer, trainable: false });
    this.mean = weight("mean", "zeros");
    this.variance = weight("variance", "ones");
  }

  /**
   * Takes mean and variance from data, in place of what was there.
   * @param data an array of rows, or batches of them
   * @returns a promise when the data is a stream of batches, to be awaited
   */
  adapt(data: AdaptData<Numbers>): Promise<void> | undefined {
    if (this.given) throw this.error("INVALID_ARGUMENT", "adapt: expected a layer without mean and variance of its own"); // biome-ignore format: one line
    if (inBatches(data)) return this.adaptToBatches(data);
    const sums = new Sums(this.axis === null);
    this.addTo(sums, data);
    this.finish(sums);
    return undefined;
  }

  private async adaptToBatches(batches: Iterable<Numbers> | AsyncIterable<Numbers>): Promise<void> {
    const sums = new Sums(this.axis === null);
    for await (const batch of batches) this.addTo(sums, batch);
    this.finish(sums);
  }

  private addTo(sums: Sums, data: Numbers): void {
    const t = numbersOf(`${this.path}: adapt`, data);
    const rows = t.rank === 1 ? t.reshape([t.size, 1]) : t;
    this.build([null, ...rows.shape.slice(1)]);
    const axes = this.axesOf(rows.rank);
    const kept = axes.map((a) => rows.shape[a]!);
    if (formatShape(kept) !== formatShape(this.mean!.shape)) {
      throw this.error(
        "SHAPE_MISMATCH",
        `adapt: expected data with ${formatShape(this.mean!.shape)} on axis ${describe(this.axis)}, got ${formatShape(t.shape)}`,
      );
    }
    sums.add(rows, axes);
  }

  private finish(sums: Sums): void {
    if (sums.count === 0) throw this.error("INVALID_DATA", "adapt: expected data, got none");
    const { mean, variance } = sums.result();
    this.mean!.write(new Tensor(mean, this.mean!.shape, "float32"));
    this.variance!.write(new Tensor(variance, this.variance!.shape, "float32"));
  }

  private statistics(): { mean: Tensor; variance: Tensor } {
    if (this.given) return this.given;
    this.checkBuilt("encode");
    return { mean: this.mean!.read(), variance: this.variance!.read() };
  }

  /** The same on the host. */
  encode(data: Numbers): Tensor {
    const t = numbersOf(`${this.path}: encode`, data);
    const { mean, variance } = this.statistics();
    const axes = this.axesOf(t.rank);
    const place = placesOf(t.shape, axes);
    const out = new Float32Array(t.size);
    for (let i = 0; i < out.length; i++) {
      const k = mean.size === 1 ? 0 : place(i);
      const spread = Math.max(Math.sqrt(variance.data[k]!), EPSILON);
      out[i] = this.invert ? mean.data[k]! + t.data[i]! * spread : (t.data[i]! - mean.data[k]!) / spread;
    }
    return new Tensor(out, t.shape, "float32");
  }

  override call(x: Value): Value {
    const value = ops.cast(x, "float32");
    const axes = this.axesOf(x.rank);
    const shape = x.shape.map((d, axis) => (axes.includes(axis) ? d : 1));
    const spread = (v: Variable | Tensor) => {
      const all = v instanceof Tensor ? ops.constant(v) : ops.toValue(v, "float32");
      if (sizeOf(all.shape) !== 1 && sizeOf(all.shape) !== sizeOf(shape)) {
        throw this.error(
          "SHAPE_MISMATCH",
          `expected an input like what it knows, ${formatShape(all.shape)} on axis ${describe(this.axis)}, got ${formatBatchShape(x.shape)}`,
        );
      }
      return ops.reshape(ops.cast(all, "float32"), sizeOf(all.shape) === 1 ? x.shape.map(() => 1) : shape);
    };
    const { mean, variance } = this.given ?? { mean: this.mean!, variance: this.variance! };
    const scale = ops.maximum(ops.sqrt(spread(variance)), EPSILON);
    if (this.invert) return ops.add(spread(mean), ops.multiply(value, scale));
    return ops.divide(ops.subtract(value, spread(mean)), scale);
  }

  override getConfig(): Record<string, unknown> {
    const { axis, invert, given } = this;
    const own = given && { mean: given.mean.toArray(), variance: given.variance.toArray() };
    return { ...super.getConfig(), axis, invert, ...own };
  }
}

/** Sums of numbers and squares about a first guess of the mean, which keeps digits where the mean is large. */
class Sums {
  count = 0;
  private shift: Float64Array | undefined;
  private sum = new Float64Array(0);
  private squares = new Float64Array(0);
  private readonly isOne: boolean;

  constructor(isOne: boolean) {
    this.isOne = isOne;
  }

  add(t: Tensor, axes: readonly number[]): void {
    const size = this.isOne ? 1 : axes.reduce((n, a) => n * t.shape[a]!, 1);
    const place = placesOf(t.shape, axes);
    if (!this.shift) {
      this.shift = new Float64Array(size);
      for (let i = Math.min(t.size, sizeOf(t.shape.slice(1))) - 1; i >= 0; i--) {
        this.shift[this.isOne ? 0 : place(i)] = t.data[i]!;
      }
      this.sum = new Float64Array(size);
      this.squares = new Float64Array(size);
    }
    for (let i = 0; i < t.size; i++) {
      const k = this.isOne ? 0 : place(i);
      const x = t.data[i]! - this.shift[k]!;
      this.sum[k]! += x;
      this.squares[k]! += x * x;
    }
    this.count += t.size / size;
  }

  result(): { mean: Float32Array; variance: Float32Array } {
    const mean = Float32Array.from(this.sum, (s, k) => this.shift![k]! + s / this.count);
    const variance = Float32Array.from(this.squares, (s, k) =>
      Math.max(0, s / this.count - (this.sum[k]! / this.count) ** 2),
    );
    return { mean, variance };
  }
}

/** Which of the statistics an element belongs to. */
function placesOf(shape: readonly number[], axes: readonly number[]): (i: number) => number {
  if (axes.length === 1 && axes[0] === shape.length - 1) {
    const last = shape.at(-1)!;
    return (i) => i % last;
  }
  const strides = shape.map((_, a) => sizeOf(shape.slice(a + 1)));
  return (i) => axes.reduce((k, a) => k * shape[a]! + (Math.floor(i / strides[a]!) % shape[a]!), 0);
}

/**
 * Numbers less their mean, divided by their standard deviation, feature by feature.
 * @example
 * const scale = layers.normalization();
 * scale.adapt(x);                       // once, on the data that is trained on
 * const z = scale.encode(x);            // on the host, or as the first layer of a model
 */
export function normalization(options: NormalizationOptions = {}): Normalization {
  return new Normalization(options);
}
