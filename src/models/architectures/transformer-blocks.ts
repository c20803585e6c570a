// The block of transformers: attention, then a dense layer out and back, each with a way around it. Post-norm as in Vaswani et
// al. 2017 and BERT, pre-norm (Xiong et al. 2020) as in GPT-2.

import { MyelinError } from "../../core/errors.ts";
import { checkInteger, checkNumber } from "../../core/options.ts";
import type { ActivationLike } from "../../layers/activation-option.ts";
import * as layers from "../../layers/index.ts";
import type { SymbolicTensor } from "../../layers/symbolic.ts";

export interface TransformerOptions {
  /** Width of the vectors; a multiple of heads. Default 128. */
  width?: number;
  /** Heads of attention. Default 4. */
  heads?: number;
  /** How many blocks. */
  blocks?: number;
  /** Width between the two dense layers of a block. Default 4 * width. */
  hiddenUnits?: number;
  /** Share dropped in training of attention's and the dense layers' outputs, and of the embeddings. */
  dropout?: number;
  /** Between the two dense layers. Default "gelu". */
  activation?: ActivationLike;
}

export const TRANSFORMER_OPTIONS = [
  "width",
  "heads",
  "blocks",
  "hiddenUnits",
  "dropout",
  "activation",
] as const;

/** A guard against hostile files, which may ask for any number. */
const MOST_BLOCKS = 1024;

export type CheckedTransformer = Required<TransformerOptions>;

export function checkTransformer(
  where: string,
  o: TransformerOptions,
  byDefault: { blocks: number; dropout: number },
): CheckedTransformer {
  const width = checkInteger(where, "width", o.width ?? 128, 1);
  const heads = checkInteger(where, "heads", o.heads ?? 4, 1);
  if (width % heads !== 0) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected width to be a multiple of heads, got width ${width} and heads ${heads}`,
    );
  }
  return {
    width,
    heads,
    blocks: checkInteger(where, "blocks", o.blocks ?? byDefault.blocks, 1, MOST_BLOCKS),
    hiddenUnits: checkInteger(where, "hiddenUnits", o.hiddenUnits ?? 4 * width, 1),
    dropout: checkNumber(
      where,
      "dropout",
      o.dropout ?? byDefault.dropout,
      "in [0, 1)",
      (x) => x >= 0 && x < 1,
    ),
    activation: o.activation ?? "gelu",
  };
}

/** One block; `name` begins the names of its layers. */
export function transformerBlock(
  x: SymbolicTensor,
  o: CheckedTransformer & { readonly preNorm: boolean; readonly isCausal: boolean; readonly epsilon: number },
  name: string,
): SymbolicTensor {
  const { width, heads, epsilon, preNorm } = o;
  const norm = (v: SymbolicTensor, part: string) =>
    layers.layerNormalization({ epsilon, name: `${name}_${part}_norm` }).apply(v);
  const around = (v: SymbolicTensor, part: string, inner: (v: SymbolicTensor) => SymbolicTensor) => {
    let y = inner(preNorm ? norm(v, part) : v);
    if (o.dropout > 0) y = layers.dropout({ rate: o.dropout, name: `${name}_${part}_dropout` }).apply(y);
    const sum = layers.add({ name: `${name}_${part}_add` }).apply([v, y]);
    return preNorm ? sum : norm(sum, part);
  };
  const attended = around(x, "attention", (v) =>
    layers
      .multiHeadAttention({ numHeads: heads, keyDim: width / heads, name: `${name}_attention` })
      .apply([v, v], o.isCausal ? { useCausalMask: true } : {}),
  );
  return around(attended, "dense", (v) => {
    const { hiddenUnits, activation } = o;
    const hidden = layers.dense({ units: hiddenUnits, activation, name: `${name}_dense1` }).apply(v);
    return layers.dense({ units: width, name: `${name}_dense2` }).apply(hidden);
  });
}
