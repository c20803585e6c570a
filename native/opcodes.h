// Generated from src/program/opcodes.ts by scripts/generate-opcodes.ts; do not edit.
// Ids are positions in these lists. docs/program.md describes the format.
#pragma once

#include <cstdint>

namespace myelin {

constexpr int32_t kProgramMagic = 1313626445;
constexpr int32_t kProgramVersion = 2;
constexpr int32_t kOpcodeHash = 906214834;

enum class DType : int32_t { kFloat32 = 0, kInt32 = 1, kBool = 2, kUint8 = 3 };
enum class Space : int32_t { kArena = 0, kBound = 1, kConstant = 2, kPrepared = 3 };
enum class ChainReduction : int32_t { kNone, kSum, kMax, kMin, kProd };

// X(name, attribute kinds in order: i int, b bool, f float, l list, c chain, o optional chain)
#define MYELIN_OPCODES(X) \
  X(elementwise, "c") \
  X(matmul, "bbo") \
  X(conv, "llllio") \
  X(convInputGrad, "llllio") \
  X(convKernelGrad, "lllli") \
  X(sum, "ii") \
  X(max, "ii") \
  X(min, "ii") \
  X(prod, "ii") \
  X(argmax, "i") \
  X(argmin, "i") \
  X(cumsum, "ibb") \
  X(sort, "ib") \
  X(transpose, "l") \
  X(slice, "ll") \
  X(pad, "llf") \
  X(concatenate, "i") \
  X(reverse, "l") \
  X(gather, "i") \
  X(scatterAdd, "i") \
  X(iota, "") \
  X(randomBits, "i") \
  X(dropoutMask, "if") \
  X(maxPool, "lll") \
  X(maxPoolGrad, "lll") \
  X(maxPoolGather, "lll") \
  X(averagePool, "lll") \
  X(averagePoolGrad, "lll") \
  X(resize, "bb") \
  X(resizeGrad, "bb") \
  X(softmax, "") \
  X(logSoftmax, "") \
  X(sparseSoftmaxCrossEntropy, "") \
  X(sparseSoftmaxCrossEntropyGrad, "") \
  X(softmaxCrossEntropy, "") \
  X(softmaxCrossEntropyGrad, "") \
  X(sparseSoftmaxCrossEntropyWithGrad, "") \
  X(softmaxCrossEntropyWithGrad, "") \
  X(dotProductAttention, "bbiff") \
  X(dotProductAttentionGrad, "bbiff") \
  X(sgdUpdate, "fbffbbfi") \
  X(adamUpdate, "fffbffbbfi") \
  X(lazyAdamUpdate, "fffffb") \
  X(squaredNorms, "") \
  X(batchNorm, "fbb") \
  X(batchNormGrad, "fbb") \
  X(layerNorm, "ifbb") \
  X(layerNormGrad, "ibb") \
  X(rmsNorm, "ifb") \
  X(rmsNormGrad, "ib") \
  X(groupNorm, "ifbb") \
  X(groupNormGrad, "ibb") \
  X(lstm, "b") \
  X(lstmGrad, "bbbb") \
  X(gru, "b") \
  X(gruGrad, "bbbb") \
  X(simpleRnn, "b") \
  X(simpleRnnGrad, "bbbb")

// X(name, arity)
#define MYELIN_MICRO_OPS(X) \
  X(copy, 1) \
  X(where, 3) \
  X(negative_f32, 1) \
  X(abs_f32, 1) \
  X(sign_f32, 1) \
  X(floor_f32, 1) \
  X(ceil_f32, 1) \
  X(round_f32, 1) \
  X(exp_f32, 1) \
  X(expm1_f32, 1) \
  X(log_f32, 1) \
  X(log1p_f32, 1) \
  X(sqrt_f32, 1) \
  X(rsqrt_f32, 1) \
  X(square_f32, 1) \
  X(reciprocal_f32, 1) \
  X(sin_f32, 1) \
  X(cos_f32, 1) \
  X(tanh_f32, 1) \
  X(sigmoid_f32, 1) \
  X(erf_f32, 1) \
  X(gelu_f32, 1) \
  X(geluTanh_f32, 1) \
  X(relu_f32, 1) \
  X(bitsToUniform_f32, 1) \
  X(add_f32, 2) \
  X(subtract_f32, 2) \
  X(multiply_f32, 2) \
  X(divide_f32, 2) \
  X(power_f32, 2) \
  X(minimum_f32, 2) \
  X(maximum_f32, 2) \
  X(mod_f32, 2) \
  X(floorDivide_f32, 2) \
  X(geluGrad_f32, 2) \
  X(geluTanhGrad_f32, 2) \
  X(equal_f32, 2) \
  X(notEqual_f32, 2) \
  X(less_f32, 2) \
  X(lessEqual_f32, 2) \
  X(greater_f32, 2) \
  X(greaterEqual_f32, 2) \
  X(negative_i32, 1) \
  X(abs_i32, 1) \
  X(sign_i32, 1) \
  X(square_i32, 1) \
  X(add_i32, 2) \
  X(subtract_i32, 2) \
  X(multiply_i32, 2) \
  X(minimum_i32, 2) \
  X(maximum_i32, 2) \
  X(mod_i32, 2) \
  X(floorDivide_i32, 2) \
  X(equal_i32, 2) \
  X(notEqual_i32, 2) \
  X(less_i32, 2) \
  X(lessEqual_i32, 2) \
  X(greater_i32, 2) \
  X(greaterEqual_i32, 2) \
  X(logicalAnd, 2) \
  X(logicalOr, 2) \
  X(logicalNot, 1) \
  X(cast_f32_i32, 1) \
  X(cast_i32_f32, 1) \
  X(cast_f32_bool, 1) \
  X(cast_i32_bool, 1) \
  X(cast_i32_u8, 1) \
  X(cast_f32_u8, 1)

enum class Opcode : int32_t {
#define MYELIN_X(name, attrs) name,
  MYELIN_OPCODES(MYELIN_X)
#undef MYELIN_X
};
constexpr int32_t kOpcodeCount = 58;

enum class MicroOp : int32_t {
#define MYELIN_X(name, arity) name,
  MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
};
constexpr int32_t kMicroOpCount = 68;

}  // namespace myelin
