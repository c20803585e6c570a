// Contracts of what attention does between its matrix products, on blocks of scores: rows are
// queries, columns keys, `ld` floats from row to row. Row r sees the columns [0, visible + r *
// visible_step), cut to [0, cols]: all with {cols, 0}, a triangle with a step of 1. Rows may be
// split among calls; their bits do not depend on how. Columns may not: they are summed in one
// order.
#ifndef MYELIN_KERNELS_ATTENTION_H_
#define MYELIN_KERNELS_ATTENTION_H_

#include <cstdint>

namespace myelin {

struct AttentionBlock {
  float* scores;
  int64_t rows, cols, ld;
  int64_t visible, visible_step;
  const float* keep;  // like scores: what dropout multiplies weights by; null: nothing
};

// One step of an online softmax. max[r] and sum[r] are the largest score of the row so far and the
// sum of exp(score - max), -inf and 0 before the first block. Both take this block in; scores
// become exp(score - max), times keep, 0 where not seen; rescale[r] is what results summed over
// earlier blocks must be multiplied by. Scores of -inf count as not seen.
using AttentionSoftmax = void(const AttentionBlock& block, float* max, float* sum, float* rescale);

// For n rows: lse[r * step] = max + ln(sum), inverse[r] = 1 / sum; -1e30 and 0 for rows that saw
// nothing, whose sum is 0.
using AttentionFinish = void(const float* max, const float* sum, int64_t n, float* lse,
                             int64_t step, float* inverse);

// The gradient by scores. p = exp(score - lse), 0 where not seen; scores become p * keep, dp
// becomes p * (dp * keep - delta). Statistics of row r are lse[r * step] and delta[r * step].
using AttentionGrad = void(const AttentionBlock& block, float* dp, const float* lse,
                           const float* delta, int64_t step);

// Scores become -inf where mask[r * mask_row + c * mask_step] is 0; mask_step is 0 or 1.
using AttentionMask = void(float* scores, int64_t rows, int64_t cols, int64_t ld,
                           const uint8_t* mask, int64_t mask_row, int64_t mask_step);

// keep[i] = uniform of bits[i] in [0, 1) at least rate ? factor : 0.
using AttentionKeep = void(const int32_t* bits, int64_t n, float rate, float factor, float* keep);

// to[r * to_ld + c] = from[r * from_ld + c] * scale, to may be from.
using ScaleCopy = void(const float* from, int64_t from_ld, int64_t rows, int64_t cols, float scale,
                       float* to, int64_t to_ld);

// x[r * ld + c] *= factors[r].
using ScaleRows = void(float* x, int64_t rows, int64_t cols, int64_t ld, const float* factors);

}  // namespace myelin

#endif  // MYELIN_KERNELS_ATTENTION_H_
