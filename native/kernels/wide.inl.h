// Several vectors computed in step. An elementary function is one long chain of dependent
// operations: one vector after the other fills the processor's scheduler with operations that wait.
// Four interleaved take 18 % (exp) to 29 % (sigmoid) less time on Zen 5, with AVX2 as with AVX-512.
// Lanes are as in one vector, so an element's bits do not depend on how it was computed.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kWide = 4;

struct WideMask {
  Mask v[kWide];
};
struct WideI {
  VecI v[kWide];
};
// Mixes with Vec, which stands for itself in every part.
struct Wide {
  Vec v[kWide];
  Wide() = default;
  MYELIN_INLINE Wide(Vec x) {
    MYELIN_UNROLL
    for (int i = 0; i < kWide; ++i) v[i] = x;
  }
};

#define MYELIN_EACH(Result, ...)                          \
  {                                                       \
    Result r;                                             \
    MYELIN_UNROLL                                         \
    for (int i = 0; i < kWide; ++i) r.v[i] = __VA_ARGS__; \
    return r;                                             \
  }
MYELIN_INLINE Wide operator+(Wide a, Wide b)
    MYELIN_EACH(Wide, a.v[i] + b.v[i]) MYELIN_INLINE Wide operator-(Wide a, Wide b)
        MYELIN_EACH(Wide, a.v[i] - b.v[i]) MYELIN_INLINE Wide operator*(Wide a, Wide b)
            MYELIN_EACH(Wide, a.v[i] * b.v[i]) MYELIN_INLINE Wide operator/(Wide a, Wide b)
                MYELIN_EACH(Wide, a.v[i] / b.v[i]) MYELIN_INLINE Wide operator|(Wide a, Wide b)
                    MYELIN_EACH(Wide, a.v[i] | b.v[i]) MYELIN_INLINE Wide operator^(Wide a, Wide b)
                        MYELIN_EACH(Wide, a.v[i] ^ b.v[i]) MYELIN_INLINE Wide operator-(Wide a)
                            MYELIN_EACH(Wide, -a.v[i]) MYELIN_INLINE Wide
    abs(Wide a) MYELIN_EACH(Wide, abs(a.v[i])) MYELIN_INLINE Wide min(Wide a, Wide b)
        MYELIN_EACH(Wide, min(a.v[i], b.v[i])) MYELIN_INLINE Wide max(Wide a, Wide b)
            MYELIN_EACH(Wide, max(a.v[i], b.v[i])) MYELIN_INLINE Wide fma(Wide a, Wide b, Wide c)
                MYELIN_EACH(Wide, fma(a.v[i], b.v[i], c.v[i])) MYELIN_INLINE Wide
    fnma(Wide a, Wide b, Wide c)
        MYELIN_EACH(Wide, fnma(a.v[i], b.v[i], c.v[i])) MYELIN_INLINE WideMask operator<(Wide a,
                                                                                         Wide b)
            MYELIN_EACH(WideMask, a.v[i] < b.v[i]) MYELIN_INLINE Wide
    select(WideMask m, Wide a, Wide b)
        MYELIN_EACH(Wide, select(m.v[i], a.v[i], b.v[i])) MYELIN_INLINE WideI
    as_int(Wide a) MYELIN_EACH(WideI, as_int(a.v[i])) MYELIN_INLINE Wide as_float(WideI a)
        MYELIN_EACH(Wide, as_float(a.v[i])) MYELIN_INLINE WideI operator+(WideI a, VecI b)
            MYELIN_EACH(WideI, a.v[i] + b) MYELIN_INLINE WideI operator-(WideI a, VecI b)
                MYELIN_EACH(WideI, a.v[i] - b) MYELIN_INLINE WideI operator-(WideI a, WideI b)
                    MYELIN_EACH(WideI, a.v[i] - b.v[i]) template <int kBits>
                    MYELIN_INLINE WideI shl(WideI a)
                        MYELIN_EACH(WideI, shl<kBits>(a.v[i])) template <int kBits>
                        MYELIN_INLINE WideI sra(WideI a) MYELIN_EACH(WideI, sra<kBits>(a.v[i]))
#undef MYELIN_EACH

                            MYELIN_INLINE Wide reciprocal(Wide a) {
  Wide r;
  MYELIN_UNROLL
  for (int i = 0; i < kWide; ++i) r.v[i] = reciprocal(a.v[i]);
  return r;
}
MYELIN_INLINE Wide reciprocal_estimate(Wide a) {
  Wide r;
  MYELIN_UNROLL
  for (int i = 0; i < kWide; ++i) r.v[i] = reciprocal_estimate(a.v[i]);
  return r;
}
MYELIN_INLINE Wide lookup16(const float* table, WideI index) {
  Wide r;
  MYELIN_UNROLL
  for (int i = 0; i < kWide; ++i) r.v[i] = lookup16(table, index.v[i]);
  return r;
}
MYELIN_INLINE Wide load_wide_vec(const float* p) {
  Wide r;
  MYELIN_UNROLL
  for (int i = 0; i < kWide; ++i) r.v[i] = load(p + i * kLanes);
  return r;
}
MYELIN_INLINE void store(float* p, Wide a) {
  MYELIN_UNROLL
  for (int i = 0; i < kWide; ++i) store(p + i * kLanes, a.v[i]);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
