// The elementary functions of every level against double-precision libm: errors in ulp over all
// floats (every 251st unless MYELIN_EXHAUSTIVE=1), special values, and bits that do not depend on
// an element's place.
#include <cstdlib>
#include <cstring>
#include <limits>

#include "../thread_pool.h"
#include "test.h"

namespace {

using namespace myelin;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallest = std::numeric_limits<float>::min();
const double kMaxDouble = static_cast<double>(std::numeric_limits<float>::max());

float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

// |got - want| in units of the last place of want as a float; want is far more precise than a
// float. Denormal results count as zero either way, and results on the edge of overflow as either
// side of it.
double ulp_error(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : kInf;
  if (std::isnan(got)) return kInf;
  const float nearest = static_cast<float>(want);
  if (got == nearest) return 0;
  const double magnitude = std::fabs(want);
  if (magnitude < static_cast<double>(kSmallest) * 1.000001 && std::fabs(got) <= kSmallest)
    return 0;
  if (std::isinf(got) || std::isinf(nearest)) {
    const bool edge =
        std::fabs(magnitude / kMaxDouble - 1) < 3e-7 && std::signbit(got) == std::signbit(want);
    return edge ? 1 : kInf;
  }
  int exponent;
  std::frexp(nearest, &exponent);
  return std::fabs(static_cast<double>(got) - want) /
         std::ldexp(1.0, std::max(exponent - 24, -149));
}

struct Function {
  const char* name;
  MicroKernel* KernelTable::* kernel;
  double (*exact)(double);
  double bound;
};

const Function kFunctions[] = {
    {"exp", &KernelTable::exp_f32, [](double x) { return std::exp(x); }, 1.0},
    {"expm1", &KernelTable::expm1_f32, [](double x) { return std::expm1(x); }, 1.1},
    {"log", &KernelTable::log_f32, [](double x) { return std::log(x); }, 0.9},
    {"log1p", &KernelTable::log1p_f32, [](double x) { return std::log1p(x); }, 1.0},
    {"sin", &KernelTable::sin_f32, [](double x) { return std::sin(x); }, 0.9},
    {"cos", &KernelTable::cos_f32, [](double x) { return std::cos(x); }, 0.9},
    {"tanh", &KernelTable::tanh_f32, [](double x) { return std::tanh(x); }, 1.5},
    {"sigmoid", &KernelTable::sigmoid_f32, [](double x) { return 1 / (1 + std::exp(-x)); }, 1.5},
    {"erf", &KernelTable::erf_f32, [](double x) { return std::erf(x); }, 1.4},
    {"rsqrt", &KernelTable::rsqrt_f32, [](double x) { return 1 / std::sqrt(x); }, 1.5},
};

bool exhaustive() {
  const char* wanted = std::getenv("MYELIN_EXHAUSTIVE");
  return wanted != nullptr && *wanted == '1';
}

}  // namespace

TEST(math_ulp) {
  const ScopedFlushDenormals flush;
  constexpr int64_t kBatch = 4096;
  const uint64_t stride = exhaustive() ? 1 : 251;
  std::vector<float> x(kBatch), y(kBatch);
  for (const Function& f : kFunctions) {
    std::vector<double> worst(test::levels().size(), 0.0);
    std::vector<float> where(worst.size(), 0.0f);
    std::vector<double> want(kBatch);
    for (uint64_t start = 0; start < uint64_t{1} << 32; start += kBatch * stride) {
      for (int64_t i = 0; i < kBatch; ++i) {
        const uint32_t bits = static_cast<uint32_t>(start + static_cast<uint64_t>(i) * stride);
        // Denormal operands are zeros here, as they are wherever kernels run.
        x[i] = (bits & 0x7f800000) == 0 ? float_of(bits & 0x80000000) : float_of(bits);
        want[i] = f.exact(static_cast<double>(x[i]));
      }
      size_t at = 0;
      for (const KernelTable* level : test::levels()) {
        (level->*f.kernel)(x.data(), nullptr, nullptr, y.data(), kBatch);
        for (int64_t i = 0; i < kBatch; ++i) {
          const double error = ulp_error(y[i], want[i]);
          if (error > worst[at]) {
            worst[at] = error;
            where[at] = x[i];
          }
        }
        ++at;
      }
    }
    std::printf("  %-8s", f.name);
    size_t at = 0;
    for (const KernelTable* level : test::levels()) {
      std::printf(" %s %.3f at %-15.9g", level->level, worst[at], static_cast<double>(where[at]));
      if (!(worst[at] <= f.bound)) {
        test::fail(__FILE__, __LINE__, "%s on %s: %.3f ulp at %.9g, allowed %.2f", f.name,
                   level->level, worst[at], static_cast<double>(where[at]), f.bound);
      }
      ++at;
    }
    std::printf("\n");
    std::fflush(stdout);  // an exhaustive run takes a while
  }
}

// Random pairs, of ordinary size and such that the result is somewhere between underflow and
// overflow.
TEST(math_power_ulp) {
  const ScopedFlushDenormals flush;
  const int64_t count = exhaustive() ? 100000000 : 1000000;
  constexpr int64_t kBatch = 4096;
  std::vector<float> x(kBatch), y(kBatch), z(kBatch);
  for (const KernelTable* level : test::levels()) {
    double worst = 0;
    float worst_x = 0, worst_y = 0;
    for (int64_t start = 0; start < count; start += kBatch) {
      for (int64_t i = 0; i < kBatch; ++i) {
        const uint64_t n = static_cast<uint64_t>(start + i);
        if (n % 4 == 0) {
          x[i] = std::fabs(5.0f * test::noise(1, n));
          y[i] = 20.0f * test::noise(2, n);
        } else {
          // Any exponent, or close to 1; y for a result of 2^-128 .. 2^128.
          const float spread = n % 4 == 1 ? 126.0f : n % 4 == 2 ? 1.0f : 0x1p-12f;
          x[i] = std::exp2(spread * test::noise(3, n));
          const double log2x = std::log2(static_cast<double>(x[i]));
          y[i] = log2x == 0
                     ? 3.0f
                     : static_cast<float>(128.0 * static_cast<double>(test::noise(4, n)) / log2x);
        }
      }
      level->power_f32(x.data(), y.data(), nullptr, z.data(), kBatch);
      for (int64_t i = 0; i < kBatch; ++i) {
        const double error =
            ulp_error(z[i], std::pow(static_cast<double>(x[i]), static_cast<double>(y[i])));
        if (error > worst) {
          worst = error;
          worst_x = x[i];
          worst_y = y[i];
        }
      }
    }
    std::printf("  power %s %.3f at (%.9g, %.9g)\n", level->level, worst,
                static_cast<double>(worst_x), static_cast<double>(worst_y));
    CHECK(worst <= 1.3);
  }
}

// GELU in units of the last place of x, or of 2^-126 where x is less.
TEST(math_gelu) {
  const ScopedFlushDenormals flush;
  const auto erf_share = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  const auto tanh_share = [](double x) {
    const double z = std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
    return 1 / (1 + std::exp(-2 * z));
  };
  const int64_t count = 200001;
  std::vector<float> x(count), y(count);
  for (int64_t i = 0; i < count; ++i)
    x[i] = static_cast<float>(i - count / 2) * (i % 2 == 0 ? 1e-4f : 1e-7f);
  const auto check = [&](const char* name, MicroKernel* kernel, const char* level, auto&& share) {
    kernel(x.data(), nullptr, nullptr, y.data(), count);
    double worst = 0;
    for (int64_t i = 0; i < count; ++i) {
      const double exact = static_cast<double>(x[i]) * share(static_cast<double>(x[i]));
      const float size = std::max(std::fabs(x[i]), kSmallest);
      const double ulp = static_cast<double>(std::nextafter(size, kInf) - size);
      worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - exact) / ulp);
    }
    std::printf("  %s %s %.3f\n", name, level, worst);
    CHECK(worst <= 1.4);
    const float values[] = {kInf, -kInf, 1e30f, -1e30f, 0.0f, kNan};
    float z[6];
    kernel(values, nullptr, nullptr, z, 6);
    CHECK(z[0] == kInf && z[1] == 0 && z[2] == 1e30f && z[3] == 0 && z[4] == 0 && std::isnan(z[5]));
  };
  for (const KernelTable* level : test::levels()) {
    check("gelu", level->gelu_f32, level->level, erf_share);
    check("geluTanh", level->geluTanh_f32, level->level, tanh_share);
  }
}

TEST(math_special_values) {
  // Without flushing, so that the signs of denormals and zeros are the functions' own.
  const float values[] = {0.0f,   -0.0f,  1.0f,     -1.0f,  kInf,        -kInf,        kNan,
                          0.5f,   -0.5f,  2.0f,     -2.0f,  3.0f,        -3.0f,        1e30f,
                          -1e30f, 100.0f, -100.0f,  1e-30f, -1e-30f,     90.0f,        -110.0f,
                          2.5f,   4e4f,   -4e4f,    1e10f,  16777215.0f, -16777215.0f, 16777216.0f,
                          3e38f,  -3e38f, kSmallest};
  const int count = sizeof values / sizeof *values;
  for (const KernelTable* level : test::levels()) {
    for (const Function& f : kFunctions) {
      std::vector<float> y(count);
      (level->*f.kernel)(values, nullptr, nullptr, y.data(), count);
      for (int i = 0; i < count; ++i) {
        const double want = f.exact(static_cast<double>(values[i]));
        const bool zero_sign =
            want != 0 || std::signbit(want) == std::signbit(y[i]) || std::fabs(values[i]) > 0;
        if (!(ulp_error(y[i], want) <= 2) || !zero_sign) {
          test::fail(__FILE__, __LINE__, "%s %s(%.9g): %.9g, not %.9g", level->level, f.name,
                     static_cast<double>(values[i]), static_cast<double>(y[i]), want);
        }
      }
    }
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < count; ++j) {
        float z;
        level->power_f32(values + i, values + j, nullptr, &z, 1);
        const double want =
            std::pow(static_cast<double>(values[i]), static_cast<double>(values[j]));
        const bool sign = std::isnan(want) || std::signbit(want) == std::signbit(z);
        if (!(ulp_error(z, want) <= 2) || !sign) {
          test::fail(__FILE__, __LINE__, "%s power(%.9g, %.9g): %.9g, not %.9g", level->level,
                     static_cast<double>(values[i]), static_cast<double>(values[j]),
                     static_cast<double>(z), want);
        }
      }
    }
  }
}

// Denormals in and out, where nothing flushes them.
TEST(math_denormals) {
  for (const KernelTable* level : test::levels()) {
    for (const float x : {0x1p-149f, 0x1.8p-130f, -0x1p-127f, -0x1p-149f}) {
      for (const Function& f : kFunctions) {
        float y;
        (level->*f.kernel)(&x, nullptr, nullptr, &y, 1);
        if (!(ulp_error(y, f.exact(static_cast<double>(x))) <= 2))
          test::fail(__FILE__, __LINE__, "%s %s(%.9g): %.9g", level->level, f.name,
                     static_cast<double>(x), static_cast<double>(y));
      }
    }
    for (const float x : {-88.0f, -95.0f, -103.0f}) {
      float y;
      level->exp_f32(&x, nullptr, nullptr, &y, 1);
      CHECK_NEAR(y, std::exp(static_cast<double>(x)), 0x1p-149);
    }
  }
}

TEST(math_position) {
  std::vector<float> x(67), alone(67), together(67), shifted(67);
  for (const KernelTable* level : test::levels()) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = i % 7 == 3 ? 1e6f * test::noise(9, i) : 8.0f * test::noise(9, i);
    for (const Function& f : kFunctions) {
      const auto kernel = level->*f.kernel;
      kernel(x.data(), nullptr, nullptr, together.data(), 67);
      kernel(x.data() + 1, nullptr, nullptr, shifted.data(), 66);
      for (size_t i = 0; i < x.size(); ++i) kernel(&x[i], nullptr, nullptr, &alone[i], 1);
      for (size_t i = 0; i < x.size(); ++i) {
        CHECK(bits_of(together[i]) == bits_of(alone[i]) || std::isnan(alone[i]));
        CHECK(i == 0 || bits_of(together[i]) == bits_of(shifted[i - 1]) || std::isnan(alone[i]));
      }
    }
  }
}
