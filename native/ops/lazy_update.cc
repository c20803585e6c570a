// Adam on the rows of a table that are named by index (src/ops/lazy-update.ts). Indices are data,
// so each is loaded once into scratch and checked there. The places where a row is named are
// chained through scratch in their order; whoever meets the first adds the row's gradients up and
// updates it.
#include <cmath>
#include <cstring>
#include <limits>

#include "support.h"
#include "update_support.h"

namespace myelin {
namespace {

class LazyAdamPlan final : public StepPlan {
 public:
  LazyAdamPlan(const StepSpec& spec, size_t lead)
      : lead_(lead),
        n_(spec.inputs[lead].dims[0]),
        row_(n_ == 0 ? 0 : spec.inputs[lead].size / n_),
        count_(spec.inputs[lead + 1].size),
        beta1_(as_written(spec.attrs.floats[0])),
        beta2_(as_written(spec.attrs.floats[1])),
        epsilon_(spec.attrs.floats[2]),
        decay_(spec.attrs.floats[3]),
        clip_(spec.attrs.floats[4]) {}

  // The named row of each place, the next place that names it, and the first place of each row.
  size_t workspace_bytes() const override {
    return static_cast<size_t>(2 * count_ + n_) * sizeof(int32_t);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    auto* const named = reinterpret_cast<int32_t*>(context.workspace);
    int32_t* const next = named + count_;
    int32_t* const first = next + count_;
    const void* const* const table = inputs + lead_;
    chain(context, static_cast<const int32_t*>(table[1]), named, next, first);
    keep(table[0], outputs[0]);
    keep(table[3], outputs[1]);
    keep(table[4], outputs[2]);

    const AdamStep step = step_of(inputs);
    const auto* rows = static_cast<const float*>(table[2]);
    auto* const p = static_cast<float*>(outputs[0]);
    auto* const m = static_cast<float*>(outputs[1]);
    auto* const v = static_cast<float*>(outputs[2]);
    const int64_t grain = grain_of(row_ * 7 * static_cast<int64_t>(sizeof(float)));
    for_ranges(context, count_, grain, [&](int64_t begin, int64_t end) {
      float sums[kColumns];
      for (int64_t i = begin; i < end; ++i) {
        if (named[i] < 0 || first[named[i]] != i) continue;
        const int64_t at = named[i] * row_;
        for (int64_t c = 0; c < row_; c += kColumns) {
          const int64_t columns = std::min(kColumns, row_ - c);
          const float* g = rows + i * row_ + c;
          if (next[i] >= 0) {
            std::memcpy(sums, g, static_cast<size_t>(columns) * sizeof(float));
            for (int32_t j = next[i]; j >= 0; j = next[j])
              context.kernels.accumulate_f32(sums, rows + j * row_ + c, columns);
            g = sums;
          }
          float *pc = p + at + c, *mc = m + at + c, *vc = v + at + c;
          context.kernels.adam(
              step, {pc, g, mc, vc, nullptr, nullptr, pc, mc, vc, nullptr, nullptr}, columns);
        }
      }
    });
  }

 private:
  static constexpr int64_t kColumns = 512;  // of a row's gradient, summed on the stack

  void chain(const RunContext& context, const int32_t* indices, int32_t* named, int32_t* next,
             int32_t* first) const {
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t index = __atomic_load_n(indices + i, __ATOMIC_RELAXED);
      const bool fits = index >= 0 && index < n_;
      named[i] = fits ? static_cast<int32_t>(index) : -1;
      if (fits) {
        first[index] = -1;
      } else {
        context.status.fail("lazyAdamUpdate: index " + std::to_string(index) + " at " +
                            std::to_string(i) + " is outside [0, " + std::to_string(n_) + ")");
      }
    }
    for (int64_t i = count_ - 1; i >= 0; --i) {
      if (named[i] < 0) continue;
      next[i] = first[named[i]];
      first[named[i]] = static_cast<int32_t>(i);
    }
  }

  // Outputs start as what they follow, where they do not lie on it. Empty ones have no address.
  void keep(const void* from, void* to) const {
    const size_t bytes = static_cast<size_t>(n_ * row_) * sizeof(float);
    if (from != to && bytes > 0) std::memmove(to, from, bytes);
  }

  AdamStep step_of(const void* const* inputs) const {
    const float rate = *static_cast<const float*>(inputs[0]);
    const int32_t done = *static_cast<const int32_t*>(inputs[1]);
    AdamStep step = adam_step(rate, done, beta1_, beta2_, epsilon_);
    step.sweep.decay = decay_ * rate;
    step.sweep.bounds = lead_ == 3 || clip_ != 0.0f;
    step.sweep.scale = lead_ == 3 ? *static_cast<const float*>(inputs[2]) : 1.0f;
    step.sweep.clip = clip_ != 0.0f ? clip_ : std::numeric_limits<float>::infinity();
    return step;
  }

  const size_t lead_;
  const int64_t n_, row_, count_;
  const double beta1_, beta2_;
  const float epsilon_, decay_, clip_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_lazyAdamUpdate(const StepSpec& spec, const PlanContext&) {
  require(spec.attrs.floats.size() == 5, "lazyAdamUpdate: wrong attributes");
  const bool scaled = !spec.attrs.ints.empty() && spec.attrs.ints[0] != 0;
  const size_t lead = scaled ? 3 : 2;
  require_form(spec, "lazyAdamUpdate", lead + 5, 3, 1);
  const TensorView* const in = spec.inputs.data();
  require(in[0].dtype == DType::kFloat32 && in[0].size == 1 && in[1].dtype == DType::kInt32 &&
              in[1].size == 1,
          "lazyAdamUpdate: expected a float32 rate and an int32 iteration");
  require(!scaled || (in[2].dtype == DType::kFloat32 && in[2].size == 1),
          "lazyAdamUpdate: the scale must be one float32");
  const TensorView &p = in[lead], &indices = in[lead + 1], &rows = in[lead + 2];
  require(p.dtype == DType::kFloat32 && p.rank >= 1 && p.dims[0] <= INT32_MAX,
          "lazyAdamUpdate: expected a float32 table of at most 2^31 - 1 rows");
  require(indices.dtype == DType::kInt32 && indices.rank == 1 && indices.size <= INT32_MAX,
          "lazyAdamUpdate: expected a list of int32 indices");
  bool fits = rows.dtype == DType::kFloat32 && rows.rank == p.rank && rows.dims[0] == indices.size;
  for (int d = 1; fits && d < p.rank; ++d) fits = rows.dims[d] == p.dims[d];
  require(fits, "lazyAdamUpdate: expected one row of the table's kind for each index");
  for (const TensorView* view :
       {&in[lead + 3], &in[lead + 4], &spec.outputs[0], &spec.outputs[1], &spec.outputs[2]}) {
    require(view->dtype == DType::kFloat32 && view->size == p.size,
            "lazyAdamUpdate: expected moments and results like the table");
  }
  return std::make_unique<LazyAdamPlan>(spec, lead);
}

}  // namespace myelin
