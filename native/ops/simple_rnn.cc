// The plain recurrent network over a whole sequence and its gradient; src/ops/simple-rnn.ts says
// what they are.
#include <cstring>

#include "recurrence.h"

namespace myelin {
namespace {

// Inputs: z, kernel, h, ...; outputs: y, h.
class SimpleRnnPlan final : public StepPlan {
 public:
  SimpleRnnPlan(const StepSpec& spec, const PlanContext& context)
      : sizes_("simpleRnn", spec.inputs[0], spec.inputs[1], 1),
        backwards_(spec.attrs.ints[0] != 0),
        masked_(spec.inputs.size() > 3),
        panels_(context.kernels, sizes_.units, sizes_.units, false, sizes_.units,
                sequence_rows(sizes_.batch), spec.is_steady(1)),
        // h and the product.
        split_(context, sizes_.batch, panels_.floats(), 2 * sizes_.units) {
    sizes_.require_state("simpleRnn", spec.inputs[2]);
    if (masked_) sizes_.require_mask("simpleRnn", spec.inputs[3]);
    sizes_.require_all("simpleRnn", spec.outputs[0], sizes_.units);
    sizes_.require_state("simpleRnn", spec.outputs[1]);
  }

  size_t workspace_bytes() const override { return split_.workspace_bytes(); }
  size_t prepared_bytes() const override { return panels_.prepared_bytes(); }
  void prepare(const RunContext& context, const void* const* inputs) const override {
    panels_.prepare(context, static_cast<const float*>(inputs[1]));
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto in = [&](int i) { return static_cast<const float*>(inputs[i]); };
    const auto out = [&](int i) { return static_cast<float*>(outputs[i]); };
    const void* mask = masked_ ? inputs[3] : nullptr;
    const int64_t steps = sizes_.steps, u = sizes_.units;
    const float* kernel = panels_.made(context, in(1));
    split_.each(context, [&](int64_t first, int64_t rows, float* own) {
      const size_t state = static_cast<size_t>(rows * u) * sizeof(float);
      float *h = own, *product = h + rows * u;
      std::memcpy(h, in(2) + first * u, state);
      for (int64_t s = 0; s < steps; ++s) {
        const int64_t t = step_at(s, steps, backwards_), at = first * steps + t;
        panels_.multiply(context.kernels, rows, h, kernel, product, false);
        context.kernels.rnn_step({rows, u, in(0) + at * u, out(0) + at * u, steps * u, product,
                                  mask_at(mask, first, steps, t), steps, h});
      }
      std::memcpy(out(1) + first * u, h, state);
    });
  }

 private:
  const SequenceSizes sizes_;
  const bool backwards_, masked_;
  const Panels panels_;
  const SequenceSplit split_;
};

// Inputs: kernel, y, ...; outputs: dz, dh.
class SimpleRnnGradPlan final : public StepPlan {
 public:
  SimpleRnnGradPlan(const StepSpec& spec, const PlanContext& context)
      : form_("simpleRnnGrad", spec, 2, 1, 2),
        sizes_("simpleRnnGrad", spec.inputs[1], spec.inputs[0], 1),
        panels_(context.kernels, sizes_.units, sizes_.units, true, sizes_.units,
                sequence_rows(sizes_.batch), false),
        // dh and dz.
        split_(context, sizes_.batch, panels_.floats(), 2 * sizes_.units) {
    const char* name = "simpleRnnGrad";
    if (form_.masked) sizes_.require_mask(name, spec.inputs[form_.mask]);
    if (form_.by_outputs) sizes_.require_all(name, spec.inputs[form_.dy], sizes_.units);
    if (form_.by_state) sizes_.require_state(name, spec.inputs[form_.dh]);
    sizes_.require_all(name, spec.outputs[0], sizes_.units);
    sizes_.require_state(name, spec.outputs[1]);
  }

  size_t workspace_bytes() const override { return split_.workspace_bytes(); }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto in = [&](size_t i) { return static_cast<const float*>(inputs[i]); };
    const auto out = [&](size_t i) { return static_cast<float*>(outputs[i]); };
    const void* mask = form_.masked ? inputs[form_.mask] : nullptr;
    const float* dy = form_.by_outputs ? in(form_.dy) : nullptr;
    const int64_t steps = sizes_.steps, u = sizes_.units;
    const float* kernel = panels_.made(context, in(0));
    split_.each(context, [&](int64_t first, int64_t rows, float* own) {
      const size_t state = static_cast<size_t>(rows * u) * sizeof(float);
      float *dh = own, *dz = dh + rows * u;
      if (form_.by_state) {
        std::memcpy(dh, in(form_.dh) + first * u, state);
      } else {
        std::memset(dh, 0, state);
      }
      for (int64_t s = steps - 1; s >= 0; --s) {
        const int64_t t = step_at(s, steps, form_.backwards), at = first * steps + t;
        context.kernels.rnn_step_grad({rows, u, in(1) + at * u,
                                       dy == nullptr ? nullptr : dy + at * u, out(0) + at * u,
                                       steps * u, dz, mask_at(mask, first, steps, t), steps, dh});
        panels_.multiply(context.kernels, rows, dz, kernel, dh, true);
      }
      std::memcpy(out(1) + first * u, dh, state);
    });
  }

 private:
  const SequenceGradForm form_;
  const SequenceSizes sizes_;
  const Panels panels_;
  const SequenceSplit split_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_simpleRnn(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "simpleRnn", spec.inputs.size() == 4 ? 4 : 3, 2, 1);
  return std::make_unique<SimpleRnnPlan>(spec, context);
}

std::unique_ptr<StepPlan> plan_simpleRnnGrad(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<SimpleRnnGradPlan>(spec, context);
}

}  // namespace myelin
