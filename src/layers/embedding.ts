// Embedding: a table of vectors, one for each id. Its gradient adds up by id, so that training a large table reads and
// writes only what the batch names, apart from the zeros of the rest.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import { formatShape, sameShape } from "../core/shape.ts";
import { Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import { cast, gather, notEqual } from "../ops/index.ts";
import { type CallContext, LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import type { BatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

import { type ActivityRule, type WeightRules, weightRules } from "./weight-rules.ts";

export interface EmbeddingOptions extends LayerOptions, WeightRules<"embeddings">, ActivityRule {
  /** Size of the vocabulary: ids are in [0, inputDim). */
  inputDim: number;
  /** Length of a vector. */
  outputDim: number;
  /** Default "uniform", which is "randomUniform": from -0.05 to 0.05. */
  embeddingsInitializer?: InitializerLike;
  /** What the table starts with instead, [inputDim, outputDim]: vectors trained elsewhere. Not part of the configuration. */
  weights?: TensorLike | null;
  /** Whether id 0 is padding: later layers get a mask without it. Default false. */
  maskZero?: boolean;
}

export const EMBEDDING_OPTIONS = [
  ...LAYER_OPTIONS,
  "inputDim",
  "outputDim",
  "embeddingsInitializer",
  ...weightRules("embeddings"),
  "activityRegularizer",
  "maskZero",
  "weights",
] as const;

/** Weight: embeddings [inputDim, outputDim]. */
export class Embedding extends UnaryLayer {
  static readonly className: string = "Embedding";
  readonly inputDim: number;
  readonly outputDim: number;
  readonly maskZero: boolean;
  embeddings!: Variable;
  protected readonly embeddingsInitializer: Initializer;
  #given: Tensor | undefined;

  /** @param where and known for subclasses: the name in errors, the options there are */
  constructor(
    options: EmbeddingOptions,
    where = labelOf("embedding", options),
    known: readonly string[] = EMBEDDING_OPTIONS,
  ) {
    const given = checkOptions(where, options, known as typeof EMBEDDING_OPTIONS);
    super(given);
    this.inputDim = checkInteger(where, "inputDim", given.inputDim, 1);
    this.outputDim = checkInteger(where, "outputDim", given.outputDim, 1);
    this.maskZero = checkBoolean(where, "maskZero", given.maskZero ?? false);
    this.supportsMasking = this.maskZero;
    this.embeddingsInitializer = resolveInitializer(
      where,
      "embeddingsInitializer",
      given.embeddingsInitializer ?? "uniform",
    );
    if (given.weights != null) this.#given = this.readTable(where, given.weights);
  }

  private readTable(where: string, weights: TensorLike): Tensor {
    const table = weights instanceof Tensor ? weights : tensor(weights, undefined, "float32");
    const shape = [this.inputDim, this.outputDim];
    if (table.dtype === "float32" && sameShape(table.shape, shape)) return table;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected weights float32${formatShape(shape)}, got ${table.dtype}${formatShape(table.shape)}`,
    );
  }

  override build(_inputShape?: Nest<BatchShape>): void {
    this.embeddings = this.addWeight({
      name: "embeddings",
      shape: [this.inputDim, this.outputDim],
      initializer: this.embeddingsInitializer,
    });
    if (this.#given) this.embeddings.write(this.#given);
    this.#given = undefined;
  }

  override call(ids: Value, _context?: CallContext): Value {
    return gather(this.embeddings, cast(ids, "int32"));
  }

  override computeMask(ids: Value, _mask?: Mask): Value | null {
    return this.maskZero ? notEqual(ids, 0) : null;
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      inputDim: this.inputDim,
      outputDim: this.outputDim,
      embeddingsInitializer: serializeInitializer(this.embeddingsInitializer),
      maskZero: this.maskZero,
    };
  }
}

/**
 * The vectors of ids: int32 [batch, ...] -> [batch, ..., outputDim]. Ids of another type are cast to int32. An id outside
 * [0, inputDim) rejects the run.
 * @example layers.embedding({ inputDim: 10000, outputDim: 64 })   // [32, 80] -> [32, 80, 64]
 */
export function embedding(options: EmbeddingOptions): Embedding {
  return new Embedding(options);
}
