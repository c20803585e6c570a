// Contracts of the depthwise convolution's kernels: one line of outputs at a time, vectors over
// channels. Forward and the gradient of the input are the same sum with other steps; see
// native/conv_depthwise.cc, which also clips the rows of the kernel.
#ifndef MYELIN_KERNELS_DEPTHWISE_H_
#define MYELIN_KERNELS_DEPTHWISE_H_

#include <cstdint>

namespace myelin {

// A line of `count` output pixels and what they are sums of. Column t sees, for tap (i, j), pixel
// first + t * step + j * tap of the line at x + i * x_row, where that is in [0, size); its weights
// are at w + i * w_row + j * w_column. All have `channels` channels, contiguous; pixels of x are
// `pixel` floats apart, those of y `y_step`. step >= 1, tap != 0; x_row, w_row and w_column may be
// negative; any sizes >= 0.
struct DepthwiseLine {
  float* y;
  int64_t y_step, count;
  const float* x;
  int64_t x_row, pixel, size;
  int64_t first, step, tap;
  const float* w;
  int64_t w_row, w_column;
  int64_t rows, columns;  // of taps; all rows are lines that exist
  int64_t channels;
};

// y = (accumulate ? y : 0) + sum over taps, a chain of multiply-adds in the order of taps for each
// element. Splittable over columns.
using DepthwiseForward = void(const DepthwiseLine& line, bool accumulate);

// The other product: adds to each tap's w (which is written here) the sum over the line's columns
// of its pixel times y (which is read). One chain per tap and channel, in a fixed order of columns.
using DepthwiseKernelGrad = void(const DepthwiseLine& line, float* w);

}  // namespace myelin

#endif  // MYELIN_KERNELS_DEPTHWISE_H_
