// Contracts of pooling over channels-last images [batch, depth, height, width, channels]; images
// with fewer spatial sizes have ones in front. Windows are those of src/ops/windows.ts. Rows are
// runs of width * channels elements, of all images one after another; they may be split among
// calls.
#ifndef MYELIN_KERNELS_POOL_H_
#define MYELIN_KERNELS_POOL_H_

#include <cstdint>

namespace myelin {

// One spatial axis: output o covers inputs from o * stride - before on, `pool` of them, as far as
// they exist. stride 0: the bins of adaptive pooling, and pool is at least the largest bin. Sizes
// are below 2^31 and every window holds at least one input.
struct PoolAxis {
  int64_t in, out, pool, stride, before;
};
struct PoolShape {
  PoolAxis axis[3];
  int64_t channels;
};

// Rows first .. first + count - 1 of y and index, from the images at x. Of equal numbers the first
// wins; NaN wins over numbers. index is the row-major place in the window before clipping.
using MaxPoolU8 = void(const PoolShape& shape, const float* x, int64_t first, int64_t count,
                       float* y, uint8_t* index);
using MaxPoolI32 = void(const PoolShape& shape, const float* x, int64_t first, int64_t count,
                        float* y, int32_t* index);

// Rows of dx, which are set: the sum of dy over the outputs whose index names that input. Whatever
// the index holds, only dx is written.
using MaxPoolGradU8 = void(const PoolShape& shape, const float* dy, const uint8_t* index,
                           int64_t first, int64_t count, float* dx);
using MaxPoolGradI32 = void(const PoolShape& shape, const float* dy, const int32_t* index,
                            int64_t first, int64_t count, float* dx);

// Rows of y: the element of x that the index names, 0 where it names none.
using MaxPoolGatherU8 = void(const PoolShape& shape, const float* x, const uint8_t* index,
                             int64_t first, int64_t count, float* y);
using MaxPoolGatherI32 = void(const PoolShape& shape, const float* x, const int32_t* index,
                              int64_t first, int64_t count, float* y);

// Rows of y: means over the inputs that exist. Rows of dx: the transposed map.
using AveragePool = void(const PoolShape& shape, const float* x, int64_t first, int64_t count,
                         float* y);
using AveragePoolGrad = void(const PoolShape& shape, const float* dy, int64_t first, int64_t count,
                             float* dx);

}  // namespace myelin

#endif  // MYELIN_KERNELS_POOL_H_
