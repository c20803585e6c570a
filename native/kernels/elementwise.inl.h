// Micro-ops and tile helpers; contracts in elementwise.h. The tail of a loop goes through the same
// vector code as the rest, with partial loads and stores.

namespace myelin::MYELIN_LEVEL {
namespace {

template <class F>
MYELIN_INLINE void map(const void* pa, const void* pb, const void* pc, void* pout, int64_t n) {
  const auto* a = static_cast<const typename F::A*>(pa);
  const auto* b = static_cast<const typename F::B*>(pb);
  const auto* c = static_cast<const typename F::C*>(pc);
  auto* out = static_cast<typename F::Out*>(pout);
  int64_t i = 0;
  if constexpr (F::kIsLong) {
    for (; i + kWide * kLanes <= n; i += kWide * kLanes) {
      if constexpr (F::kArity == 1) {
        store(out + i, F::apply(load_wide_vec(a + i)));
      } else {
        store(out + i, F::apply(load_wide_vec(a + i), load_wide_vec(b + i)));
      }
    }
  }
  for (; i + kLanes <= n; i += kLanes) {
    if constexpr (F::kArity == 1) {
      store(out + i, F::apply(load(a + i)));
    } else if constexpr (F::kArity == 2) {
      store(out + i, F::apply(load(a + i), load(b + i)));
    } else {
      store(out + i, F::apply(load(a + i), load(b + i), load(c + i)));
    }
  }
  const int64_t left = n - i;
  if (left == 0) return;
  if constexpr (F::kArity == 1) {
    store_partial(out + i, F::apply(load_partial(a + i, left)), left);
  } else if constexpr (F::kArity == 2) {
    store_partial(out + i, F::apply(load_partial(a + i, left), load_partial(b + i, left)), left);
  } else {
    store_partial(
        out + i,
        F::apply(load_partial(a + i, left), load_partial(b + i, left), load_partial(c + i, left)),
        left);
  }
}

MYELIN_INLINE Vec lesser_or_nan(Vec x, Vec y) { return select(unordered(y, y), y, min(y, x)); }
MYELIN_INLINE Vec greater_or_nan(Vec x, Vec y) { return select(unordered(y, y), y, max(y, x)); }
MYELIN_INLINE VecI truth(Mask m) { return to_vec_i(m) & broadcast(1); }
MYELIN_INLINE Vec sign_of(Vec x) {
  return select(x > zero(), broadcast(1.0f), select(x < zero(), broadcast(-1.0f), x));
}
MYELIN_INLINE VecI sign_of(VecI x) { return sra<31>(x) | truth(x > zero_i()); }
MYELIN_INLINE VecI abs_of(VecI x) {
  const VecI s = sra<31>(x);
  return (x ^ s) - s;
}
MYELIN_INLINE VecI to_int_saturating(Vec x) {
  const Vec bounded = max(broadcast(-2147483648.0f), min(broadcast(2147483520.0f), x));
  const VecI r = select(x >= broadcast(2147483648.0f), broadcast(INT32_MAX), to_int_trunc(bounded));
  return select(unordered(x, x), zero_i(), r);
}

MYELIN_INLINE float floored_remainder(float a, float b) {
  const float r = __builtin_fmodf(a, b);
  if (r == 0.0f) return b < 0.0f ? -0.0f : 0.0f;
  return (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
// In double, where the quotient of two floats cannot round up to a whole number it does not reach.
MYELIN_INLINE float floored_quotient(float a, float b) {
  return static_cast<float>(__builtin_floor(static_cast<double>(a) / static_cast<double>(b)));
}
MYELIN_INLINE int32_t floored_quotient(int32_t a, int32_t b) {
  if (b == 0) return 0;
  if (b == -1) return static_cast<int32_t>(0u - static_cast<uint32_t>(a));  // INT32_MIN wraps
  const int32_t q = a / b;
  return q - static_cast<int32_t>(a % b != 0 && (a < 0) != (b < 0));
}
MYELIN_INLINE int32_t floored_remainder(int32_t a, int32_t b) {
  if (b == 0 || b == -1) return 0;
  const int32_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// MICRO(name, arity, operand types, result type, value of lanes x, y, z). LONG: a long chain of
// operations on one float, worth interleaving.
#define MYELIN_MICRO(name, arity, TA, TB, TC, TOut, ...) \
  MYELIN_MICRO_FORM(name, false, arity, TA, TB, TC, TOut, __VA_ARGS__)
#define LONG_BINARY_F32(name, ...) \
  MYELIN_MICRO_FORM(name, true, 2, float, float, float, float, __VA_ARGS__)
#define LONG_F32(name, ...) \
  MYELIN_MICRO_FORM(name, true, 1, float, float, float, float, __VA_ARGS__)
#define MYELIN_MICRO_FORM(name, is_long, arity, TA, TB, TC, TOut, ...)           \
  struct name##_lanes {                                                          \
    using A = TA;                                                                \
    using B = TB;                                                                \
    using C = TC;                                                                \
    using Out = TOut;                                                            \
    static constexpr int kArity = arity;                                         \
    static constexpr bool kIsLong = is_long;                                     \
    MYELIN_MICRO_APPLY_##arity(__VA_ARGS__)                                      \
  };                                                                             \
  void name(const void* a, const void* b, const void* c, void* out, int64_t n) { \
    map<name##_lanes>(a, b, c, out, n);                                          \
  }
#define MYELIN_MICRO_APPLY_1(...)        \
  template <class X>                     \
  static MYELIN_INLINE auto apply(X x) { \
    return __VA_ARGS__;                  \
  }
#define MYELIN_MICRO_APPLY_2(...)             \
  template <class X, class Y>                 \
  static MYELIN_INLINE auto apply(X x, Y y) { \
    return __VA_ARGS__;                       \
  }
#define MYELIN_MICRO_APPLY_3(...)                  \
  template <class X, class Y, class Z>             \
  static MYELIN_INLINE auto apply(X x, Y y, Z z) { \
    return __VA_ARGS__;                            \
  }
#define UNARY_F32(name, ...) MYELIN_MICRO(name, 1, float, float, float, float, __VA_ARGS__)
#define BINARY_F32(name, ...) MYELIN_MICRO(name, 2, float, float, float, float, __VA_ARGS__)
#define COMPARE_F32(name, ...) \
  MYELIN_MICRO(name, 2, float, float, float, int32_t, truth(__VA_ARGS__))
#define UNARY_I32(name, ...) MYELIN_MICRO(name, 1, int32_t, int32_t, int32_t, int32_t, __VA_ARGS__)
#define BINARY_I32(name, ...) MYELIN_MICRO(name, 2, int32_t, int32_t, int32_t, int32_t, __VA_ARGS__)

// Element by element: no vector form is worth its lines.
#define SCALAR(name, T, f)                                                        \
  void name(const void* pa, const void* pb, const void*, void* pout, int64_t n) { \
    const auto *a = static_cast<const T*>(pa), *b = static_cast<const T*>(pb);    \
    auto* out = static_cast<T*>(pout);                                            \
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);                       \
  }

UNARY_I32(copy, x)
MYELIN_MICRO(where, 3, int32_t, int32_t, int32_t, int32_t, select(x == zero_i(), z, y))

UNARY_F32(negative_f32, -x)
UNARY_F32(abs_f32, abs(x))
UNARY_F32(sign_f32, sign_of(x))
UNARY_F32(floor_f32, floor(x))
UNARY_F32(ceil_f32, ceil(x))
UNARY_F32(round_f32, round_even(x))
LONG_F32(exp_f32, exp(x))
UNARY_F32(expm1_f32, expm1(x))
UNARY_F32(log_f32, log(x))
UNARY_F32(log1p_f32, log1p(x))
UNARY_F32(sqrt_f32, sqrt(x))
UNARY_F32(rsqrt_f32, broadcast(1.0f) / sqrt(x))
UNARY_F32(square_f32, x* x)
UNARY_F32(reciprocal_f32, broadcast(1.0f) / x)
UNARY_F32(sin_f32, sin(x))
UNARY_F32(cos_f32, cos(x))
LONG_F32(tanh_f32, tanh(x))
LONG_F32(sigmoid_f32, sigmoid(x))
LONG_F32(erf_f32, erf(x))
LONG_F32(gelu_f32, gelu(x))
LONG_F32(geluTanh_f32, gelu_tanh(x))
UNARY_F32(relu_f32, select(x <= zero(), zero(), x))
MYELIN_MICRO(bitsToUniform_f32, 1, int32_t, int32_t, int32_t, float,
             to_float(shr<8>(x)) * broadcast(0x1p-24f))

BINARY_F32(add_f32, x + y)
BINARY_F32(subtract_f32, x - y)
BINARY_F32(multiply_f32, x* y)
BINARY_F32(divide_f32, x / y)
LONG_BINARY_F32(geluGrad_f32, gelu_grad(x, y))
LONG_BINARY_F32(geluTanhGrad_f32, gelu_tanh_grad(x, y))
BINARY_F32(power_f32, pow(x, y))
BINARY_F32(minimum_f32, lesser_or_nan(x, y))
BINARY_F32(maximum_f32, greater_or_nan(x, y))
SCALAR(mod_f32, float, floored_remainder)
SCALAR(floorDivide_f32, float, floored_quotient)
COMPARE_F32(equal_f32, x == y)
COMPARE_F32(notEqual_f32, x != y)
COMPARE_F32(less_f32, x < y)
COMPARE_F32(lessEqual_f32, x <= y)
COMPARE_F32(greater_f32, x > y)
COMPARE_F32(greaterEqual_f32, x >= y)

UNARY_I32(negative_i32, zero_i() - x)
UNARY_I32(abs_i32, abs_of(x))
UNARY_I32(sign_i32, sign_of(x))
UNARY_I32(square_i32, x* x)
BINARY_I32(add_i32, x + y)
BINARY_I32(subtract_i32, x - y)
BINARY_I32(multiply_i32, x* y)
BINARY_I32(minimum_i32, select(x < y, x, y))
BINARY_I32(maximum_i32, select(x > y, x, y))
SCALAR(mod_i32, int32_t, floored_remainder)
SCALAR(floorDivide_i32, int32_t, floored_quotient)
BINARY_I32(equal_i32, truth(x == y))
BINARY_I32(notEqual_i32, truth(~(x == y)))
BINARY_I32(less_i32, truth(x < y))
BINARY_I32(lessEqual_i32, truth(~(x > y)))
BINARY_I32(greater_i32, truth(x > y))
BINARY_I32(greaterEqual_i32, truth(~(x < y)))

BINARY_I32(logicalAnd, x& y)
BINARY_I32(logicalOr, x | y)
UNARY_I32(logicalNot, truth(x == zero_i()))

MYELIN_MICRO(cast_f32_i32, 1, float, float, float, int32_t, to_int_saturating(x))
MYELIN_MICRO(cast_i32_f32, 1, int32_t, int32_t, int32_t, float, to_float(x))
MYELIN_MICRO(cast_f32_bool, 1, float, float, float, int32_t, truth(x != zero()))
UNARY_I32(cast_i32_bool, truth(~(x == zero_i())))
UNARY_I32(cast_i32_u8, x& broadcast(255))
MYELIN_MICRO(cast_f32_u8, 1, float, float, float, int32_t, to_int_saturating(x) & broadcast(255))

#undef SCALAR
#undef BINARY_I32
#undef UNARY_I32
#undef COMPARE_F32
#undef BINARY_F32
#undef UNARY_F32
#undef LONG_F32
#undef LONG_BINARY_F32
#undef MYELIN_MICRO_APPLY_3
#undef MYELIN_MICRO_APPLY_2
#undef MYELIN_MICRO_APPLY_1
#undef MYELIN_MICRO
#undef MYELIN_MICRO_FORM

void tile_splat(const void* value, void* pout, int64_t n) {
  const VecI v = broadcast(*static_cast<const int32_t*>(value));
  auto* out = static_cast<int32_t*>(pout);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, v);
  if (i < n) store_partial(out + i, v, n - i);
}

MYELIN_INLINE VecI load_bytes_partial(const uint8_t* p, int64_t n) {
  uint8_t bytes[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) bytes[i] = p[i];
  return load_u8(bytes);
}
MYELIN_INLINE VecI load_wide(const int32_t* p) { return load(p); }
MYELIN_INLINE VecI load_wide(const uint8_t* p) { return load_u8(p); }
MYELIN_INLINE VecI load_wide_partial(const int32_t* p, int64_t n) { return load_partial(p, n); }
MYELIN_INLINE VecI load_wide_partial(const uint8_t* p, int64_t n) {
  return load_bytes_partial(p, n);
}

// Whole vectors are stored even at the end of a row: the next row overwrites what is too much.
template <class T>
MYELIN_INLINE void expand(const T* x, int64_t row_stride, int64_t col_stride, int64_t rows,
                          int64_t cols, int32_t* out) {
  if (col_stride == 0) {
    for (int64_t r = 0; r < rows; ++r, x += row_stride, out += cols) {
      const VecI v = broadcast(static_cast<int32_t>(*x));
      for (int64_t c = 0; c < cols; c += kLanes) store(out + c, v);
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r, x += row_stride, out += cols) {
    int64_t c = 0;
    for (; c + kLanes <= cols; c += kLanes) store(out + c, load_wide(x + c));
    if (c < cols) store(out + c, load_wide_partial(x + c, cols - c));
  }
}
void tile_expand_32(const void* x, int64_t row_stride, int64_t col_stride, int64_t rows,
                    int64_t cols, void* out) {
  expand(static_cast<const int32_t*>(x), row_stride, col_stride, rows, cols,
         static_cast<int32_t*>(out));
}
void tile_expand_8(const void* x, int64_t row_stride, int64_t col_stride, int64_t rows,
                   int64_t cols, void* out) {
  expand(static_cast<const uint8_t*>(x), row_stride, col_stride, rows, cols,
         static_cast<int32_t*>(out));
}

void tile_widen(const void* px, void* pout, int64_t n) {
  const auto* x = static_cast<const uint8_t*>(px);
  auto* out = static_cast<int32_t*>(pout);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load_u8(x + i));
  if (i < n) store_partial(out + i, load_bytes_partial(x + i, n - i), n - i);
}
void tile_narrow(const void* px, void* pout, int64_t n) {
  const auto* x = static_cast<const int32_t*>(px);
  auto* out = static_cast<uint8_t*>(pout);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_u8(out + i, load(x + i));
  for (; i < n; ++i) out[i] = static_cast<uint8_t>(x[i]);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
