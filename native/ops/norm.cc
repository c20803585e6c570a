// Batch and group normalisation and their gradients. x is [samples, rows, cols]: for batch norm one
// sample of all rows; statistics are those of columns, which group norm then puts together. Two
// passes, each split by size: statistics (or sums) of pieces, then the elements. A sample that is
// one piece goes through both while it is in L2.
#include <cmath>
#include <cstring>

#include "support.h"

namespace myelin {
namespace {

constexpr int64_t kPiece = 32 << 10;         // elements: some microseconds, half of L2 with dy
constexpr int64_t kSamplePiece = 128 << 10;  // of many samples: each is better in one piece
constexpr int64_t kStrip = 1024;             // columns: their statistics stay in L1
constexpr int64_t kMinRows = 64;             // in a piece: what the merge of pieces costs is small
constexpr int64_t kMaxPieces = 64;           // of one sample, along its rows

// How the elements are cut.
struct Cut {
  int64_t samples, rows, cols;
  int64_t piece_rows, pieces, strips;

  Cut(int64_t samples_, int64_t rows_, int64_t cols_)
      : samples(samples_), rows(rows_), cols(cols_) {
    const int64_t width = std::clamp<int64_t>(cols, 1, kStrip);
    const int64_t target = samples > 1 ? kSamplePiece : kPiece;
    piece_rows = std::max({kMinRows, target / width, (rows - 1) / kMaxPieces + 1});
    // Narrow columns are widened to 512, eight rows of that at a time.
    const int64_t unit = 8 * std::max<int64_t>(1, 512 / width);
    piece_rows = (piece_rows + unit - 1) / unit * unit;
    pieces = rows <= piece_rows ? 1 : (rows - 1) / piece_rows + 1;
    strips = (cols - 1) / kStrip + 1;
  }
  int64_t rows_of(int64_t piece) const { return std::min(piece_rows, rows - piece * piece_rows); }
  bool whole() const { return pieces == 1 && strips == 1; }

  // Calls f(sample, piece, first column, columns) for every piece.
  template <class F>
  void each(ThreadPool& pool, const F& f) const {
    pool.parallel_for(samples * pieces * strips, [&](int64_t task, int) {
      const int64_t c = task % strips * kStrip;
      f(task / strips / pieces, task / strips % pieces, c, std::min(kStrip, cols - c));
    });
  }
  // Calls f(sample), several at a time while they are small.
  template <class F>
  void each_sample(const RunContext& context, const F& f) const {
    for_ranges(context, samples, std::max<int64_t>(1, kPiece / std::max<int64_t>(1, rows * cols)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t s = begin; s < end; ++s) f(s);
               });
  }
};

// Attributes and operands, checked. groups is 0 for batch norm.
struct NormSpec {
  std::string name;
  bool gradient, scale, center;
  int64_t groups = 0;
  float epsilon = 0;
  int64_t samples = 1, rows = 1, cols = 0;
  // Positions; gamma and beta only where scale and center say so.
  size_t gamma = 0, beta = 0, mean = 0, spread = 0, dgamma = 0, dbeta = 0;

  NormSpec(const StepSpec& spec, const char* op, bool is_group, bool is_gradient)
      : name(op), gradient(is_gradient) {
    const auto& ints = spec.attrs.ints;
    const size_t first = is_group ? 1 : 0;
    require(
        ints.size() == first + 2 && spec.attrs.floats.size() == (is_group && gradient ? 0u : 1u),
        name + ": wrong number of attributes");
    scale = ints[first] != 0;
    center = ints[first + 1] != 0;
    if (!spec.attrs.floats.empty()) epsilon = spec.attrs.floats[0];
    const size_t weights = (scale ? 1u : 0u) + (center ? 1u : 0u);
    const size_t inputs = gradient ? 4 + (scale ? 1u : 0u) : 1 + weights;
    require_form(spec, op, inputs, gradient ? 1 + weights : 3, first + 2);
    const TensorView& x = spec.inputs[0];
    require(x.rank >= (is_group ? 2 : 1), name + ": x has too few dimensions");
    cols = x.dims[x.rank - 1];
    for (int d = 0; d < x.rank - 1; ++d) (is_group && d == 0 ? samples : rows) *= x.dims[d];
    require(rows > 0 && cols > 0 && (is_group || samples * rows > 0), name + ": x is empty");
    if (is_group) {
      groups = ints[0];
      require(groups > 0 && cols % groups == 0, name + ": the groups do not divide the channels");
    }
    const int64_t statistics = is_group ? samples * groups : cols;
    for (const auto* views : {&spec.inputs, &spec.outputs}) {
      for (const TensorView& v : *views)
        require(v.dtype == DType::kFloat32, name + ": operands must be float32");
    }
    const auto check = [&](const TensorView& v, int64_t size) {
      require(v.size == size, name + ": an operand has the wrong size");
    };
    check(spec.outputs[0], x.size);
    size_t in = 1, out = 1;
    if (gradient) check(spec.inputs[in++], x.size);
    if (scale) check(spec.inputs[gamma = in++], cols);
    if (!gradient && center) check(spec.inputs[beta = in++], cols);
    if (gradient) {
      check(spec.inputs[mean = in++], statistics);
      check(spec.inputs[spread = in++], statistics);
      if (scale) check(spec.outputs[dgamma = out++], cols);
      if (center) check(spec.outputs[dbeta = out++], cols);
    } else {
      check(spec.outputs[mean = out++], statistics);
      check(spec.outputs[spread = out++], statistics);
    }
  }
};

float inverse_root(float variance, float epsilon) { return 1.0f / std::sqrt(variance + epsilon); }

class NormPlan final : public StepPlan {
 public:
  explicit NormPlan(NormSpec spec)
      : spec_(std::move(spec)),
        cut_(spec_.samples, spec_.rows, spec_.cols),
        per_sample_((2 * cut_.pieces + 3) * cut_.cols) {}

  size_t workspace_bytes() const override {
    return static_cast<size_t>(cut_.samples * per_sample_) * sizeof(float);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    auto* y = static_cast<float*>(outputs[0]);
    auto* workspace = reinterpret_cast<float*>(context.workspace);
    const KernelTable& k = context.kernels;
    const int64_t cols = cut_.cols, size = cut_.rows * cols;
    const auto statistics = [&](int64_t s, int64_t p, int64_t c, int64_t n) {
      float* to = workspace + s * per_sample_ + 2 * p * cols + c;
      const float* origin = x + s * size + c;
      k.norm_stats(origin + p * cut_.piece_rows * cols, origin, cut_.rows_of(p), n, cols, to,
                   to + cols);
    };
    const auto apply = [&](int64_t s, int64_t p, int64_t c, int64_t n) {
      const float* row = workspace + s * per_sample_ + 2 * cut_.pieces * cols + c;
      const int64_t at = s * size + p * cut_.piece_rows * cols + c;
      k.norm_apply(x + at, cut_.rows_of(p), n, cols, row, row + cols, row + 2 * cols, y + at);
    };
    if (cut_.whole()) {
      return cut_.each_sample(context, [&](int64_t s) {
        statistics(s, 0, 0, cols);
        finish(k, inputs, outputs, workspace, s);
        apply(s, 0, 0, cols);
      });
    }
    cut_.each(context.pool, statistics);
    cut_.each_sample(context, [&](int64_t s) { finish(k, inputs, outputs, workspace, s); });
    cut_.each(context.pool, apply);
  }

 private:
  // From the pieces' statistics to those of the sample and to mean, scale and shift by column.
  void finish(const KernelTable& k, const void* const* inputs, void* const* outputs,
              float* workspace, int64_t s) const {
    const int64_t cols = cut_.cols;
    float* mean = workspace + s * per_sample_;
    float* square = mean + cols;
    for (int64_t p = 1; p < cut_.pieces; ++p) {
      const float* piece = mean + 2 * p * cols;
      k.norm_merge(mean, square, p * cut_.piece_rows, piece, piece + cols, cut_.rows_of(p), cols);
    }
    float* row = mean + 2 * cut_.pieces * cols;
    float *scale = row + cols, *shift = scale + cols;
    const float* origin = static_cast<const float*>(inputs[0]) + s * cut_.rows * cols;
    auto* mean_out = static_cast<float*>(outputs[spec_.mean]);
    auto* spread_out = static_cast<float*>(outputs[spec_.spread]);
    const float share = 1.0f / static_cast<float>(cut_.rows);
    if (spec_.groups == 0) {
      for (int64_t c = 0; c < cols; ++c) {
        const float variance = square[c] * share;
        mean_out[c] = row[c] = origin[c] + mean[c];
        spread_out[c] = variance;
        scale[c] = inverse_root(variance, spec_.epsilon);
      }
    } else {
      const int64_t width = cols / spec_.groups;
      for (int64_t g = 0; g < spec_.groups; ++g) {
        const int64_t first = g * width;
        double sum = 0, squares = 0;
        const auto mean_of = [&](int64_t c) {
          return static_cast<double>(origin[c]) + static_cast<double>(mean[c]);
        };
        for (int64_t c = first; c < first + width; ++c) sum += mean_of(c);
        const double centre = sum / static_cast<double>(width);
        for (int64_t c = first; c < first + width; ++c) {
          const double d = mean_of(c) - centre;
          squares += static_cast<double>(square[c]) * static_cast<double>(share) + d * d;
        }
        const auto variance = static_cast<float>(squares / static_cast<double>(width));
        const float rstd = inverse_root(variance, spec_.epsilon);
        mean_out[s * spec_.groups + g] = static_cast<float>(centre);
        spread_out[s * spec_.groups + g] = rstd;
        for (int64_t c = first; c < first + width; ++c) {
          row[c] = static_cast<float>(centre);
          scale[c] = rstd;
        }
      }
    }
    if (spec_.scale) {
      const auto* gamma = static_cast<const float*>(inputs[spec_.gamma]);
      for (int64_t c = 0; c < cols; ++c) scale[c] *= gamma[c];
    }
    if (spec_.center) {
      std::memcpy(shift, inputs[spec_.beta], static_cast<size_t>(cols) * sizeof(float));
    } else {
      std::memset(shift, 0, static_cast<size_t>(cols) * sizeof(float));
    }
  }

  const NormSpec spec_;
  const Cut cut_;
  // Workspace of a sample in floats: statistics of its pieces, then mean, scale, shift by column.
  const int64_t per_sample_;
};

class NormGradPlan final : public StepPlan {
 public:
  explicit NormGradPlan(NormSpec spec)
      : spec_(std::move(spec)),
        cut_(spec_.samples, spec_.rows, spec_.cols),
        per_sample_((2 * cut_.pieces + 4) * cut_.cols) {}

  size_t workspace_bytes() const override {
    return static_cast<size_t>(cut_.samples * (per_sample_ + 2 * cut_.cols) + 2 * cut_.cols) *
           sizeof(float);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const auto* x = static_cast<const float*>(inputs[0]);
    const auto* dy = static_cast<const float*>(inputs[1]);
    auto* dx = static_cast<float*>(outputs[0]);
    const KernelTable& k = context.kernels;
    const int64_t cols = cut_.cols, size = cut_.rows * cols;
    // The sums of each sample lie together, so that those over samples are sums of rows.
    auto* sums = reinterpret_cast<float*>(context.workspace);
    auto* workspace = sums + cut_.samples * 2 * cols;
    const auto sum = [&](int64_t s, int64_t p, int64_t c, int64_t n) {
      float* to = workspace + s * per_sample_ + 2 * p * cols + c;
      const float* row = workspace + s * per_sample_ + 2 * cut_.pieces * cols + c;
      const int64_t at = s * size + p * cut_.piece_rows * cols + c;
      k.norm_sums(x + at, dy + at, cut_.rows_of(p), n, cols, row, to, to + cols);
    };
    const auto elements = [&](int64_t s, int64_t p, int64_t c, int64_t n) {
      const float* row = workspace + s * per_sample_ + 2 * cut_.pieces * cols + c;
      const int64_t at = s * size + p * cut_.piece_rows * cols + c;
      k.norm_grad(x + at, dy + at, cut_.rows_of(p), n, cols, row, row + cols, row + 2 * cols,
                  row + 3 * cols, dx + at);
    };
    if (cut_.whole()) {
      cut_.each_sample(context, [&](int64_t s) {
        place_means(inputs, workspace, s);
        sum(s, 0, 0, cols);
        finish(k, inputs, sums, workspace, s);
        elements(s, 0, 0, cols);
      });
    } else {
      for (int64_t s = 0; s < cut_.samples; ++s) place_means(inputs, workspace, s);
      cut_.each(context.pool, sum);
      cut_.each_sample(context, [&](int64_t s) { finish(k, inputs, sums, workspace, s); });
      cut_.each(context.pool, elements);
    }
    float* total = sums;
    if (cut_.samples != 1) {
      total = sums + cut_.samples * (per_sample_ + 2 * cols);
      k.sum_columns_f32(sums, cut_.samples, 2 * cols, 2 * cols, total);
    }
    const size_t bytes = static_cast<size_t>(cols) * sizeof(float);
    if (spec_.center) std::memcpy(outputs[spec_.dbeta], total, bytes);
    if (spec_.scale) std::memcpy(outputs[spec_.dgamma], total + cols, bytes);
  }

 private:
  void place_means(const void* const* inputs, float* workspace, int64_t s) const {
    const auto* mean = static_cast<const float*>(inputs[spec_.mean]);
    float* row = workspace + s * per_sample_ + 2 * cut_.pieces * cut_.cols;
    const int64_t width = spec_.groups == 0 ? 1 : cut_.cols / spec_.groups;
    if (spec_.groups > 0) mean += s * spec_.groups;
    for (int64_t c = 0; c < cut_.cols; ++c) row[c] = mean[c / width];
  }

  // From the pieces' sums to the sample's gradients of beta and gamma and the columns'
  // coefficients: dx = rstd (dy gamma - mean(dy gamma) - normal mean(dy gamma normal)), normal = (x
  // - mean) rstd.
  void finish(const KernelTable& k, const void* const* inputs, float* sums, float* workspace,
              int64_t s) const {
    const int64_t cols = cut_.cols;
    float* by_beta = sums + s * 2 * cols;
    float* by_gamma = by_beta + cols;  // at first without rstd
    const float* pieces = workspace + s * per_sample_;
    k.sum_columns_f32(pieces, cut_.pieces, 2 * cols, 2 * cols, by_beta);
    float* a = workspace + s * per_sample_ + (2 * cut_.pieces + 1) * cols;
    float *b = a + cols, *d = b + cols;
    const auto* spread = static_cast<const float*>(inputs[spec_.spread]);
    const auto* gamma = spec_.scale ? static_cast<const float*>(inputs[spec_.gamma]) : nullptr;
    if (spec_.groups == 0) {
      const float share = 1.0f / static_cast<float>(cut_.rows);
      for (int64_t c = 0; c < cols; ++c) {
        const float rstd = inverse_root(spread[c], spec_.epsilon);
        by_gamma[c] *= rstd;
        a[c] = gamma != nullptr ? gamma[c] * rstd : rstd;
        b[c] = -(a[c] * rstd) * (by_gamma[c] * share);
        d[c] = -a[c] * (by_beta[c] * share);
      }
      return;
    }
    const int64_t width = cols / spec_.groups;
    const double share = 1.0 / (static_cast<double>(cut_.rows) * static_cast<double>(width));
    for (int64_t g = 0; g < spec_.groups; ++g) {
      const float rstd = spread[s * spec_.groups + g];
      double mean = 0, slope = 0;
      for (int64_t c = g * width; c < (g + 1) * width; ++c) {
        by_gamma[c] *= rstd;
        const double weight = gamma != nullptr ? static_cast<double>(gamma[c]) : 1.0;
        mean += weight * static_cast<double>(by_beta[c]);
        slope += weight * static_cast<double>(by_gamma[c]);
      }
      for (int64_t c = g * width; c < (g + 1) * width; ++c) {
        a[c] = gamma != nullptr ? gamma[c] * rstd : rstd;
        b[c] = -(rstd * rstd) * static_cast<float>(slope * share);
        d[c] = -rstd * static_cast<float>(mean * share);
      }
    }
  }

  const NormSpec spec_;
  const Cut cut_;
  // Workspace of a sample in floats: sums of its pieces, then mean and three coefficients by
  // column.
  const int64_t per_sample_;
};

}  // namespace

std::unique_ptr<StepPlan> plan_batchNorm(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<NormPlan>(NormSpec(spec, "batchNorm", false, false));
}
std::unique_ptr<StepPlan> plan_batchNormGrad(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<NormGradPlan>(NormSpec(spec, "batchNormGrad", false, true));
}
std::unique_ptr<StepPlan> plan_groupNorm(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<NormPlan>(NormSpec(spec, "groupNorm", true, false));
}
std::unique_ptr<StepPlan> plan_groupNormGrad(const StepSpec& spec, const PlanContext&) {
  return std::make_unique<NormGradPlan>(NormSpec(spec, "groupNormGrad", true, true));
}

}  // namespace myelin
