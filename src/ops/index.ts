// Every op function, as users see them under `ops`. Each works on symbolic Values inside a trace: in a layer's call, or in a
// function given to compile, grad or valueAndGrad.

export {
  celu,
  elu,
  exponential,
  gelu,
  glu,
  hardShrink,
  hardSigmoid,
  hardSilu,
  hardSwish,
  hardTanh,
  leakyRelu,
  linear,
  logSigmoid,
  mish,
  relu6,
  selu,
  silu,
  softplus,
  softShrink,
  softsign,
  sparsemax,
  sparsePlus,
  sparseSigmoid,
  squareplus,
  swish,
  tanhShrink,
  threshold,
} from "./activations.ts";
export { arctan, arctan2 } from "./arctan.ts";
export {
  add,
  divide,
  floorDivide,
  logAddExp,
  maximum,
  minimum,
  mod,
  multiply,
  power,
  squaredDifference,
  subtract,
} from "./arithmetic.ts";
export { type AttentionOptions, attentionWeights, dotProductAttention } from "./attention.ts";
export { type BatchNormOptions, batchNorm } from "./batch-norm.ts";
export {
  equal,
  greater,
  greaterEqual,
  isFinite,
  isNan,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  notEqual,
  where,
} from "./compare.ts";
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv,
  convTranspose,
  type DepthwiseConvOptions,
  depthwiseConv,
  separableConv,
} from "./conv.ts";
export type { Padding, Sizes } from "./conv-shape.ts";
export {
  type CustomGradientContext,
  type CustomGradientRule,
  customGradient,
  stopGradient,
} from "./custom.ts";
/** Draws: random.uniform, normal, truncatedNormal, bernoulli, permutation, dropout, bits. */
export * as random from "./draws.ts";
export { einsum } from "./einsum.ts";
export {
  abs,
  cast,
  ceil,
  clip,
  cos,
  erf,
  exp,
  expm1,
  floor,
  log,
  log1p,
  negative,
  reciprocal,
  relu,
  round,
  rsqrt,
  sigmoid,
  sign,
  sin,
  sqrt,
  square,
  tanh,
} from "./elementwise.ts";
export { gather, scatterAdd, takeAlongAxis } from "./gather.ts";
export { type GroupNormOptions, groupNorm } from "./group-norm.ts";
export { gru } from "./gru.ts";
export { type LayerNormOptions, layerNorm, rmsNorm } from "./layer-norm.ts";
export { type LazyAdamSlot, type LazyAdamUpdateOptions, lazyAdamUpdate } from "./lazy-update.ts";
export { lstm } from "./lstm.ts";
export { dot, type MatmulOptions, matmul, outer } from "./matmul.ts";
export type { Operand } from "./operand.ts";
export { toValue } from "./operand.ts";
export {
  adaptiveAveragePool,
  adaptiveMaxPool,
  averagePool,
  maxPool,
  type PoolOptions,
} from "./pool.ts";
export {
  currentSeedGenerator,
  type Seed,
  SeedGenerator,
  setRandomSeed,
  withSeedGenerator,
} from "./random.ts";
export {
  type ArgOptions,
  all,
  any,
  argmax,
  argmin,
  countNonzero,
  logSumExp,
  max,
  mean,
  min,
  norm,
  prod,
  type ReduceOptions,
  std,
  sum,
  variance,
} from "./reduce.ts";
export { type Interpolation, resize } from "./resize.ts";
export { type RotaryOptions, rotaryEmbedding } from "./rotary.ts";
export { argsort, cumsum, type SortOptions, sort, topK } from "./scan.ts";
export type { SequenceOptions } from "./sequence.ts";
export {
  arange,
  broadcastTo,
  concatenate,
  constant,
  expandDims,
  flatten,
  full,
  identity,
  moveAxis,
  oneHot,
  ones,
  onesLike,
  pad,
  repeat,
  reshape,
  reverse,
  slice,
  sliceAxis,
  split,
  squeeze,
  stack,
  swapAxes,
  tile,
  transpose,
  unstack,
  zeros,
  zerosLike,
} from "./shape.ts";
export { simpleRnn } from "./simple-rnn.ts";
export { logSoftmax, softmax, softmaxCrossEntropy, sparseSoftmaxCrossEntropy } from "./softmax.ts";
export { assign } from "./state.ts";
export type { SweepOptions } from "./sweep.ts";
export {
  type AdamSlot,
  type AdamUpdateOptions,
  adamUpdate,
  type SgdSlot,
  type SgdUpdateOptions,
  sgdUpdate,
  squaredNorms,
  type UpdatedSlot,
} from "./updates.ts";
