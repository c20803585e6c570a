// Separable resampling; contract in resample.h. An output row first sums its input rows, contiguous
// in memory whatever the channels, and then that sum's columns.

namespace myelin::MYELIN_LEVEL {
namespace {

// to = a * x, or to += a * x.
template <bool kAdd>
MYELIN_INLINE void scaled(const float* x, float a, float* to, int64_t n) {
  const Vec scale = broadcast(a);
  int64_t i = 0;
  for (; n - i >= kLanes; i += kLanes) {
    const Vec v = load(x + i);
    store(to + i, kAdd ? fma(v, scale, load(to + i)) : v * scale);
  }
  if (i == n) return;
  const Vec v = load_partial(x + i, n - i);
  store_partial(to + i, kAdd ? fma(v, scale, load_partial(to + i, n - i)) : v * scale, n - i);
}

// to = a * x + b * z.
MYELIN_INLINE void blended(const float* x, float a, const float* z, float b, float* to, int64_t n) {
  const Vec u = broadcast(a), v = broadcast(b);
  int64_t i = 0;
  for (; n - i >= kLanes; i += kLanes) store(to + i, fma(load(z + i), v, load(x + i) * u));
  if (i < n) {
    const Vec first = load_partial(x + i, n - i) * u;
    store_partial(to + i, fma(load_partial(z + i, n - i), v, first), n - i);
  }
}

// The sum of the taps begin .. end - 1, which are `step` elements apart for each unit of `from`.
MYELIN_INLINE void sum_taps(const ResampleTaps& taps, int64_t o, const float* x, int64_t step,
                            float* to, int64_t n) {
  int32_t t = taps.begin[o];
  const int32_t end = taps.begin[o + 1];
  if (end - t >= 2) {
    blended(x + taps.from[t] * step, taps.weight[t], x + taps.from[t + 1] * step,
            taps.weight[t + 1], to, n);
    t += 2;
  } else if (t < end) {
    scaled<false>(x + taps.from[t] * step, taps.weight[t], to, n);
    ++t;
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = 0.0f;
  }
  for (; t < end; ++t) scaled<true>(x + taps.from[t] * step, taps.weight[t], to, n);
}

// One row of few channels: pixel by pixel, mostly of one or two taps.
template <int kChannels>
MYELIN_INLINE void sum_columns(const ResampleTaps& taps, const float* x, float* to) {
  for (int64_t o = 0; o < taps.out; ++o, to += kChannels) {
    int32_t t = taps.begin[o];
    const int32_t end = taps.begin[o + 1];
    float total[kChannels] = {};
    for (; t < end; ++t) {
      const float* p = x + int64_t{taps.from[t]} * kChannels;
      MYELIN_UNROLL
      for (int c = 0; c < kChannels; ++c) total[c] += taps.weight[t] * p[c];
    }
    MYELIN_UNROLL
    for (int c = 0; c < kChannels; ++c) to[c] = total[c];
  }
}

void resample_rows(const ResampleTaps& rows, const ResampleTaps& columns, int64_t channels,
                   const float* x, int64_t first, int64_t count, float* buffer, float* y) {
  const int64_t line = columns.in * channels;
  for (int64_t row = first; row < first + count; ++row) {
    const int64_t o = row % rows.out;
    const float* image = x + row / rows.out * rows.in * line;
    const int32_t t = rows.begin[o];
    const float* sum = buffer;
    if (rows.begin[o + 1] - t == 1 && rows.weight[t] == 1.0f) {
      sum = image + rows.from[t] * line;
    } else {
      sum_taps(rows, o, image, line, buffer, line);
    }
    float* to = y + row * columns.out * channels;
    if (channels == 1) {
      sum_columns<1>(columns, sum, to);
    } else if (channels == 2) {
      sum_columns<2>(columns, sum, to);
    } else if (channels == 3) {
      sum_columns<3>(columns, sum, to);
    } else if (channels == 4) {
      sum_columns<4>(columns, sum, to);
    } else {
      for (int64_t c = 0; c < columns.out; ++c, to += channels)
        sum_taps(columns, c, sum, channels, to, channels);
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
