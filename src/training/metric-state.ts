// A metric by itself: for predictions that are at hand, outside fit and evaluate.

import { type Built, build } from "../compile.ts";
import { MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { formatType } from "../core/shape.ts";
import { type TensorLike, tensor } from "../core/tensor.ts";
import type { Engine } from "../engine/engine.ts";
import { currentEngine, type EngineName, engineNamed } from "../engine/select.ts";
import type { Value } from "../graph/graph.ts";
import { get, type MetricLike } from "../metrics/index.ts";
import { Ledger } from "./totals.ts";

/**
 * The running value of a metric over batches on the host, as `keras.metrics` are used by themselves.
 * @example
 * const auc = new MetricState("auc");
 * for (const { y, score } of batches) auc.updateState(y, score);
 * console.log(auc.result());
 */
export class MetricState {
  private readonly metric;
  private readonly engine: Engine;
  private readonly programs = new Map<string, { built: Built; ledger: Ledger }>();
  private sums: Float64Array[] | undefined;
  private ledger: Ledger | undefined;

  /** @param options.engine where it computes. Default: what `setEngine` chose */
  constructor(metric: MetricLike, options?: { engine?: EngineName | Engine }) {
    const { engine } = checkOptions("MetricState", options, ["engine"]);
    this.metric = get(metric, "MetricState");
    this.engine = engine === undefined ? currentEngine() : engineNamed(engine, "MetricState");
  }

  get name(): string {
    return this.metric.name;
  }

  /**
   * Adds a batch.
   * @param yTrue targets, @param yPred predictions, as the metric takes them; @param sampleWeight one per row
   * @throws SHAPE_MISMATCH when they do not fit each other
   */
  updateState(yTrue: TensorLike, yPred: TensorLike, sampleWeight?: TensorLike): void {
    const args = [yTrue, yPred, ...(sampleWeight === undefined ? [] : [sampleWeight])].map((t) => tensor(t));
    const key = args.map(formatType).join();
    let program = this.programs.get(key);
    if (!program) {
      const ledger = new Ledger();
      const { metric } = this;
      const update = (t: Value, p: Value, weight?: Value) => {
        const amounts = metric.update(t, p, null, weight);
        const result = (sums: ArrayLike<number>) => metric.result(sums);
        return ledger.amounts([{ name: metric.name, direction: undefined, amounts, result }]);
      };
      program = { built: build(update as never, args, { engine: this.engine, name: metric.name }), ledger };
      this.programs.set(key, program);
    }
    this.ledger ??= program.ledger;
    const added = program.built.runSync(args);
    this.sums ??= added.map((t) => new Float64Array(t.size));
    added.forEach((t, i) => {
      const own = this.sums![i]!;
      if (own.length !== t.size) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `metric ${this.name}: expected batches of as many outputs as the first, got ${formatType(t)}`,
        );
      }
      for (let k = 0; k < own.length; k++) own[k]! += t.data[k]!;
    });
  }

  /** The metric over everything since the last reset; NaN before the first batch. */
  result(): number {
    return this.sums ? this.ledger!.logs(this.sums)[this.name]! : Number.NaN;
  }

  /** Starts anew. */
  resetState(): void {
    this.sums = undefined;
  }
}
