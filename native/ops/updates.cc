// Optimizer updates over many tensors in one sweep: the tensors are cut into pieces by size, small
// ones share a chunk. What updates share is described in src/ops/sweep.ts.
#include <limits>

#include "../step.h"
#include "sweep.h"
#include "update_support.h"

namespace myelin {
namespace {

void require_scalar(const TensorView& view, DType dtype, const char* message) {
  require(view.dtype == dtype && view.size == 1, message);
}

// The attributes all updates have, after those of the rule: floats weightDecay, clipvalue,
// emaMomentum; ints scaled, ema, emaOverwriteFrequency.
struct SweepAttrs {
  SweepAttrs(const StepSpec& spec, size_t rule_floats, size_t rule_ints) {
    const std::vector<float>& floats = spec.attrs.floats;
    const std::vector<int64_t>& ints = spec.attrs.ints;
    require(floats.size() == rule_floats + 3 && ints.size() == rule_ints + 3,
            "update: wrong attributes");
    weight_decay = floats[rule_floats];
    clip = floats[rule_floats + 1];
    momentum = as_written(floats[rule_floats + 2]);
    scaled = ints[rule_ints] != 0;
    ema = ints[rule_ints + 1] != 0;
    overwrite_every = ints[rule_ints + 2];
    lead = scaled ? 3 : 2;
    require(spec.inputs.size() >= lead, "update: needs a learning rate and an iteration");
    require_scalar(spec.inputs[0], DType::kFloat32,
                   "update: the learning rate must be one float32");
    require_scalar(spec.inputs[1], DType::kInt32, "update: the iteration must be one int32");
  }

  float weight_decay, clip;
  double momentum;  // of the average
  bool scaled, ema;
  int64_t overwrite_every;
  size_t lead;  // inputs before the groups
};

// Groups of `each` inputs (p, g, slots) and of one output less, over many tensors.
class UpdatePlan : public StepPlan {
 protected:
  UpdatePlan(const StepSpec& spec, const SweepAttrs& attrs, size_t each)
      : attrs_(attrs), each_(each), sweep_(group_sizes(spec)) {}

  // What the inputs say of this step, but for scales of single tensors.
  SweepStep sweep_step(const void* const* inputs) const {
    const float rate = *static_cast<const float*>(inputs[0]);
    const int32_t done = *static_cast<const int32_t*>(inputs[1]);
    SweepStep step = {};
    step.decay = attrs_.weight_decay * rate;
    step.bounds = attrs_.scaled || attrs_.clip != 0.0f;
    step.scale = 1.0f;
    step.clip = attrs_.clip != 0.0f ? attrs_.clip : std::numeric_limits<float>::infinity();
    step.keep = done != 0 ? static_cast<float>(attrs_.momentum) : 0.0f;
    step.take = done != 0 ? static_cast<float>(1.0 - attrs_.momentum) : 1.0f;
    step.overwrite =
        attrs_.overwrite_every > 0 && (int64_t{done} + 1) % attrs_.overwrite_every == 0;
    return step;
  }

  // Calls f(step, in, out, piece) on the pool; in(i) and out(i) give operands of the piece's group.
  template <class F>
  void each_piece(const RunContext& context, const void* const* inputs, void* const* outputs,
                  const F& f) const {
    const SweepStep base = sweep_step(inputs);
    const auto* scales = attrs_.scaled ? static_cast<const float*>(inputs[2]) : nullptr;
    sweep_.each(context.pool, [&](const Piece& piece) {
      const auto t = static_cast<size_t>(piece.tensor);
      const void* const* group = inputs + attrs_.lead + each_ * t;
      void* const* results = outputs + (each_ - 1) * t;
      SweepStep step = base;
      if (scales != nullptr) step.scale = scales[many_scales_ ? t : 0];
      f(
          step, [&](size_t i) { return static_cast<const float*>(group[i]) + piece.begin; },
          [&](size_t i) { return static_cast<float*>(results[i]) + piece.begin; }, piece.count);
    });
  }

  const SweepAttrs attrs_;
  const size_t each_;

 private:
  std::vector<int64_t> group_sizes(const StepSpec& spec) {
    const size_t count = spec.inputs.size() - attrs_.lead, groups = count / each_;
    require(count % each_ == 0 && spec.outputs.size() == groups * (each_ - 1),
            "update: wrong number of operands");
    if (attrs_.scaled) {
      const TensorView& scale = spec.inputs[2];
      require(scale.dtype == DType::kFloat32 &&
                  (scale.size == 1 || scale.size == static_cast<int64_t>(groups)),
              "update: the scale must be one float32, or one for each tensor");
      many_scales_ = scale.size != 1;
    }
    std::vector<int64_t> sizes;
    const auto fits = [&](const TensorView& view) {
      require(view.dtype == DType::kFloat32 && view.size == sizes.back(),
              "update: operands must be float32 of one shape");
    };
    for (size_t t = 0; t < groups; ++t) {
      const TensorView* in = spec.inputs.data() + attrs_.lead + t * each_;
      sizes.push_back(in->size);
      for (size_t i = 0; i < each_; ++i) fits(in[i]);
      for (size_t i = 0; i + 1 < each_; ++i) fits(spec.outputs[t * (each_ - 1) + i]);
    }
    return sizes;
  }

  bool many_scales_ = false;
  const Sweep sweep_;
};

class SgdPlan final : public UpdatePlan {
 public:
  SgdPlan(const StepSpec& spec, const SweepAttrs& attrs)
      : UpdatePlan(spec, attrs, 2 + (spec.attrs.floats[0] != 0.0f ? 1 : 0) + (attrs.ema ? 1 : 0)),
        momentum_(spec.attrs.floats[0]),
        nesterov_(spec.attrs.ints[0] != 0) {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const float rate = *static_cast<const float*>(inputs[0]);
    const bool moves = momentum_ != 0.0f;
    each_piece(context, inputs, outputs,
               [&](const SweepStep& sweep, auto&& in, auto&& out, int64_t count) {
                 const SgdOperands x = {in(0),
                                        in(1),
                                        moves ? in(2) : nullptr,
                                        attrs_.ema ? in(each_ - 1) : nullptr,
                                        out(0),
                                        moves ? out(1) : nullptr,
                                        attrs_.ema ? out(each_ - 2) : nullptr};
                 context.kernels.sgd({rate, momentum_, nesterov_, sweep}, x, count);
               });
  }

 private:
  const float momentum_;
  const bool nesterov_;
};

class AdamPlan final : public UpdatePlan {
 public:
  AdamPlan(const StepSpec& spec, const SweepAttrs& attrs)
      : UpdatePlan(spec, attrs, 4 + (spec.attrs.ints[0] != 0 ? 1 : 0) + (attrs.ema ? 1 : 0)),
        beta1_(as_written(spec.attrs.floats[0])),
        beta2_(as_written(spec.attrs.floats[1])),
        epsilon_(spec.attrs.floats[2]),
        amsgrad_(spec.attrs.ints[0] != 0) {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const AdamStep step =
        adam_step(*static_cast<const float*>(inputs[0]), *static_cast<const int32_t*>(inputs[1]),
                  beta1_, beta2_, epsilon_);
    each_piece(context, inputs, outputs,
               [&](const SweepStep& sweep, auto&& in, auto&& out, int64_t count) {
                 AdamStep own = step;
                 own.sweep = sweep;
                 const AdamOperands x = {in(0),
                                         in(1),
                                         in(2),
                                         in(3),
                                         amsgrad_ ? in(4) : nullptr,
                                         attrs_.ema ? in(each_ - 1) : nullptr,
                                         out(0),
                                         out(1),
                                         out(2),
                                         amsgrad_ ? out(3) : nullptr,
                                         attrs_.ema ? out(each_ - 2) : nullptr};
                 context.kernels.adam(own, x, count);
               });
  }

 private:
  const double beta1_, beta2_;
  const float epsilon_;
  const bool amsgrad_;
};

// Each piece leaves its sum in the workspace; those of a tensor are added in their order.
class SquaredNormsPlan final : public StepPlan {
 public:
  explicit SquaredNormsPlan(const StepSpec& spec)
      : count_(spec.inputs.size()), sweep_(sizes(spec)) {}

  size_t workspace_bytes() const override { return sweep_.pieces().size() * sizeof(float); }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    auto* partial = reinterpret_cast<float*>(context.workspace);
    const std::vector<Piece>& pieces = sweep_.pieces();
    sweep_.each(context.pool, [&](const Piece& piece) {
      const auto* x = static_cast<const float*>(inputs[piece.tensor]) + piece.begin;
      partial[&piece - pieces.data()] = context.kernels.sum_squares(x, piece.count);
    });
    auto* out = static_cast<float*>(outputs[0]);
    size_t p = 0;
    for (size_t t = 0; t < count_; ++t) {
      double sum = 0.0;
      for (; p < pieces.size() && static_cast<size_t>(pieces[p].tensor) == t; ++p)
        sum += static_cast<double>(partial[p]);
      out[t] = static_cast<float>(sum);
    }
  }

 private:
  static std::vector<int64_t> sizes(const StepSpec& spec) {
    require(spec.outputs.size() == 1 && spec.outputs[0].dtype == DType::kFloat32 &&
                spec.outputs[0].size == static_cast<int64_t>(spec.inputs.size()),
            "squaredNorms: expected one float32 for each tensor");
    std::vector<int64_t> sizes;
    for (const TensorView& view : spec.inputs) {
      require(view.dtype == DType::kFloat32, "squaredNorms: operands must be float32");
      sizes.push_back(view.size);
    }
    return sizes;
  }

  const size_t count_;
  const Sweep sweep_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_sgdUpdate(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<SgdPlan>(spec, SweepAttrs(spec, 1, 1));
}

std::unique_ptr<StepPlan> plan_adamUpdate(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<AdamPlan>(spec, SweepAttrs(spec, 3, 1));
}

std::unique_ptr<StepPlan> plan_squaredNorms(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<SquaredNormsPlan>(spec);
}

}  // namespace myelin
