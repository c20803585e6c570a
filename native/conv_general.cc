// Convolution of any shape: for every row of the result and every tap of the kernel, one product of
// the pixels that tap reaches with its slice of the kernel, added up in place. Reads operands where
// they lie. The judge of the faster paths, and the way for shapes they do not take.
#include <cstring>

#include "conv_paths.h"

namespace myelin {
namespace {

bool takes_all(const KernelTable&, const ConvShape&) { return true; }

// Rows of the result, counted over batch, depth and height, that make a task.
int64_t rows_per_task(const ConvShape& s, int64_t row_pixels) {
  return 1 + static_cast<int64_t>(kConvTaskWork / (1 + conv_work(s, row_pixels)));
}

template <class F>
void for_rows(const ConvRun& r, int64_t rows, int64_t per_task, F&& fn) {
  r.pool.parallel_for((rows + per_task - 1) / per_task, [&](int64_t task, int) {
    const int64_t end = std::min(rows, (task + 1) * per_task);
    for (int64_t row = task * per_task; row < end; ++row) fn(row);
  });
}

int64_t no_scratch(const KernelTable&, const ConvShape&, int) { return 0; }

// One row of y: out[2] pixels.
void conv_row(const ConvRun& r, int64_t row, const float* x, const float* w, float* y) {
  const ConvShape& s = r.s;
  const int64_t h = row % s.out[1], d = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
  const int64_t channels = s.cin / s.groups, columns = s.cout / s.groups;
  std::memset(y, 0, static_cast<size_t>(s.out[2] * s.cout) * sizeof(float));
  for (int64_t kd = 0; kd < s.kernel[0]; ++kd) {
    const int64_t id = d * s.stride[0] - s.pad_before[0] + kd * s.dilation[0];
    for (int64_t kh = 0; kh < s.kernel[1]; ++kh) {
      const int64_t ih = h * s.stride[1] - s.pad_before[1] + kh * s.dilation[1];
      if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) continue;
      const float* line = x + ((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] * s.cin;
      for (int64_t kw = 0; kw < s.kernel[2]; ++kw) {
        const int64_t start = kw * s.dilation[2] - s.pad_before[2];
        const ConvRange pixels = range_inside(start, s.stride[2], s.in[2], s.out[2]);
        if (pixels.count() == 0) continue;
        const float* from = line + (start + pixels.begin * s.stride[2]) * s.cin;
        const float* tap = w + ((kd * s.kernel[1] + kh) * s.kernel[2] + kw) * channels * s.cout;
        for (int64_t g = 0; g < s.groups; ++g) {
          r.kernels.gemm_block({pixels.count(), columns, channels, from + g * channels,
                                s.stride[2] * s.cin, 1, tap + g * columns, 1, s.cout,
                                y + pixels.begin * s.cout + g * columns, s.cout, true});
        }
      }
    }
  }
}

void run_conv(const ConvRun& r, const float* x, const float* w, float* y) {
  const ConvShape& s = r.s;
  const int64_t rows = s.batch * s.out[0] * s.out[1];
  for_rows(r, rows, rows_per_task(s, s.out[2]), [&](int64_t row) {
    conv_row(r, row, x, w, y + row * s.out[2] * s.cout);
    r.finish(row * s.out[2], s.out[2], s.cout);
  });
}

// The kernel's taps turned round, [taps, cout / groups, cin / groups] for each group.
int64_t turned_kernel_floats(const KernelTable&, const ConvShape& s, int) {
  return s.taps() * (s.cin / s.groups) * s.cout;
}

void turn_kernel(const ConvRun& r, const float* w, float* turned) {
  const ConvShape& s = r.s;
  const int64_t channels = s.cin / s.groups, columns = s.cout / s.groups;
  r.pool.parallel_for(s.taps(), [&](int64_t tap, int) {
    for (int64_t g = 0; g < s.groups; ++g) {
      const float* from = w + tap * channels * s.cout + g * columns;
      float* to = turned + (tap * s.groups + g) * columns * channels;
      for (int64_t j = 0; j < columns; ++j) {
        for (int64_t c = 0; c < channels; ++c) to[j * channels + c] = from[c * s.cout + j];
      }
    }
  });
}

// One row of dx: in[2] pixels, gathered from the rows of dy that saw it.
void input_grad_row(const ConvRun& r, int64_t row, const float* dy, const float* turned,
                    float* dx) {
  const ConvShape& s = r.s;
  const int64_t ih = row % s.in[1], id = row / s.in[1] % s.in[0], n = row / s.in[1] / s.in[0];
  const int64_t channels = s.cin / s.groups, columns = s.cout / s.groups;
  std::memset(dx, 0, static_cast<size_t>(s.in[2] * s.cin) * sizeof(float));
  for (int64_t kd = 0; kd < s.kernel[0]; ++kd) {
    const int64_t at_d = id + s.pad_before[0] - kd * s.dilation[0];
    for (int64_t kh = 0; kh < s.kernel[1]; ++kh) {
      const int64_t at_h = ih + s.pad_before[1] - kh * s.dilation[1];
      if (at_d < 0 || at_h < 0 || at_d % s.stride[0] != 0 || at_h % s.stride[1] != 0) continue;
      const int64_t d = at_d / s.stride[0], h = at_h / s.stride[1];
      if (d >= s.out[0] || h >= s.out[1]) continue;
      const float* line = dy + ((n * s.out[0] + d) * s.out[1] + h) * s.out[2] * s.cout;
      for (int64_t kw = 0; kw < s.kernel[2]; ++kw) {
        const int64_t start = kw * s.dilation[2] - s.pad_before[2];
        const ConvRange pixels = range_inside(start, s.stride[2], s.in[2], s.out[2]);
        if (pixels.count() == 0) continue;
        const float* tap = turned + ((kd * s.kernel[1] + kh) * s.kernel[2] + kw) * columns * s.cin;
        for (int64_t g = 0; g < s.groups; ++g) {
          r.kernels.gemm_block({pixels.count(), channels, columns,
                                line + pixels.begin * s.cout + g * columns, s.cout, 1,
                                tap + g * columns * channels, 1, channels,
                                dx + (start + pixels.begin * s.stride[2]) * s.cin + g * channels,
                                s.stride[2] * s.cin, true});
        }
      }
    }
  }
}

void run_input_grad(const ConvRun& r, const float* dy, const float* w, float* dx) {
  const ConvShape& s = r.s;
  turn_kernel(r, w, r.scratch);
  const int64_t rows = s.batch * s.in[0] * s.in[1];
  for_rows(r, rows, rows_per_task(s, s.in[2]), [&](int64_t row) {
    input_grad_row(r, row, dy, r.scratch, dx + row * s.in[2] * s.cin);
    r.finish(row * s.in[2], s.in[2], s.cin);
  });
}

// A tap's slice of dw, [cin / groups, cout]: sums over all rows of y, in order.
void kernel_grad_tap(const ConvRun& r, int64_t tap, const float* x, const float* dy, float* dw) {
  const ConvShape& s = r.s;
  const int64_t kw = tap % s.kernel[2], kh = tap / s.kernel[2] % s.kernel[1];
  const int64_t kd = tap / s.kernel[2] / s.kernel[1];
  const int64_t channels = s.cin / s.groups, columns = s.cout / s.groups;
  std::memset(dw, 0, static_cast<size_t>(channels * s.cout) * sizeof(float));
  const int64_t start = kw * s.dilation[2] - s.pad_before[2];
  const ConvRange pixels = range_inside(start, s.stride[2], s.in[2], s.out[2]);
  if (pixels.count() == 0) return;
  for (int64_t row = 0; row < s.batch * s.out[0] * s.out[1]; ++row) {
    const int64_t h = row % s.out[1], d = row / s.out[1] % s.out[0], n = row / s.out[1] / s.out[0];
    const int64_t id = d * s.stride[0] - s.pad_before[0] + kd * s.dilation[0];
    const int64_t ih = h * s.stride[1] - s.pad_before[1] + kh * s.dilation[1];
    if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) continue;
    const float* from =
        x + (((n * s.in[0] + id) * s.in[1] + ih) * s.in[2] + start + pixels.begin * s.stride[2]) *
                s.cin;
    const float* grad = dy + (row * s.out[2] + pixels.begin) * s.cout;
    for (int64_t g = 0; g < s.groups; ++g) {
      r.kernels.gemm_block({channels, columns, pixels.count(), from + g * channels, 1,
                            s.stride[2] * s.cin, grad + g * columns, 1, s.cout, dw + g * columns,
                            s.cout, true});
    }
  }
}

void run_kernel_grad(const ConvRun& r, const float* x, const float* dy, float* dw) {
  const int64_t slice = r.s.cin / r.s.groups * r.s.cout;
  r.pool.parallel_for(r.s.taps(),
                      [&](int64_t tap, int) { kernel_grad_tap(r, tap, x, dy, dw + tap * slice); });
}

}  // namespace

const ConvPath kConvGeneral = {takes_all, no_scratch, run_conv};
const ConvPath kConvInputGradGeneral = {takes_all, turned_kernel_floats, run_input_grad};
const ConvPath kConvKernelGradGeneral = {takes_all, no_scratch, run_kernel_grad};

}  // namespace myelin
