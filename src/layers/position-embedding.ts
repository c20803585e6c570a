// PositionEmbedding: adds a learned vector for each place of a sequence (Gehring et al. 2017; BERT and GPT use it).

import { checkInteger, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import { add, sliceAxis } from "../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";
import { type ActivityRule, type WeightRules, weightRules } from "./weight-rules.ts";

export interface PositionEmbeddingOptions extends LayerOptions, WeightRules<"embeddings">, ActivityRule {
  /** The longest sequence: places are in [0, sequenceLength). */
  sequenceLength: number;
  /** Default "uniform", which is "randomUniform": from -0.05 to 0.05. */
  embeddingsInitializer?: InitializerLike;
}

const OPTIONS = [
  ...LAYER_OPTIONS,
  "sequenceLength",
  "embeddingsInitializer",
  ...weightRules("embeddings"),
  "activityRegularizer",
] as const;

/** Weight: embeddings [sequenceLength, width]. */
export class PositionEmbedding extends UnaryLayer {
  static readonly className = "PositionEmbedding";
  override supportsMasking = true;
  readonly sequenceLength: number;
  embeddings!: Variable;
  private readonly embeddingsInitializer: Initializer;

  constructor(options: PositionEmbeddingOptions) {
    const where = labelOf("positionEmbedding", options);
    super(checkOptions(where, options, OPTIONS));
    this.sequenceLength = checkInteger(where, "sequenceLength", options.sequenceLength, 1);
    const like = options.embeddingsInitializer ?? "uniform";
    this.embeddingsInitializer = resolveInitializer(where, "embeddingsInitializer", like);
  }

  override build(inputShape: BatchShape): void {
    this.checkRank(inputShape, 3, 3);
    this.embeddings = this.addWeight({
      name: "embeddings",
      shape: [this.sequenceLength, inputShape[2]!],
      initializer: this.embeddingsInitializer,
    });
  }

  override call(x: Value): Value {
    this.checkRank(x.shape, 3, 3);
    const [, steps, width] = x.shape as readonly [number, number, number];
    if (steps > this.sequenceLength || width !== this.embeddings.shape[1]) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected [batch, at most ${this.sequenceLength}, ${this.embeddings.shape[1]}], got shape ${formatBatchShape(x.shape)}`,
      );
    }
    return add(x, steps === this.sequenceLength ? this.embeddings : sliceAxis(this.embeddings, 0, 0, steps));
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      sequenceLength: this.sequenceLength,
      embeddingsInitializer: serializeInitializer(this.embeddingsInitializer),
    };
  }
}

/**
 * Adds a learned vector for each place: [batch, steps, width] -> the same, with steps at most `sequenceLength`. Attention
 * without it does not know the order of a sequence.
 * @example layers.positionEmbedding({ sequenceLength: 128 }).apply(layers.embedding({ inputDim: 5000, outputDim: 64 }).apply(ids))
 */
export function positionEmbedding(options: PositionEmbeddingOptions): PositionEmbedding {
  return new PositionEmbedding(options);
}
