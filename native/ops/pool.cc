// Pooling steps: checks of shapes and windows; the work is rows of the output, split over the pool.
#include "support.h"

namespace myelin {
namespace {

// Above this no image fits memory, and products of two sizes fit 64 bits.
constexpr int64_t kMaxSize = INT32_MAX;

struct Pooling {
  PoolShape shape;
  int64_t batch;
  bool small_index;  // places fit uint8
};

// The windows that lead from `image` to `out`, checked; both are float32.
Pooling checked_pooling(const char* name, const StepSpec& spec, const TensorView& image,
                        const TensorView& out) {
  const std::string where = name;
  require(image.dtype == DType::kFloat32 && out.dtype == DType::kFloat32,
          where + ": expected float32");
  require(image.rank >= 3 && image.rank <= 5 && out.rank == image.rank,
          where + ": expected images of rank 3 to 5");
  const int spatial = image.rank - 2;
  const auto &pool = spec.attrs.lists[0], &strides = spec.attrs.lists[1],
             &before = spec.attrs.lists[2];
  const size_t axes = static_cast<size_t>(spatial);
  const bool adaptive = strides.empty();
  require(pool.size() == axes && before.size() == axes && (adaptive || strides.size() == axes),
          where + ": expected an attribute for each spatial axis");
  require(image.dims[0] == out.dims[0] && image.dims[spatial + 1] == out.dims[spatial + 1],
          where + ": batch and channels differ");
  Pooling p{};
  p.batch = image.dims[0];
  p.shape.channels = image.dims[spatial + 1];
  for (PoolAxis& axis : p.shape.axis) axis = {1, 1, 1, 1, 0};
  int64_t places = 1;
  for (int i = 0; i < spatial; ++i) {
    PoolAxis& axis = p.shape.axis[3 - spatial + i];
    axis = {image.dims[i + 1], out.dims[i + 1], pool[i], adaptive ? 0 : strides[i], before[i]};
    require(axis.in >= 1 && axis.in <= kMaxSize && axis.out >= 1 && axis.out <= kMaxSize,
            where + ": spatial size out of range");
    require(axis.pool >= 1, where + ": expected windows of at least one element");
    if (adaptive) {
      const int64_t bin = (axis.in - 1) / axis.out + 1;  // the largest is at most one more
      require(axis.before == 0 && axis.pool >= bin && axis.pool <= bin + 1,
              where + ": bins do not fit");
    } else {
      require(axis.stride >= 1 && axis.before >= 0 && axis.before < axis.pool &&
                  (axis.out - 1) * axis.stride - axis.before < axis.in,
              where + ": a window holds no element");
    }
    places *= axis.pool;
    require(places <= INT32_MAX, where + ": windows are too large");
  }
  p.small_index = places <= 256;
  return p;
}

void require_index(const char* name, const TensorView& index, const TensorView& out,
                   const Pooling& pooling) {
  require(same_dims(index, out), std::string(name) + ": the index has another shape");
  require(index.dtype == (pooling.small_index ? DType::kUint8 : DType::kInt32),
          std::string(name) + ": the index has another dtype");
}

// Calls fn(first, count) over the rows of the images or of the outputs, in pieces sized by the
// larger of both.
template <class F>
void each_rows(const RunContext& context, const Pooling& p, bool of_image, const F& fn) {
  const PoolAxis *d = &p.shape.axis[0], *h = &p.shape.axis[1], *w = &p.shape.axis[2];
  if (p.batch == 0 || p.shape.channels == 0) return;
  const int64_t rows = of_image ? d->in * h->in : d->out * h->out;
  const int64_t larger = std::max(d->in * h->in * w->in, d->out * h->out * w->out);
  const int64_t row_bytes = larger / rows * p.shape.channels * 4;
  for_ranges(context, p.batch * rows, grain_of(row_bytes),
             [&](int64_t begin, int64_t end) { fn(begin, end - begin); });
}

class MaxPoolPlan final : public StepPlan {
 public:
  explicit MaxPoolPlan(const Pooling& pooling) : pooling_(pooling) {}
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    auto* y = static_cast<float*>(outputs[0]);
    each_rows(context, pooling_, false, [&](int64_t first, int64_t count) {
      if (pooling_.small_index) {
        context.kernels.max_pool_u8(pooling_.shape, x, first, count, y,
                                    static_cast<uint8_t*>(outputs[1]));
      } else {
        context.kernels.max_pool_i32(pooling_.shape, x, first, count, y,
                                     static_cast<int32_t*>(outputs[1]));
      }
    });
  }

 private:
  const Pooling pooling_;
};

// The gradient and the gather of maxima are kernels of one type: they read `from` through the
// index.
using FromIndexU8 = MaxPoolGradU8;
using FromIndexI32 = MaxPoolGradI32;

// To dx from dy, of_image, or to y from x.
class MaxPoolIndexPlan final : public StepPlan {
 public:
  MaxPoolIndexPlan(const Pooling& pooling, bool of_image, FromIndexU8* u8, FromIndexI32* i32)
      : pooling_(pooling), of_image_(of_image), u8_(u8), i32_(i32) {}
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* from = static_cast<const float*>(inputs[0]);
    auto* to = static_cast<float*>(outputs[0]);
    each_rows(context, pooling_, of_image_, [&](int64_t first, int64_t count) {
      if (pooling_.small_index) {
        u8_(pooling_.shape, from, static_cast<const uint8_t*>(inputs[1]), first, count, to);
      } else {
        i32_(pooling_.shape, from, static_cast<const int32_t*>(inputs[1]), first, count, to);
      }
    });
  }

 private:
  const Pooling pooling_;
  const bool of_image_;
  FromIndexU8* const u8_;
  FromIndexI32* const i32_;
};

class AveragePoolPlan final : public StepPlan {
 public:
  AveragePoolPlan(const Pooling& pooling, bool of_image, AveragePool* kernel)
      : pooling_(pooling), of_image_(of_image), kernel_(kernel) {}
  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    auto* y = static_cast<float*>(outputs[0]);
    each_rows(context, pooling_, of_image_,
              [&](int64_t first, int64_t count) { kernel_(pooling_.shape, x, first, count, y); });
  }

 private:
  const Pooling pooling_;
  const bool of_image_;
  AveragePool* const kernel_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_maxPool(const StepSpec& spec, const PlanContext&) {
  require_form(spec, "maxPool", 1, 2, 0, 3);
  const Pooling p = checked_pooling("maxPool", spec, spec.inputs[0], spec.outputs[0]);
  require_index("maxPool", spec.outputs[1], spec.outputs[0], p);
  return std::make_unique<MaxPoolPlan>(p);
}
std::unique_ptr<StepPlan> plan_maxPoolGrad(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "maxPoolGrad", 2, 1, 0, 3);
  const Pooling p = checked_pooling("maxPoolGrad", spec, spec.outputs[0], spec.inputs[0]);
  require_index("maxPoolGrad", spec.inputs[1], spec.inputs[0], p);
  return std::make_unique<MaxPoolIndexPlan>(p, true, context.kernels.max_pool_grad_u8,
                                            context.kernels.max_pool_grad_i32);
}
std::unique_ptr<StepPlan> plan_maxPoolGather(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "maxPoolGather", 2, 1, 0, 3);
  const Pooling p = checked_pooling("maxPoolGather", spec, spec.inputs[0], spec.outputs[0]);
  require_index("maxPoolGather", spec.inputs[1], spec.outputs[0], p);
  return std::make_unique<MaxPoolIndexPlan>(p, false, context.kernels.max_pool_gather_u8,
                                            context.kernels.max_pool_gather_i32);
}
std::unique_ptr<StepPlan> plan_averagePool(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "averagePool", 1, 1, 0, 3);
  const Pooling p = checked_pooling("averagePool", spec, spec.inputs[0], spec.outputs[0]);
  return std::make_unique<AveragePoolPlan>(p, false, context.kernels.average_pool);
}
std::unique_ptr<StepPlan> plan_averagePoolGrad(const StepSpec& spec, const PlanContext& context) {
  require_form(spec, "averagePoolGrad", 1, 1, 0, 3);
  const Pooling p = checked_pooling("averagePoolGrad", spec, spec.outputs[0], spec.inputs[0]);
  return std::make_unique<AveragePoolPlan>(p, true, context.kernels.average_pool_grad);
}

}  // namespace myelin
