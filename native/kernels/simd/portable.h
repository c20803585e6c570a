// Portable level: four float lanes in GCC/clang vector extensions, which every target can compile.
// A few SSE2 intrinsics stand in where the generic form would be slow on x86-64.
//
// This header is also the reference for the vector interface; all levels define the same names in
// namespace myelin::<level>, unnamed inside, so that no symbol of one level can be linked into
// another.
//   Vec, VecI, Mask      kLanes float lanes, int32 lanes, lane conditions
//   load store           any alignment; float* gives Vec, int32_t* gives VecI
//   load_partial store_partial   the first n lanes, 0 <= n <= kLanes; the rest reads as 0, is not
//   touched min max              a < b ? a : b and a > b ? a : b in every lane, so b when either is
//   NaN fma fms fnma         a*b+c, a*b-c, c-a*b in one rounding where kHasFma, in two where not
//   reciprocal           1 / a to 0.6 ulp for a in [1, 2^126]; beyond, results may be flushed
//   reciprocal_estimate  1 / a, at least 14 bits of it
//   lookup16             table[index & 15]; kQuickLookup where it is a permutation of registers
//   round_even floor ceil trunc  keep the sign of zero, pass infinities, NaN and large values
//   through to_int_trunc to_int_round    results outside int32 are unspecified reduce_* fixed
//   order: lane i with lane i + kLanes/2, then halves of that, and so on
// Write no lambdas in target code (some compilers drop the region's target from them) and use no
// std:: templates (the linker may keep the copy compiled for this level and use it everywhere).
#include "open.h"

#define MYELIN_LEVEL portable
#define MYELIN_LEVEL_NAME "portable"

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kLanes = 4;
constexpr bool kHasFma = false;
constexpr int kVectorRegisters = 16;
constexpr bool kQuickLookup = false;

typedef float RawF __attribute__((vector_size(16)));
typedef int32_t RawI __attribute__((vector_size(16)));
typedef uint32_t RawU __attribute__((vector_size(16)));
typedef uint64_t RawU64 __attribute__((vector_size(32)));

struct Vec {
  RawF v;
};
struct VecI {
  RawI v;
};
struct Mask {
  RawI v;  // all ones where true
};

MYELIN_INLINE Vec zero() { return {RawF{0, 0, 0, 0}}; }
MYELIN_INLINE VecI zero_i() { return {RawI{0, 0, 0, 0}}; }
MYELIN_INLINE Vec broadcast(float x) { return {RawF{x, x, x, x}}; }
MYELIN_INLINE VecI broadcast(int32_t x) { return {RawI{x, x, x, x}}; }
MYELIN_INLINE VecI iota() { return {RawI{0, 1, 2, 3}}; }

MYELIN_INLINE Vec as_float(VecI a) { return {(RawF)a.v}; }
MYELIN_INLINE VecI as_int(Vec a) { return {(RawI)a.v}; }

MYELIN_INLINE Vec load(const float* p) {
  Vec r;
  __builtin_memcpy(&r.v, p, 16);
  return r;
}
MYELIN_INLINE VecI load(const int32_t* p) {
  VecI r;
  __builtin_memcpy(&r.v, p, 16);
  return r;
}
MYELIN_INLINE void store(float* p, Vec a) { __builtin_memcpy(p, &a.v, 16); }
MYELIN_INLINE void store(int32_t* p, VecI a) { __builtin_memcpy(p, &a.v, 16); }

MYELIN_INLINE VecI load_partial(const int32_t* p, int64_t n) {
  RawI r = {0, 0, 0, 0};
  if (n > 0) r[0] = p[0];
  if (n > 1) r[1] = p[1];
  if (n > 2) r[2] = p[2];
  if (n > 3) r[3] = p[3];
  return {r};
}
MYELIN_INLINE Vec load_partial(const float* p, int64_t n) {
  RawF r = {0, 0, 0, 0};
  if (n > 0) r[0] = p[0];
  if (n > 1) r[1] = p[1];
  if (n > 2) r[2] = p[2];
  if (n > 3) r[3] = p[3];
  return {r};
}
MYELIN_INLINE void store_partial(float* p, Vec a, int64_t n) {
  if (n > 0) p[0] = a.v[0];
  if (n > 1) p[1] = a.v[1];
  if (n > 2) p[2] = a.v[2];
  if (n > 3) p[3] = a.v[3];
}
MYELIN_INLINE void store_partial(int32_t* p, VecI a, int64_t n) {
  if (n > 0) p[0] = a.v[0];
  if (n > 1) p[1] = a.v[1];
  if (n > 2) p[2] = a.v[2];
  if (n > 3) p[3] = a.v[3];
}

MYELIN_INLINE Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
MYELIN_INLINE Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
MYELIN_INLINE Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
MYELIN_INLINE Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
MYELIN_INLINE Vec operator-(Vec a) { return {(RawF)((RawI)a.v ^ INT32_MIN)}; }
MYELIN_INLINE Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
MYELIN_INLINE Vec fms(Vec a, Vec b, Vec c) { return {a.v * b.v - c.v}; }
MYELIN_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }
MYELIN_INLINE Vec abs(Vec a) { return {(RawF)((RawI)a.v & INT32_MAX)}; }

MYELIN_INLINE Vec operator&(Vec a, Vec b) { return {(RawF)((RawI)a.v & (RawI)b.v)}; }
MYELIN_INLINE Vec operator|(Vec a, Vec b) { return {(RawF)((RawI)a.v | (RawI)b.v)}; }
MYELIN_INLINE Vec operator^(Vec a, Vec b) { return {(RawF)((RawI)a.v ^ (RawI)b.v)}; }
MYELIN_INLINE Vec and_not(Vec a, Vec b) { return {(RawF)(~(RawI)a.v & (RawI)b.v)}; }  // ~a & b

MYELIN_INLINE Mask operator<(Vec a, Vec b) { return {a.v < b.v}; }
MYELIN_INLINE Mask operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
MYELIN_INLINE Mask operator>(Vec a, Vec b) { return {a.v > b.v}; }
MYELIN_INLINE Mask operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
MYELIN_INLINE Mask operator==(Vec a, Vec b) { return {a.v == b.v}; }
MYELIN_INLINE Mask operator!=(Vec a, Vec b) { return {a.v != b.v}; }
MYELIN_INLINE Mask unordered(Vec a, Vec b) { return {(a.v != a.v) | (b.v != b.v)}; }

MYELIN_INLINE Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
MYELIN_INLINE Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
MYELIN_INLINE Mask operator^(Mask a, Mask b) { return {a.v ^ b.v}; }
MYELIN_INLINE Mask operator~(Mask a) { return {~a.v}; }
MYELIN_INLINE Mask first_n(int64_t n) {
  const int32_t k = n > 4 ? 4 : static_cast<int32_t>(n);
  return {RawI{0, 1, 2, 3} < RawI{k, k, k, k}};
}
MYELIN_INLINE uint32_t to_bits(Mask a) {
  return static_cast<uint32_t>((a.v[0] & 1) | (a.v[1] & 2) | (a.v[2] & 4) | (a.v[3] & 8));
}
MYELIN_INLINE bool any(Mask a) { return to_bits(a) != 0; }
MYELIN_INLINE bool all(Mask a) { return to_bits(a) == 15; }
MYELIN_INLINE VecI to_vec_i(Mask a) { return {a.v}; }  // -1 where true, 0 elsewhere

MYELIN_INLINE Vec select(Mask m, Vec a, Vec b) {
  return {(RawF)((m.v & (RawI)a.v) | (~m.v & (RawI)b.v))};
}
MYELIN_INLINE VecI select(Mask m, VecI a, VecI b) { return {(m.v & a.v) | (~m.v & b.v)}; }

#if defined(__x86_64__)
MYELIN_INLINE Vec min(Vec a, Vec b) { return {(RawF)_mm_min_ps((__m128)a.v, (__m128)b.v)}; }
MYELIN_INLINE Vec max(Vec a, Vec b) { return {(RawF)_mm_max_ps((__m128)a.v, (__m128)b.v)}; }
MYELIN_INLINE Vec sqrt(Vec a) { return {(RawF)_mm_sqrt_ps((__m128)a.v)}; }
#else
MYELIN_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
MYELIN_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
MYELIN_INLINE Vec sqrt(Vec a) {
  return {RawF{__builtin_sqrtf(a.v[0]), __builtin_sqrtf(a.v[1]), __builtin_sqrtf(a.v[2]),
               __builtin_sqrtf(a.v[3])}};
}
#endif

// |x| + 2^23 has no fraction bits left, so the addition itself rounds to even.
MYELIN_INLINE Vec round_even(Vec a) {
  const Vec magic = broadcast(8388608.0f), sign = a ^ abs(a);
  const Vec r = ((abs(a) + magic) - magic) | sign;
  return select(abs(a) < magic, r, a);
}
MYELIN_INLINE Vec trunc(Vec a) {
  const Vec r = round_even(a), sign = a ^ abs(a);
  const Vec less = r - (broadcast(1.0f) | sign);
  return select(abs(r) > abs(a), less | sign, r);
}
MYELIN_INLINE Vec floor(Vec a) {
  const Vec r = round_even(a), sign = a ^ abs(a);
  return select(r > a, (r - broadcast(1.0f)) | sign, r);
}
MYELIN_INLINE Vec ceil(Vec a) {
  const Vec r = round_even(a), sign = a ^ abs(a);
  return select(r < a, (r + broadcast(1.0f)) | sign, r);
}

MYELIN_INLINE Vec to_float(VecI a) { return {__builtin_convertvector(a.v, RawF)}; }
#if defined(__x86_64__)
MYELIN_INLINE VecI to_int_trunc(Vec a) { return {(RawI)_mm_cvttps_epi32((__m128)a.v)}; }
MYELIN_INLINE VecI to_int_round(Vec a) { return {(RawI)_mm_cvtps_epi32((__m128)a.v)}; }
#else
MYELIN_INLINE VecI to_int_trunc(Vec a) { return {__builtin_convertvector(a.v, RawI)}; }
MYELIN_INLINE VecI to_int_round(Vec a) { return to_int_trunc(round_even(a)); }
#endif

// Unsigned underneath: signed overflow wraps here as it does in the instructions of other levels.
MYELIN_INLINE VecI operator+(VecI a, VecI b) { return {(RawI)((RawU)a.v + (RawU)b.v)}; }
MYELIN_INLINE VecI operator-(VecI a, VecI b) { return {(RawI)((RawU)a.v - (RawU)b.v)}; }
MYELIN_INLINE VecI operator*(VecI a, VecI b) { return {(RawI)((RawU)a.v * (RawU)b.v)}; }
// Pairs are two neighbouring lanes, the even one lower. mul_pairs_u32: the 64-bit unsigned products
// of even lanes, each in the place of its pair. high_words: each pair's odd lane in the even one, 0
// in the odd. join_words: pairs of the even lanes of low and high. zip_pairs: within each four
// lanes, a becomes the lower pairs of a and b, b the upper ones.
MYELIN_INLINE VecI mul_pairs_u32(VecI a, VecI b) {
#if defined(__x86_64__)
  return {(RawI)_mm_mul_epu32((__m128i)a.v, (__m128i)b.v)};
#else
  const RawU x = (RawU)a.v, y = (RawU)b.v;
  const uint64_t p = uint64_t{x[0]} * y[0], q = uint64_t{x[2]} * y[2];
  return {(RawI)RawU{static_cast<uint32_t>(p), static_cast<uint32_t>(p >> 32),
                     static_cast<uint32_t>(q), static_cast<uint32_t>(q >> 32)}};
#endif
}
MYELIN_INLINE VecI high_words(VecI a) { return {RawI{a.v[1], 0, a.v[3], 0}}; }
MYELIN_INLINE VecI join_words(VecI low, VecI high) {
  return {__builtin_shufflevector(low.v, high.v, 0, 4, 2, 6)};
}
MYELIN_INLINE void zip_pairs(VecI& a, VecI& b) {
  const RawI low = __builtin_shufflevector(a.v, b.v, 0, 1, 4, 5);
  b = {__builtin_shufflevector(a.v, b.v, 2, 3, 6, 7)};
  a = {low};
}
MYELIN_INLINE VecI operator&(VecI a, VecI b) { return {a.v & b.v}; }
MYELIN_INLINE VecI operator|(VecI a, VecI b) { return {a.v | b.v}; }
MYELIN_INLINE VecI operator^(VecI a, VecI b) { return {a.v ^ b.v}; }
MYELIN_INLINE VecI and_not(VecI a, VecI b) { return {~a.v & b.v}; }  // ~a & b
template <int kBits>
MYELIN_INLINE VecI shl(VecI a) {
  return {(RawI)((RawU)a.v << kBits)};
}
template <int kBits>
MYELIN_INLINE VecI shr(VecI a) {  // logical
  return {(RawI)((RawU)a.v >> kBits)};
}
template <int kBits>
MYELIN_INLINE VecI sra(VecI a) {  // arithmetic
  return {a.v >> kBits};
}
MYELIN_INLINE Mask operator==(VecI a, VecI b) { return {a.v == b.v}; }
MYELIN_INLINE Mask operator>(VecI a, VecI b) { return {a.v > b.v}; }
MYELIN_INLINE Mask operator<(VecI a, VecI b) { return {a.v < b.v}; }

MYELIN_INLINE float reduce_add(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
MYELIN_INLINE float reduce_min(Vec a) {
  const Vec h = min(a, Vec{RawF{a.v[2], a.v[3], a.v[2], a.v[3]}});
  return h.v[0] < h.v[1] ? h.v[0] : h.v[1];
}
MYELIN_INLINE float reduce_max(Vec a) {
  const Vec h = max(a, Vec{RawF{a.v[2], a.v[3], a.v[2], a.v[3]}});
  return h.v[0] > h.v[1] ? h.v[0] : h.v[1];
}
MYELIN_INLINE int32_t reduce_add(VecI a) {
  const RawU u = (RawU)a.v;
  return static_cast<int32_t>(u[0] + u[1] + u[2] + u[3]);
}

// Blocks are runs of four lanes. load_blocks reads block b from p + b * stride; transpose_blocks
// makes of each four blocks at one place in a, b, c, d the 4 x 4 transpose of them.
MYELIN_INLINE Vec load_blocks(const float* p, int64_t) { return load(p); }
MYELIN_INLINE void transpose_blocks(Vec& a, Vec& b, Vec& c, Vec& d) {
  const RawF p = __builtin_shufflevector(a.v, c.v, 0, 4, 1, 5);
  const RawF q = __builtin_shufflevector(b.v, d.v, 0, 4, 1, 5);
  const RawF r = __builtin_shufflevector(a.v, c.v, 2, 6, 3, 7);
  const RawF s = __builtin_shufflevector(b.v, d.v, 2, 6, 3, 7);
  a = {__builtin_shufflevector(p, q, 0, 4, 1, 5)};
  b = {__builtin_shufflevector(p, q, 2, 6, 3, 7)};
  c = {__builtin_shufflevector(r, s, 0, 4, 1, 5)};
  d = {__builtin_shufflevector(r, s, 2, 6, 3, 7)};
}

// out[i] = sum of a[i]'s lanes for four vectors at once; fixed order, not that of reduce_add.
MYELIN_INLINE void store_sums4(float* out, Vec a, Vec b, Vec c, Vec d) {
  out[0] = reduce_add(a);
  out[1] = reduce_add(b);
  out[2] = reduce_add(c);
  out[3] = reduce_add(d);
}
// Transposes the kLanes x kLanes matrix whose rows are r[0] .. r[kLanes - 1].
MYELIN_INLINE void transpose(Vec* r) {
  const RawF a = r[0].v, b = r[1].v, c = r[2].v, d = r[3].v;
  r[0].v = RawF{a[0], b[0], c[0], d[0]};
  r[1].v = RawF{a[1], b[1], c[1], d[1]};
  r[2].v = RawF{a[2], b[2], c[2], d[2]};
  r[3].v = RawF{a[3], b[3], c[3], d[3]};
}

// Bytes: kLanes of them or the first n, widened without sign; storing keeps the low eight bits of
// each lane.
MYELIN_INLINE VecI load_u8(const uint8_t* p) { return {RawI{p[0], p[1], p[2], p[3]}}; }
MYELIN_INLINE void store_u8(uint8_t* p, VecI a) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<uint8_t>(a.v[i]);
}
MYELIN_INLINE VecI load_u8_partial(const uint8_t* p, int64_t n) {
  RawI r = {0, 0, 0, 0};
  if (n > 0) r[0] = p[0];
  if (n > 1) r[1] = p[1];
  if (n > 2) r[2] = p[2];
  if (n > 3) r[3] = p[3];
  return {r};
}
MYELIN_INLINE void store_u8_partial(uint8_t* p, VecI a, int64_t n) {
  if (n > 0) p[0] = static_cast<uint8_t>(a.v[0]);
  if (n > 1) p[1] = static_cast<uint8_t>(a.v[1]);
  if (n > 2) p[2] = static_cast<uint8_t>(a.v[2]);
  if (n > 3) p[3] = static_cast<uint8_t>(a.v[3]);
}

MYELIN_INLINE Vec reciprocal_estimate(Vec a) { return broadcast(1.0f) / a; }
MYELIN_INLINE Vec reciprocal(Vec a) { return broadcast(1.0f) / a; }
MYELIN_INLINE Vec lookup16(const float* table, VecI index) {
  int32_t j[kLanes];
  store(j, index);
  float r[kLanes];
  for (int i = 0; i < kLanes; ++i) r[i] = table[j[i] & 15];
  return load(r);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
