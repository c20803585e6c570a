// Depthwise convolution over vectors of channels; contracts in depthwise.h. Every tap is one
// multiply-add with the pixel as operand in memory, so two loads a cycle keep up with two
// multiply-adds as long as weights are loaded once for several columns or columns once for several
// taps: eight sums at a time hide the latency and leave registers for the weights.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kDepthwiseSums = 8;

// Taps j of column t whose pixel exists: [begin, end).
struct DepthwiseTaps {
  int64_t begin, end;
};
inline int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
inline DepthwiseTaps depthwise_taps(const DepthwiseLine& l, int64_t t) {
  const int64_t at = l.first + t * l.step, last = l.size - 1 - at;
  DepthwiseTaps taps = l.tap > 0
                           ? DepthwiseTaps{-floor_div(at, l.tap), floor_div(last, l.tap) + 1}
                           : DepthwiseTaps{-floor_div(last, -l.tap), floor_div(at, -l.tap) + 1};
  if (taps.begin < 0) taps.begin = 0;
  if (taps.end > l.columns) taps.end = l.columns;
  if (taps.end < taps.begin) taps.end = taps.begin;
  return taps;
}

// Columns that see all taps: [begin, end), the only ones that are taken several at a time.
inline DepthwiseTaps depthwise_inside(const DepthwiseLine& l) {
  const int64_t reach = (l.columns - 1) * l.tap, low = reach < 0 ? reach : 0;
  const int64_t high = reach > 0 ? reach : 0;
  DepthwiseTaps inside = {-floor_div(l.first + low, l.step),
                          floor_div(l.size - 1 - l.first - high, l.step) + 1};
  if (inside.begin < 0) inside.begin = 0;
  if (inside.begin > l.count) inside.begin = l.count;
  if (inside.end > l.count) inside.end = l.count;
  if (inside.end < inside.begin) inside.end = inside.begin;
  return inside;
}

// R columns from t on, V vectors of channels from c on; the last vector has `last` channels.
template <int R, int V, bool kPartial>
MYELIN_INLINE void depthwise_tile(const DepthwiseLine& l, int64_t t, DepthwiseTaps taps, int64_t c,
                                  int64_t last, bool accumulate) {
  constexpr int kGroups = (R + 2) / 3;
  const int64_t column = l.step * l.pixel, tap = l.tap * l.pixel;
  float* const y = l.y + t * l.y_step + c;
  Vec sums[R][V];
  MYELIN_UNROLL for (int r = 0; r < R; ++r) {
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      const float* from = y + r * l.y_step + v * kLanes;
      sums[r][v] = !accumulate ? zero() : kPartial ? load_partial(from, last) : load(from);
    }
  }
  const float* x = l.x + (l.first + t * l.step) * l.pixel + taps.begin * tap + c;
  const float* w = l.w + taps.begin * l.w_column + c;
  for (int64_t i = 0; i < l.rows; ++i, x += l.x_row, w += l.w_row) {
    const float* columns[kGroups];
    MYELIN_UNROLL for (int g = 0; g < kGroups; ++g) columns[g] = x + 3 * g * column;
    const float* weights = w;
    for (int64_t j = taps.begin; j < taps.end; ++j, weights += l.w_column) {
      Vec wv[V];
      MYELIN_UNROLL for (int v = 0; v < V; ++v) {
        wv[v] = kPartial ? load_partial(weights, last) : load(weights + v * kLanes);
      }
      MYELIN_UNROLL for (int r = 0; r < R; ++r) {
        MYELIN_UNROLL for (int v = 0; v < V; ++v) {
          const float* from = columns[r / 3] + (r % 3) * column + v * kLanes;
          const Vec pixel = kPartial ? load_partial(from, last) : load(from);
          sums[r][v] = fma(pixel, wv[v], sums[r][v]);
        }
      }
      MYELIN_UNROLL for (int g = 0; g < kGroups; ++g) columns[g] += tap;
    }
  }
  MYELIN_UNROLL for (int r = 0; r < R; ++r) {
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      float* to = y + r * l.y_step + v * kLanes;
      if (kPartial) {
        store_partial(to, sums[r][v], last);
      } else {
        store(to, sums[r][v]);
      }
    }
  }
}

// R columns, all channels.
template <int R>
MYELIN_NOINLINE void depthwise_columns(const DepthwiseLine& l, int64_t t, DepthwiseTaps taps,
                                       bool accumulate) {
  constexpr int V = kDepthwiseSums / R;
  int64_t c = 0;
  for (; c + V * kLanes <= l.channels; c += V * kLanes) {
    depthwise_tile<R, V, false>(l, t, taps, c, kLanes, accumulate);
  }
  if constexpr (V > 1) {
    for (; c + kLanes <= l.channels; c += kLanes) {
      depthwise_tile<R, 1, false>(l, t, taps, c, kLanes, accumulate);
    }
  }
  if (c < l.channels) depthwise_tile<R, 1, true>(l, t, taps, c, l.channels - c, accumulate);
}

void depthwise_forward(const DepthwiseLine& l, bool accumulate) {
  const DepthwiseTaps inside = depthwise_inside(l), all = {0, l.columns};
  int64_t t = 0;
  for (; t < inside.begin; ++t) depthwise_columns<1>(l, t, depthwise_taps(l, t), accumulate);
  for (; t + 8 <= inside.end; t += 8) depthwise_columns<8>(l, t, all, accumulate);
  if (t + 4 <= inside.end) {
    depthwise_columns<4>(l, t, all, accumulate);
    t += 4;
  }
  if (t + 2 <= inside.end) {
    depthwise_columns<2>(l, t, all, accumulate);
    t += 2;
  }
  for (; t < l.count; ++t) depthwise_columns<1>(l, t, depthwise_taps(l, t), accumulate);
}

// Up to this many taps share a load of y: a 3 x 3 kernel goes through at once.
constexpr int kDepthwiseTaps = 9;

// Adds columns [t0, t1), which see all taps, to Q taps from (i, j) on, row by row of taps.
template <int Q>
MYELIN_INLINE void depthwise_taps_sum(const DepthwiseLine& l, int64_t t0, int64_t t1, int64_t i,
                                      int64_t j, int64_t c, int64_t left, float* w) {
  const float* pixels[Q];
  float* weights[Q];
  Vec sums[Q];
  MYELIN_UNROLL for (int q = 0; q < Q; ++q) {
    pixels[q] = l.x + i * l.x_row + (l.first + t0 * l.step + j * l.tap) * l.pixel + c;
    weights[q] = w + i * l.w_row + j * l.w_column + c;
    sums[q] = load_partial(weights[q], left);
    if (++j == l.columns) j = 0, ++i;
  }
  const int64_t step = l.step * l.pixel;
  const float* y = l.y + t0 * l.y_step + c;
  if (left >= kLanes) {
    for (int64_t t = t0; t < t1; ++t, y += l.y_step) {
      const Vec g = load(y);
      MYELIN_UNROLL for (int q = 0; q < Q; ++q) {
        sums[q] = fma(load(pixels[q]), g, sums[q]);
        pixels[q] += step;
      }
    }
  } else {
    for (int64_t t = t0; t < t1; ++t, y += l.y_step) {
      const Vec g = load_partial(y, left);
      MYELIN_UNROLL for (int q = 0; q < Q; ++q) {
        sums[q] = fma(load_partial(pixels[q], left), g, sums[q]);
        pixels[q] += step;
      }
    }
  }
  MYELIN_UNROLL for (int q = 0; q < Q; ++q) store_partial(weights[q], sums[q], left);
}

template <int Q>
void depthwise_taps_columns(const DepthwiseLine& l, int64_t t0, int64_t t1, int64_t i, int64_t j,
                            float* w) {
  for (int64_t c = 0; c < l.channels; c += kLanes) {
    const int64_t left = l.channels - c < kLanes ? l.channels - c : kLanes;
    depthwise_taps_sum<Q>(l, t0, t1, i, j, c, left, w);
  }
}

void depthwise_kernel_grad(const DepthwiseLine& l, float* w) {
  const DepthwiseTaps inside = depthwise_inside(l);
  const int64_t taps = l.rows * l.columns;
  // So many columns of four lines fit in a share of L1, where the channels find them again.
  const int64_t fit = 6144 / (4 * (l.channels > 0 ? l.channels : 1)), piece = fit < 8 ? 8 : fit;
  for (int64_t t = inside.begin; t < inside.end; t += piece) {
    const int64_t end = t + piece < inside.end ? t + piece : inside.end;
    int64_t q = 0;
    for (; q + kDepthwiseTaps <= taps; q += kDepthwiseTaps) {
      depthwise_taps_columns<kDepthwiseTaps>(l, t, end, q / l.columns, q % l.columns, w);
    }
    for (; q + 3 <= taps; q += 3) {
      depthwise_taps_columns<3>(l, t, end, q / l.columns, q % l.columns, w);
    }
    for (; q < taps; ++q) depthwise_taps_columns<1>(l, t, end, q / l.columns, q % l.columns, w);
  }
  for (int64_t t = 0; t < l.count; ++t) {
    if (t == inside.begin) t = inside.end;
    if (t >= l.count) break;
    const DepthwiseTaps some = depthwise_taps(l, t);
    const float* y = l.y + t * l.y_step;
    for (int64_t i = 0; i < l.rows; ++i) {
      for (int64_t j = some.begin; j < some.end; ++j) {
        const float* x = l.x + i * l.x_row + (l.first + t * l.step + j * l.tap) * l.pixel;
        float* to = w + i * l.w_row + j * l.w_column;
        int64_t c = 0;
        for (; c + kLanes <= l.channels; c += kLanes) {
          store(to + c, fma(load(x + c), load(y + c), load(to + c)));
        }
        if (c < l.channels) {
          const int64_t left = l.channels - c;
          store_partial(to + c,
                        fma(load_partial(x + c, left), load_partial(y + c, left),
                            load_partial(to + c, left)),
                        left);
        }
      }
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
