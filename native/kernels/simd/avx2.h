// AVX2 + FMA level: eight float lanes. The interface is described in portable.h.
#include "open.h"

#define MYELIN_LEVEL avx2
#define MYELIN_LEVEL_NAME "avx2"
#define MYELIN_TARGET_REGION 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kLanes = 8;
constexpr bool kHasFma = true;
constexpr int kVectorRegisters = 16;
constexpr bool kQuickLookup = true;

struct Vec {
  __m256 v;
};
struct VecI {
  __m256i v;
};
struct Mask {
  __m256 v;  // all ones where true
};

MYELIN_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
MYELIN_INLINE VecI zero_i() { return {_mm256_setzero_si256()}; }
MYELIN_INLINE Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
MYELIN_INLINE VecI broadcast(int32_t x) { return {_mm256_set1_epi32(x)}; }
MYELIN_INLINE VecI iota() { return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)}; }

MYELIN_INLINE Vec as_float(VecI a) { return {_mm256_castsi256_ps(a.v)}; }
MYELIN_INLINE VecI as_int(Vec a) { return {_mm256_castps_si256(a.v)}; }

MYELIN_INLINE Mask first_n(int64_t n) {
  const __m256i k = _mm256_set1_epi32(static_cast<int32_t>(n > 8 ? 8 : n));
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(k, iota().v))};
}

MYELIN_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
MYELIN_INLINE VecI load(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
MYELIN_INLINE void store(float* p, Vec a) { _mm256_storeu_ps(p, a.v); }
MYELIN_INLINE void store(int32_t* p, VecI a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v);
}
MYELIN_INLINE Vec load_partial(const float* p, int64_t n) {
  return {_mm256_maskload_ps(p, _mm256_castps_si256(first_n(n).v))};
}
MYELIN_INLINE VecI load_partial(const int32_t* p, int64_t n) {
  return {_mm256_maskload_epi32(p, _mm256_castps_si256(first_n(n).v))};
}
MYELIN_INLINE void store_partial(float* p, Vec a, int64_t n) {
  _mm256_maskstore_ps(p, _mm256_castps_si256(first_n(n).v), a.v);
}
MYELIN_INLINE void store_partial(int32_t* p, VecI a, int64_t n) {
  _mm256_maskstore_epi32(p, _mm256_castps_si256(first_n(n).v), a.v);
}

MYELIN_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator-(Vec a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
MYELIN_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
MYELIN_INLINE Vec fms(Vec a, Vec b, Vec c) { return {_mm256_fmsub_ps(a.v, b.v, c.v)}; }
MYELIN_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
MYELIN_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
MYELIN_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
MYELIN_INLINE Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
MYELIN_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
MYELIN_INLINE Vec round_even(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
MYELIN_INLINE Vec floor(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
MYELIN_INLINE Vec ceil(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
MYELIN_INLINE Vec trunc(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)};
}

MYELIN_INLINE Vec operator&(Vec a, Vec b) { return {_mm256_and_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator|(Vec a, Vec b) { return {_mm256_or_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator^(Vec a, Vec b) { return {_mm256_xor_ps(a.v, b.v)}; }
MYELIN_INLINE Vec and_not(Vec a, Vec b) { return {_mm256_andnot_ps(a.v, b.v)}; }

MYELIN_INLINE Mask operator<(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
MYELIN_INLINE Mask operator<=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
MYELIN_INLINE Mask operator>(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
MYELIN_INLINE Mask operator>=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
MYELIN_INLINE Mask operator==(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
MYELIN_INLINE Mask operator!=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
MYELIN_INLINE Mask unordered(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_UNORD_Q)}; }

MYELIN_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
MYELIN_INLINE Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.v, b.v)}; }
MYELIN_INLINE Mask operator^(Mask a, Mask b) { return {_mm256_xor_ps(a.v, b.v)}; }
MYELIN_INLINE Mask operator~(Mask a) {
  return {_mm256_xor_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))};
}
MYELIN_INLINE uint32_t to_bits(Mask a) { return static_cast<uint32_t>(_mm256_movemask_ps(a.v)); }
MYELIN_INLINE bool any(Mask a) { return to_bits(a) != 0; }
MYELIN_INLINE bool all(Mask a) { return to_bits(a) == 0xff; }
MYELIN_INLINE VecI to_vec_i(Mask a) { return {_mm256_castps_si256(a.v)}; }

MYELIN_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, m.v)}; }
MYELIN_INLINE VecI select(Mask m, VecI a, VecI b) {
  return {_mm256_blendv_epi8(b.v, a.v, _mm256_castps_si256(m.v))};
}

MYELIN_INLINE Vec to_float(VecI a) { return {_mm256_cvtepi32_ps(a.v)}; }
MYELIN_INLINE VecI to_int_trunc(Vec a) { return {_mm256_cvttps_epi32(a.v)}; }
MYELIN_INLINE VecI to_int_round(Vec a) { return {_mm256_cvtps_epi32(a.v)}; }

MYELIN_INLINE VecI operator+(VecI a, VecI b) { return {_mm256_add_epi32(a.v, b.v)}; }
MYELIN_INLINE VecI operator-(VecI a, VecI b) { return {_mm256_sub_epi32(a.v, b.v)}; }
MYELIN_INLINE VecI operator*(VecI a, VecI b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
MYELIN_INLINE VecI mul_pairs_u32(VecI a, VecI b) { return {_mm256_mul_epu32(a.v, b.v)}; }
MYELIN_INLINE VecI high_words(VecI a) { return {_mm256_srli_epi64(a.v, 32)}; }
MYELIN_INLINE VecI join_words(VecI low, VecI high) {
  return {_mm256_blend_epi32(low.v, _mm256_slli_epi64(high.v, 32), 0xaa)};
}
MYELIN_INLINE void zip_pairs(VecI& a, VecI& b) {
  const __m256i low = _mm256_unpacklo_epi64(a.v, b.v);
  b = {_mm256_unpackhi_epi64(a.v, b.v)};
  a = {low};
}
MYELIN_INLINE VecI operator&(VecI a, VecI b) { return {_mm256_and_si256(a.v, b.v)}; }
MYELIN_INLINE VecI operator|(VecI a, VecI b) { return {_mm256_or_si256(a.v, b.v)}; }
MYELIN_INLINE VecI operator^(VecI a, VecI b) { return {_mm256_xor_si256(a.v, b.v)}; }
MYELIN_INLINE VecI and_not(VecI a, VecI b) { return {_mm256_andnot_si256(a.v, b.v)}; }
template <int kBits>
MYELIN_INLINE VecI shl(VecI a) {
  return {_mm256_slli_epi32(a.v, kBits)};
}
template <int kBits>
MYELIN_INLINE VecI shr(VecI a) {
  return {_mm256_srli_epi32(a.v, kBits)};
}
template <int kBits>
MYELIN_INLINE VecI sra(VecI a) {
  return {_mm256_srai_epi32(a.v, kBits)};
}
MYELIN_INLINE Mask operator==(VecI a, VecI b) {
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))};
}
MYELIN_INLINE Mask operator>(VecI a, VecI b) {
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v, b.v))};
}
MYELIN_INLINE Mask operator<(VecI a, VecI b) { return b > a; }

MYELIN_INLINE float reduce_add(Vec a) {
  __m128 h = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  h = _mm_add_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}
MYELIN_INLINE float reduce_min(Vec a) {
  __m128 h = _mm_min_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  h = _mm_min_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_min_ss(h, _mm_movehdup_ps(h)));
}
MYELIN_INLINE float reduce_max(Vec a) {
  __m128 h = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  h = _mm_max_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}
MYELIN_INLINE int32_t reduce_add(VecI a) {
  __m128i h = _mm_add_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1)));
}

MYELIN_INLINE Vec load_blocks(const float* p, int64_t stride) {
  return {
      _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1)};
}
MYELIN_INLINE void transpose_blocks(Vec& a, Vec& b, Vec& c, Vec& d) {
  const __m256 p = _mm256_unpacklo_ps(a.v, c.v), q = _mm256_unpacklo_ps(b.v, d.v);
  const __m256 r = _mm256_unpackhi_ps(a.v, c.v), s = _mm256_unpackhi_ps(b.v, d.v);
  a = {_mm256_unpacklo_ps(p, q)};
  b = {_mm256_unpackhi_ps(p, q)};
  c = {_mm256_unpacklo_ps(r, s)};
  d = {_mm256_unpackhi_ps(r, s)};
}

MYELIN_INLINE void store_sums4(float* out, Vec a, Vec b, Vec c, Vec d) {
  const __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(a.v, b.v), _mm256_hadd_ps(c.v, d.v));
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
MYELIN_INLINE void transpose(Vec* r) {
  __m256 t[8], u[8];
  MYELIN_UNROLL for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm256_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  MYELIN_UNROLL for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  MYELIN_UNROLL for (int i = 0; i < 4; ++i) {
    r[i].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    r[i + 4].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

MYELIN_INLINE VecI load_u8(const uint8_t* p) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
MYELIN_INLINE void store_u8(uint8_t* p, VecI a) {
  const __m256i low = _mm256_and_si256(a.v, _mm256_set1_epi32(255));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
MYELIN_INLINE VecI load_u8_partial(const uint8_t* p, int64_t n) {
  alignas(8) uint8_t bytes[8] = {};
  for (int64_t i = 0; i < n; ++i) bytes[i] = p[i];
  return load_u8(bytes);
}
MYELIN_INLINE void store_u8_partial(uint8_t* p, VecI a, int64_t n) {
  alignas(8) uint8_t bytes[8];
  store_u8(bytes, a);
  for (int64_t i = 0; i < n; ++i) p[i] = bytes[i];
}

MYELIN_INLINE Vec reciprocal_estimate(Vec a) { return broadcast(1.0f) / a; }
MYELIN_INLINE Vec reciprocal(Vec a) { return broadcast(1.0f) / a; }
MYELIN_INLINE Vec lookup16(const float* table, VecI index) {
  const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index.v);
  const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index.v);
  return {_mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index.v, 28)))};
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
