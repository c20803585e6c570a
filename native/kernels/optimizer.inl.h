// Optimizer updates; contracts in optimizer.h. All are bound by memory from a few thousand elements
// on.

namespace myelin::MYELIN_LEVEL {
namespace {

MYELIN_INLINE Vec load_lanes(const float* p, int64_t i, int64_t n) {
  return i + kLanes <= n ? load(p + i) : load_partial(p + i, n - i);
}
MYELIN_INLINE Vec decayed(Vec p, float decay) { return p - p * broadcast(decay); }

void sgd_plain(const SgdStep& step, const float* p, const float* g, float* p_out, int64_t n) {
  const Vec rate = broadcast(step.rate);
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec w = decayed(load_lanes(p, i, n), step.decay);
    store_lanes(p_out, i, n, w - rate * load_lanes(g, i, n));
  }
}

template <bool kNesterov>
MYELIN_INLINE void sgd_momentum_loop(const SgdStep& step, const float* p, const float* g,
                                     const float* velocity, float* p_out, float* velocity_out,
                                     int64_t n) {
  const Vec rate = broadcast(step.rate), momentum = broadcast(step.momentum);
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec w = decayed(load_lanes(p, i, n), step.decay);
    const Vec push = rate * load_lanes(g, i, n);
    const Vec moved = momentum * load_lanes(velocity, i, n) - push;
    store_lanes(velocity_out, i, n, moved);
    store_lanes(p_out, i, n, w + (kNesterov ? momentum * moved - push : moved));
  }
}
void sgd_momentum(const SgdStep& step, const float* p, const float* g, const float* velocity,
                  float* p_out, float* velocity_out, int64_t n) {
  if (step.nesterov) {
    sgd_momentum_loop<true>(step, p, g, velocity, p_out, velocity_out, n);
  } else {
    sgd_momentum_loop<false>(step, p, g, velocity, p_out, velocity_out, n);
  }
}

void adam(const AdamStep& step, const float* p, const float* g, const float* m, const float* v,
          float* p_out, float* m_out, float* v_out, int64_t n) {
  const Vec alpha = broadcast(step.alpha), epsilon = broadcast(step.epsilon);
  const Vec keep1 = broadcast(step.keep1), keep2 = broadcast(step.keep2);
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec gradient = load_lanes(g, i, n);
    const Vec m_old = load_lanes(m, i, n), v_old = load_lanes(v, i, n);
    const Vec m_new = m_old + (gradient - m_old) * keep1;
    const Vec v_new = v_old + (gradient * gradient - v_old) * keep2;
    const Vec w = decayed(load_lanes(p, i, n), step.decay);
    store_lanes(m_out, i, n, m_new);
    store_lanes(v_out, i, n, v_new);
    store_lanes(p_out, i, n, w - m_new * alpha / (sqrt(v_new) + epsilon));
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
