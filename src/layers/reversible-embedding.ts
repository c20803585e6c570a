// ReversibleEmbedding: an embedding that also goes the other way, from vectors to one number for each id. Language models
// read and write tokens with one table (Press and Wolf, "Using the Output Embedding to Improve Language Models", 2017).

import { checkBoolean, checkNumber, checkOneOf } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import { divide, matmul, multiply, tanh } from "../ops/index.ts";
import { EMBEDDING_OPTIONS, Embedding, type EmbeddingOptions } from "./embedding.ts";
import type { CallContext, CallOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import { type BatchShape, formatBatchShape, type SymbolicTensor } from "./symbolic.ts";

export interface ReversibleEmbeddingOptions extends EmbeddingOptions {
  /** Whether the way back uses the same table. False: a weight of its own, [outputDim, inputDim]. Default true. */
  tieWeights?: boolean;
  /** Bounds the numbers of the way back: cap * tanh(x / cap). Default: none. */
  logitSoftCap?: number | null;
  /** Dtype of the way back; float32 is the working type. */
  reverseDtype?: "float32" | null;
}

export interface ReversibleEmbeddingCallOptions extends CallOptions {
  /** True: from vectors [batch, ..., outputDim] to one number for each id [batch, ..., inputDim]. Default false. */
  readonly reverse?: boolean;
}

const OPTIONS = [...EMBEDDING_OPTIONS, "tieWeights", "logitSoftCap", "reverseDtype"] as const;

/** Weights: embeddings [inputDim, outputDim] and, unless tied, reverseEmbeddings [outputDim, inputDim]. */
export class ReversibleEmbedding extends Embedding {
  static override readonly className = "ReversibleEmbedding";
  readonly tieWeights: boolean;
  readonly logitSoftCap: number | null;
  reverseEmbeddings: Variable | undefined;

  constructor(options: ReversibleEmbeddingOptions) {
    const where = labelOf("reversibleEmbedding", options);
    super(options, where, OPTIONS);
    this.tieWeights = checkBoolean(where, "tieWeights", options.tieWeights ?? true);
    const { logitSoftCap = null } = options;
    this.logitSoftCap =
      logitSoftCap === null
        ? null
        : checkNumber(where, "logitSoftCap", logitSoftCap, "greater than 0", (x) => x > 0);
    if (options.reverseDtype != null) checkOneOf(where, "reverseDtype", options.reverseDtype, ["float32"]);
  }

  override build(inputShape?: Nest<BatchShape>): void {
    super.build(inputShape);
    if (this.tieWeights) return;
    this.reverseEmbeddings = this.addWeight({
      name: "reverseEmbeddings",
      shape: [this.outputDim, this.inputDim],
      initializer: this.embeddingsInitializer,
    });
  }

  /**
   * Uses the layer on symbolic tensors or, inside a layer's call, on Values.
   * @example const logits = embedding.apply(hidden, { reverse: true });
   */
  override apply<R extends Nest<SymbolicTensor> = SymbolicTensor>(
    x: Nest<SymbolicTensor>,
    options?: ReversibleEmbeddingCallOptions,
  ): R;
  override apply<R extends Nest<Value> = Value>(
    x: Nest<Value>,
    options?: ReversibleEmbeddingCallOptions,
    mask?: Mask,
  ): R;
  override apply(
    x: Nest<SymbolicTensor> | Nest<Value>,
    options?: ReversibleEmbeddingCallOptions,
    mask?: Mask,
  ): Nest<SymbolicTensor> | Nest<Value> {
    return super.apply<Nest<Value>>(x as Nest<Value>, options, mask);
  }

  protected override get callOptions(): readonly string[] {
    return ["reverse"];
  }

  override call(x: Value, context: CallContext & ReversibleEmbeddingCallOptions): Value {
    if (!checkBoolean(this.path, "reverse", context.reverse ?? false)) return super.call(x);
    if (x.shape.at(-1) !== this.outputDim) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected a last axis of ${this.outputDim} on the way back, got shape ${formatBatchShape(x.shape)}`,
      );
    }
    const logits = this.reverseEmbeddings
      ? matmul(x, this.reverseEmbeddings)
      : matmul(x, this.embeddings, { transposeB: true });
    const cap = this.logitSoftCap;
    return cap === null ? logits : multiply(tanh(divide(logits, cap)), cap);
  }

  /** Ids give a mask (maskZero); as in Keras the way back carries none: weigh the loss with sampleWeight. */
  override computeMask(x: Value, mask: Mask): Value | null {
    return x.dtype === "float32" ? null : super.computeMask(x, mask);
  }

  override getConfig(): Record<string, unknown> {
    const { tieWeights, logitSoftCap } = this;
    return { ...super.getConfig(), tieWeights, logitSoftCap };
  }
}

/**
 * An embedding with a way back: ids [batch, ...] -> vectors [batch, ..., outputDim]; with `{ reverse: true }` vectors ->
 * numbers [batch, ..., inputDim], by the transposed table.
 * @example
 * const tokens = layers.reversibleEmbedding({ inputDim: 65, outputDim: 128 });
 * const logits = tokens.apply(blocks(tokens.apply(ids)), { reverse: true });
 */
export function reversibleEmbedding(options: ReversibleEmbeddingOptions): ReversibleEmbedding {
  return new ReversibleEmbedding(options);
}
