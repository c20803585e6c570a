// Winograd's convolution against this machine's multiply-add peak, in flops of the direct
// convolution (so that over 100 % is possible), and its error in norm against sums in double.
//   winograd_bench [--level avx2] [--threads 2] [--shape n,h,w,in,out] [--seconds 0.1]
//                  [--way direct|2|4|grad]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../conv_paths.h"
#include "../winograd.h"
#include "fma_peak.h"

using namespace myelin;

namespace {

// Median seconds of a call.
template <class F>
double time(double seconds, F&& fn) {
  fn();
  std::vector<double> times;
  const double end = now() + seconds;
  while (times.size() < 5 || now() < end) {
    const double start = now();
    fn();
    times.push_back(now() - start);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

std::vector<float> noise(int64_t count, uint32_t seed) {
  std::vector<float> v(static_cast<size_t>(count));
  for (float& x : v) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(static_cast<int32_t>(seed)) * 0x1p-31f;
  }
  return v;
}

// Error in norm over a sample of the output.
double error(const Winograd& w, const std::vector<float>& x, const std::vector<float>& kernel,
             const std::vector<float>& y) {
  double wrong = 0, norm = 0;
  const int64_t pixels = w.batch * w.out_height * w.out_width;
  for (int64_t pixel = 0; pixel < pixels; pixel += std::max<int64_t>(1, pixels / 200)) {
    const int64_t b = pixel / (w.out_height * w.out_width);
    const int64_t i = pixel / w.out_width % w.out_height, j = pixel % w.out_width;
    for (int64_t o = 0; o < w.out; ++o) {
      double sum = 0;
      for (int64_t t = 0; t < 9; ++t) {
        const int64_t r = i - w.top + t / 3, s = j - w.left + t % 3;
        if (r < 0 || r >= w.height || s < 0 || s >= w.width) continue;
        for (int64_t c = 0; c < w.in; ++c) {
          sum += static_cast<double>(
                     x[static_cast<size_t>(((b * w.height + r) * w.width + s) * w.in + c)]) *
                 static_cast<double>(kernel[static_cast<size_t>((t * w.in + c) * w.out + o)]);
        }
      }
      const double d = static_cast<double>(y[static_cast<size_t>(pixel * w.out + o)]) - sum;
      wrong += d * d;
      norm += sum * sum;
    }
  }
  return std::sqrt(wrong / norm);
}

void bench(const KernelTable& kernels, ThreadPool& pool, Winograd w, double seconds, double peak,
           const std::string& way) {
  const auto x = noise(w.batch * w.height * w.width * w.in, 1), kernel = noise(9 * w.in * w.out, 2);
  const auto dy = noise(w.batch * w.out_height * w.out_width * w.out, 3);
  std::vector<float> y(dy.size()), dkernel(kernel.size());
  const double flop = 18.0 * static_cast<double>(w.in) * static_cast<double>(dy.size());
  const auto report = [&](const char* what, double took, double wrong) {
    std::printf(
        "%-8s %dt %4lld x %3lld x %3lld x %4lld to %4lld  %-12s %9.1f us %8.1f GFLOP/s %6.1f %%",
        kernels.level, pool.threads(), static_cast<long long>(w.batch),
        static_cast<long long>(w.height), static_cast<long long>(w.width),
        static_cast<long long>(w.in), static_cast<long long>(w.out), what, took * 1e6,
        1e-9 * flop / took, 100e-9 * flop / took / peak / pool.threads());
    if (wrong > 0) std::printf("  error %.1e", wrong);
    std::printf("\n");
    std::fflush(stdout);
  };
  const ConvShape s = {w.batch,
                       {1, w.height, w.width},
                       {1, w.out_height, w.out_width},
                       {1, 3, 3},
                       {1, 1, 1},
                       {1, 1, 1},
                       {0, w.top, w.left},
                       w.in,
                       w.out,
                       1};
  if (way.empty() || way == "direct") {
    const ConvPath& path = kConvGeneral;
    std::vector<float> scratch(
        static_cast<size_t>(path.scratch_floats(kernels, s, pool.threads())));
    const double took = time(seconds, [&] {
      path.run({kernels, pool, s, scratch.data(), nullptr}, x.data(), kernel.data(), y.data());
    });
    report("direct", took, error(w, x, kernel, y));
  }
  for (const int tile : {2, 4}) {
    if (!way.empty() && way != std::to_string(tile)) continue;
    w.tile = tile;
    std::vector<float> packed(winograd_kernel_floats(kernels, w));
    std::vector<float> workspace(winograd_workspace_bytes(kernels, w, pool.threads()) / 4);
    const auto pack = [&] {
      winograd_pack_kernel(kernels, pool, w, kernel.data(), false, nullptr, packed.data());
    };
    const auto run = [&] {
      winograd(kernels, pool, w, x.data(), packed.data(), y.data(), workspace.data(), nullptr);
    };
    const double packing = time(seconds / 4, pack), took = time(seconds, run);
    report(tile == 2 ? "F(2x2)" : "F(4x4)", took, error(w, x, kernel, y));
    report(tile == 2 ? "F(2x2)+pack" : "F(4x4)+pack", took + packing, 0);
  }
  if (!way.empty() && way != "grad") return;
  std::vector<float> workspace(winograd_kernel_grad_workspace_bytes(kernels, w, pool.threads()) /
                               4);
  report("kernel grad",
         time(seconds,
              [&] {
                winograd_kernel_grad(kernels, pool, w, x.data(), dy.data(), dkernel.data(),
                                     workspace.data());
              }),
         0);
}

Winograd shape(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out, int64_t pad) {
  Winograd w;
  w.batch = batch;
  w.height = height;
  w.width = width;
  w.in = in;
  w.out = out;
  w.top = w.left = pad;
  w.out_height = height + 2 * pad - 2;
  w.out_width = width + 2 * pad - 2;
  return w;
}

}  // namespace

int main(int argc, char** argv) {
  std::string level = "avx512", way;
  int threads = 0;
  double seconds = 0.1;
  std::vector<Winograd> shapes = {
      shape(128, 26, 26, 32, 64, 0), shape(64, 32, 32, 16, 16, 1), shape(64, 16, 16, 32, 32, 1),
      shape(64, 8, 8, 64, 64, 1),    shape(1, 56, 56, 64, 64, 1),  shape(1, 28, 28, 128, 128, 1),
      shape(1, 14, 14, 256, 256, 1), shape(1, 7, 7, 512, 512, 1),  shape(32, 14, 14, 256, 256, 1)};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string arg = argv[i];
    if (arg == "--level") level = argv[i + 1];
    if (arg == "--way") way = argv[i + 1];
    if (arg == "--threads") threads = std::atoi(argv[i + 1]);
    if (arg == "--seconds") seconds = std::atof(argv[i + 1]);
    if (arg == "--shape") {
      long long n = 0, h = 0, w = 0, in = 0, out = 0;
      if (std::sscanf(argv[i + 1], "%lld,%lld,%lld,%lld,%lld", &n, &h, &w, &in, &out) != 5)
        return 2;
      shapes = {shape(n, h, w, in, out, 1)};
    }
  }
  ScopedFlushDenormals flush;
  for (const CpuLevel l : kAllCpuLevels) {
    const KernelTable* kernels = kernel_table(l);
    if (kernels == nullptr || !supported(l) || level != kernels->level) continue;
    const double peak = fma_peak(*kernels);
    for (int t = 1; t <= usable_cores(); t *= 2) {
      if (threads != 0 && t != threads) continue;
      ThreadPool pool(t);
      for (const Winograd& w : shapes) bench(*kernels, pool, w, seconds, peak, way);
    }
  }
  return 0;
}
