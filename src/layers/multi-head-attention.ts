// Multi-head attention (Vaswani et al., "Attention Is All You Need", 2017), and its form in which query heads share key
// heads (Ainslie et al., "GQA", arXiv 2305.13245, 2023), with the options, weights and masks of Keras 3.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { normalizeAxis } from "../core/shape.ts";
import { checkIntegers, labelOf } from "./options.ts";
import {
  PROJECTED_ATTENTION_OPTIONS,
  ProjectedAttention,
  type ProjectedAttentionOptions,
} from "./projected-attention.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";

export interface MultiHeadAttentionOptions extends ProjectedAttentionOptions {
  numHeads: number;
  /** Width of each head's queries and keys. */
  keyDim: number;
  /** Width of each head's values. Default keyDim. */
  valueDim?: number | null;
  /** Features of the output, one size or several. Default: those of the query. */
  outputShape?: number | readonly number[] | null;
  /** Axes that attention goes over, of inputs with more than one. Default: all between batch and features. */
  attentionAxes?: number | readonly number[] | null;
}

const MULTI_HEAD_OPTIONS = [
  ...PROJECTED_ATTENTION_OPTIONS,
  "numHeads",
  "keyDim",
  "valueDim",
  "outputShape",
  "attentionAxes",
] as const;

/**
 * Weights, each a kernel and a bias: query and key [features, heads, keyDim], gate (useGate) and value [features, heads,
 * valueDim], attention_output [heads, valueDim, output features].
 */
export class MultiHeadAttention extends ProjectedAttention {
  static readonly className = "MultiHeadAttention";
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly outputShape: readonly number[] | null;
  readonly attentionAxes: readonly number[] | null;

  constructor(options: MultiHeadAttentionOptions) {
    const where = labelOf("multiHeadAttention", options);
    const given = checkOptions(where, options, MULTI_HEAD_OPTIONS);
    super(where, given);
    this.numHeads = checkInteger(where, "numHeads", given.numHeads, 1);
    this.keyDim = checkInteger(where, "keyDim", given.keyDim, 1);
    this.valueDim = given.valueDim == null ? this.keyDim : checkInteger(where, "valueDim", given.valueDim, 1);
    const list = (x: number | readonly number[]) => (typeof x === "number" ? [x] : x);
    this.outputShape =
      given.outputShape == null
        ? null
        : checkIntegers(where, "outputShape", list(given.outputShape), "of at least 1", (x) => x >= 1);
    this.attentionAxes =
      given.attentionAxes == null
        ? null
        : checkIntegers(where, "attentionAxes", list(given.attentionAxes), "other than 0", (x) => x !== 0);
  }

  protected override get headsOf() {
    return { queries: this.numHeads, keys: this.numHeads, keyDim: this.keyDim, valueDim: this.valueDim };
  }

  protected override outputShapeOf(features: number | null): BatchShape {
    return this.outputShape ?? [features];
  }

  /** @param rank of the inputs */
  protected override axesOf(rank: number): readonly number[] {
    const all = Array.from({ length: rank - 2 }, (_, i) => i + 1);
    if (!this.attentionAxes) return all;
    const axes = this.attentionAxes.map((a) => normalizeAxis(`${this.path}, attentionAxes`, a, rank));
    if (axes.length > 0 && new Set(axes).size === axes.length && axes.every((a) => all.includes(a)))
      return axes;
    throw this.error(
      "INVALID_OPTION",
      `expected attentionAxes to be among the axes ${all.join(", ")} of inputs of rank ${rank}, got [${this.attentionAxes}]`,
    );
  }

  override getConfig(): Record<string, unknown> {
    const { numHeads, keyDim, valueDim, outputShape, attentionAxes } = this;
    return { ...super.getConfig(), numHeads, keyDim, valueDim, outputShape, attentionAxes };
  }
}

/**
 * Attention of several heads: the query [batch, T, features] looks at the value [batch, S, features] by way of the key
 * (default: the value) -> [batch, T, features]. Masks from `embedding({ maskZero: true })` and the like are used by
 * themselves. With `returnAttentionScores` the weights [batch, heads, T, S] come out, too.
 * @example layers.multiHeadAttention({ numHeads: 4, keyDim: 32 }).apply([x, x], { useCausalMask: true })
 */
export function multiHeadAttention(options: MultiHeadAttentionOptions): MultiHeadAttention {
  return new MultiHeadAttention(options);
}

export interface GroupQueryAttentionOptions extends ProjectedAttentionOptions {
  /** Width of each head. */
  headDim: number;
  numQueryHeads: number;
  /** Divides numQueryHeads: so many query heads in a row share one key and value head. */
  numKeyValueHeads: number;
}

const GROUP_OPTIONS = [
  ...PROJECTED_ATTENTION_OPTIONS,
  "headDim",
  "numQueryHeads",
  "numKeyValueHeads",
] as const;

/**
 * Weights, each a kernel and a bias: query [features, query heads, headDim], key [features, key heads, headDim], gate
 * (useGate) like query, value like key, attention_output [query heads, headDim, features].
 */
export class GroupedQueryAttention extends ProjectedAttention {
  static readonly className = "GroupedQueryAttention";
  readonly headDim: number;
  readonly numQueryHeads: number;
  readonly numKeyValueHeads: number;

  constructor(options: GroupQueryAttentionOptions) {
    const where = labelOf("groupQueryAttention", options);
    const given = checkOptions(where, options, GROUP_OPTIONS);
    super(where, given);
    this.headDim = checkInteger(where, "headDim", given.headDim, 1);
    this.numQueryHeads = checkInteger(where, "numQueryHeads", given.numQueryHeads, 1);
    this.numKeyValueHeads = checkInteger(where, "numKeyValueHeads", given.numKeyValueHeads, 1);
    if (this.numQueryHeads % this.numKeyValueHeads !== 0) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected numQueryHeads to be a multiple of numKeyValueHeads, got ${this.numQueryHeads} and ${this.numKeyValueHeads}`,
      );
    }
  }

  override build(inputShape: Parameters<ProjectedAttention["build"]>[0]): void {
    const { query } = this.shapesOf(inputShape);
    if (query.length !== 3) {
      throw this.error("SHAPE_MISMATCH", `expected a query of rank 3, got ${formatBatchShape(query)}`);
    }
    super.build(inputShape);
  }

  protected override get headsOf() {
    const { numQueryHeads: queries, numKeyValueHeads: keys, headDim } = this;
    return { queries, keys, keyDim: headDim, valueDim: headDim };
  }

  protected override outputShapeOf(features: number | null): BatchShape {
    return [features];
  }

  protected override axesOf(): readonly number[] {
    return [1];
  }

  override getConfig(): Record<string, unknown> {
    const { headDim, numQueryHeads, numKeyValueHeads } = this;
    return { ...super.getConfig(), headDim, numQueryHeads, numKeyValueHeads };
  }
}

/**
 * Attention whose query heads share key and value heads: [batch, T, features] and [batch, S, features] -> [batch, T,
 * features]. Called as `multiHeadAttention` is.
 * @example layers.groupQueryAttention({ headDim: 32, numQueryHeads: 8, numKeyValueHeads: 2 }).apply([x, x])
 */
export function groupQueryAttention(options: GroupQueryAttentionOptions): GroupedQueryAttention {
  return new GroupedQueryAttention(options);
}
