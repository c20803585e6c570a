// Attention without projections: by products (Luong et al., 2015) or by the sum of tanh (Bahdanau et al., 2014), with the
// options, weights and masks of Keras 3.

import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { type AttentionContext, AttentionLayer, type NamedInputs } from "./attention-base.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";

export interface AdditiveAttentionOptions extends LayerOptions {
  /** Whether scores are scaled by a weight. Default true. */
  useScale?: boolean;
  /** Share of the weights dropped in training. Default 0. */
  dropout?: number;
  /** A stream of its own for dropout; default: the model's. */
  seed?: number | null;
}

const ADDITIVE_OPTIONS = [...LAYER_OPTIONS, "useScale", "dropout", "seed"] as const;

/** Scores below this are as good as none: what Keras takes from those of masked values. */
const MASKED = 1e9;

/** Masks, softmax and the sum of values, for scores that subclasses make. */
abstract class ScoredAttention extends AttentionLayer {
  protected override readonly maskNames = ["queryMask", "valueMask"] as const;
  readonly useScale: boolean;
  readonly dropout: number;
  readonly seedGenerator: ops.SeedGenerator | undefined;

  constructor(where: string, options: AdditiveAttentionOptions, scaleByDefault: boolean) {
    super(options);
    const { useScale = scaleByDefault, dropout = 0, seed } = options;
    this.useScale = checkBoolean(where, "useScale", useScale);
    this.dropout = checkNumber(where, "dropout", dropout, "in [0, 1)", (x) => x >= 0 && x < 1);
    if (seed != null) this.seedGenerator = new ops.SeedGenerator(checkInteger(where, "seed", seed));
  }

  /** [batch, T, S] of query [batch, T, features] and key [batch, S, features]. */
  protected abstract scores(query: Value, key: Value): Value;

  protected checkShapes(inputShape: Nest<BatchShape>): { query: BatchShape } {
    const shapes = this.shapesOf(inputShape);
    if (Object.values(shapes).some((shape) => shape.length !== 3)) {
      const came = Object.values(shapes).map(formatBatchShape).join(", ");
      throw this.error("SHAPE_MISMATCH", `expected query, value and key of rank 3, got ${came}`);
    }
    return shapes;
  }

  override call(x: Nest<Value>, context: AttentionContext, mask: Mask): Nest<Value> {
    const inputs = this.named(x, mask);
    const { isCausal, wantsScores } = this.flags(context);
    const weights = ops.softmax(this.hide(this.scores(inputs.query, inputs.key), inputs, isCausal));
    const drops = context.training && this.dropout > 0;
    const kept = drops ? ops.random.dropout(weights, this.dropout, { seed: this.seedGenerator }) : weights;
    const output = this.emptied(ops.matmul(kept, inputs.value), inputs);
    // Keras gives the weights as they were used.
    return wantsScores ? [output, kept] : output;
  }

  private hide(scores: Value, { valueMask }: NamedInputs, isCausal: boolean): Value {
    const [, steps, keys] = scores.shape as [number, number, number];
    const before = ops.greaterEqual(ops.reshape(ops.arange(steps), [steps, 1]), ops.arange(keys));
    const values = valueMask ? ops.reshape(valueMask, [valueMask.shape[0]!, 1, keys]) : null;
    const seen = values && isCausal ? ops.logicalAnd(values, before) : isCausal ? before : values;
    return seen ? ops.where(seen, scores, ops.subtract(scores, MASKED)) : scores;
  }

  /** Outputs of masked queries are 0. */
  protected emptied(output: Value, { queryMask }: NamedInputs): Value {
    return queryMask ? ops.where(ops.expandDims(queryMask, -1), output, 0) : output;
  }

  override getConfig(): Record<string, unknown> {
    const { useScale, dropout } = this;
    return { ...super.getConfig(), useScale, dropout, seed: this.seedGenerator?.seed ?? null };
  }
}

export interface AttentionLayerOptions extends AdditiveAttentionOptions {
  /** Whether scores are scaled by a weight. Default false. */
  useScale?: boolean;
  /** "dot": products of query and key; "concat": the sum of tanh of their sum. Default "dot". */
  scoreMode?: "dot" | "concat";
}

/** Weights, each a scalar: scale (useScale), concat_score_weight (scoreMode "concat"). */
export class Attention extends ScoredAttention {
  static readonly className = "Attention";
  readonly scoreMode: "dot" | "concat";
  scale: Variable | undefined;
  concatScoreWeight: Variable | undefined;

  constructor(options: AttentionLayerOptions = {}) {
    const where = labelOf("attention", options);
    const given = checkOptions(where, options, [...ADDITIVE_OPTIONS, "scoreMode"]);
    super(where, given, false);
    this.scoreMode = checkOneOf(where, "scoreMode", given.scoreMode ?? "dot", ["dot", "concat"]);
  }

  override build(inputShape: Nest<BatchShape>): void {
    this.checkShapes(inputShape);
    if (this.useScale) this.scale = this.addWeight({ name: "scale", shape: [], initializer: "ones" });
    if (this.scoreMode === "concat") {
      this.concatScoreWeight = this.addWeight({
        name: "concat_score_weight",
        shape: [],
        initializer: "ones",
      });
    }
  }

  override call(x: Nest<Value>, context: AttentionContext, mask: Mask): Nest<Value> {
    const inputs = this.named(x, mask);
    const { isCausal, wantsScores } = this.flags(context);
    const drops = context.training && this.dropout > 0;
    // Keras gives queries that see masked values alone their mean, which the op does not.
    if (this.scoreMode !== "dot" || wantsScores || drops || inputs.valueMask)
      return super.call(x, context, mask);
    const { query, key, value } = inputs;
    const oneHead = (v: Value) => ops.expandDims(v, 2);
    const q = oneHead(this.scale ? ops.multiply(query, this.scale) : query);
    const output = ops.dotProductAttention(q, oneHead(key), oneHead(value), { isCausal, scale: 1 });
    return this.emptied(ops.squeeze(output, 2), inputs);
  }

  protected override scores(query: Value, key: Value): Value {
    if (this.scoreMode === "dot") {
      const product = ops.matmul(query, key, { transposeB: true });
      return this.scale ? ops.multiply(product, this.scale) : product;
    }
    const sums = ops.add(ops.expandDims(query, -2), ops.expandDims(key, -3));
    const each = ops.tanh(this.scale ? ops.multiply(sums, this.scale) : sums);
    return ops.multiply(ops.sum(each, { axis: -1 }), this.concatScoreWeight!);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), scoreMode: this.scoreMode };
  }
}

/**
 * softmax(query key^T) value: [batch, T, features], [batch, S, width] -> [batch, T, width]. Called with [query, value] or
 * [query, value, key], as `multiHeadAttention` is; masked queries give 0.
 * @example layers.attention().apply([query, value])
 */
export function attention(options?: AttentionLayerOptions): Attention {
  return new Attention(options);
}

/** Weight: scale [features] (useScale). */
export class AdditiveAttention extends ScoredAttention {
  static readonly className = "AdditiveAttention";
  scale: Variable | undefined;

  constructor(options: AdditiveAttentionOptions = {}) {
    const where = labelOf("additiveAttention", options);
    super(where, checkOptions(where, options, ADDITIVE_OPTIONS), true);
  }

  override build(inputShape: Nest<BatchShape>): void {
    const features = this.checkShapes(inputShape).query.at(-1)!;
    if (this.useScale) {
      this.scale = this.addWeight({ name: "scale", shape: [features], initializer: "glorotUniform" });
    }
  }

  protected override scores(query: Value, key: Value): Value {
    const each = ops.tanh(ops.add(ops.expandDims(query, -2), ops.expandDims(key, -3)));
    return ops.sum(this.scale ? ops.multiply(each, this.scale) : each, { axis: -1 });
  }
}

/**
 * softmax(sum(scale tanh(query + key))) value: [batch, T, features], [batch, S, features] -> [batch, T, features]. Called
 * as `attention` is.
 * @example layers.additiveAttention().apply([query, value])
 */
export function additiveAttention(options?: AdditiveAttentionOptions): AdditiveAttention {
  return new AdditiveAttention(options);
}
