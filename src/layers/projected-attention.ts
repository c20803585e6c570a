// The base of multi-head and grouped-query attention: query, key and value are projected to heads, the heads attend, and
// their outputs are projected together. Products stay in the layout [batch, positions, heads, depth] throughout.

import { checkBoolean, checkInteger, checkNumber } from "../core/options.ts";
import { sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import * as ops from "../ops/index.ts";
import { type AttentionContext, AttentionLayer, type NamedInputs } from "./attention-base.ts";
import { EinsumDense } from "./einsum-dense.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Nest } from "./nest.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";

import { type ActivityRule, type WeightRules, weightRules } from "./weight-rules.ts";

/** Options of both layers, with Keras's defaults. */
export interface ProjectedAttentionOptions
  extends LayerOptions,
    WeightRules<"kernel" | "bias">,
    ActivityRule {
  /** Share of the weights dropped in training. Default 0. */
  dropout?: number;
  /** Of all projections. Default true. */
  useBias?: boolean;
  /** How far a query sees: only keys less than this many positions away, on both sides. Default: all. */
  slidingWindow?: number | null;
  /** Default "glorotUniform". */
  kernelInitializer?: InitializerLike;
  /** Default "zeros". */
  biasInitializer?: InitializerLike;
  /** Whether the heads' outputs are multiplied by the sigmoid of a projection of the query. Default false. */
  useGate?: boolean;
  /** A stream of its own for dropout; default: the model's. */
  seed?: number | null;
}

export const PROJECTED_ATTENTION_OPTIONS = [
  ...LAYER_OPTIONS,
  "dropout",
  "useBias",
  "slidingWindow",
  "kernelInitializer",
  "biasInitializer",
  ...weightRules("kernel", "bias"),
  "activityRegularizer",
  "useGate",
  "seed",
] as const;

/** Heads of queries and of keys, and the widths of their keys and values. */
interface Heads {
  readonly queries: number;
  readonly keys: number;
  readonly keyDim: number;
  readonly valueDim: number;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

export abstract class ProjectedAttention extends AttentionLayer {
  readonly dropout: number;
  readonly useBias: boolean;
  readonly slidingWindow: number | null;
  readonly useGate: boolean;
  readonly seedGenerator: ops.SeedGenerator | undefined;
  // In Keras's order of weights.
  queryDense!: EinsumDense;
  keyDense!: EinsumDense;
  gateDense: EinsumDense | undefined;
  valueDense!: EinsumDense;
  outputDense!: EinsumDense;
  private readonly kernelInitializer: Initializer;
  private readonly biasInitializer: Initializer;

  constructor(where: string, options: ProjectedAttentionOptions) {
    super(options);
    const { dropout = 0, useBias = true, slidingWindow = null, useGate = false, seed } = options;
    this.dropout = checkNumber(where, "dropout", dropout, "in [0, 1)", (x) => x >= 0 && x < 1);
    this.useBias = checkBoolean(where, "useBias", useBias);
    this.useGate = checkBoolean(where, "useGate", useGate);
    this.slidingWindow =
      slidingWindow === null ? null : checkInteger(where, "slidingWindow", slidingWindow, 1);
    if (seed != null) this.seedGenerator = new ops.SeedGenerator(checkInteger(where, "seed", seed));
    this.kernelInitializer = resolveInitializer(
      where,
      "kernelInitializer",
      options.kernelInitializer ?? "glorotUniform",
    );
    this.biasInitializer = resolveInitializer(where, "biasInitializer", options.biasInitializer ?? "zeros");
  }

  /** As in Keras the projections have it, not what comes out. */
  protected override get activityRegularizer(): undefined {
    return undefined;
  }

  protected abstract get headsOf(): Heads;
  /** What the output projection makes of a query of this many features. */
  protected abstract outputShapeOf(features: number | null): BatchShape;
  /** The axes of the inputs that attention goes over; others are like more batch axes. */
  protected abstract axesOf(rank: number): readonly number[];

  override build(inputShape: Nest<BatchShape>): void {
    const { query, value, key } = this.shapesOf(inputShape);
    const inner = (shape: BatchShape) => formatBatchShape(shape.slice(1, -1));
    if (query.length < 3 || value.length !== query.length || key.length !== query.length) {
      const shapes = [query, value, key].map(formatBatchShape).join(", ");
      throw this.error(
        "SHAPE_MISMATCH",
        `expected query, value and key of one rank from 3 on, got ${shapes}`,
      );
    }
    if (inner(value) !== inner(key)) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected value and key of the same positions, got ${formatBatchShape(value)} and ${formatBatchShape(key)}`,
      );
    }
    const { queries, keys, keyDim, valueDim } = this.headsOf;
    this.queryDense = this.project("query", query, [queries, keyDim]);
    this.keyDense = this.project("key", key, [keys, keyDim]);
    if (this.useGate) this.gateDense = this.project("gate", query, [queries, valueDim], "sigmoid");
    this.valueDense = this.project("value", value, [keys, valueDim]);
    const free = query.length - 1;
    const [inside, made] = [LETTERS.slice(0, free), this.outputShapeOf(query.at(-1)!)];
    const joined = LETTERS.slice(free, free + 2);
    const out = LETTERS.slice(free + 2, free + 2 + made.length);
    this.outputDense = this.dense(
      "attention_output",
      `${inside}${joined},${joined}${out}->${inside}${out}`,
      [...lengths(query), ...made],
      out,
    );
    this.outputDense.build([...query.slice(0, -1), queries, valueDim]);
  }

  private project(name: string, input: BatchShape, heads: readonly number[], activation?: "sigmoid") {
    const free = input.length - 1;
    const inside = LETTERS.slice(0, free);
    const [inner, out] = [LETTERS[free]!, LETTERS.slice(free + 1, free + 3)];
    const equation = `${inside}${inner},${inner}${out}->${inside}${out}`;
    const layer = this.dense(name, equation, [...lengths(input), ...heads], out, activation);
    layer.build(input);
    return layer;
  }

  private dense(
    name: string,
    equation: string,
    outputShape: BatchShape,
    biasAxes: string,
    activation?: "sigmoid",
  ): EinsumDense {
    return new EinsumDense({
      ...this.rules.options,
      name,
      equation,
      outputShape,
      biasAxes: this.useBias ? biasAxes : null,
      activation,
      kernelInitializer: this.kernelInitializer,
      biasInitializer: this.biasInitializer,
    });
  }

  override call(x: Nest<Value>, context: AttentionContext, mask: Mask): Nest<Value> {
    const inputs = this.named(x, mask);
    const { isCausal, wantsScores } = this.flags(context);
    const q = this.queryDense.apply(inputs.query);
    const k = this.keyDense.apply(inputs.key);
    const v = this.valueDense.apply(inputs.value);
    const heads = this.attend(q, k, v, inputs, isCausal, context.training);
    const gated = this.gateDense ? ops.multiply(heads, this.gateDense.apply(inputs.query)) : heads;
    const output = this.outputDense.apply(gated);
    return wantsScores ? [output, this.scores(q, k, inputs, isCausal)] : output;
  }

  private attend(q: Value, k: Value, v: Value, inputs: NamedInputs, isCausal: boolean, training: boolean) {
    const axes = this.axesOf(q.rank - 1);
    const [query, key, value] = [q, k, v].map((x) => gather(x, axes));
    const mask = this.mask(inputs, q, k, isCausal);
    const heads = ops.dotProductAttention(query!, key!, value!, {
      isCausal,
      mask,
      ...(training && this.dropout > 0 ? { dropout: this.dropout, seed: this.seedGenerator } : {}),
    });
    return spread(heads, q, axes);
  }

  /** The weights, [batch, heads, T, S]; other axes in front of the heads, each axis of attention by itself. */
  private scores(q: Value, k: Value, inputs: NamedInputs, isCausal: boolean): Value {
    const axes = this.axesOf(q.rank - 1);
    const mask = this.mask(inputs, q, k, isCausal);
    const weights = ops.attentionWeights(gather(q, axes), gather(k, axes), { isCausal, mask });
    const others = othersOf(q, axes).map((a) => q.shape[a]!);
    const along = (x: Value) => axes.map((a) => x.shape[a]!);
    return ops.reshape(weights, [q.shape[0]!, ...others, weights.shape[1]!, ...along(q), ...along(k)]);
  }

  /** All masks as one that broadcasts to [batch, heads, T, S]. */
  private mask(
    { queryMask, valueMask, keyMask, attentionMask }: NamedInputs,
    q: Value,
    k: Value,
    isCausal: boolean,
  ): Value | undefined {
    const given = [queryMask, valueMask, keyMask, attentionMask, this.slidingWindow].some((m) => m !== null);
    if (q.rank > 4 && (given || isCausal)) {
      throw this.error(
        "INVALID_ARGUMENT",
        "expected inputs of rank 3 with masks, a sliding window or causal order; they have no one meaning for several axes",
      );
    }
    if (!given) return undefined;
    const [steps, keys] = [q.shape[1]!, k.shape[1]!];
    const parts: Value[] = [];
    const put = (m: Value | null, name: string, shape: readonly number[]): void => {
      if (!m) return;
      const length = shape.find((d) => d !== 1) ?? 1;
      if (m.rank !== 2 || m.shape[1] !== length) {
        throw this.error(
          "SHAPE_MISMATCH",
          `expected ${name} of shape [batch, ${length}], got [${m.shape.join(", ")}]`,
        );
      }
      parts.push(ops.reshape(m, [m.shape[0]!, ...shape]));
    };
    put(queryMask, "queryMask", [1, steps, 1]);
    put(valueMask, "valueMask", [1, 1, keys]);
    put(keyMask, "keyMask", [1, 1, keys]);
    if (attentionMask) parts.push(this.fullMask(attentionMask));
    if (this.slidingWindow !== null) {
      const apart = ops.abs(ops.subtract(ops.reshape(ops.arange(steps), [steps, 1]), ops.arange(keys)));
      parts.push(ops.reshape(ops.less(apart, this.slidingWindow), [1, 1, steps, keys]));
    }
    return parts.reduce((a, b) => ops.logicalAnd(a, b));
  }

  /** [T, S], [batch, T, S] or [batch, heads, T, S] to rank 4. */
  private fullMask(m: Value): Value {
    if (m.rank < 2 || m.rank > 4) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected attentionMask [T, S], [batch, T, S] or [batch, heads, T, S], got [${m.shape.join(", ")}]`,
      );
    }
    const [t, s] = m.shape.slice(-2) as [number, number];
    return m.rank === 4 ? m : ops.reshape(m, [m.rank === 3 ? m.shape[0]! : 1, 1, t, s]);
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      dropout: this.dropout,
      useBias: this.useBias,
      useGate: this.useGate,
      slidingWindow: this.slidingWindow,
      kernelInitializer: serializeInitializer(this.kernelInitializer),
      biasInitializer: serializeInitializer(this.biasInitializer),
      seed: this.seedGenerator?.seed ?? null,
    };
  }
}

/** Those of the axes between batch and features: they may change from call to call. */
function lengths(shape: BatchShape): null[] {
  return shape.slice(1, -1).map(() => null);
}

/** The axes between batch and heads that attention does not go over. */
function othersOf(x: Value, axes: readonly number[]): number[] {
  return x.shape.flatMap((_, i) => (i > 0 && i < x.rank - 2 && !axes.includes(i) ? [i] : []));
}

function order(x: Value, axes: readonly number[]): number[] {
  return [0, ...othersOf(x, axes), ...axes, x.rank - 2, x.rank - 1];
}

/** [batch, ..., heads, depth] to [batch and others, positions, heads, depth]. */
function gather(x: Value, axes: readonly number[]): Value {
  if (x.rank === 4) return x;
  const positions = sizeOf(axes.map((a) => x.shape[a]!));
  const batch = x.shape[0]! * sizeOf(othersOf(x, axes).map((a) => x.shape[a]!));
  return ops.reshape(ops.transpose(x, order(x, axes)), [batch, positions, ...x.shape.slice(-2)]);
}

/** The inverse of `gather` for outputs of queries like q. */
function spread(x: Value, q: Value, axes: readonly number[]): Value {
  if (q.rank === 4) return x;
  const perm = order(q, axes);
  const shape = perm.map((a) => (a === q.rank - 1 ? x.shape[3]! : q.shape[a]!));
  return ops.transpose(
    ops.reshape(x, shape),
    perm.map((_, i) => perm.indexOf(i)),
  );
}
