// The depthwise paths against sums in double, in all three directions: one to three spatial axes,
// strides, dilations, paddings beyond the kernel, multipliers, small groups, awkward channels; the
// same bits for any number of threads, epilogues that cover the result once.
#include <cstring>

#include "../conv_paths.h"
#include "test.h"

using namespace myelin;

namespace {

struct Axis {
  int64_t in, kernel, stride, dilation, before, after;
};

// Axes from the last to the first; the others have size 1.
ConvShape shape(int64_t batch, int64_t groups, int64_t channels, int64_t outputs,
                std::vector<Axis> axes) {
  ConvShape s = {};
  s.batch = batch;
  s.groups = groups;
  s.cin = groups * channels;
  s.cout = groups * outputs;
  while (axes.size() < 3) axes.push_back({1, 1, 1, 1, 0, 0});
  for (size_t i = 0; i < 3; ++i) {
    const Axis& a = axes[i];
    s.in[2 - i] = a.in;
    s.kernel[2 - i] = a.kernel;
    s.stride[2 - i] = a.stride;
    s.dilation[2 - i] = a.dilation;
    s.pad_before[2 - i] = a.before;
    s.out[2 - i] = (a.in + a.before + a.after - (a.kernel - 1) * a.dilation - 1) / a.stride + 1;
  }
  return s;
}

// Calls fn(x index, w index, y index) for every product of the convolution.
template <class F>
void for_products(const ConvShape& s, F&& fn) {
  const int64_t channels = s.cin / s.groups, outputs = s.cout / s.groups;
  for (int64_t pixel = 0; pixel < s.batch * s.out_pixels(); ++pixel) {
    const int64_t out[3] = {pixel / s.out[2] / s.out[1] % s.out[0], pixel / s.out[2] % s.out[1],
                            pixel % s.out[2]};
    for (int64_t tap = 0; tap < s.taps(); ++tap) {
      const int64_t k[3] = {tap / s.kernel[2] / s.kernel[1], tap / s.kernel[2] % s.kernel[1],
                            tap % s.kernel[2]};
      int64_t from = pixel / s.out_pixels();
      bool inside = true;
      for (int a = 0; a < 3; ++a) {
        const int64_t at = out[a] * s.stride[a] - s.pad_before[a] + k[a] * s.dilation[a];
        inside = inside && at >= 0 && at < s.in[a];
        from = from * s.in[a] + at;
      }
      if (!inside) continue;
      for (int64_t o = 0; o < s.cout; ++o) {
        for (int64_t i = 0; i < channels; ++i) {
          fn(static_cast<size_t>(from * s.cin + o / outputs * channels + i),
             static_cast<size_t>((tap * channels + i) * s.cout + o),
             static_cast<size_t>(pixel * s.cout + o));
        }
      }
    }
  }
}

struct Case {
  ConvShape s;
  std::vector<float> x, w, dy;
};

Case make(const ConvShape& s) {
  Case c = {s, {}, {}, {}};
  c.x.resize(static_cast<size_t>(s.batch * s.in_pixels() * s.cin));
  c.w.resize(static_cast<size_t>(s.taps() * s.cin / s.groups * s.cout));
  c.dy.resize(static_cast<size_t>(s.batch * s.out_pixels() * s.cout));
  test::fill_noise(c.x, 1);
  test::fill_noise(c.w, 2);
  test::fill_noise(c.dy, 3);
  return c;
}

std::vector<float> run(const KernelTable& kernels, ThreadPool& pool, const ConvPath& path,
                       const ConvShape& s, const std::vector<float>& a, const std::vector<float>& b,
                       size_t size, const GemmEpilogue* epilogue = nullptr) {
  std::vector<float> scratch(static_cast<size_t>(path.scratch_floats(kernels, s, pool.threads())),
                             NAN);
  std::vector<float> c(size, NAN);
  path.run({kernels, pool, s, scratch.data(), epilogue}, a.data(), b.data(), c.data());
  return c;
}

void compare(const char* what, const KernelTable& kernels, const ConvShape& s,
             const std::vector<float>& got, const std::vector<double>& wanted, int64_t terms) {
  const double tolerance = 2 * 1.2e-7 * static_cast<double>(terms + 1);
  int wrong = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    wrong += !(std::fabs(static_cast<double>(got[i]) - wanted[i]) <= tolerance);
  }
  if (wrong > 0) {
    test::fail(__FILE__, __LINE__, "%s %s: %d x %d x %d x %d, %d of %d to %d: %d of %d wrong",
               kernels.level, what, int(s.batch), int(s.in[0]), int(s.in[1]), int(s.in[2]),
               int(s.groups), int(s.cin / s.groups), int(s.cout / s.groups), wrong,
               int(wanted.size()));
  }
}

void check(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s) {
  CHECK(kConvDepthwise.takes(kernels, s));
  const Case c = make(s);
  std::vector<double> y(c.dy.size()), dx(c.x.size()), dw(c.w.size());
  for_products(s, [&](size_t x, size_t w, size_t to) {
    const double a = static_cast<double>(c.x[x]), b = static_cast<double>(c.w[w]);
    const double g = static_cast<double>(c.dy[to]);
    y[to] += a * b;
    dx[x] += g * b;
    dw[w] += a * g;
  });
  const int64_t in = s.taps() * s.cin / s.groups, out = s.taps() * s.cout / s.groups;
  compare("forward", kernels, s, run(kernels, pool, kConvDepthwise, s, c.x, c.w, y.size()), y, in);
  compare("input grad", kernels, s,
          run(kernels, pool, kConvInputGradDepthwise, s, c.dy, c.w, dx.size()), dx, out);
  compare("kernel grad", kernels, s,
          run(kernels, pool, kConvKernelGradDepthwise, s, c.x, c.dy, dw.size()), dw,
          s.batch * s.out_pixels());
}

// For each way through the columns: strides, dilations, paddings on either side of the kernel.
const Axis kAxes[] = {{9, 3, 1, 1, 1, 1}, {9, 3, 2, 1, 0, 1},  {10, 3, 2, 1, 1, 1},
                      {1, 3, 1, 1, 1, 1}, {12, 3, 1, 2, 2, 2}, {11, 2, 3, 1, 0, 0},
                      {6, 4, 3, 2, 3, 4}, {8, 1, 4, 1, 0, 0},  {2, 2, 1, 1, 5, 4},
                      {9, 3, 4, 6, 5, 6}, {30, 5, 1, 1, 0, 4}, {3, 7, 2, 1, 3, 3}};

}  // namespace

TEST(conv_depthwise_axes) {
  ThreadPool pool(2);
  for (const KernelTable* kernels : test::levels()) {
    for (const Axis& a : kAxes) {
      check(*kernels, pool, shape(3, 5, 1, 1, {a}));
      for (const Axis& b : kAxes) {
        check(*kernels, pool, shape(1, 18, 1, 1, {a, b}));
        check(*kernels, pool, shape(1, 3, 2, 3, {b, a}));
      }
      check(*kernels, pool, shape(1, 4, 1, 1, {a, kAxes[2], {4, 2, 2, 1, 1, 0}}));
      check(*kernels, pool, shape(1, 2, 3, 1, {kAxes[0], a, {3, 3, 1, 2, 3, 3}}));
    }
  }
}

TEST(conv_depthwise_channels) {
  ThreadPool pool(3);
  const Axis a = {12, 3, 1, 1, 1, 1}, b = {15, 3, 2, 1, 1, 0};
  for (const KernelTable* kernels : test::levels()) {
    for (const int64_t groups : {2, 15, 16, 17, 31, 64, 100, 150}) {
      check(*kernels, pool, shape(2, groups, 1, 1, {a, b}));
      check(*kernels, pool, shape(1, groups, 1, 3, {b, a}));
      check(*kernels, pool, shape(1, groups, 4, 4, {a, a}));
      check(*kernels, pool, shape(1, groups, 3, 1, {a, b}));
    }
  }
}

TEST(conv_depthwise_same_bits_for_any_threads) {
  ThreadPool one(1), three(3);
  const Axis a = {20, 3, 1, 1, 1, 1}, b = {31, 3, 2, 1, 1, 0};
  for (const KernelTable* kernels : test::levels()) {
    for (const ConvShape& s : {shape(4, 40, 1, 1, {a, b}), shape(3, 20, 4, 2, {b, a})}) {
      const Case c = make(s);
      const auto same = [&](const ConvPath& path, const std::vector<float>& p,
                            const std::vector<float>& q, size_t size) {
        CHECK(run(*kernels, one, path, s, p, q, size) == run(*kernels, three, path, s, p, q, size));
      };
      same(kConvDepthwise, c.x, c.w, c.dy.size());
      same(kConvInputGradDepthwise, c.dy, c.w, c.x.size());
      same(kConvKernelGradDepthwise, c.x, c.dy, c.w.size());
    }
  }
}

TEST(conv_depthwise_epilogue_covers_result_once) {
  ThreadPool pool(3);
  const ConvShape s = shape(4, 20, 2, 1, {{20, 3, 1, 1, 1, 1}, {31, 3, 2, 1, 1, 0}});
  const Case c = make(s);
  struct Seen {
    std::vector<int> times;
    int64_t columns;
  };
  const auto count = [](void* ctx, int64_t, int64_t row0, int64_t rows, int64_t, int64_t) {
    Seen& to = *static_cast<Seen*>(ctx);
    for (int64_t i = row0 * to.columns; i < (row0 + rows) * to.columns; ++i) {
      ++to.times[static_cast<size_t>(i)];
    }
  };
  for (const KernelTable* kernels : test::levels()) {
    Seen y = {std::vector<int>(c.dy.size()), s.cout}, dx = {std::vector<int>(c.x.size()), s.cin};
    const GemmEpilogue over_y = {count, &y}, over_dx = {count, &dx};
    run(*kernels, pool, kConvDepthwise, s, c.x, c.w, c.dy.size(), &over_y);
    run(*kernels, pool, kConvInputGradDepthwise, s, c.dy, c.w, c.x.size(), &over_dx);
    for (const int times : y.times) CHECK_EQ(times, 1);
    for (const int times : dx.times) CHECK_EQ(times, 1);
  }
}
