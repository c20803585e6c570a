// Pooling backward; contracts in pool.h. Works row by row of the image, so that rows can be split
// and each element is written once, by the sum over the outputs that cover it, in their order.
// Windows that do not overlap are walked output by output.

namespace myelin::MYELIN_LEVEL {
namespace {

// What an output gives to the input at a place of its window. `at` is an offset in dy.
template <class Index>
struct MaxTerm {
  const float* dy;
  const Index* index;
  template <bool kPartial>
  MYELIN_INLINE Vec give(int64_t at, int64_t n, int32_t place, float) const {
    const VecI chosen = pool_load<kPartial>(index + at, n);
    return select(chosen == broadcast(place), pool_load<kPartial>(dy + at, n), zero());
  }
  MYELIN_INLINE float give_one(int64_t at, int32_t place, float) const {
    return static_cast<int32_t>(index[at]) == place ? dy[at] : 0.0f;
  }
};
struct AverageTerm {
  const float* dy;
  template <bool kPartial>
  MYELIN_INLINE Vec give(int64_t at, int64_t n, int32_t, float scale) const {
    return pool_load<kPartial>(dy + at, n) * broadcast(scale);
  }
  MYELIN_INLINE float give_one(int64_t at, int32_t, float scale) const { return dy[at] * scale; }
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

MYELIN_INLINE float pool_scale(const PoolRange& d, const PoolRange& h, const PoolRange& w) {
  return 1.0f / static_cast<float>((d.end - d.begin) * (h.end - h.begin) * (w.end - w.begin));
}

MYELIN_INLINE void fill_zero(float* p, int64_t n) {
  int64_t i = 0;
  for (; n - i >= kLanes; i += kLanes) store(p + i, zero());
  if (i < n) store_partial(p + i, zero(), n - i);
}

// One output row spread over one row of the image it covers alone: d and h are its windows, `place`
// is that of the first input of the row.
template <class Term>
MYELIN_INLINE void spread_row(const PoolShape& s, const Term& term, const PoolRange& d,
                              const PoolRange& h, int64_t dy_row, int32_t place, float* dx) {
  const PoolAxis& width = s.axis[2];
  int64_t done = 0;  // inputs written
  for (int64_t o = 0; o < width.out; ++o) {
    const PoolRange w = window_of(width, o);
    if (done < w.begin) fill_zero(dx + done * s.channels, (w.begin - done) * s.channels);
    done = w.end;
    const float scale = pool_scale(d, h, w);
    const int64_t at = (dy_row * width.out + o) * s.channels;
    const int32_t first = place + static_cast<int32_t>(w.begin - w.start);
    float* to = dx + w.begin * s.channels;
    if (s.channels * 4 <= kLanes) {
      for (int64_t i = w.begin; i < w.end; ++i) {
        for (int64_t c = 0; c < s.channels; ++c)
          *to++ = term.give_one(at + c, first + static_cast<int32_t>(i - w.begin), scale);
      }
      continue;
    }
    const int64_t count = w.end - w.begin;
    int64_t c = 0;
    for (; s.channels - c >= kLanes; c += kLanes) {
      for (int64_t i = 0; i < count; ++i) {
        store(to + i * s.channels + c,
              term.template give<false>(at + c, kLanes, first + static_cast<int32_t>(i), scale));
      }
    }
    const int64_t n = s.channels - c;
    for (int64_t i = 0; n > 0 && i < count; ++i) {
      store_partial(to + i * s.channels + c,
                    term.template give<true>(at + c, n, first + static_cast<int32_t>(i), scale), n);
    }
  }
  if (done < width.in) fill_zero(dx + done * s.channels, (width.in - done) * s.channels);
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
      for (int64_t ow = covers.widths.first; ow <= covers.widths.last; ++ow) {
        const PoolRange w = window_of(width, ow);
        const int32_t place = static_cast<int32_t>(line * width.pool + covers.width - w.start);
        const float scale = pool_scale(d, h, w);
        const int64_t at = (row * width.out + ow) * s.channels + c;
        MYELIN_UNROLL
        for (int k = 0; k < kVectors; ++k)
          sum[k] = sum[k] + term.template give<kPartial>(at + k * kLanes, n, place, scale);
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
      spread_row(s, term, d, h, dy_row, static_cast<int32_t>(line * width.pool), to);
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
