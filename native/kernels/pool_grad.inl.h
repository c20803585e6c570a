// Pooling backward; contracts in pool.h. Works row by row of the image, so that rows can be split
// and each element is written once, by the sum over the outputs that cover it, in their order.
// Windows that do not overlap are walked output by output.

namespace myelin::MYELIN_LEVEL {
namespace {

// What an output gives to the inputs of its window: read once, then asked for each place. `at` is
// an offset in dy.
template <class Index>
struct MaxTerm {
  const float* dy;
  const Index* index;
  struct Read {
    Vec dy;
    VecI index;
  };
  template <bool kPartial>
  MYELIN_INLINE Read read(int64_t at, int64_t n) const {
    return {pool_load<kPartial>(dy + at, n), pool_load<kPartial>(index + at, n)};
  }
  static MYELIN_INLINE Vec give(const Read& read, int32_t place, Vec) {
    return select(read.index == broadcast(place), read.dy, zero());
  }
};
struct AverageTerm {
  const float* dy;
  struct Read {
    Vec dy;
  };
  template <bool kPartial>
  MYELIN_INLINE Read read(int64_t at, int64_t n) const {
    return {pool_load<kPartial>(dy + at, n)};
  }
  static MYELIN_INLINE Vec give(const Read& read, int32_t, Vec scale) { return read.dy * scale; }
};

// The outputs first .. last whose windows hold input i; last < first when there are none. Both only
// grow with i, so they can be moved on from those of an earlier input.
struct PoolCover {
  int64_t first, last;
};
MYELIN_INLINE void move_cover(const PoolAxis& a, int64_t i, PoolCover& cover) {
  while (cover.last + 1 < a.out && window_of(a, cover.last + 1).begin <= i) ++cover.last;
  while (cover.first < a.out && window_of(a, cover.first).end <= i) ++cover.first;
}
MYELIN_INLINE PoolCover cover_of(const PoolAxis& a, int64_t i) {
  if (a.stride == 0) return {i * a.out / a.in, ((i + 1) * a.out + a.in - 1) / a.in - 1};
  const int64_t before_first =
      i + a.before - a.pool;  // the start of the last window that ends at i
  const int64_t last = (i + a.before) / a.stride;
  return {before_first < 0 ? 0 : before_first / a.stride + 1, last < a.out ? last : a.out - 1};
}

MYELIN_INLINE void fill_zero(float* p, int64_t n) {
  int64_t i = 0;
  for (; n - i >= kLanes; i += kLanes) store(p + i, zero());
  if (i < n) store_partial(p + i, zero(), n - i);
}

template <int kChannels>
MYELIN_INLINE void scatter_pixels(const float* from, int64_t count, float* to, int64_t step) {
  for (int64_t o = 0; o < count; ++o) {
    MYELIN_UNROLL
    for (int c = 0; c < kChannels; ++c) to[o * step + c] = from[o * kChannels + c];
  }
}

// As below for the outputs begin .. end - 1, whose windows are whole, and few channels: what one
// place gets from all of them is worked out side by side, then put where it belongs.
template <int kChannels, class Term>
MYELIN_INLINE void spread_columns(const PoolAxis& width, const Term& term, int64_t begin,
                                  int64_t end, int64_t at, int32_t place, float scale, float* dx) {
  float column[kPoolColumn];
  const int64_t most = kPoolColumn / kChannels;
  for (int64_t o = begin; o < end; o += most) {
    const int64_t count = end - o < most ? end - o : most, n = count * kChannels;
    float* to = dx + (o * width.stride - width.before) * kChannels;
    for (int64_t k = 0; k < width.pool; ++k) {
      const int32_t here = place + static_cast<int32_t>(k);
      const int64_t from = at + o * kChannels;
      int64_t i = 0;
      for (; n - i >= kLanes; i += kLanes)
        store(column + i,
              Term::give(term.template read<false>(from + i, kLanes), here, broadcast(scale)));
      if (i < n)
        store_partial(column + i,
                      Term::give(term.template read<true>(from + i, n - i), here, broadcast(scale)),
                      n - i);
      scatter_pixels<kChannels>(column, count, to + k * kChannels, width.stride * kChannels);
    }
  }
}

template <class Term>
MYELIN_INLINE bool spread_few(const PoolShape& s, const Term& term, const PoolSpan& whole,
                              int64_t at, int32_t place, float scale, float* dx) {
  if (s.channels * 4 > kLanes || s.channels == 0 || s.channels > 4) return false;
  const PoolAxis& width = s.axis[2];
  const int64_t begin = whole.begin, end = whole.end;
  if (s.channels == 1) spread_columns<1>(width, term, begin, end, at, place, scale, dx);
  if (s.channels == 2) spread_columns<2>(width, term, begin, end, at, place, scale, dx);
  if (s.channels == 3) spread_columns<3>(width, term, begin, end, at, place, scale, dx);
  if (s.channels == 4) spread_columns<4>(width, term, begin, end, at, place, scale, dx);
  return true;
}

// The outputs begin .. end - 1 of a row spread over one row of the image, which they cover alone.
// `place` is that of the first input of a window in this row; `rows` inputs of each window's width
// count.
template <class Term>
MYELIN_INLINE void spread_windows(const PoolShape& s, const Term& term, int64_t begin, int64_t end,
                                  int64_t at, int32_t place, int64_t rows, float* dx) {
  const PoolAxis& width = s.axis[2];
  for (int64_t o = begin; o < end; ++o) {
    const PoolRange w = window_of(width, o);
    const int64_t count = w.end - w.begin, dy = at + o * s.channels;
    const Vec scale = broadcast(1.0f / static_cast<float>(rows * count));
    const int32_t first = place + static_cast<int32_t>(w.begin - w.start);
    float* to = dx + w.begin * s.channels;
    int64_t c = 0;
    for (; s.channels - c >= kLanes; c += kLanes) {
      const typename Term::Read read = term.template read<false>(dy + c, kLanes);
      for (int64_t i = 0; i < count; ++i)
        store(to + i * s.channels + c, Term::give(read, first + static_cast<int32_t>(i), scale));
    }
    const int64_t n = s.channels - c;
    if (n == 0) continue;
    const typename Term::Read read = term.template read<true>(dy + c, n);
    for (int64_t i = 0; i < count; ++i) {
      store_partial(to + i * s.channels + c,
                    Term::give(read, first + static_cast<int32_t>(i), scale), n);
    }
  }
}

// One output row spread over one row of the image.
template <class Term>
MYELIN_INLINE void spread_row(const PoolShape& s, const Term& term, int64_t dy_row, int32_t place,
                              int64_t rows, float* dx) {
  const PoolAxis& width = s.axis[2];
  // Between and behind windows nothing arrives.
  const PoolRange last = window_of(width, width.out - 1);
  if (width.stride > width.pool) {
    fill_zero(dx, width.in * s.channels);
  } else if (last.end < width.in) {
    fill_zero(dx + last.end * s.channels, (width.in - last.end) * s.channels);
  }
  const int64_t at = dy_row * width.out * s.channels;
  const PoolSpan whole = whole_windows(width);
  const float scale = 1.0f / static_cast<float>(rows * width.pool);
  if (spread_few(s, term, whole, at, place, scale, dx)) {
    spread_windows(s, term, 0, whole.begin, at, place, rows, dx);
    spread_windows(s, term, whole.end, width.out, at, place, rows, dx);
  } else {
    spread_windows(s, term, 0, width.out, at, place, rows, dx);
  }
}

// The outputs that cover one input, along all axes.
struct PoolCovers {
  int64_t image, depth, height, width;  // the input
  PoolCover depths, heights, widths;
};

// kVectors vectors of one input's channels: the sum over its outputs.
template <int kVectors, bool kPartial, class Term>
MYELIN_INLINE void collect(const PoolShape& s, const Term& term, const PoolCovers& covers,
                           int64_t c, int64_t n, float* dx) {
  const PoolAxis &depth = s.axis[0], &height = s.axis[1], &width = s.axis[2];
  Vec sum[kVectors];
  MYELIN_UNROLL
  for (int k = 0; k < kVectors; ++k) sum[k] = zero();
  for (int64_t od = covers.depths.first; od <= covers.depths.last; ++od) {
    const PoolRange d = window_of(depth, od);
    for (int64_t oh = covers.heights.first; oh <= covers.heights.last; ++oh) {
      const PoolRange h = window_of(height, oh);
      const int64_t row = (covers.image * depth.out + od) * height.out + oh;
      const int64_t line = (covers.depth - d.start) * height.pool + covers.height - h.start;
      const int64_t rows = (d.end - d.begin) * (h.end - h.begin);
      for (int64_t ow = covers.widths.first; ow <= covers.widths.last; ++ow) {
        const PoolRange w = window_of(width, ow);
        const int32_t place = static_cast<int32_t>(line * width.pool + covers.width - w.start);
        const Vec scale = broadcast(1.0f / static_cast<float>(rows * (w.end - w.begin)));
        const int64_t at = (row * width.out + ow) * s.channels + c;
        MYELIN_UNROLL
        for (int k = 0; k < kVectors; ++k) {
          sum[k] =
              sum[k] + Term::give(term.template read<kPartial>(at + k * kLanes, n), place, scale);
        }
      }
    }
  }
  MYELIN_UNROLL
  for (int k = 0; k < kVectors; ++k) pool_store<kPartial>(dx + c + k * kLanes, sum[k], n);
}

template <class Term>
MYELIN_INLINE void pool_grad_rows(const PoolShape& s, const Term& term, int64_t first,
                                  int64_t count, float* dx) {
  const PoolAxis &depth = s.axis[0], &height = s.axis[1], &width = s.axis[2];
  const int64_t row_size = width.in * s.channels;
  const bool apart =
      depth.stride >= depth.pool && height.stride >= height.pool && width.stride >= width.pool;
  for (int64_t row = first; row < first + count; ++row) {
    const PoolRow at = pool_row(row, depth.in, height.in);
    PoolCovers covers = {
        at.image, at.depth, at.height, 0, cover_of(depth, at.depth), cover_of(height, at.height),
        {0, -1}};
    float* to = dx + row * row_size;
    if (covers.depths.last < covers.depths.first || covers.heights.last < covers.heights.first) {
      fill_zero(to, row_size);
      continue;
    }
    if (apart) {
      const PoolRange d = window_of(depth, covers.depths.first);
      const PoolRange h = window_of(height, covers.heights.first);
      const int64_t line = (at.depth - d.start) * height.pool + at.height - h.start;
      const int64_t dy_row =
          (at.image * depth.out + covers.depths.first) * height.out + covers.heights.first;
      spread_row(s, term, dy_row, static_cast<int32_t>(line * width.pool),
                 (d.end - d.begin) * (h.end - h.begin), to);
      continue;
    }
    for (int64_t w = 0; w < width.in; ++w, to += s.channels) {
      covers.width = w;
      move_cover(width, w, covers.widths);
      int64_t c = 0;
      for (; s.channels - c >= 4 * kLanes; c += 4 * kLanes)
        collect<4, false>(s, term, covers, c, kLanes, to);
      for (; s.channels - c >= kLanes; c += kLanes)
        collect<1, false>(s, term, covers, c, kLanes, to);
      if (c < s.channels) collect<1, true>(s, term, covers, c, s.channels - c, to);
    }
  }
}

void max_pool_grad_u8(const PoolShape& s, const float* dy, const uint8_t* index, int64_t first,
                      int64_t count, float* dx) {
  pool_grad_rows(s, MaxTerm<uint8_t>{dy, index}, first, count, dx);
}
void max_pool_grad_i32(const PoolShape& s, const float* dy, const int32_t* index, int64_t first,
                       int64_t count, float* dx) {
  pool_grad_rows(s, MaxTerm<int32_t>{dy, index}, first, count, dx);
}
void average_pool_grad(const PoolShape& s, const float* dy, int64_t first, int64_t count,
                       float* dx) {
  pool_grad_rows(s, AverageTerm{dy}, first, count, dx);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
