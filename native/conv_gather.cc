// See conv_gather.h.
#include "conv_gather.h"

#include <cstring>
#include <numeric>

namespace myelin {
namespace {

ConvGather common(const ConvShape& s, bool forward) {
  ConvGather g = {};
  g.forward = forward;
  g.batch = s.batch;
  g.groups = s.groups;
  g.channels = (forward ? s.cin : s.cout) / s.groups;
  g.columns = (forward ? s.cout : s.cin) / s.groups;
  for (int i = 0; i < 3; ++i) {
    g.result[i] = forward ? s.out[i] : s.in[i];
    g.source[i] = forward ? s.in[i] : s.out[i];
    g.kernel[i] = s.kernel[i];
    g.phases[i] = forward ? 1 : s.stride[i];
    g.advance[i] = forward ? s.stride[i] : 1;
    g.dilation[i] = s.dilation[i];
    g.pad_before[i] = s.pad_before[i];
  }
  return g;
}

int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

}  // namespace

ConvGather gather_forward(const ConvShape& s) { return common(s, true); }
ConvGather gather_input_grad(const ConvShape& s) { return common(s, false); }

AxisTaps ConvGather::taps(int axis, int64_t phase) const {
  const int64_t size = kernel[axis], gap = dilation[axis], pad = pad_before[axis];
  if (forward) return {size, 0, 1, -pad, gap};
  // Position i = q * stride + phase of dx was seen by output (i + pad - k * dilation) / stride for
  // those k where that is whole; they are stride / gcd apart, and outputs fall as k rises.
  const int64_t stride = phases[axis], common = std::gcd(stride, gap);
  const int64_t step = stride / common;
  int64_t first = 0;
  while (first < std::min(size, step) && (phase + pad - first * gap) % stride != 0) ++first;
  if (first >= std::min(size, step)) return {0, 0, 1, 0, 1};
  const int64_t count = (size - 1 - first) / step + 1, last = first + (count - 1) * step;
  return {count, last, -step, floor_div(phase + pad - last * gap, stride), gap / common};
}

ConvWindow window_of(const ConvGather& g) {
  ConvWindow window = {INT64_MAX, INT64_MIN};
  for (int64_t phase = 0; phase < std::min(g.phases[2], g.result[2]); ++phase) {
    const AxisTaps taps = g.taps(2, phase);
    if (taps.count == 0) continue;
    window.low = std::min(window.low, taps.offset);
    window.high = std::max(window.high, taps.offset + taps.reach() - 1);
  }
  return window.low <= window.high ? window : ConvWindow{0, 0};
}

int64_t packed_kernel_floats(const KernelTable& kernels, const ConvGather& g) {
  const int64_t nr = kernels.gemm_shape.nr;
  return g.groups * g.depth() * ((g.columns + nr - 1) / nr * nr);
}

void pack_kernel(const KernelTable& kernels, ThreadPool& pool, const ConvGather& g, const float* w,
                 float* packed) {
  const int64_t nr = kernels.gemm_shape.nr, panels = (g.columns + nr - 1) / nr;
  const int64_t depth = g.depth();
  pool.parallel_for(g.groups * panels, [&](int64_t task, int) {
    const int64_t group = task / panels, col = task % panels * nr;
    const int64_t cols = std::min(nr, g.columns - col);
    float* out = packed + task * depth * nr;
    if (g.forward) {
      kernels.gemm_pack_b(depth, cols, w + group * g.columns + col, g.result_pitch(), false, out);
      return;
    }
    // w is [taps, columns, groups * channels] here.
    for (int64_t row = 0; row < g.kernel_rows(); ++row) {
      for (int64_t phase = 0; phase < g.phases[2]; ++phase) {
        const AxisTaps taps = g.taps(2, phase);
        for (int64_t t = 0; t < taps.count; ++t) {
          const int64_t tap = row * g.kernel[2] + taps.first + t * taps.step;
          const float* from = w + (tap * g.columns + col) * g.source_pitch() + group * g.channels;
          kernels.gemm_pack_b(g.channels, cols, from, g.source_pitch(), true, out);
          out += g.channels * nr;
        }
      }
    }
  });
}

int64_t SourceRows::find(int64_t n, int64_t d, int64_t h, int64_t column, int64_t channel,
                         SourceRow* rows) {
  const AxisTaps deep = g_.taps(0, d % g_.phases[0]), high = g_.taps(1, h % g_.phases[1]);
  const int64_t from_d = d / g_.phases[0] * g_.advance[0] + deep.offset;
  const int64_t from_h = h / g_.phases[1] * g_.advance[1] + high.offset;
  const bool shared = previous_ != nullptr && previous_column_ == column;
  int64_t count = 0;
  for (int64_t i = 0; i < deep.count; ++i) {
    const int64_t at_d = from_d + i * deep.spacing;
    if (at_d < 0 || at_d >= g_.source[0]) continue;
    for (int64_t j = 0; j < high.count; ++j) {
      const int64_t at_h = from_h + j * high.spacing;
      if (at_h < 0 || at_h >= g_.source[1]) continue;
      const int64_t index = (n * g_.source[0] + at_d) * g_.source[1] + at_h;
      SourceRow& row = rows[count++];
      row.index = index;
      row.kernel_row = (deep.first + i * deep.step) * g_.kernel[1] + high.first + j * high.step;
      row.at = nullptr;
      if (copies_ == nullptr) {
        row.at = source_ + (index * g_.source[2] + column) * g_.source_pitch() + channel;
        continue;
      }
      for (int64_t k = 0; shared && k < previous_count_; ++k) {
        if (previous_[k].index == index) row.at = previous_[k].at;
      }
      if (row.at == nullptr) row.at = copy(index, column, channel);
    }
  }
  previous_ = rows;
  previous_count_ = count;
  previous_column_ = column;
  return count;
}

const float* SourceRows::copy(int64_t index, int64_t column, int64_t channel) {
  const int64_t channels = g_.channels, pitch = g_.source_pitch();
  float* const out = copies_ + used_++ * pixels_ * channels;
  const int64_t begin = std::clamp<int64_t>(-column, 0, pixels_);
  const int64_t end = std::clamp<int64_t>(g_.source[2] - column, begin, pixels_);
  const auto bytes = [&](int64_t pixels) {
    return static_cast<size_t>(pixels * channels) * sizeof(float);
  };
  std::memset(out, 0, bytes(begin));
  std::memset(out + end * channels, 0, bytes(pixels_ - end));
  const float* from = source_ + (index * g_.source[2] + column + begin) * pitch + channel;
  if (g_.groups == 1) {
    std::memcpy(out + begin * channels, from, bytes(end - begin));
    return out;
  }
  for (int64_t i = begin; i < end; ++i, from += pitch) {
    std::memcpy(out + i * channels, from, bytes(1));
  }
  return out;
}

bool is_sound(const ConvGather& g, int64_t pixels, int64_t rows) {
  constexpr int64_t kMaxStride = 16, kMaxAdvance = 64, kMaxWidth = 4096;
  constexpr double kMaxRowFloats = 1LL << 32;
  if (g.batch == 0 || g.channels == 0 || g.columns == 0) return false;
  for (int i = 0; i < 3; ++i) {
    if (g.source[i] == 0 || g.result[i] == 0 || g.phases[i] > kMaxStride) return false;
  }
  const ConvWindow window = window_of(g);
  const int64_t span = window.high - window.low;
  return g.kernel_rows() <= rows && g.kernel[2] <= kMaxWidth && g.advance[2] <= kMaxAdvance &&
         span <= 2 * g.source[2] + 64 &&
         static_cast<double>(pixels * g.advance[2] + span) * static_cast<double>(g.channels) <=
             kMaxRowFloats;
}

int64_t source_row_slots(const ConvGather& g, int64_t lines) {
  // The most taps a phase has; each line adds that many rows, or, where it shares them with the one
  // before, as many as it advances. A task may begin and end inside an image.
  const auto most = [&](int axis) {
    const int64_t step = g.phases[axis] / std::gcd(g.phases[axis], g.dilation[axis]);
    return (g.kernel[axis] - 1) / step + 1;
  };
  const int64_t deep = most(0), high = most(1);
  if (!g.forward || g.dilation[1] != 1 || g.advance[1] >= high) return lines * deep * high;
  const int64_t images = (lines + g.result[1] - 1) / g.result[1] + 1;
  return deep * std::min(lines * high, lines * g.advance[1] + images * high);
}

}  // namespace myelin
