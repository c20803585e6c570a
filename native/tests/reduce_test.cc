// Reductions and scans against naive sums in float64.
#include <algorithm>
#include <limits>

#include "step_runner.h"

namespace {

using namespace myelin;
using namespace myelin::test;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kEps = 0x1p-24;

struct Kind {
  const char* name;
  PlanFunction plan;
  double start;
  double (*apply)(double, double);
};
double nan_or(double a, double b, double otherwise) {
  return std::isnan(a) ? a : std::isnan(b) ? b : otherwise;
}
const Kind kKinds[] = {
    {"sum", plan_sum, 0, [](double a, double b) { return a + b; }},
    {"prod", plan_prod, 1, [](double a, double b) { return a * b; }},
    {"max", plan_max, -HUGE_VAL, [](double a, double b) { return nan_or(a, b, std::fmax(a, b)); }},
    {"min", plan_min, HUGE_VAL, [](double a, double b) { return nan_or(a, b, std::fmin(a, b)); }},
};

// [outer, n, inner] in its awkward forms: around lanes, around the blocks of the kernels, around
// the cuts of the plans.
const Dims kShapes[] = {
    {1, 1, 1},      {1, 0, 1},     {3, 0, 5},      {0, 4, 3},     {2, 3, 0},      {4, 8, 1},
    {5, 7, 1},      {3, 15, 1},    {2, 16, 1},     {3, 17, 1},    {2, 127, 1},    {2, 128, 1},
    {1, 129, 1},    {3, 2047, 1},  {1, 2049, 1},   {1, 65536, 1}, {1, 65537, 1},  {2, 70001, 1},
    {1, 200000, 1}, {300, 301, 1}, {1, 1, 7},      {1, 2, 3},     {1, 9, 16},     {2, 8, 17},
    {1, 128, 512},  {1, 513, 10},  {2, 700, 3},    {1, 4000, 33}, {1, 5000, 256}, {1, 3, 9000},
    {1, 600, 4097}, {7, 50, 5},    {1, 100003, 2}, {40, 33, 65},  {1, 12, 31}};

void check_reduction(const Kind& kind, const Dims& dims) {
  const int64_t outer = dims[0], n = dims[1], inner = dims[2];
  // Products stay near one, or nothing could be said about their error.
  Operand x = noise_floats(dims, 11);
  if (kind.plan == plan_prod) {
    for (int64_t i = 0; i < x.type.size; ++i)
      x.data<float>()[i] = 1.0f + x.data<float>()[i] / static_cast<float>(8 * (n + 1));
  }
  std::vector<double> want(static_cast<size_t>(outer * inner), kind.start);
  for (int64_t i = 0; i < x.type.size; ++i) {
    double& w = want[static_cast<size_t>(i / (n * inner) * inner + i % inner)];
    w = kind.apply(w, x.data<float>()[i]);
  }
  const bool rounds = kind.plan == plan_sum || kind.plan == plan_prod;
  const double bound = rounds ? 2 * kEps * static_cast<double>(n + 1) * 1.2 : 0;
  each_level({kind.plan, {1, 2}}, {x}, {view(DType::kFloat32, {outer, inner})},
             [&](const StepResult& result, const KernelTable& kernels) {
               const auto got = result.outputs[0].values<float>();
               for (size_t i = 0; i < got.size(); ++i) {
                 if (!(got[i] == want[i] || std::fabs(got[i] - want[i]) <= bound))
                   fail(__FILE__, __LINE__, "%s %s %s at %zu: %.9g, not %.9g", kernels.level,
                        kind.name, text(dims).c_str(), i, got[i], want[i]);
               }
             });
}

void check_integers(const Kind& kind, const Dims& dims) {
  const int64_t outer = dims[0], n = dims[1], inner = dims[2];
  const Operand x = noise_ints(dims, 12, 2000000000);
  const uint32_t start = kind.plan == plan_sum    ? 0u
                         : kind.plan == plan_prod ? 1u
                         : kind.plan == plan_max  ? static_cast<uint32_t>(INT32_MIN)
                                                  : static_cast<uint32_t>(INT32_MAX);
  std::vector<uint32_t> want(static_cast<size_t>(outer * inner), start);
  for (int64_t i = 0; i < x.type.size; ++i) {
    uint32_t& w = want[static_cast<size_t>(i / (n * inner) * inner + i % inner)];
    const int32_t a = static_cast<int32_t>(w), b = x.data<int32_t>()[i];
    if (kind.plan == plan_sum) w += static_cast<uint32_t>(b);
    if (kind.plan == plan_prod) w *= static_cast<uint32_t>(b);
    if (kind.plan == plan_max) w = static_cast<uint32_t>(std::max(a, b));
    if (kind.plan == plan_min) w = static_cast<uint32_t>(std::min(a, b));
  }
  const Operand expected = operand(DType::kInt32, {outer, inner}, want);
  each_level({kind.plan, {1, 2}}, {x}, {expected.type},
             [&](const StepResult& result, const KernelTable& kernels) {
               expect_same(result.outputs[0], expected,
                           std::string(kernels.level) + " int32 " + kind.name + text(dims));
             });
}

}  // namespace

TEST(reduce_shapes) {
  for (const Kind& kind : kKinds) {
    for (const Dims& dims : kShapes) {
      check_reduction(kind, dims);
      check_integers(kind, dims);
    }
  }
}

TEST(reduce_axes) {
  // Whole tensors, no axes at all, and a range in the middle of four.
  const Operand x = noise_floats({3, 4, 5, 6}, 5);
  each_level({plan_max, {0, 4}}, {x}, {view(DType::kFloat32, {})},
             [&](const StepResult& result, const KernelTable&) {
               const auto all = x.values<float>();
               CHECK_EQ(result.outputs[0].values<float>()[0],
                        *std::max_element(all.begin(), all.end()));
             });
  each_level({plan_sum, {2, 2}}, {x}, {x.type}, [&](const StepResult& result, const KernelTable&) {
    expect_same(result.outputs[0], x, "sum over no axes");
  });
  each_level({plan_min, {1, 3}}, {x}, {view(DType::kFloat32, {3, 6})},
             [&](const StepResult& result, const KernelTable&) {
               const auto all = x.values<float>(), got = result.outputs[0].values<float>();
               for (size_t i = 0; i < 18; ++i) {
                 float want = kInf;
                 for (size_t k = 0; k < 20; ++k)
                   want = std::min(want, all[i / 6 * 120 + k * 6 + i % 6]);
                 CHECK_EQ(got[i], want);
               }
             });
}

TEST(reduce_special_values) {
  // NaN anywhere in the reduced elements comes through max and min; elsewhere it does no harm.
  for (const Dims& dims : {Dims{3, 70, 1}, Dims{1, 5, 1}, Dims{2, 40, 20}, Dims{1, 4000, 3}}) {
    const int64_t n = dims[1], inner = dims[2];
    for (const int64_t place : {int64_t{0}, n / 2, n - 1}) {
      Operand x = noise_floats(dims, 3);
      const int64_t at = place * inner + inner - 1;  // first of outer, last of inner
      x.data<float>()[at] = NAN;
      for (const PlanFunction plan : {plan_max, plan_min, plan_sum}) {
        each_level({plan, {1, 2}}, {x}, {view(DType::kFloat32, {dims[0], inner})},
                   [&](const StepResult& result, const KernelTable&) {
                     const auto got = result.outputs[0].values<float>();
                     for (size_t i = 0; i < got.size(); ++i)
                       CHECK_EQ(std::isnan(got[i]), static_cast<int64_t>(i) == inner - 1);
                   });
      }
    }
  }
  each_level({plan_max, {0, 1}}, {floats({3}, {-kInf, -kInf, -kInf})}, {view(DType::kFloat32, {})},
             [](const StepResult& result, const KernelTable&) {
               CHECK_EQ(result.outputs[0].values<float>()[0], -kInf);
             });
  each_level({plan_sum, {0, 1}}, {floats({3}, {kInf, 1, -kInf})}, {view(DType::kFloat32, {})},
             [](const StepResult& result, const KernelTable&) {
               CHECK(std::isnan(result.outputs[0].values<float>()[0]));
             });
}

TEST(reduce_long_sum_is_accurate) {
  // A million times 0.1: one accumulator would be off by a hundred.
  const Operand x = floats({1000000}, std::vector<float>(1000000, 0.1f));
  each_level({plan_sum, {0, 1}}, {x}, {view(DType::kFloat32, {})},
             [](const StepResult& result, const KernelTable&) {
               CHECK_NEAR(result.outputs[0].values<float>()[0], 1e6 * double{0.1f}, 0.1);
             });
  const Operand columns = floats({500000, 2}, std::vector<float>(1000000, 0.1f));
  each_level({plan_sum, {0, 1}}, {columns}, {view(DType::kFloat32, {2})},
             [](const StepResult& result, const KernelTable&) {
               for (const float v : result.outputs[0].values<float>())
                 CHECK_NEAR(v, 5e5 * double{0.1f}, 0.05);
             });
}

namespace {

template <class T>
void check_arg(bool is_max, const Dims& dims, const Operand& x) {
  const int64_t n = dims[1], inner = dims[2];
  std::vector<int32_t> want(static_cast<size_t>(dims[0] * inner));
  for (size_t i = 0; i < want.size(); ++i) {
    const T* p =
        x.data<T>() + static_cast<int64_t>(i) / inner * n * inner + static_cast<int64_t>(i) % inner;
    int64_t best = 0;
    for (int64_t k = 1; k < n; ++k) {
      const T a = p[k * inner], b = p[best * inner];
      if (b == b && (a != a || (is_max ? a > b : a < b))) best = k;
    }
    want[i] = static_cast<int32_t>(best);
  }
  const Operand expected = ints({dims[0], inner}, want);
  each_level({is_max ? plan_argmax : plan_argmin, {1}}, {x}, {expected.type},
             [&](const StepResult& result, const KernelTable& kernels) {
               expect_same(result.outputs[0], expected,
                           std::string(kernels.level) + " arg " + text(dims));
             });
}

}  // namespace

TEST(reduce_arg) {
  for (const Dims& dims : kShapes) {
    if (dims[1] == 0) continue;
    for (const bool is_max : {true, false}) {
      check_arg<float>(is_max, dims, noise_floats(dims, 21));
      check_arg<int32_t>(is_max, dims, noise_ints(dims, 22, 3));  // many ties
      Operand x = noise_floats(dims, 23);
      for (int64_t i = 0; i < x.type.size; i += 1 + dims[1] / 2 * dims[2]) x.data<float>()[i] = NAN;
      check_arg<float>(is_max, dims, x);
      check_arg<float>(is_max, dims,
                       floats(dims, std::vector<float>(static_cast<size_t>(size_of(dims)),
                                                       is_max ? -kInf : kInf)));
    }
  }
}

TEST(reduce_cumsum) {
  for (const Dims& dims : kShapes) {
    const int64_t n = dims[1], inner = dims[2];
    const Operand x = noise_floats(dims, 31), whole = noise_ints(dims, 32, 2000000000);
    for (int flags = 0; flags < 4; ++flags) {
      const bool exclusive = flags & 1, reverse = flags & 2;
      std::vector<double> want(static_cast<size_t>(x.type.size));
      std::vector<uint32_t> want_whole(want.size());
      for (int64_t s = 0; s < dims[0] * inner; ++s) {
        double sum = 0;
        uint32_t total = 0;
        for (int64_t k = 0; k < n; ++k) {
          const int64_t i = s / inner * n * inner + s % inner + (reverse ? n - 1 - k : k) * inner;
          const double next = sum + double{x.data<float>()[i]};
          const uint32_t next_total = total + static_cast<uint32_t>(whole.data<int32_t>()[i]);
          want[static_cast<size_t>(i)] = exclusive ? sum : next;
          want_whole[static_cast<size_t>(i)] = exclusive ? total : next_total;
          sum = next;
          total = next_total;
        }
      }
      const Step step{plan_cumsum, {1, exclusive, reverse}};
      each_level(step, {x}, {x.type}, [&](const StepResult& result, const KernelTable&) {
        const auto got = result.outputs[0].values<float>();
        for (size_t i = 0; i < got.size(); ++i)
          CHECK_NEAR(got[i], want[i], 2 * kEps * std::fabs(want[i]));
      });
      each_level(step, {whole}, {whole.type}, [&](const StepResult& result, const KernelTable&) {
        expect_same(result.outputs[0], operand(DType::kInt32, dims, want_whole), "int32 cumsum");
      });
    }
  }
}

TEST(reduce_refuses) {
  const TensorView x = view(DType::kFloat32, {4, 5}), row = view(DType::kFloat32, {4});
  const TensorView bytes = view(DType::kUint8, {4, 5}), index = view(DType::kInt32, {4});
  TensorView lying = x;
  lying.size = 21;
  TensorView huge = view(DType::kFloat32, {4, 5});
  huge.dims[0] = int64_t{1} << 62;
  expect_refused({plan_sum, {1, 2}}, {}, {row}, "no input");
  expect_refused({plan_sum, {1, 2}}, {x}, {row, row}, "two outputs");
  expect_refused({plan_sum, {1}}, {x}, {row}, "one attribute");
  expect_refused({plan_sum, {1, 3}}, {x}, {row}, "end past the rank");
  expect_refused({plan_sum, {2, 1}}, {x}, {row}, "begin after end");
  expect_refused({plan_sum, {-1, 1}}, {x}, {row}, "negative begin");
  expect_refused({plan_sum, {0, 1}}, {x}, {row}, "output of another axis");
  expect_refused({plan_sum, {1, 2}}, {x}, {x}, "output rank");
  expect_refused({plan_max, {1, 2}}, {x}, {index}, "output dtype");
  expect_refused({plan_max, {1, 2}}, {bytes}, {view(DType::kUint8, {4})}, "uint8");
  expect_refused({plan_min, {1, 2}}, {lying}, {row}, "a size that is not the dimensions'");
  expect_refused({plan_prod, {1, 2}}, {huge}, {row}, "dimension out of range");
  expect_refused({plan_argmax, {2}}, {x}, {index}, "axis past the rank");
  expect_refused({plan_argmax, {1}}, {x}, {row}, "float32 places");
  expect_refused({plan_argmin, {1}}, {view(DType::kFloat32, {4, 0})}, {index}, "empty axis");
  expect_refused({plan_argmin, {1}}, {bytes}, {index}, "uint8 argmin");
  expect_refused({plan_cumsum, {2, 0, 0}}, {x}, {x}, "cumsum axis");
  expect_refused({plan_cumsum, {1, 0, 0}}, {x}, {view(DType::kFloat32, {5, 4})}, "cumsum shape");
  expect_refused({plan_cumsum, {1, 0, 0}}, {bytes}, {bytes}, "cumsum of uint8");
  expect_refused({plan_cumsum, {0, 0, 0}}, {view(DType::kFloat32, {})}, {view(DType::kFloat32, {})},
                 "cumsum of a scalar");
}
