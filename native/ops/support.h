// What the planners of reductions and moves share: checked shapes, and loops split by size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "../step.h"

namespace myelin {

// Traffic worth a task of its own: several times what waking a worker costs (about 1 us), a part of
// L2.
constexpr int64_t kTaskBytes = 256 << 10;

// Dimensions beyond this cannot be real, and below it sums of a few of them cannot overflow.
constexpr int64_t kMaxDimension = int64_t{1} << 40;

inline void require(bool ok, const std::string& message) {
  if (!ok) throw ProgramError(message);
}

inline bool same_dims(const TensorView& a, const TensorView& b) {
  return a.rank == b.rank && std::equal(a.dims, a.dims + a.rank, b.dims);
}

// Numbers of operands and attributes, and dimensions that later arithmetic can trust.
inline void require_form(const StepSpec& spec, const char* name, size_t inputs, size_t outputs,
                         size_t ints = 0, size_t lists = 0) {
  const std::string where = name;
  require(spec.inputs.size() == inputs && spec.outputs.size() == outputs,
          where + ": expected " + std::to_string(inputs) + " inputs and " +
              std::to_string(outputs) + " outputs, got " + std::to_string(spec.inputs.size()) +
              " and " + std::to_string(spec.outputs.size()));
  require(spec.attrs.ints.size() == ints && spec.attrs.lists.size() == lists,
          where + ": wrong number of attributes");
  for (const auto* views : {&spec.inputs, &spec.outputs}) {
    for (const TensorView& view : *views) {
      require(view.rank >= 0 && view.rank <= kMaxRank, where + ": rank out of range");
      int64_t size = 1, exact = 1;
      for (int i = 0; i < view.rank; ++i) {
        require(view.dims[i] >= 0 && view.dims[i] <= kMaxDimension,
                where + ": dimension out of range");
        // Zeros aside, so that products over a part of the dimensions stay in range as well.
        require(!__builtin_mul_overflow(size, std::max<int64_t>(view.dims[i], 1), &size) &&
                    size <= INT64_MAX / 16,
                where + ": too many elements");
        exact *= view.dims[i];
      }
      require(view.size == exact, where + ": size differs from the dimensions");
    }
  }
}

// A tensor seen as [outer, n, inner] around the axes begin .. end - 1.
struct Around {
  int64_t outer = 1, n = 1, inner = 1;
};
inline Around around(const TensorView& view, int64_t begin, int64_t end) {
  Around a;
  for (int64_t i = 0; i < view.rank; ++i) {
    (i < begin ? a.outer : i < end ? a.n : a.inner) *= view.dims[i];
  }
  return a;
}

// An axis attribute, checked.
inline int require_axis(const char* name, int64_t axis, int rank) {
  require(axis >= 0 && axis < rank, std::string(name) + ": axis " + std::to_string(axis) +
                                        " does not fit rank " + std::to_string(rank));
  return static_cast<int>(axis);
}

// Calls fn(begin, end) over [0, count) in pieces of `grain`, on the pool when there are several.
template <class F>
void for_ranges(const RunContext& context, int64_t count, int64_t grain, F&& fn) {
  if (count <= 0) return;
  if (count <= grain) return fn(int64_t{0}, count);
  context.pool.parallel_for((count - 1) / grain + 1, [&](int64_t chunk, int) {
    fn(chunk * grain, std::min(count, (chunk + 1) * grain));
  });
}

// How many items of this many bytes make a task.
inline int64_t grain_of(int64_t item_bytes) {
  return std::max<int64_t>(1, kTaskBytes / std::max<int64_t>(1, item_bytes));
}

}  // namespace myelin
