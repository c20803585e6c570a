// transpose, slice, pad, concatenate, reverse: checks and strides; the copying is StridedCopy's.
#include <bit>
#include <cstring>

#include "strided_copy.h"

namespace myelin {
namespace {

void strides_of(const TensorView& view, int64_t* strides) {
  int64_t stride = 1;
  for (int i = view.rank - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= view.dims[i];
  }
}

void require_same_dtype(const TensorView& a, const TensorView& b, const char* name) {
  require(a.dtype == b.dtype, std::string(name) + ": output dtype differs from input dtype");
}

}  // namespace

std::unique_ptr<StepPlan> plan_transpose(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "transpose", 1, 1, 0, 1);
  const TensorView &x = spec.inputs[0], &out = spec.outputs[0];
  const std::vector<int32_t>& perm = spec.attrs.lists[0];
  require_same_dtype(x, out, "transpose");
  require(perm.size() == static_cast<size_t>(x.rank) && out.rank == x.rank,
          "transpose: ranks do not fit");
  int64_t own[kMaxRank], from[kMaxRank], to[kMaxRank];
  strides_of(x, own);
  strides_of(out, to);
  unsigned seen = 0;
  for (int i = 0; i < x.rank; ++i) {
    require(perm[i] >= 0 && perm[i] < x.rank && !(seen >> perm[i] & 1),
            "transpose: not a permutation");
    seen |= 1u << perm[i];
    require(out.dims[i] == x.dims[perm[i]], "transpose: output shape does not fit");
    from[i] = own[perm[i]];
  }
  return plan_copy(StridedCopy(x.rank, out.dims, from, 0, to, 0, bytes_of(x.dtype)));
}

std::unique_ptr<StepPlan> plan_slice(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "slice", 1, 1, 0, 2);
  const TensorView &x = spec.inputs[0], &out = spec.outputs[0];
  const std::vector<int32_t>&begin = spec.attrs.lists[0], &step = spec.attrs.lists[1];
  const size_t rank = static_cast<size_t>(x.rank);
  require_same_dtype(x, out, "slice");
  require(out.rank == x.rank && begin.size() == rank && step.size() == rank,
          "slice: ranks do not fit");
  int64_t from[kMaxRank], to[kMaxRank], offset = 0;
  strides_of(x, from);
  strides_of(out, to);
  for (size_t i = 0; i < rank; ++i) {
    require(step[i] >= 1, "slice: expected steps of at least 1");
    require(begin[i] >= 0 && begin[i] <= x.dims[i], "slice: begins outside the input");
    require(out.dims[i] == 0 ||
                (begin[i] < x.dims[i] && out.dims[i] - 1 <= (x.dims[i] - 1 - begin[i]) / step[i]),
            "slice: ends outside the input");
    offset += begin[i] * from[i];
    // One element needs no step, and a large step times a large stride could overflow.
    if (out.dims[i] > 1) from[i] *= step[i];
  }
  return plan_copy(StridedCopy(x.rank, out.dims, from, offset, to, 0, bytes_of(x.dtype)));
}

std::unique_ptr<StepPlan> plan_reverse(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "reverse", 1, 1, 0, 1);
  const TensorView &x = spec.inputs[0], &out = spec.outputs[0];
  require_same_dtype(x, out, "reverse");
  require(same_dims(x, out), "reverse: output shape does not fit");
  int64_t from[kMaxRank], to[kMaxRank], offset = 0;
  strides_of(x, from);
  strides_of(out, to);
  unsigned seen = 0;
  for (const int32_t axis : spec.attrs.lists[0]) {
    require_axis("reverse", axis, x.rank);
    require(!(seen >> axis & 1), "reverse: repeated axis");
    seen |= 1u << axis;
    offset += (x.dims[axis] - 1) * from[axis];
    from[axis] = -from[axis];
  }
  return plan_copy(StridedCopy(x.rank, out.dims, from, offset, to, 0, bytes_of(x.dtype)));
}

std::unique_ptr<StepPlan> plan_concatenate(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "concatenate", spec.inputs.size(), 1, 1);
  require(!spec.inputs.empty(), "concatenate: expected at least one input");
  const TensorView& out = spec.outputs[0];
  const int axis = require_axis("concatenate", spec.attrs.ints[0], out.rank);
  int64_t to[kMaxRank], from[kMaxRank], at = 0;
  strides_of(out, to);
  std::vector<StridedCopy> copies;
  for (const TensorView& x : spec.inputs) {
    require_same_dtype(x, out, "concatenate");
    require(x.rank == out.rank, "concatenate: ranks differ");
    for (int i = 0; i < x.rank; ++i) {
      require(i == axis || x.dims[i] == out.dims[i], "concatenate: shapes do not fit");
    }
    require(x.dims[axis] <= out.dims[axis] - at, "concatenate: inputs are longer than the output");
    strides_of(x, from);
    copies.emplace_back(x.rank, x.dims, from, 0, to, at * to[axis], bytes_of(x.dtype));
    at += x.dims[axis];
  }
  require(at == out.dims[axis], "concatenate: inputs are shorter than the output");

  class Plan final : public StepPlan {
   public:
    explicit Plan(std::vector<StridedCopy> copies) : copies_(std::move(copies)) {}
    void run(const RunContext& context, const void* const* inputs,
             void* const* outputs) const override {
      for (size_t i = 0; i < copies_.size(); ++i) copies_[i].run(context, inputs[i], outputs[0]);
    }

   private:
    std::vector<StridedCopy> copies_;
  };
  return std::make_unique<Plan>(std::move(copies));
}

namespace {

// The padding value in the dtype's own bits, converted as the cast ops do it.
uint32_t bits_of(float value, DType dtype) {
  if (dtype == DType::kFloat32) return std::bit_cast<uint32_t>(value);
  if (dtype == DType::kBool) return value != 0.0f;
  const int32_t whole = value != value          ? 0
                        : value >= 2147483648.f ? INT32_MAX
                        : value < -2147483648.f ? INT32_MIN
                                                : static_cast<int32_t>(value);
  return dtype == DType::kInt32 ? static_cast<uint32_t>(whole)
                                : static_cast<uint32_t>(whole) & 255u;
}

// Padding line by line, each written once. A line is what lies contiguous from the last padded axis
// on; lines are counted over the axes before it.
class LinePad {
 public:
  LinePad() = default;
  LinePad(const TensorView& x, const TensorView& out, const std::vector<int32_t>& before) {
    int axis = -1;
    for (int i = 0; i < x.rank; ++i) {
      if (x.dims[i] != out.dims[i]) axis = i;
    }
    if (axis < 0 || x.size == 0) return;
    int64_t inner = 1;
    for (int i = axis + 1; i < x.rank; ++i) inner *= x.dims[i];
    lead_ = before[static_cast<size_t>(axis)] * inner;
    body_ = x.dims[axis] * inner;
    line_ = out.dims[axis] * inner;
    axes_ = axis;
    for (int i = 0; i < axis; ++i) {
      in_[i] = x.dims[i];
      out_[i] = out.dims[i];
      before_[i] = before[static_cast<size_t>(i)];
      lines_ *= out_[i];
    }
  }
  // Few lines leave threads idle; the plan then fills and copies.
  bool useful(int64_t element_bytes) const {
    return axes_ >= 0 && (lines_ >= 8 || lines_ * line_ * element_bytes <= kTaskBytes);
  }

  template <class T>
  void run(const RunContext& context, const T* x, T* out, T value) const {
    for_ranges(context, lines_, grain_of(line_ * static_cast<int64_t>(sizeof(T))),
               [&](int64_t begin, int64_t end) {
                 for (int64_t line = begin; line < end; ++line) {
                   T* to = out + line * line_;
                   const int64_t from = source(line);
                   if (from < 0) {
                     std::fill(to, to + line_, value);
                     continue;
                   }
                   std::fill(to, to + lead_, value);
                   std::memmove(to + lead_, x + from * body_,
                                static_cast<size_t>(body_) * sizeof(T));
                   std::fill(to + lead_ + body_, to + line_, value);
                 }
               });
  }

 private:
  // The line of the input that an output line holds; -1 in the padding.
  int64_t source(int64_t line) const {
    int64_t from = 0, stride = 1;
    for (int i = axes_ - 1; i >= 0; --i) {
      const int64_t at = line % out_[i] - before_[i];
      if (at < 0 || at >= in_[i]) return -1;
      from += at * stride;
      stride *= in_[i];
      line /= out_[i];
    }
    return from;
  }

  int axes_ = -1;  // before the last padded one; -1: nothing to do line by line
  int64_t in_[kMaxRank], out_[kMaxRank], before_[kMaxRank];
  int64_t lines_ = 1, lead_ = 0, body_ = 0, line_ = 0;
};

class PadPlan final : public StepPlan {
 public:
  PadPlan(const StridedCopy& copy, const LinePad& lines, bool covers, int64_t size,
          int64_t element_bytes, uint32_t bits)
      : copy_(copy),
        lines_(lines),
        covers_(covers),
        size_(size),
        element_bytes_(element_bytes),
        bits_(bits) {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    if (lines_.useful(element_bytes_)) {
      if (element_bytes_ == 4) {
        lines_.run(context, static_cast<const uint32_t*>(inputs[0]),
                   static_cast<uint32_t*>(outputs[0]), bits_);
      } else {
        lines_.run(context, static_cast<const uint8_t*>(inputs[0]),
                   static_cast<uint8_t*>(outputs[0]), static_cast<uint8_t>(bits_));
      }
      return;
    }
    if (!covers_) {
      for_ranges(context, size_, grain_of(element_bytes_), [&](int64_t begin, int64_t end) {
        if (element_bytes_ == 4) {
          std::fill(static_cast<uint32_t*>(outputs[0]) + begin,
                    static_cast<uint32_t*>(outputs[0]) + end, bits_);
        } else {
          std::fill(static_cast<uint8_t*>(outputs[0]) + begin,
                    static_cast<uint8_t*>(outputs[0]) + end, static_cast<uint8_t>(bits_));
        }
      });
    }
    copy_.run(context, inputs[0], outputs[0]);
  }

 private:
  StridedCopy copy_;
  LinePad lines_;
  bool covers_;  // the input fills the output
  int64_t size_, element_bytes_;
  uint32_t bits_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_pad(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "pad", 1, 1, 0, 2);
  require(spec.attrs.floats.size() == 1, "pad: wrong number of attributes");
  const TensorView &x = spec.inputs[0], &out = spec.outputs[0];
  const std::vector<int32_t>&before = spec.attrs.lists[0], &interior = spec.attrs.lists[1];
  const size_t rank = static_cast<size_t>(x.rank);
  require_same_dtype(x, out, "pad");
  require(out.rank == x.rank && before.size() == rank && interior.size() == rank,
          "pad: ranks do not fit");
  int64_t from[kMaxRank], to[kMaxRank], offset = 0;
  strides_of(x, from);
  strides_of(out, to);
  for (size_t i = 0; i < rank; ++i) {
    require(before[i] >= 0 && interior[i] >= 0, "pad: expected non-negative padding");
    const int64_t gaps = std::max<int64_t>(0, x.dims[i] - 1);
    // In 128 bits: a hostile interior times a large dimension does not fit 64.
    const __int128 used = static_cast<__int128>(gaps) * interior[i] + x.dims[i] + before[i];
    require(used <= out.dims[i], "pad: the padded input is longer than the output");
    offset += before[i] * to[i];
    if (x.dims[i] > 1) to[i] *= interior[i] + int64_t{1};
  }
  const StridedCopy copy(x.rank, x.dims, from, 0, to, offset, bytes_of(x.dtype));
  const bool plain =
      std::all_of(interior.begin(), interior.end(), [](int32_t n) { return n == 0; });
  return std::make_unique<PadPlan>(copy, plain ? LinePad(x, out, before) : LinePad(),
                                   x.size == out.size, out.size, bytes_of(x.dtype),
                                   bits_of(spec.attrs.floats[0], x.dtype));
}

}  // namespace myelin
