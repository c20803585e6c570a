// Adafactor (Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018), Keras's form.
// Keras keeps the product of both factors as state too; it follows from them, so here it is only computed.

import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import {
  type Hyper,
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type SlotSpec,
  type Updated,
} from "./optimizer.ts";
import type { LearningRate } from "./schedules/index.ts";

export interface AdafactorOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** The mean of squares keeps 1 - step ** beta2Decay of itself; below 0. Default -0.8. */
  beta2Decay?: number;
  /** Added to squared gradients. Default 1e-30. */
  epsilon1?: number;
  /** Least size a parameter counts for in its step. Default 1e-3. */
  epsilon2?: number;
  /** Largest root mean square of a step before it is scaled down, above 0. Default 1. */
  clipThreshold?: number;
  /** Let the learning rate be at most 1 / sqrt(step). Default true. */
  relativeStep?: boolean;
}

/** See `adafactor`. */
export class Adafactor extends Optimizer {
  private readonly beta2Decay: number;
  private readonly epsilon1: number;
  private readonly epsilon2: number;
  private readonly clipThreshold: number;
  private readonly relativeStep: boolean;

  constructor(options: AdafactorOptions = {}) {
    const name = "adafactor";
    const own = ["beta2Decay", "epsilon1", "epsilon2", "clipThreshold", "relativeStep"] as const;
    const o = checkOptions(name, options, [...OPTIMIZER_OPTIONS, ...own]);
    super(name, { ...o, learningRate: o.learningRate ?? 0.001 });
    const isNotNegative = (x: number) => x >= 0;
    this.beta2Decay = checkNumber(name, "beta2Decay", o.beta2Decay ?? -0.8, "below 0", (x) => x < 0);
    this.epsilon1 = checkNumber(name, "epsilon1", o.epsilon1 ?? 1e-30, "of at least 0", isNotNegative);
    this.epsilon2 = checkNumber(name, "epsilon2", o.epsilon2 ?? 1e-3, "of at least 0", isNotNegative);
    this.clipThreshold = checkNumber(name, "clipThreshold", o.clipThreshold ?? 1, "above 0", (x) => x > 0);
    this.relativeStep = checkBoolean(name, "relativeStep", o.relativeStep ?? true);
  }

  /** Parameters of two and more dimensions keep means over rows and over columns, the rest all of them. */
  protected override slotSpecs({ shape }: Variable): readonly SlotSpec[] {
    if (shape.length < 2) return [{ name: "velocity" }];
    return [
      { name: "row", shape: shape.slice(0, -1) },
      { name: "column", shape: [...shape.slice(0, -2), shape.at(-1)!] },
    ];
  }

  override update(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const bound = ops.divide(1, ops.sqrt(hyper.step));
    // Keras's least of the learning rate and 1 / sqrt(step) holds with and without relativeStep.
    const rate = ops.minimum(hyper.learningRate, bound);
    const beta = ops.subtract(1, ops.power(hyper.step, this.beta2Decay));
    const rms = (x: Value) => ops.sqrt(ops.mean(ops.square(x)));
    const squares = ops.add(ops.square(gradient), this.epsilon1);
    const mean = (old: Value, x: Value) =>
      ops.add(ops.multiply(old, beta), ops.multiply(x, ops.subtract(1, beta)));
    let velocity: Value;
    let next: Value[];
    if (parameter.rank < 2) {
      velocity = mean(slots[0]!, squares);
      next = [velocity];
    } else {
      const row = mean(slots[0]!, ops.mean(squares, { axis: -1 }));
      const column = mean(slots[1]!, ops.mean(squares, { axis: -2 }));
      const share = ops.divide(row, ops.mean(row, { axis: -1, keepDims: true }));
      velocity = ops.multiply(ops.expandDims(share, -1), ops.expandDims(column, -2));
      next = [row, column];
    }
    const step = ops.divide(gradient, ops.sqrt(velocity));
    const excess = ops.maximum(ops.divide(rms(step), this.clipThreshold), 1);
    const size = ops.multiply(ops.maximum(rms(parameter), this.epsilon2), rate);
    const moved = ops.subtract(parameter, ops.multiply(step, ops.divide(size, excess)));
    return { parameter: moved, slots: next };
  }

  override getConfig(): OptimizerConfig {
    const { beta2Decay, epsilon1, epsilon2, clipThreshold, relativeStep } = this;
    const options = { ...this.baseConfig(), beta2Decay, epsilon1, epsilon2, clipThreshold, relativeStep };
    return { name: "adafactor", options };
  }
}

/** Adafactor: Adam's scaling with means over rows and columns only, so that its state is small. */
export function adafactor(options: AdafactorOptions = {}): Adafactor {
  return new Adafactor(options);
}
