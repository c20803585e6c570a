// Every path of the convolutions and of their gradients against plain loops in double: awkward
// sizes, all attributes, levels, one and two threads with equal bits, guards around results and
// scratch, epilogues that see every element once.
#include "../conv_paths.h"

#include <array>
#include <atomic>
#include <cstring>
#include <string>

#include "test.h"

using namespace myelin;

namespace {

struct Setting {
  const char* note;
  int64_t batch;
  int64_t in[3], kernel[3], stride[3], dilation[3], before[3], after[3];
  int64_t cin, cout, groups;
};

const Setting kSettings[] = {
    {"pixel", 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {}, {}, 1, 1, 1},
    {"1x1", 2, {1, 3, 5}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {}, {}, 7, 33, 1},
    {"3x3 valid", 3, {1, 6, 9}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {}, {}, 5, 17, 1},
    {"3x3 same", 2, {1, 7, 7}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 16, 40, 1},
    {"stride 2", 2, {1, 8, 9}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 0, 1}, {0, 1, 1}, 9, 20, 1},
    {"stride 3", 2, {1, 8, 9}, {1, 2, 2}, {1, 3, 3}, {1, 1, 1}, {}, {}, 4, 6, 1},
    {"first layer", 2, {1, 12, 30}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {}, {}, 1, 32, 1},
    {"7x7", 1, {1, 15, 16}, {1, 7, 7}, {1, 2, 2}, {1, 1, 1}, {0, 2, 2}, {0, 3, 3}, 3, 24, 1},
    {"dilated", 1, {1, 9, 10}, {1, 3, 3}, {1, 1, 1}, {1, 2, 3}, {0, 2, 3}, {0, 2, 3}, 4, 5, 1},
    {"all", 2, {1, 11, 14}, {1, 3, 4}, {1, 3, 2}, {1, 2, 3}, {0, 2, 3}, {0, 1, 5}, 6, 10, 2},
    {"even", 1, {1, 8, 12}, {1, 3, 2}, {1, 2, 4}, {1, 4, 2}, {0, 4, 1}, {0, 4, 1}, 3, 5, 1},
    {"wide padding", 1, {1, 3, 4}, {1, 2, 2}, {1, 2, 1}, {1, 1, 1}, {0, 3, 0}, {0, 1, 4}, 2, 3, 1},
    {"beyond", 1, {1, 2, 3}, {1, 5, 5}, {1, 1, 1}, {1, 1, 1}, {0, 2, 2}, {0, 2, 2}, 2, 3, 1},
    {"groups", 2, {1, 6, 7}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 24, 36, 3},
    {"depthwise", 1, {1, 6, 7}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 5, 10, 5},
    {"3-d", 2, {4, 5, 6}, {2, 3, 3}, {1, 2, 1}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, 5, 18, 1},
    {"long", 2, {1, 1, 700}, {1, 1, 5}, {1, 1, 1}, {1, 1, 2}, {0, 0, 8}, {}, 6, 20, 1},
    {"long strided",
     1,
     {1, 1, 999},
     {1, 1, 4},
     {1, 1, 3},
     {1, 1, 1},
     {0, 0, 1},
     {0, 0, 2},
     8,
     7,
     1},
    {"deep", 1, {1, 5, 6}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 450, 70, 1},
    {"many", 24, {1, 12, 12}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 16, 48, 1},
    {"empty batch", 0, {1, 4, 4}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {}, {}, 2, 3, 1},
    {"no channels", 1, {1, 4, 4}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {}, {}, 0, 3, 1},
};

ConvShape shape_of(const Setting& b) {
  ConvShape s = {};
  s.batch = b.batch;
  s.cin = b.cin;
  s.cout = b.cout;
  s.groups = b.groups;
  for (int i = 0; i < 3; ++i) {
    s.in[i] = b.in[i];
    s.kernel[i] = b.kernel[i];
    s.stride[i] = b.stride[i];
    s.dilation[i] = b.dilation[i];
    s.pad_before[i] = b.before[i];
    const int64_t reach = (b.kernel[i] - 1) * b.dilation[i] + 1;
    s.out[i] = (b.in[i] + b.before[i] + b.after[i] - reach) / b.stride[i] + 1;
  }
  return s;
}

// Calls fn(x, w, y) with the indices of every product of the convolution.
template <class F>
void each_product(const ConvShape& s, F&& fn) {
  const int64_t channels = s.cin / s.groups, columns = s.cout / s.groups;
  for (int64_t pixel = 0; pixel < s.batch * s.out_pixels(); ++pixel) {
    const int64_t n = pixel / s.out_pixels(), w = pixel % s.out[2];
    const int64_t at[3] = {pixel / s.out[2] / s.out[1] % s.out[0], pixel / s.out[2] % s.out[1], w};
    for (int64_t tap = 0; tap < s.taps(); ++tap) {
      const int64_t k[3] = {tap / s.kernel[2] / s.kernel[1], tap / s.kernel[2] % s.kernel[1],
                            tap % s.kernel[2]};
      int64_t from = n;
      bool inside = true;
      for (int i = 0; i < 3; ++i) {
        const int64_t p = at[i] * s.stride[i] + k[i] * s.dilation[i] - s.pad_before[i];
        inside = inside && p >= 0 && p < s.in[i];
        from = from * s.in[i] + p;
      }
      if (!inside) continue;
      for (int64_t o = 0; o < s.cout; ++o) {
        for (int64_t c = 0; c < channels; ++c) {
          fn(from * s.cin + o / columns * channels + c, (tap * channels + c) * s.cout + o,
             pixel * s.cout + o);
        }
      }
    }
  }
}

constexpr float kGuard = 1234.5f;

// Results with guards on both sides, and the same with two threads.
template <class Run>
std::vector<float> guarded(size_t size, int64_t scratch_floats, Run&& run) {
  constexpr size_t kPad = 64;
  std::vector<float> out(size + 2 * kPad, kGuard);
  std::vector<float> scratch(static_cast<size_t>(scratch_floats) + 2 * kPad, kGuard);
  float* base = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) / 4;
  run(out.data() + kPad, base);
  for (size_t i = 0; i < kPad; ++i) {
    CHECK(out[i] == kGuard && out[kPad + size + i] == kGuard);
  }
  for (float* p = base + scratch_floats; p < scratch.data() + scratch.size(); ++p) {
    CHECK(*p == kGuard);
  }
  return {out.begin() + kPad, out.end() - kPad};
}

struct Counter {
  std::vector<std::atomic<int>> seen;
  int64_t columns;
  static void apply(void* ctx, int64_t, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
    auto& c = *static_cast<Counter*>(ctx);
    for (int64_t r = row0; r < row0 + rows; ++r) {
      for (int64_t j = col0; j < col0 + cols; ++j) ++c.seen[static_cast<size_t>(r * c.columns + j)];
    }
  }
};

void check_path(const KernelTable& kernels, const Setting& setting, const ConvPath& path,
                const char* name, const std::vector<float>& a, const std::vector<float>& b,
                const std::vector<double>& want, const std::vector<double>& sizes,
                int64_t columns) {
  const ConvShape s = shape_of(setting);
  if (!path.takes(kernels, s)) return;
  static ThreadPool pools[] = {ThreadPool(1), ThreadPool(2)};
  std::vector<float> first;
  for (ThreadPool& pool : pools) {
    Counter counter = {std::vector<std::atomic<int>>(want.size()), columns};
    const GemmEpilogue epilogue = {Counter::apply, &counter};
    const std::vector<float> got =
        guarded(want.size(), path.scratch_floats(kernels, s, pool.threads()),
                [&](float* out, float* scratch) {
                  const ConvRun r = {kernels, pool, s, scratch, columns > 0 ? &epilogue : nullptr};
                  path.run(r, a.data(), b.data(), out);
                });
    int wrong = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      const double error = std::fabs(static_cast<double>(got[i]) - want[i]);
      wrong += !(error <= 1e-6 * sizes[i] + 1e-30);
      wrong += columns > 0 && counter.seen[i] != 1;
    }
    if (wrong > 0)
      test::fail(__FILE__, __LINE__, "%s %s %s %dt: %d wrong", kernels.level, setting.note, name,
                 pool.threads(), wrong);
    if (first.empty()) first = got;
    if (!got.empty() && std::memcmp(first.data(), got.data(), got.size() * sizeof(float)) != 0)
      test::fail(__FILE__, __LINE__, "%s %s %s: two threads differ", kernels.level, setting.note,
                 name);
  }
}

}  // namespace

TEST(conv_paths) {
  for (const Setting& setting : kSettings) {
    const ConvShape s = shape_of(setting);
    std::vector<float> x(static_cast<size_t>(s.batch * s.in_pixels() * s.cin));
    std::vector<float> w(static_cast<size_t>(s.taps() * (s.cin / s.groups) * s.cout));
    std::vector<float> dy(static_cast<size_t>(s.batch * s.out_pixels() * s.cout));
    test::fill_noise(x, 1);
    test::fill_noise(w, 2);
    test::fill_noise(dy, 3);
    std::vector<double> y(dy.size()), y_size(dy.size()), dx(x.size()), dx_size(x.size());
    std::vector<double> dw(w.size()), dw_size(w.size());
    each_product(s, [&](int64_t i, int64_t j, int64_t k) {
      const auto [a, b, c] =
          std::array{static_cast<size_t>(i), static_cast<size_t>(j), static_cast<size_t>(k)};
      const double xi = static_cast<double>(x[a]), wj = static_cast<double>(w[b]);
      const double dyk = static_cast<double>(dy[c]);
      y[c] += xi * wj;
      y_size[c] += std::fabs(xi * wj);
      dx[a] += dyk * wj;
      dx_size[a] += std::fabs(dyk * wj);
      dw[b] += xi * dyk;
      dw_size[b] += std::fabs(xi * dyk);
    });
    for (const KernelTable* kernels : test::levels()) {
      const auto forward = [&](const ConvPath& path, const char* name) {
        check_path(*kernels, setting, path, name, x, w, y, y_size, s.cout);
      };
      const auto input = [&](const ConvPath& path, const char* name) {
        check_path(*kernels, setting, path, name, dy, w, dx, dx_size, s.cin);
      };
      const auto kernel = [&](const ConvPath& path, const char* name) {
        check_path(*kernels, setting, path, name, x, dy, dw, dw_size, 0);
      };
      forward(kConvGeneral, "general");
      forward(kConvDirect, "direct");
      input(kConvInputGradGeneral, "input gradient, general");
      input(kConvInputGradDirect, "input gradient, direct");
      kernel(kConvKernelGradGeneral, "kernel gradient, general");
      kernel(kConvKernelGradDirect, "kernel gradient, direct");
    }
  }
}

TEST(brgemm_tiles) {
  const int64_t row = 40, pieces = 3;
  std::vector<float> a(4096), b(8192);
  test::fill_noise(a, 1);
  test::fill_noise(b, 2);
  for (const KernelTable* kernels : test::levels()) {
    const int64_t nr = kernels->gemm_shape.nr;
    for (const int64_t m : {1, 2, 3, 5, 7, 13, 14, 15, 29}) {
      for (const int64_t n : {1, 3, 8, 15, 16, 17, 32, 33, 70}) {
        for (int flags = 0; flags < 4; ++flags) {
          const bool packed = flags & 1, accumulate = flags & 2;
          if (packed && n > nr) continue;
          const BrgemmPiece list[pieces] = {{a.data() + 5, b.data(), 7},
                                            {a.data() + 90, b.data() + 11, 0},
                                            {a.data() + 31, b.data() + 901, 33}};
          std::vector<float> c(static_cast<size_t>(m * (n + 2)), 0.5f);
          BrgemmBlock s = {};
          s.m = m;
          s.n = n;
          s.pieces = list;
          s.count = pieces;
          s.a_row = row;
          s.a_step = 1;
          s.a_offset = 2;
          s.b_panel = packed ? 777 : 1;
          s.b_step = packed ? nr : n + 1;
          s.b_offset = 3;
          s.c = c.data();
          s.ldc = n + 2;
          s.accumulate = accumulate;
          kernels->brgemm_block(s);
          int wrong = 0;
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n + 2; ++j) {
              double want = j >= n || accumulate ? 0.5 : 0;
              for (int64_t q = 0; q < pieces && j < n; ++q) {
                for (int64_t p = 0; p < list[q].k; ++p) {
                  want += static_cast<double>(list[q].a[2 + i * row + p]) *
                          static_cast<double>(list[q].b[3 + j + p * s.b_step]);
                }
              }
              const float got = c[static_cast<size_t>(i * (n + 2) + j)];
              wrong += !(std::fabs(static_cast<double>(got) - want) <= 1e-5);
            }
          }
          if (wrong > 0)
            test::fail(__FILE__, __LINE__, "%s m %d n %d flags %d: %d wrong", kernels->level,
                       int(m), int(n), flags, wrong);
        }
      }
    }
  }
}
