// Runs one planned step on ordinary vectors, at every level and with one and two threads: the tests
// of native/ops see operands and results, not buffers. Results have guards around them, bits must
// not depend on the threads, and a run must not allocate.
#ifndef MYELIN_TESTS_STEP_RUNNER_H_
#define MYELIN_TESTS_STEP_RUNNER_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../step.h"
#include "allocations.h"
#include "test.h"

namespace myelin::test {

using Dims = std::vector<int64_t>;

inline int64_t size_of(const Dims& dims) {
  int64_t size = 1;
  for (const int64_t d : dims) size *= d;
  return size;
}

inline TensorView view(DType dtype, const Dims& dims) {
  TensorView v{dtype, static_cast<int32_t>(dims.size()), {}, size_of(dims)};
  for (size_t i = 0; i < dims.size() && i < kMaxRank; ++i) v.dims[i] = dims[i];
  return v;
}

// An operand with its bytes, which hold exactly as much as the type says, so that sanitizers see
// every overrun.
struct Operand {
  TensorView type;
  std::vector<std::byte> bytes;

  template <class T>
  const T* data() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
  template <class T>
  T* data() {
    return reinterpret_cast<T*>(bytes.data());
  }
  template <class T>
  std::vector<T> values() const {
    return std::vector<T>(data<T>(), data<T>() + type.size);
  }
};

inline Operand empty(DType dtype, const Dims& dims) {
  Operand result{view(dtype, dims), {}};
  result.bytes.resize(static_cast<size_t>(result.type.bytes()));
  return result;
}

template <class T>
Operand operand(DType dtype, const Dims& dims, const std::vector<T>& values) {
  Operand result = empty(dtype, dims);
  if (!values.empty()) std::memcpy(result.bytes.data(), values.data(), result.bytes.size());
  return result;
}
inline Operand floats(const Dims& dims, const std::vector<float>& values) {
  return operand(DType::kFloat32, dims, values);
}
inline Operand ints(const Dims& dims, const std::vector<int32_t>& values) {
  return operand(DType::kInt32, dims, values);
}
inline Operand noise_floats(const Dims& dims, uint64_t seed) {
  Operand result = empty(DType::kFloat32, dims);
  for (int64_t i = 0; i < result.type.size; ++i)
    result.data<float>()[i] = noise(seed, static_cast<uint64_t>(i));
  return result;
}
// Whole numbers in [-range, range].
inline Operand noise_ints(const Dims& dims, uint64_t seed, int32_t range) {
  Operand result = empty(DType::kInt32, dims);
  for (int64_t i = 0; i < result.type.size; ++i) {
    result.data<int32_t>()[i] = static_cast<int32_t>(
        std::lround(static_cast<double>(noise(seed, static_cast<uint64_t>(i))) * range));
  }
  return result;
}
// Any bytes, for ops that only move them.
inline Operand noise_bytes(DType dtype, const Dims& dims, uint64_t seed) {
  Operand result = empty(dtype, dims);
  for (size_t i = 0; i < result.bytes.size(); ++i)
    result.bytes[i] = static_cast<std::byte>(static_cast<int>(noise(seed, i) * 128));
  return result;
}

// A step to be: its opcode's planner, types and attributes.
struct Step {
  PlanFunction plan;
  std::vector<int64_t> attr_ints = {};
  std::vector<std::vector<int32_t>> attr_lists = {};
  std::vector<float> attr_floats = {};
  std::shared_ptr<const Chain> chain = nullptr;
  std::vector<std::pair<size_t, size_t>> in_place = {};  // outputs that lie on an input
  std::vector<bool> steady = {};                         // inputs
};

inline StepSpec spec_of(const Step& step, const std::vector<TensorView>& inputs,
                        const std::vector<TensorView>& outputs) {
  StepSpec spec{};
  spec.inputs = inputs;
  spec.outputs = outputs;
  spec.attrs.ints = step.attr_ints;
  spec.attrs.lists = step.attr_lists;
  spec.attrs.floats = step.attr_floats;
  spec.steady = step.steady;
  if (step.chain) spec.attrs.chain = std::make_unique<Chain>(*step.chain);
  return spec;
}

struct StepResult {
  std::vector<Operand> outputs;
  std::string failure;  // what the step reported, if anything
};

inline StepResult run_step(const Step& step, const std::vector<Operand>& inputs,
                           const std::vector<TensorView>& outputs, const KernelTable& kernels,
                           ThreadPool& pool) {
  constexpr size_t kGuard = 64;
  constexpr std::byte kMark{0xa5};
  std::vector<TensorView> types;
  std::vector<const void*> in;
  for (const Operand& x : inputs) types.push_back(x.type), in.push_back(x.bytes.data());
  const auto plan = step.plan(spec_of(step, types, outputs), {kernels, pool.threads()});

  std::vector<std::vector<std::byte>> guarded;
  std::vector<void*> out;
  for (const TensorView& type : outputs)
    guarded.emplace_back(static_cast<size_t>(type.bytes()) + 2 * kGuard, kMark);
  for (auto& bytes : guarded) out.push_back(bytes.data() + kGuard);
  for (const auto& [output, input] : step.in_place) {
    std::copy(inputs[input].bytes.begin(), inputs[input].bytes.end(),
              guarded[output].begin() + kGuard);
    in[input] = out[output];
  }
  std::vector<std::byte> workspace(plan->workspace_bytes() + 2 * kGuard, kMark);
  std::byte* aligned = workspace.data() + (64 - reinterpret_cast<uintptr_t>(workspace.data()) % 64);
  std::vector<std::byte> own(plan->prepared_bytes() + 2 * kGuard, kMark);
  std::byte* prepared = own.data() + (64 - reinterpret_cast<uintptr_t>(own.data()) % 64);
  RunStatus status;
  const RunContext context = {kernels, pool, aligned, status, prepared};
  if (plan->prepared_bytes() > 0) plan->prepare(context, in.data());
  const int64_t before = allocations();
  plan->run(context, in.data(), out.data());
  if (status.ok()) CHECK_EQ(allocations() - before, 0);

  StepResult result;
  if (!status.ok()) result.failure = status.message();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& bytes = guarded[i];
    for (size_t k = 0; k < kGuard; ++k)
      CHECK(bytes[k] == kMark && bytes[bytes.size() - 1 - k] == kMark);
    result.outputs.push_back({outputs[i], {bytes.begin() + kGuard, bytes.end() - kGuard}});
  }
  for (const std::byte* p = aligned + plan->workspace_bytes();
       p < workspace.data() + workspace.size(); ++p)
    CHECK(*p == kMark);
  for (const std::byte* p = prepared + plan->prepared_bytes(); p < own.data() + own.size(); ++p)
    CHECK(*p == kMark);
  return result;
}

// A pool whose worker runs already: starting one allocates.
inline ThreadPool& two_threads() {
  static ThreadPool pool(2);
  pool.parallel_for(2, [](int64_t, int) {});
  return pool;
}

// The step at every level, handed to check(result, level); two threads must give the bits of one.
template <class Check>
void each_level(const Step& step, const std::vector<Operand>& inputs,
                const std::vector<TensorView>& outputs, Check&& check) {
  static ThreadPool one(1);
  for (const KernelTable* kernels : levels()) {
    const StepResult result = run_step(step, inputs, outputs, *kernels, one);
    const StepResult again = run_step(step, inputs, outputs, *kernels, two_threads());
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (result.outputs[i].bytes != again.outputs[i].bytes)
        fail(__FILE__, __LINE__, "%s: output %zu differs with two threads", kernels->level, i);
    }
    check(result, *kernels);
  }
}

inline void expect_same(const Operand& got, const Operand& want, const std::string& what) {
  if (got.bytes != want.bytes) fail(__FILE__, __LINE__, "%s: wrong elements", what.c_str());
}

inline std::string text(const Dims& dims) {
  std::string s = "[";
  for (const int64_t d : dims) {
    if (s.size() > 1) s += ',';
    s += std::to_string(d);
  }
  s += ']';
  return s;
}

// Planning must refuse this.
inline void expect_refused(const Step& step, const std::vector<TensorView>& inputs,
                           const std::vector<TensorView>& outputs, const char* what) {
  try {
    step.plan(spec_of(step, inputs, outputs), {*levels()[0], 2});
  } catch (const ProgramError& error) {
    CHECK(error.what()[0] != '\0');
    return;
  }
  fail(__FILE__, __LINE__, "not refused: %s", what);
}

}  // namespace myelin::test

#endif  // MYELIN_TESTS_STEP_RUNNER_H_
