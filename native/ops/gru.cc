// Gated recurrent units over a whole sequence and their gradient; src/ops/gru.ts says what they
// are.
#include <cstring>

#include "recurrence.h"

namespace myelin {
namespace {

constexpr int64_t kGates = 3;

// Inputs: x, kernel, bias, h, ...; outputs: y, h, gates, inner.
class GruPlan final : public StepPlan {
 public:
  GruPlan(const StepSpec& spec, const PlanContext& context)
      : sizes_("gru", spec.inputs[0], spec.inputs[1], kGates),
        backwards_(spec.attrs.ints[0] != 0),
        masked_(spec.inputs.size() > 4),
        panels_(context.kernels, sizes_.units, sizes_.columns, false, sizes_.columns,
                sequence_rows(sizes_.batch), spec.is_steady(1)),
        // h and the product.
        split_(context, sizes_.batch, panels_.floats(), (1 + kGates) * sizes_.units) {
    const TensorView& bias = spec.inputs[2];
    require(bias.dtype == DType::kFloat32 && bias.rank == 1 && bias.dims[0] == sizes_.columns,
            "gru: the recurrent bias must have a float32 for each column of the kernel");
    sizes_.require_state("gru", spec.inputs[3]);
    if (masked_) sizes_.require_mask("gru", spec.inputs[4]);
    sizes_.require_all("gru", spec.outputs[0], sizes_.units);
    sizes_.require_state("gru", spec.outputs[1]);
    sizes_.require_all("gru", spec.outputs[2], sizes_.columns);
    sizes_.require_all("gru", spec.outputs[3], sizes_.units);
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
      float *h = own, *product = h + rows * u;
      std::memcpy(h, in(3) + first * u, state);
      for (int64_t s = 0; s < steps; ++s) {
        const int64_t t = step_at(s, steps, backwards_), at = first * steps + t;
        panels_.multiply(context.kernels, rows, h, kernel, product, false);
        context.kernels.gru_step({rows, u, in(0) + at * width, out(2) + at * width, steps * width,
                                  product, in(2), mask_at(mask, first, steps, t), steps, h,
                                  out(0) + at * u, out(3) + at * u, steps * u});
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

// Inputs: kernel, h, y, gates, inner, ...; outputs: dx, dm, dh.
class GruGradPlan final : public StepPlan {
 public:
  GruGradPlan(const StepSpec& spec, const PlanContext& context)
      : form_("gruGrad", spec, 5, 1, 3),
        sizes_("gruGrad", spec.inputs[3], spec.inputs[0], kGates),
        panels_(context.kernels, sizes_.columns, sizes_.units, true, sizes_.columns,
                sequence_rows(sizes_.batch), false),
        // dh and dm.
        split_(context, sizes_.batch, panels_.floats(), (1 + kGates) * sizes_.units) {
    const char* name = "gruGrad";
    sizes_.require_state(name, spec.inputs[1]);
    sizes_.require_all(name, spec.inputs[2], sizes_.units);
    sizes_.require_all(name, spec.inputs[4], sizes_.units);
    if (form_.masked) sizes_.require_mask(name, spec.inputs[form_.mask]);
    if (form_.by_outputs) sizes_.require_all(name, spec.inputs[form_.dy], sizes_.units);
    if (form_.by_state) sizes_.require_state(name, spec.inputs[form_.dh]);
    sizes_.require_all(name, spec.outputs[0], sizes_.columns);
    sizes_.require_all(name, spec.outputs[1], sizes_.columns);
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
      float *dh = own, *dm = dh + rows * u;
      if (form_.by_state) {
        std::memcpy(dh, in(form_.dh) + first * u, state);
      } else {
        std::memset(dh, 0, state);
      }
      for (int64_t s = steps - 1; s >= 0; --s) {
        const int64_t t = step_at(s, steps, form_.backwards), at = first * steps + t;
        const int64_t earlier = first * steps + step_at(s - 1, steps, form_.backwards);
        context.kernels.gru_step_grad(
            {rows, u, in(3) + at * width, out(0) + at * width, out(1) + at * width, steps * width,
             dm, in(4) + at * u, dy == nullptr ? nullptr : dy + at * u, steps * u,
             s == 0 ? in(1) + first * u : in(2) + earlier * u, s == 0 ? u : steps * u,
             mask_at(mask, first, steps, t), steps, dh});
        panels_.multiply(context.kernels, rows, dm, kernel, dh, true);
      }
      std::memcpy(out(2) + first * u, dh, state);
    });
  }

 private:
  const SequenceGradForm form_;
  const SequenceSizes sizes_;
  const Panels panels_;
  const SequenceSplit split_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_gru(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "gru", spec.inputs.size() == 5 ? 5 : 4, 4, 1);
  return std::make_unique<GruPlan>(spec, context);
}

std::unique_ptr<StepPlan> plan_gruGrad(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<GruGradPlan>(spec, context);
}

}  // namespace myelin
