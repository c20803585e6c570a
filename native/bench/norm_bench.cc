// Normalisations and their gradients as whole steps: time, traffic by the fewest passes there can
// be, and its share of what copying gives for operands of the same size. Usage: norm_bench [name
// part] [level]; medians of nine windows. MYELIN_BENCH_THREADS=n, default 1.
//
// Fewest passes: a batch has to be read for its statistics before it is read and written, and its
// gradient likewise; rows and small samples are read once.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../step.h"

namespace {

using namespace myelin;
using Dims = std::vector<int64_t>;

double now() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Nanoseconds of one call: the median window of nine, each of at least 2 ms.
template <class F>
double time_of(F&& f) {
  const auto window = [&](int64_t calls) {
    const double start = now();
    for (int64_t i = 0; i < calls; ++i) f();
    return now() - start;
  };
  int64_t calls = 1;
  while (window(calls) < 2e6) calls *= 2;
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) times.push_back(window(calls) / static_cast<double>(calls));
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
}

TensorView view(const Dims& dims) {
  TensorView v{DType::kFloat32, static_cast<int32_t>(dims.size()), {}, 1};
  for (size_t i = 0; i < dims.size(); ++i) v.size *= v.dims[i] = dims[i];
  return v;
}

struct alignas(64) Line {
  std::byte bytes[64];
};
using Memory = std::vector<Line>;

struct Case {
  std::string name;
  PlanFunction plan;
  std::vector<TensorView> inputs, outputs;
  std::vector<int64_t> ints;
  bool has_epsilon;
  double passes;  // over x, in reads and writes
};

std::string text(const char* op, const Dims& dims) {
  std::string s = std::string(op) + " [";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) s += ',';
    s += std::to_string(dims[i]);
  }
  s += ']';
  return s;
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const Dims& d : {Dims{65536, 16}, Dims{16384, 32}, Dims{4096, 64}, Dims{100352, 64},
                        Dims{1568, 2048}, Dims{128, 512}}) {
    const TensorView x = view(d), c = view({d[1]});
    list.push_back({text("batchNorm", d), plan_batchNorm, {x, c, c}, {x, c, c}, {1, 1}, true, 3});
    list.push_back({text("batchNormGrad", d),
                    plan_batchNormGrad,
                    {x, x, c, c, c},
                    {x, c, c},
                    {1, 1},
                    true,
                    5});
  }
  for (const Dims& d : {Dims{768, 128}, Dims{1024, 1024}, Dims{8192, 4096}}) {
    const TensorView x = view(d), c = view({d[1]}), r = view({d[0]});
    list.push_back(
        {text("layerNorm", d), plan_layerNorm, {x, c, c}, {x, r, r}, {1, 1, 1}, true, 2});
    list.push_back({text("layerNormGrad", d),
                    plan_layerNormGrad,
                    {x, x, c, r, r},
                    {x, c, c},
                    {1, 1, 1},
                    false,
                    3});
    list.push_back({text("rmsNorm", d), plan_rmsNorm, {x, c}, {x, r}, {1, 1}, true, 2});
  }
  const Dims d = {32, 28, 28, 64};
  const TensorView x = view(d), c = view({64}), g = view({32, 8});
  list.push_back({text("groupNorm", d), plan_groupNorm, {x, c, c}, {x, g, g}, {8, 1, 1}, true, 2});
  list.push_back({text("groupNormGrad", d),
                  plan_groupNormGrad,
                  {x, x, c, g, g},
                  {x, c, c},
                  {8, 1, 1},
                  false,
                  3});
  return list;
}

double copy_time(ThreadPool& pool, int64_t bytes) {
  const auto lines = static_cast<size_t>(bytes / 64 + 1);
  Memory from(lines), to(lines);
  const int64_t chunks = std::max<int64_t>(1, bytes >> 17);
  const size_t each = lines / static_cast<size_t>(chunks);
  return time_of([&] {
    pool.parallel_for(chunks, [&](int64_t i, int) {
      const size_t at = static_cast<size_t>(i) * each;
      std::memcpy(static_cast<void*>(&to[at]), &from[at], each * 64);
    });
  });
}

void bench_step(const Case& c, const KernelTable& level, ThreadPool& pool) {
  StepSpec spec{};
  spec.inputs = c.inputs;
  spec.outputs = c.outputs;
  spec.attrs.ints = c.ints;
  if (c.has_epsilon) spec.attrs.floats = {1e-3f};
  const auto plan = c.plan(spec, {level, pool.threads()});
  std::vector<Memory> memory;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const auto* views : {&c.inputs, &c.outputs}) {
    for (const TensorView& v : *views) {
      memory.emplace_back(static_cast<size_t>(v.bytes() / 64 + 1));
      auto* p = reinterpret_cast<float*>(memory.back().data());
      for (int64_t i = 0; i < v.size; ++i)
        p[i] = static_cast<float>((i * 7919) % 4096) / 1024.0f - 1.0f;
    }
  }
  for (size_t i = 0; i < c.inputs.size(); ++i) in.push_back(memory[i].data());
  for (size_t o = 0; o < c.outputs.size(); ++o) out.push_back(memory[c.inputs.size() + o].data());
  Memory workspace(plan->workspace_bytes() / 64 + 1);
  RunStatus status;
  const RunContext context = {level, pool, reinterpret_cast<std::byte*>(workspace.data()), status};
  const ScopedFlushDenormals flush;
  const double ns = time_of([&] { plan->run(context, in.data(), out.data()); });
  const auto bytes = static_cast<double>(c.inputs[0].bytes());
  const double copy = copy_time(pool, c.inputs[0].bytes());
  std::printf("%-8s %d %-32s %11.1f ns %7.2f GB/s, %5.1f %% of copying\n", level.level,
              pool.threads(), c.name.c_str(), ns, c.passes * bytes / ns,
              100.0 * (c.passes / 2 * copy) / ns);
}

}  // namespace

int main(int argc, char** argv) {
  const char* part = argc > 1 && *argv[1] != '\0' ? argv[1] : nullptr;
  CpuLevel wanted = detect_best();
  if (argc > 2 && (!parse_level(argv[2], &wanted) || !supported(wanted))) {
    std::fprintf(stderr, "no level %s here\n", argv[2]);
    return 2;
  }
  const char* threads = std::getenv("MYELIN_BENCH_THREADS");
  ThreadPool pool(threads != nullptr ? std::atoi(threads) : 1);
  for (const Case& c : cases()) {
    if (part == nullptr || std::strstr(c.name.c_str(), part) != nullptr)
      bench_step(c, *kernel_table(wanted), pool);
  }
  return 0;
}
