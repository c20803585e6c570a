// Contracts of the kernels of normalisation. Columns (batch and group norm): x is rows of `cols`
// elements, `stride` apart; work may be split between rows and between columns, and results of
// pieces are put together by norm_merge and sums. Rows (layer and RMS norm): contiguous, each by
// itself; work may be split between rows.
#ifndef MYELIN_KERNELS_NORM_H_
#define MYELIN_KERNELS_NORM_H_

#include <cstdint>

namespace myelin {

// Statistics of the columns of x - origin: their means and sums of squared distances from those;
// rows > 0.
//
// In float32 E[x^2] - E[x]^2 loses every digit once the mean is some thousand deviations. Here each
// column of eight rows is held in registers: its own mean, the distances from that, and then one
// step of Chan, Golub and LeVeque's merge ("Updating formulae and a pairwise algorithm for
// computing sample variances", 1979): one read of x with the errors of the two-pass formula,
// whatever origin is. With a row of x as origin, means are of the size of deviations, so that
// rounding them costs nothing either.
using NormStats = void(const float* x, const float* origin, int64_t rows, int64_t cols,
                       int64_t stride, float* mean, float* square);
// Merges the statistics of `rows_b` rows into those of `rows_a`.
using NormMerge = void(float* mean_a, float* square_a, int64_t rows_a, const float* mean_b,
                       const float* square_b, int64_t rows_b, int64_t cols);
// out = (x - mean[c]) * scale[c] + shift[c]; out may be x and has its stride.
using NormApply = void(const float* x, int64_t rows, int64_t cols, int64_t stride,
                       const float* mean, const float* scale, const float* shift, float* out);
// by_beta[c] = sum of dy, by_normal[c] = sum of dy * (x - mean[c]).
using NormSums = void(const float* x, const float* dy, int64_t rows, int64_t cols, int64_t stride,
                      const float* mean, float* by_beta, float* by_normal);
// dx = dy * a[c] + (x - mean[c]) * b[c] + d[c]; dx may be x or dy.
using NormGrad = void(const float* x, const float* dy, int64_t rows, int64_t cols, int64_t stride,
                      const float* mean, const float* a, const float* b, const float* d, float* dx);

// y = (x - mean) * rstd * gamma + beta by row, rstd = 1 / sqrt(variance + epsilon). gamma and beta
// [cols] may be null. y may be x.
using LayerNormRows = void(const float* x, int64_t rows, int64_t cols, const float* gamma,
                           const float* beta, float epsilon, float* y, float* mean, float* rstd);
// dx of the same; adds to dgamma and dbeta [cols], which may be null, the sums over these rows. dx
// may be x or dy.
using LayerNormGradRows = void(const float* x, const float* dy, int64_t rows, int64_t cols,
                               const float* gamma, const float* mean, const float* rstd, float* dx,
                               float* dgamma, float* dbeta);
// The same without means: rstd = 1 / sqrt(mean square + epsilon).
using RmsNormRows = void(const float* x, int64_t rows, int64_t cols, const float* gamma,
                         float epsilon, float* y, float* rstd);
using RmsNormGradRows = void(const float* x, const float* dy, int64_t rows, int64_t cols,
                             const float* gamma, const float* rstd, float* dx, float* dgamma);

}  // namespace myelin

#endif  // MYELIN_KERNELS_NORM_H_
