// The contract between TypeScript and C++, in one table: opcodes with the words that carry their attributes, and the
// micro-ops of elementwise chains. `native/opcodes.h` is generated from this file (npm run generate); ids are positions.

/**
 * How one attribute becomes 32-bit words: int and bool one word, float the word of its float32 bits,
 * list a length followed by its integers, body a chain (see encode.ts), optional by a leading 0 or 1.
 */
export type AttrKind = "int" | "bool" | "float" | "list" | "body" | "body?";

export interface Opcode {
  readonly name: string;
  /** In order; the names are those of the op's attributes. */
  readonly attrs: Readonly<Record<string, AttrKind>>;
}

/** What every update can do beside its rule. */
const SWEEP = {
  weightDecay: "float",
  clipvalue: "float",
  scaled: "bool",
  ema: "bool",
  emaMomentum: "float",
  emaOverwriteFrequency: "int",
} as const;

const opcode = (name: string, attrs: Readonly<Record<string, AttrKind>> = {}): Opcode => ({ name, attrs });

const CONV = { strides: "list", before: "list", after: "list", dilations: "list", groups: "int" } as const;
const ATTENTION = {
  isCausal: "bool",
  mask: "bool",
  stream: "int",
  scale: "float",
  rate: "float",
} as const;
/** masked, byOutputs, byState: which inputs come after the fixed ones, in this order. */
const SEQUENCE_GRAD = { goBackwards: "bool", masked: "bool", byOutputs: "bool", byState: "bool" } as const;

export const OPCODES: readonly Opcode[] = [
  // A chain of elementwise micro-ops with broadcasting inputs and optional trailing reductions. Carries single elementwise ops too.
  opcode("elementwise", { body: "body" }),
  // inputs a, b and the body's further inputs; [batch.., m, k] x [batch.., k, n]. Body input 0 is the product.
  opcode("matmul", { transA: "bool", transB: "bool", body: "body?" }),
  // inputs x [N, *S, Cin], kernel [*K, Cin / groups, Cout] and the body's further inputs. One number for each spatial axis in
  // every list; before and after are zeros around the image. Body input 0 is the result.
  opcode("conv", { ...CONV, body: "body?" }),
  // inputs dy, kernel, the body's: the gradient by x. And by the kernel, from x, dy. Attributes are those of the convolution.
  opcode("convInputGrad", { ...CONV, body: "body?" }),
  opcode("convKernelGrad", CONV),
  // Reductions over the contiguous axes begin..end-1, which disappear.
  opcode("sum", { begin: "int", end: "int" }),
  opcode("max", { begin: "int", end: "int" }),
  opcode("min", { begin: "int", end: "int" }),
  opcode("prod", { begin: "int", end: "int" }),
  opcode("argmax", { axis: "int" }),
  opcode("argmin", { axis: "int" }),
  opcode("cumsum", { axis: "int", exclusive: "bool", reverse: "bool" }),
  // outputs: sorted values, int32 indices; stable; NaN last.
  opcode("sort", { axis: "int", descending: "bool" }),
  opcode("transpose", { perm: "list" }),
  opcode("slice", { begin: "list", step: "list" }),
  opcode("pad", { before: "list", interior: "list", value: "float" }),
  opcode("concatenate", { axis: "int" }),
  opcode("reverse", { axes: "list" }),
  // x, int32 indices: replaces one axis by the shape of the indices.
  opcode("gather", { axis: "int" }),
  // int32 indices, updates: zeros of the output shape with updates added along axis; the inverse of gather.
  opcode("scatterAdd", { axis: "int" }),
  // int32 [size]: 0, 1, 2, ...
  opcode("iota"),
  // key int32 [2], counter int32 []: random words, see core/random.ts.
  opcode("randomBits", { stream: "int" }),
  // The same draw as bool: whether its uniforms are at least the rate.
  opcode("dropoutMask", { stream: "int", rate: "float" }),
  // Images [batch, 1 to 3 spatial sizes, channels]; windows as in ops/windows.ts. outputs: maxima, and their places in the
  // windows (uint8 up to 256 elements, int32 above). The gradients' outputs are images again.
  opcode("maxPool", { pool: "list", strides: "list", before: "list" }),
  opcode("maxPoolGrad", { pool: "list", strides: "list", before: "list" }), // dy, places
  opcode("maxPoolGather", { pool: "list", strides: "list", before: "list" }), // image, places
  opcode("averagePool", { pool: "list", strides: "list", before: "list" }),
  opcode("averagePoolGrad", { pool: "list", strides: "list", before: "list" }),
  // [batch, height, width, channels]; see ops/resize.ts.
  opcode("resize", { bilinear: "bool", antialias: "bool" }),
  opcode("resizeGrad", { bilinear: "bool", antialias: "bool" }),
  // Over the last axis.
  opcode("softmax"),
  opcode("logSoftmax"),
  // logits [.., classes], int32 labels [..]: loss [..], log-sum-exp [..]. And its gradient from (logits, labels, lse, g [..]).
  opcode("sparseSoftmaxCrossEntropy"),
  opcode("sparseSoftmaxCrossEntropyGrad"),
  // logits [.., classes], labels [.., classes]: loss [..], log-sum-exp [..].
  opcode("softmaxCrossEntropy"),
  opcode("softmaxCrossEntropyGrad"),
  // logits, labels, g [..], as above: loss [..], log-sum-exp [..], gradient by the logits.
  opcode("sparseSoftmaxCrossEntropyWithGrad"),
  opcode("softmaxCrossEntropyWithGrad"),
  // q [B, T, H, D], k [B, S, K, D], v [B, S, K, E], mask bool of rank 4 where `mask`, key int32 [2] and counter int32 [] where
  // rate > 0: result [B, T, H, E], log-sum-exp [B, T, H]. And its gradient from the same and (lse, g, delta): dq, dk, dv.
  opcode("dotProductAttention", ATTENTION),
  opcode("dotProductAttentionGrad", ATTENTION),
  // learningRate [], iteration int32 [], scale [1] or [n] where scaled, then n times p, g, the slots, average where ema: see
  // ops/sweep.ts and ops/updates.ts.
  opcode("sgdUpdate", { momentum: "float", nesterov: "bool", ...SWEEP }),
  opcode("adamUpdate", { beta1: "float", beta2: "float", epsilon: "float", amsgrad: "bool", ...SWEEP }),
  // learningRate [], iteration int32 [], scale [1] where scaled, p [n, ...], int32 indices [k], rows [k, ...], m, v.
  opcode("lazyAdamUpdate", {
    beta1: "float",
    beta2: "float",
    epsilon: "float",
    weightDecay: "float",
    clipvalue: "float",
    scaled: "bool",
  }),
  // n tensors: float32 [n], the sum of squares of each.
  opcode("squaredNorms"),
  // Normalisations and their gradients. gamma is there where scale says so, beta where center does; gradients give dx and
  // those of the weights that are there. x [.., channels], gamma, beta: y, mean, variance. x, dy, gamma, mean, variance: dx, ..
  opcode("batchNorm", { epsilon: "float", scale: "bool", center: "bool" }),
  opcode("batchNormGrad", { epsilon: "float", scale: "bool", center: "bool" }),
  // Over axes begin.. of x. x, gamma, beta: y, mean, rstd. x, dy, gamma, mean, rstd: dx, ..
  opcode("layerNorm", { begin: "int", epsilon: "float", scale: "bool", center: "bool" }),
  opcode("layerNormGrad", { begin: "int", scale: "bool", center: "bool" }),
  // x, gamma: y, rstd. x, dy, gamma, rstd: dx, ..
  opcode("rmsNorm", { begin: "int", epsilon: "float", scale: "bool" }),
  opcode("rmsNormGrad", { begin: "int", scale: "bool" }),
  // x [samples, .., channels], gamma, beta: y, mean and rstd [samples, groups]. x, dy, gamma, mean, rstd: dx, ..
  opcode("groupNorm", { groups: "int", epsilon: "float", scale: "bool", center: "bool" }),
  opcode("groupNormGrad", { groups: "int", scale: "bool", center: "bool" }),
  // Recurrent sequences and their gradients; operands as in src/ops/lstm.ts, gru.ts, simple-rnn.ts.
  opcode("lstm", { goBackwards: "bool" }),
  opcode("lstmGrad", SEQUENCE_GRAD),
  opcode("gru", { goBackwards: "bool" }),
  opcode("gruGrad", SEQUENCE_GRAD),
  opcode("simpleRnn", { goBackwards: "bool" }),
  opcode("simpleRnnGrad", SEQUENCE_GRAD),
];

/**
 * Micro-ops: `<op>_<lane type>`; lanes are 32 bits wide. bool and uint8 tensors are widened to int32 lanes when read and
 * narrowed when written; a bool lane is 0 or 1.
 */
const UNARY_F32 = [
  "negative",
  "abs",
  "sign",
  "floor",
  "ceil",
  "round",
  "exp",
  "expm1",
  "log",
  "log1p",
  "sqrt",
  "rsqrt",
  "square",
  "reciprocal",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "erf",
  "gelu",
  "geluTanh",
  "relu",
  "bitsToUniform",
] as const;
const BINARY_F32 = [
  "add",
  "subtract",
  "multiply",
  "divide",
  "power",
  "minimum",
  "maximum",
  "mod",
  "floorDivide",
  "geluGrad",
  "geluTanhGrad",
] as const;
const COMPARE = ["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"] as const;
const UNARY_I32 = ["negative", "abs", "sign", "square"] as const;
const BINARY_I32 = ["add", "subtract", "multiply", "minimum", "maximum", "mod", "floorDivide"] as const;

export interface MicroOp {
  readonly name: string;
  readonly arity: 1 | 2 | 3;
}

const micro = (arity: 1 | 2 | 3, names: readonly string[], suffix = ""): MicroOp[] =>
  names.map((n) => ({ name: n + suffix, arity }));

export const MICRO_OPS: readonly MicroOp[] = [
  ...micro(1, ["copy"]), // any lanes, bit for bit
  ...micro(3, ["where"]), // int32 condition (0 or 1), then two of any lane type
  ...micro(1, UNARY_F32, "_f32"), // bitsToUniform reads int32 lanes
  ...micro(2, BINARY_F32, "_f32"),
  ...micro(2, COMPARE, "_f32"),
  ...micro(1, UNARY_I32, "_i32"),
  ...micro(2, BINARY_I32, "_i32"),
  ...micro(2, COMPARE, "_i32"),
  ...micro(2, ["logicalAnd", "logicalOr"]), // int32 lanes 0 or 1
  ...micro(1, ["logicalNot"]),
  // cast_<from>_<to>: f32 to i32 truncates toward zero and saturates, NaN gives 0; to bool tests for non-zero; to u8 keeps the low 8 bits.
  ...micro(1, [
    "cast_f32_i32",
    "cast_i32_f32",
    "cast_f32_bool",
    "cast_i32_bool",
    "cast_i32_u8",
    "cast_f32_u8",
  ]),
];

/** Reductions a chain may end with, over the trailing elements of each row. */
export const CHAIN_REDUCTIONS = ["none", "sum", "max", "min", "prod"] as const;

export const DTYPE_IDS = { float32: 0, int32: 1, bool: 2, uint8: 3 } as const;
export const SPACE_IDS = { arena: 0, bound: 1, constant: 2, prepared: 3 } as const;

/** Bump when the encoding itself changes; the hash below covers the tables. */
export const PROGRAM_VERSION = 2;
export const PROGRAM_MAGIC = 0x4e4c594d; // "MYLN", little endian

/** FNV-1a over every name and attribute of the tables: addon and library must agree on it. */
export function opcodeHash(): number {
  const text = JSON.stringify([PROGRAM_VERSION, OPCODES, MICRO_OPS, CHAIN_REDUCTIONS, DTYPE_IDS, SPACE_IDS]);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
