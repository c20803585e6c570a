// Scaled dot-product attention and its gradient: composites that an engine may run whole, block by block, without ever
// holding the [T, S] weights. Queries are [B, T, H, D], keys [B, S, K, D], values [B, S, K, E]; head h reads the keys of
// head floor(h K / H), so K < H shares them among groups. The log-sum-exp of every row's scores comes out beside the
// result: the gradient finds the weights again from it. Attention with a bias is plain composition.
//
// T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning", arXiv 2307.08691 (2023).

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape, type Shape, type TensorType } from "../core/shape.ts";
import type { Op, Value } from "../graph/graph.ts";
import { emit } from "../graph/trace.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { greaterEqual, less, logicalAnd, where } from "./compare.ts";
import { stopGradient } from "./custom.ts";
import { exp, log } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import { castTo, type Operand, toFloat, toValue } from "./operand.ts";
import { bitsToUniformOp, keyAndCounter, randomBitsOp, type Seed } from "./random.ts";
import { formatTypes, record, shapeError } from "./record.ts";
import { max, sum } from "./reduce.ts";
import { arange, expandDims, repeat, reshape, squeeze, transpose, zeros } from "./shape.ts";

/** What both ops carry. Inputs: q, k, v, then the mask and the key and counter of dropout where there are such. */
interface AttentionAttrs extends Record<string, unknown> {
  isCausal: boolean;
  /** Whether a bool mask follows v: rank 4, each size 1 or that of [B, H, T, S]. */
  mask: boolean;
  /** Of the random bits that dropout draws for [B, H, T, S]. */
  stream: number;
  scale: number;
  /** Share of the weights that dropout sets to 0; 0: no dropout, and no key and counter. */
  rate: number;
}

interface Sizes {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  groups: number;
  width: number;
}

const lastAxis = { axis: -1, keepDims: true };
/**
 * Stands for the score of what a query must not see: far below any other, and finite, so that derivatives are 0. It is
 * also the log-sum-exp of a query that sees no key at all.
 */
const UNSEEN = -1e30;

function sizesOf(inputs: readonly TensorType[], where: string): Sizes {
  const [q, k, v] = inputs.slice(0, 3).map((t) => t.shape) as [Shape, Shape, Shape];
  const fits =
    inputs.length >= 3 &&
    inputs.slice(0, 3).every((t) => t.dtype === "float32" && t.shape.length === 4) &&
    q[0] === k[0] &&
    q[3] === k[3] &&
    formatShape(k.slice(0, 3)) === formatShape(v.slice(0, 3)) &&
    k[1]! > 0 &&
    k[2]! > 0 &&
    q[2]! % k[2]! === 0;
  if (!fits) {
    throw shapeError(
      where,
      `expected float32 queries [B, T, H, D], keys [B, S, K, D] and values [B, S, K, E] with S of at least 1 and H a multiple of K, got ${formatTypes(inputs.slice(0, 3))}`,
    );
  }
  return { batch: q[0]!, queries: q[1]!, keys: k[1]!, heads: q[2]!, groups: q[2]! / k[2]!, width: v[3]! };
}

/** Checks what follows q, k and v, and that there is as much of it as the attributes say, and `more` inputs. */
function inferAttention(
  inputs: readonly TensorType[],
  attrs: AttentionAttrs,
  more: number,
  where: string,
): Sizes {
  const s = sizesOf(inputs, where);
  const count = 3 + Number(attrs.mask) + (attrs.rate > 0 ? 2 : 0) + more;
  if (inputs.length !== count) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected ${count} inputs, got ${inputs.length}`);
  }
  if (attrs.mask) {
    const mask = inputs[3]!;
    const full = [s.batch, s.heads, s.queries, s.keys];
    const fits = mask.shape.length === 4 && mask.shape.every((d, i) => d === 1 || d === full[i]);
    if (mask.dtype !== "bool" || !fits) {
      throw shapeError(
        where,
        `expected a bool mask that broadcasts to ${formatShape(full)} (batch, heads, queries, keys), got ${formatTypes([mask])}`,
      );
    }
  }
  return s;
}

/** [B, S, K, D] with every head as often as queries share it. */
function eachHead(x: Value, groups: number): Value {
  return groups === 1 ? x : repeat(x, groups, { axis: 2 });
}

/** [B, T, H, D] to [B, H, T, D] and back. */
function headsFirst(x: Value): Value {
  return transpose(x, [0, 2, 1, 3]);
}

/** [B, T, H] to [B, H, T, 1]. */
function perRow(x: Value): Value {
  return expandDims(transpose(x, [0, 2, 1]), -1);
}

/** Which keys each query sees, broadcasting to [B, H, T, S]; undefined: all. */
function visible(s: Sizes, mask: Value | undefined, isCausal: boolean): Value | undefined {
  if (!isCausal) return mask;
  const before = greaterEqual(reshape(arange(s.queries), [s.queries, 1]), arange(s.keys));
  return mask ? logicalAnd(mask, before) : before;
}

/** Scores [B, H, T, S]; UNSEEN where a query must not look. */
function scoresOf(q: Value, k: Value, s: Sizes, scale: number, seen: Value | undefined, bias?: Value): Value {
  const product = matmul(multiply(headsFirst(q), scale), transpose(eachHead(k, s.groups), [0, 2, 3, 1]));
  const scores = bias ? add(product, bias) : product;
  return seen ? where(seen, scores, UNSEEN) : scores;
}

/** What dropout multiplies the weights by: 0 or 1 / (1 - rate); 1 in rows that see nothing. Undefined: nothing. */
function dropoutFactors(
  inputs: readonly Value[],
  s: Sizes,
  attrs: AttentionAttrs,
  lse: Value,
): Value | undefined {
  if (attrs.rate === 0) return undefined;
  const at = 3 + Number(attrs.mask);
  const shape = [s.batch, s.heads, s.queries, s.keys];
  const bits = emit(randomBitsOp, inputs.slice(at, at + 2), { stream: attrs.stream, shape })[0]!;
  const keep = greaterEqual(emit(bitsToUniformOp, [bits])[0]!, attrs.rate);
  const factors = where(keep, 1 / (1 - attrs.rate), 0);
  return attrs.mask ? where(seesNothing(lse), 1, factors) : factors;
}

/** Weights [B, H, T, S], all alike in a row that sees nothing, and the log-sum-exp [B, H, T, 1], UNSEEN there. */
function softmaxOf(scores: Value, mask: Value | undefined): { weights: Value; lse: Value } {
  // Neither result depends on what is subtracted, so no derivative goes through it.
  const top = stopGradient(max(scores, lastAxis));
  const e = exp(subtract(scores, top));
  const total = sum(e, lastAxis);
  const lse = add(top, log(total));
  const weights = divide(e, total);
  if (!mask) return { weights, lse };
  const isBlind = seesNothing(lse);
  return { weights: alike(isBlind, weights), lse: where(isBlind, UNSEEN, lse) };
}

function seesNothing(lse: Value): Value {
  return less(lse, UNSEEN / 2);
}

/** Weights with constant, equal ones in the rows that see nothing. */
function alike(isBlind: Value, weights: Value): Value {
  return where(isBlind, 1 / weights.shape[3]!, weights);
}

/** Weights [B, H, T, S] times values, as [B, T, H, E]. */
function combine(weights: Value, v: Value, groups: number): Value {
  return headsFirst(matmul(weights, headsFirst(eachHead(v, groups))));
}

export const dotProductAttentionOp: Op = record<AttentionAttrs>({
  name: "dotProductAttention",
  kind: "composite",
  infer(inputs, attrs, where) {
    const s = inferAttention(inputs, attrs, 0, where);
    return [
      { shape: [s.batch, s.queries, s.heads, s.width], dtype: "float32" },
      { shape: [s.batch, s.queries, s.heads], dtype: "float32" },
    ];
  },
  gradient({ grads, inputs, outputs, attrs }) {
    const [out, lse] = [outputs[0]!, outputs[1]!];
    const g = grads[0] ?? zeros(out.shape);
    const overlap = sum(multiply(g, out), { axis: -1 });
    const delta = grads[1] ? subtract(overlap, grads[1]) : overlap;
    const [dq, dk, dv] = emit(dotProductAttentionGradOp, [...inputs, lse, g, delta], attrs);
    return [dq!, dk!, dv!, ...inputs.slice(3).map(() => null)];
  },
  expand(inputs, attrs) {
    const [q, k, v] = inputs as [Value, Value, Value];
    const s = sizesOf(inputs, "dotProductAttention");
    const seen = visible(s, attrs.mask ? inputs[3] : undefined, attrs.isCausal);
    const { weights, lse } = softmaxOf(
      scoresOf(q, k, s, attrs.scale, seen),
      attrs.mask ? inputs[3] : undefined,
    );
    const factors = dropoutFactors(inputs, s, attrs, lse);
    const out = combine(factors ? multiply(weights, factors) : weights, v, s.groups);
    return [out, transpose(squeeze(lse, -1), [0, 2, 1])];
  },
});

/**
 * Inputs: those of dotProductAttention, its log-sum-exp [B, T, H], the gradient g [B, T, H, E] by its result, and delta
 * [B, T, H] = sum(g * result) less the gradient by the log-sum-exp. Outputs: gradients by q, k and v.
 */
export const dotProductAttentionGradOp: Op = record<AttentionAttrs>({
  name: "dotProductAttentionGrad",
  kind: "composite",
  infer(inputs, attrs, where) {
    const s = inferAttention(inputs, attrs, 3, where);
    const [lse, g, delta] = inputs.slice(-3) as [TensorType, TensorType, TensorType];
    const rows = formatShape([s.batch, s.queries, s.heads]);
    const full = formatShape([s.batch, s.queries, s.heads, s.width]);
    if (
      formatShape(lse.shape) !== rows ||
      formatShape(delta.shape) !== rows ||
      formatShape(g.shape) !== full
    ) {
      throw shapeError(
        where,
        `expected log-sum-exp ${rows}, gradient ${full} and delta ${rows}, got ${formatTypes([lse, g, delta])}`,
      );
    }
    return inputs.slice(0, 3);
  },
  expand(inputs, attrs) {
    const [q, k, v] = inputs as [Value, Value, Value];
    const [lse, g, delta] = inputs.slice(-3) as [Value, Value, Value];
    const s = sizesOf(inputs, "dotProductAttentionGrad");
    const seen = visible(s, attrs.mask ? inputs[3] : undefined, attrs.isCausal);
    const isBlind = attrs.mask ? seesNothing(perRow(lse)) : undefined;
    const known = isBlind ? where(isBlind, 0, perRow(lse)) : perRow(lse);
    const seeing = exp(subtract(scoresOf(q, k, s, attrs.scale, seen), known));
    const weights = isBlind ? alike(isBlind, seeing) : seeing;
    const factors = dropoutFactors(inputs, s, attrs, perRow(lse));
    const by = headsFirst(g);
    const dropped = (x: Value): Value => (factors ? multiply(x, factors) : x);
    const dWeights = dropped(matmul(by, headsFirst(eachHead(v, s.groups)), { transposeB: true }));
    const dSeeing = multiply(multiply(weights, subtract(dWeights, perRow(delta))), attrs.scale);
    const dScores = isBlind ? where(isBlind, 0, dSeeing) : dSeeing;
    const dq = headsFirst(matmul(dScores, headsFirst(eachHead(k, s.groups))));
    const dk = matmul(dScores, headsFirst(q), { transposeA: true });
    const dv = matmul(dropped(weights), by, { transposeA: true });
    return [dq, sumGroups(dk, s.groups), sumGroups(dv, s.groups)];
  },
});

/** [B, H, S, D] summed over the heads that share keys, as [B, S, K, D]. */
function sumGroups(x: Value, groups: number): Value {
  const [b, h, n, d] = x.shape as [number, number, number, number];
  const summed = groups === 1 ? x : sum(reshape(x, [b, h / groups, groups, n, d]), { axis: 2 });
  return headsFirst(summed);
}

export interface AttentionOptions {
  /** bool, broadcasting to [B, H, T, S]: false where a query must not see a key. */
  mask?: Operand;
  /** Added to the scaled scores; broadcasts to [B, H, T, S]. The weights are held in memory then. */
  bias?: Operand;
  /** Factor of the scores; default 1 / sqrt(D). */
  scale?: number;
  /** Whether query t sees only the keys 0 to t. Default false. */
  isCausal?: boolean;
  /** Share of the weights set to 0, the others scaled up by 1 / (1 - dropout). Default 0. */
  dropout?: number;
  /** Of dropout; by default the current generator. */
  seed?: Seed;
}

const OPTIONS = ["mask", "bias", "scale", "isCausal", "dropout", "seed"] as const;

/**
 * softmax(scale q k^T) v for every head: queries [B, T, H, D], keys [B, S, K, D], values [B, S, K, E] -> [B, T, H, E].
 * K divides H: each key head serves H / K query heads in a row. A query that sees no key gets the mean of all values. Neither it nor its
 * gradient needs memory for the [T, S] weights.
 * @throws SHAPE_MISMATCH where shapes do not fit
 * @example dotProductAttention(q, k, v, { isCausal: true })   // [2, 64, 4, 32] three times -> [2, 64, 4, 32]
 */
export function dotProductAttention(q: Operand, k: Operand, v: Operand, options?: AttentionOptions): Value {
  const name = "dotProductAttention";
  const known = checkOptions(name, options, OPTIONS);
  const inputs = [q, k, v].map((x) => toFloat(x, name));
  const attrs = attentionAttrs(name, inputs, known);
  const mask =
    known.mask === undefined ? undefined : asRank4(name, castTo(toValue(known.mask, "bool", name), "bool"));
  const draws: Value[] = [];
  if (attrs.rate > 0) {
    const [key, counter, stream] = keyAndCounter(known.seed);
    draws.push(key, counter);
    attrs.stream = stream;
  }
  attrs.mask = mask !== undefined;
  const all = [...inputs, ...(mask ? [mask] : []), ...draws];
  if (known.bias === undefined) return emit(dotProductAttentionOp, all, attrs)[0]!;
  inferAttention(all, attrs, 0, name);
  const s = sizesOf(inputs, name);
  const seen = visible(s, mask, attrs.isCausal);
  const scores = scoresOf(inputs[0]!, inputs[1]!, s, attrs.scale, seen, toFloat(known.bias, name));
  const { weights, lse } = softmaxOf(scores, mask);
  const factors = dropoutFactors(all, s, attrs, lse);
  return combine(factors ? multiply(weights, factors) : weights, inputs[2]!, s.groups);
}

/**
 * The weights softmax(scale q k^T) [B, H, T, S] themselves, for those who want to see them: the options and shapes of
 * dotProductAttention, without dropout.
 */
export function attentionWeights(
  q: Operand,
  k: Operand,
  options?: Omit<AttentionOptions, "dropout" | "seed">,
): Value {
  const name = "attentionWeights";
  const known = checkOptions(name, options, ["mask", "bias", "scale", "isCausal"]);
  const [query, key] = [toFloat(q, name), toFloat(k, name)];
  const attrs = attentionAttrs(name, [query, key, key], known);
  const mask =
    known.mask === undefined ? undefined : asRank4(name, castTo(toValue(known.mask, "bool", name), "bool"));
  attrs.mask = mask !== undefined;
  const s = inferAttention([query, key, key, ...(mask ? [mask] : [])], attrs, 0, name);
  const seen = visible(s, mask, attrs.isCausal);
  const bias = known.bias === undefined ? undefined : toFloat(known.bias, name);
  return softmaxOf(scoresOf(query, key, s, attrs.scale, seen, bias), mask).weights;
}

function attentionAttrs(name: string, inputs: readonly Value[], options: AttentionOptions): AttentionAttrs {
  sizesOf(inputs, name);
  const width = inputs[0]!.shape[3]!;
  const { scale = 1 / Math.sqrt(Math.max(width, 1)), isCausal = false, dropout = 0 } = options;
  checkNumber(name, "scale", scale);
  checkBoolean(name, "isCausal", isCausal);
  checkNumber(name, "dropout", dropout, "in [0, 1)", (r) => r >= 0 && r < 1);
  return { isCausal, mask: false, stream: 0, scale: Math.fround(scale), rate: Math.fround(dropout) };
}

/** Axes of size 1 in front, as broadcasting has it. */
function asRank4(name: string, mask: Value): Value {
  if (mask.rank > 4) throw shapeError(name, `expected a mask of rank 4 or less, got ${formatTypes([mask])}`);
  return mask.rank === 4 ? mask : reshape(mask, [...Array(4 - mask.rank).fill(1), ...mask.shape]);
}
