// gather and scatterAdd: rows of one axis by int32 index. Indices are data, so each is loaded once,
// checked, then used; one that is out of range fails the run, and its element is left zero (gather)
// or out (scatterAdd).
#include <cstring>

#include "support.h"

namespace myelin {
namespace {

int64_t load_once(const int32_t* index) { return __atomic_load_n(index, __ATOMIC_RELAXED); }

void report(const RunContext& context, const char* op, int64_t index, int64_t at, int64_t size) {
  context.status.fail(std::string(op) + ": index " + std::to_string(index) + " at " +
                      std::to_string(at) + " is outside [0, " + std::to_string(size) + ")");
}

// shape of x with `axis` replaced by the indices' shape; [outer, count, inner] of it is what the
// plans use.
void require_gathered(const TensorView& whole, const TensorView& indices, const TensorView& picked,
                      int axis, const char* name) {
  const std::string where = name;
  require(indices.dtype == DType::kInt32, where + ": expected int32 indices");
  require(whole.dtype == picked.dtype, where + ": output dtype differs from input dtype");
  bool fits = picked.rank == whole.rank - 1 + indices.rank;
  for (int i = 0; fits && i < picked.rank; ++i) {
    const int past = i - axis - indices.rank;
    fits = picked.dims[i] == (i < axis   ? whole.dims[i]
                              : past < 0 ? indices.dims[i - axis]
                                         : whole.dims[axis + 1 + past]);
  }
  require(fits, where + ": shapes do not fit");
}

class GatherPlan final : public StepPlan {
 public:
  GatherPlan(const Around& shape, int64_t count, int64_t element_bytes)
      : outer_(shape.outer), n_(shape.n), count_(count), row_bytes_(shape.inner * element_bytes) {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const std::byte*>(inputs[0]);
    const auto* indices = static_cast<const int32_t*>(inputs[1]);
    auto* out = static_cast<std::byte*>(outputs[0]);
    if (row_bytes_ == 0) return;
    for_ranges(context, outer_ * count_, grain_of(row_bytes_), [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end;) {
        const int64_t o = at / count_, first = at % count_;
        const int64_t last = std::min(count_, first + end - at);
        const std::byte* from = x + o * n_ * row_bytes_;
        std::byte* to = out + (o * count_ + first) * row_bytes_;
        if (row_bytes_ == 4) {
          pick<4>(context, from, indices, first, last, to);
        } else if (row_bytes_ == 1) {
          pick<1>(context, from, indices, first, last, to);
        } else {
          pick<0>(context, from, indices, first, last, to);
        }
        at += last - first;
      }
    });
  }

 private:
  template <int64_t kBytes>  // 0: row_bytes_
  void pick(const RunContext& context, const std::byte* from, const int32_t* indices, int64_t first,
            int64_t last, std::byte* to) const {
    const int64_t bytes = kBytes == 0 ? row_bytes_ : kBytes;
    for (int64_t i = first; i < last; ++i, to += bytes) {
      const int64_t index = load_once(indices + i);
      if (index >= 0 && index < n_) [[likely]] {
        std::memmove(to, from + index * bytes, static_cast<size_t>(bytes));
      } else {
        std::memset(to, 0, static_cast<size_t>(bytes));
        report(context, "gather", index, i, n_);
      }
    }
  }

  int64_t outer_, n_, count_, row_bytes_;
};

// Every element of the output gets its updates in their order, whoever adds them: the work is split
// over outer dimensions, over runs of the inner one or over rows of the output, never over updates.
template <class T>
class ScatterAddPlan final : public StepPlan {
 public:
  ScatterAddPlan(const Around& shape, int64_t count, int threads,
                 void (*accumulate)(T*, const T*, int64_t))
      : shape_(shape), count_(count), accumulate_(accumulate) {
    // A part reads all indices again; more parts than threads would only add to that.
    const int64_t bytes = (shape.n + count) * shape.inner * static_cast<int64_t>(sizeof(T));
    const int64_t parts = std::min<int64_t>(threads, bytes / kTaskBytes);
    if (parts > 1 && shape.outer < 2 * threads) {
      // Columns share the work evenly whatever the indices; rows are zeroed in one piece, which is
      // what counts when most of them get nothing.
      const bool sparse = shape.n >= 2 * count && shape.inner >= kMinSplitRow;
      if (shape.inner >= parts * kMinRun && !sparse) {
        inner_part_ = ((shape.inner - 1) / parts / kMinRun + 1) * kMinRun;
      } else if (shape.inner >= kMinSplitRow) {
        row_part_ = (shape.n - 1) / parts + 1;
      }
    }
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* indices = static_cast<const int32_t*>(inputs[0]);
    const T* updates = static_cast<const T*>(inputs[1]);
    T* out = static_cast<T*>(outputs[0]);
    const int64_t n = shape_.n, inner = shape_.inner;
    const int64_t run = inner_part_ > 0 ? inner_part_ : inner, rows = row_part_ > 0 ? row_part_ : n;
    if (inner == 0) return;
    const int64_t runs = (inner - 1) / run + 1, parts = n == 0 ? 1 : (n - 1) / rows + 1;
    const int64_t bytes = (rows + count_) * run * static_cast<int64_t>(sizeof(T));
    const int64_t grain = runs * parts > 1 ? 1 : grain_of(bytes);
    for_ranges(context, shape_.outer * runs * parts, grain, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t c = task % runs * run, low = task / runs % parts * rows,
                      o = task / runs / parts;
        add(context, indices, updates + o * count_ * inner + c, out + o * n * inner + c,
            std::min(run, inner - c), low, std::min(n, low + rows));
      }
    });
  }

 private:
  static constexpr int64_t kMinRun = 64;
  // Asking whether a random index is ours costs a mispredicted branch; shorter rows are added
  // sooner than that.
  static constexpr int64_t kMinSplitRow = 32;

  // The rows low .. high - 1 of one [n, inner], `run` columns wide.
  void add(const RunContext& context, const int32_t* indices, const T* updates, T* out, int64_t run,
           int64_t low, int64_t high) const {
    const int64_t inner = shape_.inner;
    if (run == inner) {
      std::memset(out + low * inner, 0, static_cast<size_t>((high - low) * inner) * sizeof(T));
    } else {
      for (int64_t row = low; row < high; ++row) {
        std::memset(out + row * inner, 0, static_cast<size_t>(run) * sizeof(T));
      }
    }
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t index = load_once(indices + i);
      if (index < 0 || index >= shape_.n) {
        report(context, "scatterAdd", index, i, shape_.n);
      } else if (index >= low && index < high) {
        if (run == 1) {
          T& to = out[index * inner];
          to = sum(to, updates[i * inner]);
        } else {
          accumulate_(out + index * inner, updates + i * inner, run);
        }
      }
    }
  }

  static float sum(float a, float b) { return a + b; }
  static int32_t sum(int32_t a, int32_t b) {
    return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  }

  Around shape_;
  int64_t count_;
  int64_t inner_part_ = 0, row_part_ = 0;  // 0: not split there
  void (*accumulate_)(T*, const T*, int64_t);
};

}  // namespace

std::unique_ptr<StepPlan> plan_gather(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "gather", 2, 1, 1);
  const TensorView &x = spec.inputs[0], &indices = spec.inputs[1];
  const int axis = require_axis("gather", spec.attrs.ints[0], x.rank);
  require_gathered(x, indices, spec.outputs[0], axis, "gather");
  return std::make_unique<GatherPlan>(around(x, axis, axis + 1), indices.size, bytes_of(x.dtype));
}

std::unique_ptr<StepPlan> plan_scatterAdd(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "scatterAdd", 2, 1, 1);
  const TensorView &indices = spec.inputs[0], &updates = spec.inputs[1], &out = spec.outputs[0];
  const int axis = require_axis("scatterAdd", spec.attrs.ints[0], out.rank);
  require(updates.dtype == DType::kFloat32 || updates.dtype == DType::kInt32,
          "scatterAdd: expected float32 or int32 updates");
  require_gathered(out, indices, updates, axis, "scatterAdd");
  const Around shape = around(out, axis, axis + 1);
  if (updates.dtype == DType::kFloat32) {
    return std::make_unique<ScatterAddPlan<float>>(shape, indices.size, context.threads,
                                                   context.kernels.accumulate_f32);
  }
  return std::make_unique<ScatterAddPlan<int32_t>>(shape, indices.size, context.threads,
                                                   context.kernels.accumulate_i32);
}

}  // namespace myelin
