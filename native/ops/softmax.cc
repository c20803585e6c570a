// Softmax and cross-entropy steps: rows over the last axis, split over the pool.
#include <algorithm>
#include <string>

#include "../step.h"

namespace myelin {
namespace {

// Elements one thread takes at a time: some ten microseconds of exponentials.
constexpr int64_t kGrain = 8192;

// A tensor as rows over its last axis, and the split of the rows.
struct Rows {
  int64_t rows, cols, per_chunk, chunks;

  explicit Rows(const TensorView& x) {
    cols = x.dims[x.rank - 1];
    rows = 1;
    for (int d = 0; d < x.rank - 1; ++d) {
      require(!__builtin_mul_overflow(rows, x.dims[d], &rows) && rows <= int64_t{1} << 46,
              "softmax: too many rows");
    }
    per_chunk = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols));
    chunks = (rows + per_chunk - 1) / per_chunk;
  }

  template <class F>
  void each(ThreadPool& pool, const F& f) const {
    pool.parallel_for(chunks, [&](int64_t chunk, int) {
      const int64_t first = chunk * per_chunk;
      f(first, std::min(per_chunk, rows - first));
    });
  }
};

void require_arity(const StepSpec& spec, size_t inputs, size_t outputs) {
  require(spec.inputs.size() == inputs && spec.outputs.size() == outputs,
          "softmax: wrong number of operands");
}
void require_float(const TensorView& view) {
  require(view.dtype == DType::kFloat32, "softmax: operands must be float32");
}
Rows checked_rows(const TensorView& x) {
  require_float(x);
  require(x.rank >= 1, "softmax: needs at least one dimension");
  return Rows(x);
}
void require_per_row(const TensorView& view, const Rows& rows, DType dtype) {
  require(view.dtype == dtype && view.size == rows.rows,
          "softmax: an operand must have one element per row");
}
void require_same(const TensorView& view, const TensorView& x) {
  require_float(view);
  require(view.size == x.size, "softmax: operands must have one shape");
}

class SoftmaxPlan final : public StepPlan {
 public:
  SoftmaxPlan(const StepSpec& spec, SoftmaxRows* kernel)
      : rows_(checked_rows(spec.inputs[0])), kernel_(kernel) {
    require_same(spec.outputs[0], spec.inputs[0]);
  }
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    auto* out = static_cast<float*>(outputs[0]);
    rows_.each(context.pool, [&](int64_t first, int64_t count) {
      kernel_(x + first * rows_.cols, count, rows_.cols, out + first * rows_.cols);
    });
  }

 private:
  const Rows rows_;
  SoftmaxRows* const kernel_;
};

void report(RunStatus& status, const char* op, const int32_t* labels, int64_t first, int64_t bad,
            int64_t classes) {
  if (bad < 0) return;
  status.fail(std::string(op) + ": label " + std::to_string(labels[first + bad]) + " at row " +
              std::to_string(first + bad) + " is outside [0, " + std::to_string(classes) + ")");
}

class SparseCrossEntropyPlan final : public StepPlan {
 public:
  explicit SparseCrossEntropyPlan(const StepSpec& spec) : rows_(checked_rows(spec.inputs[0])) {
    require_per_row(spec.inputs[1], rows_, DType::kInt32);
    require_per_row(spec.outputs[0], rows_, DType::kFloat32);
    require_per_row(spec.outputs[1], rows_, DType::kFloat32);
  }
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    const auto* labels = static_cast<const int32_t*>(inputs[1]);
    auto* loss = static_cast<float*>(outputs[0]);
    auto* lse = static_cast<float*>(outputs[1]);
    rows_.each(context.pool, [&](int64_t first, int64_t count) {
      const int64_t bad = context.kernels.sparse_cross_entropy_rows(
          x + first * rows_.cols, labels + first, count, rows_.cols, loss + first, lse + first);
      report(context.status, "sparseSoftmaxCrossEntropy", labels, first, bad, rows_.cols);
    });
  }

 private:
  const Rows rows_;
};

class SparseCrossEntropyGradPlan final : public StepPlan {
 public:
  explicit SparseCrossEntropyGradPlan(const StepSpec& spec) : rows_(checked_rows(spec.inputs[0])) {
    require_per_row(spec.inputs[1], rows_, DType::kInt32);
    require_per_row(spec.inputs[2], rows_, DType::kFloat32);
    require_per_row(spec.inputs[3], rows_, DType::kFloat32);
    require_same(spec.outputs[0], spec.inputs[0]);
  }
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    const auto* labels = static_cast<const int32_t*>(inputs[1]);
    const auto* lse = static_cast<const float*>(inputs[2]);
    const auto* g = static_cast<const float*>(inputs[3]);
    auto* out = static_cast<float*>(outputs[0]);
    rows_.each(context.pool, [&](int64_t first, int64_t count) {
      const int64_t bad = context.kernels.sparse_cross_entropy_grad_rows(
          x + first * rows_.cols, labels + first, lse + first, g + first, count, rows_.cols,
          out + first * rows_.cols);
      report(context.status, "sparseSoftmaxCrossEntropyGrad", labels, first, bad, rows_.cols);
    });
  }

 private:
  const Rows rows_;
};

class CrossEntropyPlan final : public StepPlan {
 public:
  explicit CrossEntropyPlan(const StepSpec& spec) : rows_(checked_rows(spec.inputs[0])) {
    require_same(spec.inputs[1], spec.inputs[0]);
    require_per_row(spec.outputs[0], rows_, DType::kFloat32);
    require_per_row(spec.outputs[1], rows_, DType::kFloat32);
  }
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    const auto* labels = static_cast<const float*>(inputs[1]);
    auto* loss = static_cast<float*>(outputs[0]);
    auto* lse = static_cast<float*>(outputs[1]);
    rows_.each(context.pool, [&](int64_t first, int64_t count) {
      const int64_t at = first * rows_.cols;
      context.kernels.cross_entropy_rows(x + at, labels + at, count, rows_.cols, loss + first,
                                         lse + first);
    });
  }

 private:
  const Rows rows_;
};

class CrossEntropyGradPlan final : public StepPlan {
 public:
  explicit CrossEntropyGradPlan(const StepSpec& spec) : rows_(checked_rows(spec.inputs[0])) {
    require_same(spec.inputs[1], spec.inputs[0]);
    require_per_row(spec.inputs[2], rows_, DType::kFloat32);
    require_per_row(spec.inputs[3], rows_, DType::kFloat32);
    require_same(spec.outputs[0], spec.inputs[0]);
  }
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    const auto* labels = static_cast<const float*>(inputs[1]);
    const auto* lse = static_cast<const float*>(inputs[2]);
    const auto* g = static_cast<const float*>(inputs[3]);
    auto* out = static_cast<float*>(outputs[0]);
    rows_.each(context.pool, [&](int64_t first, int64_t count) {
      const int64_t at = first * rows_.cols;
      context.kernels.cross_entropy_grad_rows(x + at, labels + at, lse + first, g + first, count,
                                              rows_.cols, out + at);
    });
  }

 private:
  const Rows rows_;
};

// Loss and gradient one after the other for as many rows as stay in L1 in between, so that the
// logits come from memory once. The gradient may lie on the logits.
class WithGradPlan final : public StepPlan {
 public:
  WithGradPlan(const StepSpec& spec, bool sparse)
      : rows_(checked_rows(spec.inputs[0])), sparse_(sparse) {
    if (sparse) {
      require_per_row(spec.inputs[1], rows_, DType::kInt32);
    } else {
      require_same(spec.inputs[1], spec.inputs[0]);
    }
    require_per_row(spec.inputs[2], rows_, DType::kFloat32);
    require_per_row(spec.outputs[0], rows_, DType::kFloat32);
    require_per_row(spec.outputs[1], rows_, DType::kFloat32);
    require_same(spec.outputs[2], spec.inputs[0]);
    at_once_ = std::max<int64_t>(1, kFloats / std::max<int64_t>(1, rows_.cols));
  }
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const int64_t cols = rows_.cols;
    const auto* x = static_cast<const float*>(inputs[0]);
    const auto* g = static_cast<const float*>(inputs[2]);
    auto* loss = static_cast<float*>(outputs[0]);
    auto* lse = static_cast<float*>(outputs[1]);
    auto* out = static_cast<float*>(outputs[2]);
    rows_.each(context.pool, [&](int64_t first, int64_t count) {
      for (int64_t end = first + count; first < end; first += at_once_) {
        const int64_t n = std::min(at_once_, end - first), at = first * cols;
        if (sparse_) {
          const auto* labels = static_cast<const int32_t*>(inputs[1]);
          const int64_t bad = context.kernels.sparse_cross_entropy_rows(
              x + at, labels + first, n, cols, loss + first, lse + first);
          report(context.status, "sparseSoftmaxCrossEntropy", labels, first, bad, cols);
          context.kernels.sparse_cross_entropy_grad_rows(x + at, labels + first, lse + first,
                                                         g + first, n, cols, out + at);
        } else {
          const auto* labels = static_cast<const float*>(inputs[1]) + at;
          context.kernels.cross_entropy_rows(x + at, labels, n, cols, loss + first, lse + first);
          context.kernels.cross_entropy_grad_rows(x + at, labels, lse + first, g + first, n, cols,
                                                  out + at);
        }
      }
    });
  }

 private:
  static constexpr int64_t kFloats = 2048;  // 8 KiB of logits, as much of labels and of results
  const Rows rows_;
  const bool sparse_;
  int64_t at_once_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_softmax(const StepSpec& spec, const PlanContext& context) {
  require_arity(spec, 1, 1);
  return std::make_unique<SoftmaxPlan>(spec, context.kernels.softmax_rows);
}
std::unique_ptr<StepPlan> plan_logSoftmax(const StepSpec& spec, const PlanContext& context) {
  require_arity(spec, 1, 1);
  return std::make_unique<SoftmaxPlan>(spec, context.kernels.log_softmax_rows);
}
std::unique_ptr<StepPlan> plan_sparseSoftmaxCrossEntropy(const StepSpec& spec, const PlanContext&) {
  require_arity(spec, 2, 2);
  return std::make_unique<SparseCrossEntropyPlan>(spec);
}
std::unique_ptr<StepPlan> plan_sparseSoftmaxCrossEntropyGrad(const StepSpec& spec,
                                                             const PlanContext&) {
  require_arity(spec, 4, 1);
  return std::make_unique<SparseCrossEntropyGradPlan>(spec);
}
std::unique_ptr<StepPlan> plan_softmaxCrossEntropy(const StepSpec& spec, const PlanContext&) {
  require_arity(spec, 2, 2);
  return std::make_unique<CrossEntropyPlan>(spec);
}
std::unique_ptr<StepPlan> plan_softmaxCrossEntropyGrad(const StepSpec& spec, const PlanContext&) {
  require_arity(spec, 4, 1);
  return std::make_unique<CrossEntropyGradPlan>(spec);
}

std::unique_ptr<StepPlan> plan_sparseSoftmaxCrossEntropyWithGrad(const StepSpec& spec,
                                                                 const PlanContext&) {
  require_arity(spec, 3, 3);
  return std::make_unique<WithGradPlan>(spec, true);
}
std::unique_ptr<StepPlan> plan_softmaxCrossEntropyWithGrad(const StepSpec& spec,
                                                           const PlanContext&) {
  require_arity(spec, 3, 3);
  return std::make_unique<WithGradPlan>(spec, false);
}

}  // namespace myelin
