// The `layers` namespace of the public API: a function for each layer, and the classes behind them.

export * from "./activation.ts";
export * from "./activity-regularization.ts";
export * from "./attention.ts";
export type { AttentionCallOptions, AttentionContext, AttentionInputs } from "./attention-base.ts";
export * from "./batch-normalization.ts";
export type { RenormClipping } from "./batch-renormalization.ts";
export * from "./bidirectional.ts";
export * from "./conv.ts";
export * from "./conv-lstm.ts";
export type { ConvLstmCell, ConvLstmCellOptions } from "./conv-lstm-cell.ts";
export * from "./conv-transpose.ts";
export * from "./core.ts";
export * from "./dense.ts";
export * from "./depthwise-conv.ts";
export * from "./einsum-dense.ts";
export {
  Embedding,
  type EmbeddingOptions,
  embedding,
} from "./embedding.ts";
export * from "./global-pooling.ts";
export * from "./group-normalization.ts";
export { Gru, GruCell, type GruCellOptions, type GruOptions, gru, gruCell } from "./gru.ts";
export * from "./image/index.ts";
export { InputSpec, type InputSpecOptions } from "./input-spec.ts";
export * from "./layer-normalization.ts";
export { Lstm, LstmCell, type LstmCellOptions, type LstmOptions, lstm, lstmCell } from "./lstm.ts";
export * from "./margins.ts";
export { type Mask, maskOf, setMask } from "./mask.ts";
export * from "./masking.ts";
export * from "./merging.ts";
export * from "./multi-head-attention.ts";
export type { NoiseOptions } from "./noise.ts";
export { Pipeline, type PipelineOptions, pipeline } from "./pipeline.ts";
export * from "./pooling.ts";
export * from "./position-embedding.ts";
export * from "./preprocessing/index.ts";
export * from "./regularization.ts";
export * from "./reshaping.ts";
export * from "./resizing.ts";
export * from "./reversible-embedding.ts";
export { type RecurrentOptions, Rnn, type RnnOptions, rnn } from "./rnn.ts";
export { RnnCell, type SequenceResult, type SequenceRun } from "./rnn-cell.ts";
export * from "./separable-conv.ts";
export {
  SimpleRnn,
  SimpleRnnCell,
  type SimpleRnnCellOptions,
  type SimpleRnnOptions,
  simpleRnn,
  simpleRnnCell,
} from "./simple-rnn.ts";
export * from "./spatial-dropout.ts";
export * from "./spectral-normalization.ts";
export * from "./stacked-rnn-cells.ts";
export * from "./time-distributed.ts";
export * from "./wrapper.ts";
