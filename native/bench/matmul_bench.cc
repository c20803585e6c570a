// The matrix product against this machine's measured peak, per shape, transposes, threads and
// level.
//   matmul_bench [--level avx2] [--threads 2] [--shape m,n,k] [--trans nn|nt|tn|tt] [--seconds 0.1]
//                [--json] [--no-blas] [--packed]
// With --packed B is packed ahead where that gains, and the product with B as it is runs beside it.
// Prints GFLOP/s (best and median of many runs) and the best's share of peak. Machines shared with
// others disturb single runs, so the product, the peak and OpenBLAS (where built in) take turns.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../gemm.h"
#include "fma_peak.h"

#if defined(MYELIN_HAVE_OPENBLAS)
#include <cblas.h>
extern "C" void openblas_set_num_threads(int);
#endif

using namespace myelin;

namespace {

struct Options {
  std::string level, trans;
  int threads = 0;
  double seconds = 0.15;
  bool json = false, blas = true, packed = false;
  std::vector<int64_t> shape;
};

struct Timing {
  std::vector<double> seconds;
  double best() const { return *std::min_element(seconds.begin(), seconds.end()); }
  double median() {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
};

template <class F>
void time_into(Timing& timing, int threads, double flop, F&& fn) {
  const int inner = flop < 1e7 ? static_cast<int>(1e7 / (flop + 1000)) + 1 : 1;
  const double start = stopwatch(threads);
  for (int i = 0; i < inner; ++i) fn();
  timing.seconds.push_back((stopwatch(threads) - start) / inner);
}

void bench(const KernelTable& kernels, ThreadPool& pool, int64_t m, int64_t n, int64_t k,
           bool trans_a, bool trans_b, const Options& options, double& core_peak) {
  Gemm g;
  g.m = m;
  g.n = n;
  g.k = k;
  g.trans_a = trans_a;
  g.trans_b = trans_b;
  g.lda = trans_a ? m : k;
  g.ldb = trans_b ? k : n;
  g.ldc = n;
  std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(n * k));
  std::vector<float> c(static_cast<size_t>(m * n));
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 17) * 0.01f - 0.08f;
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 13) * 0.01f - 0.06f;
  const Gemm as_it_is = g;
  std::vector<float> packed;
  if (options.packed) {
    packed.resize(gemm_packed_bytes(kernels, g) / sizeof(float));
    if (!packed.empty()) {
      gemm_pack(kernels, pool, g, b.data(), packed.data());
      g.packed_b = true;
    }
  }
  const float* own_b = packed.empty() ? b.data() : packed.data();
  const size_t bytes = std::max(gemm_workspace_bytes(kernels, g, pool.threads()),
                                gemm_workspace_bytes(kernels, as_it_is, pool.threads()));
  std::unique_ptr<char[]> raw(new char[bytes + 64]);
  void* workspace = raw.get();
  size_t space = bytes + 64;
  std::align(64, bytes, workspace, space);

  const double flop =
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  Timing own, blas, plain;
  const double end = now() + options.seconds;
  for (int round = 0; round < 3 || now() < end; ++round) {
    if (round % 16 == 0) core_peak = std::max(core_peak, fma_gflops(kernels));
    time_into(own, pool.threads(), flop,
              [&] { gemm(kernels, pool, g, a.data(), own_b, c.data(), workspace, nullptr); });
    if (options.packed) {
      time_into(plain, pool.threads(), flop, [&] {
        gemm(kernels, pool, as_it_is, a.data(), b.data(), c.data(), workspace, nullptr);
      });
    }
#if defined(MYELIN_HAVE_OPENBLAS)
    if (options.blas) {
      time_into(blas, pool.threads(), flop, [&] {
        cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                    trans_b ? CblasTrans : CblasNoTrans, static_cast<int>(m), static_cast<int>(n),
                    static_cast<int>(k), 1.0f, a.data(), static_cast<int>(g.lda), b.data(),
                    static_cast<int>(g.ldb), 0.0f, c.data(), static_cast<int>(n));
      });
    }
#endif
  }
  const double top = core_peak * pool.threads();
  const double best = 1e-9 * flop / own.best(), median = 1e-9 * flop / own.median();
  const double other = blas.seconds.empty() ? 0 : 1e-9 * flop / blas.best();
  if (options.json) {
    std::printf(
        "{\"level\":\"%s\",\"threads\":%d,\"m\":%lld,\"n\":%lld,\"k\":%lld,\"transA\":%s,"
        "\"transB\":%s,\"gflops\":%.2f,\"median\":%.2f,\"peak\":%.2f,\"nanoseconds\":%.1f,"
        "\"openblas\":%.2f}\n",
        kernels.level, pool.threads(), static_cast<long long>(m), static_cast<long long>(n),
        static_cast<long long>(k), trans_a ? "true" : "false", trans_b ? "true" : "false", best,
        median, top, own.best() * 1e9, other);
  } else {
    std::printf("%-8s %dt %c%c %6lld %5lld %5lld %9.2f us %8.1f GFLOP/s (median %7.1f) %5.1f %%",
                kernels.level, pool.threads(), trans_a ? 't' : 'n', trans_b ? 't' : 'n',
                static_cast<long long>(m), static_cast<long long>(n), static_cast<long long>(k),
                own.best() * 1e6, best, median, 100 * best / top);
    if (other > 0) std::printf("   openblas %7.1f", other);
    if (options.packed) std::printf("   not packed %7.1f", 1e-9 * flop / plain.best());
    std::printf("\n");
  }
  std::fflush(stdout);
}

constexpr int64_t kShapes[][3] = {
    {128, 128, 128},  {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048},
    {128, 512, 784},  {32, 512, 512},  {8, 512, 512},   {1, 512, 784},      {128, 10, 256},
    {25088, 64, 288}, {768, 128, 128}, {4, 8, 2},       {32, 10, 64},       {64, 64, 64}};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (arg == "--json") {
      options.json = true;
    } else if (arg == "--no-blas") {
      options.blas = false;
    } else if (arg == "--packed") {
      options.packed = true;
    } else if (arg == "--level") {
      options.level = value, ++i;
    } else if (arg == "--trans") {
      options.trans = value, ++i;
    } else if (arg == "--threads") {
      options.threads = std::atoi(value), ++i;
    } else if (arg == "--seconds") {
      options.seconds = std::atof(value), ++i;
    } else if (arg == "--shape") {
      long long m = 0, n = 0, k = 0;
      if (std::sscanf(value, "%lld,%lld,%lld", &m, &n, &k) != 3) return 2;
      options.shape = {m, n, k}, ++i;
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
    double core_peak = 0;
    for (int threads = 1; threads <= usable_cores(); threads *= 2) {
      if (options.threads != 0 && threads != options.threads) continue;
      ThreadPool pool(threads);
#if defined(MYELIN_HAVE_OPENBLAS)
      openblas_set_num_threads(threads);
#endif
      for (const char* trans : {"nn", "nt", "tn", "tt"}) {
        if (!options.trans.empty() && options.trans != trans) continue;
        if (!options.shape.empty()) {
          bench(*kernels, pool, options.shape[0], options.shape[1], options.shape[2],
                trans[0] == 't', trans[1] == 't', options, core_peak);
          continue;
        }
        for (const auto& s : kShapes) {
          bench(*kernels, pool, s[0], s[1], s[2], trans[0] == 't', trans[1] == 't', options,
                core_peak);
        }
      }
    }
  }
  return 0;
}
