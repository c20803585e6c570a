// Winograd's way to convolve 3 x 3 kernels with stride 1 over NHWC images: fewer multiplications
// (2.25 times with tiles of 2, 4 times with tiles of 4) for transforms that cost a pass over image
// and output. Plans by sizes alone; transforms live in kernels/winograd.inl.h, products are those
// of gemm_block. ops/conv.cc decides where it is worth it.
#ifndef MYELIN_WINOGRAD_H_
#define MYELIN_WINOGRAD_H_

#include <cstddef>
#include <cstdint>

#include "gemm.h"
#include "kernels/kernels.h"
#include "thread_pool.h"

namespace myelin {

// x [batch, height, width, in] * kernel [3, 3, in, out] -> y [batch, out_height, out_width, out],
// where y(i, j) is made of x(i - top .. i - top + 2, j - left .. j - left + 2); pixels outside of
// the image are zero. All sizes >= 0. `tile` is 2 or 4, the outputs of one tile per dimension; the
// gradient of the kernel always takes 4.
struct Winograd {
  int64_t batch = 0, height = 0, width = 0, in = 0;
  int64_t out_height = 0, out_width = 0, out = 0;
  int64_t top = 0, left = 0;
  int tile = 4;
};

// The transformed kernel, ready for the products: its size, and making it. `transposed`: kernel is
// [3, 3, out, in] and turned by 180 degrees, as the gradient of a convolution's input needs (in and
// out are those of `w`, so of the transformed kernel). `scratch`: 9 * in * out floats if
// transposed.
size_t winograd_kernel_floats(const KernelTable& kernels, const Winograd& w);
void winograd_pack_kernel(const KernelTable& kernels, ThreadPool& pool, const Winograd& w,
                          const float* kernel, bool transposed, float* scratch, float* packed);

// y from x and the transformed kernel. The epilogue sees y as rows of pixels: [batch * out_height *
// out_width, out]; it may be null. Any alignment, same bits for any number of threads.
size_t winograd_workspace_bytes(const KernelTable& kernels, const Winograd& w, int threads);
void winograd(const KernelTable& kernels, ThreadPool& pool, const Winograd& w, const float* x,
              const float* packed, float* y, void* workspace, const GemmEpilogue* epilogue);

// dkernel [3, 3, in, out] from x and dy, the gradient of y.
size_t winograd_kernel_grad_workspace_bytes(const KernelTable& kernels, const Winograd& w,
                                            int threads);
void winograd_kernel_grad(const KernelTable& kernels, ThreadPool& pool, const Winograd& w,
                          const float* x, const float* dy, float* dkernel, void* workspace);

}  // namespace myelin

#endif  // MYELIN_WINOGRAD_H_
