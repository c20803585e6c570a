// Batch and group normalisation by columns; contracts in norm.h. Narrow columns are widened:
// several rows seen as one, so that vectors are full and loops long. All of it is bound by memory:
// eight read streams at a time, which the prefetchers follow, and coefficients from L1.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int64_t kNormWide = 512;  // floats in a wide row: four coefficients of it are 8 KiB of L1

// How many rows are seen as one: whole vectors where that fits, and eight wide rows at least.
MYELIN_INLINE int64_t rows_together(int64_t rows, int64_t cols, int64_t stride) {
  if (stride != cols || cols <= 0 || cols > kNormWide / 2) return 1;
  int64_t unit = 1;  // rows after which columns fall on the same lanes
  while (unit < kLanes && unit * cols % kLanes != 0) unit *= 2;
  int64_t together = kNormWide / cols;
  if (together > unit) together -= together % unit;
  if (together > rows / 8) together = rows / 8;
  return together < 1 ? 1 : together;
}
// wide[0 .. together * cols) = row, again and again.
MYELIN_INLINE void widen_row(const float* row, int64_t cols, int64_t together, float* wide) {
  for (int64_t i = 0; i < together; ++i, wide += cols) {
    for (int64_t c = 0; c < cols; ++c) wide[c] = row[c];
  }
}

template <bool kPartial>
MYELIN_INLINE Vec column_lanes(const float* p, int64_t n) {
  return kPartial ? load_partial(p, n) : load(p);
}
template <bool kPartial>
MYELIN_INLINE void store_column(float* p, Vec v, int64_t n) {
  if (kPartial) {
    store_partial(p, v, n);
  } else {
    store(p, v);
  }
}

// One vector of columns through kRows rows, merged into the statistics of `seen` rows before.
struct MergeWeights {
  Vec inverse, weight, cross;
};
MYELIN_INLINE MergeWeights merge_weights(int64_t seen, int64_t more) {
  const float a = static_cast<float>(seen), b = static_cast<float>(more);
  return {broadcast(1.0f / b), broadcast(b / (a + b)), broadcast(a * (b / (a + b)))};
}
template <int kRows, bool kPartial>
MYELIN_INLINE void stats_of(const float* x, const float* origin, int64_t stride, int64_t n,
                            const MergeWeights& w, float* mean, float* square) {
  const Vec from = column_lanes<kPartial>(origin, n);
  Vec v[kRows], t[kRows];
  MYELIN_UNROLL
  for (int k = 0; k < kRows; ++k) t[k] = v[k] = column_lanes<kPartial>(x + k * stride, n) - from;
  MYELIN_UNROLL
  for (int width = 1; width < kRows; width *= 2) {
    MYELIN_UNROLL
    for (int k = 0; k + width < kRows; k += 2 * width) t[k] = t[k] + t[k + width];
  }
  const Vec centre = t[0] * w.inverse;
  Vec q0 = zero(), q1 = zero();
  MYELIN_UNROLL
  for (int k = 0; k < kRows; k += 2) {
    const Vec d0 = v[k] - centre;
    q0 = fma(d0, d0, q0);
    if (k + 1 < kRows) {
      const Vec d1 = v[k + 1] - centre;
      q1 = fma(d1, d1, q1);
    }
  }
  const Vec old = column_lanes<kPartial>(mean, n);
  const Vec delta = centre - old;
  store_column<kPartial>(mean, fma(delta, w.weight, old), n);
  const Vec within = column_lanes<kPartial>(square, n) + (q0 + q1);
  store_column<kPartial>(square, fma(delta * delta, w.cross, within), n);
}
template <int kRows>
MYELIN_INLINE void stats_pass(const float* x, const float* origin, int64_t cols, int64_t stride,
                              int64_t seen, float* mean, float* square) {
  const MergeWeights w = merge_weights(seen, kRows);
  int64_t c = 0;
  for (; cols - c >= kLanes; c += kLanes)
    stats_of<kRows, false>(x + c, origin + c, stride, kLanes, w, mean + c, square + c);
  if (c < cols) stats_of<kRows, true>(x + c, origin + c, stride, cols - c, w, mean + c, square + c);
}
MYELIN_INLINE void stats_plain(const float* x, const float* origin, int64_t rows, int64_t cols,
                               int64_t stride, float* mean, float* square) {
  for (int64_t c = 0; c < cols; ++c) mean[c] = square[c] = 0.0f;
  int64_t r = 0;
  for (; rows - r >= 8; r += 8)
    stats_pass<8>(x + r * stride, origin, cols, stride, r, mean, square);
  for (; r < rows; ++r) stats_pass<1>(x + r * stride, origin, cols, stride, r, mean, square);
}

void norm_merge(float* mean_a, float* square_a, int64_t rows_a, const float* mean_b,
                const float* square_b, int64_t rows_b, int64_t cols) {
  const MergeWeights w = merge_weights(rows_a, rows_b);
  for (int64_t c = 0; c < cols; c += kLanes) {
    const Vec old = row_lanes(mean_a, c, cols, zero());
    const Vec delta = row_lanes(mean_b, c, cols, zero()) - old;
    const Vec within = row_lanes(square_a, c, cols, zero()) + row_lanes(square_b, c, cols, zero());
    store_lanes(mean_a, c, cols, fma(delta, w.weight, old));
    store_lanes(square_a, c, cols, fma(delta * delta, w.cross, within));
  }
}

void norm_stats(const float* x, const float* origin, int64_t rows, int64_t cols, int64_t stride,
                float* mean, float* square) {
  const int64_t together = rows_together(rows, cols, stride);
  if (together == 1) return stats_plain(x, origin, rows, cols, stride, mean, square);
  float wide_mean[kNormWide], wide_square[kNormWide], wide_origin[kNormWide];
  const int64_t wide = together * cols, wide_rows = rows / together;
  widen_row(origin, cols, together, wide_origin);
  stats_plain(x, wide_origin, wide_rows, wide, wide, wide_mean, wide_square);
  for (int64_t c = 0; c < cols; ++c) mean[c] = wide_mean[c], square[c] = wide_square[c];
  for (int64_t i = 1; i < together; ++i) {
    norm_merge(mean, square, i * wide_rows, wide_mean + i * cols, wide_square + i * cols, wide_rows,
               cols);
  }
  for (int64_t r = wide_rows * together; r < rows; ++r)
    stats_pass<1>(x + r * cols, origin, cols, cols, r, mean, square);
}

// kRows rows at once share the coefficients' loads.
template <int kRows, bool kPartial>
MYELIN_INLINE void apply_to(const float* x, int64_t stride, int64_t n, Vec mean, Vec scale,
                            Vec shift, float* out) {
  Vec v[kRows];
  MYELIN_UNROLL
  for (int k = 0; k < kRows; ++k) v[k] = column_lanes<kPartial>(x + k * stride, n);
  MYELIN_UNROLL
  for (int k = 0; k < kRows; ++k)
    store_column<kPartial>(out + k * stride, fma(v[k] - mean, scale, shift), n);
}
template <int kRows>
MYELIN_INLINE void apply_pass(const float* x, int64_t cols, int64_t stride, const float* mean,
                              const float* scale, const float* shift, float* out) {
  int64_t c = 0;
  for (; cols - c >= kLanes; c += kLanes) {
    apply_to<kRows, false>(x + c, stride, kLanes, load(mean + c), load(scale + c), load(shift + c),
                           out + c);
  }
  const int64_t n = cols - c;
  if (n > 0) {
    apply_to<kRows, true>(x + c, stride, n, load_partial(mean + c, n), load_partial(scale + c, n),
                          load_partial(shift + c, n), out + c);
  }
}
MYELIN_INLINE void apply_plain(const float* x, int64_t rows, int64_t cols, int64_t stride,
                               const float* mean, const float* scale, const float* shift,
                               float* out) {
  int64_t r = 0;
  for (; rows - r >= 4; r += 4)
    apply_pass<4>(x + r * stride, cols, stride, mean, scale, shift, out + r * stride);
  for (; r < rows; ++r)
    apply_pass<1>(x + r * stride, cols, stride, mean, scale, shift, out + r * stride);
}

void norm_apply(const float* x, int64_t rows, int64_t cols, int64_t stride, const float* mean,
                const float* scale, const float* shift, float* out) {
  const int64_t together = rows_together(rows, cols, stride);
  if (together == 1) return apply_plain(x, rows, cols, stride, mean, scale, shift, out);
  float wide[3][kNormWide];
  widen_row(mean, cols, together, wide[0]);
  widen_row(scale, cols, together, wide[1]);
  widen_row(shift, cols, together, wide[2]);
  const int64_t width = together * cols, wide_rows = rows / together, done = wide_rows * together;
  apply_plain(x, wide_rows, width, width, wide[0], wide[1], wide[2], out);
  apply_plain(x + done * cols, rows - done, cols, cols, mean, scale, shift, out + done * cols);
}

template <int kRows, bool kPartial>
MYELIN_INLINE void sums_of(const float* x, const float* dy, int64_t stride, int64_t n,
                           const float* mean, float* by_beta, float* by_normal) {
  const Vec centre = column_lanes<kPartial>(mean, n);
  Vec g[kRows], p0 = zero(), p1 = zero();
  MYELIN_UNROLL
  for (int k = 0; k < kRows; ++k) g[k] = column_lanes<kPartial>(dy + k * stride, n);
  MYELIN_UNROLL
  for (int k = 0; k < kRows; k += 2) {
    p0 = fma(g[k], column_lanes<kPartial>(x + k * stride, n) - centre, p0);
    if (k + 1 < kRows)
      p1 = fma(g[k + 1], column_lanes<kPartial>(x + (k + 1) * stride, n) - centre, p1);
  }
  MYELIN_UNROLL
  for (int width = 1; width < kRows; width *= 2) {
    MYELIN_UNROLL
    for (int k = 0; k + width < kRows; k += 2 * width) g[k] = g[k] + g[k + width];
  }
  store_column<kPartial>(by_beta, column_lanes<kPartial>(by_beta, n) + g[0], n);
  store_column<kPartial>(by_normal, column_lanes<kPartial>(by_normal, n) + (p0 + p1), n);
}
template <int kRows>
MYELIN_INLINE void sums_pass(const float* x, const float* dy, int64_t cols, int64_t stride,
                             const float* mean, float* by_beta, float* by_normal) {
  int64_t c = 0;
  for (; cols - c >= kLanes; c += kLanes)
    sums_of<kRows, false>(x + c, dy + c, stride, kLanes, mean + c, by_beta + c, by_normal + c);
  if (c < cols)
    sums_of<kRows, true>(x + c, dy + c, stride, cols - c, mean + c, by_beta + c, by_normal + c);
}
MYELIN_INLINE void sums_plain(const float* x, const float* dy, int64_t rows, int64_t cols,
                              int64_t stride, const float* mean, float* by_beta, float* by_normal) {
  for (int64_t c = 0; c < cols; ++c) by_beta[c] = by_normal[c] = 0.0f;
  int64_t r = 0;
  for (; rows - r >= 8; r += 8)
    sums_pass<8>(x + r * stride, dy + r * stride, cols, stride, mean, by_beta, by_normal);
  for (; r < rows; ++r)
    sums_pass<1>(x + r * stride, dy + r * stride, cols, stride, mean, by_beta, by_normal);
}

void norm_sums(const float* x, const float* dy, int64_t rows, int64_t cols, int64_t stride,
               const float* mean, float* by_beta, float* by_normal) {
  const int64_t together = rows_together(rows, cols, stride);
  if (together == 1) return sums_plain(x, dy, rows, cols, stride, mean, by_beta, by_normal);
  float wide[3][kNormWide];
  widen_row(mean, cols, together, wide[0]);
  const int64_t width = together * cols, wide_rows = rows / together;
  sums_plain(x, dy, wide_rows, width, width, wide[0], wide[1], wide[2]);
  for (int64_t c = 0; c < cols; ++c) {
    float a = 0.0f, b = 0.0f;
    for (int64_t i = c; i < width; i += cols) a += wide[1][i], b += wide[2][i];
    by_beta[c] = a, by_normal[c] = b;
  }
  for (int64_t r = wide_rows * together; r < rows; ++r)
    sums_pass<1>(x + r * cols, dy + r * cols, cols, cols, mean, by_beta, by_normal);
}

template <int kRows, bool kPartial>
MYELIN_INLINE void grad_of(const float* x, const float* dy, int64_t stride, int64_t n, Vec mean,
                           Vec a, Vec b, Vec d, float* dx) {
  Vec v[kRows];
  MYELIN_UNROLL
  for (int k = 0; k < kRows; ++k) {
    const Vec rest = fma(column_lanes<kPartial>(x + k * stride, n) - mean, b, d);
    v[k] = fma(column_lanes<kPartial>(dy + k * stride, n), a, rest);
  }
  MYELIN_UNROLL
  for (int k = 0; k < kRows; ++k) store_column<kPartial>(dx + k * stride, v[k], n);
}
template <int kRows>
MYELIN_INLINE void grad_pass(const float* x, const float* dy, int64_t cols, int64_t stride,
                             const float* mean, const float* a, const float* b, const float* d,
                             float* dx) {
  int64_t c = 0;
  for (; cols - c >= kLanes; c += kLanes) {
    grad_of<kRows, false>(x + c, dy + c, stride, kLanes, load(mean + c), load(a + c), load(b + c),
                          load(d + c), dx + c);
  }
  const int64_t n = cols - c;
  if (n > 0) {
    grad_of<kRows, true>(x + c, dy + c, stride, n, load_partial(mean + c, n),
                         load_partial(a + c, n), load_partial(b + c, n), load_partial(d + c, n),
                         dx + c);
  }
}
MYELIN_INLINE void grad_plain(const float* x, const float* dy, int64_t rows, int64_t cols,
                              int64_t stride, const float* mean, const float* a, const float* b,
                              const float* d, float* dx) {
  int64_t r = 0;
  for (; rows - r >= 4; r += 4) {
    const int64_t at = r * stride;
    grad_pass<4>(x + at, dy + at, cols, stride, mean, a, b, d, dx + at);
  }
  for (; r < rows; ++r) {
    const int64_t at = r * stride;
    grad_pass<1>(x + at, dy + at, cols, stride, mean, a, b, d, dx + at);
  }
}

void norm_grad(const float* x, const float* dy, int64_t rows, int64_t cols, int64_t stride,
               const float* mean, const float* a, const float* b, const float* d, float* dx) {
  const int64_t together = rows_together(rows, cols, stride);
  if (together == 1) return grad_plain(x, dy, rows, cols, stride, mean, a, b, d, dx);
  float wide[4][kNormWide];
  widen_row(mean, cols, together, wide[0]);
  widen_row(a, cols, together, wide[1]);
  widen_row(b, cols, together, wide[2]);
  widen_row(d, cols, together, wide[3]);
  const int64_t width = together * cols, wide_rows = rows / together, done = wide_rows * together;
  grad_plain(x, dy, wide_rows, width, width, wide[0], wide[1], wide[2], wide[3], dx);
  const int64_t at = done * cols;
  grad_plain(x + at, dy + at, rows - done, cols, cols, mean, a, b, d, dx + at);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
