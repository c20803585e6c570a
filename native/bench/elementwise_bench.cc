// Kernels in L1 in elements per nanosecond, and whole steps in nanoseconds and GB/s beside a stream
// of the same traffic. Usage: elementwise_bench [name part] [level]; medians of nine windows.
// MYELIN_BENCH_THREADS=n: for steps, default 1.
#include <algorithm>
#include <chrono>
#include <ctime>
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

int g_threads = 1;

// One thread: its own time, so that neighbours on a busy machine count only through caches and
// memory.
double now() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  if (g_threads == 1) {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  }
#endif
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

TensorView view(DType dtype, const Dims& dims) {
  TensorView v{dtype, static_cast<int32_t>(dims.size()), {}, 1};
  for (size_t i = 0; i < dims.size(); ++i) v.size *= v.dims[i] = dims[i];
  return v;
}

struct alignas(64) Line {
  std::byte bytes[64];
};
using Memory = std::vector<Line>;

void fill(Memory& memory, DType dtype) {
  auto* words = reinterpret_cast<int32_t*>(memory.data());
  for (size_t i = 0; i < memory.size() * 16; ++i) {
    const float x = static_cast<float>((i * 7919) % 4096) / 1024.0f - 2.0f;
    if (dtype == DType::kFloat32) std::memcpy(words + i, &x, 4);
    if (dtype == DType::kInt32) words[i] = static_cast<int32_t>(i % 10);
    if (bytes_of(dtype) == 1) words[i] = 0x01000100;
  }
}

void bench_kernels(const KernelTable& level, const char* part) {
  static const char* const names[] = {
#define MYELIN_X(name, arity) #name,
      MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
  };
  MicroKernel* const kernels[] = {
#define MYELIN_X(name, arity) level.name,
      MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
  };
  constexpr int64_t kLanes = 1024;
  Memory a(kLanes / 16), b(kLanes / 16), c(kLanes / 16), out(kLanes / 16);
  for (int op = 0; op < kMicroOpCount; ++op) {
    if (part != nullptr && std::strstr(names[op], part) == nullptr) continue;
    const bool floats = std::strstr(names[op], "f32") != nullptr;
    for (Memory* m : {&a, &b, &c}) fill(*m, floats ? DType::kFloat32 : DType::kInt32);
    const double ns =
        time_of([&] { kernels[op](a.data(), b.data(), c.data(), out.data(), kLanes); });
    std::printf("%-8s %-18s %7.1f ns per 1024, %6.2f elements/ns\n", level.level, names[op], ns,
                kLanes / ns);
  }
}

struct Case {
  const char* name;
  PlanFunction plan;
  std::vector<TensorView> inputs, outputs;
  std::vector<float> floats = {};
  std::vector<int64_t> ints = {};
  std::vector<ChainInstruction> chain = {};
  std::vector<ChainOutput> chain_outputs = {};
  int64_t inner = 1;
  std::vector<std::pair<size_t, size_t>> in_place = {};
};

constexpr DType kF = DType::kFloat32, kI = DType::kInt32, kB = DType::kBool;
constexpr ChainReduction kNone = ChainReduction::kNone, kSum = ChainReduction::kSum;

Case chain(const char* name, const Dims& dims, const std::vector<Dims>& inputs,
           std::vector<ChainInstruction> body) {
  Case c = {name, plan_elementwise, {}, {view(kF, dims)}};
  for (const Dims& input : inputs) c.inputs.push_back(view(kF, input));
  c.chain_outputs = {{static_cast<int32_t>(inputs.size() + body.size()) - 1, kNone}};
  c.chain = std::move(body);
  return c;
}

std::vector<Case> cases() {
  const ChainInstruction add = {MicroOp::add_f32, {0, 1, 0}};
  const std::vector<ChainInstruction> bias_relu = {add, {MicroOp::relu_f32, {2, 0, 0}}};
  // tanh-GELU of x * scale + bias: eleven instructions
  const std::vector<ChainInstruction> gelu = {
      {MicroOp::multiply_f32, {0, 1, 0}}, {MicroOp::add_f32, {4, 2, 0}},
      {MicroOp::square_f32, {5, 0, 0}},   {MicroOp::multiply_f32, {6, 5, 0}},
      {MicroOp::multiply_f32, {7, 3, 0}}, {MicroOp::add_f32, {8, 5, 0}},
      {MicroOp::multiply_f32, {9, 3, 0}}, {MicroOp::tanh_f32, {10, 0, 0}},
      {MicroOp::add_f32, {11, 3, 0}},     {MicroOp::multiply_f32, {12, 5, 0}},
      {MicroOp::multiply_f32, {13, 3, 0}}};
  std::vector<Case> list;
  const int64_t kBig = 1 << 24;
  list.push_back(chain("add [4,8]", {4, 8}, {{4, 8}, {4, 8}}, {add}));
  list.push_back(chain("add scalar [4,8]", {4, 8}, {{4, 8}, {}}, {add}));
  list.push_back(chain("bias relu [4,8]", {4, 8}, {{4, 8}, {8}}, bias_relu));
  list.push_back(chain("gelu [4,8]", {4, 8}, {{4, 8}, {}, {8}, {}}, gelu));
  list.push_back(chain("bias relu [128,10]", {128, 10}, {{128, 10}, {10}}, bias_relu));
  list.push_back(chain("bias relu [256,256]", {256, 256}, {{256, 256}, {256}}, bias_relu));
  list.push_back(chain("column add [200,300]", {200, 300}, {{200, 300}, {200, 1}}, {add}));
  list.push_back(chain("bias relu [128,512]", {128, 512}, {{128, 512}, {512}}, bias_relu));
  list.push_back(chain("column add [128,512]", {128, 512}, {{128, 512}, {128, 1}}, {add}));
  list.push_back(chain("column add [6554,10]", {6554, 10}, {{6554, 10}, {6554, 1}}, {add}));
  list.push_back(chain("outer add [256,256]", {256, 256}, {{256, 1}, {256}}, {add}));
  list.push_back(chain("outer add [2048,32]", {2048, 32}, {{2048, 1}, {32}}, {add}));
  list.push_back(chain("gelu [128,512]", {128, 512}, {{128, 512}, {}, {512}, {}}, gelu));
  list.push_back(chain("add [16M]", {kBig}, {{kBig}, {kBig}}, {add}));
  list.push_back(chain("copy [16M]", {kBig}, {{kBig}}, {{MicroOp::copy, {0, 0, 0}}}));
  list.push_back(chain("gelu [32768,512]", {32768, 512}, {{32768, 512}, {}, {512}, {}}, gelu));
  Case norm = chain("sum of squares [16M]", {kBig}, {{kBig}}, {{MicroOp::square_f32, {0, 0, 0}}});
  norm.outputs = {view(kF, {})};
  norm.inner = kBig;
  norm.chain_outputs = {{1, kSum}};
  list.push_back(norm);
  Case rows = chain("row sums of products [128,10]", {128, 10}, {{128, 10}, {128, 10}},
                    {{MicroOp::multiply_f32, {0, 1, 0}}});
  rows.outputs = {view(kF, {128})};
  rows.inner = 10;
  rows.chain_outputs = {{2, kSum}};
  list.push_back(rows);
  Case mask =
      chain("mask to bool [16M]", {kBig}, {{kBig}, {}}, {{MicroOp::greater_f32, {0, 1, 0}}});
  mask.outputs = {view(kB, {kBig})};
  list.push_back(mask);
  for (const Dims& d : {Dims{4, 10}, Dims{128, 10}, Dims{128, 1000}, Dims{16384, 1000}}) {
    const TensorView x = view(kF, d), r = view(kF, {d[0]}), labels = view(kI, {d[0]});
    const auto text = [&](const char* op) {
      return (new std::string(std::string(op) + " [" + std::to_string(d[0]) + "," +
                              std::to_string(d[1]) + "]"))
          ->c_str();
    };
    list.push_back({text("softmax"), plan_softmax, {x}, {x}});
    list.push_back({text("logSoftmax"), plan_logSoftmax, {x}, {x}});
    list.push_back(
        {text("sparseSoftmaxCrossEntropy"), plan_sparseSoftmaxCrossEntropy, {x, labels}, {r, r}});
    list.push_back({text("sparseSoftmaxCrossEntropyGrad"),
                    plan_sparseSoftmaxCrossEntropyGrad,
                    {x, labels, r, r},
                    {x}});
  }
  // What an epilogue adds to the product.
  for (const Dims& d :
       {Dims{4, 2, 8}, Dims{128, 784, 512}, Dims{128, 256, 10}, Dims{1024, 1024, 1024}}) {
    for (const bool body : {false, true}) {
      const Dims out = {d[0], d[2]};
      Case c = chain((new std::string("matmul" + std::string(body ? " bias relu [" : " [") +
                                      std::to_string(d[0]) + "," + std::to_string(d[1]) + "," +
                                      std::to_string(d[2]) + "]"))
                         ->c_str(),
                     out, {}, {});
      c.plan = plan_matmul;
      c.ints = {0, 0};
      c.inputs = {view(kF, {d[0], d[1]}), view(kF, {d[1], d[2]})};
      if (body) {
        c.inputs.push_back(view(kF, {d[2]}));
        c.chain = bias_relu;
        c.chain_outputs = {{3, kNone}};
      }
      list.push_back(c);
    }
  }
  const auto update = [&](const char* name, bool is_adam, const std::vector<Dims>& shapes) {
    Case c = {name, is_adam ? plan_adamUpdate : plan_sgdUpdate, {view(kF, {}), view(kI, {})}, {}};
    c.floats = is_adam ? std::vector<float>{0.9f, 0.999f, 1e-7f, 0.0f, 0.0f, 0.0f}
                       : std::vector<float>{0.9f, 0.0f, 0.0f, 0.0f};
    c.ints = {0, 0, 0, 0};
    for (const Dims& d : shapes) {
      const int inputs = is_adam ? 4 : 3;
      for (int i = 0; i < inputs; ++i) {
        if (i != 1) c.in_place.push_back({c.outputs.size(), c.inputs.size()});
        if (i != 1) c.outputs.push_back(view(kF, d));
        c.inputs.push_back(view(kF, d));
      }
    }
    return c;
  };
  const std::vector<Dims> xor_model = {{2, 8}, {8}, {8, 1}, {1}};
  const std::vector<Dims> mlp = {{784, 512}, {512}, {512, 256}, {256}, {256, 10}, {10}};
  list.push_back(update("adam xor", true, xor_model));
  list.push_back(update("adam mlp", true, mlp));
  list.push_back(update("adam [1M]", true, {{1 << 20}}));
  list.push_back(update("adam [16M]", true, {{kBig}}));
  list.push_back(update("sgd mlp", false, mlp));
  list.push_back(update("sgd [16M]", false, {{kBig}}));
  return list;
}

void bench_step(const Case& c, const KernelTable& level, ThreadPool& pool) {
  StepSpec spec{};
  spec.inputs = c.inputs;
  spec.outputs = c.outputs;
  spec.attrs.floats = c.floats;
  spec.attrs.ints = c.ints;
  if (!c.chain.empty()) {
    const TensorView* space = &c.outputs[0];
    if (c.inner > 1) space = &c.inputs[0];
    spec.attrs.chain = std::make_unique<Chain>();
    Chain& body = *spec.attrs.chain;
    body.inputs = static_cast<int32_t>(c.inputs.size()) - (c.plan == plan_matmul ? 1 : 0);
    body.rank = space->rank;
    std::copy(space->dims, space->dims + space->rank, body.dims);
    body.inner = c.inner;
    body.instructions = c.chain;
    body.outputs = c.chain_outputs;
  }
  const auto plan = c.plan(spec, {level, pool.threads()});
  std::vector<Memory> memory;
  std::vector<const void*> in;
  std::vector<void*> out;
  double traffic = 0;
  for (const auto* views : {&c.inputs, &c.outputs}) {
    for (const TensorView& v : *views) {
      memory.emplace_back(static_cast<size_t>(v.bytes() / 64 + 1));
      fill(memory.back(), v.dtype);
      traffic += static_cast<double>(v.bytes());
    }
  }
  for (size_t i = 0; i < c.inputs.size(); ++i) in.push_back(memory[i].data());
  for (size_t o = 0; o < c.outputs.size(); ++o) out.push_back(memory[c.inputs.size() + o].data());
  for (const auto& [o, i] : c.in_place) out[o] = memory[i].data();
  Memory workspace(plan->workspace_bytes() / 64 + 1);
  RunStatus status;
  const RunContext context = {level, pool, reinterpret_cast<std::byte*>(workspace.data()), status};
  const ScopedFlushDenormals flush;
  const double ns = time_of([&] { plan->run(context, in.data(), out.data()); });
  std::printf("%-8s %d %-42s %11.1f ns %7.2f GB/s\n", level.level, pool.threads(), c.name, ns,
              traffic / ns);
}

}  // namespace

int main(int argc, char** argv) {
  const char* part = argc > 1 && *argv[1] != '\0' ? argv[1] : nullptr;
  CpuLevel wanted = detect_best();
  if (argc > 2 && (!parse_level(argv[2], &wanted) || !supported(wanted))) {
    std::fprintf(stderr, "no level %s here\n", argv[2]);
    return 2;
  }
  const KernelTable& level = *kernel_table(wanted);
  const char* threads = std::getenv("MYELIN_BENCH_THREADS");
  if (threads != nullptr) g_threads = std::atoi(threads);
  ThreadPool pool(g_threads);
  {  // what memory gives: the bound of the large cases
    const size_t bytes = size_t{64} << 20;
    Memory from(bytes / 64), to(bytes / 64);
    const int64_t chunks = 256;
    const double ns = time_of([&] {
      pool.parallel_for(chunks, [&](int64_t i, int) {
        const size_t each = from.size() / chunks;
        std::memcpy(static_cast<void*>(&to[static_cast<size_t>(i) * each]),
                    &from[static_cast<size_t>(i) * each], each * 64);
      });
    });
    std::printf("memcpy of 64 MiB, %d threads: %.2f GB/s read and written\n", pool.threads(),
                2 * static_cast<double>(bytes) / ns);
  }
  bench_kernels(level, part);
  for (const Case& c : cases()) {
    if (part == nullptr || std::strstr(c.name, part) != nullptr) bench_step(c, level, pool);
  }
  return 0;
}
