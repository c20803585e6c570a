// Contracts of the optimizer updates: one pass over n elements, each output possibly the very
// address of the input it follows. May be split anywhere; an element's bits do not depend on its
// place.
#ifndef MYELIN_KERNELS_OPTIMIZER_H_
#define MYELIN_KERNELS_OPTIMIZER_H_

#include <cstdint>

namespace myelin {

// What every update does around its own rule, in Keras 3's order:
//   g = g * scale, kept in [-clip, clip] (NaN stays NaN), where `bounds` is set
//   p = p - p * decay, where decay = weightDecay * rate
//   the rule
//   average = average * keep + p * take, where there is an average; p = average where `overwrite`
struct SweepStep {
  float decay;
  bool bounds;
  float scale, clip;
  float keep, take;
  bool overwrite;
};

// p - rate * g; where there is a velocity: velocity' = momentum * velocity - rate * g; p +
// velocity', or with nesterov p + momentum * velocity' - rate * g.
struct SgdStep {
  float rate, momentum;
  bool nesterov;
  SweepStep sweep;
};
// Null: no velocity, no average.
struct SgdOperands {
  const float *p, *g, *velocity, *average;
  float *p_out, *velocity_out, *average_out;
};
using SgdKernel = void(const SgdStep& step, const SgdOperands& x, int64_t n);

// m' = m + (g - m) * keep1; v' = v + (g * g - v) * keep2; p - m' * alpha / (sqrt(v') + epsilon)
// with keep = 1 - beta and alpha = rate * sqrt(1 - beta2^t) / (1 - beta1^t). Where there is a
// v_hat, the larger of v' and v_hat takes the place of both.
struct AdamStep {
  float alpha, keep1, keep2, epsilon;
  SweepStep sweep;
};
// Null: no v_hat, no average.
struct AdamOperands {
  const float *p, *g, *m, *v, *v_hat, *average;
  float *p_out, *m_out, *v_out, *v_hat_out, *average_out;
};
using AdamKernel = void(const AdamStep& step, const AdamOperands& x, int64_t n);

// The sum of squares, in an order that depends on n alone.
using SumSquares = float(const float* x, int64_t n);

}  // namespace myelin

#endif  // MYELIN_KERNELS_OPTIMIZER_H_
