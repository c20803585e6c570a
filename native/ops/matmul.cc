// The matrix product step: batches with broadcasting, both transposes, and a chain as epilogue that
// runs over each region of the product while it is in cache.
#include <algorithm>
#include <optional>

#include "../gemm.h"
#include "chain.h"

namespace myelin {
namespace {

// One gemm call: where its batch of products starts, in elements.
struct Call {
  int64_t a, b, c;
};

class MatmulPlan final : public StepPlan {
 public:
  MatmulPlan(const StepSpec& spec, const PlanContext& context);
  size_t workspace_bytes() const override {
    return product_bytes_ + std::max(gemm_bytes_, chain_bytes_);
  }
  size_t prepared_bytes() const override { return packed_bytes_; }
  void prepare(const RunContext& context, const void* const* inputs) const override;
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override;

 private:
  struct Epilogue {
    const ChainPlan* chain;
    const void* const* inputs;
    void* const* outputs;
    int64_t first, m, n;  // element of the product where the call starts, sizes of one product
  };
  static void apply(void* ctx, int64_t batch, int64_t row0, int64_t rows, int64_t col0,
                    int64_t cols) {
    const auto& e = *static_cast<const Epilogue*>(ctx);
    e.chain->run_region(e.inputs, e.outputs, e.first + (batch * e.m + row0) * e.n + col0, rows, e.n,
                        cols);
  }
  void plan_batches(const TensorView& a, const TensorView& b, const std::vector<int64_t>& batch);

  Gemm gemm_;
  std::vector<Call> calls_;
  std::optional<ChainPlan> chain_;
  size_t chain_inputs_ = 0;
  bool in_output_ = true;  // the product is computed in the memory of the first output
  size_t product_bytes_ = 0, gemm_bytes_ = 0, chain_bytes_ = 0;
  size_t packed_bytes_ = 0;  // of a steady B, packed ahead
};

constexpr size_t kMaxChainInputs = 256;  // as chain.cc allows
constexpr int64_t kMaxCalls = 65536;

MatmulPlan::MatmulPlan(const StepSpec& spec, const PlanContext& context) {
  require(spec.inputs.size() >= 2 && !spec.outputs.empty(),
          "matmul: needs two inputs and an output");
  require(spec.attrs.ints.size() == 2, "matmul: needs two attributes");
  const TensorView &a = spec.inputs[0], &b = spec.inputs[1];
  require(a.dtype == DType::kFloat32 && b.dtype == DType::kFloat32,
          "matmul: operands must be float32");
  require(a.rank >= 2 && b.rank >= 2 && a.rank <= kMaxRank && b.rank <= kMaxRank,
          "matmul: operands must have at least two dimensions");
  Gemm& g = gemm_;
  g.trans_a = spec.attrs.ints[0] != 0;
  g.trans_b = spec.attrs.ints[1] != 0;
  g.lda = a.dims[a.rank - 1];
  g.ldb = b.dims[b.rank - 1];
  g.m = a.dims[g.trans_a ? a.rank - 1 : a.rank - 2];
  g.k = a.dims[g.trans_a ? a.rank - 2 : a.rank - 1];
  g.n = b.dims[g.trans_b ? b.rank - 2 : b.rank - 1];
  g.ldc = g.n;
  require(g.k == b.dims[g.trans_b ? b.rank - 1 : b.rank - 2], "matmul: inner sizes must match");

  const int rank = std::max(a.rank, b.rank);
  TensorView product = {DType::kFloat32, rank, {}, 1};
  std::vector<int64_t> batch;
  for (int d = 0; d < rank - 2; ++d) {
    const int in_a = d - (rank - a.rank), in_b = d - (rank - b.rank);
    const int64_t dim_a = in_a >= 0 ? a.dims[in_a] : 1, dim_b = in_b >= 0 ? b.dims[in_b] : 1;
    require(dim_a == dim_b || dim_a == 1 || dim_b == 1,
            "matmul: batch dimensions do not broadcast");
    batch.push_back(dim_a == 1 ? dim_b : dim_a);
    product.dims[d] = batch.back();
  }
  product.dims[rank - 2] = g.m;
  product.dims[rank - 1] = g.n;
  for (int d = 0; d < rank; ++d) {
    require(!__builtin_mul_overflow(product.size, product.dims[d], &product.size),
            "matmul: the product is too large");
  }
  // Of an empty product sizes need not be real; nothing is computed then but reductions over
  // nothing.
  if (product.size > 0) plan_batches(a, b, batch);

  const TensorView& first = spec.outputs[0];
  if (spec.attrs.chain == nullptr) {
    require(spec.inputs.size() == 2 && spec.outputs.size() == 1,
            "matmul: needs two inputs and one output");
    require(first.dtype == DType::kFloat32 && first.size == product.size,
            "matmul: the output has the wrong type");
  } else {
    const Chain& chain = *spec.attrs.chain;
    std::vector<TensorView> inputs = {product};
    inputs.insert(inputs.end(), spec.inputs.begin() + 2, spec.inputs.end());
    require(inputs.size() <= kMaxChainInputs, "matmul: too many inputs");
    bool same = chain.rank == rank;
    for (int d = 0; d < rank && same; ++d) same = chain.dims[d] == product.dims[d];
    require(same, "matmul: the body's shape differs from the product's");
    chain_.emplace(chain, inputs, spec.outputs, context.kernels);
    chain_inputs_ = inputs.size();
    chain_bytes_ = chain_->workspace_bytes();
    in_output_ =
        first.dtype == DType::kFloat32 && chain.outputs[0].reduction == ChainReduction::kNone;
    if (!in_output_) product_bytes_ = static_cast<size_t>((product.size * 4 + 63) / 64 * 64);
  }
  if (spec.is_steady(1) && calls_.size() == 1) {
    packed_bytes_ = gemm_packed_bytes(context.kernels, g);
    g.packed_b = packed_bytes_ > 0;
  }
  gemm_bytes_ = gemm_workspace_bytes(context.kernels, g, context.threads);
}

void MatmulPlan::prepare(const RunContext& context, const void* const* inputs) const {
  gemm_pack(context.kernels, context.pool, gemm_, static_cast<const float*>(inputs[1]),
            reinterpret_cast<float*>(context.prepared));
}

// One gemm call per step of the outer batch dimensions; the innermost run of batches that both
// operands step through evenly goes in one call.
void MatmulPlan::plan_batches(const TensorView& a, const TensorView& b,
                              const std::vector<int64_t>& batch) {
  Gemm& g = gemm_;
  const int dims = static_cast<int>(batch.size());
  // Distance between neighbours in each dimension, 0 where the operand repeats.
  std::vector<int64_t> step_a(batch.size()), step_b(batch.size());
  int64_t size_a = g.m * g.k, size_b = g.k * g.n;
  for (int d = dims - 1; d >= 0; --d) {
    const int in_a = d - (dims - (a.rank - 2)), in_b = d - (dims - (b.rank - 2));
    const int64_t dim_a = in_a >= 0 ? a.dims[in_a] : 1, dim_b = in_b >= 0 ? b.dims[in_b] : 1;
    step_a[static_cast<size_t>(d)] = dim_a == 1 ? 0 : size_a;
    step_b[static_cast<size_t>(d)] = dim_b == 1 ? 0 : size_b;
    if (g.k > 0) size_a *= dim_a;
    if (g.k > 0) size_b *= dim_b;
  }
  int d = dims - 1;
  for (bool started = false; d >= 0; --d) {
    const auto i = static_cast<size_t>(d);
    if (batch[i] == 1) continue;
    if (started && (step_a[i] != g.stride_a * g.batch || step_b[i] != g.stride_b * g.batch)) break;
    if (!started) {
      g.stride_a = step_a[i];
      g.stride_b = step_b[i];
      started = true;
    }
    g.batch *= batch[i];
  }
  g.stride_c = g.m * g.n;
  int64_t outer = 1;
  for (int i = 0; i <= d; ++i) outer *= batch[static_cast<size_t>(i)];
  require(outer <= kMaxCalls, "matmul: more than 65536 batches that broadcast in turns");
  for (int64_t index = 0; index < outer; ++index) {
    Call call = {0, 0, index * g.batch * g.stride_c};
    int64_t rest = index;
    for (int i = d; i >= 0; --i) {
      const auto at = static_cast<size_t>(i);
      call.a += rest % batch[at] * step_a[at];
      call.b += rest % batch[at] * step_b[at];
      rest /= batch[at];
    }
    calls_.push_back(call);
  }
  // One matrix for all of B: the batches of A are rows of one product.
  if (g.batch > 1 && g.stride_b == 0 && !g.trans_a && g.stride_a == g.m * g.k) {
    g.m *= g.batch;
    g.batch = 1;
    g.stride_a = g.stride_c = 0;
  }
}

void MatmulPlan::run(const RunContext& context, const void* const* inputs,
                     void* const* outputs) const {
  const auto* a = static_cast<const float*>(inputs[0]);
  const auto* b = packed_bytes_ > 0 ? reinterpret_cast<const float*>(context.prepared)
                                    : static_cast<const float*>(inputs[1]);
  auto* c =
      in_output_ ? static_cast<float*>(outputs[0]) : reinterpret_cast<float*>(context.workspace);
  std::byte* workspace = context.workspace + product_bytes_;
  const void* chain_inputs[kMaxChainInputs];
  if (chain_) {
    chain_inputs[0] = c;
    for (size_t i = 1; i < chain_inputs_; ++i) chain_inputs[i] = inputs[i + 1];
  }
  // A reduction needs whole rows, so it follows the product instead.
  const bool fused = chain_ && !chain_->reduces();
  for (const Call& call : calls_) {
    Epilogue epilogue = {
        fused ? &*chain_ : nullptr, chain_inputs, outputs, call.c, gemm_.m, gemm_.n};
    const GemmEpilogue hook = {apply, &epilogue};
    gemm(context.kernels, context.pool, gemm_, a + call.a, b + call.b, c + call.c, workspace,
         fused ? &hook : nullptr);
  }
  if (chain_ && !fused) chain_->run(context.pool, chain_inputs, outputs, workspace);
}

}  // namespace

std::unique_ptr<StepPlan> plan_matmul(const StepSpec& spec, const PlanContext& context) {
  return std::make_unique<MatmulPlan>(spec, context);
}

}  // namespace myelin
