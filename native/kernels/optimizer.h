// Contracts of the optimizer updates: one pass over n elements, each output possibly the very
// address of the input it follows. May be split anywhere; an element's bits do not depend on its
// place.
#ifndef MYELIN_KERNELS_OPTIMIZER_H_
#define MYELIN_KERNELS_OPTIMIZER_H_

#include <cstdint>

namespace myelin {

// Keras 3. Decoupled weight decay comes first: p -= p * decay, where decay = weightDecay * rate.
struct SgdStep {
  float rate, momentum, decay;
  bool nesterov;
};
// p - rate * g
using SgdPlain = void(const SgdStep& step, const float* p, const float* g, float* p_out, int64_t n);
// velocity' = momentum * velocity - rate * g; p + velocity', or with nesterov
// p + momentum * velocity' - rate * g
using SgdMomentum = void(const SgdStep& step, const float* p, const float* g, const float* velocity,
                         float* p_out, float* velocity_out, int64_t n);

// m' = m + (g - m) * keep1; v' = v + (g * g - v) * keep2; p - m' * alpha / (sqrt(v') + epsilon)
// with keep = 1 - beta and alpha = rate * sqrt(1 - beta2^t) / (1 - beta1^t).
struct AdamStep {
  float alpha, keep1, keep2, epsilon, decay;
};
using AdamKernel = void(const AdamStep& step, const float* p, const float* g, const float* m,
                        const float* v, float* p_out, float* m_out, float* v_out, int64_t n);

}  // namespace myelin

#endif  // MYELIN_KERNELS_OPTIMIZER_H_
