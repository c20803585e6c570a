// The vector type of every level against plain scalar code, special values included.
#include <climits>
#include <cstring>
#include <limits>

#include "test.h"

namespace {
struct Level {
  const char* name;
  int lanes;
  bool fma;
  void (*unary)(const float*, float*);
  void (*binary)(const float*, const float*, float*);
  void (*integer)(const int32_t*, const int32_t*, int32_t*);
  void (*reduce)(const float*, const int32_t*, float*, int32_t*);
  void (*partial)(const float*, const int32_t*, float*, int32_t*, int);
  uint32_t (*first_bits)(int);
  void (*bytes)(const uint8_t*, int32_t*, uint8_t*);
  void (*copy_bytes)(const uint8_t*, uint8_t*, int);
};
}  // namespace

#include "../kernels/simd/portable.h"
#include "simd_checks.inl.h"
#include "../kernels/simd/close.h"
#if defined(__x86_64__) || defined(_M_X64)
#include "../kernels/simd/avx2.h"
#include "simd_checks.inl.h"
#include "../kernels/simd/close.h"
#include "../kernels/simd/avx512.h"
#include "simd_checks.inl.h"
#include "../kernels/simd/close.h"
#elif defined(__aarch64__)
#include "../kernels/simd/neon.h"
#include "simd_checks.inl.h"
#include "../kernels/simd/close.h"
#endif

namespace {

using namespace myelin;

std::vector<Level> all() {
  const Level every[] = {
      portable::kLevel,
#if defined(__x86_64__) || defined(_M_X64)
      avx2::kLevel,
      avx512::kLevel,
#elif defined(__aarch64__)
      neon::kLevel,
#endif
  };
  std::vector<Level> result;
  for (const KernelTable* table : test::levels()) {
    for (const Level& level : every) {
      if (std::strcmp(level.name, table->level) == 0) result.push_back(level);
    }
  }
  return result;
}

bool same(float a, float b) {
  return std::memcmp(&a, &b, 4) == 0 || (std::isnan(a) && std::isnan(b));
}

void expect(const Level& level, const char* what, float got, float want, float x, float y) {
  if (!same(got, want))
    test::fail(__FILE__, __LINE__, "%s %s(%.9g, %.9g): %.9g, not %.9g", level.name, what, x, y, got,
               want);
}

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kSpecial[] = {0.0f,        -0.0f,      1.0f,       -1.0f,       0.5f,       -0.5f,
                          1.5f,        -1.5f,      2.5f,       -2.5f,       0.3f,       -0.7f,
                          0.49999997f, 8388607.5f, 8388608.0f, -8388609.0f, 4194303.5f, -4194304.5f,
                          1e9f,        -1e9f,      kInf,       -kInf,       NAN,        1e-30f,
                          3e38f,       -1e-40f,    1e20f,      7.0f};
constexpr int kCount = sizeof kSpecial / sizeof *kSpecial;

}  // namespace

TEST(simd_unary) {
  const char* names[] = {"neg",  "abs",   "sqrt",         "round_even",  "floor",
                         "ceil", "trunc", "to_int_trunc", "to_int_round"};
  for (const Level& level : all()) {
    for (int i = 0; i < 1000; ++i) {
      float x[16], out[16 * 9];
      for (int lane = 0; lane < 16; ++lane) {
        const int j = i + lane;
        x[lane] = j < kCount ? kSpecial[j] : 100.0f * test::noise(7, static_cast<uint64_t>(j));
      }
      level.unary(x, out);
      for (int lane = 0; lane < level.lanes; ++lane) {
        const float v = x[lane];
        const bool in_range = std::fabs(v) < 2e9f;
        const float want[] = {-v,
                              std::fabs(v),
                              std::sqrt(v),
                              std::nearbyint(v),
                              std::floor(v),
                              std::ceil(v),
                              std::trunc(v),
                              in_range ? std::trunc(v) + 0.0f : 0.0f,
                              in_range ? std::nearbyint(v) + 0.0f : 0.0f};
        for (int f = 0; f < (in_range ? 9 : 7); ++f) {
          expect(level, names[f], out[f * level.lanes + lane], want[f], v, v);
        }
      }
    }
  }
}

TEST(simd_binary) {
  const char* names[] = {"add",      "sub",     "mul", "div", "min", "max",       "lt",
                         "le",       "gt",      "ge",  "eq",  "ne",  "unordered", "not lt",
                         "lt or gt", "and_not", "fma", "fms", "fnma"};
  for (const Level& level : all()) {
    for (int i = 0; i < kCount; ++i) {
      for (int j = 0; j < kCount; ++j) {
        float x[16], y[16], out[16 * 19];
        for (int lane = 0; lane < 16; ++lane) {
          x[lane] = kSpecial[(i + lane) % kCount];
          y[lane] = kSpecial[(j + 3 * lane) % kCount];
        }
        level.binary(x, y, out);
        for (int lane = 0; lane < level.lanes; ++lane) {
          const float a = x[lane], b = y[lane];
          volatile float product = a * b;  // keeps the two roundings apart
          const float want[] = {a + b,
                                a - b,
                                a * b,
                                a / b,
                                a < b ? a : b,
                                a > b ? a : b,
                                float(a < b),
                                float(a <= b),
                                float(a > b),
                                float(a >= b),
                                float(a == b),
                                float(a != b),
                                float(std::isnan(a) || std::isnan(b)),
                                float(!(a < b)),
                                float(a < b || a > b),
                                std::fabs(a),
                                level.fma ? std::fma(a, b, 1.0f) : product + 1.0f,
                                level.fma ? std::fma(a, b, -1.0f) : product - 1.0f,
                                level.fma ? std::fma(-a, b, 1.0f) : 1.0f - product};
          for (int f = 0; f < 19; ++f) {
            expect(level, names[f], out[f * level.lanes + lane], want[f], a, b);
          }
        }
      }
    }
  }
}

TEST(simd_integer) {
  const int32_t values[] = {0, 1, -1, 2, INT_MAX, INT_MIN, 0x12345678, -77, 65536, 999, 31, -32};
  for (const Level& level : all()) {
    for (int i = 0; i < 12; ++i) {
      for (int j = 0; j < 12; ++j) {
        int32_t x[16], y[16], out[16 * 21];
        for (int lane = 0; lane < 16; ++lane) {
          x[lane] = values[(i + lane) % 12];
          y[lane] = values[(j + 5 * lane) % 12];
        }
        level.integer(x, y, out);
        for (int lane = 0; lane < level.lanes; ++lane) {
          const int32_t a = x[lane], b = y[lane];
          const uint32_t u = static_cast<uint32_t>(a), v = static_cast<uint32_t>(b);
          const int even = lane & ~1, four = lane & ~3, place = lane & 3;
          const uint64_t product =
              uint64_t{static_cast<uint32_t>(x[even])} * static_cast<uint32_t>(y[even]);
          const int32_t want[] = {int32_t(u + v),
                                  int32_t(u - v),
                                  int32_t(u * v),
                                  int32_t(lane == even ? product : product >> 32),
                                  lane == even ? x[lane + 1] : 0,
                                  lane == even ? a : y[even],
                                  place < 2 ? x[four + place] : y[four + place - 2],
                                  place < 2 ? x[four + place + 2] : y[four + place],
                                  a & b,
                                  a | b,
                                  a ^ b,
                                  ~a & b,
                                  int32_t(u << 5),
                                  int32_t(u >> 5),
                                  a >> 5,
                                  a == b,
                                  a > b,
                                  a < b,
                                  -(a < b),
                                  a,
                                  lane};
          for (int f = 0; f < 21; ++f) {
            if (out[f * level.lanes + lane] != want[f])
              test::fail(__FILE__, __LINE__, "%s int %d (%d, %d): %d, not %d", level.name, f, a, b,
                         out[f * level.lanes + lane], want[f]);
          }
        }
      }
    }
  }
}

TEST(simd_reduce_and_partial) {
  for (const Level& level : all()) {
    const int lanes = level.lanes;
    float x[17], folded[16], low = kInf, high = -kInf;
    int32_t y[17], sum = 0;
    for (int i = 0; i < 17; ++i) {
      x[i] = test::noise(3, static_cast<uint64_t>(i));
      y[i] = i * i - 40;
      if (i >= lanes) continue;
      folded[i] = x[i];
      low = std::fmin(low, x[i]);
      high = std::fmax(high, x[i]);
      sum += y[i];
    }
    for (int half = lanes / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) folded[i] += folded[i + half];
    }
    float got[3];
    int32_t got_sum;
    level.reduce(x, y, got, &got_sum);
    CHECK_EQ(got[0], folded[0]);
    CHECK_EQ(got[1], low);
    CHECK_EQ(got[2], high);
    CHECK_EQ(got_sum, sum);
    for (int n = 0; n <= lanes; ++n) {
      float out[17];
      int32_t out_i[17];
      for (int i = 0; i < 17; ++i) out[i] = 99.0f, out_i[i] = 99;
      level.partial(x, y, out, out_i, n);
      for (int i = 0; i < 17; ++i) {
        CHECK_EQ(out[i], i < n ? x[i] : 99.0f);
        CHECK_EQ(out_i[i], i < n ? y[i] : 99);
      }
      CHECK_EQ(level.first_bits(n), (uint64_t{1} << n) - 1);
    }
  }
}

TEST(simd_bytes) {
  for (const Level& level : all()) {
    uint8_t x[17], out[17] = {};
    int32_t wide[16];
    for (int i = 0; i < 17; ++i) x[i] = static_cast<uint8_t>(i * 37 + 200);
    level.bytes(x, wide, out);
    for (int i = 0; i < level.lanes; ++i) {
      CHECK_EQ(wide[i], x[i]);
      CHECK_EQ(out[i], x[i]);
    }
    CHECK_EQ(out[level.lanes], 0);
    for (int n = 0; n <= level.lanes; ++n) {
      uint8_t some[17] = {};
      level.copy_bytes(x, some, n);
      for (int i = 0; i < 17; ++i) CHECK_EQ(some[i], i < n ? x[i] : 0);
    }
  }
}
