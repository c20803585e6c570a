// ActivityRegularization: passes its input on and charges for it.

import { checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { l1l2 } from "../regularizers/regularizer.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import { UnaryLayer } from "./unary.ts";

export interface ActivityRegularizationOptions extends LayerOptions {
  /** Factor of the sum of absolute values. Default 0. */
  l1?: number;
  /** Factor of the sum of squares. Default 0. */
  l2?: number;
}

export class ActivityRegularization extends UnaryLayer {
  static readonly className = "ActivityRegularization";
  override supportsMasking = true;
  readonly l1: number;
  readonly l2: number;

  constructor(options: ActivityRegularizationOptions = {}) {
    const where = labelOf("activityRegularization", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "l1", "l2"]);
    const factor = (name: "l1" | "l2") =>
      checkNumber(where, name, given[name] ?? 0, "of at least 0", (x) => x >= 0);
    super(given);
    this.l1 = factor("l1");
    this.l2 = factor("l2");
  }

  protected override get activityRegularizer() {
    return l1l2({ l1: this.l1, l2: this.l2 });
  }

  override call(x: Value): Value {
    return x;
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), l1: this.l1, l2: this.l2 };
  }
}

/**
 * Passes its input on and adds `l1 * sum(abs(x)) + l2 * sum(square(x))`, divided by the rows of the batch, to the loss.
 * @example layers.activityRegularization({ l2: 1e-4 })
 */
export function activityRegularization(options: ActivityRegularizationOptions = {}): ActivityRegularization {
  return new ActivityRegularization(options);
}
