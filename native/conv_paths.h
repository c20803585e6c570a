// The ways through a convolution, and what they share. A path is a set of three functions for one
// direction: whether it takes a shape (by sizes only), the floats of scratch it needs, and the run.
#ifndef MYELIN_CONV_PATHS_H_
#define MYELIN_CONV_PATHS_H_

#include <algorithm>
#include <cstdint>

#include "conv.h"

namespace myelin {

// What a run needs besides its operands.
struct ConvRun {
  const KernelTable& kernels;
  ThreadPool& pool;
  const ConvShape& s;
  float* scratch;
  const GemmEpilogue* epilogue;     // may be null; never set for the kernel gradient
  const float* prepared = nullptr;  // what the path's prepare made of w, if it did

  // Tells the epilogue that rows [row, row + rows), all columns, of the result are final.
  void finish(int64_t row, int64_t rows, int64_t cols) const {
    if (epilogue != nullptr && rows > 0) epilogue->apply(epilogue->ctx, 0, row, rows, 0, cols);
  }
};

struct ConvPath {
  bool (*takes)(const KernelTable& kernels, const ConvShape& s);
  int64_t (*scratch_floats)(const KernelTable& kernels, const ConvShape& s, int threads);
  // conv: x, w, y. Input gradient: dy, w, dx. Kernel gradient: x, dy, dw.
  void (*run)(const ConvRun& r, const float* a, const float* b, float* c);
  // What can be kept of a w that seldom changes; null where nothing can. Neither reads a or c.
  int64_t (*prepared_floats)(const KernelTable& kernels, const ConvShape& s) = nullptr;
  void (*prepare)(const ConvRun& r, const float* w, float* prepared) = nullptr;
};

// conv_general.cc: any shape, a matrix product for every tap of every row.
extern const ConvPath kConvGeneral, kConvInputGradGeneral, kConvKernelGradGeneral;

// conv_depthwise.cc: groups of few channels.
extern const ConvPath kConvDepthwise, kConvInputGradDepthwise, kConvKernelGradDepthwise;

// conv_winograd.cc: 3 x 3 kernels with stride 1, where transforms are cheaper than direct sums.
extern const ConvPath kConvWinograd, kConvInputGradWinograd, kConvKernelGradWinograd;
// conv_direct.cc: batch-reduce products over the source rows where they lie.
extern const ConvPath kConvDirect, kConvInputGradDirect;
// conv_kernel_grad.cc: likewise, with sums over pixels.
extern const ConvPath kConvKernelGradDirect;

// The numbers i in [begin, end) for which at(i) = start + i * step lies in [0, size).
struct ConvRange {
  int64_t begin, end;
  int64_t count() const { return std::max<int64_t>(end - begin, 0); }
};
inline ConvRange range_inside(int64_t start, int64_t step, int64_t size, int64_t count) {
  const int64_t begin = start >= 0 ? 0 : (-start + step - 1) / step;
  const int64_t end = size <= start ? 0 : (size - start + step - 1) / step;
  return {begin, std::min(end, count)};
}

// Tasks have about this many multiply-adds: see kChunkWork in gemm.cc.
constexpr double kConvTaskWork = 150'000;

// Multiply-adds of so many pixels of y; a double, because sizes of empty operands need not be real.
inline double conv_work(const ConvShape& s, int64_t pixels) {
  return static_cast<double>(pixels) * static_cast<double>(s.taps()) *
         static_cast<double>(s.cin / s.groups) * static_cast<double>(s.cout);
}

}  // namespace myelin

#endif  // MYELIN_CONV_PATHS_H_
