// Depthwise convolution over vectors of channels; contracts in depthwise.h. The multiply-adds are
// few, so what counts is that pixels come from L1: channels are taken in blocks so narrow that all
// rows a line sees stay there until the next line sees them again. Many sums at a time hide the
// latency of the multiply-adds: eight would do for long chains, but these end after nine steps and
// the next ones do not start early enough (one multiply-add a cycle instead of two on Zen 5).

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kDepthwiseSums = kVectorRegisters == 32 ? 16 : 8;
// Floats of x that a block of channels may touch in the rows of one line (24 KiB, half of L1).
constexpr int64_t kDepthwiseBlock = 6144;

int64_t depthwise_block(const DepthwiseLines& l) {
  const int64_t pixels = l.rows * l.size, fit = kDepthwiseBlock / (pixels > 0 ? pixels : 1);
  return fit < 16 ? 16 : fit / 16 * 16;
}

MYELIN_INLINE int64_t floor_div(int64_t a, int64_t b) {
  return b == 1 ? a : a >= 0 ? a / b : -((b - 1 - a) / b);
}

// A range of taps or of columns.
struct DepthwiseRange {
  int64_t begin, end;
};
MYELIN_INLINE DepthwiseRange depthwise_range(int64_t begin, int64_t end, int64_t count) {
  if (begin < 0) begin = 0;
  if (begin > count) begin = count;
  if (end > count) end = count;
  return {begin, end < begin ? begin : end};
}
// Taps of column t whose pixel exists.
MYELIN_INLINE DepthwiseRange depthwise_taps(const DepthwiseLines& l, int64_t t) {
  const int64_t at = l.first + t * l.step;
  return depthwise_range(-floor_div(at, l.tap), floor_div(l.size - 1 - at, l.tap) + 1, l.columns);
}
// Columns that see all taps, the only ones that are taken several at a time.
MYELIN_INLINE DepthwiseRange depthwise_inside(const DepthwiseLines& l) {
  const int64_t last = l.size - 1 - l.first - (l.columns - 1) * l.tap;
  return depthwise_range(-floor_div(l.first, l.step), floor_div(last, l.step) + 1, l.count);
}

// R columns of V vectors, the last of `last` channels. x and w are those of the first tap of the
// first column. kSliding: three taps that are one pixel apart, as columns are, so that a pixel is
// loaded once for all of them.
template <int R, int V, bool kPartial, bool kSliding>
MYELIN_INLINE void depthwise_tile(const DepthwiseLines& l, const float* x, const float* w,
                                  int64_t taps, float* y, int64_t last, bool accumulate) {
  constexpr int kGroups = (R + 2) / 3;
  const int64_t column = l.step * l.pixel, tap = l.tap * l.pixel, w_column = l.w_column;
  Vec sums[R][V];
  MYELIN_UNROLL for (int r = 0; r < R; ++r) {
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      const float* from = y + r * l.y_step + v * kLanes;
      sums[r][v] = !accumulate ? zero() : kPartial ? load_partial(from, last) : load(from);
    }
  }
  for (int64_t i = 0; i < l.rows; ++i, x += l.x_row, w += l.w_row) {
    if constexpr (kSliding) {
      MYELIN_UNROLL for (int v = 0; v < V; ++v) {
        const float* weights = w + v * kLanes;
        const Vec w0 = load(weights), w1 = load(weights + w_column);
        const Vec w2 = load(weights + 2 * w_column);
        const float* from = x + v * kLanes;
        MYELIN_UNROLL for (int q = 0; q < R + 2; ++q, from += tap) {
          const Vec pixel = load(from);
          if (q < R) sums[q][v] = fma(pixel, w0, sums[q][v]);
          if (q >= 1 && q <= R) sums[q - 1][v] = fma(pixel, w1, sums[q - 1][v]);
          if (q >= 2) sums[q - 2][v] = fma(pixel, w2, sums[q - 2][v]);
        }
      }
      continue;
    }
    const float* columns[kGroups];
    MYELIN_UNROLL for (int g = 0; g < kGroups; ++g) columns[g] = x + 3 * g * column;
    const float* weights = w;
    for (int64_t j = 0; j < taps; ++j, weights += w_column) {
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

// V vectors at a time while there are so many, then half of that.
template <int R, int V, bool kSliding>
MYELIN_INLINE void depthwise_vectors(const DepthwiseLines& l, const float* x, const float* w,
                                     int64_t taps, float* y, int64_t c, int64_t end,
                                     bool accumulate) {
  for (; c + V * kLanes <= end; c += V * kLanes) {
    depthwise_tile<R, V, false, kSliding>(l, x + c, w + c, taps, y + c, kLanes, accumulate);
  }
  if constexpr (V > 1) {
    depthwise_vectors<R, V / 2, kSliding>(l, x, w, taps, y, c, end, accumulate);
  } else if (c < end) {
    depthwise_tile<R, 1, true, false>(l, x + c, w + c, taps, y + c, end - c, accumulate);
  }
}

// R columns from t on of one line, channels [c, end).
template <int R, bool kSliding>
MYELIN_INLINE void depthwise_columns(const DepthwiseLines& l, const float* x, float* y, int64_t t,
                                     DepthwiseRange taps, int64_t c, int64_t end, bool accumulate) {
  constexpr int V = R == 1 ? 8 : kDepthwiseSums / R;
  depthwise_vectors<R, V, kSliding>(l, x + (l.first + t * l.step + taps.begin * l.tap) * l.pixel,
                                    l.w + taps.begin * l.w_column, taps.end - taps.begin,
                                    y + t * l.y_step, c, end, accumulate);
}

template <bool kSliding>
MYELIN_INLINE void depthwise_lines(const DepthwiseLines& l, bool accumulate) {
  const DepthwiseRange inside = depthwise_inside(l), all = {0, l.columns};
  const int64_t block = depthwise_block(l);
  for (int64_t c = 0; c < l.channels; c += block) {
    const int64_t end = l.channels - c < block ? l.channels : c + block;
    const float* x = l.x;
    float* y = l.y;
    for (int64_t h = 0; h < l.lines; ++h, x += l.x_line, y += l.y_line) {
      int64_t t = 0;
      for (; t < inside.begin; ++t) {
        depthwise_columns<1, false>(l, x, y, t, depthwise_taps(l, t), c, end, accumulate);
      }
      for (; t + kDepthwiseSums <= inside.end; t += kDepthwiseSums) {
        depthwise_columns<kDepthwiseSums, kSliding>(l, x, y, t, all, c, end, accumulate);
      }
      if (kDepthwiseSums > 8 && t + 8 <= inside.end) {
        depthwise_columns<8, kSliding>(l, x, y, t, all, c, end, accumulate);
        t += 8;
      }
      if (t + 4 <= inside.end) {
        depthwise_columns<4, kSliding>(l, x, y, t, all, c, end, accumulate);
        t += 4;
      }
      if (t + 2 <= inside.end) {
        depthwise_columns<2, kSliding>(l, x, y, t, all, c, end, accumulate);
        t += 2;
      }
      for (; t < l.count; ++t) {
        depthwise_columns<1, false>(l, x, y, t, depthwise_taps(l, t), c, end, accumulate);
      }
    }
  }
}

void depthwise_forward(const DepthwiseLines& l, bool accumulate) {
  if (l.columns == 3 && l.step == l.tap) {
    depthwise_lines<true>(l, accumulate);
  } else {
    depthwise_lines<false>(l, accumulate);
  }
}

// Up to this many taps share a load of y: a 3 x 3 kernel goes through at once.
constexpr int kDepthwiseTaps = 9;

// Adds all columns in `inside` of all lines to Q taps from (i, j) on, row by row of taps, for V
// vectors of channels from c on, the last with `last` channels.
template <int Q, int V, bool kPartial>
MYELIN_INLINE void depthwise_sum_taps(const DepthwiseLines& l, DepthwiseRange inside, int64_t i,
                                      int64_t j, int64_t c, int64_t last, float* w) {
  int64_t offsets[Q];
  float* weights[Q];
  Vec sums[Q][V];
  MYELIN_UNROLL for (int q = 0; q < Q; ++q) {
    offsets[q] = i * l.x_row + (l.first + inside.begin * l.step + j * l.tap) * l.pixel + c;
    weights[q] = w + i * l.w_row + j * l.w_column + c;
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      sums[q][v] = kPartial ? load_partial(weights[q], last) : load(weights[q] + v * kLanes);
    }
    if (++j == l.columns) j = 0, ++i;
  }
  const int64_t step = l.step * l.pixel;
  const float* x = l.x;
  const float* line = l.y + inside.begin * l.y_step + c;
  for (int64_t h = 0; h < l.lines; ++h, x += l.x_line, line += l.y_line) {
    const float* from = x;
    const float* y = line;
    for (int64_t t = inside.begin; t < inside.end; ++t, y += l.y_step, from += step) {
      Vec g[V];
      MYELIN_UNROLL for (int v = 0; v < V; ++v) {
        g[v] = kPartial ? load_partial(y, last) : load(y + v * kLanes);
      }
      MYELIN_UNROLL for (int q = 0; q < Q; ++q) {
        MYELIN_UNROLL for (int v = 0; v < V; ++v) {
          const float* pixel = from + offsets[q] + v * kLanes;
          sums[q][v] = fma(kPartial ? load_partial(pixel, last) : load(pixel), g[v], sums[q][v]);
        }
      }
    }
  }
  MYELIN_UNROLL for (int q = 0; q < Q; ++q) {
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      if (kPartial) {
        store_partial(weights[q], sums[q][v], last);
      } else {
        store(weights[q] + v * kLanes, sums[q][v]);
      }
    }
  }
}

template <int Q>
MYELIN_NOINLINE void depthwise_sum_channels(const DepthwiseLines& l, DepthwiseRange inside,
                                            int64_t i, int64_t j, float* w) {
  constexpr int V = kVectorRegisters == 32 ? 2 : 1;
  int64_t c = 0;
  for (; c + V * kLanes <= l.channels; c += V * kLanes) {
    depthwise_sum_taps<Q, V, false>(l, inside, i, j, c, kLanes, w);
  }
  for (; c + kLanes <= l.channels; c += kLanes) {
    depthwise_sum_taps<Q, 1, false>(l, inside, i, j, c, kLanes, w);
  }
  if (c < l.channels) depthwise_sum_taps<Q, 1, true>(l, inside, i, j, c, l.channels - c, w);
}

// Adds one column, which misses some taps, to those it sees.
MYELIN_NOINLINE void depthwise_sum_edge(const DepthwiseLines& l, int64_t t, float* w) {
  const DepthwiseRange taps = depthwise_taps(l, t);
  for (int64_t i = 0; i < l.rows; ++i) {
    for (int64_t j = taps.begin; j < taps.end; ++j) {
      float* const to = w + i * l.w_row + j * l.w_column;
      for (int64_t c = 0; c < l.channels; c += kLanes) {
        const int64_t left = l.channels - c;
        const float* x = l.x + i * l.x_row + (l.first + t * l.step + j * l.tap) * l.pixel + c;
        const float* y = l.y + t * l.y_step + c;
        Vec sum = left < kLanes ? load_partial(to + c, left) : load(to + c);
        for (int64_t h = 0; h < l.lines; ++h, x += l.x_line, y += l.y_line) {
          sum = left < kLanes ? fma(load_partial(x, left), load_partial(y, left), sum)
                              : fma(load(x), load(y), sum);
        }
        if (left < kLanes) {
          store_partial(to + c, sum, left);
        } else {
          store(to + c, sum);
        }
      }
    }
  }
}

void depthwise_kernel_grad(const DepthwiseLines& l, float* w) {
  const DepthwiseRange inside = depthwise_inside(l);
  const int64_t taps = l.rows * l.columns;
  int64_t q = 0;
  for (; q + kDepthwiseTaps <= taps; q += kDepthwiseTaps) {
    depthwise_sum_channels<kDepthwiseTaps>(l, inside, q / l.columns, q % l.columns, w);
  }
  for (; q + 3 <= taps; q += 3) {
    depthwise_sum_channels<3>(l, inside, q / l.columns, q % l.columns, w);
  }
  for (; q < taps; ++q) depthwise_sum_channels<1>(l, inside, q / l.columns, q % l.columns, w);
  for (int64_t t = 0; t < inside.begin; ++t) depthwise_sum_edge(l, t, w);
  for (int64_t t = inside.end; t < l.count; ++t) depthwise_sum_edge(l, t, w);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
