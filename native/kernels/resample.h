// Contract of separable resampling of images [batch, height, width, channels]: resizing and its
// transposed map.
#ifndef MYELIN_KERNELS_RESAMPLE_H_
#define MYELIN_KERNELS_RESAMPLE_H_

#include <cstdint>

namespace myelin {

// One axis: output o is the sum of weight[t] * input[from[t]] over begin[o] <= t < begin[o + 1].
struct ResampleTaps {
  const int32_t* begin;
  const int32_t* from;
  const float* weight;
  int64_t in, out;
};

// Rows first .. first + count - 1 of y, of all images one after another. `buffer` holds
// columns.in * channels elements and must not be shared by calls at the same time.
using ResampleRows = void(const ResampleTaps& rows, const ResampleTaps& columns, int64_t channels,
                          const float* x, int64_t first, int64_t count, float* buffer, float* y);

}  // namespace myelin

#endif  // MYELIN_KERNELS_RESAMPLE_H_
