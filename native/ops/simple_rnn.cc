// The plain recurrent network over a whole sequence and its gradient; src/ops/simple-rnn.ts says
// what they are.
#include "recurrence.h"

namespace myelin {
namespace {

// Inputs: z, kernel, h, ...; outputs: y, h.
class SimpleRnnPlan final : public SequencePlan {
 public:
  SimpleRnnPlan(const StepSpec& spec, const PlanContext& context)
      : SequencePlan("simpleRnn", spec, context,
                     {.gates = 1, .z = 0, .kernel = 1, .fixed = 2, .states = 1, .outputs = 2}) {}

 private:
  void step(const SequenceStep& s) const override {
    const int64_t steps = sizes_.steps, u = sizes_.units;
    s.kernels.rnn_step({s.rows, u, s.in(0) + s.at * u, s.out(0) + s.at * u, steps * u, s.product,
                        s.mask, steps, s.states});
  }
};

// Inputs: kernel, y, ...; outputs: dz, dh.
class SimpleRnnGradPlan final : public SequenceGradPlan {
 public:
  SimpleRnnGradPlan(const StepSpec& spec, const PlanContext& context)
      : SequenceGradPlan("simpleRnnGrad", spec, context,
                         {.gates = 1, .z = 1, .kernel = 0, .fixed = 2, .states = 1, .outputs = 2}) {
  }

 private:
  void step(const SequenceStep& s) const override {
    const int64_t steps = sizes_.steps, u = sizes_.units;
    s.kernels.rnn_step_grad({s.rows, u, s.in(1) + s.at * u, dy_at(s), s.out(0) + s.at * u,
                             steps * u, s.product, s.mask, steps, s.states});
  }
};

}  // namespace

std::unique_ptr<StepPlan> plan_simpleRnn(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<SimpleRnnPlan>(spec, context);
}

std::unique_ptr<StepPlan> plan_simpleRnnGrad(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<SimpleRnnGradPlan>(spec, context);
}

}  // namespace myelin
