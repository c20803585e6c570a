// Contracts of the depthwise convolution's kernels: some lines of outputs at a time, vectors over
// channels. Forward and the gradient of the input are the same sum with other steps; see
// native/conv_depthwise.cc, which also clips the rows of the kernel.
#ifndef MYELIN_KERNELS_DEPTHWISE_H_
#define MYELIN_KERNELS_DEPTHWISE_H_

#include <cstdint>

namespace myelin {

// `lines` lines of `count` output pixels each and what they are sums of. In line h column t sees,
// for tap (i, j), pixel first + t * step + j * tap of the line at x + h * x_line + i * x_row, where
// that is in [0, size); its weights are at w + i * w_row + j * w_column. All have `channels`
// channels, contiguous; pixels of x are `pixel` floats apart, those of y `y_step`. step and tap are
// at least 1; other steps may be negative; any sizes >= 0.
struct DepthwiseLines {
  float* y;
  int64_t y_line, y_step, lines, count;
  const float* x;
  int64_t x_line, x_row, pixel, size;
  int64_t first, step, tap;
  const float* w;
  int64_t w_row, w_column;
  int64_t rows, columns;  // of taps; all rows are lines that exist
  int64_t channels;
};

// y = (accumulate ? y : 0) + sum over taps, a chain of multiply-adds in the order of taps for each
// element. Splittable over lines.
using DepthwiseForward = void(const DepthwiseLines& lines, bool accumulate);

// The other product: adds to each tap's weights, which are at w here and written, the sum over all
// pixels of y, which is read, of what that tap sees times y. One chain per tap and channel, in a
// fixed order of pixels.
using DepthwiseKernelGrad = void(const DepthwiseLines& lines, float* w);

}  // namespace myelin

#endif  // MYELIN_KERNELS_DEPTHWISE_H_
