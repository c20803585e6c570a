// Gated recurrent units over a whole sequence and their gradient; src/ops/gru.ts says what they
// are.
#include "recurrence.h"

namespace myelin {
namespace {

// Inputs: x, kernel, bias, h, ...; outputs: y, h, gates, inner.
class GruPlan final : public SequencePlan {
 public:
  GruPlan(const StepSpec& spec, const PlanContext& context)
      : SequencePlan("gru", spec, context,
                     {.gates = 3, .z = 0, .kernel = 1, .fixed = 3, .states = 1, .outputs = 4}) {
    const TensorView& bias = spec.inputs[2];
    require(bias.dtype == DType::kFloat32 && bias.rank == 1 && bias.dims[0] == sizes_.columns,
            "gru: the recurrent bias must have a float32 for each column of the kernel");
    sizes_.require_all("gru", spec.outputs[2], sizes_.columns);
    sizes_.require_all("gru", spec.outputs[3], sizes_.units);
  }

 private:
  void step(const SequenceStep& s) const override {
    const int64_t steps = sizes_.steps, u = sizes_.units, width = sizes_.columns;
    s.kernels.gru_step({s.rows, u, s.in(0) + s.at * width, s.out(2) + s.at * width, steps * width,
                        s.product, s.in(2), s.mask, steps, s.states, s.out(0) + s.at * u,
                        s.out(3) + s.at * u, steps * u});
  }
};

// Inputs: kernel, h, y, gates, inner, ...; outputs: dx, dm, dh.
class GruGradPlan final : public SequenceGradPlan {
 public:
  GruGradPlan(const StepSpec& spec, const PlanContext& context)
      : SequenceGradPlan("gruGrad", spec, context,
                         {.gates = 3, .z = 3, .kernel = 0, .fixed = 5, .states = 1, .outputs = 3}) {
    sizes_.require_state("gruGrad", spec.inputs[1]);
    sizes_.require_all("gruGrad", spec.inputs[2], sizes_.units);
    sizes_.require_all("gruGrad", spec.inputs[4], sizes_.units);
    sizes_.require_all("gruGrad", spec.outputs[1], sizes_.columns);
  }

 private:
  void step(const SequenceStep& s) const override {
    const int64_t steps = sizes_.steps, u = sizes_.units, width = sizes_.columns;
    s.kernels.gru_step_grad({s.rows, u, s.in(3) + s.at * width, s.out(0) + s.at * width,
                             s.out(1) + s.at * width, steps * width, s.product, s.in(4) + s.at * u,
                             dy_at(s), steps * u,
                             s.is_first ? s.in(1) + s.first * u : s.in(2) + s.before * u,
                             s.is_first ? u : steps * u, s.mask, steps, s.states});
  }
};

}  // namespace

std::unique_ptr<StepPlan> plan_gru(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<GruPlan>(spec, context);
}

std::unique_ptr<StepPlan> plan_gruGrad(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<GruGradPlan>(spec, context);
}

}  // namespace myelin
