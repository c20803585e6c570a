// Runs the steps of a decoded Program on memory of their own: every operand is one allocation of
// exactly its size, so that the address sanitizer sees a kernel leave it. For Programs that made it
// through the decoder by accident.
#ifndef MYELIN_TESTS_RUN_APART_H_
#define MYELIN_TESTS_RUN_APART_H_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../program.h"

namespace myelin::test {

// Fills operands with small integers of both signs, some far out of range, from `seed`. Steps whose
// operands together take more than `limit` bytes are left out: they would only be slow. Returns how
// many steps ran.
inline int run_apart(const Program& program, ThreadPool& pool, uint64_t seed, int64_t limit) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  const KernelTable& kernels = *kernel_table(detect_best());
  int ran = 0;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const PlannedStep& step = program.steps[s];
    const bool last = s + 1 == program.steps.size();
    const int32_t end =
        last ? static_cast<int32_t>(program.operands.size()) : program.steps[s + 1].inputs;
    const size_t kept = step.plan->prepared_bytes();
    int64_t total = static_cast<int64_t>(step.plan->workspace_bytes() + kept);
    for (int32_t i = step.inputs; i < end; ++i) total += program.operands[i].bytes;
    if (total > limit) continue;
    std::vector<std::unique_ptr<void, Free>> memory;
    std::vector<void*> pointers;
    for (int32_t i = step.inputs; i < end; ++i) {
      const auto bytes = static_cast<size_t>(program.operands[i].bytes);
      auto* data = static_cast<uint8_t*>(std::malloc(bytes > 0 ? bytes : 1));
      memory.emplace_back(data);
      pointers.push_back(data);
      for (size_t j = 0; j < bytes; ++j) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const auto top = static_cast<uint8_t>(seed >> 56);
        data[j] = j % 4 == 0 ? top & 7 : top < 8 ? top * 37 : 0;
      }
    }
    const size_t workspace = step.plan->workspace_bytes();
    std::unique_ptr<void, Free> scratch(std::aligned_alloc(64, (workspace + 64) / 64 * 64));
    std::unique_ptr<void, Free> prepared(std::aligned_alloc(64, (kept + 64) / 64 * 64));
    RunStatus status;
    const RunContext context = {kernels, pool, static_cast<std::byte*>(scratch.get()), status,
                                static_cast<std::byte*>(prepared.get())};
    if (kept > 0) step.plan->prepare(context, pointers.data());
    step.plan->run(context, pointers.data(), pointers.data() + (step.outputs - step.inputs));
    ++ran;
  }
  return ran;
}

}  // namespace myelin::test

#endif  // MYELIN_TESTS_RUN_APART_H_
