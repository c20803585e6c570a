// Layer and RMS normalisation and their gradients: rows over trailing axes, split over the pool.
// The gradients of gamma and beta are sums over pieces of rows, added up in order.
#include <cstring>

#include "support.h"

namespace myelin {
namespace {

constexpr int64_t kPiece = 16 << 10;  // elements: a few microseconds
constexpr int64_t kMinRows = 32;      // in a piece of the gradient, to be worth a row of sums
constexpr int64_t kMaxPieces = 64;

// Attributes and operands, checked. Layer norm has center and mean, RMS norm neither.
struct RowSpec {
  std::string name;
  bool layer, gradient, scale, center = false;
  float epsilon = 0;
  int64_t rows = 1, cols = 1;
  size_t gamma = 0, beta = 0, mean = 0, rstd = 0, dgamma = 0, dbeta = 0;

  RowSpec(const StepSpec& spec, const char* op, bool is_layer, bool is_gradient)
      : name(op), layer(is_layer), gradient(is_gradient) {
    const auto& ints = spec.attrs.ints;
    const size_t expected = layer ? 3 : 2;
    require(ints.size() == expected && spec.attrs.floats.size() == (gradient ? 0u : 1u),
            name + ": wrong number of attributes");
    scale = ints[1] != 0;
    if (layer) center = ints[2] != 0;
    if (!gradient) epsilon = spec.attrs.floats[0];
    const size_t with_gamma = scale ? 1 : 0, with_beta = center ? 1 : 0, with_mean = layer ? 1 : 0;
    require_form(spec, op, gradient ? 3 + with_gamma + with_mean : 1 + with_gamma + with_beta,
                 gradient ? 1 + with_gamma + with_beta : 2 + with_mean, expected);
    const TensorView& x = spec.inputs[0];
    require(ints[0] >= 0 && ints[0] < x.rank, name + ": axes out of range");
    for (int d = 0; d < x.rank; ++d) (d < ints[0] ? rows : cols) *= x.dims[d];
    require(cols > 0, name + ": rows are empty");
    for (const auto* views : {&spec.inputs, &spec.outputs}) {
      for (const TensorView& v : *views)
        require(v.dtype == DType::kFloat32, name + ": operands must be float32");
    }
    const auto check = [&](const TensorView& v, int64_t size) {
      require(v.size == size, name + ": an operand has the wrong size");
    };
    check(spec.outputs[0], x.size);
    size_t in = 1, out = 1;
    if (gradient) check(spec.inputs[in++], x.size);
    if (scale) check(spec.inputs[gamma = in++], cols);
    if (gradient) {
      if (layer) check(spec.inputs[mean = in++], rows);
      check(spec.inputs[rstd = in++], rows);
      if (scale) check(spec.outputs[dgamma = out++], cols);
      if (center) check(spec.outputs[dbeta = out++], cols);
    } else {
      if (center) check(spec.inputs[beta = in++], cols);
      if (layer) check(spec.outputs[mean = out++], rows);
      check(spec.outputs[rstd = out++], rows);
    }
  }
};

class RowNormPlan final : public StepPlan {
 public:
  explicit RowNormPlan(RowSpec spec) : spec_(std::move(spec)) {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const int64_t cols = spec_.cols;
    const auto in = [&](bool present, size_t i) {
      return present ? static_cast<const float*>(inputs[i]) : nullptr;
    };
    const float *x = in(true, 0), *gamma = in(spec_.scale, spec_.gamma),
                *beta = in(spec_.center, spec_.beta);
    auto* y = static_cast<float*>(outputs[0]);
    auto* mean = static_cast<float*>(outputs[spec_.mean]);
    auto* rstd = static_cast<float*>(outputs[spec_.rstd]);
    for_ranges(context, spec_.rows, std::max<int64_t>(1, kPiece / cols),
               [&](int64_t begin, int64_t end) {
                 const int64_t at = begin * cols, count = end - begin;
                 if (spec_.layer) {
                   context.kernels.layer_norm_rows(x + at, count, cols, gamma, beta, spec_.epsilon,
                                                   y + at, mean + begin, rstd + begin);
                 } else {
                   context.kernels.rms_norm_rows(x + at, count, cols, gamma, spec_.epsilon, y + at,
                                                 rstd + begin);
                 }
               });
  }

 private:
  const RowSpec spec_;
};

class RowNormGradPlan final : public StepPlan {
 public:
  explicit RowNormGradPlan(RowSpec spec) : spec_(std::move(spec)) {
    piece_rows_ = std::max({kMinRows, kPiece / spec_.cols, (spec_.rows - 1) / kMaxPieces + 1});
    piece_rows_ = (piece_rows_ + 3) / 4 * 4;
    pieces_ = spec_.rows <= 0 ? 0 : (spec_.rows - 1) / piece_rows_ + 1;
  }

  size_t workspace_bytes() const override {
    return static_cast<size_t>((pieces_ + 1) * 2 * spec_.cols) * sizeof(float);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const int64_t cols = spec_.cols;
    const auto in = [&](bool present, size_t i) {
      return present ? static_cast<const float*>(inputs[i]) : nullptr;
    };
    const float *x = in(true, 0), *dy = in(true, 1), *gamma = in(spec_.scale, spec_.gamma),
                *mean = in(spec_.layer, spec_.mean), *rstd = in(true, spec_.rstd);
    auto* dx = static_cast<float*>(outputs[0]);
    auto* sums = reinterpret_cast<float*>(context.workspace);  // by piece: dgamma, dbeta
    context.pool.parallel_for(pieces_, [&](int64_t piece, int) {
      const int64_t begin = piece * piece_rows_, count = std::min(piece_rows_, spec_.rows - begin);
      const int64_t at = begin * cols;
      float* to = sums + piece * 2 * cols;
      float* dgamma = spec_.scale ? to : nullptr;
      float* dbeta = spec_.center ? to + cols : nullptr;
      std::memset(to, 0, static_cast<size_t>(2 * cols) * sizeof(float));
      if (spec_.layer) {
        context.kernels.layer_norm_grad_rows(x + at, dy + at, count, cols, gamma, mean + begin,
                                             rstd + begin, dx + at, dgamma, dbeta);
      } else {
        context.kernels.rms_norm_grad_rows(x + at, dy + at, count, cols, gamma, rstd + begin,
                                           dx + at, dgamma);
      }
    });
    const auto total = [&](const float* from, size_t output) {
      context.kernels.sum_columns_f32(from, pieces_, cols, 2 * cols,
                                      static_cast<float*>(outputs[output]));
    };
    if (spec_.scale) total(sums, spec_.dgamma);
    if (spec_.center) total(sums + cols, spec_.dbeta);
  }

 private:
  const RowSpec spec_;
  int64_t piece_rows_, pieces_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_layerNorm(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<RowNormPlan>(RowSpec(spec, "layerNorm", true, false));
}
std::unique_ptr<StepPlan> plan_layerNormGrad(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<RowNormGradPlan>(RowSpec(spec, "layerNormGrad", true, true));
}
std::unique_ptr<StepPlan> plan_rmsNorm(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<RowNormPlan>(RowSpec(spec, "rmsNorm", false, false));
}
std::unique_ptr<StepPlan> plan_rmsNormGrad(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<RowNormGradPlan>(RowSpec(spec, "rmsNormGrad", false, true));
}

}  // namespace myelin
