// The convolution steps: checks shapes against the attributes once, and runs a chain as epilogue
// over each region of the result while it is in cache, as the matrix product does.
#include "../conv.h"

#include <algorithm>
#include <optional>
#include <string>

#include "chain.h"
#include "support.h"

namespace myelin {
namespace {

constexpr size_t kMaxChainInputs = 256;  // as chain.cc allows

enum class Direction { forward, input_grad, kernel_grad };

void require_float(const TensorView& view, const std::string& name) {
  require(view.dtype == DType::kFloat32, name + ": operands must be float32");
}

// Shape and attributes of the convolution that the step is or belongs to. Divisions and remainders
// that paths make are safe on what comes out, and no sum of positions overflows.
ConvShape read_shape(const StepAttrs& attrs, const TensorView& x, const TensorView& w,
                     const TensorView& y, const std::string& name) {
  const int axes = x.rank - 2;
  require(axes >= 1 && axes <= 3 && w.rank == x.rank && y.rank == x.rank,
          name + ": operands must have one to three spatial dimensions");
  require(attrs.ints.size() == 1 && attrs.lists.size() == 4, name + ": wrong number of attributes");
  for (const auto& list : attrs.lists) {
    require(static_cast<int>(list.size()) == axes, name + ": an attribute has the wrong length");
  }
  ConvShape s = {};
  s.groups = attrs.ints[0];
  s.batch = x.dims[0];
  s.cin = x.dims[x.rank - 1];
  s.cout = y.dims[y.rank - 1];
  require(s.groups >= 1 && s.cin % s.groups == 0 && s.cout % s.groups == 0,
          name + ": groups must divide the channels");
  require(y.dims[0] == s.batch && w.dims[w.rank - 2] == s.cin / s.groups &&
              w.dims[w.rank - 1] == s.cout,
          name + ": batch or channels differ");
  for (int i = 0; i < 3; ++i) {
    s.in[i] = s.out[i] = s.kernel[i] = s.stride[i] = s.dilation[i] = 1;
  }
  for (int axis = 0; axis < axes; ++axis) {
    const int i = 3 - axes + axis;
    const auto at = static_cast<size_t>(axis);
    const int64_t after = attrs.lists[2][at];
    s.stride[i] = attrs.lists[0][at];
    s.pad_before[i] = attrs.lists[1][at];
    s.dilation[i] = attrs.lists[3][at];
    s.in[i] = x.dims[axis + 1];
    s.kernel[i] = w.dims[axis];
    s.out[i] = y.dims[axis + 1];
    require(s.stride[i] >= 1 && s.dilation[i] >= 1 && s.pad_before[i] >= 0 && after >= 0,
            name + ": a stride, dilation or padding is out of range");
    require(s.kernel[i] >= 1 && s.kernel[i] <= INT32_MAX && s.in[i] <= kMaxDimension,
            name + ": a kernel or image size is out of range");
    // At most 2^62: the kernel and a dilation are below 2^31 each, the others far below.
    const int64_t room = s.in[i] + s.pad_before[i] + after - (s.kernel[i] - 1) * s.dilation[i] - 1;
    require(room >= 0 && s.out[i] == room / s.stride[i] + 1,
            name + ": the output's size does not follow from the attributes");
  }
  return s;
}

class ConvPlan final : public StepPlan {
 public:
  ConvPlan(const StepSpec& spec, const PlanContext& context, Direction direction,
           const std::string& name);
  size_t workspace_bytes() const override {
    return result_bytes_ + std::max(conv_bytes_, chain_bytes_);
  }
  size_t prepared_bytes() const override { return prepared_bytes_; }
  void prepare(const RunContext& context, const void* const* inputs) const override;
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override;

 private:
  struct Epilogue {
    const ChainPlan* chain;
    const void* const* inputs;
    void* const* outputs;
    int64_t columns;
  };
  static void apply(void* ctx, int64_t, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
    const auto& e = *static_cast<const Epilogue*>(ctx);
    e.chain->run_region(e.inputs, e.outputs, row0 * e.columns + col0, rows, e.columns, cols);
  }
  TensorView plan_chain(const StepSpec& spec, const PlanContext& context, const std::string& name);

  Direction direction_;
  ConvShape shape_;
  std::optional<ChainPlan> chain_;
  size_t chain_inputs_ = 0;
  bool in_output_ = true;  // the result is computed in the memory of the first output
  size_t result_bytes_ = 0, conv_bytes_ = 0, chain_bytes_ = 0;
  size_t prepared_bytes_ = 0;  // of a steady kernel
};

ConvPlan::ConvPlan(const StepSpec& spec, const PlanContext& context, Direction direction,
                   const std::string& name)
    : direction_(direction) {
  require(spec.inputs.size() >= 2 && !spec.outputs.empty(),
          name + ": needs two inputs and an output");
  TensorView result = spec.outputs[0];
  if (spec.attrs.chain != nullptr) {
    result = plan_chain(spec, context, name);
  } else {
    require(spec.inputs.size() == 2 && spec.outputs.size() == 1,
            name + ": needs two inputs and one output");
  }
  const TensorView &a = spec.inputs[0], &b = spec.inputs[1];
  require_float(a, name);
  require_float(b, name);
  require_float(result, name);
  switch (direction) {
    case Direction::forward:
      shape_ = read_shape(spec.attrs, a, b, result, name);
      shape_.steady = spec.is_steady(1);
      conv_bytes_ = conv_workspace_bytes(context.kernels, shape_, context.threads);
      if (shape_.steady) prepared_bytes_ = conv_prepared_bytes(context.kernels, shape_);
      break;
    case Direction::input_grad:
      shape_ = read_shape(spec.attrs, result, b, a, name);
      shape_.steady = spec.is_steady(1);
      conv_bytes_ = conv_input_grad_workspace_bytes(context.kernels, shape_, context.threads);
      if (shape_.steady) prepared_bytes_ = conv_input_grad_prepared_bytes(context.kernels, shape_);
      break;
    case Direction::kernel_grad:
      shape_ = read_shape(spec.attrs, a, result, b, name);
      conv_bytes_ = conv_kernel_grad_workspace_bytes(context.kernels, shape_, context.threads);
      break;
  }
}

void ConvPlan::prepare(const RunContext& context, const void* const* inputs) const {
  const auto* w = static_cast<const float*>(inputs[1]);
  auto* prepared = reinterpret_cast<float*>(context.prepared);
  std::byte* workspace = context.workspace + result_bytes_;
  const auto make = direction_ == Direction::forward ? conv_prepare : conv_input_grad_prepare;
  make(context.kernels, context.pool, shape_, w, workspace, prepared);
}

// The type of the result that a chain goes over: that of the chain itself.
TensorView ConvPlan::plan_chain(const StepSpec& spec, const PlanContext& context,
                                const std::string& name) {
  const Chain& chain = *spec.attrs.chain;
  TensorView result = {DType::kFloat32, chain.rank, {}, 1};
  for (int d = 0; d < chain.rank; ++d) {
    result.dims[d] = chain.dims[d];
    require(chain.dims[d] >= 0 && chain.dims[d] <= kMaxDimension &&
                !__builtin_mul_overflow(result.size, chain.dims[d], &result.size) &&
                result.size <= kMaxDimension,
            name + ": the result is too large");
  }
  std::vector<TensorView> inputs = {result};
  inputs.insert(inputs.end(), spec.inputs.begin() + 2, spec.inputs.end());
  require(inputs.size() <= kMaxChainInputs, name + ": too many inputs");
  chain_.emplace(chain, inputs, spec.outputs, context.kernels);
  chain_inputs_ = inputs.size();
  chain_bytes_ = chain_->workspace_bytes();
  in_output_ = spec.outputs[0].dtype == DType::kFloat32 &&
               chain.outputs[0].reduction == ChainReduction::kNone;
  if (!in_output_) result_bytes_ = static_cast<size_t>((result.size * 4 + 63) / 64 * 64);
  return result;
}

void ConvPlan::run(const RunContext& context, const void* const* inputs,
                   void* const* outputs) const {
  const auto* a = static_cast<const float*>(inputs[0]);
  const auto* b = static_cast<const float*>(inputs[1]);
  auto* c =
      in_output_ ? static_cast<float*>(outputs[0]) : reinterpret_cast<float*>(context.workspace);
  std::byte* workspace = context.workspace + result_bytes_;
  const void* chain_inputs[kMaxChainInputs];
  if (chain_) {
    chain_inputs[0] = c;
    for (size_t i = 1; i < chain_inputs_; ++i) chain_inputs[i] = inputs[i + 1];
  }
  // A reduction needs whole rows, so it follows the convolution instead.
  const bool fused = chain_ && !chain_->reduces();
  Epilogue epilogue = {fused ? &*chain_ : nullptr, chain_inputs, outputs,
                       direction_ == Direction::forward ? shape_.cout : shape_.cin};
  const GemmEpilogue hook = {apply, &epilogue};
  const GemmEpilogue* const last = fused ? &hook : nullptr;
  const auto* prepared =
      prepared_bytes_ > 0 ? reinterpret_cast<const float*>(context.prepared) : nullptr;
  switch (direction_) {
    case Direction::forward:
      conv(context.kernels, context.pool, shape_, a, b, c, workspace, last, prepared);
      break;
    case Direction::input_grad:
      conv_input_grad(context.kernels, context.pool, shape_, a, b, c, workspace, last, prepared);
      break;
    case Direction::kernel_grad:
      conv_kernel_grad(context.kernels, context.pool, shape_, a, b, c, workspace);
      break;
  }
  if (chain_ && !fused) chain_->run(context.pool, chain_inputs, outputs, workspace);
}

}  // namespace

std::unique_ptr<StepPlan> plan_conv(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<ConvPlan>(spec, context, Direction::forward, "conv");
}

std::unique_ptr<StepPlan> plan_convInputGrad(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<ConvPlan>(spec, context, Direction::input_grad, "convInputGrad");
}

std::unique_ptr<StepPlan> plan_convKernelGrad(const StepSpec& spec, const PlanContext& context) {
  require(spec.attrs.chain == nullptr, "convKernelGrad: takes no body");
  return std::make_unique<ConvPlan>(spec, context, Direction::kernel_grad, "convKernelGrad");
}

}  // namespace myelin
