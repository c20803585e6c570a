// The batch-reduce matrix product: a register tile that sums over a list of products before it is
// stored. Convolutions are made of it: the products are rows of their kernel, which lie apart in
// the image. Its tiles are those of gemm.h.
#ifndef MYELIN_KERNELS_BRGEMM_H_
#define MYELIN_KERNELS_BRGEMM_H_

#include <cstdint>

namespace myelin {

// One product of the list: k steps of A from `a`, of B from `b`.
struct BrgemmPiece {
  const float* a;
  const float* b;
  int64_t k;
};

// C[m, n] = (accumulate ? C : 0) + the sum of A_q * B_q over the pieces, where
// - A_q's element (i, p) is pieces[q].a[a_offset + i * a_row + p * a_step],
// - B_q's element (p, j) of the panel that starts at column c is pieces[q].b[b_offset + c * b_panel
// +
//   (j - c) + p * b_step]: b_panel == 1 means in place, otherwise panels are gemm_shape.nr wide.
// Each element of C is one chain of multiply-adds over the pieces in their order, then one addition
// where accumulate is set: its bits depend neither on its position nor on how m and n were split.
// Any sizes >= 0; without pieces C becomes zeros or stays. Nothing outside the operands is touched.
// Splittable over m, and over n (in whole panels where B is packed).
struct BrgemmBlock {
  int64_t m, n;
  const BrgemmPiece* pieces;
  int64_t count;
  int64_t a_row, a_step, a_offset;
  int64_t b_panel, b_step, b_offset;
  float* c;
  int64_t ldc;
  bool accumulate;
  // Memory to ask for meanwhile: what the next call reads, from `ahead` on, `ahead_step` floats for
  // each step of k and tile of rows. Never read; null asks for nothing.
  const float* ahead = nullptr;
  int64_t ahead_step = 0;
};
using BrgemmBlockKernel = void(const BrgemmBlock& block);

}  // namespace myelin

#endif  // MYELIN_KERNELS_BRGEMM_H_
