// cumsum along one axis, optionally exclusive or from the end. float32 accumulates in float64, so
// the error of a long scan stays one rounding; int32 wraps.
#include "support.h"

namespace myelin {
namespace {

template <class T>
struct Accumulator;
template <>
struct Accumulator<float> {
  using Type = double;
};
template <>
struct Accumulator<int32_t> {
  using Type = uint32_t;
};

constexpr int64_t kLane =
    64;  // columns that scan side by side: runs of 256 bytes in memory, sums in L1

template <class T>
class CumsumPlan final : public StepPlan {
 public:
  CumsumPlan(const Around& shape, bool exclusive, bool reverse)
      : shape_(shape), exclusive_(exclusive), reverse_(reverse) {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const T* x = static_cast<const T*>(inputs[0]);
    T* out = static_cast<T*>(outputs[0]);
    const int64_t n = shape_.n, inner = shape_.inner;
    if (inner == 1) {
      // Four rows at once: one row alone waits for each addition.
      const int64_t groups = (shape_.outer + 3) / 4;
      for_ranges(context, groups, grain_of(32 * n), [&](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; ++group) {
          const int64_t row = 4 * group, rows = std::min<int64_t>(4, shape_.outer - row);
          if (rows == 4) {
            scan<4>(x + row * n, out + row * n, n, 1, 4);
          } else {
            for (int64_t r = row; r < row + rows; ++r) scan<1>(x + r * n, out + r * n, n, 1, 1);
          }
        }
      });
      return;
    }
    const int64_t lanes = (inner + kLane - 1) / kLane;
    for_ranges(context, shape_.outer * lanes, grain_of(8 * kLane * n),
               [&](int64_t begin, int64_t end) {
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t c = task % lanes * kLane, at = task / lanes * n * inner + c;
                   scan<kLane>(x + at, out + at, 1, inner, std::min(kLane, inner - c));
                 }
               });
  }

 private:
  // `count` sequences (at most kCount), `apart` elements from each other, of elements `step` apart.
  template <int64_t kCount>
  void scan(const T* x, T* out, int64_t apart, int64_t step, int64_t count) const {
    using A = typename Accumulator<T>::Type;
    A sums[kCount] = {};
    const int64_t n = shape_.n;
    for (int64_t k = 0; k < n; ++k) {
      const int64_t at = (reverse_ ? n - 1 - k : k) * step;
      const auto add = [&](int64_t j) {
        const A value = static_cast<A>(x[at + j * apart]);
        const A next = sums[j] + value;
        out[at + j * apart] = static_cast<T>(exclusive_ ? sums[j] : next);
        sums[j] = next;
      };
      if (count == kCount) {
        for (int64_t j = 0; j < kCount; ++j) add(j);
      } else {
        for (int64_t j = 0; j < count; ++j) add(j);
      }
    }
  }

  Around shape_;
  bool exclusive_, reverse_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_cumsum(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "cumsum", 1, 1, 3);
  const TensorView& x = spec.inputs[0];
  const int axis = require_axis("cumsum", spec.attrs.ints[0], x.rank);
  require(x.dtype == DType::kFloat32 || x.dtype == DType::kInt32,
          "cumsum: expected float32 or int32");
  require(spec.outputs[0].dtype == x.dtype, "cumsum: output dtype differs from input dtype");
  require(same_dims(x, spec.outputs[0]), "cumsum: output shape does not fit");
  const Around shape = around(x, axis, axis + 1);
  const bool exclusive = spec.attrs.ints[1] != 0, reverse = spec.attrs.ints[2] != 0;
  if (x.dtype == DType::kFloat32)
    return std::make_unique<CumsumPlan<float>>(shape, exclusive, reverse);
  return std::make_unique<CumsumPlan<int32_t>>(shape, exclusive, reverse);
}

}  // namespace myelin
