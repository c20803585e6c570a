// iota and randomBits: tensors made from nothing but their size and a few numbers.
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

class RandomBitsPlan final : public StepPlan {
 public:
  RandomBitsPlan(int64_t size, uint32_t stream) : size_(size), stream_(stream) {}
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const int32_t* key = static_cast<const int32_t*>(inputs[0]);
    const uint32_t low = static_cast<uint32_t>(key[0]), high = static_cast<uint32_t>(key[1]);
    const uint32_t step = static_cast<uint32_t>(*static_cast<const int32_t*>(inputs[1]));
    int32_t* out = static_cast<int32_t*>(outputs[0]);
    for_ranges(context, size_, kWordsPerTask, [&](int64_t begin, int64_t end) {
      context.kernels.random_bits(low, high, stream_, step, begin / 4, end - begin, out + begin);
    });
  }

 private:
  static constexpr int64_t kWordsPerTask =
      32768;  // a multiple of 64: tasks begin at blocks the kernel accepts

  int64_t size_;
  uint32_t stream_;
};

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
  const TensorView &key = spec.inputs[0], &counter = spec.inputs[1];
  require(key.dtype == DType::kInt32 && key.rank == 1 && key.dims[0] == 2,
          "randomBits: expected a key of int32[2]");
  require(counter.dtype == DType::kInt32 && counter.rank == 0,
          "randomBits: expected a counter of int32[]");
  require(spec.outputs[0].dtype == DType::kInt32, "randomBits: expected an int32 output");
  return std::make_unique<RandomBitsPlan>(spec.outputs[0].size,
                                          static_cast<uint32_t>(spec.attrs.ints[0]));
}

}  // namespace myelin
