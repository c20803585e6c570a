// Stable sort along one axis: values and their int32 places. Each element becomes one 64-bit word,
// its order in the upper half and its place in the lower, so that sorting whole words is stable in
// either direction.
#include <bit>
#include <utility>

#include "support.h"

namespace myelin {
namespace {

constexpr int64_t kRadixFrom =
    1024;  // below, a comparison sort beats clearing and summing the radix counts
constexpr int kDigitBits = 11;  // three digits cover 32 bits; 2048 counts fit L1 beside the streams
constexpr int kDigits = 3;

// Monotonic in the element; NaN above all others, -0 and +0 the same.
uint32_t order_of(float x, bool descending) {
  if (x != x) return UINT32_MAX;
  const uint32_t bits = std::bit_cast<uint32_t>(x + 0.0f);
  const uint32_t order = bits >> 31 ? ~bits : bits | 0x80000000u;
  return descending ? ~order : order;
}
uint32_t order_of(int32_t x, bool descending) {
  const uint32_t order = static_cast<uint32_t>(x) ^ 0x80000000u;
  return descending ? ~order : order;
}

// Sorts by the upper halves; equal ones keep their order, which is that of their places. Returns
// where the result is.
const uint64_t* radix_sort(uint64_t* words, uint64_t* spare, int64_t n) {
  constexpr uint32_t kSize = 1u << kDigitBits;
  uint32_t counts[kDigits][kSize] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (int d = 0; d < kDigits; ++d) ++counts[d][words[i] >> (32 + kDigitBits * d) & (kSize - 1)];
  }
  for (int d = 0; d < kDigits; ++d) {
    const int shift = 32 + kDigitBits * d;
    if (counts[d][words[0] >> shift & (kSize - 1)] == static_cast<uint64_t>(n))
      continue;  // all the same digit
    uint32_t start = 0;
    for (uint32_t& count : counts[d]) start += std::exchange(count, start);
    for (int64_t i = 0; i < n; ++i) spare[counts[d][words[i] >> shift & (kSize - 1)]++] = words[i];
    std::swap(words, spare);
  }
  return words;
}

template <class T>
class SortPlan final : public StepPlan {
 public:
  SortPlan(const Around& shape, bool descending, int threads)
      : shape_(shape), rows_(shape.outer * shape.inner), descending_(descending) {
    // Sorting costs some 64 times as much per element as moving it.
    grain_ = std::max<int64_t>(grain_of(64 * 4 * shape.n), (rows_ - 1) / kMaxTasks + 1);
    tasks_ = rows_ == 0 || shape.n == 0 ? 0 : (rows_ - 1) / grain_ + 1;
    slots_ = tasks_ > 1 ? std::max(1, threads) : 1;
  }

  // Two rows of words for each worker.
  size_t workspace_bytes() const override {
    return static_cast<size_t>(slots_ * 2 * shape_.n) * sizeof(uint64_t);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const T* x = static_cast<const T*>(inputs[0]);
    T* values = static_cast<T*>(outputs[0]);
    int32_t* places = static_cast<int32_t*>(outputs[1]);
    uint64_t* workspace = reinterpret_cast<uint64_t*>(context.workspace);
    const int64_t n = shape_.n, inner = shape_.inner;
    const auto sort_rows = [&](int64_t task, int worker) {
      uint64_t* words = workspace + worker * 2 * n;
      for (int64_t row = task * grain_; row < std::min(rows_, (task + 1) * grain_); ++row) {
        const int64_t at = row / inner * n * inner + row % inner;
        sort_row(x + at, values + at, places + at, words);
      }
    };
    if (context.pool.threads() <= slots_) {
      context.pool.parallel_for(tasks_, sort_rows);
    } else {
      for (int64_t task = 0; task < tasks_; ++task) sort_rows(task, 0);
    }
  }

 private:
  static constexpr int64_t kMaxTasks = 1024;

  void sort_row(const T* x, T* values, int32_t* places, uint64_t* words) const {
    const int64_t n = shape_.n, step = shape_.inner;
    for (int64_t i = 0; i < n; ++i) {
      words[i] = static_cast<uint64_t>(order_of(x[i * step], descending_)) << 32 |
                 static_cast<uint64_t>(i);
    }
    const uint64_t* sorted = words;
    if (n < kRadixFrom) {
      std::sort(words, words + n);
    } else {
      sorted = radix_sort(words, words + n, n);
    }
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t place = static_cast<uint32_t>(sorted[i]);
      values[i * step] = x[place * step];
      places[i * step] = static_cast<int32_t>(place);
    }
  }

  Around shape_;
  int64_t rows_, grain_, tasks_, slots_;
  bool descending_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_sort(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "sort", 1, 2, 2);
  const TensorView& x = spec.inputs[0];
  const int axis = require_axis("sort", spec.attrs.ints[0], x.rank);
  require(x.dtype == DType::kFloat32 || x.dtype == DType::kInt32,
          "sort: expected float32 or int32");
  require(spec.outputs[0].dtype == x.dtype, "sort: values differ from the input in dtype");
  require(spec.outputs[1].dtype == DType::kInt32, "sort: expected int32 places");
  require(same_dims(x, spec.outputs[0]) && same_dims(x, spec.outputs[1]),
          "sort: output shape does not fit");
  require(x.dims[axis] <= INT32_MAX, "sort: axis size out of range");
  const Around shape = around(x, axis, axis + 1);
  const bool descending = spec.attrs.ints[1] != 0;
  if (x.dtype == DType::kFloat32)
    return std::make_unique<SortPlan<float>>(shape, descending, context.threads);
  return std::make_unique<SortPlan<int32_t>>(shape, descending, context.threads);
}

}  // namespace myelin
