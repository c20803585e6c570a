// Reductions and moves in GB/s (bytes read and written), beside a memory copy of the same traffic
// at the same threads. Usage: reduce_bench [name part] [level]; medians of seven windows.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>

#include "../step.h"

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
};

constexpr DType kF = DType::kFloat32, kI = DType::kInt32, kU = DType::kUint8;

std::vector<Case> cases() {
  return {
      {"sum [4,8] rows", plan_sum, {1, 2}, {}, {view(kF, {4, 8})}, {view(kF, {4})}},
      {"sum [8,4] columns", plan_sum, {0, 1}, {}, {view(kF, {8, 4})}, {view(kF, {4})}},
      {"sum [128,10] rows", plan_sum, {1, 2}, {}, {view(kF, {128, 10})}, {view(kF, {128})}},
      {"sum [128,10] columns", plan_sum, {0, 1}, {}, {view(kF, {128, 10})}, {view(kF, {10})}},
      {"sum [128,256] rows", plan_sum, {1, 2}, {}, {view(kF, {128, 256})}, {view(kF, {128})}},
      {"sum [128,512] columns", plan_sum, {0, 1}, {}, {view(kF, {128, 512})}, {view(kF, {512})}},
      {"sum [256,41] columns", plan_sum, {0, 1}, {}, {view(kF, {256, 41})}, {view(kF, {41})}},
      {"sum [1M]", plan_sum, {0, 1}, {}, {view(kF, {1 << 20})}, {view(kF, {})}},
      {"sum [32M]", plan_sum, {0, 1}, {}, {view(kF, {1 << 25})}, {view(kF, {})}},
      {"max [32M]", plan_max, {0, 1}, {}, {view(kF, {1 << 25})}, {view(kF, {})}},
      {"argmax [32M]", plan_argmax, {0}, {}, {view(kF, {1 << 25})}, {view(kI, {})}},
      {"sum [60000,784] columns",
       plan_sum,
       {0, 1},
       {},
       {view(kF, {60000, 784})},
       {view(kF, {784})}},
      {"max [60000,784] columns",
       plan_max,
       {0, 1},
       {},
       {view(kF, {60000, 784})},
       {view(kF, {784})}},
      {"sum [3M,10] columns", plan_sum, {0, 1}, {}, {view(kF, {3000000, 10})}, {view(kF, {10})}},
      {"sum [64,1000,512] middle",
       plan_sum,
       {1, 2},
       {},
       {view(kF, {64, 1000, 512})},
       {view(kF, {64, 512})}},
      {"argmax [10000,10]", plan_argmax, {1}, {}, {view(kF, {10000, 10})}, {view(kI, {10000})}},
      {"argmax [1000,3000] columns",
       plan_argmax,
       {0},
       {},
       {view(kF, {1000, 3000})},
       {view(kI, {3000})}},
      {"cumsum [1000,10000]",
       plan_cumsum,
       {1, 0, 0},
       {},
       {view(kF, {1000, 10000})},
       {view(kF, {1000, 10000})}},
      {"cumsum [10000,1000] columns",
       plan_cumsum,
       {0, 0, 0},
       {},
       {view(kF, {10000, 1000})},
       {view(kF, {10000, 1000})}},
      {"sort [60000]",
       plan_sort,
       {0, 0},
       {},
       {view(kF, {60000})},
       {view(kF, {60000}), view(kI, {60000})}},
      {"sort [1000,100]",
       plan_sort,
       {1, 0},
       {},
       {view(kF, {1000, 100})},
       {view(kF, {1000, 100}), view(kI, {1000, 100})}},
      {"transpose [64,64]",
       plan_transpose,
       {},
       {{1, 0}},
       {view(kF, {64, 64})},
       {view(kF, {64, 64})}},
      {"transpose [512,784]",
       plan_transpose,
       {},
       {{1, 0}},
       {view(kF, {512, 784})},
       {view(kF, {784, 512})}},
      {"transpose [1024,1024]",
       plan_transpose,
       {},
       {{1, 0}},
       {view(kF, {1024, 1024})},
       {view(kF, {1024, 1024})}},
      {"transpose [5000,5001]",
       plan_transpose,
       {},
       {{1, 0}},
       {view(kF, {5000, 5001})},
       {view(kF, {5001, 5000})}},
      {"transpose [64,32,32,3] to NCHW",
       plan_transpose,
       {},
       {{0, 3, 1, 2}},
       {view(kF, {64, 32, 32, 3})},
       {view(kF, {64, 3, 32, 32})}},
      {"transpose [64,3,32,32] to NHWC",
       plan_transpose,
       {},
       {{0, 2, 3, 1}},
       {view(kF, {64, 3, 32, 32})},
       {view(kF, {64, 32, 32, 3})}},
      {"transpose [8,128,8,64] heads",
       plan_transpose,
       {},
       {{0, 2, 1, 3}},
       {view(kF, {8, 128, 8, 64})},
       {view(kF, {8, 8, 128, 64})}},
      {"transpose u8 [1000,3000]",
       plan_transpose,
       {},
       {{1, 0}},
       {view(kU, {1000, 3000})},
       {view(kU, {3000, 1000})}},
      {"slice [1024,1024] to [512,512]",
       plan_slice,
       {},
       {{256, 256}, {1, 1}},
       {view(kF, {1024, 1024})},
       {view(kF, {512, 512})},
       2 << 20},
      {"slice step 2 [1024,1024]",
       plan_slice,
       {},
       {{0, 0}, {1, 2}},
       {view(kF, {1024, 1024})},
       {view(kF, {1024, 512})},
       6 << 20},
      {"concatenate 2 x [1024,512]",
       plan_concatenate,
       {1},
       {},
       {view(kF, {1024, 512}), view(kF, {1024, 512})},
       {view(kF, {1024, 1024})}},
      {"reverse [1024,1024] rows",
       plan_reverse,
       {},
       {{1}},
       {view(kF, {1024, 1024})},
       {view(kF, {1024, 1024})}},
      {"pad [64,28,28,16]",
       plan_pad,
       {},
       {{0, 1, 1, 0}, {0, 0, 0, 0}},
       {view(kF, {64, 28, 28, 16})},
       {view(kF, {64, 30, 30, 16})}},
      {"gather 128 of [60000,784]",
       plan_gather,
       {0},
       {},
       {view(kF, {60000, 784}), view(kI, {128})},
       {view(kF, {128, 784})},
       2 * 128 * 784 * 4},
      {"gather 20000 of [60000,784]",
       plan_gather,
       {0},
       {},
       {view(kF, {60000, 784}), view(kI, {20000})},
       {view(kF, {20000, 784})},
       2.0 * 20000 * 784 * 4},
      {"gather 60000 of [60000,41]",
       plan_gather,
       {0},
       {},
       {view(kF, {60000, 41}), view(kI, {60000})},
       {view(kF, {60000, 41})}},
      {"gather 4 of [4,2]",
       plan_gather,
       {0},
       {},
       {view(kF, {4, 2}), view(kI, {4})},
       {view(kF, {4, 2})}},
      {"gather 128 labels",
       plan_gather,
       {0},
       {},
       {view(kI, {60000}), view(kI, {128})},
       {view(kI, {128})},
       128 * 12},
      {"gather 256 of [10000,64]",
       plan_gather,
       {0},
       {},
       {view(kF, {10000, 64}), view(kI, {256})},
       {view(kF, {256, 64})},
       2.0 * 256 * 64 * 4},
      {"gather 2560 of [10000,128]",
       plan_gather,
       {0},
       {},
       {view(kF, {10000, 128}), view(kI, {2560})},
       {view(kF, {2560, 128})},
       2.0 * 2560 * 128 * 4},
      {"scatterAdd 256 to [10000,64]",
       plan_scatterAdd,
       {0},
       {},
       {view(kI, {256}), view(kF, {256, 64})},
       {view(kF, {10000, 64})},
       4.0 * (10000 * 64 + 3 * 256 * 64)},
      {"scatterAdd 2560 to [10000,128]",
       plan_scatterAdd,
       {0},
       {},
       {view(kI, {2560}), view(kF, {2560, 128})},
       {view(kF, {10000, 128})},
       4.0 * (10000 * 128 + 3 * 2560 * 128)},
      {"scatterAdd 4096 to [10000,64]",
       plan_scatterAdd,
       {0},
       {},
       {view(kI, {4096}), view(kF, {4096, 64})},
       {view(kF, {10000, 64})},
       4.0 * (10000 * 64 + 3 * 4096 * 64)},
      {"scatterAdd 60000 to [1000]",
       plan_scatterAdd,
       {0},
       {},
       {view(kI, {60000}), view(kF, {60000})},
       {view(kF, {1000})}},
      {"iota [1M]", plan_iota, {}, {}, {}, {view(kI, {1 << 20})}},
      {"randomBits [4]", plan_randomBits, {1}, {}, {view(kI, {2}), view(kI, {})}, {view(kI, {4})}},
      {"randomBits [128,512]",
       plan_randomBits,
       {1},
       {},
       {view(kI, {2}), view(kI, {})},
       {view(kI, {128, 512})}},
      {"randomBits [1M]",
       plan_randomBits,
       {1},
       {},
       {view(kI, {2}), view(kI, {})},
       {view(kI, {1 << 20})}},
  };
}

// One thread is timed by its own processor time, which leaves out what neighbours take away.
double stopwatch(int threads) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec t;
  if (threads == 1 && clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0)
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
#endif
  (void)threads;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

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

}  // namespace

int main(int argc, char** argv) {
  const char* filter = argc > 1 ? argv[1] : "";
  const KernelTable* kernels = kernel_table(detect_best());
  for (const CpuLevel level : kAllCpuLevels) {
    if (argc > 2 && std::strcmp(argv[2], level_name(level)) == 0 && supported(level))
      kernels = kernel_table(level);
  }
  std::printf("level %s\n%-34s %10s %8s %8s %8s\n", kernels->level, "", "traffic", "threads", "us",
              "GB/s");
  for (const Case& c : cases()) {
    if (std::strstr(c.name, filter) == nullptr) continue;
    StepSpec spec{};
    spec.inputs = c.inputs;
    spec.outputs = c.outputs;
    spec.attrs.ints = c.ints;
    spec.attrs.lists = c.lists;
    if (c.plan == plan_pad) spec.attrs.floats = {0.0f};
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
      std::printf("%-34s %7.0f KB %8d %8.2f %8.1f\n", c.name, traffic / 1024, threads,
                  seconds * 1e6, traffic / seconds * 1e-9);
    }
    for (Line* lines : memory) delete[] lines;
  }
  // What memory gives: half the bytes read, half written, or all read.
  for (const size_t bytes : {size_t{128} << 10, size_t{1} << 20, size_t{128} << 20}) {
    std::vector<uint32_t> from(bytes / 4, 1), to(bytes / 4);
    for (const int threads : {1, 2}) {
      ThreadPool pool(threads);
      const double seconds = time_of(threads, [&] {
        pool.parallel_for(threads, [&](int64_t part, int) {
          const size_t share = bytes / static_cast<size_t>(threads) / 4;
          std::memcpy(to.data() + static_cast<size_t>(part) * share,
                      from.data() + static_cast<size_t>(part) * share, share * 4);
        });
      });
      std::printf("%-34s %7.0f KB %8d %8.2f %8.1f\n", "memcpy",
                  2 * static_cast<double>(bytes) / 1024, threads, seconds * 1e6,
                  2 * static_cast<double>(bytes) / seconds * 1e-9);
    }
  }
}
