// Reductions; contracts in reduce.h. One template per traversal, one small struct per operation.

namespace myelin::MYELIN_LEVEL {
namespace {

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using Type = Vec;
};
template <>
struct VectorOf<int32_t> {
  using Type = VecI;
};

MYELIN_INLINE Vec maximum_or_nan(Vec a, Vec b) { return select(unordered(b, b), b, max(b, a)); }
MYELIN_INLINE Vec minimum_or_nan(Vec a, Vec b) { return select(unordered(b, b), b, min(b, a)); }

// apply() of vectors and of scalars, and the identity. Integers wrap, so their scalars are unsigned
// inside.
struct Sum {
  static MYELIN_INLINE Vec apply(Vec a, Vec b) { return a + b; }
  static MYELIN_INLINE VecI apply(VecI a, VecI b) { return a + b; }
  static MYELIN_INLINE float apply(float a, float b) { return a + b; }
  static MYELIN_INLINE int32_t apply(int32_t a, int32_t b) {
    return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  }
  static MYELIN_INLINE float identity(float) { return 0.0f; }
  static MYELIN_INLINE int32_t identity(int32_t) { return 0; }
};
struct Prod {
  static MYELIN_INLINE Vec apply(Vec a, Vec b) { return a * b; }
  static MYELIN_INLINE VecI apply(VecI a, VecI b) { return a * b; }
  static MYELIN_INLINE float apply(float a, float b) { return a * b; }
  static MYELIN_INLINE int32_t apply(int32_t a, int32_t b) {
    return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
  }
  static MYELIN_INLINE float identity(float) { return 1.0f; }
  static MYELIN_INLINE int32_t identity(int32_t) { return 1; }
};
struct Max {
  static MYELIN_INLINE Vec apply(Vec a, Vec b) { return maximum_or_nan(a, b); }
  static MYELIN_INLINE VecI apply(VecI a, VecI b) { return select(a > b, a, b); }
  static MYELIN_INLINE float apply(float a, float b) { return a != a || a > b ? a : b; }
  static MYELIN_INLINE int32_t apply(int32_t a, int32_t b) { return a > b ? a : b; }
  static MYELIN_INLINE float identity(float) { return -__builtin_inff(); }
  static MYELIN_INLINE int32_t identity(int32_t) { return INT32_MIN; }
  // Lanes where x comes before best: a larger number, or NaN where there was none.
  static MYELIN_INLINE Mask beats(Vec x, Vec best) {
    return ~((x <= best) | unordered(best, best));
  }
  static MYELIN_INLINE Mask beats(VecI x, VecI best) { return x > best; }
};
struct Min {
  static MYELIN_INLINE Vec apply(Vec a, Vec b) { return minimum_or_nan(a, b); }
  static MYELIN_INLINE VecI apply(VecI a, VecI b) { return select(a < b, a, b); }
  static MYELIN_INLINE float apply(float a, float b) { return a != a || a < b ? a : b; }
  static MYELIN_INLINE int32_t apply(int32_t a, int32_t b) { return a < b ? a : b; }
  static MYELIN_INLINE float identity(float) { return __builtin_inff(); }
  static MYELIN_INLINE int32_t identity(int32_t) { return INT32_MAX; }
  static MYELIN_INLINE Mask beats(Vec x, Vec best) {
    return ~((x >= best) | unordered(best, best));
  }
  static MYELIN_INLINE Mask beats(VecI x, VecI best) { return x < best; }
};

// One value of the lanes, folding the upper half onto the lower until one is left.
template <class Op, class V, class T>
MYELIN_INLINE T across(V v, T) {
  T lanes[kLanes];
  store(lanes, v);
  MYELIN_UNROLL
  for (int half = kLanes / 2; half > 0; half /= 2) {
    MYELIN_UNROLL
    for (int i = 0; i < half; ++i) lanes[i] = Op::apply(lanes[i], lanes[i + half]);
  }
  return lanes[0];
}
template <>
MYELIN_INLINE float across<Sum>(Vec v, float) {
  return reduce_add(v);
}
template <>
MYELIN_INLINE int32_t across<Sum>(VecI v, int32_t) {
  return reduce_add(v);
}
template <>
MYELIN_INLINE float across<Max>(Vec v, float) {
  return any(unordered(v, v)) ? __builtin_nanf("") : reduce_max(v);
}
template <>
MYELIN_INLINE float across<Min>(Vec v, float) {
  return any(unordered(v, v)) ? __builtin_nanf("") : reduce_min(v);
}

template <class Op, class V>
MYELIN_INLINE V tree8(const V* a) {
  return Op::apply(Op::apply(Op::apply(a[0], a[1]), Op::apply(a[2], a[3])),
                   Op::apply(Op::apply(a[4], a[5]), Op::apply(a[6], a[7])));
}

// Eight accumulators hide the latency of an addition (four cycles, two a cycle). They are folded
// into the total every 16 rounds, so a lane's chain is 16 + n / (128 * kLanes) long.
template <class Op, class T>
MYELIN_INLINE T reduce_row(const T* x, int64_t n) {
  using V = typename VectorOf<T>::Type;
  constexpr int64_t kStep = 8 * kLanes, kRounds = 16;
  V total = broadcast(Op::identity(T()));
  int64_t i = 0;
  while (n - i >= kStep) {
    V a[8];
    MYELIN_UNROLL
    for (int k = 0; k < 8; ++k) a[k] = load(x + i + k * kLanes);
    const int64_t left = (n - i) / kStep - 1;
    const int64_t rounds = left < kRounds - 1 ? left : kRounds - 1;
    i += kStep;
    for (int64_t round = 0; round < rounds; ++round, i += kStep) {
      MYELIN_UNROLL
      for (int k = 0; k < 8; ++k) a[k] = Op::apply(a[k], load(x + i + k * kLanes));
    }
    total = Op::apply(total, tree8<Op>(a));
  }
  for (; n - i >= kLanes; i += kLanes) total = Op::apply(total, load(x + i));
  if (i < n) {
    const V rest = select(first_n(n - i), load_partial(x + i, n - i), broadcast(Op::identity(T())));
    total = Op::apply(total, rest);
  }
  return across<Op>(total, T());
}

template <class Op, class T>
MYELIN_INLINE void reduce_rows(const T* x, int64_t rows, int64_t n, T* out) {
  for (int64_t r = 0; r < rows; ++r) out[r] = reduce_row<Op>(x + r * n, n);
}

// kRows rows at one vector of columns, folded as a tree; loads are partial where kPartial.
template <class Op, int kRows, bool kPartial, class T>
MYELIN_INLINE typename VectorOf<T>::Type fold_rows(const T* x, int64_t stride, int64_t n) {
  typename VectorOf<T>::Type a[kRows];
  MYELIN_UNROLL
  for (int k = 0; k < kRows; ++k)
    a[k] = kPartial ? load_partial(x + k * stride, n) : load(x + k * stride);
  MYELIN_UNROLL
  for (int width = 1; width < kRows; width *= 2) {
    MYELIN_UNROLL
    for (int k = 0; k + width < kRows; k += 2 * width) a[k] = Op::apply(a[k], a[k + width]);
  }
  return a[0];
}

// Folds kRows rows and then out (unless this is the first pass) into out.
template <class Op, int kRows, class T>
MYELIN_INLINE void columns_pass(const T* x, int64_t cols, int64_t stride, T* out, bool first) {
  int64_t c = 0;
  if (first) {
    for (; cols - c >= kLanes; c += kLanes)
      store(out + c, fold_rows<Op, kRows, false>(x + c, stride, kLanes));
  } else {
    for (; cols - c >= kLanes; c += kLanes)
      store(out + c, Op::apply(load(out + c), fold_rows<Op, kRows, false>(x + c, stride, kLanes)));
  }
  if (c == cols) return;
  const int64_t n = cols - c;
  const auto rest = fold_rows<Op, kRows, true>(x + c, stride, n);
  store_partial(out + c, first ? rest : Op::apply(load_partial(out + c, n), rest), n);
}

// Eight rows at a time: eight read streams, which the prefetchers follow, and an eighth of the
// traffic to out.
template <class Op, class T>
MYELIN_INLINE void reduce_columns_plain(const T* x, int64_t rows, int64_t cols, int64_t stride,
                                        T* out) {
  int64_t r = 0;
  for (; rows - r >= 8; r += 8) columns_pass<Op, 8>(x + r * stride, cols, stride, out, r == 0);
  if (rows - r >= 4) {
    columns_pass<Op, 4>(x + r * stride, cols, stride, out, r == 0);
    r += 4;
  }
  for (; r < rows; ++r) columns_pass<Op, 1>(x + r * stride, cols, stride, out, r == 0);
}

template <class Op, class T>
MYELIN_INLINE void reduce_columns(const T* x, int64_t rows, int64_t cols, int64_t stride, T* out) {
  constexpr int64_t kWide = 256;
  if (rows == 0) {
    for (int64_t c = 0; c < cols; ++c) out[c] = Op::identity(T());
    return;
  }
  // Narrow: several rows seen as one wide row, so that vectors are full; then those are folded.
  const int64_t group = cols > 0 && stride == cols ? kWide / cols : 0;
  if (group >= 4 && rows >= 4 * group) {
    T wide[kWide];
    const int64_t groups = rows / group, done = groups * group;
    reduce_columns_plain<Op>(x, groups, group * cols, group * cols, wide);
    reduce_columns_plain<Op>(wide, group, cols, cols, out);
    for (int64_t r = done; r < rows; ++r) columns_pass<Op, 1>(x + r * cols, cols, cols, out, false);
    return;
  }
  reduce_columns_plain<Op>(x, rows, cols, stride, out);
}

// Finds the extreme at full speed, then looks for its first place; rows come back from L1 or L2.
template <class Op, class T>
MYELIN_INLINE int32_t arg_row(const T* x, int64_t n) {
  const T extreme = reduce_row<Op>(x, n);
  const auto wanted = broadcast(extreme);
  const bool is_nan = extreme != extreme;
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t m = n - i < kLanes ? n - i : kLanes;
    const auto v = m == kLanes ? load(x + i) : load_partial(x + i, m);
    const Mask hit = (is_nan ? ~(v == v) : v == wanted) & first_n(m);
    if (any(hit)) return static_cast<int32_t>(i + __builtin_ctz(to_bits(hit)));
  }
  return 0;  // only if another thread changes x meanwhile
}

template <class Op, class T>
MYELIN_INLINE void arg_rows(const T* x, int64_t rows, int64_t n, int32_t* out) {
  for (int64_t r = 0; r < rows; ++r) out[r] = arg_row<Op>(x + r * n, n);
}

// kVectors vectors of columns through all rows; wider strips waste less of each page of a tall
// matrix.
template <class Op, int kVectors, bool kPartial, class T>
MYELIN_INLINE void arg_strip(const T* x, int64_t rows, int64_t n, int64_t stride, int32_t* out) {
  typename VectorOf<T>::Type best[kVectors];
  VecI place[kVectors];
  MYELIN_UNROLL
  for (int k = 0; k < kVectors; ++k) {
    best[k] = kPartial ? load_partial(x, n) : load(x + k * kLanes);
    place[k] = zero_i();
  }
  for (int64_t r = 1; r < rows; ++r) {
    const T* p = x + r * stride;
    const VecI here = broadcast(static_cast<int32_t>(r));
    MYELIN_UNROLL
    for (int k = 0; k < kVectors; ++k) {
      const auto v = kPartial ? load_partial(p, n) : load(p + k * kLanes);
      const Mask better = Op::beats(v, best[k]);
      best[k] = select(better, v, best[k]);
      place[k] = select(better, here, place[k]);
    }
  }
  MYELIN_UNROLL
  for (int k = 0; k < kVectors; ++k) {
    if (kPartial) {
      store_partial(out, place[k], n);
    } else {
      store(out + k * kLanes, place[k]);
    }
  }
}

template <class Op, class T>
MYELIN_INLINE void arg_columns(const T* x, int64_t rows, int64_t cols, int64_t stride,
                               int32_t* out) {
  int64_t c = 0;
  for (; cols - c >= 4 * kLanes; c += 4 * kLanes)
    arg_strip<Op, 4, false>(x + c, rows, 4 * kLanes, stride, out + c);
  for (; cols - c >= kLanes; c += kLanes)
    arg_strip<Op, 1, false>(x + c, rows, kLanes, stride, out + c);
  if (c < cols) arg_strip<Op, 1, true>(x + c, rows, cols - c, stride, out + c);
}

#define MYELIN_REDUCTION(name, Op, T, suffix)                                                    \
  void name##_rows_##suffix(const T* x, int64_t rows, int64_t n, T* out) {                       \
    reduce_rows<Op>(x, rows, n, out);                                                            \
  }                                                                                              \
  void name##_columns_##suffix(const T* x, int64_t rows, int64_t cols, int64_t stride, T* out) { \
    reduce_columns<Op>(x, rows, cols, stride, out);                                              \
  }
#define MYELIN_ARG_REDUCTION(name, Op, T, suffix)                                      \
  void name##_rows_##suffix(const T* x, int64_t rows, int64_t n, int32_t* out) {       \
    arg_rows<Op>(x, rows, n, out);                                                     \
  }                                                                                    \
  void name##_columns_##suffix(const T* x, int64_t rows, int64_t cols, int64_t stride, \
                               int32_t* out) {                                         \
    arg_columns<Op>(x, rows, cols, stride, out);                                       \
  }
MYELIN_REDUCTION(sum, Sum, float, f32)
MYELIN_REDUCTION(sum, Sum, int32_t, i32)
MYELIN_REDUCTION(max, Max, float, f32)
MYELIN_REDUCTION(max, Max, int32_t, i32)
MYELIN_REDUCTION(min, Min, float, f32)
MYELIN_REDUCTION(min, Min, int32_t, i32)
MYELIN_REDUCTION(prod, Prod, float, f32)
MYELIN_REDUCTION(prod, Prod, int32_t, i32)
MYELIN_ARG_REDUCTION(argmax, Max, float, f32)
MYELIN_ARG_REDUCTION(argmax, Max, int32_t, i32)
MYELIN_ARG_REDUCTION(argmin, Min, float, f32)
MYELIN_ARG_REDUCTION(argmin, Min, int32_t, i32)
#undef MYELIN_REDUCTION
#undef MYELIN_ARG_REDUCTION

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
