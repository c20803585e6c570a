// Winograd's convolution against direct sums in double: awkward sizes and paddings, both tiles, the
// kernel turned round, the kernel's gradient, nothing written outside, same bits for any number of
// threads, epilogues that cover the output once.
#include "../winograd.h"

#include <algorithm>

#include "test.h"

using namespace myelin;

namespace {

Winograd shape(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out, int64_t pad,
               int tile) {
  Winograd w;
  w.batch = batch;
  w.height = height;
  w.width = width;
  w.in = in;
  w.out = out;
  w.top = w.left = pad;
  w.out_height = std::max<int64_t>(0, height + 2 * pad - 2);
  w.out_width = std::max<int64_t>(0, width + 2 * pad - 2);
  w.tile = tile;
  return w;
}

size_t image_size(const Winograd& w) {
  return static_cast<size_t>(w.batch * w.height * w.width * w.in);
}
size_t output_size(const Winograd& w) {
  return static_cast<size_t>(w.batch * w.out_height * w.out_width * w.out);
}
size_t kernel_size(const Winograd& w) { return static_cast<size_t>(9 * w.in * w.out); }

// Calls fn(x index, kernel index, y index) for every product of the convolution.
template <class F>
void for_products(const Winograd& w, F&& fn) {
  for (int64_t b = 0; b < w.batch; ++b) {
    for (int64_t i = 0; i < w.out_height; ++i) {
      for (int64_t j = 0; j < w.out_width; ++j) {
        for (int64_t t = 0; t < 9; ++t) {
          const int64_t r = i - w.top + t / 3, s = j - w.left + t % 3;
          if (r < 0 || r >= w.height || s < 0 || s >= w.width) continue;
          for (int64_t c = 0; c < w.in; ++c) {
            for (int64_t o = 0; o < w.out; ++o) {
              fn(static_cast<size_t>(((b * w.height + r) * w.width + s) * w.in + c),
                 static_cast<size_t>((t * w.in + c) * w.out + o),
                 static_cast<size_t>(((b * w.out_height + i) * w.out_width + j) * w.out + o));
            }
          }
        }
      }
    }
  }
}

double relative(const std::vector<float>& got, const std::vector<double>& wanted) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double d = static_cast<double>(got[i]) - wanted[i];
    error += std::isnan(d) ? 1e30 : d * d;
    norm += wanted[i] * wanted[i];
  }
  return std::sqrt(error / (norm > 0 ? norm : 1));
}

std::vector<float> convolve(const KernelTable& kernels, ThreadPool& pool, const Winograd& w,
                            const std::vector<float>& x, const std::vector<float>& kernel,
                            bool transposed, const GemmEpilogue* epilogue = nullptr) {
  std::vector<float> packed(winograd_kernel_floats(kernels, w), NAN);
  std::vector<float> scratch(transposed ? kernel_size(w) : 0, NAN);
  std::vector<float> workspace(winograd_workspace_bytes(kernels, w, pool.threads()) / 4, NAN);
  std::vector<float> y(output_size(w), NAN);
  winograd_pack_kernel(kernels, pool, w, kernel.data(), transposed, scratch.data(), packed.data());
  winograd(kernels, pool, w, x.data(), packed.data(), y.data(), workspace.data(), epilogue);
  return y;
}

std::vector<float> kernel_grad(const KernelTable& kernels, ThreadPool& pool, const Winograd& w,
                               const std::vector<float>& x, const std::vector<float>& dy) {
  std::vector<float> workspace(winograd_kernel_grad_workspace_bytes(kernels, w, pool.threads()) / 4,
                               NAN);
  std::vector<float> dkernel(kernel_size(w), NAN);
  winograd_kernel_grad(kernels, pool, w, x.data(), dy.data(), dkernel.data(), workspace.data());
  return dkernel;
}

// kernel [3, 3, in, out] as [3, 3, out, in] turned by 180 degrees.
std::vector<float> turned(const Winograd& w, const std::vector<float>& kernel) {
  std::vector<float> to(kernel.size());
  for (int64_t t = 0; t < 9; ++t) {
    for (int64_t c = 0; c < w.in; ++c) {
      for (int64_t o = 0; o < w.out; ++o) {
        to[static_cast<size_t>(((8 - t) * w.out + o) * w.in + c)] =
            kernel[static_cast<size_t>((t * w.in + c) * w.out + o)];
      }
    }
  }
  return to;
}

// The direct sum's own error is about 3e-7 here; see docs/numerics.md for larger sums.
constexpr double kTolerance = 1.5e-6;

void check(const KernelTable& kernels, ThreadPool& pool, const Winograd& w) {
  std::vector<float> x(image_size(w)), kernel(kernel_size(w)), dy(output_size(w));
  test::fill_noise(x, 1);
  test::fill_noise(kernel, 2);
  test::fill_noise(dy, 3);
  std::vector<double> y(output_size(w)), dkernel(kernel_size(w));
  for_products(w, [&](size_t from, size_t by, size_t to) {
    y[to] += static_cast<double>(x[from]) * static_cast<double>(kernel[by]);
    dkernel[by] += static_cast<double>(x[from]) * static_cast<double>(dy[to]);
  });
  const double forward = relative(convolve(kernels, pool, w, x, kernel, false), y);
  const double back = relative(convolve(kernels, pool, w, x, turned(w, kernel), true), y);
  const double grad = w.tile == 4 ? relative(kernel_grad(kernels, pool, w, x, dy), dkernel) : 0;
  if (!(forward <= kTolerance && back <= kTolerance && grad <= kTolerance)) {
    test::fail(__FILE__, __LINE__, "%s tile %d, %d x %d x %d x %d to %d: %.3g %.3g %.3g",
               kernels.level, w.tile, int(w.batch), int(w.height), int(w.width), int(w.in),
               int(w.out), forward, back, grad);
  }
}

}  // namespace

TEST(winograd_small_sizes) {
  ThreadPool pool(2);
  for (const KernelTable* kernels : test::levels()) {
    for (const int tile : {2, 4}) {
      for (const int64_t pad : {0, 1, 2}) {
        for (const int64_t size : {3, 4, 5, 6, 7, 9, 13}) {
          check(*kernels, pool, shape(1, size, 14 - size, 3, 5, pad, tile));
          check(*kernels, pool, shape(2, size, 6, 17, 1, pad, tile));
          check(*kernels, pool, shape(1, size, 5, 1, 34, pad, tile));
        }
      }
      Winograd w = shape(2, 6, 7, 4, 5, 1, tile);
      w.top = 0;  // uneven padding, and outputs that see nothing of the image
      w.out_height = 13;
      check(*kernels, pool, w);
      w.left = 7;
      check(*kernels, pool, w);
      check(*kernels, pool, shape(2, 6, 6, 0, 3, 1, tile));
      check(*kernels, pool, shape(0, 6, 6, 3, 3, 1, tile));
      check(*kernels, pool, shape(1, 2, 6, 3, 3, 0, tile));
    }
  }
}

TEST(winograd_blocks) {
  ThreadPool pool(2);
  for (const KernelTable* kernels : test::levels()) {
    for (const int tile : {2, 4}) {
      check(*kernels, pool, shape(9, 17, 17, 33, 40, 1, tile));
      check(*kernels, pool, shape(40, 9, 9, 16, 16, 0, tile));
      check(*kernels, pool, shape(1, 7, 7, 400, 70, 1, tile));
      check(*kernels, pool, shape(1, 41, 6, 64, 128, 1, tile));
    }
  }
}

TEST(winograd_same_bits_for_any_threads) {
  ThreadPool one(1), three(3);
  for (const KernelTable* kernels : test::levels()) {
    for (const int tile : {2, 4}) {
      for (const Winograd& w :
           {shape(30, 9, 9, 33, 40, 1, tile), shape(1, 7, 9, 70, 40, 1, tile)}) {
        std::vector<float> x(image_size(w)), kernel(kernel_size(w)), dy(output_size(w));
        test::fill_noise(x, 1);
        test::fill_noise(kernel, 2);
        test::fill_noise(dy, 3);
        CHECK(convolve(*kernels, one, w, x, kernel, false) ==
              convolve(*kernels, three, w, x, kernel, false));
        CHECK(kernel_grad(*kernels, one, w, x, dy) == kernel_grad(*kernels, three, w, x, dy));
      }
    }
  }
}

TEST(winograd_epilogue_covers_output_once) {
  ThreadPool pool(3);
  for (const KernelTable* kernels : test::levels()) {
    for (const Winograd& w : {shape(30, 9, 9, 33, 40, 1, 4), shape(1, 7, 9, 20, 40, 1, 2)}) {
      std::vector<float> x(image_size(w), 1), kernel(kernel_size(w), 1);
      std::vector<int> times(output_size(w));
      struct Seen {
        std::vector<int>& times;
        int64_t out;
      } seen{times, w.out};
      const GemmEpilogue epilogue = {
          [](void* ctx, int64_t, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
            Seen& to = *static_cast<Seen*>(ctx);
            for (int64_t r = row0; r < row0 + rows; ++r) {
              for (int64_t c = col0; c < col0 + cols; ++c) {
                ++to.times[static_cast<size_t>(r * to.out + c)];
              }
            }
          },
          &seen};
      convolve(*kernels, pool, w, x, kernel, false, &epilogue);
      for (const int count : times) CHECK_EQ(count, 1);
    }
  }
}
