// The matrix product against a naive loop in double, over awkward sizes, transposes, strides,
// batches, levels and thread counts; equal bits for any number of threads; epilogues that cover C
// once.
#include "../gemm.h"

#include <atomic>
#include <cstring>

#include "test.h"

using namespace myelin;

namespace {

struct Operands {
  std::vector<float> a, b, c;
};

// Row strides `slack` longer than needed; batches `slack` apart.
Gemm shape(int64_t m, int64_t n, int64_t k, int transposes, int64_t slack = 0, int64_t batch = 1) {
  Gemm g;
  g.m = m;
  g.n = n;
  g.k = k;
  g.batch = batch;
  g.trans_a = (transposes & 1) != 0;
  g.trans_b = (transposes & 2) != 0;
  g.lda = (g.trans_a ? m : k) + slack;
  g.ldb = (g.trans_b ? k : n) + slack;
  g.ldc = n + slack;
  g.stride_a = (g.trans_a ? k : m) * g.lda + slack;
  g.stride_b = (g.trans_b ? n : k) * g.ldb + slack;
  g.stride_c = m * g.ldc + slack;
  return g;
}

// Exactly as long as the product may touch, so that sanitizers see one element too many.
Operands make(const Gemm& g) {
  const auto extent = [&](int64_t rows, int64_t cols, int64_t ld, int64_t stride) {
    if (rows == 0 || cols == 0) return size_t{0};
    return static_cast<size_t>((g.batch - 1) * stride + (rows - 1) * ld + cols);
  };
  Operands o;
  o.a.resize(g.trans_a ? extent(g.k, g.m, g.lda, g.stride_a) : extent(g.m, g.k, g.lda, g.stride_a));
  o.b.resize(g.trans_b ? extent(g.n, g.k, g.ldb, g.stride_b) : extent(g.k, g.n, g.ldb, g.stride_b));
  o.c.resize(extent(g.m, g.n, g.ldc, g.stride_c));
  test::fill_noise(o.a, 1);
  test::fill_noise(o.b, 2);
  test::fill_noise(o.c, 3);
  return o;
}

void multiply(const KernelTable& kernels, ThreadPool& pool, const Gemm& g, Operands& o,
              const GemmEpilogue* epilogue = nullptr) {
  std::vector<float> scratch(gemm_workspace_bytes(kernels, g, pool.threads()) / sizeof(float));
  gemm(kernels, pool, g, o.a.data(), o.b.data(), o.c.data(), scratch.data(), epilogue);
}

// Checks every element of C, and that the gaps between rows and batches were left alone.
void check(const KernelTable& kernels, ThreadPool& pool, const Gemm& g) {
  Operands o = make(g);
  const std::vector<float> before = o.c;
  multiply(kernels, pool, g, o);
  std::vector<char> inside(before.size());
  const double eps = 1.2e-7, tolerance = 2 * eps * static_cast<double>(g.k + 1);
  int wrong = 0;
  for (int64_t s = 0; s < g.batch; ++s) {
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; ++j) {
        const size_t at = static_cast<size_t>(s * g.stride_c + i * g.ldc + j);
        double sum = g.accumulate ? static_cast<double>(before[at]) : 0.0;
        for (int64_t p = 0; p < g.k; ++p) {
          const int64_t x = s * g.stride_a + (g.trans_a ? p * g.lda + i : i * g.lda + p);
          const int64_t y = s * g.stride_b + (g.trans_b ? j * g.ldb + p : p * g.ldb + j);
          sum += static_cast<double>(o.a[static_cast<size_t>(x)]) *
                 static_cast<double>(o.b[static_cast<size_t>(y)]);
        }
        inside[at] = 1;
        if (!(std::fabs(sum - static_cast<double>(o.c[at])) <= tolerance)) ++wrong;
      }
    }
  }
  for (size_t i = 0; i < before.size(); ++i) wrong += !inside[i] && o.c[i] != before[i];
  if (wrong > 0)
    test::fail(__FILE__, __LINE__, "%s %dt m %d n %d k %d batch %d %c%c%s: %d wrong", kernels.level,
               pool.threads(), int(g.m), int(g.n), int(g.k), int(g.batch), g.trans_a ? 't' : 'n',
               g.trans_b ? 't' : 'n', g.accumulate ? " accumulate" : "", wrong);
}

}  // namespace

TEST(gemm_small_sizes) {
  ThreadPool pool(1);
  const int64_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 10, 13, 15, 16, 17, 29, 33};
  for (const KernelTable* kernels : test::levels()) {
    for (const int64_t m : sizes) {
      for (const int64_t n : sizes) {
        for (const int64_t k : {0, 1, 2, 3, 8, 17, 40}) {
          for (int transposes = 0; transposes < 4; ++transposes) {
            Gemm g = shape(m, n, k, transposes, (m + n) % 3);
            g.accumulate = (m + k) % 2 != 0;
            check(*kernels, pool, g);
          }
        }
      }
    }
  }
}

TEST(gemm_every_tile_width) {
  ThreadPool pool(1);
  for (const KernelTable* kernels : test::levels()) {
    for (int64_t m = 1; m <= kernels->gemm_shape.mr + 2; ++m) {
      for (int64_t n = 1; n <= 150; n += 1 + n / 9) {
        for (int transposes = 0; transposes < 4; ++transposes) {
          check(*kernels, pool, shape(m, n, 11, transposes, 1));
        }
      }
    }
  }
}

TEST(gemm_blocks_and_strips) {
  ThreadPool pool(2);
  const int64_t sizes[][3] = {{1030, 20, 40}, {150, 70, 321}, {33, 600, 330}, {300, 33, 700},
                              {1, 300, 1000}, {2, 700, 129},  {65, 513, 641}, {31, 45, 2000},
                              {40, 1024, 37}, {500, 9, 100},  {281, 130, 50}, {257, 100, 330},
                              {57, 40, 9000}};
  for (const KernelTable* kernels : test::levels()) {
    for (const auto& s : sizes) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        Gemm g = shape(s[0], s[1], s[2], transposes, transposes);
        g.accumulate = s[0] % 2 == 0;
        check(*kernels, pool, g);
      }
    }
  }
}

TEST(gemm_columns_and_outer_products) {
  ThreadPool pool(3);
  for (const KernelTable* kernels : test::levels()) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      for (const int64_t m : {1, 2, 40, 3000}) {
        for (const int64_t k : {0, 1, 7, 300}) {
          Gemm g = shape(m, 1, k, transposes, 0, 2);
          g.accumulate = k == 7;
          check(*kernels, pool, g);
          g.lda += 3;  // B and C stay dense
          g.stride_a = 0;
          check(*kernels, pool, g);
        }
      }
      check(*kernels, pool, shape(30, 500, 1, transposes));
      check(*kernels, pool, shape(3, 5, 1, transposes));
    }
  }
}

// Rows 4 KiB apart take their own way: B is packed for few rows, A transposed is copied.
TEST(gemm_rows_on_the_same_cache_sets) {
  ThreadPool pool(2);
  for (const KernelTable* kernels : test::levels()) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      Gemm g = shape(300, 200, 330, transposes);
      g.lda = g.ldb = g.ldc = 1024;
      check(*kernels, pool, g);
      g = shape(20, 300, 40, transposes, 0, 3);
      g.lda = g.ldb = 1024;
      g.stride_a = g.stride_b = 1024 * 300 + 1;
      check(*kernels, pool, g);
    }
  }
}

TEST(gemm_batches) {
  ThreadPool pool(3);
  for (const KernelTable* kernels : test::levels()) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      check(*kernels, pool, shape(3, 5, 4, transposes, 2, 100));
      check(*kernels, pool, shape(40, 30, 50, transposes, 1, 9));
      Gemm shared_b = shape(20, 33, 40, transposes, 0, 7);
      shared_b.stride_b = 0;
      check(*kernels, pool, shared_b);
      Gemm shared_a = shape(33, 20, 40, transposes, 0, 7);
      shared_a.stride_a = 0;
      check(*kernels, pool, shared_a);
    }
    check(*kernels, pool, shape(210, 210, 210, 2, 0, 2));
    check(*kernels, pool, shape(3, 3, 0, 0, 0, 4));
    check(*kernels, pool, shape(3, 3, 3, 0, 0, 0));
  }
}

TEST(gemm_same_bits_for_any_threads) {
  ThreadPool one(1), two(2), three(3), many(7);
  const int64_t sizes[][4] = {{130, 140, 330, 1}, {17, 600, 90, 1}, {1, 1000, 300, 1},
                              {700, 40, 64, 1},   {20, 20, 20, 50}, {128, 128, 128, 2}};
  for (const KernelTable* kernels : test::levels()) {
    for (const auto& s : sizes) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        const Gemm g = shape(s[0], s[1], s[2], transposes, 0, s[3]);
        Operands expected = make(g);
        multiply(*kernels, one, g, expected);
        for (ThreadPool* pool : {&two, &three, &many}) {
          Operands o = make(g);
          multiply(*kernels, *pool, g, o);
          CHECK(std::memcmp(o.c.data(), expected.c.data(), o.c.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

TEST(gemm_epilogue_covers_c_once) {
  struct Seen {
    const Gemm& g;
    const float* c;
    std::vector<std::atomic<int>> times;
    std::vector<float> values;
  };
  ThreadPool one(1), pool(3);
  const int64_t sizes[][4] = {{2, 3, 4, 1},      {1, 500, 300, 1}, {130, 140, 330, 1},
                              {9, 7, 5, 30},     {60, 600, 0, 1},  {600, 20, 7, 1},
                              {30, 40, 1500, 2}, {3000, 1, 200, 2}};
  for (const KernelTable* kernels : test::levels()) {
    for (const auto& s : sizes) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        const Gemm g = shape(s[0], s[1], s[2], transposes, 0, s[3]);
        Operands expected = make(g), o = make(g);
        multiply(*kernels, one, g, expected);
        const size_t count = o.c.size();
        Seen seen{g, o.c.data(), std::vector<std::atomic<int>>(count), std::vector<float>(count)};
        const GemmEpilogue epilogue = {
            [](void* ctx, int64_t batch, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
              Seen& to = *static_cast<Seen*>(ctx);
              for (int64_t i = row0; i < row0 + rows; ++i) {
                for (int64_t j = col0; j < col0 + cols; ++j) {
                  const size_t at = static_cast<size_t>(batch * to.g.stride_c + i * to.g.ldc + j);
                  to.times[at].fetch_add(1);
                  to.values[at] = to.c[at];
                }
              }
            },
            &seen};
        multiply(*kernels, pool, g, o, &epilogue);
        for (auto& times : seen.times) CHECK_EQ(times.load(), 1);
        CHECK(std::memcmp(seen.values.data(), expected.c.data(), count * sizeof(float)) == 0);
      }
    }
  }
}

TEST(gemm_ignores_old_contents) {
  ThreadPool pool(1);
  for (const KernelTable* kernels : test::levels()) {
    for (const int64_t k : {0, 5, 400}) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        const Gemm g = shape(9, 40, k, transposes);
        Operands o = make(g);
        for (float& x : o.c) x = NAN;
        multiply(*kernels, pool, g, o);
        for (const float x : o.c) CHECK(!std::isnan(x));
      }
    }
  }
}

// B packed ahead gives the bits of B packed or read in place on the way.
TEST(gemm_packed_ahead) {
  ThreadPool one(1), pool(3);
  const int64_t sizes[][3] = {{1, 150, 700},  {1, 1000, 40}, {2, 333, 129},  {3, 500, 100},
                              {4, 70, 330},   {7, 300, 321}, {15, 129, 640}, {40, 45, 2000},
                              {150, 600, 50}, {290, 97, 331}};
  for (const KernelTable* kernels : test::levels()) {
    for (const auto& s : sizes) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        for (const int64_t slack : {0, 3}) {
          Gemm g = shape(s[0], s[1], s[2], transposes, slack);
          g.accumulate = s[1] % 2 != 0;
          Operands expected = make(g), o = make(g);
          // Products of dot products sum in another order; the plain form stands in for them.
          Gemm plain = g;
          plain.trans_b = false;
          plain.ldb = g.n;
          std::vector<float> b(static_cast<size_t>(g.k * g.n));
          for (int64_t p = 0; p < g.k; ++p) {
            for (int64_t j = 0; j < g.n; ++j) {
              b[static_cast<size_t>(p * g.n + j)] =
                  o.b[static_cast<size_t>(g.trans_b ? j * g.ldb + p : p * g.ldb + j)];
            }
          }
          std::swap(expected.b, b);
          multiply(*kernels, one, plain, expected);

          const size_t bytes = gemm_packed_bytes(*kernels, g);
          CHECK(bytes > 0);
          const size_t floats = bytes / sizeof(float);
          std::vector<float> packed(floats + 1, 7.5f);
          gemm_pack(*kernels, pool, g, o.b.data(), packed.data());
          CHECK(packed[floats] == 7.5f);
          packed.resize(floats);  // so that sanitizers see one too many
          g.packed_b = true;
          for (ThreadPool* threads : {&one, &pool}) {
            Operands again = make(g);
            again.b = packed;
            multiply(*kernels, *threads, g, again);
            CHECK(std::memcmp(again.c.data(), expected.c.data(), again.c.size() * 4) == 0);
          }
        }
      }
    }
    CHECK_EQ(gemm_packed_bytes(*kernels, shape(8, 8, 8, 0)), size_t{0});
    CHECK_EQ(gemm_packed_bytes(*kernels, shape(40, 1, 40000, 0)), size_t{0});
    CHECK_EQ(gemm_packed_bytes(*kernels, shape(40, 400, 400, 0, 0, 2)), size_t{0});
  }
}
