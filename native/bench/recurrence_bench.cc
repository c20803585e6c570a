// Recurrent sequences, forward and backward, against this machine's multiply-add peak: the flops of
// their products with the recurrent kernel, which is all they do besides elementary functions.
//   recurrence_bench [name part] [level]
// Prints milliseconds (medians), GFLOP/s and the share of the peak of as many cores.
#include "step_bench.inl.h"
#include "fma_peak.h"

namespace {

struct Sequence {
  const char* name;
  int64_t gates;
  PlanFunction forward, backward;
};

constexpr Sequence kSequences[] = {{"lstm", 4, plan_lstm, plan_lstmGrad},
                                   {"gru", 3, plan_gru, plan_gruGrad},
                                   {"simpleRnn", 1, plan_simpleRnn, plan_simpleRnnGrad}};

// Operands of one run, in the order of src/ops/lstm.ts, gru.ts and simple-rnn.ts.
void forms(const Sequence& s, int64_t b, int64_t t, int64_t u, StepSpec& forward,
           StepSpec& backward) {
  const TensorView z = view(kF, {b, t, s.gates * u}), kernel = view(kF, {u, s.gates * u});
  const TensorView all = view(kF, {b, t, u}), state = view(kF, {b, u});
  forward.attrs.ints = {0};
  backward.attrs.ints = {0, 0, 1, 0};
  if (s.gates == 4) {
    forward.inputs = {z, kernel, state, state};
    forward.outputs = {all, state, state, z, all};
    backward.inputs = {kernel, state, z, all, all};
    backward.outputs = {z, state, state};
  } else if (s.gates == 3) {
    forward.inputs = {z, kernel, view(kF, {3 * u}), state};
    forward.outputs = {all, state, z, all};
    backward.inputs = {kernel, state, all, z, all, all};
    backward.outputs = {z, z, state};
  } else {
    forward.inputs = {z, kernel, state};
    forward.outputs = {all, state};
    backward.inputs = {kernel, all, all};
    backward.outputs = {z, state};
  }
}

void bench(const char* name, PlanFunction plan, const StepSpec& spec, double flop,
           const KernelTable& kernels, double peak) {
  std::vector<std::vector<Line>> memory;
  const auto allocate = [&](const TensorView& x, bool fill) {
    memory.emplace_back(static_cast<size_t>(x.bytes()) / sizeof(Line) + 1);
    auto* data = reinterpret_cast<float*>(memory.back().data());
    // Values whose squares and derivatives stay in range, as gates do.
    for (int64_t i = 0; fill && i < x.size; ++i) data[i] = static_cast<float>(i % 19) * 0.04f;
    return data;
  };
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const TensorView& x : spec.inputs) in.push_back(allocate(x, true));
  for (const TensorView& x : spec.outputs) out.push_back(allocate(x, false));
  std::printf("%-28s", name);
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    const auto planned = plan(spec, {kernels, threads});
    std::vector<Line> workspace(planned->workspace_bytes() / sizeof(Line) + 1);
    RunStatus status;
    const RunContext context = {kernels, pool, reinterpret_cast<std::byte*>(workspace.data()),
                                status};
    const double seconds = time_of(threads, [&] { planned->run(context, in.data(), out.data()); });
    std::printf(" %9.3f %8.1f %6.1f%%", 1e3 * seconds, 1e-9 * flop / seconds,
                100e-9 * flop / seconds / (peak * threads));
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const char* filter = argc > 1 ? argv[1] : "";
  const KernelTable* kernels = kernel_table(detect_best());
  for (const CpuLevel level : kAllCpuLevels) {
    if (argc > 2 && std::strcmp(argv[2], level_name(level)) == 0 && supported(level))
      kernels = kernel_table(level);
  }
  const ScopedFlushDenormals flush;
  const double peak = fma_peak(*kernels);
  std::printf("level %s, %.1f GFLOP/s a core\n%-28s %26s %26s\n", kernels->level, peak, "",
              "1 thread: ms, GFLOP/s", "2 threads: ms, GFLOP/s");
  const int64_t sizes[][3] = {{32, 100, 128}, {32, 80, 64}, {128, 50, 256}, {1, 100, 128}};
  for (const auto& [b, t, u] : sizes) {
    for (const Sequence& s : kSequences) {
      StepSpec forward{}, backward{};
      forms(s, b, t, u, forward, backward);
      const double flop = 2.0 * static_cast<double>(b * t * u) * static_cast<double>(s.gates * u);
      for (const bool grad : {false, true}) {
        char name[64];
        std::snprintf(name, sizeof name, "%s%s [%d,%d,%d]", s.name, grad ? "Grad" : "",
                      static_cast<int>(b), static_cast<int>(t), static_cast<int>(u));
        if (std::strstr(name, filter) == nullptr) continue;
        bench(name, grad ? s.backward : s.forward, grad ? backward : forward, flop, *kernels, peak);
      }
    }
  }
  return 0;
}
