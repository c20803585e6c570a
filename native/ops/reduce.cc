// Reductions over contiguous axes: sum, max, min, prod, argmax, argmin. A tensor is [outer, n,
// inner]; long reductions are cut at places that depend on the sizes alone, and the partial results
// are reduced in a second pass.
#include "support.h"

namespace myelin {
namespace {

// Elements a task reduces: 2 us from L2, 10 us from memory; waking a worker costs about one.
constexpr int64_t kTaskElements = 64 << 10;
constexpr int64_t kColumnsAtOnce = 4096;  // 16 KiB of results, which stay in L1 from row to row
constexpr int64_t kMinColumns = 256;      // shorter runs than 1 KiB waste the prefetchers
constexpr int64_t kUncutRows = 512;

template <class T>
struct Reducers {
  void (*rows)(const T*, int64_t, int64_t, T*);
  void (*columns)(const T*, int64_t, int64_t, int64_t, T*);
};

template <class T>
class ReducePlan final : public StepPlan {
 public:
  ReducePlan(const Around& shape, const Reducers<T>& kernels) : shape_(shape), kernels_(kernels) {
    if (shape.inner == 1) {
      columns_ = 1;
      rows_ = shape.n > 2 * kTaskElements ? kTaskElements : shape.n;
    } else if (shape.n <= kUncutRows) {
      const int64_t fair = kTaskElements / std::max<int64_t>(shape.n, 1) / 64 * 64;
      columns_ = std::min(shape.inner, std::clamp(fair, kMinColumns, kColumnsAtOnce));
      rows_ = shape.n;
    } else {
      columns_ = std::min(shape.inner, kColumnsAtOnce);
      rows_ = std::max<int64_t>(64, kTaskElements / std::max<int64_t>(columns_, 1));
      if (shape.n < 2 * rows_) rows_ = shape.n;
    }
    row_cuts_ = shape.n == 0 ? 1 : (shape.n - 1) / rows_ + 1;
    column_cuts_ = shape.inner == 0 ? 0 : (shape.inner - 1) / columns_ + 1;
  }

  size_t workspace_bytes() const override {
    return row_cuts_ == 1
               ? 0
               : static_cast<size_t>(shape_.outer * row_cuts_ * shape_.inner) * sizeof(T);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const T* x = static_cast<const T*>(inputs[0]);
    T* out = static_cast<T*>(outputs[0]);
    if (row_cuts_ == 1) return pass(context, x, shape_.n, rows_, 1, out);
    T* partial = reinterpret_cast<T*>(context.workspace);
    pass(context, x, shape_.n, rows_, row_cuts_, partial);
    pass(context, partial, row_cuts_, row_cuts_, 1, out);
  }

 private:
  // [outer, n, inner] to [outer, cuts, inner], `rows` elements to a cut.
  void pass(const RunContext& context, const T* x, int64_t n, int64_t rows, int64_t cuts,
            T* out) const {
    if (shape_.inner == 1 && cuts == 1) {
      for_ranges(context, shape_.outer, grain(n), [&](int64_t begin, int64_t end) {
        kernels_.rows(x + begin * n, end - begin, n, out + begin);
      });
      return;
    }
    const int64_t tasks = shape_.outer * cuts * column_cuts_;
    for_ranges(context, tasks, grain(rows * columns_), [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t c = task % column_cuts_ * columns_;
        const int64_t cut = task / column_cuts_ % cuts, o = task / column_cuts_ / cuts;
        const int64_t r = cut * rows, count = std::min(rows, n - r), inner = shape_.inner;
        const T* from = x + (o * n + r) * inner + c;
        T* to = out + (o * cuts + cut) * inner + c;
        if (inner == 1) {
          kernels_.rows(from, 1, count, to);
        } else {
          kernels_.columns(from, count, std::min(columns_, inner - c), inner, to);
        }
      }
    });
  }

  static int64_t grain(int64_t elements) {
    return std::max<int64_t>(1, kTaskElements / std::max<int64_t>(elements, 1));
  }

  Around shape_;
  Reducers<T> kernels_;
  int64_t rows_, columns_;  // a task's share
  int64_t row_cuts_, column_cuts_;
};

Around reduced_shape(const StepSpec& spec, const char* name) {
  require_form(spec, name, 1, 1, 2);
  const std::string where = name;
  const TensorView &x = spec.inputs[0], &out = spec.outputs[0];
  const int64_t begin = spec.attrs.ints[0], end = spec.attrs.ints[1];
  require(begin >= 0 && begin <= end && end <= x.rank, where + ": axes out of range");
  require(x.dtype == DType::kFloat32 || x.dtype == DType::kInt32,
          where + ": expected float32 or int32");
  require(out.dtype == x.dtype, where + ": output dtype differs from input dtype");
  bool fits = out.rank == x.rank - (end - begin);
  for (int64_t i = 0; fits && i < out.rank; ++i) {
    fits = out.dims[i] == x.dims[i < begin ? i : i + end - begin];
  }
  require(fits, where + ": output shape does not fit");
  return around(x, begin, end);
}

std::unique_ptr<StepPlan> plan_reduction(const StepSpec& spec, const char* name,
                                         const Reducers<float>& f32, const Reducers<int32_t>& i32) {
  const Around shape = reduced_shape(spec, name);
  if (spec.inputs[0].dtype == DType::kFloat32)
    return std::make_unique<ReducePlan<float>>(shape, f32);
  return std::make_unique<ReducePlan<int32_t>>(shape, i32);
}

template <class T>
struct ArgReducers {
  void (*rows)(const T*, int64_t, int64_t, int32_t*);
  void (*columns)(const T*, int64_t, int64_t, int64_t, int32_t*);
  bool is_max;
};

template <class T>
class ArgPlan final : public StepPlan {
 public:
  ArgPlan(const Around& shape, const ArgReducers<T>& kernels) : shape_(shape), kernels_(kernels) {
    // Half of kTaskElements: the search for the place reads the cut a second time, from L2.
    cut_ = shape.inner == 1 && shape.n > 2 * kTaskElements ? kTaskElements / 2 : shape.n;
    cuts_ = (shape.n - 1) / cut_ + 1;
  }

  size_t workspace_bytes() const override {
    return cuts_ == 1 ? 0 : static_cast<size_t>(shape_.outer * cuts_) * sizeof(int32_t);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const T* x = static_cast<const T*>(inputs[0]);
    int32_t* out = static_cast<int32_t*>(outputs[0]);
    const int64_t n = shape_.n, inner = shape_.inner;
    if (inner != 1) {
      const int64_t columns = std::min(inner, kMinColumns),
                    cuts = inner == 0 ? 0 : (inner - 1) / columns + 1;
      const int64_t grain = std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, n * columns));
      for_ranges(context, shape_.outer * cuts, grain, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t o = task / cuts, c = task % cuts * columns;
          kernels_.columns(x + o * n * inner + c, n, std::min(columns, inner - c), inner,
                           out + o * inner + c);
        }
      });
    } else if (cuts_ == 1) {
      for_ranges(context, shape_.outer, std::max<int64_t>(1, kTaskElements / n),
                 [&](int64_t begin, int64_t end) {
                   kernels_.rows(x + begin * n, end - begin, n, out + begin);
                 });
    } else {
      int32_t* places = reinterpret_cast<int32_t*>(context.workspace);
      for_ranges(context, shape_.outer * cuts_, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t o = task / cuts_, at = task % cuts_ * cut_;
          int32_t place;
          kernels_.rows(x + o * n + at, 1, std::min(cut_, n - at), &place);
          places[task] = static_cast<int32_t>(at) + place;
        }
      });
      for (int64_t o = 0; o < shape_.outer; ++o) {
        const T* row = x + o * n;
        int32_t best = places[o * cuts_];
        for (int64_t i = 1; i < cuts_; ++i) {
          const int32_t place = places[o * cuts_ + i];
          if (beats(row[place], row[best])) best = place;
        }
        out[o] = best;
      }
    }
  }

 private:
  bool beats(T x, T best) const {
    return (kernels_.is_max ? x > best : x < best) || (x != x && best == best);
  }

  Around shape_;
  ArgReducers<T> kernels_;
  int64_t cut_, cuts_;
};

std::unique_ptr<StepPlan> plan_arg(const StepSpec& spec, const char* name,
                                   const ArgReducers<float>& f32, const ArgReducers<int32_t>& i32) {
  require_form(spec, name, 1, 1, 1);
  const std::string where = name;
  const TensorView &x = spec.inputs[0], &out = spec.outputs[0];
  const int axis = require_axis(name, spec.attrs.ints[0], x.rank);
  require(x.dtype == DType::kFloat32 || x.dtype == DType::kInt32,
          where + ": expected float32 or int32");
  require(out.dtype == DType::kInt32, where + ": expected an int32 output");
  require(x.dims[axis] >= 1 && x.dims[axis] <= INT32_MAX, where + ": axis size out of range");
  bool fits = out.rank == x.rank - 1;
  for (int i = 0; fits && i < out.rank; ++i) fits = out.dims[i] == x.dims[i < axis ? i : i + 1];
  require(fits, where + ": output shape does not fit");
  const Around shape = around(x, axis, axis + 1);
  if (x.dtype == DType::kFloat32) return std::make_unique<ArgPlan<float>>(shape, f32);
  return std::make_unique<ArgPlan<int32_t>>(shape, i32);
}

}  // namespace

#define MYELIN_PLAN(name)                                                                   \
  std::unique_ptr<StepPlan> plan_##name(const StepSpec& spec, const PlanContext& context) { \
    const KernelTable& k = context.kernels;                                                 \
    return plan_reduction(spec, #name, {k.name##_rows_f32, k.name##_columns_f32},           \
                          {k.name##_rows_i32, k.name##_columns_i32});                       \
  }
MYELIN_PLAN(sum)
MYELIN_PLAN(max)
MYELIN_PLAN(min)
MYELIN_PLAN(prod)
#undef MYELIN_PLAN

#define MYELIN_PLAN(name, is_max)                                                           \
  std::unique_ptr<StepPlan> plan_##name(const StepSpec& spec, const PlanContext& context) { \
    const KernelTable& k = context.kernels;                                                 \
    return plan_arg(spec, #name, {k.name##_rows_f32, k.name##_columns_f32, is_max},         \
                    {k.name##_rows_i32, k.name##_columns_i32, is_max});                     \
  }
MYELIN_PLAN(argmax, true)
MYELIN_PLAN(argmin, false)
#undef MYELIN_PLAN

}  // namespace myelin
