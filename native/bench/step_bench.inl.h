// Runs planned steps on made-up data and prints GB/s (bytes read and written), and the share of
// what a memory copy of the same traffic reaches with the same threads: the bound of steps that
// only move data. Medians of seven windows. Include it after defining nothing; it is the whole
// harness.
#ifndef MYELIN_BENCH_STEP_BENCH_H_
#define MYELIN_BENCH_STEP_BENCH_H_

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>

#include "../step.h"
#include "stopwatch.h"

namespace {

using namespace myelin;
using Dims = std::vector<int64_t>;

TensorView view(DType dtype, const Dims& dims) {
  TensorView v{dtype, static_cast<int32_t>(dims.size()), {}, 1};
  for (size_t i = 0; i < dims.size(); ++i) v.size *= v.dims[i] = dims[i];
  return v;
}

struct alignas(64) Line {
  std::byte bytes[64];
};

struct Case {
  const char* name;
  PlanFunction plan;
  std::vector<int64_t> ints;
  std::vector<std::vector<int32_t>> lists;
  std::vector<TensorView> inputs, outputs;
  double traffic = 0;  // bytes; 0: all operands once
  std::vector<float> floats = {};
};

constexpr DType kF = DType::kFloat32, kI = DType::kInt32, kU = DType::kUint8;

// Seconds a call, the median of seven windows of some 20 ms.
double time_of(int threads, const std::function<void()>& call) {
  const auto seconds = [&](int64_t calls) {
    const double start = stopwatch(threads);
    for (int64_t i = 0; i < calls; ++i) call();
    return stopwatch(threads) - start;
  };
  int64_t calls = 1;
  while (seconds(calls) < 5e-3) calls *= 2;
  calls *= 4;
  double times[7];
  for (double& t : times) t = seconds(calls) / static_cast<double>(calls);
  std::nth_element(times, times + 3, times + 7);
  return times[3];
}

// Seconds that copying takes which reads and writes this many bytes in all.
double copy_time(double traffic, int threads, ThreadPool& pool) {
  const size_t words = std::max<size_t>(1, static_cast<size_t>(traffic / 8 / threads));
  std::vector<uint32_t> from(words * static_cast<size_t>(threads), 1), to(from.size());
  return time_of(threads, [&] {
    pool.parallel_for(threads, [&](int64_t part, int) {
      const size_t at = static_cast<size_t>(part) * words;
      std::memcpy(to.data() + at, from.data() + at, words * 4);
    });
  });
}

// Usage: <bench> [name part] [level].
[[maybe_unused]] int run_cases(const std::vector<Case>& cases, int argc, char** argv) {
  const char* filter = argc > 1 ? argv[1] : "";
  const KernelTable* kernels = kernel_table(detect_best());
  for (const CpuLevel level : kAllCpuLevels) {
    if (argc > 2 && std::strcmp(argv[2], level_name(level)) == 0 && supported(level))
      kernels = kernel_table(level);
  }
  std::printf("level %s\n%-40s %10s %8s %8s %8s %8s\n", kernels->level, "", "traffic", "threads",
              "us", "GB/s", "of copy");
  for (const Case& c : cases) {
    if (std::strstr(c.name, filter) == nullptr) continue;
    StepSpec spec{};
    spec.inputs = c.inputs;
    spec.outputs = c.outputs;
    spec.attrs.ints = c.ints;
    spec.attrs.lists = c.lists;
    spec.attrs.floats = c.floats;
    std::vector<Line*> memory;  // aligned as the engine's buffers are
    const auto allocate = [&](const TensorView& x) {
      const size_t lines = static_cast<size_t>(x.bytes()) / sizeof(Line) + 1;
      memory.push_back(new Line[lines]());
      return reinterpret_cast<uint32_t*>(memory.back());
    };
    std::vector<const void*> in;
    std::vector<void*> out;
    double traffic = 0;
    const int64_t rows = c.inputs.empty() || c.inputs[0].rank == 0 ? 1
                         : c.plan == plan_scatterAdd               ? c.outputs[0].dims[0]
                                                                   : c.inputs[0].dims[0];
    uint32_t state = 1;
    for (const TensorView& x : c.inputs) {
      uint32_t* words = allocate(x);
      for (int64_t i = 0; i < (x.bytes() + 3) / 4; ++i) {
        uint32_t& word = words[i];
        state = state * 1664525u + 1013904223u;
        const float value = static_cast<float>(state >> 8) * 0x1p-24f;
        std::memcpy(&word, &value, 4);
        if (x.dtype == DType::kInt32)
          word = static_cast<uint32_t>((uint64_t{state} * static_cast<uint64_t>(rows)) >> 32);
      }
      in.push_back(words);
      traffic += static_cast<double>(x.bytes());
    }
    for (const TensorView& x : c.outputs) {
      out.push_back(allocate(x));
      traffic += static_cast<double>(x.bytes());
    }
    if (c.traffic > 0) traffic = c.traffic;
    for (const int threads : {1, 2}) {
      ThreadPool pool(threads);
      const auto plan = c.plan(spec, {*kernels, threads});
      std::vector<uint64_t> workspace(plan->workspace_bytes() / 8 + 16);
      std::byte* aligned = reinterpret_cast<std::byte*>(workspace.data());
      aligned += 64 - reinterpret_cast<uintptr_t>(aligned) % 64;
      RunStatus status;
      const RunContext context{*kernels, pool, aligned, status};
      const double seconds = time_of(threads, [&] { plan->run(context, in.data(), out.data()); });
      if (!status.ok()) std::printf("%s\n", status.message().c_str());
      const double copy = copy_time(traffic, threads, pool);
      std::printf("%-40s %7.0f KB %8d %8.2f %8.1f %7.0f%%\n", c.name, traffic / 1024, threads,
                  seconds * 1e6, traffic / seconds * 1e-9, 100 * copy / seconds);
    }
    for (Line* lines : memory) delete[] lines;
  }
  return 0;
}

}  // namespace

#endif  // MYELIN_BENCH_STEP_BENCH_H_
