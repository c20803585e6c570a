// How the steps of a Program run, one after the other: preparation, whole passes, passes that the
// tuner times. Knows nothing of jobs, locks and events; those are the engine's.
#ifndef MYELIN_PASSES_H_
#define MYELIN_PASSES_H_

#include <vector>

#include "buffers.h"
#include "memory.h"
#include "program.h"
#include "scratch.h"
#include "step_tuner.h"

namespace myelin {

// What a step is given to run with: the pool, or one thread.
struct Contexts {
  RunContext pool, alone;
};

// Resolves every operand of the Program to an address.
void bind_operands(const Program& program, const Scratch& scratch, const Block& prepared,
                   const std::vector<Buffer*>& bound, void** pointers);

// Runs the Program's preparation. Returns the step that failed, or -1.
int run_preparation(const Program& program, const RunContext& context, const Block& prepared,
                    void* const* pointers);

// Runs the steps behind the preparation once. Returns the one that failed, or -1.
int run_pass(const Program& program, Contexts& contexts, StepTuner& tuner, const Block& prepared,
             void* const* pointers);

// The same as part of a trial; with the tuner's mutex held.
int run_timed_pass(const Program& program, Contexts& contexts, StepTuner& tuner,
                   const Block& prepared, void* const* pointers);

}  // namespace myelin

#endif  // MYELIN_PASSES_H_
