// Contracts of the micro-ops of elementwise chains (one kernel per entry of MYELIN_MICRO_OPS, under
// the same name) and of the helpers that bring operands into tiles.
#ifndef MYELIN_KERNELS_ELEMENTWISE_H_
#define MYELIN_KERNELS_ELEMENTWISE_H_

#include <cstdint>

namespace myelin {

// out[i] = op(a[i], b[i], c[i]), i < n; lanes of 32 bits, float or int32 by the op's name; operands
// beyond the op's arity are not read. out may be the same address as any operand. Element by
// element, so work may be split anywhere, and an element's bits do not depend on its place.
//
// Integers wrap; integer division by zero gives 0. Floats follow IEEE; minimum and maximum pass NaN
// on. mod has the divisor's sign, as in Python, and is NaN for a divisor of 0; floorDivide is the
// floor of the exact quotient. sign keeps NaN and zeros, relu keeps NaN and gives +0 for both
// zeros. Comparisons give int32 0 or 1. cast_f32_i32 truncates and saturates, NaN gives 0. copy and
// where move bits. power is C's pow in all special cases.
//
// Where results or operands are denormal, flushing (thread_pool.h) makes them 0. The largest errors
// against the correctly rounded result in ulp, over all floats (power: over 10^8 pairs a level), as
// tests/math_test.cc finds them with MYELIN_EXHAUSTIVE=1; rounding itself is 0.5 of each:
//
//             exp   expm1 log   log1p sin   cos   tanh  sigmoid erf   rsqrt power
//   with FMA  0.96  1.05  0.81  0.88  0.85  0.85  1.33  1.29    1.09  1.49  1.20
//   portable  0.96  1.07  0.83  0.88  0.90  0.90  1.33  1.50    1.38  1.49  1.18
//
// gelu and geluTanh are within 1.4 ulp of x, in absolute terms: left of 0 they are differences of
// near numbers.
using MicroKernel = void(const void* a, const void* b, const void* c, void* out, int64_t n);

// out[i] = *value, 32 bits, for i < n.
using TileSplat = void(const void* value, void* out, int64_t n);

// out[r * cols + c] = x[r * row_stride + (col_stride ? c : 0)] for r < rows, c < cols, rows > 0;
// col_stride is 0 or 1. Strides in elements; 32-bit elements, or bytes that are widened to int32.
// May write up to one vector past the end of out.
using TileExpand = void(const void* x, int64_t row_stride, int64_t col_stride, int64_t rows,
                        int64_t cols, void* out);

// Bytes to int32 lanes, without sign; and the low byte of each lane.
using TileWiden = void(const void* x, void* out, int64_t n);
using TileNarrow = void(const void* x, void* out, int64_t n);

}  // namespace myelin

#endif  // MYELIN_KERNELS_ELEMENTWISE_H_
