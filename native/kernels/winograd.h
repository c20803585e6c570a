// Contracts of Winograd's transforms for 3 x 3 convolutions with stride 1 (Lavin and Gray, "Fast
// Algorithms for Convolutional Neural Networks", CVPR 2016): an output tile of M x M pixels is made
// from an input tile of N x N, N = M + 2, by N * N products where the direct way needs 9 * M * M.
// The suffix of a kernel is M. native/winograd.cc owns blocking, products and threads.
//
// A transformed tile is N * N planes, `plane` floats apart, in each of which a tile is one row of
// channels. Rows of planes are whole vectors: channels past the last are written as zeros (input,
// grad) or as anything (products), and never reach an output. All splittable over tiles.
#ifndef MYELIN_KERNELS_WINOGRAD_H_
#define MYELIN_KERNELS_WINOGRAD_H_

#include <cstdint>

namespace myelin {

// A tile of an image [.., channels] in place: pixel (i, j) is at data + i * row + j * column. Only
// pixels with first_row <= i < last_row and first_column <= j < last_column exist; others read as
// zero and are not written. data itself may lie outside of the image then.
struct WinogradTile {
  int64_t row, column;
  int32_t first_row, last_row, first_column, last_column;
};

// out = B^T d B for the N x N pixels at x.
using WinogradInput = void(const float* x, const WinogradTile& tile, int64_t channels, float* out,
                           int64_t plane);

// The M x M pixels at y = A^T m A.
using WinogradOutput = void(const float* m, int64_t plane, const WinogradTile& tile,
                            int64_t channels, float* y);

// G g G^T for one input channel: tap t of output channel j is g[t * tap + j]. Goes to column panels
// of gemm_shape.nr as gemm_pack_b makes them, `panel` floats apart, columns past n as zeros:
// element (p, j) to out[p * plane + (j / nr) * panel + j % nr]. Splittable over input channels.
using WinogradKernel = void(const float* g, int64_t tap, int64_t n, float* out, int64_t panel,
                            int64_t plane);

// For the gradient of the kernel, which is F(3x3, 4x4) of the image and its output's gradient:
// out = G d G^T for the 4 x 4 pixels at dy.
using WinogradGrad = void(const float* dy, const WinogradTile& tile, int64_t channels, float* out,
                          int64_t plane);
// Taps of n weights from `count` transformed sums, `part` floats apart, added in order: tap t of
// weight j to dkernel[t * tap + j]. No padding of rows here: exactly n floats of each plane exist.
using WinogradKernelGrad = void(const float* m, int64_t plane, int64_t count, int64_t part,
                                int64_t n, float* dkernel, int64_t tap);

}  // namespace myelin

#endif  // MYELIN_KERNELS_WINOGRAD_H_
