// The elementwise step: one chain over its whole iteration space.
#include "chain.h"

namespace myelin {
namespace {

class ElementwisePlan final : public StepPlan {
 public:
  ElementwisePlan(const StepSpec& spec, const PlanContext& context)
      : chain_(*spec.attrs.chain, spec.inputs, spec.outputs, context.kernels) {}

  size_t workspace_bytes() const override { return chain_.workspace_bytes(); }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    chain_.run(context.pool, inputs, outputs, context.workspace);
  }

 private:
  const ChainPlan chain_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_elementwise(const StepSpec& spec, const PlanContext& context) {
  require(spec.attrs.chain != nullptr, "elementwise: no chain");
  return std::make_unique<ElementwisePlan>(spec, context);
}

}  // namespace myelin
