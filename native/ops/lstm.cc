// Long short-term memory over a whole sequence and its gradient; src/ops/lstm.ts says what they
// are. A step is one small product, state times recurrent kernel, and one pass over the gates.
#include <cstring>

#include "recurrence.h"

namespace myelin {
namespace {

constexpr int64_t kGates = 4;

class LstmPlan final : public StepPlan {
 public:
  LstmPlan(const StepSpec& spec, const PlanContext& context)
      : sizes_("lstm", spec.inputs[0], spec.inputs[1], kGates),
        backwards_(spec.attrs.ints[0] != 0),
        masked_(spec.inputs.size() > 4),
        panels_(context.kernels, sizes_.units, sizes_.columns, false, sizes_.columns,
                sequence_rows(sizes_.batch), spec.is_steady(1)),
        // h, c and the product.
        split_(context, sizes_.batch, panels_.floats(), (2 + kGates) * sizes_.units) {
    sizes_.require_state("lstm", spec.inputs[2]);
    sizes_.require_state("lstm", spec.inputs[3]);
    if (masked_) sizes_.require_mask("lstm", spec.inputs[4]);
    sizes_.require_all("lstm", spec.outputs[0], sizes_.units);
    sizes_.require_state("lstm", spec.outputs[1]);
    sizes_.require_state("lstm", spec.outputs[2]);
    sizes_.require_all("lstm", spec.outputs[3], sizes_.columns);
    sizes_.require_all("lstm", spec.outputs[4], sizes_.units);
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
    const void* mask = masked_ ? inputs[4] : nullptr;
    const int64_t steps = sizes_.steps, u = sizes_.units, width = sizes_.columns;
    const float* kernel = panels_.made(context, in(1));
    split_.each(context, [&](int64_t first, int64_t rows, float* own) {
      const size_t state = static_cast<size_t>(rows * u) * sizeof(float);
      float *h = own, *c = h + rows * u, *product = c + rows * u;
      std::memcpy(h, in(2) + first * u, state);
      std::memcpy(c, in(3) + first * u, state);
      for (int64_t s = 0; s < steps; ++s) {
        const int64_t t = step_at(s, steps, backwards_), at = first * steps + t;
        panels_.multiply(context.kernels, rows, h, kernel, product, false);
        context.kernels.lstm_step({rows, u, in(0) + at * width, out(3) + at * width, steps * width,
                                   product, mask_at(mask, first, steps, t), steps, h, c,
                                   out(0) + at * u, out(4) + at * u, steps * u});
      }
      std::memcpy(out(1) + first * u, h, state);
      std::memcpy(out(2) + first * u, c, state);
    });
  }

 private:
  const SequenceSizes sizes_;
  const bool backwards_, masked_;
  const Panels panels_;
  const SequenceSplit split_;
};

// Inputs: kernel, c, gates, cells, ...; outputs: dz, dh, dc.
class LstmGradPlan final : public StepPlan {
 public:
  LstmGradPlan(const StepSpec& spec, const PlanContext& context)
      : form_("lstmGrad", spec, 4, 2, 3),
        sizes_("lstmGrad", spec.inputs[2], spec.inputs[0], kGates),
        panels_(context.kernels, sizes_.columns, sizes_.units, true, sizes_.columns,
                sequence_rows(sizes_.batch), false),
        // dh, dc and dz.
        split_(context, sizes_.batch, panels_.floats(), (2 + kGates) * sizes_.units) {
    const char* name = "lstmGrad";
    sizes_.require_state(name, spec.inputs[1]);
    sizes_.require_all(name, spec.inputs[3], sizes_.units);
    if (form_.masked) sizes_.require_mask(name, spec.inputs[form_.mask]);
    if (form_.by_outputs) sizes_.require_all(name, spec.inputs[form_.dy], sizes_.units);
    if (form_.by_state) {
      sizes_.require_state(name, spec.inputs[form_.dh]);
      sizes_.require_state(name, spec.inputs[form_.dh + 1]);
    }
    sizes_.require_all(name, spec.outputs[0], sizes_.columns);
    sizes_.require_state(name, spec.outputs[1]);
    sizes_.require_state(name, spec.outputs[2]);
  }

  size_t workspace_bytes() const override { return split_.workspace_bytes(); }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto in = [&](size_t i) { return static_cast<const float*>(inputs[i]); };
    const auto out = [&](size_t i) { return static_cast<float*>(outputs[i]); };
    const void* mask = form_.masked ? inputs[form_.mask] : nullptr;
    const float* dy = form_.by_outputs ? in(form_.dy) : nullptr;
    const int64_t steps = sizes_.steps, u = sizes_.units, width = sizes_.columns;
    const float* kernel = panels_.made(context, in(0));
    split_.each(context, [&](int64_t first, int64_t rows, float* own) {
      const size_t state = static_cast<size_t>(rows * u) * sizeof(float);
      float *dh = own, *dc = dh + rows * u, *dz = dc + rows * u;
      if (form_.by_state) {
        std::memcpy(dh, in(form_.dh) + first * u, state);
        std::memcpy(dc, in(form_.dh + 1) + first * u, state);
      } else {
        std::memset(dh, 0, 2 * state);
      }
      for (int64_t s = steps - 1; s >= 0; --s) {
        const int64_t t = step_at(s, steps, form_.backwards), at = first * steps + t;
        const int64_t earlier = first * steps + step_at(s - 1, steps, form_.backwards);
        context.kernels.lstm_step_grad(
            {rows, u, in(2) + at * width, out(0) + at * width, steps * width, dz, in(3) + at * u,
             dy == nullptr ? nullptr : dy + at * u, steps * u,
             s == 0 ? in(1) + first * u : in(3) + earlier * u, s == 0 ? u : steps * u,
             mask_at(mask, first, steps, t), steps, dh, dc});
        panels_.multiply(context.kernels, rows, dz, kernel, dh, true);
      }
      std::memcpy(out(1) + first * u, dh, state);
      std::memcpy(out(2) + first * u, dc, state);
    });
  }

 private:
  const SequenceGradForm form_;
  const SequenceSizes sizes_;
  const Panels panels_;
  const SequenceSplit split_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_lstm(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "lstm", spec.inputs.size() == 5 ? 5 : 4, 5, 1);
  return std::make_unique<LstmPlan>(spec, context);
}

std::unique_ptr<StepPlan> plan_lstmGrad(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<LstmGradPlan>(spec, context);
}

}  // namespace myelin
