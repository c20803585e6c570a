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

// Folds are started, fed the window's elements with their places in order, and stored. `at` is the
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
};

// A window and the image it lies in.
struct PoolWindow {
  const float* image;
  PoolRange depth, height, width;
};

template <int kVectors, bool kPartial, class Fold>
MYELIN_INLINE void fold_window(const PoolShape& s, const Fold& fold, const PoolWindow& w,
                               float scale, int64_t at, int64_t c, int64_t n) {
  typename Fold::template State<kVectors, kPartial> state;
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

// Every channel of one output; `at` is the offset of its first one.
template <class Fold>
MYELIN_INLINE void fold_channels(const PoolShape& s, const Fold& fold, const PoolWindow& w,
                                 float scale, int64_t at) {
  int64_t c = 0;
  for (; s.channels - c >= kPoolVectors * kLanes; c += kPoolVectors * kLanes)
    fold_window<kPoolVectors, false>(s, fold, w, scale, at, c, kLanes);
  if (s.channels - c >= 2 * kLanes) {
    fold_window<2, false>(s, fold, w, scale, at, c, kLanes);
    c += 2 * kLanes;
  }
  if (s.channels - c >= kLanes) {
    fold_window<1, false>(s, fold, w, scale, at, c, kLanes);
    c += kLanes;
  }
  if (c < s.channels) fold_window<1, true>(s, fold, w, scale, at, c, s.channels - c);
}

// Outputs begin .. end - 1 of a row.
template <class Fold>
MYELIN_INLINE void fold_outputs(const PoolShape& s, const Fold& fold, PoolWindow w, int64_t row,
                                int64_t begin, int64_t end) {
  const int64_t rows = (w.depth.end - w.depth.begin) * (w.height.end - w.height.begin);
  for (int64_t o = begin; o < end; ++o) {
    w.width = window_of(s.axis[2], o);
    const float scale = 1.0f / static_cast<float>(rows * (w.width.end - w.width.begin));
    fold_channels(s, fold, w, scale, (row * s.axis[2].out + o) * s.channels);
  }
}

constexpr int64_t kPoolColumn = 256, kPoolBuffer = 16 * kPoolColumn;

// Few channels: the elements that outputs begin .. end - 1 meet at one place of their windows
// become a column of a buffer, and the fold sees the buffer as one window whose channels are
// (output, channel). The windows must be whole along the width and have kPoolBuffer / 64 places at
// most.
template <class Fold>
MYELIN_INLINE void fold_columns(const PoolShape& s, const Fold& fold, const PoolWindow& w,
                                int64_t row, int64_t begin, int64_t end) {
  alignas(64) float buffer[kPoolBuffer];
  const PoolAxis& width = s.axis[2];
  const int64_t depths = w.depth.end - w.depth.begin, heights = w.height.end - w.height.begin;
  const int64_t places = depths * heights * width.pool, room = kPoolBuffer / places;
  const int64_t outputs = (room < kPoolColumn ? room : kPoolColumn) / s.channels;
  PoolShape columns = s;
  columns.axis[0].in = depths;
  columns.axis[1].in = heights;
  columns.axis[2].in = width.pool;
  const PoolWindow window = {buffer,
                             {w.depth.start - w.depth.begin, 0, depths},
                             {w.height.start - w.height.begin, 0, heights},
                             {0, 0, width.pool}};
  const float scale = 1.0f / static_cast<float>(places);
  const int64_t step = width.stride * s.channels;
  for (int64_t first = begin; first < end; first += outputs) {
    const int64_t count = end - first < outputs ? end - first : outputs;
    float* to = buffer;
    for (int64_t d = w.depth.begin; d < w.depth.end; ++d) {
      for (int64_t h = w.height.begin; h < w.height.end; ++h) {
        const int64_t line = (d * s.axis[1].in + h) * width.in;
        for (int64_t k = 0; k < width.pool; ++k) {
          const float* p = w.image + (line + first * width.stride - width.before + k) * s.channels;
          for (int64_t o = 0; o < count; ++o, p += step) {
            for (int64_t c = 0; c < s.channels; ++c) *to++ = p[c];
          }
        }
      }
    }
    columns.channels = count * s.channels;
    fold_channels(columns, fold, window, scale, (row * width.out + first) * s.channels);
  }
}

// Rows first .. first + count - 1 of the output.
template <class Fold>
MYELIN_INLINE void fold_rows_of(const PoolShape& s, const Fold& fold, const float* x, int64_t first,
                                int64_t count) {
  const PoolAxis &depth = s.axis[0], &height = s.axis[1], &width = s.axis[2];
  const int64_t image = depth.in * height.in * width.in * s.channels;
  // Outputs from whole_begin to whole_end have their windows inside the width.
  int64_t whole_begin = 0, whole_end = 0;
  if (s.channels * 4 <= kLanes && width.stride != 0 && width.pool <= width.in &&
      depth.pool * height.pool * width.pool <= kPoolBuffer / 64) {
    whole_begin = (width.before + width.stride - 1) / width.stride;
    whole_end = (width.in - width.pool + width.before) / width.stride + 1;
    if (whole_end > width.out) whole_end = width.out;
    if (whole_begin > whole_end) whole_begin = whole_end;
  }
  for (int64_t row = first; row < first + count; ++row) {
    const PoolRow at = pool_row(row, depth.out, height.out);
    const PoolWindow w = {
        x + at.image * image, window_of(depth, at.depth), window_of(height, at.height), {}};
    fold_outputs(s, fold, w, row, 0, whole_begin);
    if (whole_begin < whole_end) fold_columns(s, fold, w, row, whole_begin, whole_end);
    fold_outputs(s, fold, w, row, whole_end, width.out);
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
