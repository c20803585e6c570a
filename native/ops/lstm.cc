// Long short-term memory over a whole sequence and its gradient; src/ops/lstm.ts says what they
// are. A step is one small product, state times recurrent kernel, and one pass over the gates.
#include "recurrence.h"

namespace myelin {
namespace {

// Inputs: z, kernel, h, c, ...; outputs: y, h, c, gates, cells.
class LstmPlan final : public SequencePlan {
 public:
  LstmPlan(const StepSpec& spec, const PlanContext& context)
      : SequencePlan("lstm", spec, context,
                     {.gates = 4, .z = 0, .kernel = 1, .fixed = 2, .states = 2, .outputs = 5}) {
    sizes_.require_all("lstm", spec.outputs[3], sizes_.columns);
    sizes_.require_all("lstm", spec.outputs[4], sizes_.units);
  }

 private:
  void step(const SequenceStep& s) const override {
    const int64_t steps = sizes_.steps, u = sizes_.units, width = sizes_.columns;
    s.kernels.lstm_step({s.rows, u, s.in(0) + s.at * width, s.out(3) + s.at * width, steps * width,
                         s.product, s.mask, steps, s.states, s.states + s.rows * u,
                         s.out(0) + s.at * u, s.out(4) + s.at * u, steps * u});
  }
};

// Inputs: kernel, c, gates, cells, ...; outputs: dz, dh, dc.
class LstmGradPlan final : public SequenceGradPlan {
 public:
  LstmGradPlan(const StepSpec& spec, const PlanContext& context)
      : SequenceGradPlan("lstmGrad", spec, context,
                         {.gates = 4, .z = 2, .kernel = 0, .fixed = 4, .states = 2, .outputs = 3}) {
    sizes_.require_state("lstmGrad", spec.inputs[1]);
    sizes_.require_all("lstmGrad", spec.inputs[3], sizes_.units);
  }

 private:
  void step(const SequenceStep& s) const override {
    const int64_t steps = sizes_.steps, u = sizes_.units, width = sizes_.columns;
    s.kernels.lstm_step_grad({s.rows, u, s.in(2) + s.at * width, s.out(0) + s.at * width,
                              steps * width, s.product, s.in(3) + s.at * u, dy_at(s), steps * u,
                              s.is_first ? s.in(1) + s.first * u : s.in(3) + s.before * u,
                              s.is_first ? u : steps * u, s.mask, steps, s.states,
                              s.states + s.rows * u});
  }
};

}  // namespace

std::unique_ptr<StepPlan> plan_lstm(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<LstmPlan>(spec, context);
}

std::unique_ptr<StepPlan> plan_lstmGrad(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<LstmGradPlan>(spec, context);
}

}  // namespace myelin
