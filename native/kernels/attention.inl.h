// Attention between its matrix products; contracts in attention.h. Blocks lie in L1 or L2; a row of
// one is read twice, for its maximum and for its exponentials.

namespace myelin::MYELIN_LEVEL {
namespace {

MYELIN_INLINE int64_t visible_in(const AttentionBlock& b, int64_t row) {
  const int64_t n = b.visible + row * b.visible_step;
  return n < 0 ? 0 : n < b.cols ? n : b.cols;
}

MYELIN_INLINE void clear(float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) store_lanes(x, i, n, zero());
}

// The sum of exp(x - m) over n elements, which it stores, times keep where kKeep.
template <bool kKeep>
MYELIN_INLINE float exp_row(float* x, const float* keep, int64_t n, float row_max) {
  const Vec m = broadcast(row_max), low = broadcast(-__builtin_inff());
  Vec s0 = zero(), s1 = zero();
  int64_t c = 0;
  for (; c + 2 * kLanes <= n; c += 2 * kLanes) {
    Vec e0 = exp_at_most_one(load(x + c) - m);
    Vec e1 = exp_at_most_one(load(x + c + kLanes) - m);
    s0 = s0 + e0;
    s1 = s1 + e1;
    if constexpr (kKeep) {
      e0 = e0 * load(keep + c);
      e1 = e1 * load(keep + c + kLanes);
    }
    store(x + c, e0);
    store(x + c + kLanes, e1);
  }
  for (; c < n; c += kLanes) {
    Vec e = exp_at_most_one(row_lanes(x, c, n, low) - m);
    s0 = s0 + e;
    if constexpr (kKeep) e = e * row_lanes(keep, c, n, zero());
    store_lanes(x, c, n, e);
  }
  return reduce_add(s0 + s1);
}

void attention_softmax(const AttentionBlock& b, float* max, float* sum, float* rescale) {
  const float low = -__builtin_inff();
  for (int64_t r = 0; r < b.rows; ++r) {
    float* x = b.scores + r * b.ld;
    const int64_t n = visible_in(b, r);
    const float here = row_max(x, n), before = max[r];
    const float top = here > before ? here : before;
    max[r] = top;
    // Where nothing was seen yet every score is -inf, and so is its difference to 0.
    const float from = top == low ? 0.0f : top;
    const float added = b.keep != nullptr ? exp_row<true>(x, b.keep + r * b.ld, n, from)
                                          : exp_row<false>(x, nullptr, n, from);
    clear(x + n, b.cols - n);
    rescale[r] = 1.0f;
    if (before != low && before != top) {
      float factor[kLanes];
      store(factor, exp_at_most_one(broadcast(before - top)));
      rescale[r] = factor[0];
    }
    sum[r] = sum[r] * rescale[r] + added;
  }
}

void attention_finish(const float* max, const float* sum, int64_t n, float* lse, int64_t step,
                      float* inverse) {
  for (int64_t r = 0; r < n; r += kLanes) {
    const int64_t count = rows_at_once(n - r);
    const Vec total = row_lanes(sum, r, n, zero());
    const Mask none = total == zero();
    const Vec safe = select(none, broadcast(1.0f), total);
    store_lanes(inverse, r, n, select(none, zero(), broadcast(1.0f) / safe));
    float out[kLanes];
    store(out, select(none, broadcast(-1e30f), row_lanes(max, r, n, zero()) + log(safe)));
    for (int64_t i = 0; i < count; ++i) lse[(r + i) * step] = out[i];
  }
}

template <bool kKeep>
MYELIN_INLINE void grad_row(float* x, float* dp, const float* keep, int64_t n, float row_lse,
                            float row_delta) {
  const Vec l = broadcast(row_lse), delta = broadcast(row_delta);
  const Vec low = broadcast(-__builtin_inff());
  for (int64_t c = 0; c < n; c += kLanes) {
    const Vec p = exp_at_most_one(row_lanes(x, c, n, low) - l);
    const Vec d = row_lanes(dp, c, n, zero());
    if constexpr (kKeep) {
      const Vec k = row_lanes(keep, c, n, zero());
      store_lanes(x, c, n, p * k);
      store_lanes(dp, c, n, p * fms(d, k, delta));
    } else {
      store_lanes(x, c, n, p);
      store_lanes(dp, c, n, p * (d - delta));
    }
  }
}

void attention_grad(const AttentionBlock& b, float* dp, const float* lse, const float* delta,
                    int64_t step) {
  for (int64_t r = 0; r < b.rows; ++r) {
    float* x = b.scores + r * b.ld;
    float* d = dp + r * b.ld;
    const int64_t n = visible_in(b, r);
    if (b.keep != nullptr) {
      grad_row<true>(x, d, b.keep + r * b.ld, n, lse[r * step], delta[r * step]);
    } else {
      grad_row<false>(x, d, nullptr, n, lse[r * step], delta[r * step]);
    }
    clear(x + n, b.cols - n);
    clear(d + n, b.cols - n);
  }
}

void attention_mask(float* scores, int64_t rows, int64_t cols, int64_t ld, const uint8_t* mask,
                    int64_t mask_row, int64_t mask_step) {
  const Vec low = broadcast(-__builtin_inff());
  for (int64_t r = 0; r < rows; ++r, scores += ld, mask += mask_row) {
    if (mask_step == 0) {
      if (*mask != 0) continue;
      for (int64_t c = 0; c < cols; c += kLanes) store_lanes(scores, c, cols, low);
      continue;
    }
    int64_t c = 0;
    for (; c + kLanes <= cols; c += kLanes) {
      store(scores + c, select(load_u8(mask + c) == zero_i(), low, load(scores + c)));
    }
    for (; c < cols; ++c) {
      if (mask[c] == 0) scores[c] = -__builtin_inff();
    }
  }
}

void attention_keep(const int32_t* bits, int64_t n, float rate, float factor, float* keep) {
  const Vec least = broadcast(rate), scale = broadcast(factor);
  for (int64_t i = 0; i < n; i += kLanes) {
    const VecI word = n - i < kLanes ? load_partial(bits + i, n - i) : load(bits + i);
    const Vec uniform = to_float(shr<8>(word)) * broadcast(0x1p-24f);
    store_lanes(keep, i, n, select(uniform >= least, scale, zero()));
  }
}

void scale_copy(const float* from, int64_t from_ld, int64_t rows, int64_t cols, float scale,
                float* to, int64_t to_ld) {
  const Vec s = broadcast(scale);
  for (int64_t r = 0; r < rows; ++r, from += from_ld, to += to_ld) {
    for (int64_t c = 0; c < cols; c += kLanes) {
      store_lanes(to, c, cols, row_lanes(from, c, cols, zero()) * s);
    }
  }
}

void scale_rows(float* x, int64_t rows, int64_t cols, int64_t ld, const float* factors) {
  for (int64_t r = 0; r < rows; ++r, x += ld) {
    if (factors[r] == 1.0f) continue;
    scale_copy(x, ld, 1, cols, factors[r], x, ld);
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
