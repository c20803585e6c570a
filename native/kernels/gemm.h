// Signatures of the matrix product's kernels: register tiles over one block, the dot-product form
// for B transposed, and the packer of B. gemm.cc owns the blocking loops and the threads;
// convolution can use the same block kernel with a packer of its own. A has no packed form: its
// elements are broadcast one by one, at the same price from any stride.
#ifndef MYELIN_KERNELS_GEMM_H_
#define MYELIN_KERNELS_GEMM_H_

#include <cstdint>

namespace myelin {

// C[m, n] = (accumulate ? C : 0) + A * B over k steps, walked in register tiles of rows x columns:
//
//            n                     tile:   column panel (gemm_shape.nr wide where B is packed)
//      +-----------+                       +---+
//    k |     B     |                     k | B |
//      +-----------+                       +---+
//   k  +-----------+              k        +---+
// m A  |     C     |        rows  A        | C |   rows <= gemm_shape.mr, all k in registers
//      +-----------+                       +---+
//
// - A's element (i, p) is a[i * a_row + p * a_step]: {a_row, a_step} is {lda, 1}, or {1, lda} for A
//   transposed, or whatever else suits.
// - B's element (p, j) of the panel that starts at column c is b[c * b_panel + (j - c) + p *
//   b_step]: {b_panel, b_step} is {1, ldb} in place, {k, nr} as gemm_pack_b leaves it. b_panel == 1
//   means in place; panels are as wide as the kernel likes then.
// - Each element of C is one chain of multiply-adds in the order of k, then one addition where
//   accumulate is set: its bits depend neither on its position nor on how m and n were split.
// - Any m, n, k >= 0; k == 0 writes zeros or leaves C. Nothing outside the operands is touched.
//   Splittable over m, and over n (in whole panels where B is packed).
struct GemmBlock {
  int64_t m, n, k;
  const float* a;
  int64_t a_row, a_step;
  const float* b;
  int64_t b_panel, b_step;
  float* c;
  int64_t ldc;
  bool accumulate;
};
using GemmBlockKernel = void(const GemmBlock& block);

// C[m, n] = (accumulate ? C : 0) + A * B^T with A [m, k] and B [n, k], both row-major and read in
// place along k. For few rows, where transposing B would cost more than the product. Sums run over
// kLanes partial sums and a fixed reduction; bits do not depend on how m and n are split. Any sizes
// >= 0, as above.
using GemmDot = void(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                     int64_t ldb, float* c, int64_t ldc, bool accumulate);

// Copies B's k rows, columns [0, n), into panels of nr columns: element (p, j) goes to
// out[(j - j % nr) * k + p * nr + j % nr]. Columns past n in the last panel are zero. b is [k, n],
// or [n, k] when trans. Splittable at multiples of nr. out holds k * round_up(n, nr) floats and
// does not overlap b.
using GemmPackB = void(int64_t k, int64_t n, const float* b, int64_t ldb, bool trans, float* out);

// The register tile of a level: mr rows by nr columns, nr a multiple of the lanes.
struct GemmShape {
  int mr, nr;
};

}  // namespace myelin

#endif  // MYELIN_KERNELS_GEMM_H_
