// Transformers with layers: the CPU-sized GPT of nanoGPT (pre-norm, causal) and the encoder of BERT-mini (Turc et al. 2019,
// post-norm).

import {
  type BatchShape,
  input,
  Layer,
  layers,
  type Model,
  model,
  ops,
  type Value,
  type Variable,
} from "../../src/index.ts";

type Symbolic = ReturnType<typeof input>;

/** Adds a learned vector for each position: [batch, length, width] -> the same. */
class PositionEmbedding extends Layer {
  static readonly className = "PositionEmbedding";
  embeddings!: Variable;
  override build(inputShape: BatchShape) {
    const [, length, width] = inputShape;
    this.embeddings = this.addWeight({
      name: "embeddings",
      shape: [length!, width!],
      initializer: "randomUniform",
    });
  }
  override call(x: Value) {
    return ops.add(x, this.embeddings);
  }
}

const layerNorm = (x: Symbolic): Symbolic => layers.layerNormalization().apply(x);
const plus = (a: Symbolic, b: Symbolic): Symbolic => layers.add().apply([a, b]);

function attend(x: Symbolic, heads: number, useCausalMask: boolean): Symbolic {
  const width = x.shape.at(-1)!;
  const attention = layers.multiHeadAttention({ numHeads: heads, keyDim: width / heads });
  return attention.apply([x, x], { useCausalMask });
}

function feedForward(x: Symbolic): Symbolic {
  const width = x.shape.at(-1)!;
  const hidden = layers.dense({ units: 4 * width, activation: "gelu" }).apply(x);
  return layers.dense({ units: width }).apply(hidden);
}

export interface GptOptions {
  layers: number;
  heads: number;
  width: number;
  /** Characters of context. */
  block: number;
  vocabulary: number;
}

export function gptModel(options: GptOptions): Model {
  const inputs = input({ shape: [options.block], dtype: "int32" });
  const tokens = layers.embedding({ inputDim: options.vocabulary, outputDim: options.width }).apply(inputs);
  let x = new PositionEmbedding().apply(tokens);
  for (let i = 0; i < options.layers; i++) {
    x = plus(x, attend(layerNorm(x), options.heads, true));
    x = plus(x, feedForward(layerNorm(x)));
  }
  const outputs = layers.dense({ units: options.vocabulary, activation: "softmax" }).apply(layerNorm(x));
  return model({ inputs, outputs });
}

export function bertMiniModel(): Model {
  const inputs = input({ shape: [128], dtype: "int32" });
  const tokens = layers.embedding({ inputDim: 30522, outputDim: 256 }).apply(inputs);
  let x = layerNorm(new PositionEmbedding().apply(tokens));
  for (let i = 0; i < 4; i++) {
    x = layerNorm(plus(x, attend(x, 4, false)));
    x = layerNorm(plus(x, feedForward(x)));
  }
  return model({ inputs, outputs: x });
}
