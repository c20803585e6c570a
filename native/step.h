// What the runner of one step sees: types and attributes when it is planned (once, at load, from
// untrusted data), pointers and a pool when it runs. Runners live in native/ops/, one file per
// family; none of them knows N-API.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "opcodes.h"
#include "thread_pool.h"

namespace myelin {

constexpr int kMaxRank = 8;

// Thrown while a Program is decoded or planned. The message says what is wrong; the engine adds the
// step's number.
class ProgramError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline int64_t bytes_of(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kInt32 ? 4 : 1;
}

// Type of one operand: contiguous, row-major.
struct TensorView {
  DType dtype;
  int32_t rank;
  int64_t dims[kMaxRank];
  int64_t size;  // product of dims; the decoder has checked that it does not overflow
  int64_t bytes() const { return size * bytes_of(dtype); }
};

// One instruction of an elementwise chain; operands: 0..inputs-1 are the step's inputs, inputs+j
// the result of instruction j.
struct ChainInstruction {
  MicroOp micro;
  int32_t operands[3];
};
struct ChainOutput {
  int32_t value;
  ChainReduction reduction;
};
// See src/program/chain.ts. The decoder has checked operand order, arity and that the ids are in
// range; the planner of the step checks that inputs broadcast to dims and that outputs have the
// right size and lane type.
struct Chain {
  int32_t inputs;
  int32_t rank;
  int64_t dims[kMaxRank];
  int64_t inner;  // trailing elements folded by reductions; 1 without any
  std::vector<ChainInstruction> instructions;
  std::vector<ChainOutput> outputs;
};

// Attributes in the order of the opcode table, already decoded by kind.
struct StepAttrs {
  std::vector<int64_t> ints;                // i and b
  std::vector<float> floats;                // f
  std::vector<std::vector<int32_t>> lists;  // l
  std::unique_ptr<Chain> chain;             // c, o; null when absent
};

struct StepSpec {
  Opcode opcode;
  std::vector<TensorView> inputs;
  std::vector<TensorView> outputs;
  StepAttrs attrs;
  // Inputs that seldom change between runs: see StepPlan::prepared_bytes. May be shorter than
  // inputs.
  std::vector<bool> steady;

  bool is_steady(size_t input) const { return input < steady.size() && steady[input]; }
};

struct PlanContext {
  const KernelTable& kernels;
  int threads;
};

// Where a step reports bad data met while running (an index out of range). The first message wins;
// the run stops after this step and rejects. The step itself must stay inside its buffers whatever
// the data says.
class RunStatus {
 public:
  bool ok() const { return !failed_.load(std::memory_order_acquire); }
  void fail(std::string message);  // any thread
  const std::string& message() const { return message_; }
  void clear();

 private:
  std::atomic<bool> failed_{false};
  std::atomic<bool> claimed_{false};
  std::string message_;
};

struct RunContext {
  const KernelTable& kernels;
  ThreadPool& pool;
  std::byte*
      workspace;  // 64-byte aligned, at least workspace_bytes() of the plan; contents undefined
  RunStatus& status;
  std::byte* prepared = nullptr;  // prepared_bytes() of the plan, as its prepare() left them
};

// A planned step: everything that can be decided before data exists. Immutable, so many runs may
// share it.
class StepPlan {
 public:
  virtual ~StepPlan() = default;
  virtual size_t workspace_bytes() const { return 0; }
  // Memory the step keeps between runs for what it makes of its steady inputs, such as packed
  // weights. Before a run in which one of them may have changed prepare() fills it at
  // context.prepared; other inputs are not to be read then, and nothing else is to be written but
  // the workspace.
  virtual size_t prepared_bytes() const { return 0; }
  virtual void prepare(const RunContext& context, const void* const* inputs) const {
    (void)context, (void)inputs;
  }
  // Operands in the order of the spec. They overlap only where the op's record allows in-place;
  // whatever an untrusted Program overlaps, a plan may compute nonsense but never leaves its
  // operands' memory.
  virtual void run(const RunContext& context, const void* const* inputs,
                   void* const* outputs) const = 0;
};

using PlanFunction = std::unique_ptr<StepPlan> (*)(const StepSpec& spec,
                                                   const PlanContext& context);

// The planner of an opcode; never null. native/ops/ops.cc holds the table, expanded from
// MYELIN_OPCODES.
PlanFunction planner_of(Opcode opcode);

// Planners: `plan_<opcode>` in native/ops/<family>.cc. They validate arity, ranks, dtypes, shapes
// and attributes.
#define MYELIN_X(name, attrs) \
  std::unique_ptr<StepPlan> plan_##name(const StepSpec&, const PlanContext&);
MYELIN_OPCODES(MYELIN_X)
#undef MYELIN_X

// Validation helper with one wording: throws ProgramError(message) unless ok.
inline void require(bool ok, const char* message) {
  if (!ok) throw ProgramError(message);
}

}  // namespace myelin
