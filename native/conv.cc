// Chooses how a convolution runs: the first path in each direction's list that takes the shape.
#include "conv.h"

#include "conv_paths.h"

namespace myelin {
namespace {

const ConvPath* const kForward[] = {&kConvDepthwise, &kConvWinograd, &kConvDirect, &kConvGeneral};
const ConvPath* const kInputGrad[] = {&kConvInputGradDepthwise, &kConvInputGradWinograd,
                                      &kConvInputGradDirect, &kConvInputGradGeneral};
const ConvPath* const kKernelGrad[] = {&kConvKernelGradDepthwise, &kConvKernelGradWinograd,
                                       &kConvKernelGradDirect, &kConvKernelGradGeneral};

template <size_t kCount>
const ConvPath& choose(const ConvPath* const (&paths)[kCount], const KernelTable& kernels,
                       const ConvShape& s) {
  for (const ConvPath* path : paths) {
    if (path->takes(kernels, s)) return *path;
  }
  return *paths[kCount - 1];  // the general one
}

template <size_t kCount>
size_t workspace_bytes(const ConvPath* const (&paths)[kCount], const KernelTable& kernels,
                       const ConvShape& s, int threads) {
  const int64_t floats = choose(paths, kernels, s).scratch_floats(kernels, s, threads);
  return static_cast<size_t>(floats) * sizeof(float);
}

template <size_t kCount>
size_t prepared_bytes(const ConvPath* const (&paths)[kCount], const KernelTable& kernels,
                      const ConvShape& s) {
  const ConvPath& path = choose(paths, kernels, s);
  if (path.prepared_floats == nullptr) return 0;
  return static_cast<size_t>(path.prepared_floats(kernels, s)) * sizeof(float);
}

}  // namespace

size_t conv_prepared_bytes(const KernelTable& kernels, const ConvShape& s) {
  return prepared_bytes(kForward, kernels, s);
}

size_t conv_input_grad_prepared_bytes(const KernelTable& kernels, const ConvShape& s) {
  return prepared_bytes(kInputGrad, kernels, s);
}

void conv_prepare(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s, const float* w,
                  void* workspace, float* prepared) {
  const ConvRun r = {kernels, pool, s, static_cast<float*>(workspace), nullptr};
  choose(kForward, kernels, s).prepare(r, w, prepared);
}

void conv_input_grad_prepare(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s,
                             const float* w, void* workspace, float* prepared) {
  const ConvRun r = {kernels, pool, s, static_cast<float*>(workspace), nullptr};
  choose(kInputGrad, kernels, s).prepare(r, w, prepared);
}

size_t conv_workspace_bytes(const KernelTable& kernels, const ConvShape& s, int threads) {
  return workspace_bytes(kForward, kernels, s, threads);
}

size_t conv_input_grad_workspace_bytes(const KernelTable& kernels, const ConvShape& s,
                                       int threads) {
  return workspace_bytes(kInputGrad, kernels, s, threads);
}

size_t conv_kernel_grad_workspace_bytes(const KernelTable& kernels, const ConvShape& s,
                                        int threads) {
  return workspace_bytes(kKernelGrad, kernels, s, threads);
}

void conv(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s, const float* x,
          const float* w, float* y, void* workspace, const GemmEpilogue* epilogue,
          const float* prepared) {
  const ConvRun r = {kernels, pool, s, static_cast<float*>(workspace), epilogue, prepared};
  choose(kForward, kernels, s).run(r, x, w, y);
}

void conv_input_grad(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s,
                     const float* dy, const float* w, float* dx, void* workspace,
                     const GemmEpilogue* epilogue, const float* prepared) {
  const ConvRun r = {kernels, pool, s, static_cast<float*>(workspace), epilogue, prepared};
  choose(kInputGrad, kernels, s).run(r, dy, w, dx);
}

void conv_kernel_grad(const KernelTable& kernels, ThreadPool& pool, const ConvShape& s,
                      const float* x, const float* dy, float* dw, void* workspace) {
  const ConvRun r = {kernels, pool, s, static_cast<float*>(workspace), nullptr};
  choose(kKernelGrad, kernels, s).run(r, x, dy, dw);
}

}  // namespace myelin
