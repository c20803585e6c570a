// The matrix product: plans a product by its sizes alone, splits it over the pool and runs the
// level's kernels on cache-sized blocks. Register tiles and packing live in kernels/gemm*.inl.h.
#ifndef MYELIN_GEMM_H_
#define MYELIN_GEMM_H_

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "thread_pool.h"

namespace myelin {

// C = (accumulate ? C : 0) + A * B for each of `batch` products. A is [m, k] row-major, or [k, m]
// when trans_a; B is [k, n], or [n, k] when trans_b; C is [m, n]. lda, ldb, ldc are row strides,
// stride_* the distance between batches, all in elements; a stride of 0 shares A or B between
// batches. All sizes >= 0; k == 0 writes zeros (or leaves C). No alignment needed. C overlaps
// neither A nor B.
struct Gemm {
  int64_t m = 0, n = 0, k = 0, batch = 1;
  bool trans_a = false, trans_b = false;
  int64_t lda = 0, ldb = 0, ldc = 0;
  int64_t stride_a = 0, stride_b = 0, stride_c = 0;
  bool accumulate = false;
  bool packed_b = false;  // b is what gemm_pack made of it; ldb, stride_b and trans_b say nothing
};

// Called once for every region of C, by the thread that computed it, when the region is final and
// still in its cache. Regions do not overlap and cover C; calls from several threads may overlap.
struct GemmEpilogue {
  void (*apply)(void* ctx, int64_t batch, int64_t row0, int64_t rows, int64_t col0, int64_t cols);
  void* ctx;
};

// B packed ahead, for products that use one B again and again: one product (batch 1) of n and k
// above 1. gemm_packed_bytes says what it takes, 0 where it would gain nothing or cannot be. `g` is
// the product with B as it is.
size_t gemm_packed_bytes(const KernelTable& kernels, const Gemm& g);
void gemm_pack(const KernelTable& kernels, ThreadPool& pool, const Gemm& g, const float* b,
               float* packed);

// Scratch that gemm() needs for packing; 0 for small products. `threads` is the pool's threads().
size_t gemm_workspace_bytes(const KernelTable& kernels, const Gemm& g, int threads);

// `workspace`: gemm_workspace_bytes, any alignment of float (64 bytes is best). `epilogue` may be
// null. The result has the same bits for any number of threads at one CPU level.
void gemm(const KernelTable& kernels, ThreadPool& pool, const Gemm& g, const float* a,
          const float* b, float* c, void* workspace, const GemmEpilogue* epilogue);

}  // namespace myelin

#endif  // MYELIN_GEMM_H_
