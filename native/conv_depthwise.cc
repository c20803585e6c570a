// Convolutions whose groups have few channels: depthwise ones above all, where a matrix product has
// nothing to multiply. Lines of output are sums of pixels times weights, channel by channel, by the
// kernels of kernels/depthwise.inl.h.
//
// Groups of more channels are that many depthwise convolutions: the i-th takes from every group its
// i-th channel, spread out so that each output channel finds its input in its own place. Spreading
// is a copy, so this is for small groups only.
#include <cstring>
#include <numeric>

#include "conv_paths.h"
#include "sizes.h"

namespace myelin {
namespace {

// Channels of a group up to which copying beats its matrix products. Measured on Zen 5, forward and
// 3 x 3: 4.1 times at 2 channels to 2, 1.5 times at 4 to 4, 0.9 at 8 to 8; 2 to 6 times at 1 to 32.
constexpr int64_t kMostChannels = 4, kMostOutputs = 32;
// The kernel's gradient is summed in up to this many parts, of together at most so many floats.
constexpr int64_t kParts = 16;
constexpr int64_t kPartFloats = 1 << 20;

int64_t channels_of(const ConvShape& s) { return s.cin / s.groups; }
int64_t outputs_of(const ConvShape& s) { return s.cout / s.groups; }
// Every output channel lies over its input channel.
bool is_plain(const ConvShape& s) { return channels_of(s) == 1 && outputs_of(s) == 1; }

bool takes(const KernelTable&, const ConvShape& s) {
  return s.groups > 1 && s.batch > 0 && s.in_pixels() > 0 && s.cin > 0 && s.cout > 0 &&
         channels_of(s) <= kMostChannels && outputs_of(s) <= kMostOutputs;
}

// to [pixels, cout]: channel i of the group of each output channel.
void spread(const ConvShape& s, const float* x, int64_t pixels, int64_t i, float* to) {
  const int64_t channels = channels_of(s), outputs = outputs_of(s);
  for (int64_t p = 0; p < pixels; ++p, x += s.cin) {
    const float* from = x + i;
    for (int64_t g = 0; g < s.groups; ++g, from += channels) {
      for (int64_t j = 0; j < outputs; ++j) *to++ = *from;
    }
  }
}

// The other way: channel i of each group is the sum of the group's outputs.
void gather(const ConvShape& s, const float* from, int64_t pixels, int64_t i, float* x) {
  const int64_t channels = channels_of(s), outputs = outputs_of(s);
  for (int64_t p = 0; p < pixels; ++p, x += s.cin) {
    float* to = x + i;
    for (int64_t g = 0; g < s.groups; ++g, to += channels) {
      float sum = *from++;
      for (int64_t j = 1; j < outputs; ++j) sum += *from++;
      *to = sum;
    }
  }
}

// Lines of one plane [height, width], cut into tasks of several.
struct Lines {
  int64_t planes, height, per_task, tasks_per_plane;
  int64_t tasks() const { return planes * tasks_per_plane; }
};

Lines cut_lines(const ConvShape& s, int64_t planes, int64_t height, int64_t width) {
  const auto work = static_cast<int64_t>(kConvTaskWork / (1 + conv_work(s, width)));
  // Spread lines overlap by the height of the kernel; longer tasks hide that.
  const int64_t least = is_plain(s) ? 1 : 4 * s.kernel[1];
  const int64_t per_task = std::clamp<int64_t>(std::max(work, least), 1, height);
  return {planes, height, per_task, ceil_div(height, per_task)};
}

Lines output_lines(const ConvShape& s) {
  return cut_lines(s, s.batch * s.out[0], s.out[1], s.out[2]);
}
Lines input_lines(const ConvShape& s) { return cut_lines(s, s.batch * s.in[0], s.in[1], s.in[2]); }

// Calls fn(plane, first line, last line) for a task.
template <class F>
void run_task(const Lines& lines, int64_t task, F&& fn) {
  const int64_t first = task % lines.tasks_per_plane * lines.per_task;
  fn(task / lines.tasks_per_plane, first, std::min(lines.height, first + lines.per_task));
}

// Lines of the image that the lines [first, last) of the output see, in a plane.
ConvRange lines_seen(const ConvShape& s, int64_t first, int64_t last) {
  const int64_t top = first * s.stride[1] - s.pad_before[1];
  const int64_t bottom =
      (last - 1) * s.stride[1] - s.pad_before[1] + (s.kernel[1] - 1) * s.dilation[1];
  return {std::clamp<int64_t>(top, 0, s.in[1]), std::clamp<int64_t>(bottom + 1, 0, s.in[1])};
}

int64_t spread_floats(const ConvShape& s, const Lines& lines) {
  if (is_plain(s)) return 0;
  const int64_t seen = (lines.per_task - 1) * s.stride[1] + (s.kernel[1] - 1) * s.dilation[1] + 1;
  return std::min(s.in[1], seen) * s.in[2] * s.cout;
}

bool same_rows(const ConvRange& a, const ConvRange& b) {
  return a.count() == b.count() && (a.begin == b.begin || a.count() == 0);
}

// Calls fn(first line of the output, the lines from there on that see the same rows of the kernel,
// offset in w, whether they are called for the first time) for all lines of the task and every
// plane of the kernel over them, channel after channel of the groups. Lines that see nothing are
// called once without taps.
template <class F>
void for_lines(const ConvShape& s, const float* x, float* spread_lines, int64_t plane,
               int64_t first, int64_t last, F&& fn) {
  const int64_t n = plane / s.out[0], d = plane % s.out[0], line_floats = s.in[2] * s.cout;
  const int64_t w_column = channels_of(s) * s.cout, w_row = s.kernel[2] * w_column;
  const int64_t top = d * s.stride[0] - s.pad_before[0];
  const ConvRange planes = range_inside(top, s.dilation[0], s.in[0], s.kernel[0]);
  for (int64_t i = 0; i < channels_of(s); ++i) {
    // At least once: what sees nothing is zero.
    for (int64_t step = 0; step < std::max<int64_t>(1, planes.count()); ++step) {
      const int64_t kd = planes.begin + step, id = top + kd * s.dilation[0];
      const bool none = planes.count() == 0;
      const float* image = none ? x : x + (n * s.in[0] + id) * s.in[1] * s.in[2] * s.cin;
      if (spread_lines != nullptr && !none) {
        const ConvRange seen = lines_seen(s, first, last);
        spread(s, image + seen.begin * s.in[2] * s.cin, seen.count() * s.in[2], i, spread_lines);
        image = spread_lines - seen.begin * line_floats;
      }
      for (int64_t h = first; h < last;) {
        const auto rows_of = [&](int64_t line) {
          const int64_t start = line * s.stride[1] - s.pad_before[1];
          return none ? ConvRange{0, 0} : range_inside(start, s.dilation[1], s.in[1], s.kernel[1]);
        };
        const ConvRange rows = rows_of(h);
        int64_t end = h + 1;
        while (end < last && same_rows(rows, rows_of(end))) ++end;
        DepthwiseLines l = {};
        l.lines = end - h;
        l.y_line = s.out[2] * s.cout;
        l.y_step = s.cout;
        l.count = s.out[2];
        l.rows = rows.count();
        const int64_t top = h * s.stride[1] - s.pad_before[1] + rows.begin * s.dilation[1];
        l.x = image + (l.rows > 0 ? top : 0) * line_floats;
        l.x_line = s.stride[1] * line_floats;
        l.x_row = s.dilation[1] * line_floats;
        l.pixel = s.cout;
        l.size = s.in[2];
        l.first = -s.pad_before[2];
        l.step = s.stride[2];
        l.tap = s.dilation[2];
        l.w_row = w_row;
        l.w_column = w_column;
        l.columns = s.kernel[2];
        l.channels = s.cout;
        const int64_t offset =
            l.rows > 0 ? (kd * s.kernel[1] + rows.begin) * w_row + i * s.cout : 0;
        fn(h, l, offset, i == 0 && step == 0);
        h = end;
      }
    }
  }
}

int64_t forward_scratch(const KernelTable&, const ConvShape& s, int threads) {
  return threads * spread_floats(s, output_lines(s));
}

void run_forward(const ConvRun& r, const float* x, const float* w, float* y) {
  const ConvShape& s = r.s;
  const Lines lines = output_lines(s);
  const int64_t floats = spread_floats(s, lines);
  r.pool.parallel_for(lines.tasks(), [&](int64_t task, int worker) {
    float* const spread_lines = floats > 0 ? r.scratch + worker * floats : nullptr;
    run_task(lines, task, [&](int64_t plane, int64_t first, int64_t last) {
      float* const to = y + plane * s.out[1] * s.out[2] * s.cout;
      for_lines(s, x, spread_lines, plane, first, last,
                [&](int64_t h, DepthwiseLines& l, int64_t offset, bool is_first) {
                  l.y = to + h * s.out[2] * s.cout;
                  l.w = w + offset;
                  r.kernels.depthwise_forward(l, !is_first);
                });
      r.finish((plane * s.out[1] + first) * s.out[2], (last - first) * s.out[2], s.cout);
    });
  });
}

// What one axis of the input's gradient sees: input `at` is seen by tap first + i * step from
// output start - i * decrease, for i in [0, count).
struct Reverse {
  int64_t first, step, start, decrease, count;
};

Reverse reverse(const ConvShape& s, int axis, int64_t at) {
  const int64_t stride = s.stride[axis], dilation = s.dilation[axis];
  const int64_t common = std::gcd(stride, dilation), step = stride / common;
  for (int64_t k = 0; k < std::min(step, s.kernel[axis]); ++k) {
    const int64_t from = at + s.pad_before[axis] - k * dilation;
    if (from % stride != 0) continue;
    return {k, step, from / stride, dilation / common, ceil_div(s.kernel[axis] - k, step)};
  }
  return {0, 1, 0, 1, 0};
}

// Lines [first, last) of dx, or of its spread form where groups have several outputs. Lines and
// columns at the same distance from multiples of their stride see the same taps.
void input_grad_lines(const ConvRun& r, int64_t plane, int64_t first, int64_t last, int64_t channel,
                      const float* dy, const float* w, float* dx) {
  const ConvShape& s = r.s;
  const int64_t n = plane / s.in[0], line_floats = s.out[2] * s.cout;
  const int64_t w_tap = channels_of(s) * s.cout, w_line = s.kernel[2] * w_tap;
  const Reverse d = reverse(s, 0, plane % s.in[0]);
  const ConvRange planes = range_inside(s.out[0] - 1 - d.start, d.decrease, s.out[0], d.count);
  const auto seen = [&](const Reverse& rows) {
    return range_inside(s.out[1] - 1 - rows.start, rows.decrease, s.out[1], rows.count);
  };
  const int64_t stride = std::min(s.stride[1], last - first);
  for (int64_t phase = 0; phase < stride; ++phase) {
    for (int64_t h = first + phase; h < last;) {
      const Reverse rows = reverse(s, 1, h);
      const ConvRange lines = seen(rows);
      int64_t end = h + s.stride[1];
      while (end < last && same_rows(lines, seen(reverse(s, 1, end)))) end += s.stride[1];
      DepthwiseLines l = {};
      l.lines = (end - h) / s.stride[1];
      l.y_line = s.stride[1] * s.in[2] * s.cout;
      l.y_step = s.stride[2] * s.cout;
      l.x_line = line_floats;
      l.x_row = -rows.decrease * line_floats;
      l.pixel = s.cout;
      l.size = s.out[2];
      l.step = 1;
      l.w_row = rows.step * w_line;
      l.channels = s.cout;
      for (int64_t column = 0; column < std::min(s.stride[2], s.in[2]); ++column) {
        const Reverse columns = reverse(s, 2, column);
        // The kernel wants columns whose pixels ascend: taps from the last to the first.
        const int64_t taps = std::max<int64_t>(columns.count, 1) - 1;
        l.y = dx + ((h - first) * s.in[2] + column) * s.cout;
        l.count = ceil_div(s.in[2] - column, s.stride[2]);
        l.first = columns.start - taps * columns.decrease;
        l.tap = columns.decrease;
        l.columns = columns.count;
        l.w_column = -columns.step * w_tap;
        l.rows = planes.count() > 0 ? lines.count() : 0;
        l.x = dy;
        l.w = w;
        // At least once: what nothing has seen is zero.
        for (int64_t i = 0; i < std::max<int64_t>(1, planes.count()); ++i) {
          if (l.rows > 0) {
            const int64_t od = d.start - (planes.begin + i) * d.decrease;
            const int64_t kd = d.first + (planes.begin + i) * d.step;
            const int64_t oh = rows.start - lines.begin * rows.decrease;
            const int64_t kh = rows.first + lines.begin * rows.step;
            l.x = dy + ((n * s.out[0] + od) * s.out[1] + oh) * line_floats;
            l.w = w + (kd * s.kernel[1] + kh) * w_line +
                  (columns.first + taps * columns.step) * w_tap + channel * s.cout;
          }
          r.kernels.depthwise_forward(l, i > 0);
        }
      }
      h = end;
    }
  }
}

int64_t input_grad_scratch(const KernelTable&, const ConvShape& s, int threads) {
  return is_plain(s) ? 0 : threads * input_lines(s).per_task * s.in[2] * s.cout;
}

void run_input_grad(const ConvRun& r, const float* dy, const float* w, float* dx) {
  const ConvShape& s = r.s;
  const Lines lines = input_lines(s);
  r.pool.parallel_for(lines.tasks(), [&](int64_t task, int worker) {
    float* const spread_lines = r.scratch + worker * lines.per_task * s.in[2] * s.cout;
    run_task(lines, task, [&](int64_t plane, int64_t first, int64_t last) {
      float* const to = dx + (plane * s.in[1] + first) * s.in[2] * s.cin;
      if (is_plain(s)) {
        input_grad_lines(r, plane, first, last, 0, dy, w, to);
      } else {
        for (int64_t i = 0; i < channels_of(s); ++i) {
          input_grad_lines(r, plane, first, last, i, dy, w, spread_lines);
          gather(s, spread_lines, (last - first) * s.in[2], i, to);
        }
      }
      r.finish((plane * s.in[1] + first) * s.in[2], (last - first) * s.in[2], s.cin);
    });
  });
}

int64_t weights_of(const ConvShape& s) { return s.taps() * channels_of(s) * s.cout; }

int64_t count_parts(const ConvShape& s, const Lines& lines) {
  return std::max<int64_t>(1, std::min({kParts, kPartFloats / weights_of(s), lines.tasks()}));
}

int64_t kernel_grad_scratch(const KernelTable&, const ConvShape& s, int threads) {
  const Lines lines = output_lines(s);
  return (count_parts(s, lines) - 1) * weights_of(s) + threads * spread_floats(s, lines);
}

void run_kernel_grad(const ConvRun& r, const float* x, const float* dy, float* dw) {
  const ConvShape& s = r.s;
  const Lines lines = output_lines(s);
  const int64_t floats = spread_floats(s, lines), weights = weights_of(s);
  const int64_t parts = count_parts(s, lines);
  float* const spread_all = r.scratch + (parts - 1) * weights;
  r.pool.parallel_for(parts, [&](int64_t part, int worker) {
    float* const sums = part == 0 ? dw : r.scratch + (part - 1) * weights;
    float* const spread_lines = floats > 0 ? spread_all + worker * floats : nullptr;
    std::memset(sums, 0, static_cast<size_t>(weights) * sizeof(float));
    const int64_t end = lines.tasks() * (part + 1) / parts;
    for (int64_t task = lines.tasks() * part / parts; task < end; ++task) {
      run_task(lines, task, [&](int64_t plane, int64_t first, int64_t last) {
        const float* from = dy + plane * s.out[1] * s.out[2] * s.cout;
        for_lines(s, x, spread_lines, plane, first, last,
                  [&](int64_t h, DepthwiseLines& l, int64_t offset, bool) {
                    if (l.rows == 0) return;
                    l.y = const_cast<float*>(from) + h * s.out[2] * s.cout;  // only read
                    r.kernels.depthwise_kernel_grad(l, sums + offset);
                  });
      });
    }
  });
  for (int64_t part = 1; part < parts; ++part) {
    r.kernels.accumulate_f32(dw, r.scratch + (part - 1) * weights, weights);
  }
}

}  // namespace

const ConvPath kConvDepthwise = {takes, forward_scratch, run_forward};
const ConvPath kConvInputGradDepthwise = {takes, input_grad_scratch, run_input_grad};
const ConvPath kConvKernelGradDepthwise = {takes, kernel_grad_scratch, run_kernel_grad};

}  // namespace myelin
