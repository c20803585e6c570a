// Optimizer updates over many tensors in one sweep: the tensors are cut into pieces by size, small
// ones share a chunk.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "../step.h"

namespace myelin {
namespace {

// Elements one thread takes at a time; at 7 streams of 4 bytes this is some 0.4 MB of traffic.
constexpr int64_t kGrain = 16384;

struct Piece {
  int32_t tensor;
  int64_t begin, count;
};

class Sweep {
 public:
  explicit Sweep(const std::vector<int64_t>& sizes) {
    int64_t room = 0;
    for (size_t t = 0; t < sizes.size(); ++t) {
      for (int64_t begin = 0; begin < sizes[t];) {
        if (room < kSmallest) {
          starts_.push_back(pieces_.size());
          room = kGrain;
        }
        const int64_t count = std::min(room, sizes[t] - begin);
        pieces_.push_back({static_cast<int32_t>(t), begin, count});
        begin += count;
        room -= count;
      }
    }
    starts_.push_back(pieces_.size());
  }

  template <class F>
  void each(ThreadPool& pool, const F& f) const {
    pool.parallel_for(static_cast<int64_t>(starts_.size()) - 1, [&](int64_t chunk, int) {
      const auto c = static_cast<size_t>(chunk);
      for (size_t p = starts_[c]; p < starts_[c + 1]; ++p) f(pieces_[p]);
    });
  }

 private:
  static constexpr int64_t kSmallest = 1024;  // a piece is not worth starting for less
  std::vector<Piece> pieces_;
  std::vector<size_t> starts_;
};

void require_scalar(const TensorView& view, DType dtype, const char* message) {
  require(view.dtype == dtype && view.size == 1, message);
}

// Inputs from `first` on in groups of `in` and outputs in groups of `out`, all float32 and within a
// group of one size.
std::vector<int64_t> group_sizes(const StepSpec& spec, size_t first, size_t in, size_t out) {
  const size_t count = spec.inputs.size() - first;
  require(count % in == 0 && spec.outputs.size() == count / in * out,
          "update: wrong number of operands");
  std::vector<int64_t> sizes;
  for (size_t t = 0; t < count / in; ++t) {
    const int64_t size = spec.inputs[first + t * in].size;
    for (size_t i = 0; i < in; ++i) {
      const TensorView& view = spec.inputs[first + t * in + i];
      require(view.dtype == DType::kFloat32 && view.size == size,
              "update: operands must be float32 of one shape");
    }
    for (size_t i = 0; i < out; ++i) {
      const TensorView& view = spec.outputs[t * out + i];
      require(view.dtype == DType::kFloat32 && view.size == size,
              "update: operands must be float32 of one shape");
    }
    sizes.push_back(size);
  }
  return sizes;
}

// The double a person wrote for a float32 attribute: the shortest decimal that rounds to it. 1 -
// beta taken from the float32 nearest 0.999 would be off by 1.3e-5 of itself, where Keras subtracts
// in double.
double as_written(float x) {
  char text[32];
  for (int digits = 6; digits < 9; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(x));
    const double value = std::strtod(text, nullptr);
    if (static_cast<float>(value) == x) return value;
  }
  return static_cast<double>(x);
}

class SgdPlan final : public StepPlan {
 public:
  explicit SgdPlan(const StepSpec& spec)
      : momentum_(spec.attrs.floats[0] != 0.0f),
        sweep_(group_sizes(spec, 1, momentum_ ? 3 : 2, momentum_ ? 2 : 1)),
        step_{0.0f, spec.attrs.floats[0], spec.attrs.floats[1], spec.attrs.ints[0] != 0} {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    SgdStep step = step_;
    step.rate = *static_cast<const float*>(inputs[0]);
    step.decay = step_.decay * step.rate;
    const auto in = [&](size_t index, int64_t at) {
      return static_cast<const float*>(inputs[1 + index]) + at;
    };
    const auto out = [&](size_t index, int64_t at) {
      return static_cast<float*>(outputs[index]) + at;
    };
    sweep_.each(context.pool, [&](const Piece& piece) {
      const auto t = static_cast<size_t>(piece.tensor);
      const int64_t at = piece.begin;
      if (momentum_) {
        context.kernels.sgd_momentum(step, in(3 * t, at), in(3 * t + 1, at), in(3 * t + 2, at),
                                     out(2 * t, at), out(2 * t + 1, at), piece.count);
      } else {
        context.kernels.sgd_plain(step, in(2 * t, at), in(2 * t + 1, at), out(t, at), piece.count);
      }
    });
  }

 private:
  const bool momentum_;
  const Sweep sweep_;
  const SgdStep step_;  // rate unset, decay still to be multiplied by it
};

class AdamPlan final : public StepPlan {
 public:
  explicit AdamPlan(const StepSpec& spec)
      : sweep_(group_sizes(spec, 2, 4, 3)),
        beta1_(as_written(spec.attrs.floats[0])),
        beta2_(as_written(spec.attrs.floats[1])),
        epsilon_(spec.attrs.floats[2]),
        decay_(spec.attrs.floats[3]) {}

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const double rate = *static_cast<const float*>(inputs[0]);
    const double t = static_cast<double>(*static_cast<const int32_t*>(inputs[1])) + 1.0;
    const double alpha = rate * std::sqrt(1.0 - std::pow(beta2_, t)) / (1.0 - std::pow(beta1_, t));
    const AdamStep step = {static_cast<float>(alpha), static_cast<float>(1.0 - beta1_),
                           static_cast<float>(1.0 - beta2_), epsilon_,
                           decay_ * static_cast<float>(rate)};
    sweep_.each(context.pool, [&](const Piece& piece) {
      const auto* in = inputs + 2 + 4 * static_cast<size_t>(piece.tensor);
      auto* out = outputs + 3 * static_cast<size_t>(piece.tensor);
      const auto from = [&](int i) { return static_cast<const float*>(in[i]) + piece.begin; };
      const auto to = [&](int i) { return static_cast<float*>(out[i]) + piece.begin; };
      context.kernels.adam(step, from(0), from(1), from(2), from(3), to(0), to(1), to(2),
                           piece.count);
    });
  }

 private:
  const Sweep sweep_;
  const double beta1_, beta2_;
  const float epsilon_, decay_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_sgdUpdate(const StepSpec& spec, const PlanContext&) {
  require(spec.attrs.floats.size() == 2 && spec.attrs.ints.size() == 1,
          "sgdUpdate: wrong attributes");
  require(!spec.inputs.empty(), "sgdUpdate: needs a learning rate");
  require_scalar(spec.inputs[0], DType::kFloat32,
                 "sgdUpdate: the learning rate must be one float32");
  return std::make_unique<SgdPlan>(spec);
}

std::unique_ptr<StepPlan> plan_adamUpdate(const StepSpec& spec, const PlanContext&) {
  require(spec.attrs.floats.size() == 4, "adamUpdate: wrong attributes");
  require(spec.inputs.size() >= 2, "adamUpdate: needs a learning rate and an iteration");
  require_scalar(spec.inputs[0], DType::kFloat32,
                 "adamUpdate: the learning rate must be one float32");
  require_scalar(spec.inputs[1], DType::kInt32, "adamUpdate: the iteration must be one int32");
  return std::make_unique<AdamPlan>(spec);
}

}  // namespace myelin
