// AVX-512 (F, VL, BW, DQ) level: sixteen float lanes. The interface is described in portable.h.
#include "open.h"

#define MYELIN_LEVEL avx512
#define MYELIN_LEVEL_NAME "avx512"
#define MYELIN_TARGET_REGION 1
// Clang 18 to 21 count the long registers as a feature of their own.
#if defined(__clang__) && __clang_major__ >= 18 && __clang_major__ <= 21
#pragma clang attribute push(                                                       \
    __attribute__((target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq,evex512"))), \
    apply_to = function)
#elif defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")
#endif

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kLanes = 16;
constexpr bool kHasFma = true;
constexpr int kVectorRegisters = 32;
constexpr bool kQuickLookup = true;

struct Vec {
  __m512 v;
};
struct VecI {
  __m512i v;
};
struct Mask {
  __mmask16 v;
};

MYELIN_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
MYELIN_INLINE VecI zero_i() { return {_mm512_setzero_si512()}; }
MYELIN_INLINE Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
MYELIN_INLINE VecI broadcast(int32_t x) { return {_mm512_set1_epi32(x)}; }
MYELIN_INLINE VecI iota() {
  return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
}

MYELIN_INLINE Vec as_float(VecI a) { return {_mm512_castsi512_ps(a.v)}; }
MYELIN_INLINE VecI as_int(Vec a) { return {_mm512_castps_si512(a.v)}; }

MYELIN_INLINE Mask first_n(int64_t n) {
  return {static_cast<__mmask16>(n >= 16 ? 0xffffu : (1u << static_cast<unsigned>(n)) - 1u)};
}

MYELIN_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
MYELIN_INLINE VecI load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
MYELIN_INLINE void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
MYELIN_INLINE void store(int32_t* p, VecI a) { _mm512_storeu_si512(p, a.v); }
MYELIN_INLINE Vec load_partial(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(first_n(n).v, p)};
}
MYELIN_INLINE VecI load_partial(const int32_t* p, int64_t n) {
  return {_mm512_maskz_loadu_epi32(first_n(n).v, p)};
}
MYELIN_INLINE void store_partial(float* p, Vec a, int64_t n) {
  _mm512_mask_storeu_ps(p, first_n(n).v, a.v);
}
MYELIN_INLINE void store_partial(int32_t* p, VecI a, int64_t n) {
  _mm512_mask_storeu_epi32(p, first_n(n).v, a.v);
}

MYELIN_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator-(Vec a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
MYELIN_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
MYELIN_INLINE Vec fms(Vec a, Vec b, Vec c) { return {_mm512_fmsub_ps(a.v, b.v, c.v)}; }
MYELIN_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
MYELIN_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
MYELIN_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
MYELIN_INLINE Vec abs(Vec a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
MYELIN_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
MYELIN_INLINE Vec round_even(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
MYELIN_INLINE Vec floor(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
MYELIN_INLINE Vec ceil(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
MYELIN_INLINE Vec trunc(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)};
}

MYELIN_INLINE Vec operator&(Vec a, Vec b) { return {_mm512_and_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator|(Vec a, Vec b) { return {_mm512_or_ps(a.v, b.v)}; }
MYELIN_INLINE Vec operator^(Vec a, Vec b) { return {_mm512_xor_ps(a.v, b.v)}; }
MYELIN_INLINE Vec and_not(Vec a, Vec b) { return {_mm512_andnot_ps(a.v, b.v)}; }

MYELIN_INLINE Mask operator<(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
MYELIN_INLINE Mask operator<=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
MYELIN_INLINE Mask operator>(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
MYELIN_INLINE Mask operator>=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
MYELIN_INLINE Mask operator==(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
MYELIN_INLINE Mask operator!=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
MYELIN_INLINE Mask unordered(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_UNORD_Q)}; }

MYELIN_INLINE Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
MYELIN_INLINE Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.v | b.v)}; }
MYELIN_INLINE Mask operator^(Mask a, Mask b) { return {static_cast<__mmask16>(a.v ^ b.v)}; }
MYELIN_INLINE Mask operator~(Mask a) { return {static_cast<__mmask16>(~a.v)}; }
MYELIN_INLINE uint32_t to_bits(Mask a) { return a.v; }
MYELIN_INLINE bool any(Mask a) { return a.v != 0; }
MYELIN_INLINE bool all(Mask a) { return a.v == 0xffff; }
MYELIN_INLINE VecI to_vec_i(Mask a) { return {_mm512_movm_epi32(a.v)}; }

MYELIN_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }
MYELIN_INLINE VecI select(Mask m, VecI a, VecI b) {
  return {_mm512_mask_blend_epi32(m.v, b.v, a.v)};
}

MYELIN_INLINE Vec to_float(VecI a) { return {_mm512_cvtepi32_ps(a.v)}; }
MYELIN_INLINE VecI to_int_trunc(Vec a) { return {_mm512_cvttps_epi32(a.v)}; }
MYELIN_INLINE VecI to_int_round(Vec a) { return {_mm512_cvtps_epi32(a.v)}; }

MYELIN_INLINE VecI operator+(VecI a, VecI b) { return {_mm512_add_epi32(a.v, b.v)}; }
MYELIN_INLINE VecI operator-(VecI a, VecI b) { return {_mm512_sub_epi32(a.v, b.v)}; }
MYELIN_INLINE VecI operator*(VecI a, VecI b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
MYELIN_INLINE VecI mul_pairs_u32(VecI a, VecI b) { return {_mm512_mul_epu32(a.v, b.v)}; }
MYELIN_INLINE VecI high_words(VecI a) { return {_mm512_srli_epi64(a.v, 32)}; }
MYELIN_INLINE VecI join_words(VecI low, VecI high) {
  return {_mm512_mask_blend_epi32(0xaaaa, low.v, _mm512_slli_epi64(high.v, 32))};
}
MYELIN_INLINE void zip_pairs(VecI& a, VecI& b) {
  const __m512i low = _mm512_unpacklo_epi64(a.v, b.v);
  b = {_mm512_unpackhi_epi64(a.v, b.v)};
  a = {low};
}
MYELIN_INLINE VecI operator&(VecI a, VecI b) { return {_mm512_and_si512(a.v, b.v)}; }
MYELIN_INLINE VecI operator|(VecI a, VecI b) { return {_mm512_or_si512(a.v, b.v)}; }
MYELIN_INLINE VecI operator^(VecI a, VecI b) { return {_mm512_xor_si512(a.v, b.v)}; }
MYELIN_INLINE VecI and_not(VecI a, VecI b) { return {_mm512_andnot_si512(a.v, b.v)}; }
template <int kBits>
MYELIN_INLINE VecI shl(VecI a) {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
MYELIN_INLINE VecI shr(VecI a) {
  return {_mm512_srli_epi32(a.v, kBits)};
}
template <int kBits>
MYELIN_INLINE VecI sra(VecI a) {
  return {_mm512_srai_epi32(a.v, kBits)};
}
MYELIN_INLINE Mask operator==(VecI a, VecI b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
MYELIN_INLINE Mask operator>(VecI a, VecI b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }
MYELIN_INLINE Mask operator<(VecI a, VecI b) { return {_mm512_cmplt_epi32_mask(a.v, b.v)}; }

// The library's own _mm512_reduce_* leave the order to the compiler's header; these fix it.
MYELIN_INLINE __m256 upper_half(Vec a) { return _mm512_extractf32x8_ps(a.v, 1); }
MYELIN_INLINE float reduce_add(Vec a) {
  const __m256 q = _mm256_add_ps(_mm512_castps512_ps256(a.v), upper_half(a));
  __m128 h = _mm_add_ps(_mm256_castps256_ps128(q), _mm256_extractf128_ps(q, 1));
  h = _mm_add_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}
MYELIN_INLINE float reduce_min(Vec a) {
  const __m256 q = _mm256_min_ps(_mm512_castps512_ps256(a.v), upper_half(a));
  __m128 h = _mm_min_ps(_mm256_castps256_ps128(q), _mm256_extractf128_ps(q, 1));
  h = _mm_min_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_min_ss(h, _mm_movehdup_ps(h)));
}
MYELIN_INLINE float reduce_max(Vec a) {
  const __m256 q = _mm256_max_ps(_mm512_castps512_ps256(a.v), upper_half(a));
  __m128 h = _mm_max_ps(_mm256_castps256_ps128(q), _mm256_extractf128_ps(q, 1));
  h = _mm_max_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}
MYELIN_INLINE int32_t reduce_add(VecI a) {
  const __m256i q =
      _mm256_add_epi32(_mm512_castsi512_si256(a.v), _mm512_extracti64x4_epi64(a.v, 1));
  __m128i h = _mm_add_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
  h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1)));
}

MYELIN_INLINE Vec load_blocks(const float* p, int64_t stride) {
  __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(p));
  v = _mm512_insertf32x4(v, _mm_loadu_ps(p + stride), 1);
  v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 2 * stride), 2);
  return {_mm512_insertf32x4(v, _mm_loadu_ps(p + 3 * stride), 3)};
}
MYELIN_INLINE void transpose_blocks(Vec& a, Vec& b, Vec& c, Vec& d) {
  const __m512 p = _mm512_unpacklo_ps(a.v, c.v), q = _mm512_unpacklo_ps(b.v, d.v);
  const __m512 r = _mm512_unpackhi_ps(a.v, c.v), s = _mm512_unpackhi_ps(b.v, d.v);
  a = {_mm512_unpacklo_ps(p, q)};
  b = {_mm512_unpackhi_ps(p, q)};
  c = {_mm512_unpacklo_ps(r, s)};
  d = {_mm512_unpackhi_ps(r, s)};
}

MYELIN_INLINE void store_sums4(float* out, Vec a, Vec b, Vec c, Vec d) {
  const __m256 x = _mm256_add_ps(_mm512_castps512_ps256(a.v), upper_half(a));
  const __m256 y = _mm256_add_ps(_mm512_castps512_ps256(b.v), upper_half(b));
  const __m256 z = _mm256_add_ps(_mm512_castps512_ps256(c.v), upper_half(c));
  const __m256 w = _mm256_add_ps(_mm512_castps512_ps256(d.v), upper_half(d));
  const __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(x, y), _mm256_hadd_ps(z, w));
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
MYELIN_INLINE void transpose(Vec* r) {
  __m512 t[16], u[16];
  MYELIN_UNROLL for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  // u[4g + c]: rows 4g .. 4g + 3 of column c in each 128-bit quarter.
  MYELIN_UNROLL for (int i = 0; i < 16; i += 4) {
    u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  MYELIN_UNROLL for (int c = 0; c < 4; ++c) {
    const __m512 low01 = _mm512_shuffle_f32x4(u[c], u[c + 4], 0x44);
    const __m512 high01 = _mm512_shuffle_f32x4(u[c], u[c + 4], 0xee);
    const __m512 low23 = _mm512_shuffle_f32x4(u[c + 8], u[c + 12], 0x44);
    const __m512 high23 = _mm512_shuffle_f32x4(u[c + 8], u[c + 12], 0xee);
    r[c].v = _mm512_shuffle_f32x4(low01, low23, 0x88);
    r[c + 4].v = _mm512_shuffle_f32x4(low01, low23, 0xdd);
    r[c + 8].v = _mm512_shuffle_f32x4(high01, high23, 0x88);
    r[c + 12].v = _mm512_shuffle_f32x4(high01, high23, 0xdd);
  }
}

MYELIN_INLINE VecI load_u8(const uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
MYELIN_INLINE void store_u8(uint8_t* p, VecI a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
MYELIN_INLINE VecI load_u8_partial(const uint8_t* p, int64_t n) {
  return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_n(n).v, p))};
}
MYELIN_INLINE void store_u8_partial(uint8_t* p, VecI a, int64_t n) {
  _mm_mask_storeu_epi8(p, first_n(n).v, _mm512_cvtepi32_epi8(a.v));
}

MYELIN_INLINE Vec reciprocal_estimate(Vec a) { return {_mm512_rcp14_ps(a.v)}; }
MYELIN_INLINE Vec reciprocal(Vec a) {
  const __m512 r = _mm512_rcp14_ps(a.v);
  return {_mm512_fmadd_ps(r, _mm512_fnmadd_ps(a.v, r, _mm512_set1_ps(1.0f)), r)};
}
MYELIN_INLINE Vec lookup16(const float* table, VecI index) {
  return {_mm512_permutexvar_ps(index.v, _mm512_loadu_ps(table))};
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
