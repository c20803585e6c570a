// resize and resizeGrad: the weights of both axes, made once as src/ops/resize.ts defines them; the
// gradient has those of the transposed map.
#include <cmath>
#include <cstdlib>

#include "support.h"

namespace myelin {
namespace {

// Larger images are refused, so that tables stay small beside what they describe.
constexpr int64_t kMaxSize = 1 << 20;

struct Taps {
  std::vector<int32_t> begin, from;
  std::vector<float> weight;
  int64_t in, out;

  ResampleTaps view() const { return {begin.data(), from.data(), weight.data(), in, out}; }
};

Taps taps_of(int64_t in, int64_t out, bool bilinear, bool antialias) {
  Taps taps{{}, {}, {}, in, out};
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const auto add = [&](int64_t from, double weight) {
    taps.from.push_back(static_cast<int32_t>(from));
    taps.weight.push_back(static_cast<float>(weight));
  };
  for (int64_t o = 0; o < out; ++o) {
    taps.begin.push_back(static_cast<int32_t>(taps.from.size()));
    const double middle = static_cast<double>(o) + 0.5;
    if (!bilinear) {
      add(std::min(in - 1, (2 * o + 1) * in / (2 * out)), 1);
    } else if (antialias && scale > 1) {
      const double centre = middle * scale;
      const auto begin = static_cast<int64_t>(std::max(0.0, std::floor(centre - scale + 0.5)));
      const auto end = std::min(in, static_cast<int64_t>(std::floor(centre + scale + 0.5)));
      const auto weight = [&](int64_t i) {
        return std::max(0.0, 1 - std::fabs(static_cast<double>(i) + 0.5 - centre) / scale);
      };
      double total = 0;
      for (int64_t i = begin; i < end; ++i) total += weight(i);
      for (int64_t i = begin; i < end; ++i) add(i, weight(i) / total);
    } else {
      const double at = std::max(0.0, middle * scale - 0.5);
      const int64_t i = std::min(in - 1, static_cast<int64_t>(at));
      const double part = at - static_cast<double>(i);
      if (part == 0 || i == in - 1) {
        add(i, 1);
      } else {
        add(i, 1 - part);
        add(i + 1, part);
      }
    }
  }
  taps.begin.push_back(static_cast<int32_t>(taps.from.size()));
  return taps;
}

Taps transposed(const Taps& taps) {
  Taps t{std::vector<int32_t>(static_cast<size_t>(taps.in) + 1), {}, {}, taps.out, taps.in};
  t.from.resize(taps.from.size());
  t.weight.resize(taps.from.size());
  for (const int32_t from : taps.from) ++t.begin[static_cast<size_t>(from) + 1];
  for (size_t i = 1; i < t.begin.size(); ++i) t.begin[i] += t.begin[i - 1];
  std::vector<int32_t> next(t.begin.begin(), t.begin.end() - 1);
  for (size_t o = 0; o + 1 < taps.begin.size(); ++o) {
    for (int32_t k = taps.begin[o]; k < taps.begin[o + 1]; ++k) {
      const size_t tap = static_cast<size_t>(k);
      const auto at = static_cast<size_t>(next[static_cast<size_t>(taps.from[tap])]++);
      t.from[at] = static_cast<int32_t>(o);
      t.weight[at] = taps.weight[tap];
    }
  }
  return t;
}

class ResizePlan final : public StepPlan {
 public:
  ResizePlan(Taps rows, Taps columns, int64_t batch, int64_t channels, int threads)
      : rows_(std::move(rows)),
        columns_(std::move(columns)),
        batch_(batch),
        channels_(channels),
        threads_(threads),
        buffer_((columns_.in * channels_ + 15) / 16 * 16) {}

  // A row for each thread.
  size_t workspace_bytes() const override {
    return static_cast<size_t>(threads_ * buffer_) * sizeof(float);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const int64_t rows = batch_ * rows_.out;
    const int64_t grain = grain_of(std::max(columns_.in, columns_.out) * channels_ * 4);
    if (rows == 0 || channels_ == 0) return;
    context.pool.parallel_for((rows - 1) / grain + 1, [&](int64_t chunk, int worker) {
      context.kernels.resample_rows(rows_.view(), columns_.view(), channels_,
                                    static_cast<const float*>(inputs[0]), chunk * grain,
                                    std::min(grain, rows - chunk * grain),
                                    reinterpret_cast<float*>(context.workspace) + worker * buffer_,
                                    static_cast<float*>(outputs[0]));
    });
  }

 private:
  const Taps rows_, columns_;
  const int64_t batch_, channels_, threads_, buffer_;
};

std::unique_ptr<StepPlan> plan_resizing(const StepSpec& spec, const PlanContext& context,
                                        const char* name, bool backward) {
  require_form(spec, name, 1, 1, 2);
  const std::string where = name;
  const TensorView &x = spec.inputs[0], &y = spec.outputs[0];
  require(x.dtype == DType::kFloat32 && y.dtype == DType::kFloat32, where + ": expected float32");
  require(x.rank == 4 && y.rank == 4 && x.dims[0] == y.dims[0] && x.dims[3] == y.dims[3],
          where + ": expected images of one batch and number of channels");
  for (const int axis : {1, 2}) {
    for (const int64_t size : {x.dims[axis], y.dims[axis]})
      require(size >= 1 && size <= kMaxSize, where + ": size out of range");
  }
  const bool bilinear = spec.attrs.ints[0] != 0, antialias = spec.attrs.ints[1] != 0;
  Taps taps[2];
  for (const int axis : {0, 1}) {
    const int64_t in = x.dims[axis + 1], out = y.dims[axis + 1];
    taps[axis] = backward ? transposed(taps_of(out, in, bilinear, antialias))
                          : taps_of(in, out, bilinear, antialias);
  }
  return std::make_unique<ResizePlan>(std::move(taps[0]), std::move(taps[1]), x.dims[0], x.dims[3],
                                      context.threads);
}

}  // namespace

std::unique_ptr<StepPlan> plan_resize(const StepSpec& spec, const PlanContext& context) {
  return plan_resizing(spec, context, "resize", false);
}
std::unique_ptr<StepPlan> plan_resizeGrad(const StepSpec& spec, const PlanContext& context) {
  return plan_resizing(spec, context, "resizeGrad", true);
}

}  // namespace myelin
