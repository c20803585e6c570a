// Optimizer updates; contracts in optimizer.h. All are bound by memory from a few thousand elements
// on, so what a step does not use is left out of its loop only where that is free of charge: by
// template.

namespace myelin::MYELIN_LEVEL {
namespace {

MYELIN_INLINE Vec load_lanes(const float* p, int64_t i, int64_t n) {
  return i + kLanes <= n ? load(p + i) : load_partial(p + i, n - i);
}
MYELIN_INLINE Vec decayed(Vec p, float decay) { return p - p * broadcast(decay); }

template <bool kBounds>
MYELIN_INLINE Vec load_gradient(const SweepStep& sweep, const float* g, int64_t i, int64_t n) {
  const Vec x = load_lanes(g, i, n);
  if constexpr (!kBounds) return x;
  const Vec scaled = x * broadcast(sweep.scale), clip = broadcast(sweep.clip);
  return lesser_or_nan(clip, greater_or_nan(broadcast(-sweep.clip), scaled));
}

// Stores a moved parameter, after what becomes of it through its average.
template <bool kAverages>
MYELIN_INLINE void store_moved(const SweepStep& sweep, Vec p, const float* average, float* p_out,
                               float* average_out, int64_t i, int64_t n) {
  if constexpr (kAverages) {
    const Vec next = load_lanes(average, i, n) * broadcast(sweep.keep) + p * broadcast(sweep.take);
    store_lanes(average_out, i, n, next);
    if (sweep.overwrite) p = next;
  }
  store_lanes(p_out, i, n, p);
}

enum class Momentum { kNone, kPlain, kNesterov };

template <Momentum kMomentum, bool kBounds, bool kAverages>
void sgd_loop(const SgdStep& step, const SgdOperands& x, int64_t n) {
  const Vec rate = broadcast(step.rate), momentum = broadcast(step.momentum);
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec push = rate * load_gradient<kBounds>(step.sweep, x.g, i, n);
    Vec p = decayed(load_lanes(x.p, i, n), step.sweep.decay);
    if constexpr (kMomentum == Momentum::kNone) {
      p = p - push;
    } else {
      const Vec moved = momentum * load_lanes(x.velocity, i, n) - push;
      store_lanes(x.velocity_out, i, n, moved);
      p = p + (kMomentum == Momentum::kNesterov ? momentum * moved - push : moved);
    }
    store_moved<kAverages>(step.sweep, p, x.average, x.p_out, x.average_out, i, n);
  }
}

template <bool kMax, bool kBounds, bool kAverages>
void adam_loop(const AdamStep& step, const AdamOperands& x, int64_t n) {
  const Vec alpha = broadcast(step.alpha), epsilon = broadcast(step.epsilon);
  const Vec keep1 = broadcast(step.keep1), keep2 = broadcast(step.keep2);
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec gradient = load_gradient<kBounds>(step.sweep, x.g, i, n);
    const Vec m_old = load_lanes(x.m, i, n), v_old = load_lanes(x.v, i, n);
    const Vec m_new = m_old + (gradient - m_old) * keep1;
    const Vec v_new = v_old + (gradient * gradient - v_old) * keep2;
    Vec largest = v_new;
    if constexpr (kMax) {
      largest = greater_or_nan(load_lanes(x.v_hat, i, n), v_new);
      store_lanes(x.v_hat_out, i, n, largest);
    }
    const Vec w = decayed(load_lanes(x.p, i, n), step.sweep.decay);
    store_lanes(x.m_out, i, n, m_new);
    store_lanes(x.v_out, i, n, v_new);
    const Vec p = w - m_new * alpha / (sqrt(largest) + epsilon);
    store_moved<kAverages>(step.sweep, p, x.average, x.p_out, x.average_out, i, n);
  }
}

// Calls f.template operator()<bounds, averages>().
template <class F>
MYELIN_INLINE void with_extras(bool bounds, bool averages, const F& f) {
  if (bounds && averages) return f.template operator()<true, true>();
  if (bounds) return f.template operator()<true, false>();
  if (averages) return f.template operator()<false, true>();
  f.template operator()<false, false>();
}

void sgd(const SgdStep& step, const SgdOperands& x, int64_t n) {
  with_extras(step.sweep.bounds, x.average != nullptr, [&]<bool kBounds, bool kAverages>() {
    if (x.velocity == nullptr) {
      sgd_loop<Momentum::kNone, kBounds, kAverages>(step, x, n);
    } else if (step.nesterov) {
      sgd_loop<Momentum::kNesterov, kBounds, kAverages>(step, x, n);
    } else {
      sgd_loop<Momentum::kPlain, kBounds, kAverages>(step, x, n);
    }
  });
}

void adam(const AdamStep& step, const AdamOperands& x, int64_t n) {
  with_extras(step.sweep.bounds, x.average != nullptr, [&]<bool kBounds, bool kAverages>() {
    if (x.v_hat == nullptr) {
      adam_loop<false, kBounds, kAverages>(step, x, n);
    } else {
      adam_loop<true, kBounds, kAverages>(step, x, n);
    }
  });
}

// Eight chains hide the latency of an addition.
float sum_squares(const float* x, int64_t n) {
  Vec sums[8];
  for (Vec& sum : sums) sum = zero();
  int64_t i = 0;
  for (; i + 8 * kLanes <= n; i += 8 * kLanes) {
    MYELIN_UNROLL
    for (int k = 0; k < 8; ++k) {
      const Vec v = load(x + i + k * kLanes);
      sums[k] = sums[k] + v * v;
    }
  }
  for (int k = 0; i < n; i += kLanes, ++k) {
    const Vec v = load_lanes(x, i, n);
    sums[k] = sums[k] + v * v;
  }
  return reduce_add(tree8<Sum>(sums));
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
