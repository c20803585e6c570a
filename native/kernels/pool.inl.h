// Pooling forward; contracts in pool.h. A window is folded for up to four vectors of channels at a
// time, which stay in registers while its rows pass by. Fewer channels than a quarter of a vector
// are first sorted into columns, so that lanes hold outputs.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kPoolVectors = 4;

// The inputs of one output along one axis, clipped; places count from start.
struct PoolRange {
  int64_t start, begin, end;
};
MYELIN_INLINE PoolRange window_of(const PoolAxis& a, int64_t o) {
  if (a.stride == 0) {
    const int64_t begin = o * a.in / a.out;
    return {begin, begin, ((o + 1) * a.in + a.out - 1) / a.out};
  }
  const int64_t start = o * a.stride - a.before, end = start + a.pool;
  return {start, start > 0 ? start : 0, end < a.in ? end : a.in};
}

// Where a row lies: its image and its place along depth and height.
struct PoolRow {
  int64_t image, depth, height;
};
MYELIN_INLINE PoolRow pool_row(int64_t row, int64_t depths, int64_t heights) {
  return {row / (depths * heights), row / heights % depths, row % heights};
}

// All lanes, or the first n of them.
template <bool kPartial>
MYELIN_INLINE Vec pool_load(const float* p, int64_t n) {
  return kPartial ? load_partial(p, n) : load(p);
}
template <bool kPartial>
MYELIN_INLINE void pool_store(float* p, Vec v, int64_t n) {
  kPartial ? store_partial(p, v, n) : store(p, v);
}
template <bool kPartial>
MYELIN_INLINE VecI pool_load(const int32_t* p, int64_t n) {
  return kPartial ? load_partial(p, n) : load(p);
}
template <bool kPartial>
MYELIN_INLINE VecI pool_load(const uint8_t* p, int64_t n) {
  return kPartial ? load_u8_partial(p, n) : load_u8(p);
}
template <bool kPartial>
MYELIN_INLINE void pool_store(int32_t* p, VecI v, int64_t n) {
  kPartial ? store_partial(p, v, n) : store(p, v);
}
template <bool kPartial>
MYELIN_INLINE void pool_store(uint8_t* p, VecI v, int64_t n) {
  kPartial ? store_u8_partial(p, v, n) : store_u8(p, v);
}

// Folds are begun, fed the window's elements with their places in order, and stored. `at` is the
// offset of the first channel in the output.
template <class Index>
struct MaxFold {
  float* y;
  Index* index;

  template <int kVectors, bool kPartial>
  struct State {
    Vec best[kVectors];
    VecI place[kVectors];
    MYELIN_INLINE void begin(const MaxFold&, int64_t, const float* x, int32_t p, int64_t n) {
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k) {
        best[k] = pool_load<kPartial>(x + k * kLanes, n);
        place[k] = broadcast(p);
      }
    }
    MYELIN_INLINE void add(const float* x, int32_t p, int64_t n) {
      const VecI here = broadcast(p);
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k) {
        const Vec v = pool_load<kPartial>(x + k * kLanes, n);
        const Mask wins = (v > best[k]) | unordered(v, v);
        best[k] = select(wins, v, best[k]);
        place[k] = select(wins, here, place[k]);
      }
    }
    MYELIN_INLINE void end(const MaxFold& fold, int64_t at, float, int64_t n) {
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k) {
        pool_store<kPartial>(fold.y + at + k * kLanes, best[k], n);
        pool_store<kPartial>(fold.index + at + k * kLanes, place[k], n);
      }
    }
  };

  // Four places as a tournament; false where there was a NaN, which takes the long way.
  template <bool kPartial>
  MYELIN_INLINE bool four(const float* x, const int64_t* offset, float, int64_t at,
                          int64_t n) const {
    const Vec a = pool_load<kPartial>(x, n), b = pool_load<kPartial>(x + offset[1], n);
    const Vec c = pool_load<kPartial>(x + offset[2], n), d = pool_load<kPartial>(x + offset[3], n);
    if (any(unordered(a, b) | unordered(c, d))) return false;
    const Vec ab = max(b, a), cd = max(d, c);
    const VecI low = select(b > a, broadcast(1), zero_i());
    const VecI high = select(d > c, broadcast(3), broadcast(2));
    pool_store<kPartial>(y + at, max(cd, ab), n);
    pool_store<kPartial>(index + at, select(cd > ab, high, low), n);
    return true;
  }
};

struct AverageFold {
  float* y;

  template <int kVectors, bool kPartial>
  struct State {
    Vec sum[kVectors];
    MYELIN_INLINE void begin(const AverageFold&, int64_t, const float* x, int32_t, int64_t n) {
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k) sum[k] = pool_load<kPartial>(x + k * kLanes, n);
    }
    MYELIN_INLINE void add(const float* x, int32_t, int64_t n) {
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k) sum[k] = sum[k] + pool_load<kPartial>(x + k * kLanes, n);
    }
    MYELIN_INLINE void end(const AverageFold& fold, int64_t at, float scale, int64_t n) {
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k)
        pool_store<kPartial>(fold.y + at + k * kLanes, sum[k] * broadcast(scale), n);
    }
  };

  template <bool kPartial>
  MYELIN_INLINE bool four(const float* x, const int64_t* offset, float scale, int64_t at,
                          int64_t n) const {
    const Vec a = pool_load<kPartial>(x, n) + pool_load<kPartial>(x + offset[1], n);
    const Vec b = pool_load<kPartial>(x + offset[2], n) + pool_load<kPartial>(x + offset[3], n);
    pool_store<kPartial>(y + at, (a + b) * broadcast(scale), n);
    return true;
  }
};

template <class Index>
struct GatherFold {
  float* y;
  const Index* index;

  template <int kVectors, bool kPartial>
  struct State {
    Vec found[kVectors];
    VecI wanted[kVectors];
    MYELIN_INLINE void begin(const GatherFold& fold, int64_t at, const float* x, int32_t p,
                             int64_t n) {
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k) {
        found[k] = zero();
        wanted[k] = pool_load<kPartial>(fold.index + at + k * kLanes, n);
      }
      add(x, p, n);
    }
    MYELIN_INLINE void add(const float* x, int32_t p, int64_t n) {
      const VecI here = broadcast(p);
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k)
        found[k] = select(wanted[k] == here, pool_load<kPartial>(x + k * kLanes, n), found[k]);
    }
    MYELIN_INLINE void end(const GatherFold& fold, int64_t at, float, int64_t n) {
      MYELIN_UNROLL
      for (int k = 0; k < kVectors; ++k)
        pool_store<kPartial>(fold.y + at + k * kLanes, found[k], n);
    }
  };

  template <bool kPartial>
  MYELIN_INLINE bool four(const float*, const int64_t*, float, int64_t, int64_t) const {
    return false;
  }
};

// Windows inside the image: how far their elements lie from the first, in order.
struct PoolPlaces {
  static constexpr int64_t kMost = 64;
  int64_t count, offset[kMost];
  float scale;  // 1 / count
};

template <int kVectors, bool kPartial, class Fold>
MYELIN_INLINE void fold_places(const Fold& fold, const PoolPlaces& places, const float* x,
                               int64_t at, int64_t n) {
  typename Fold::template State<kVectors, kPartial> state;
  state.begin(fold, at, x, 0, n);
  for (int64_t i = 1; i < places.count; ++i)
    state.add(x + places.offset[i], static_cast<int32_t>(i), n);
  state.end(fold, at, places.scale, n);
}

// `channels` lanes from x on, which is the first element of the window.
template <class Fold>
MYELIN_INLINE void fold_whole(const Fold& fold, const PoolPlaces& places, const float* x,
                              int64_t at, int64_t channels) {
  int64_t c = 0;
  if (places.count == 4) {
    for (; channels - c >= kLanes; c += kLanes) {
      if (!fold.template four<false>(x + c, places.offset, places.scale, at + c, kLanes))
        fold_places<1, false>(fold, places, x + c, at + c, kLanes);
    }
  }
  for (; channels - c >= kPoolVectors * kLanes; c += kPoolVectors * kLanes)
    fold_places<kPoolVectors, false>(fold, places, x + c, at + c, kLanes);
  for (; channels - c >= kLanes; c += kLanes)
    fold_places<1, false>(fold, places, x + c, at + c, kLanes);
  if (c == channels) return;
  if (places.count == 4 &&
      fold.template four<true>(x + c, places.offset, places.scale, at + c, channels - c))
    return;
  fold_places<1, true>(fold, places, x + c, at + c, channels - c);
}

// Any window, clipped, and the image it lies in.
struct PoolWindow {
  const float* image;
  PoolRange depth, height, width;
};

template <bool kPartial, class Fold>
MYELIN_INLINE void fold_window(const PoolShape& s, const Fold& fold, const PoolWindow& w,
                               float scale, int64_t at, int64_t c, int64_t n) {
  typename Fold::template State<1, kPartial> state;
  const int64_t row = s.axis[2].in * s.channels, count = w.width.end - w.width.begin;
  const float* plane = w.image + (w.depth.begin * s.axis[1].in + w.height.begin) * row +
                       w.width.begin * s.channels + c;
  const int32_t corner = static_cast<int32_t>(
      ((w.depth.begin - w.depth.start) * s.axis[1].pool + w.height.begin - w.height.start) *
          s.axis[2].pool +
      w.width.begin - w.width.start);
  state.begin(fold, at + c, plane, corner, n);
  int64_t skip = 1;  // the first element, which began the state
  for (int64_t d = 0; d < w.depth.end - w.depth.begin; ++d) {
    for (int64_t h = 0; h < w.height.end - w.height.begin; ++h) {
      const float* p = plane + (d * s.axis[1].in + h) * row;
      const int32_t place =
          corner + static_cast<int32_t>((d * s.axis[1].pool + h) * s.axis[2].pool);
      for (int64_t i = skip; i < count; ++i)
        state.add(p + i * s.channels, place + static_cast<int32_t>(i), n);
      skip = 0;
    }
  }
  state.end(fold, at + c, scale, n);
}

// Outputs begin .. end - 1 of a row, whose windows may be anything.
template <class Fold>
MYELIN_NOINLINE void fold_windows(const PoolShape& s, const Fold& fold, PoolWindow w, int64_t row,
                                  int64_t begin, int64_t end) {
  const int64_t rows = (w.depth.end - w.depth.begin) * (w.height.end - w.height.begin);
  for (int64_t o = begin; o < end; ++o) {
    w.width = window_of(s.axis[2], o);
    const float scale = 1.0f / static_cast<float>(rows * (w.width.end - w.width.begin));
    const int64_t at = (row * s.axis[2].out + o) * s.channels;
    int64_t c = 0;
    for (; s.channels - c >= kLanes; c += kLanes)
      fold_window<false>(s, fold, w, scale, at, c, kLanes);
    if (c < s.channels) fold_window<true>(s, fold, w, scale, at, c, s.channels - c);
  }
}

// count pixels of kChannels elements each, `step` elements apart, to pixels that touch.
template <int kChannels>
MYELIN_INLINE void gather_pixels(const float* from, int64_t step, int64_t count, float* to) {
  for (int64_t o = 0; o < count; ++o) {
    MYELIN_UNROLL
    for (int c = 0; c < kChannels; ++c) to[o * kChannels + c] = from[o * step + c];
  }
}

constexpr int64_t kPoolColumn = 256;

// Few channels, whole windows: the elements that `outputs` outputs meet at one place become a
// column of a buffer, and the fold sees the columns as one window whose channels are (output,
// channel). x is the first element of the first window.
template <int kChannels, class Fold>
MYELIN_INLINE void fold_columns(const Fold& fold, const PoolPlaces& places, const float* x,
                                int64_t step, int64_t at, int64_t outputs) {
  alignas(64) float buffer[16 * kPoolColumn];
  PoolPlaces columns = places;
  const int64_t room = 16 * kPoolColumn / places.count;
  const int64_t most = (room < kPoolColumn ? room : kPoolColumn) / kChannels;
  for (; outputs > 0; outputs -= most, x += most * step, at += most * kChannels) {
    const int64_t count = outputs < most ? outputs : most;
    for (int64_t i = 0; i < places.count; ++i) {
      columns.offset[i] = i * count * kChannels;
      gather_pixels<kChannels>(x + places.offset[i], step, count, buffer + columns.offset[i]);
    }
    fold_whole(fold, columns, buffer, at, count * kChannels);
  }
}

// Outputs begin .. end - 1 of a row, whose windows are whole; x is the first element of window 0.
template <class Fold>
MYELIN_INLINE void fold_row(const PoolShape& s, const Fold& fold, const PoolPlaces& places,
                            const float* x, int64_t row, int64_t begin, int64_t end) {
  const int64_t step = s.axis[2].stride * s.channels, count = end - begin;
  int64_t at = (row * s.axis[2].out + begin) * s.channels;
  const float* p = x + begin * step;
  if (s.channels * 4 <= kLanes) {
    if (s.channels == 1) return fold_columns<1>(fold, places, p, step, at, count);
    if (s.channels == 2) return fold_columns<2>(fold, places, p, step, at, count);
    if (s.channels == 3) return fold_columns<3>(fold, places, p, step, at, count);
    if (s.channels == 4) return fold_columns<4>(fold, places, p, step, at, count);
  }
  for (int64_t o = 0; o < count; ++o, p += step, at += s.channels)
    fold_whole(fold, places, p, at, s.channels);
}

// The outputs begin .. end - 1 of an axis whose windows are whole.
struct PoolSpan {
  int64_t begin, end;
};
MYELIN_INLINE PoolSpan whole_windows(const PoolAxis& a) {
  if (a.stride == 0 || a.pool > a.in) return {0, 0};
  const int64_t begin = (a.before + a.stride - 1) / a.stride;
  const int64_t end = (a.in - a.pool + a.before) / a.stride + 1;
  const int64_t last = end < a.out ? end : a.out;
  return {begin < last ? begin : last, last};
}

// Rows first .. first + count - 1 of the output.
template <class Fold>
MYELIN_INLINE void fold_rows_of(const PoolShape& s, const Fold& fold, const float* x, int64_t first,
                                int64_t count) {
  const PoolAxis &depth = s.axis[0], &height = s.axis[1], &width = s.axis[2];
  const int64_t line = width.in * s.channels, image = depth.in * height.in * line;
  PoolPlaces places;
  places.count = depth.pool * height.pool * width.pool;
  const bool listed = places.count <= PoolPlaces::kMost;
  for (int64_t i = 0; listed && i < places.count; ++i) {
    const int64_t d = i / (height.pool * width.pool), h = i / width.pool % height.pool;
    places.offset[i] = (d * height.in + h) * line + i % width.pool * s.channels;
  }
  places.scale = 1.0f / static_cast<float>(places.count);
  const PoolSpan depths = whole_windows(depth), heights = whole_windows(height),
                 widths = whole_windows(width);
  for (int64_t row = first; row < first + count; ++row) {
    const PoolRow at = pool_row(row, depth.out, height.out);
    const PoolWindow w = {
        x + at.image * image, window_of(depth, at.depth), window_of(height, at.height), {}};
    const bool whole = listed && at.depth >= depths.begin && at.depth < depths.end &&
                       at.height >= heights.begin && at.height < heights.end;
    if (!whole || widths.begin == widths.end) {
      fold_windows(s, fold, w, row, 0, width.out);
      continue;
    }
    const float* corner =
        w.image + (w.depth.begin * height.in + w.height.begin) * line - width.before * s.channels;
    fold_windows(s, fold, w, row, 0, widths.begin);
    fold_row(s, fold, places, corner, row, widths.begin, widths.end);
    fold_windows(s, fold, w, row, widths.end, width.out);
  }
}

void max_pool_u8(const PoolShape& s, const float* x, int64_t first, int64_t count, float* y,
                 uint8_t* index) {
  fold_rows_of(s, MaxFold<uint8_t>{y, index}, x, first, count);
}
void max_pool_i32(const PoolShape& s, const float* x, int64_t first, int64_t count, float* y,
                  int32_t* index) {
  fold_rows_of(s, MaxFold<int32_t>{y, index}, x, first, count);
}
void max_pool_gather_u8(const PoolShape& s, const float* x, const uint8_t* index, int64_t first,
                        int64_t count, float* y) {
  fold_rows_of(s, GatherFold<uint8_t>{y, index}, x, first, count);
}
void max_pool_gather_i32(const PoolShape& s, const float* x, const int32_t* index, int64_t first,
                         int64_t count, float* y) {
  fold_rows_of(s, GatherFold<int32_t>{y, index}, x, first, count);
}
void average_pool(const PoolShape& s, const float* x, int64_t first, int64_t count, float* y) {
  fold_rows_of(s, AverageFold{y}, x, first, count);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
