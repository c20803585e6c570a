// Adam that leaves alone what a step has not looked up: for embeddings of which a batch names a few rows. LazyAdam as in
// TensorFlow Addons; Keras has none.

import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { assignVariable } from "../graph/trace.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { Adam, type AdamOptions } from "./adam.ts";
import { OPTIMIZER_OPTIONS, type OptimizerConfig, type ParameterUpdate } from "./optimizer.ts";

/** Those of Adam that make sense where most rows stand still. */
export type LazyAdamOptions = Omit<
  AdamOptions,
  "amsgrad" | "useEma" | "emaMomentum" | "emaOverwriteFrequency" | "gradientAccumulationSteps"
>;

const KNOWN = [...OPTIMIZER_OPTIONS, "beta1", "beta2", "epsilon"].filter(
  (name) => name !== "useEma" && !name.startsWith("ema") && name !== "gradientAccumulationSteps",
) as (keyof LazyAdamOptions)[];

/** See `lazyAdam`. */
export class LazyAdam extends Adam {
  constructor(options: LazyAdamOptions = {}) {
    super("lazyAdam", checkOptions("lazyAdam", options, KNOWN));
  }

  protected override applyAll(pairs: readonly ParameterUpdate[]): void {
    const named = pairs.map(({ parameter, gradient }) => namedRows(gradient, parameter));
    const whole = pairs.filter((_, i) => !named[i]);
    for (const [group, options] of this.sweeps(whole, pairs)) this.updateGroup(group, options);
    pairs.forEach((pair, i) => {
      const rows = named[i];
      if (rows) this.updateRows(pair, rows, pairs);
    });
  }

  private updateRows(pair: ParameterUpdate, rows: NamedRows, pairs: readonly ParameterUpdate[]): void {
    const { parameter, slots } = pair;
    const [m, v] = slots as [Variable, Variable];
    const { learningRate, iteration, scale, clipvalue, weightDecay } = this.sweeps([pair], pairs)[0]![1];
    const { beta1, beta2, epsilon } = this;
    const options = { learningRate, iteration, scale, clipvalue, weightDecay, beta1, beta2, epsilon };
    const updated = ops.lazyAdamUpdate({ parameter, ...rows, m, v }, options);
    assignVariable(parameter, updated.parameter);
    assignVariable(m, updated.m);
    assignVariable(v, updated.v);
  }

  override getConfig(): OptimizerConfig {
    const { options } = super.getConfig();
    return { name: "lazyAdam", options: Object.fromEntries(KNOWN.map((name) => [name, options[name]])) };
  }
}

interface NamedRows {
  readonly indices: Value;
  readonly rows: Value;
}

/**
 * The rows a gradient is made of, when all of it comes from look-ups in the parameter: a scatterAdd, or a sum of several.
 * Undefined where anything else adds to it, such as a weight the embedding shares with another layer.
 */
function namedRows(gradient: Value, parameter: Variable): NamedRows | undefined {
  const parts: NamedRows[] = [];
  // Of a scaled loss: the quotient is left for the rows.
  const isScaled = gradient.node?.op.name === "divide" && gradient.node.inputs[1]!.rank === 0;
  const [whole, scale] = isScaled ? (gradient.node!.inputs as [Value, Value]) : [gradient, undefined];
  const pending = [whole];
  for (let g = pending.pop(); g; g = pending.pop()) {
    const { op, inputs, attrs } = g.node ?? {};
    if (op?.name === "add") pending.push(...inputs!.toReversed());
    else if (op?.name === "scatterAdd" && attrs!.axis === 0 && inputs![1]!.dtype === "float32") {
      const [indices, updates] = inputs as [Value, Value];
      parts.push({
        indices: ops.reshape(indices, [-1]),
        rows: ops.reshape(scale ? ops.divide(updates, scale) : updates, [-1, ...parameter.shape.slice(1)]),
      });
    } else return undefined;
  }
  if (parts.length === 1) return parts[0];
  return {
    indices: ops.concatenate(parts.map((p) => p.indices)),
    rows: ops.concatenate(
      parts.map((p) => p.rows),
      { axis: 0 },
    ),
  };
}

/**
 * Adam that moves only the rows of an embedding its step has looked up, with their moments: faster for large tables, and
 * another algorithm. Rows that are not named keep their moments as they are, where Adam lets them fade and goes on moving
 * the row by what is left of them; the bias correction still counts all steps. Everything that is not looked up by index
 * is updated as by Adam. Weight decay falls on named rows only; averages (`useEma`), `amsgrad` and
 * `gradientAccumulationSteps` are not offered.
 * @example optimizers.lazyAdam({ learningRate: 1e-3 })
 */
export function lazyAdam(options: LazyAdamOptions = {}): LazyAdam {
  return new LazyAdam(options);
}
