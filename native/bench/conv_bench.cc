// Convolutions against this machine's multiply-add peak: forward, input gradient, kernel gradient.
//   conv_bench [--level avx2] [--threads 2] [--only forward|input|kernel] [--shape name]
//              [--custom n,h,w,cin,cout,k,stride,same] [--direct] [--steady] [--seconds 0.05]
// Prints microseconds, GFLOP/s in flops of the direct sum (best and median), the share of peak, and
// the GB/s of reading the operands and writing the result once: small channel counts end there.
// --direct leaves Winograd's and other transforms out; --steady has kernels packed ahead, as
// prediction does.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../conv_paths.h"
#include "fma_peak.h"

using namespace myelin;

namespace {

struct Shape {
  const char* name;
  int64_t batch, height, width, cin, cout, kernel, stride;
  bool same;
};

// The layers of a small convnet on MNIST, of ResNet-20 on CIFAR at batch 64 and of ResNet-50 at
// batch 1.
constexpr Shape kShapes[] = {
    {"cnn-1", 128, 28, 28, 1, 32, 3, 1, false},
    {"cnn-2", 128, 26, 26, 32, 64, 3, 1, false},
    {"r20-first", 64, 32, 32, 3, 16, 3, 1, true},
    {"r20-16", 64, 32, 32, 16, 16, 3, 1, true},
    {"r20-16-32/2", 64, 32, 32, 16, 32, 3, 2, true},
    {"r20-1x1-32/2", 64, 32, 32, 16, 32, 1, 2, true},
    {"r20-32", 64, 16, 16, 32, 32, 3, 1, true},
    {"r20-32-64/2", 64, 16, 16, 32, 64, 3, 2, true},
    {"r20-64", 64, 8, 8, 64, 64, 3, 1, true},
    {"r50-first", 1, 224, 224, 3, 64, 7, 2, true},
    {"r50-64", 1, 56, 56, 64, 64, 3, 1, true},
    {"r50-128/2", 1, 56, 56, 128, 128, 3, 2, true},
    {"r50-128", 1, 28, 28, 128, 128, 3, 1, true},
    {"r50-256", 1, 14, 14, 256, 256, 3, 1, true},
    {"r50-512", 1, 7, 7, 512, 512, 3, 1, true},
    {"r50-1x1-64", 1, 56, 56, 64, 256, 1, 1, true},
    {"r50-1x1-256", 1, 14, 14, 1024, 256, 1, 1, true},
    {"r50-1x1-512/2", 1, 28, 28, 512, 1024, 1, 2, true},
    {"r50-256x16", 16, 14, 14, 256, 256, 3, 1, true},
};

ConvShape convolution(const Shape& b) {
  ConvShape s = {};
  s.batch = b.batch;
  s.cin = b.cin;
  s.cout = b.cout;
  s.groups = 1;
  for (int i = 0; i < 3; ++i) s.in[i] = s.out[i] = s.kernel[i] = s.stride[i] = s.dilation[i] = 1;
  const int64_t sizes[] = {b.height, b.width};
  for (int i = 1; i < 3; ++i) {
    const int64_t size = sizes[i - 1];
    s.in[i] = size;
    s.kernel[i] = b.kernel;
    s.stride[i] = b.stride;
    s.out[i] = b.same ? (size + b.stride - 1) / b.stride : (size - b.kernel) / b.stride + 1;
    const int64_t pad = std::max<int64_t>(0, (s.out[i] - 1) * b.stride + b.kernel - size);
    s.pad_before[i] = b.same ? pad / 2 : 0;
  }
  return s;
}

struct Options {
  std::string level, only, shape;
  int threads = 0;
  double seconds = 0.05;
  bool direct = false, steady = false;
  Shape custom = {};
};

using Memory = std::vector<float>;

Memory noise(int64_t count) {
  Memory v(static_cast<size_t>(count));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i % 17) * 0.01f - 0.08f;
  return v;
}

void report(const KernelTable& kernels, ThreadPool& pool, const Shape& b, const char* direction,
            const Options& options, double flop, double bytes, double& peak,
            const std::function<void()>& fn) {
  std::vector<double> seconds;
  const int inner = flop < 1e7 ? 4 : 1;
  const double end = now() + options.seconds;
  for (int round = 0; round < 3 || now() < end; ++round) {
    if (round % 16 == 0) peak = std::max(peak, fma_gflops(kernels));
    const double start = stopwatch(pool.threads());
    for (int i = 0; i < inner; ++i) fn();
    seconds.push_back((stopwatch(pool.threads()) - start) / inner);
  }
  std::sort(seconds.begin(), seconds.end());
  const double best = seconds[0], median = seconds[seconds.size() / 2];
  std::printf("%-8s %dt %-14s %-7s %9.1f us %7.1f GFLOP/s (median %7.1f) %6.1f %%  %6.1f GB/s\n",
              kernels.level, pool.threads(), b.name, direction, best * 1e6, 1e-9 * flop / best,
              1e-9 * flop / median, 100e-9 * flop / best / (peak * pool.threads()),
              1e-9 * bytes / best);
  std::fflush(stdout);
}

void bench(const KernelTable& kernels, ThreadPool& pool, const Shape& b, const Options& options,
           double& peak) {
  const ConvShape s = convolution(b);
  const int threads = pool.threads();
  Memory x = noise(s.batch * s.in_pixels() * s.cin), w = noise(s.taps() * s.cin * s.cout);
  Memory y = noise(s.batch * s.out_pixels() * s.cout);
  Memory dx(x.size()), dw(w.size()), out(y.size());
  const double flop = 2 * conv_work(s, s.batch * s.out_pixels());
  const double bytes = 4.0 * static_cast<double>(x.size() + w.size() + y.size());
  const auto scratch = [&](size_t size) { return Memory(size / sizeof(float) + 16); };
  const auto aligned = [](Memory& m) {
    void* p = m.data();
    size_t space = m.size() * sizeof(float);
    return static_cast<float*>(std::align(64, 1, p, space));
  };
  // One direction: its direct path, and calls that prepare the kernel and run with or without it.
  const auto run = [&](const char* name, const ConvPath& direct, size_t size, size_t prepared_size,
                       const float* a, const float* b2, float* c,
                       const std::function<void(float*, float*)>& prepare,
                       const std::function<void(float*, const float*)>& call) {
    if (!options.only.empty() && options.only != name) return;
    const bool alone = options.direct && direct.takes(kernels, s);
    const auto bytes_of = [](int64_t floats) {
      return static_cast<size_t>(floats) * sizeof(float);
    };
    if (alone) {
      size = bytes_of(direct.scratch_floats(kernels, s, threads));
      prepared_size = direct.prepare == nullptr ? 0 : bytes_of(direct.prepared_floats(kernels, s));
    }
    Memory memory = scratch(size), kept = scratch(prepared_size);
    float* const workspace = aligned(memory);
    const bool keeps = options.steady && prepared_size > 0;
    float* const prepared = keeps ? aligned(kept) : nullptr;
    const ConvRun r = {kernels, pool, s, workspace, nullptr, prepared};
    if (keeps && alone) direct.prepare(r, b2, prepared);
    if (keeps && !alone) prepare(workspace, prepared);
    report(kernels, pool, b, name, options, flop, bytes, peak, [&] {
      if (alone) {
        direct.run(r, a, b2, c);
      } else {
        call(workspace, prepared);
      }
    });
  };
  run(
      "forward", kConvDirect, conv_workspace_bytes(kernels, s, threads),
      conv_prepared_bytes(kernels, s), x.data(), w.data(), out.data(),
      [&](float* workspace, float* prepared) {
        conv_prepare(kernels, pool, s, w.data(), workspace, prepared);
      },
      [&](float* workspace, const float* prepared) {
        conv(kernels, pool, s, x.data(), w.data(), out.data(), workspace, nullptr, prepared);
      });
  run(
      "input", kConvInputGradDirect, conv_input_grad_workspace_bytes(kernels, s, threads),
      conv_input_grad_prepared_bytes(kernels, s), y.data(), w.data(), dx.data(),
      [&](float* workspace, float* prepared) {
        conv_input_grad_prepare(kernels, pool, s, w.data(), workspace, prepared);
      },
      [&](float* workspace, const float* prepared) {
        conv_input_grad(kernels, pool, s, y.data(), w.data(), dx.data(), workspace, nullptr,
                        prepared);
      });
  run(
      "kernel", kConvKernelGradDirect, conv_kernel_grad_workspace_bytes(kernels, s, threads), 0,
      x.data(), y.data(), dw.data(), [](float*, float*) {},
      [&](float* workspace, const float*) {
        conv_kernel_grad(kernels, pool, s, x.data(), y.data(), dw.data(), workspace);
      });
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (arg == "--level") {
      options.level = value, ++i;
    } else if (arg == "--threads") {
      options.threads = std::atoi(value), ++i;
    } else if (arg == "--only") {
      options.only = value, ++i;
    } else if (arg == "--shape") {
      options.shape = value, ++i;
    } else if (arg == "--seconds") {
      options.seconds = std::atof(value), ++i;
    } else if (arg == "--direct") {
      options.direct = true;
    } else if (arg == "--steady") {
      options.steady = true;
    } else if (arg == "--custom") {
      long long v[8];
      if (std::sscanf(value, "%lld,%lld,%lld,%lld,%lld,%lld,%lld,%lld", v, v + 1, v + 2, v + 3,
                      v + 4, v + 5, v + 6, v + 7) != 8)
        return 2;
      options.custom = {"custom", v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] != 0}, ++i;
    } else {
      std::fprintf(stderr, "unknown option %s\n", arg.c_str());
      return 2;
    }
  }
  ScopedFlushDenormals flush;
  for (const CpuLevel level : kAllCpuLevels) {
    const KernelTable* kernels = kernel_table(level);
    if (kernels == nullptr || !supported(level)) continue;
    if (options.level.empty() ? level == CpuLevel::portable : options.level != kernels->level)
      continue;
    double peak = 0;
    for (int threads = 1; threads <= usable_cores(); threads *= 2) {
      if (options.threads != 0 && threads != options.threads) continue;
      ThreadPool pool(threads);
      if (options.custom.name != nullptr) {
        bench(*kernels, pool, options.custom, options, peak);
        continue;
      }
      for (const Shape& shape : kShapes) {
        if (options.shape.empty() || options.shape == shape.name)
          bench(*kernels, pool, shape, options, peak);
      }
    }
  }
  return 0;
}
