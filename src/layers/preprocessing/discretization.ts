// Discretization: numbers as the bins they fall into.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkInteger, checkNumber, checkOneOf, checkOptions } from "../../core/options.ts";
import { Tensor, tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { encodeRows, encodeValue } from "./counting.ts";
import { type AdaptData, inBatches, type Numbers, numbersOf } from "./host-data.ts";

export interface DiscretizationOptions extends LayerOptions {
  /** Increasing ends of bins: below the first is bin 0. Default: found by `adapt`. */
  binBoundaries?: readonly number[] | null;
  /** How many bins `adapt` makes, each with about as many numbers. */
  numBins?: number | null;
  /** Kept for Keras's sake: quantiles are exact here. Default 0.01. */
  epsilon?: number;
  /** Default "int". */
  outputMode?: "int" | "oneHot" | "multiHot" | "count";
}

export class Discretization extends UnaryLayer {
  static readonly className = "Discretization";
  readonly numBins: number | null;
  readonly epsilon: number;
  readonly outputMode: "int" | "oneHot" | "multiHot" | "count";
  binBoundaries: readonly number[] | null;

  constructor(options: DiscretizationOptions = {}) {
    const where = labelOf("discretization", options);
    const known = [...LAYER_OPTIONS, "binBoundaries", "numBins", "epsilon", "outputMode"] as const;
    const o = checkOptions(where, options, known);
    super(o);
    const bounds = o.binBoundaries ?? null;
    if (
      bounds !== null &&
      !(Array.isArray(bounds) && bounds.every((b, i) => Number.isFinite(b) && (i === 0 || b > bounds[i - 1])))
    ) {
      // biome-ignore format: one line
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected binBoundaries to be increasing numbers, got ${describe(bounds)}`,
      );
    }
    if ((bounds === null) === (o.numBins == null)) {
      throw new MyelinError("INVALID_OPTION", `${where}: expected either numBins or binBoundaries`);
    }
    this.binBoundaries = bounds;
    this.numBins = o.numBins == null ? null : checkInteger(where, "numBins", o.numBins, 1);
    this.epsilon = checkNumber(where, "epsilon", o.epsilon ?? 0.01, "in (0, 1)", (x) => x > 0 && x < 1);
    const modes = ["int", "oneHot", "multiHot", "count"] as const;
    this.outputMode = checkOneOf(where, "outputMode", o.outputMode ?? "int", modes);
  }

  /** Finds boundaries with about as many numbers between them. */
  adapt(data: AdaptData<Numbers>): Promise<void> | undefined {
    if (this.numBins === null) throw this.error("INVALID_ARGUMENT", "adapt: expected a layer with numBins");
    const where = `${this.path}: adapt`;
    if (!inBatches(data)) {
      this.place(Float64Array.from(numbersOf(where, data).data));
      return undefined;
    }
    return (async () => {
      const parts: number[][] = [];
      for await (const batch of data) parts.push(Array.from(numbersOf(where, batch).data));
      this.place(Float64Array.from(parts.flat()));
    })();
  }

  private place(sorted: Float64Array): void {
    if (sorted.length === 0) throw this.error("INVALID_DATA", "adapt: expected data, got none");
    sorted.sort();
    const quantile = (share: number) => {
      const at = share * (sorted.length - 1);
      const low = Math.floor(at);
      return sorted[low]! + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)]! - sorted[low]!);
    };
    const all = Array.from({ length: this.numBins! - 1 }, (_, i) => quantile((i + 1) / this.numBins!));
    this.binBoundaries = [...new Set(all)];
  }

  private get boundaries(): readonly number[] {
    if (this.binBoundaries) return this.binBoundaries;
    throw this.error("NOT_BUILT", "expected boundaries; call adapt(data) first");
  }

  override call(x: Value): Value {
    const edges = ops.constant(tensor(Float32Array.from(this.boundaries)));
    const above = ops.greaterEqual(ops.expandDims(ops.cast(x, "float32"), -1), edges);
    const bins = ops.sum(ops.cast(above, "int32"), { axis: -1 });
    return encodeValue(this.path, bins, this.outputMode, this.boundaries.length + 1);
  }

  /** The same on the host. */
  encode(data: Numbers): Tensor {
    const t = numbersOf(`${this.path}: encode`, data);
    const edges = Float32Array.from(this.boundaries);
    const bins = Int32Array.from(t.data, (v) => {
      let [low, high] = [0, edges.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (Math.fround(v) >= edges[middle]!) low = middle + 1;
        else high = middle;
      }
      return low;
    });
    if (this.outputMode === "int") return new Tensor(bins, t.shape, "int32");
    const width = t.rank > 1 ? t.shape.at(-1)! : 1;
    const rows = Array.from({ length: bins.length / width }, (_, i) =>
      bins.subarray(i * width, (i + 1) * width),
    );
    return encodeRows(this.path, rows, this.outputMode, edges.length + 1, { isFlat: t.rank === 1 });
  }

  override getConfig(): Record<string, unknown> {
    const { binBoundaries, numBins, epsilon, outputMode } = this;
    const which =
      numBins === null ? { binBoundaries } : binBoundaries === null ? { numBins } : { binBoundaries };
    return { ...super.getConfig(), ...which, epsilon, outputMode };
  }
}

/** Numbers as the number of the bin they fall into: below the first boundary 0, from it on 1, and so on. */
export function discretization(options: DiscretizationOptions = {}): Discretization {
  return new Discretization(options);
}
