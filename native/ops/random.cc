// iota, randomBits and dropoutMask: tensors made from nothing but their size and a few numbers.
#include <cmath>

#include "support.h"

namespace myelin {
namespace {

class IotaPlan final : public StepPlan {
 public:
  explicit IotaPlan(int64_t size) : size_(size) {}
  void run(const RunContext& context, const void* const*, void* const* outputs) const override {
    int32_t* out = static_cast<int32_t*>(outputs[0]);
    for_ranges(context, size_, grain_of(4), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = static_cast<int32_t>(i);
    });
  }

 private:
  int64_t size_;
};

constexpr int64_t kWordsPerTask =
    32768;  // a multiple of 64: tasks begin at blocks the kernels accept

// A draw: what its two inputs and its stream say.
struct Draw {
  uint32_t key_low, key_high, stream, step;
  Draw(const void* const* inputs, uint32_t stream_number) : stream(stream_number) {
    const int32_t* key = static_cast<const int32_t*>(inputs[0]);
    key_low = static_cast<uint32_t>(key[0]);
    key_high = static_cast<uint32_t>(key[1]);
    step = static_cast<uint32_t>(*static_cast<const int32_t*>(inputs[1]));
  }
};

class RandomBitsPlan final : public StepPlan {
 public:
  RandomBitsPlan(int64_t size, uint32_t stream) : size_(size), stream_(stream) {}
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    int32_t* out = static_cast<int32_t*>(outputs[0]);
    const Draw d(inputs, stream_);
    for_ranges(context, size_, kWordsPerTask, [&](int64_t begin, int64_t end) {
      context.kernels.random_bits(d.key_low, d.key_high, d.stream, d.step, begin / 4, end - begin,
                                  out + begin);
    });
  }

 private:
  int64_t size_;
  uint32_t stream_;
};

class RandomMaskPlan final : public StepPlan {
 public:
  RandomMaskPlan(int64_t size, uint32_t stream, int32_t threshold)
      : size_(size), stream_(stream), threshold_(threshold) {}
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    uint8_t* out = static_cast<uint8_t*>(outputs[0]);
    const Draw d(inputs, stream_);
    for_ranges(context, size_, kWordsPerTask, [&](int64_t begin, int64_t end) {
      context.kernels.random_mask(d.key_low, d.key_high, d.stream, d.step, begin / 4, end - begin,
                                  threshold_, out + begin);
    });
  }

 private:
  int64_t size_;
  uint32_t stream_;
  int32_t threshold_;
};

void require_draw(const StepSpec& spec, const char* name) {
  const std::string where = name;
  const TensorView &key = spec.inputs[0], &counter = spec.inputs[1];
  require(key.dtype == DType::kInt32 && key.rank == 1 && key.dims[0] == 2,
          where + ": expected a key of int32[2]");
  require(counter.dtype == DType::kInt32 && counter.rank == 0,
          where + ": expected a counter of int32[]");
}

}  // namespace

std::unique_ptr<StepPlan> plan_iota(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "iota", 0, 1);
  const TensorView& out = spec.outputs[0];
  require(out.rank == 1 && out.dtype == DType::kInt32, "iota: expected an int32 output of rank 1");
  require(out.size <= int64_t{INT32_MAX} + 1, "iota: size out of range");
  return std::make_unique<IotaPlan>(out.size);
}

std::unique_ptr<StepPlan> plan_randomBits(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "randomBits", 2, 1, 1);
  require_draw(spec, "randomBits");
  require(spec.outputs[0].dtype == DType::kInt32, "randomBits: expected an int32 output");
  return std::make_unique<RandomBitsPlan>(spec.outputs[0].size,
                                          static_cast<uint32_t>(spec.attrs.ints[0]));
}

std::unique_ptr<StepPlan> plan_dropoutMask(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "dropoutMask", 2, 1, 1);
  require_draw(spec, "dropoutMask");
  require(spec.outputs[0].dtype == DType::kBool, "dropoutMask: expected a bool output");
  require(spec.attrs.floats.size() == 1, "dropoutMask: wrong number of attributes");
  const float rate = spec.attrs.floats[0];
  require(rate >= 0.0f && rate <= 1.0f, "dropoutMask: expected a rate from 0 to 1");
  // A uniform is a whole number of 2^-24, so comparing that number is the same, exactly.
  const auto threshold = static_cast<int32_t>(std::ceil(static_cast<double>(rate) * 0x1p24));
  return std::make_unique<RandomMaskPlan>(spec.outputs[0].size,
                                          static_cast<uint32_t>(spec.attrs.ints[0]), threshold);
}

}  // namespace myelin
