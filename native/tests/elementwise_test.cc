// Micro-ops and chains against plain scalar code: every micro-op at every length, random chains
// over random layouts, reductions, in place, and Programs that must be refused.
#include <climits>
#include <cstring>
#include <limits>
#include <string_view>

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const char* const kNames[] = {
#define MYELIN_X(name, arity) #name,
    MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
};
const int kArity[] = {
#define MYELIN_X(name, arity) arity,
    MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
};

float as_float(int32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
int32_t as_int(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

float floored_mod(float a, float b) {
  const float r = std::fmod(a, b);
  if (r == 0.0f) return b < 0 ? -0.0f : 0.0f;
  return (r < 0) != (b < 0) ? r + b : r;
}
int64_t floored_quotient(int64_t a, int64_t b) {
  return a / b - static_cast<int64_t>(a % b != 0 && (a < 0) != (b < 0));
}
int32_t saturated(float x) {
  if (std::isnan(x)) return 0;
  if (x >= 2147483648.0f) return INT_MAX;
  if (x <= -2147483648.0f) return INT_MIN;
  return static_cast<int32_t>(x);
}

// One lane of a micro-op, on bits. Functions that math_test.cc measures are asked of the level's
// own kernel.
int32_t apply(const KernelTable& level, MicroOp op, int32_t a, int32_t b, int32_t c) {
  const float x = as_float(a), y = as_float(b);
  const auto ua = static_cast<uint32_t>(a), ub = static_cast<uint32_t>(b);
  const auto kernel = [&](MicroKernel* f) {
    int32_t out;
    f(&a, &b, &c, &out, 1);
    return out;
  };
  switch (op) {
    case MicroOp::copy:
      return a;
    case MicroOp::where:
      return a != 0 ? b : c;
    case MicroOp::negative_f32:
      return as_int(-x);
    case MicroOp::abs_f32:
      return as_int(std::fabs(x));
    case MicroOp::sign_f32:
      return as_int(x > 0 ? 1.0f : x < 0 ? -1.0f : x);
    case MicroOp::floor_f32:
      return as_int(std::floor(x));
    case MicroOp::ceil_f32:
      return as_int(std::ceil(x));
    case MicroOp::round_f32:
      return as_int(std::nearbyint(x));
    case MicroOp::exp_f32:
      return kernel(level.exp_f32);
    case MicroOp::expm1_f32:
      return kernel(level.expm1_f32);
    case MicroOp::log_f32:
      return kernel(level.log_f32);
    case MicroOp::log1p_f32:
      return kernel(level.log1p_f32);
    case MicroOp::sqrt_f32:
      return as_int(std::sqrt(x));
    case MicroOp::rsqrt_f32:
      return as_int(1.0f / std::sqrt(x));
    case MicroOp::square_f32:
      return as_int(x * x);
    case MicroOp::reciprocal_f32:
      return as_int(1.0f / x);
    case MicroOp::sin_f32:
      return kernel(level.sin_f32);
    case MicroOp::cos_f32:
      return kernel(level.cos_f32);
    case MicroOp::tanh_f32:
      return kernel(level.tanh_f32);
    case MicroOp::sigmoid_f32:
      return kernel(level.sigmoid_f32);
    case MicroOp::erf_f32:
      return kernel(level.erf_f32);
    case MicroOp::gelu_f32:
      return kernel(level.gelu_f32);
    case MicroOp::geluTanh_f32:
      return kernel(level.geluTanh_f32);
    case MicroOp::relu_f32:
      return as_int(x <= 0 ? 0.0f : x);
    case MicroOp::bitsToUniform_f32:
      return as_int(static_cast<float>(ua >> 8) * 0x1p-24f);
    case MicroOp::add_f32:
      return as_int(x + y);
    case MicroOp::subtract_f32:
      return as_int(x - y);
    case MicroOp::multiply_f32:
      return as_int(x * y);
    case MicroOp::divide_f32:
      return as_int(x / y);
    case MicroOp::power_f32:
      return kernel(level.power_f32);
    case MicroOp::geluGrad_f32:
      return kernel(level.geluGrad_f32);
    case MicroOp::geluTanhGrad_f32:
      return kernel(level.geluTanhGrad_f32);
    case MicroOp::minimum_f32:
      return as_int(std::isnan(x) ? x : std::isnan(y) ? y : y < x ? y : x);
    case MicroOp::maximum_f32:
      return as_int(std::isnan(x) ? x : std::isnan(y) ? y : y > x ? y : x);
    case MicroOp::mod_f32:
      return as_int(floored_mod(x, y));
    case MicroOp::floorDivide_f32:
      return as_int(
          static_cast<float>(std::floor(static_cast<double>(x) / static_cast<double>(y))));
    case MicroOp::equal_f32:
      return x == y;
    case MicroOp::notEqual_f32:
      return x != y;
    case MicroOp::less_f32:
      return x < y;
    case MicroOp::lessEqual_f32:
      return x <= y;
    case MicroOp::greater_f32:
      return x > y;
    case MicroOp::greaterEqual_f32:
      return x >= y;
    case MicroOp::negative_i32:
      return static_cast<int32_t>(0u - ua);
    case MicroOp::abs_i32:
      return a < 0 ? static_cast<int32_t>(0u - ua) : a;
    case MicroOp::sign_i32:
      return (a > 0) - (a < 0);
    case MicroOp::square_i32:
      return static_cast<int32_t>(ua * ua);
    case MicroOp::add_i32:
      return static_cast<int32_t>(ua + ub);
    case MicroOp::subtract_i32:
      return static_cast<int32_t>(ua - ub);
    case MicroOp::multiply_i32:
      return static_cast<int32_t>(ua * ub);
    case MicroOp::minimum_i32:
      return a < b ? a : b;
    case MicroOp::maximum_i32:
      return a > b ? a : b;
    case MicroOp::mod_i32:
      return b == 0 ? 0 : static_cast<int32_t>(a - floored_quotient(a, b) * int64_t{b});
    case MicroOp::floorDivide_i32:
      return b == 0 ? 0 : static_cast<int32_t>(floored_quotient(a, b));
    case MicroOp::equal_i32:
      return a == b;
    case MicroOp::notEqual_i32:
      return a != b;
    case MicroOp::less_i32:
      return a < b;
    case MicroOp::lessEqual_i32:
      return a <= b;
    case MicroOp::greater_i32:
      return a > b;
    case MicroOp::greaterEqual_i32:
      return a >= b;
    case MicroOp::logicalAnd:
      return a & b;
    case MicroOp::logicalOr:
      return a | b;
    case MicroOp::logicalNot:
      return a == 0;
    case MicroOp::cast_f32_i32:
      return saturated(x);
    case MicroOp::cast_i32_f32:
      return as_int(static_cast<float>(a));
    case MicroOp::cast_f32_bool:
      return x != 0;
    case MicroOp::cast_i32_bool:
      return a != 0;
    case MicroOp::cast_i32_u8:
      return a & 255;
    case MicroOp::cast_f32_u8:
      return saturated(x) & 255;
  }
  return 0;
}

enum class Lane { kFloat, kInt, kAny };
Lane operand_lane(MicroOp op, int k) {
  const std::string_view name = kNames[static_cast<int>(op)];
  if (op == MicroOp::copy || (op == MicroOp::where && k > 0)) return Lane::kAny;
  if (op == MicroOp::where || op == MicroOp::bitsToUniform_f32 || name.starts_with("logical"))
    return Lane::kInt;
  if (name.starts_with("cast")) return name.substr(5, 3) == "f32" ? Lane::kFloat : Lane::kInt;
  return name.ends_with("f32") ? Lane::kFloat : Lane::kInt;
}
Lane result_lane(MicroOp op, Lane first_free) {
  const std::string_view name = kNames[static_cast<int>(op)];
  if (op == MicroOp::copy || op == MicroOp::where) return first_free;
  for (const char* compare : {"equal", "notEqual", "less", "greater", "logical"}) {
    if (name.starts_with(compare)) return Lane::kInt;
  }
  return name.ends_with("f32") ? Lane::kFloat : Lane::kInt;
}

bool same_bits(int32_t a, int32_t b, bool floats) {
  return a == b || (floats && std::isnan(as_float(a)) && std::isnan(as_float(b)));
}

MicroKernel* kernel_of(const KernelTable& level, int op) {
  MicroKernel* const kernels[] = {
#define MYELIN_X(name, arity) level.name,
      MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
  };
  return kernels[op];
}

}  // namespace

// Values that meet each other in every pairing, at every length up to four vectors, in place and
// not.
TEST(elementwise_micro_ops) {
  const float floats[] = {0.0f,  -0.0f,         1.0f,           -1.0f,  2.5f,   -2.5f, 0.5f,
                          1.5f,  -7.25f,        3.0f,           kInf,   -kInf,  kNan,  3e9f,
                          -3e9f, 2147483520.0f, -2147483648.0f, 255.9f, 256.0f, -1.5f, 1e-20f,
                          1e20f, 0.1f};
  const int32_t ints[] = {0,       1,   -1,  2,    7,   -7,    3,      -3,        INT_MAX,
                          INT_MIN, 255, 256, -256, 100, 12345, -65536, 0x3f800000};
  constexpr int kCount = 23 * 23;
  std::vector<int32_t> f[3], n[3], flags(kCount);
  for (int i = 0; i < kCount; ++i) {
    const int at[] = {i % 23, i / 23, (i * 7) % 23};
    for (int k = 0; k < 3; ++k) {
      f[k].push_back(as_int(floats[at[k]]));
      n[k].push_back(ints[at[k] % 17]);
    }
    flags[i] = i % 3 == 0;
  }
  for (const KernelTable* level : test::levels()) {
    for (int op = 0; op < kMicroOpCount; ++op) {
      const auto micro = static_cast<MicroOp>(op);
      const int32_t* operands[3];
      for (int k = 0; k < 3; ++k) {
        const bool is_flag = std::string_view(kNames[op]).starts_with("logical") ||
                             (micro == MicroOp::where && k == 0);
        operands[k] = is_flag                                  ? flags.data() + k
                      : operand_lane(micro, k) == Lane::kFloat ? f[k].data()
                                                               : n[k].data();
      }
      const bool float_result = result_lane(micro, Lane::kInt) == Lane::kFloat;
      for (int length : {0, 1, 3, 4, 5, 8, 15, 16, 17, 31, 33, 64, 65, kCount - 3}) {
        std::vector<int32_t> out(static_cast<size_t>(length) + 1, 0x7b7b7b7b);
        kernel_of(*level, op)(operands[0], operands[1], operands[2], out.data(), length);
        CHECK(out[length] == 0x7b7b7b7b);
        for (int i = 0; i < length; ++i) {
          const int32_t want = apply(*level, micro, operands[0][i], operands[1][i], operands[2][i]);
          if (!same_bits(out[i], want, float_result))
            test::fail(__FILE__, __LINE__, "%s %s [%d of %d] (%08x, %08x): %08x, not %08x",
                       level->level, kNames[op], i, length, operands[0][i], operands[1][i], out[i],
                       want);
        }
        for (int k = 0; k < kArity[op]; ++k) {  // over each operand
          std::vector<int32_t> over(operands[k], operands[k] + length);
          const void* in[3] = {operands[0], operands[1], operands[2]};
          in[k] = over.data();
          kernel_of(*level, op)(in[0], in[1], in[2], over.data(), length);
          CHECK(length == 0 ||
                std::memcmp(over.data(), out.data(), static_cast<size_t>(length) * 4) == 0);
        }
      }
    }
  }
}

namespace {

uint32_t g_random = 1;
int pick(int n) {
  g_random ^= g_random << 13;
  g_random ^= g_random >> 17;
  g_random ^= g_random << 5;
  return static_cast<int>(g_random % static_cast<uint32_t>(n));
}

// Values that stay small and finite through any chain of the ops below, and bytes of 0 or 1 for
// bool.
Operand random_operand(DType dtype, const Dims& dims, uint64_t seed) {
  Operand x = test::empty(dtype, dims);
  for (int64_t i = 0; i < x.type.size; ++i) {
    const float v = test::noise(seed, static_cast<uint64_t>(i));
    if (dtype == DType::kFloat32) x.data<float>()[i] = 2 * v;
    if (dtype == DType::kInt32) x.data<int32_t>()[i] = static_cast<int32_t>(v * 1000);
    if (dtype == DType::kBool) x.data<uint8_t>()[i] = v > 0;
    if (dtype == DType::kUint8)
      x.data<uint8_t>()[i] = static_cast<uint8_t>(static_cast<int>(v * 128) & 255);
  }
  return x;
}

int32_t lane_at(const Operand& x, int64_t i) {
  if (x.type.dtype == DType::kFloat32 || x.type.dtype == DType::kInt32) return x.data<int32_t>()[i];
  return x.data<uint8_t>()[i];
}

struct Case {
  Chain chain;
  std::vector<Operand> inputs;
  std::vector<TensorView> outputs;
};

Chain chain_over(const Dims& dims, int inputs) {
  Chain chain = {inputs, static_cast<int32_t>(dims.size()), {}, 1, {}, {}};
  for (size_t d = 0; d < dims.size(); ++d) chain.dims[d] = dims[d];
  return chain;
}

// Every value of the chain at one element.
std::vector<int32_t> values_at(const KernelTable& level, const Case& c, int64_t element) {
  std::vector<int32_t> values;
  for (const Operand& x : c.inputs) {
    int64_t rest = element, offset = 0, stride = 1;
    for (int d = c.chain.rank - 1, from = x.type.rank - 1; from >= 0; --d, --from) {
      if (x.type.dims[from] != 1) offset += rest % c.chain.dims[d] * stride;
      rest /= c.chain.dims[d];
      stride *= x.type.dims[from];
    }
    values.push_back(lane_at(x, offset));
  }
  for (const ChainInstruction& i : c.chain.instructions) {
    const int arity = kArity[static_cast<int>(i.micro)];
    const auto at = [&](int k) {
      return k < arity ? values[static_cast<size_t>(i.operands[k])] : 0;
    };
    values.push_back(apply(level, i.micro, at(0), at(1), at(2)));
  }
  return values;
}

void check_case(const Case& c, const std::string& what,
                const std::vector<std::pair<size_t, size_t>>& in_place = {}) {
  test::Step step = {plan_elementwise};
  step.chain = std::make_shared<Chain>(c.chain);
  step.in_place = in_place;
  int64_t total = 1;
  for (int d = 0; d < c.chain.rank; ++d) total *= c.chain.dims[d];
  test::each_level(
      step, c.inputs, c.outputs, [&](const test::StepResult& result, const KernelTable& level) {
        std::vector<std::vector<double>> sums(c.outputs.size()), sizes(c.outputs.size());
        for (size_t o = 0; o < c.outputs.size(); ++o) {
          sums[o].assign(static_cast<size_t>(c.outputs[o].size), 0.0);
          sizes[o] = sums[o];
        }
        for (int64_t e = 0; e < total; ++e) {
          const std::vector<int32_t> values = values_at(level, c, e);
          for (size_t o = 0; o < c.outputs.size(); ++o) {
            const ChainOutput& output = c.chain.outputs[o];
            const int32_t value = values[static_cast<size_t>(output.value)];
            const bool floats = c.outputs[o].dtype == DType::kFloat32;
            if (output.reduction == ChainReduction::kNone) {
              const int32_t got = lane_at(result.outputs[o], e);
              const int32_t want = bytes_of(c.outputs[o].dtype) == 1 ? value & 255 : value;
              if (!same_bits(got, want, floats))
                test::fail(__FILE__, __LINE__, "%s %s: output %zu [%lld]: %08x, not %08x",
                           level.level, what.c_str(), o, static_cast<long long>(e), got, want);
              continue;
            }
            const auto group = static_cast<size_t>(e / c.chain.inner);
            const double x = floats ? static_cast<double>(as_float(value)) : value;
            double& sum = sums[o][group];
            const bool first = e % c.chain.inner == 0;
            if (output.reduction == ChainReduction::kSum) sum += x;
            if (output.reduction == ChainReduction::kProd) sum = first ? x : sum * x;
            if (output.reduction == ChainReduction::kMax) sum = first || x > sum ? x : sum;
            if (output.reduction == ChainReduction::kMin) sum = first || x < sum ? x : sum;
            sizes[o][group] += std::fabs(x);
          }
        }
        for (size_t o = 0; o < c.outputs.size(); ++o) {
          const ChainReduction reduction = c.chain.outputs[o].reduction;
          if (reduction == ChainReduction::kNone || c.chain.inner == 0) continue;
          for (int64_t g = 0; g < c.outputs[o].size; ++g) {
            const int32_t got = lane_at(result.outputs[o], g);
            const double want = sums[o][static_cast<size_t>(g)];
            // Sums: the bound of a sum of inner terms; the others are exact, products of the chosen
            // factors nearly.
            const double allowed =
                reduction == ChainReduction::kSum    ? 6e-8 * sizes[o][static_cast<size_t>(g)] * 12
                : reduction == ChainReduction::kProd ? 1e-5 * std::fabs(want) + 1e-30
                                                     : 0.0;
            if (c.outputs[o].dtype == DType::kFloat32) {
              CHECK_NEAR(static_cast<double>(as_float(got)), want, allowed);
            } else if (bytes_of(c.outputs[o].dtype) == 1) {
              CHECK_EQ(got, static_cast<int32_t>(static_cast<int64_t>(want) & 255));
            } else {
              CHECK_EQ(got, static_cast<int32_t>(static_cast<int64_t>(want)));
            }
          }
        }
      });
}

// Ops whose results on small numbers stay small and finite.
const MicroOp kSafeOps[] = {
    MicroOp::copy,          MicroOp::where,        MicroOp::negative_f32, MicroOp::abs_f32,
    MicroOp::sign_f32,      MicroOp::floor_f32,    MicroOp::tanh_f32,     MicroOp::sigmoid_f32,
    MicroOp::relu_f32,      MicroOp::add_f32,      MicroOp::subtract_f32, MicroOp::multiply_f32,
    MicroOp::minimum_f32,   MicroOp::maximum_f32,  MicroOp::less_f32,     MicroOp::greaterEqual_f32,
    MicroOp::equal_f32,     MicroOp::negative_i32, MicroOp::abs_i32,      MicroOp::sign_i32,
    MicroOp::add_i32,       MicroOp::minimum_i32,  MicroOp::maximum_i32,  MicroOp::less_i32,
    MicroOp::notEqual_i32,  MicroOp::logicalNot,   MicroOp::cast_i32_f32, MicroOp::cast_f32_i32,
    MicroOp::cast_f32_bool, MicroOp::cast_i32_u8};

Case random_case(uint64_t seed, int64_t largest, bool reduce) {
  Case c;
  const int rank = pick(5);
  Dims dims(static_cast<size_t>(rank));
  int64_t total = 1;
  const int awkward[] = {1,   2,   3,   5,   7,    10,   16,   17,   31,  64,
                         100, 127, 256, 300, 1000, 1024, 1100, 2050, 5000};
  for (int d = rank - 1; d >= 0; --d) {
    int64_t dim = awkward[pick(19)];
    while (total * dim > largest) dim = std::max<int64_t>(1, dim / 2);
    dims[static_cast<size_t>(d)] = dim;
    total *= dim;
  }
  const int inputs = 1 + pick(5);
  c.chain = chain_over(dims, inputs);
  std::vector<Lane> lanes;
  std::vector<bool> is_flag;
  for (int i = 0; i < inputs; ++i) {
    Dims own = dims;
    if (pick(2)) {
      for (int64_t& d : own) d = pick(2) ? 1 : d;
      while (!own.empty() && own.front() == 1 && pick(2)) own.erase(own.begin());
    }
    const DType dtype = static_cast<DType>(std::max(0, pick(7) - 3));
    c.inputs.push_back(random_operand(dtype, own, seed * 16 + static_cast<uint64_t>(i)));
    lanes.push_back(dtype == DType::kFloat32 ? Lane::kFloat : Lane::kInt);
  }
  const int wanted = pick(9);
  for (int tries = 0; tries < 200 && static_cast<int>(c.chain.instructions.size()) < wanted;
       ++tries) {
    const MicroOp op = kSafeOps[pick(sizeof kSafeOps / sizeof *kSafeOps)];
    ChainInstruction instruction = {op, {0, 0, 0}};
    Lane free = Lane::kAny;
    bool fits = true;
    for (int k = 0; k < kArity[static_cast<int>(op)]; ++k) {
      const int v = pick(static_cast<int>(lanes.size()));
      instruction.operands[k] = v;
      Lane need = operand_lane(op, k);
      if (need == Lane::kAny) {
        if (free == Lane::kAny) free = lanes[static_cast<size_t>(v)];
        need = free;
      }
      fits &= lanes[static_cast<size_t>(v)] == need;
    }
    if (!fits) continue;
    c.chain.instructions.push_back(instruction);
    lanes.push_back(result_lane(op, free));
  }
  if (reduce && rank > 0) {
    for (int d = rank - 1 - pick(rank); d < rank; ++d)
      c.chain.inner *= dims[static_cast<size_t>(d)];
  }
  const int outputs = 1 + pick(3);
  for (int o = 0; o < outputs; ++o) {
    const int v =
        pick(3) == 0 ? pick(static_cast<int>(lanes.size())) : static_cast<int>(lanes.size()) - 1;
    const bool floats = lanes[static_cast<size_t>(v)] == Lane::kFloat;
    const DType dtype = floats ? DType::kFloat32 : static_cast<DType>(1 + pick(3));
    const bool folds = reduce && pick(2);
    const auto reduction = folds ? static_cast<ChainReduction>(1 + pick(3)) : ChainReduction::kNone;
    c.chain.outputs.push_back({v, reduction});
    c.outputs.push_back(test::view(dtype, folds ? Dims{total / c.chain.inner} : dims));
  }
  return c;
}

}  // namespace

TEST(elementwise_random_chains) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    g_random = static_cast<uint32_t>(seed * 2654435761u) | 1;
    check_case(random_case(seed, seed % 10 == 0 ? 100000 : 3000, seed % 2 == 0),
               "seed " + std::to_string(seed));
  }
}

// Every float32 or int32 output on a different input of its own type, wherever there is one.
TEST(elementwise_in_place) {
  int found = 0;
  for (uint64_t seed = 1000; seed < 1600; ++seed) {
    g_random = static_cast<uint32_t>(seed * 2654435761u) | 1;
    const Case c = random_case(seed, 5000, false);
    std::vector<std::pair<size_t, size_t>> pairs;
    std::vector<bool> taken(c.inputs.size());
    for (size_t o = 0; o < c.outputs.size(); ++o) {
      for (size_t i = c.inputs.size(); i-- > 0;) {
        const TensorView &x = c.inputs[i].type, &y = c.outputs[o];
        if (taken[i] || x.dtype != y.dtype || x.size != y.size) continue;
        taken[i] = true;
        pairs.push_back({o, i});
        break;
      }
    }
    if (pairs.empty()) continue;
    ++found;
    check_case(c, "in place, seed " + std::to_string(seed), pairs);
  }
  CHECK(found > 100);
}

// Reductions whose groups are one tile, several, several blocks, and many to a tile.
TEST(elementwise_reductions) {
  const struct {
    Dims dims;
    int64_t inner;
  } shapes[] = {{{1}, 1},          {{128, 10}, 10},       {{3, 1000}, 1000},
                {{3, 1100}, 1100}, {{2, 40000}, 40000},   {{100000}, 100000},
                {{7, 3, 5}, 15},   {{7, 3, 5}, 5},        {{5, 20, 300}, 6000},
                {{1025, 1}, 1},    {{2, 70, 700}, 49000}, {{300, 17}, 17}};
  for (const auto& shape : shapes) {
    const auto rank = shape.dims.size();
    Dims row = {shape.dims[rank - 1]}, column = shape.dims;
    column[rank - 1] = 1;
    for (const ChainReduction reduction :
         {ChainReduction::kSum, ChainReduction::kMax, ChainReduction::kMin}) {
      for (const Dims& other : {shape.dims, row, column, Dims{}}) {
        Case c;
        c.inputs = {random_operand(DType::kFloat32, shape.dims, 5),
                    random_operand(DType::kFloat32, other, 6)};
        c.chain = chain_over(shape.dims, 2);
        c.chain.inner = shape.inner;
        c.chain.instructions = {{MicroOp::multiply_f32, {0, 1, 0}},
                                {MicroOp::cast_f32_i32, {2, 0, 0}}};
        c.chain.outputs = {{2, reduction}, {2, ChainReduction::kNone}, {3, reduction}};
        const int64_t groups = test::size_of(shape.dims) / shape.inner;
        c.outputs = {test::view(DType::kFloat32, {groups}), test::view(DType::kFloat32, shape.dims),
                     test::view(DType::kInt32, {groups})};
        check_case(c, "reduction over " + std::to_string(shape.inner));
      }
    }
  }
}

TEST(elementwise_reduces_nan_and_nothing) {
  Case c;
  c.inputs = {random_operand(DType::kFloat32, {2, 50}, 5)};
  c.inputs[0].data<float>()[77] = kNan;
  c.chain = chain_over({2, 50}, 1);
  c.chain.inner = 50;
  c.chain.outputs = {{0, ChainReduction::kMax}, {0, ChainReduction::kMin}};
  c.outputs = {test::view(DType::kFloat32, {2}), test::view(DType::kFloat32, {2})};
  test::Step step = {plan_elementwise};
  step.chain = std::make_shared<Chain>(c.chain);
  test::each_level(step, c.inputs, c.outputs,
                   [&](const test::StepResult& result, const KernelTable&) {
                     for (const Operand& y : result.outputs)
                       CHECK(!std::isnan(y.data<float>()[0]) && std::isnan(y.data<float>()[1]));
                   });

  Chain nothing = chain_over({3, 0}, 1);
  nothing.inner = 0;
  nothing.outputs = {
      {0, ChainReduction::kSum}, {0, ChainReduction::kMax}, {0, ChainReduction::kProd}};
  step.chain = std::make_shared<Chain>(nothing);
  const TensorView three = test::view(DType::kFloat32, {3});
  test::each_level(step, {test::floats({3, 0}, {})}, {three, three, three},
                   [&](const test::StepResult& result, const KernelTable&) {
                     for (int i = 0; i < 3; ++i) {
                       CHECK_EQ(result.outputs[0].data<float>()[i], 0.0f);
                       CHECK_EQ(result.outputs[1].data<float>()[i], -kInf);
                       CHECK_EQ(result.outputs[2].data<float>()[i], 1.0f);
                     }
                   });
}

// Many values alive at once: tiles shrink, results stay.
TEST(elementwise_many_registers) {
  for (const int width : {5, 20, 60, 150}) {
    Case c;
    c.inputs = {random_operand(DType::kFloat32, {40, 100}, 1),
                random_operand(DType::kFloat32, {100}, 2),
                random_operand(DType::kUint8, {40, 1}, 3)};
    c.chain = chain_over({40, 100}, 3);
    c.chain.instructions = {{MicroOp::cast_i32_f32, {2, 0, 0}}, {MicroOp::multiply_f32, {0, 3, 0}}};
    int last = 4;
    for (int i = 0; i < width; ++i)
      c.chain.instructions.push_back({MicroOp::add_f32, {last++, i % 2, 0}});
    for (int i = 0; i < width; ++i) {
      c.chain.instructions.push_back({MicroOp::maximum_f32, {last, 4 + i, 0}});
      ++last;
    }
    c.chain.outputs = {{last, ChainReduction::kNone}};
    c.outputs = {test::view(DType::kFloat32, {40, 100})};
    check_case(c, "registers " + std::to_string(width));
  }
}

TEST(elementwise_refuses) {
  const TensorView f = test::view(DType::kFloat32, {4, 6}), i = test::view(DType::kInt32, {4, 6});
  const auto refused = [](const Chain& chain, const std::vector<TensorView>& in,
                          const std::vector<TensorView>& out, const char* what) {
    test::Step step = {plan_elementwise};
    step.chain = std::make_shared<Chain>(chain);
    test::expect_refused(step, in, out, what);
  };
  Chain good = chain_over({4, 6}, 2);
  good.instructions = {{MicroOp::add_f32, {0, 1, 0}}};
  good.outputs = {{2, ChainReduction::kNone}};
  {
    test::Step step = {plan_elementwise};
    test::expect_refused(step, {f, f}, {f}, "no chain");
    step.chain = std::make_shared<Chain>(good);
    step.plan(test::spec_of(step, {f, f}, {f}), {*test::levels()[0], 2});  // must not throw
  }
  refused(good, {f}, {f}, "fewer inputs");
  refused(good, {f, i}, {f}, "int lanes where floats are added");
  refused(good, {f, f}, {i}, "int output of a float value");
  refused(good, {f, f}, {f, f}, "more outputs");
  refused(good, {f, f}, {test::view(DType::kFloat32, {4, 5})}, "an output too small");
  refused(good, {f, test::view(DType::kFloat32, {5})}, {f}, "an input that does not broadcast");
  refused(good, {f, test::view(DType::kFloat32, {1, 4, 6})}, {f}, "an input of higher rank");
  Chain bad = good;
  bad.outputs = {{3, ChainReduction::kNone}};
  refused(bad, {f, f}, {f}, "an output that is not defined");
  bad = good;
  bad.instructions[0].operands[1] = 2;
  refused(bad, {f, f}, {f}, "an operand that is the instruction itself");
  bad.instructions[0].operands[1] = -1;
  refused(bad, {f, f}, {f}, "a negative operand");
  bad = good;
  bad.inner = 5;
  bad.outputs = {{2, ChainReduction::kSum}};
  refused(bad, {f, f}, {test::view(DType::kFloat32, {4})}, "inner that does not divide");
  bad.inner = 6;
  refused(bad, {f, f}, {test::view(DType::kFloat32, {5})}, "a reduced output of the wrong size");
  bad.inner = 0;
  refused(bad, {f, f}, {test::view(DType::kFloat32, {4})}, "inner 0 of a space that is not empty");
  bad = good;
  bad.dims[0] = -4;
  refused(bad, {f, f}, {f}, "a negative dimension");
  bad = chain_over({int64_t{1} << 31, int64_t{1} << 31, 4}, 2);
  bad.instructions = good.instructions;
  bad.outputs = {{2, ChainReduction::kSum}};
  refused(bad, {test::view(DType::kFloat32, {}), test::view(DType::kFloat32, {})}, {f},
          "an enormous space");
  bad = good;
  bad.instructions = {{MicroOp::where, {0, 1, 1}}};
  refused(bad, {f, f}, {f}, "a float condition");
  bad = chain_over({4, 6}, 3);
  bad.instructions = {{MicroOp::where, {0, 1, 2}}};
  bad.outputs = {{3, ChainReduction::kNone}};
  refused(bad, {i, f, i}, {f}, "where of two lane types");
  bad = chain_over({4, 6}, 1);
  for (int n = 0; n < 300; ++n) bad.instructions.push_back({MicroOp::negative_f32, {0, 0, 0}});
  for (int n = 0; n < 300; ++n) bad.instructions.push_back({MicroOp::add_f32, {n + 300, n + 1, 0}});
  bad.outputs = {{600, ChainReduction::kNone}};
  refused(bad, {f}, {f}, "more values than registers");
}
