// Contracts of the reductions: sum, max, min, prod and the index of an extreme, over rows (the
// reduced elements lie side by side) or over columns (they lie `stride` elements apart). Order: it
// depends on the sizes alone, and errors grow with the depth of a blocked tree rather than with the
// count. Nothing reduced gives the identity: 0, 1, -inf or INT32_MIN, +inf or INT32_MAX. max and
// min pass NaN on.
#ifndef MYELIN_KERNELS_REDUCE_H_
#define MYELIN_KERNELS_REDUCE_H_

#include <cstdint>

namespace myelin {

// out[r] = reduction of x[r * n .. r * n + n). Rows may be split among calls.
using ReduceRowsF32 = void(const float* x, int64_t rows, int64_t n, float* out);
using ReduceRowsI32 = void(const int32_t* x, int64_t rows, int64_t n, int32_t* out);

// out[c] = reduction of x[r * stride + c] over r < rows, for c < cols. Columns may be split among
// calls, at multiples of 16 when the bits must not depend on the split.
using ReduceColumnsF32 = void(const float* x, int64_t rows, int64_t cols, int64_t stride,
                              float* out);
using ReduceColumnsI32 = void(const int32_t* x, int64_t rows, int64_t cols, int64_t stride,
                              int32_t* out);

// The same with the place of the first extreme, where the first NaN is an extreme. n and rows: 1 ..
// INT32_MAX.
using ArgRowsF32 = void(const float* x, int64_t rows, int64_t n, int32_t* out);
using ArgRowsI32 = void(const int32_t* x, int64_t rows, int64_t n, int32_t* out);
using ArgColumnsF32 = void(const float* x, int64_t rows, int64_t cols, int64_t stride,
                           int32_t* out);
using ArgColumnsI32 = void(const int32_t* x, int64_t rows, int64_t cols, int64_t stride,
                           int32_t* out);

}  // namespace myelin

#endif  // MYELIN_KERNELS_REDUCE_H_
