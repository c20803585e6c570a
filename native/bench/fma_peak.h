// The multiply-add peak of one core, measured: the bound of whatever is products.
#ifndef MYELIN_BENCH_FMA_PEAK_H_
#define MYELIN_BENCH_FMA_PEAK_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "../cpu.h"
#include "../kernels/kernels.h"
#include "stopwatch.h"

#include "../kernels/simd/portable.h"
#include "fma_peak.inl.h"
#include "../kernels/simd/close.h"
#if defined(__x86_64__)
#include "../kernels/simd/avx2.h"
#include "fma_peak.inl.h"
#include "../kernels/simd/close.h"
#include "../kernels/simd/avx512.h"
#include "fma_peak.inl.h"
#include "../kernels/simd/close.h"
#elif defined(__aarch64__)
#include "../kernels/simd/neon.h"
#include "fma_peak.inl.h"
#include "../kernels/simd/close.h"
#endif

namespace myelin {

// GFLOP/s of one core in a loop of multiply-adds; the best ever seen is the peak.
inline double fma_gflops(const KernelTable& kernels) {
  const int64_t steps = 200000;  // a fraction of a millisecond
  const std::string level = kernels.level;
  double flop = portable::kFlopPerStep;
  float (*loop)(int64_t, float) = portable::fma_loop;
#if defined(__x86_64__)
  if (level == "avx2") loop = avx2::fma_loop, flop = avx2::kFlopPerStep;
  if (level == "avx512") loop = avx512::fma_loop, flop = avx512::kFlopPerStep;
#elif defined(__aarch64__)
  if (level == "neon") loop = neon::fma_loop, flop = neon::kFlopPerStep;
#endif
  [[maybe_unused]] static volatile float sink;  // so that the loop has a result
  const double start = stopwatch(1);
  sink = loop(steps, 0.5f);
  return 1e-9 * flop * static_cast<double>(steps) / (stopwatch(1) - start);
}

// The best of `rounds`.
inline double fma_peak(const KernelTable& kernels, int rounds = 20) {
  double best = 0;
  for (int i = 0; i < rounds; ++i) best = std::max(best, fma_gflops(kernels));
  return best;
}

}  // namespace myelin

#endif  // MYELIN_BENCH_FMA_PEAK_H_
