// Contracts of the kernels that move 4-byte elements, whatever their type; other moves are memcpy
// and plain loops in native/ops.
#ifndef MYELIN_KERNELS_MOVE_H_
#define MYELIN_KERNELS_MOVE_H_

#include <cstdint>

namespace myelin {

// to[c * to_stride + r] = from[r * from_stride + c] for r < rows, c < cols; strides in elements.
// Both may be split.
using Transpose32 = void(const float* from, int64_t from_stride, int64_t rows, int64_t cols,
                         float* to, int64_t to_stride);

// `runs` runs of n elements: to[r * to_stride + i] = from[r * from_stride + i]. For short runs,
// where a call of memcpy each would cost more than the copying.
using CopyRuns32 = void(const float* from, int64_t from_stride, int64_t runs, int64_t n, float* to,
                        int64_t to_stride);

// to[i] += from[i].
using AccumulateF32 = void(float* to, const float* from, int64_t n);
using AccumulateI32 = void(int32_t* to, const int32_t* from, int64_t n);

}  // namespace myelin

#endif  // MYELIN_KERNELS_MOVE_H_
