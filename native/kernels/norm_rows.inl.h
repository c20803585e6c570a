// Layer and RMS normalisation by rows; contracts in norm.h. A row is read from memory once: what
// follows the first pass over it comes from L1 or L2.

namespace myelin::MYELIN_LEVEL {
namespace {

// sum (x - centre)^2, in blocks as row_exp_sum has them.
MYELIN_INLINE float row_squares(const float* x, int64_t cols, float centre_of_row) {
  const Vec centre = broadcast(centre_of_row);
  Vec total = zero();
  for (int64_t begin = 0; begin < cols; begin += 64 * kLanes) {
    const int64_t end = begin + 64 * kLanes < cols ? begin + 64 * kLanes : cols;
    Vec s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
    int64_t c = begin;
    for (; c + 4 * kLanes <= end; c += 4 * kLanes) {
      const Vec d0 = load(x + c) - centre, d1 = load(x + c + kLanes) - centre;
      const Vec d2 = load(x + c + 2 * kLanes) - centre, d3 = load(x + c + 3 * kLanes) - centre;
      s0 = fma(d0, d0, s0);
      s1 = fma(d1, d1, s1);
      s2 = fma(d2, d2, s2);
      s3 = fma(d3, d3, s3);
    }
    for (; c < end; c += kLanes) {
      const Vec d = row_lanes(x, c, end, centre) - centre;
      s0 = fma(d, d, s0);
    }
    total = total + ((s0 + s1) + (s2 + s3));
  }
  return reduce_add(total);
}

template <bool kCentre>
MYELIN_INLINE void norm_rows(const float* x, int64_t rows, int64_t cols, const float* gamma,
                             const float* beta, float epsilon, float* y, float* mean, float* rstd) {
  const float share = 1.0f / static_cast<float>(cols);
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const float centre_of_row = kCentre ? reduce_row<Sum>(x, cols) * share : 0.0f;
    const float variance = row_squares(x, cols, centre_of_row) * share;
    const float scale_of_row = 1.0f / __builtin_sqrtf(variance + epsilon);
    if (kCentre) mean[r] = centre_of_row;
    rstd[r] = scale_of_row;
    const Vec centre = broadcast(centre_of_row), scale = broadcast(scale_of_row);
    for (int64_t c = 0; c < cols; c += kLanes) {
      Vec v = row_lanes(x, c, cols, zero());
      v = (kCentre ? v - centre : v) * scale;
      if (gamma != nullptr) v = v * row_lanes(gamma, c, cols, zero());
      if (beta != nullptr) v = v + row_lanes(beta, c, cols, zero());
      store_lanes(y, c, cols, v);
    }
  }
}

void layer_norm_rows(const float* x, int64_t rows, int64_t cols, const float* gamma,
                     const float* beta, float epsilon, float* y, float* mean, float* rstd) {
  norm_rows<true>(x, rows, cols, gamma, beta, epsilon, y, mean, rstd);
}
void rms_norm_rows(const float* x, int64_t rows, int64_t cols, const float* gamma, float epsilon,
                   float* y, float* rstd) {
  norm_rows<false>(x, rows, cols, gamma, nullptr, epsilon, y, nullptr, rstd);
}

// What a row's gradient subtracts: means of dy * gamma and of dy * gamma * normal.
struct RowGradient {
  Vec centre, rstd, mean, slope;
};
template <bool kCentre>
MYELIN_INLINE RowGradient row_gradient(const float* x, const float* dy, int64_t cols,
                                       const float* gamma, float centre_of_row, float rstd) {
  const Vec centre = broadcast(centre_of_row);
  Vec total = zero(), product = zero();
  for (int64_t begin = 0; begin < cols; begin += 64 * kLanes) {
    const int64_t end = begin + 64 * kLanes < cols ? begin + 64 * kLanes : cols;
    Vec s0 = zero(), s1 = zero(), p0 = zero(), p1 = zero();
    int64_t c = begin;
    for (; c + 2 * kLanes <= end; c += 2 * kLanes) {
      Vec g0 = load(dy + c), g1 = load(dy + c + kLanes);
      if (gamma != nullptr) {
        g0 = g0 * load(gamma + c);
        g1 = g1 * load(gamma + c + kLanes);
      }
      if (kCentre) {
        s0 = s0 + g0;
        s1 = s1 + g1;
      }
      p0 = fma(g0, load(x + c) - centre, p0);
      p1 = fma(g1, load(x + c + kLanes) - centre, p1);
    }
    for (; c < end; c += kLanes) {
      Vec g = row_lanes(dy, c, end, zero());
      if (gamma != nullptr) g = g * row_lanes(gamma, c, end, zero());
      if (kCentre) s0 = s0 + g;
      p0 = fma(g, row_lanes(x, c, end, centre) - centre, p0);
    }
    total = total + (s0 + s1);
    product = product + (p0 + p1);
  }
  const float share = 1.0f / static_cast<float>(cols);
  return {centre, broadcast(rstd), broadcast(kCentre ? reduce_add(total) * share : 0.0f),
          broadcast(reduce_add(product) * share * rstd)};
}

// kRows rows at once share the weights' loads and the sums' loads and stores.
template <bool kCentre, int kRows>
MYELIN_INLINE void norm_grad_block(const float* x, const float* dy, int64_t cols,
                                   const float* gamma, const float* mean, const float* rstd,
                                   float* dx, float* dgamma, float* dbeta) {
  RowGradient row[kRows];
  for (int k = 0; k < kRows; ++k) {
    row[k] = row_gradient<kCentre>(x + k * cols, dy + k * cols, cols, gamma,
                                   kCentre ? mean[k] : 0.0f, rstd[k]);
  }
  for (int64_t c = 0; c < cols; c += kLanes) {
    const Vec weight = gamma != nullptr ? row_lanes(gamma, c, cols, zero()) : broadcast(1.0f);
    Vec by_gamma = zero(), by_beta = zero();
    MYELIN_UNROLL
    for (int k = 0; k < kRows; ++k) {
      const Vec g = row_lanes(dy + k * cols, c, cols, zero());
      const Vec v = row_lanes(x + k * cols, c, cols, zero());
      const Vec normal = (kCentre ? v - row[k].centre : v) * row[k].rstd;
      by_gamma = fma(g, normal, by_gamma);
      if (kCentre) by_beta = by_beta + g;
      const Vec rest = fms(g, weight, kCentre ? row[k].mean : zero());
      store_lanes(dx + k * cols, c, cols, fnma(normal, row[k].slope, rest) * row[k].rstd);
    }
    if (dgamma != nullptr)
      store_lanes(dgamma, c, cols, row_lanes(dgamma, c, cols, zero()) + by_gamma);
    if (dbeta != nullptr) store_lanes(dbeta, c, cols, row_lanes(dbeta, c, cols, zero()) + by_beta);
  }
}
template <bool kCentre>
MYELIN_INLINE void norm_grad_rows(const float* x, const float* dy, int64_t rows, int64_t cols,
                                  const float* gamma, const float* mean, const float* rstd,
                                  float* dx, float* dgamma, float* dbeta) {
  int64_t r = 0;
  for (; rows - r >= 4; r += 4) {
    const int64_t at = r * cols;
    norm_grad_block<kCentre, 4>(x + at, dy + at, cols, gamma, mean + (kCentre ? r : 0), rstd + r,
                                dx + at, dgamma, dbeta);
  }
  for (; r < rows; ++r) {
    const int64_t at = r * cols;
    norm_grad_block<kCentre, 1>(x + at, dy + at, cols, gamma, mean + (kCentre ? r : 0), rstd + r,
                                dx + at, dgamma, dbeta);
  }
}

void layer_norm_grad_rows(const float* x, const float* dy, int64_t rows, int64_t cols,
                          const float* gamma, const float* mean, const float* rstd, float* dx,
                          float* dgamma, float* dbeta) {
  norm_grad_rows<true>(x, dy, rows, cols, gamma, mean, rstd, dx, dgamma, dbeta);
}
void rms_norm_grad_rows(const float* x, const float* dy, int64_t rows, int64_t cols,
                        const float* gamma, const float* rstd, float* dx, float* dgamma) {
  norm_grad_rows<false>(x, dy, rows, cols, gamma, nullptr, rstd, dx, dgamma, nullptr);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
