// Convolutions over one to three spatial axes, channels last: the forward product and its two
// gradients. conv.cc chooses a path by sizes alone; each path is a file conv_<path>.cc with the
// functions that conv_paths.h lists.
#ifndef MYELIN_CONV_H_
#define MYELIN_CONV_H_

#include <cstddef>
#include <cstdint>

#include "gemm.h"
#include "kernels/kernels.h"
#include "thread_pool.h"

namespace myelin {

// x [batch, in.., cin] convolved with w [kernel.., cin / groups, cout] gives y [batch, out..,
// cout], all dense; fewer than three spatial axes have ones in front. Output o of an axis sees x[o
// * stride - pad_before + k * dilation] for every k of the kernel, zero outside of the image. Group
// g convolves its run of cin / groups channels to its run of cout / groups. Sizes >= 0, kernel,
// stride, dilation and groups >= 1, pad_before >= 0; groups divides cin and cout; no bound on how
// far padding or kernel reach beyond the image.
struct ConvShape {
  int64_t batch;
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad_before[3];
  int64_t cin, cout, groups;
  bool steady;  // the kernel seldom changes: what is made of it is kept between runs

  int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
  int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// Scratch of each direction, any alignment of float (64 bytes is best). `threads` is the pool's.
size_t conv_workspace_bytes(const KernelTable& kernels, const ConvShape& s, int threads);
size_t conv_input_grad_workspace_bytes(const KernelTable& kernels, const ConvShape& s, int threads);
size_t conv_kernel_grad_workspace_bytes(const KernelTable& kernels, const ConvShape& s,
                                        int threads);

// What a convolution keeps of a kernel that seldom changes, packed or transformed as its path wants
// it; 0 where that would gain nothing. `workspace` is that of the run.
size_t conv_prepared_bytes(const KernelTable& kernels, const ConvShape& s);
size_t conv_input_grad_prepared_bytes(const KernelTable& kernels, const ConvShape& s);
void conv_prepare(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s, const float* w,
                  void* workspace, float* prepared);
void conv_input_grad_prepare(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s,
                             const float* w, void* workspace, float* prepared);

// y from x and w; dx from dy and w; dw from x and dy. The result overlaps no operand and has the
// same bits for any number of threads at one CPU level. The epilogue (may be null) sees y as rows
// of pixels, [batch * out pixels, cout], and dx as [batch * in pixels, cin], each as one batch.
// `prepared` is what conv_prepare made of w, or null.
void conv(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s, const float* x,
          const float* w, float* y, void* workspace, const GemmEpilogue* epilogue,
          const float* prepared = nullptr);
void conv_input_grad(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s,
                     const float* dy, const float* w, float* dx, void* workspace,
                     const GemmEpilogue* epilogue, const float* prepared = nullptr);
void conv_kernel_grad(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s,
                      const float* x, const float* dy, float* dw, void* workspace);

}  // namespace myelin

#endif  // MYELIN_CONV_H_
