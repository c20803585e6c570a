// What all attention layers share: query, value and key as a list or by name, masks beside them, and the options of a call.

import { checkBoolean } from "../core/options.ts";
import { Value } from "../graph/graph.ts";
import { cast } from "../ops/index.ts";
import { type CallContext, type CallOptions, Layer } from "./layer.ts";
import type { Mask } from "./mask.ts";
import { flatten, type Layout, type Nest, pack } from "./nest.ts";
import { type BatchShape, isBatchShape, type SymbolicTensor } from "./symbolic.ts";

/**
 * [query, value], [query, value, key], or the same by name with masks, which are bool (or numbers, not 0 where true):
 * queryMask [batch, T], valueMask and keyMask [batch, S], attentionMask [batch, T, S], [T, S] or [batch, heads, T, S].
 * The key is the value unless given. Masks that come with query, value and key are used unless others are given.
 */
export type AttentionInputs<T> =
  | readonly [query: T, value: T]
  | readonly [query: T, value: T, key: T]
  | {
      readonly query: T;
      readonly value: T;
      readonly key?: T;
      readonly queryMask?: T;
      readonly valueMask?: T;
      readonly keyMask?: T;
      readonly attentionMask?: T;
    };

export interface AttentionCallOptions extends CallOptions {
  /** Whether a query sees only the keys up to its own position. Default false. */
  readonly useCausalMask?: boolean;
  /** Whether the weights come out as well, as the second of a list. Default false. */
  readonly returnAttentionScores?: boolean;
}

/** The context of an attention layer's call. */
export interface AttentionContext extends CallContext, AttentionCallOptions {
  readonly training: boolean;
}

const TENSORS = ["query", "value", "key"] as const;
const MASKS = ["queryMask", "valueMask", "keyMask", "attentionMask"] as const;

/** Inputs by name; masks are bool. */
export interface NamedInputs {
  readonly query: Value;
  readonly value: Value;
  readonly key: Value;
  readonly queryMask: Value | null;
  readonly valueMask: Value | null;
  readonly keyMask: Value | null;
  readonly attentionMask: Value | null;
}

/** A layer that is called with query, value and key. */
export abstract class AttentionLayer extends Layer {
  override supportsMasking = true;
  /** Which masks it knows by name. */
  protected readonly maskNames: readonly (typeof MASKS)[number][] = MASKS;

  /**
   * Uses the layer on symbolic tensors or, inside a layer's call, on Values.
   * @param x query, value and perhaps key as a list, or by name with masks
   * @returns the output; with `returnAttentionScores` a list of output and scores
   * @example const y = attention.apply([x, x], { useCausalMask: true });
   * @example const y = attention.apply({ query: x, value: memory, valueMask: isToken });
   */
  override apply<R extends Nest<SymbolicTensor> = SymbolicTensor>(
    x: AttentionInputs<SymbolicTensor>,
    options?: AttentionCallOptions,
  ): R;
  override apply<R extends Nest<Value> = Value>(
    x: AttentionInputs<Value>,
    options?: AttentionCallOptions,
    mask?: Mask,
  ): R;
  override apply(
    x: AttentionInputs<SymbolicTensor> | AttentionInputs<Value>,
    options?: AttentionCallOptions,
    mask?: Mask,
  ): Nest<SymbolicTensor> | Nest<Value> {
    return super.apply<Nest<Value>>(x as unknown as Nest<Value>, options, mask);
  }

  protected override get callOptions(): readonly string[] {
    return ["useCausalMask", "returnAttentionScores"];
  }

  /** The query's mask goes on with the output. */
  override computeMask(x: Nest<Value>, mask: Mask): Value | null {
    return this.named(x, mask).queryMask;
  }

  protected override checkInputs(inputs: readonly unknown[], layout: Layout): void {
    if (typeof layout === "number" && (layout === 2 || layout === 3)) return;
    const isRecord = typeof layout === "object" && layout !== null;
    const known: readonly string[] = [...TENSORS, ...this.maskNames];
    const isNamed = isRecord && layout.includes("query") && layout.includes("value");
    if (isNamed && layout.every((name) => known.includes(name))) return;
    const came =
      layout === null
        ? "one input"
        : isRecord
          ? `a record of ${layout.join(", ")}`
          : `a list of ${inputs.length}`;
    throw this.error(
      "INVALID_ARGUMENT",
      `expected [query, value], [query, value, key] or a record of query, value and perhaps key, ${this.maskNames.join(", ")}; got ${came}`,
    );
  }

  /** Shapes by name, for `build`. */
  protected shapesOf(inputShape: Nest<BatchShape>): {
    query: BatchShape;
    value: BatchShape;
    key: BatchShape;
  } {
    const { leaves, layout } = flatten(inputShape, isBatchShape);
    this.checkInputs(leaves, layout);
    const { query, value, key = value } = byName(leaves, layout);
    return { query: query!, value: value!, key: key! };
  }

  protected named(x: Nest<Value>, mask: Mask): NamedInputs {
    const { leaves, layout } = flatten<Value>(x, (v) => v instanceof Value);
    const given = byName(leaves, layout);
    const masks = byName(flatten<Value | null>(mask, (m) => m instanceof Value).leaves, layout);
    const { query, value, key } = given as { query: Value; value: Value; key?: Value };
    const maskOf = (name: "query" | "value" | "key"): Value | null => {
      const found = given[`${name}Mask`] ?? masks[name];
      return found ? cast(found, "bool") : null;
    };
    return {
      query,
      value,
      key: key ?? value,
      queryMask: maskOf("query"),
      valueMask: maskOf("value"),
      keyMask: maskOf("key"),
      attentionMask: given.attentionMask ? cast(given.attentionMask, "bool") : null,
    };
  }

  /** The options of a call, checked: they may come from a file. */
  protected flags(context: AttentionContext): { isCausal: boolean; wantsScores: boolean } {
    const { useCausalMask = false, returnAttentionScores = false } = context;
    return {
      isCausal: checkBoolean(this.path, "useCausalMask", useCausalMask),
      wantsScores: checkBoolean(this.path, "returnAttentionScores", returnAttentionScores),
    };
  }
}

function byName<T>(leaves: readonly T[], layout: Layout): { [name: string]: T | undefined } {
  return pack(leaves, typeof layout === "number" ? TENSORS.slice(0, layout) : layout) as {
    [name: string]: T;
  };
}
