// Contracts of softmax and cross-entropy over the last axis. x is [rows, cols], row-major; rows may
// be split among calls; the bits of a row depend on its values and cols alone. A row that holds NaN
// or +inf, or nothing above -inf, becomes NaN. cols == 0 gives what empty sums give.
#ifndef MYELIN_KERNELS_SOFTMAX_H_
#define MYELIN_KERNELS_SOFTMAX_H_

#include <cstdint>

namespace myelin {

// out = softmax(x) or log(softmax(x)) by row; out may be x. Probabilities below e^-87 are 0.
using SoftmaxRows = void(const float* x, int64_t rows, int64_t cols, float* out);

// lse[r] = ln sum exp(x[r]); loss[r] = lse[r] - x[r][labels[r]], NaN where the label is outside
// [0, cols). Returns the first such row, -1 when there is none.
using SparseCrossEntropyRows = int64_t(const float* x, const int32_t* labels, int64_t rows,
                                       int64_t cols, float* loss, float* lse);

// out[r] = (exp(x[r] - lse[r]) - onehot(labels[r])) * g[r]; NaN where the label is outside [0,
// cols). Returns as above. out may be x.
using SparseCrossEntropyGradRows = int64_t(const float* x, const int32_t* labels, const float* lse,
                                           const float* g, int64_t rows, int64_t cols, float* out);

// labels [rows, cols]: loss[r] = sum labels[r] * (lse[r] - x[r]).
using CrossEntropyRows = void(const float* x, const float* labels, int64_t rows, int64_t cols,
                              float* loss, float* lse);

// out[r] = (exp(x[r] - lse[r]) * sum(labels[r]) - labels[r]) * g[r]. out may be x or labels.
using CrossEntropyGradRows = void(const float* x, const float* labels, const float* lse,
                                  const float* g, int64_t rows, int64_t cols, float* out);

}  // namespace myelin

#endif  // MYELIN_KERNELS_SOFTMAX_H_
