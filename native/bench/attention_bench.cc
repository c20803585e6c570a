// Attention and its gradient in GFLOP/s and as a share of this machine's measured peak: flops of
// the products alone, of the lower triangle where causal.
//   attention_bench [name part] [--level avx2] [--threads 1|2]
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "../step.h"
#include "fma_peak.h"

using namespace myelin;

namespace {

struct Case {
  const char* name;
  int64_t batch, queries, keys, heads, key_heads, depth;
  bool causal, masked;
  float rate;
};

constexpr Case kCases[] = {
    {"gpt 12x64 4x32 causal", 12, 64, 64, 4, 4, 32, true, false, 0},
    {"bert-mini 1x128 4x64", 1, 128, 128, 4, 4, 64, false, false, 0},
    {"bert-mini 8x128 4x64 masked", 8, 128, 128, 4, 4, 64, false, true, 0},
    {"gpt2 1x1024 12x64 causal", 1, 1024, 1024, 12, 12, 64, true, false, 0},
    {"long 1x2048 8x64", 1, 2048, 2048, 8, 8, 64, false, false, 0},
    {"long 1x2048 8x64 causal", 1, 2048, 2048, 8, 8, 64, true, false, 0},
    {"long 1x2048 8x64 dropout", 1, 2048, 2048, 8, 8, 64, false, false, 0.1f},
    {"grouped 1x1024 8/2x64 causal", 1, 1024, 1024, 8, 2, 64, true, false, 0},
    {"one query 1x1024 8x64", 1, 1, 1024, 8, 8, 64, false, false, 0},
};

TensorView view(DType dtype, const std::vector<int64_t>& dims) {
  TensorView v{dtype, static_cast<int32_t>(dims.size()), {}, 1};
  for (size_t i = 0; i < dims.size(); ++i) v.size *= v.dims[i] = dims[i];
  return v;
}

// The best of some runs, in seconds.
double time_of(int threads, const std::function<void()>& call) {
  double best = 1e9;
  const double end = stopwatch(2) + 0.25;
  for (int round = 0; round < 3 || stopwatch(2) < end; ++round) {
    const double start = stopwatch(threads);
    call();
    best = std::min(best, stopwatch(threads) - start);
  }
  return best;
}

void bench(const Case& c, bool backward, const KernelTable& kernels, int threads, double& peak) {
  StepSpec spec{};
  spec.attrs.ints = {c.causal, c.masked, 1};
  spec.attrs.floats = {0.125f, c.rate};
  const TensorView q = view(DType::kFloat32, {c.batch, c.queries, c.heads, c.depth});
  const TensorView k = view(DType::kFloat32, {c.batch, c.keys, c.key_heads, c.depth});
  const TensorView rows = view(DType::kFloat32, {c.batch, c.queries, c.heads});
  spec.inputs = {q, k, k};
  if (c.masked) spec.inputs.push_back(view(DType::kBool, {c.batch, 1, 1, c.keys}));
  if (c.rate > 0) {
    spec.inputs.push_back(view(DType::kInt32, {2}));
    spec.inputs.push_back(view(DType::kInt32, {}));
  }
  if (backward) spec.inputs.insert(spec.inputs.end(), {rows, q, rows});
  spec.outputs = backward ? std::vector<TensorView>{q, k, k} : std::vector<TensorView>{q, rows};

  std::vector<std::vector<float>> memory;
  std::vector<const void*> in;
  std::vector<void*> out;
  uint32_t state = 1;
  for (const TensorView& x : spec.inputs) {
    memory.emplace_back(static_cast<size_t>(x.size) + 16);
    for (float& v : memory.back()) {
      state = state * 1664525u + 1013904223u;
      v = static_cast<float>(state >> 8) * 0x1p-24f;
    }
    if (x.dtype == DType::kBool) std::memset(memory.back().data(), 1, static_cast<size_t>(x.size));
    in.push_back(memory.back().data());
  }
  for (const TensorView& x : spec.outputs) {
    memory.emplace_back(static_cast<size_t>(x.size) + 16);
    out.push_back(memory.back().data());
  }
  ThreadPool pool(threads);
  const auto plan = (backward ? plan_dotProductAttentionGrad : plan_dotProductAttention)(
      spec, {kernels, threads});
  std::vector<uint64_t> workspace(plan->workspace_bytes() / 8 + 16);
  std::byte* aligned = reinterpret_cast<std::byte*>(workspace.data());
  aligned += 64 - reinterpret_cast<uintptr_t>(aligned) % 64;
  RunStatus status;
  const RunContext context{kernels, pool, aligned, status};
  const double seconds = time_of(threads, [&] { plan->run(context, in.data(), out.data()); });
  for (int i = 0; i < 8; ++i) peak = std::max(peak, fma_gflops(kernels));
  const double pairs = static_cast<double>(c.batch * c.heads * c.queries) *
                       static_cast<double>(c.causal ? c.keys + 1 : c.keys * 2) / 2;
  const double flop = (backward ? 5 : 2) * 2.0 * pairs * static_cast<double>(c.depth);
  std::printf("%-30s %-8s %2d threads %10.1f us %8.1f GFLOP/s %5.1f %% %8.0f KB workspace\n",
              c.name, backward ? "backward" : "forward", threads, seconds * 1e6,
              1e-9 * flop / seconds, 100 * 1e-9 * flop / seconds / (peak * threads),
              static_cast<double>(plan->workspace_bytes()) / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  const KernelTable* kernels = kernel_table(detect_best());
  const char* filter = "";
  int only = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      only = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--level") == 0 && i + 1 < argc) {
      ++i;
      for (const CpuLevel level : kAllCpuLevels) {
        if (std::strcmp(argv[i], level_name(level)) == 0 && supported(level))
          kernels = kernel_table(level);
      }
    } else {
      filter = argv[i];
    }
  }
  double peak = 0;
  for (int i = 0; i < 50; ++i) peak = std::max(peak, fma_gflops(*kernels));
  std::printf("level %s, peak of a core %.1f GFLOP/s\n", kernels->level, peak);
  for (const Case& c : kCases) {
    if (std::strstr(c.name, filter) == nullptr) continue;
    for (const int threads : {1, 2}) {
      if (only != 0 && only != threads) continue;
      for (const bool backward : {false, true}) bench(c, backward, *kernels, threads, peak);
    }
  }
}
