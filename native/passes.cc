#include "passes.h"

namespace myelin {
namespace {

bool run_step(const PlannedStep& step, RunContext& context, const Block& prepared,
              void* const* pointers) {
  context.prepared = prepared.data() + step.prepared;
  step.plan->run(context, pointers + step.inputs, pointers + step.outputs);
  return context.status.ok();
}

}  // namespace

void bind_operands(const Program& program, const Scratch& scratch, const Block& prepared,
                   const std::vector<Buffer*>& bound, void** pointers) {
  std::byte* const arena = scratch.memory.data();
  std::byte* const constants = program.constants.data();
  for (const OperandPlace& place : program.operands) {
    switch (place.space) {
      case Space::kArena:
        *pointers++ = arena + place.offset;
        break;
      case Space::kConstant:
        *pointers++ = constants + place.offset;
        break;
      case Space::kPrepared:
        *pointers++ = prepared.data() + place.offset;
        break;
      case Space::kBound:
        *pointers++ = bound[place.slot]->memory.data();
        break;
    }
  }
}

int run_preparation(const Program& program, const RunContext& context, const Block& prepared,
                    void* const* pointers) {
  RunContext own = context;
  for (int32_t i = 0; i < program.preparation; ++i) {
    if (!run_step(program.steps[static_cast<size_t>(i)], own, prepared, pointers)) return i;
  }
  return -1;
}

int run_pass(const Program& program, Contexts& contexts, StepTuner& tuner, const Block& prepared,
             void* const* pointers) {
  for (auto i = static_cast<size_t>(program.preparation); i < program.steps.size(); ++i) {
    RunContext& context = tuner.alone(i) ? contexts.alone : contexts.pool;
    if (!run_step(program.steps[i], context, prepared, pointers)) return static_cast<int>(i);
  }
  return -1;
}

int run_timed_pass(const Program& program, Contexts& contexts, StepTuner& tuner,
                   const Block& prepared, void* const* pointers) {
  tuner.begin();
  for (auto i = static_cast<size_t>(program.preparation); i < program.steps.size(); ++i) {
    RunContext& context = tuner.pass_alone(i) ? contexts.alone : contexts.pool;
    if (!run_step(program.steps[i], context, prepared, pointers)) return static_cast<int>(i);
    tuner.note(i);
  }
  tuner.end();
  return -1;
}

}  // namespace myelin
