// NEON level for 64-bit ARM, where NEON and fused multiply-add belong to the baseline: four float
// lanes and no target region. The interface is described in portable.h.
#include "open.h"
#include <arm_neon.h>

#define MYELIN_LEVEL neon
#define MYELIN_LEVEL_NAME "neon"

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kLanes = 4;
constexpr bool kHasFma = true;
constexpr int kVectorRegisters = 32;
constexpr bool kQuickLookup = false;

struct Vec {
  float32x4_t v;
};
struct VecI {
  int32x4_t v;
};
struct Mask {
  uint32x4_t v;  // all ones where true
};

MYELIN_INLINE Vec zero() { return {vdupq_n_f32(0.0f)}; }
MYELIN_INLINE VecI zero_i() { return {vdupq_n_s32(0)}; }
MYELIN_INLINE Vec broadcast(float x) { return {vdupq_n_f32(x)}; }
MYELIN_INLINE VecI broadcast(int32_t x) { return {vdupq_n_s32(x)}; }
MYELIN_INLINE VecI iota() { return {int32x4_t{0, 1, 2, 3}}; }

MYELIN_INLINE Vec as_float(VecI a) { return {vreinterpretq_f32_s32(a.v)}; }
MYELIN_INLINE VecI as_int(Vec a) { return {vreinterpretq_s32_f32(a.v)}; }
MYELIN_INLINE uint32x4_t as_bits(Vec a) { return vreinterpretq_u32_f32(a.v); }
MYELIN_INLINE uint32x4_t as_bits(VecI a) { return vreinterpretq_u32_s32(a.v); }

MYELIN_INLINE Mask first_n(int64_t n) {
  return {vcgtq_s32(vdupq_n_s32(static_cast<int32_t>(n > 4 ? 4 : n)), iota().v)};
}

MYELIN_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
MYELIN_INLINE VecI load(const int32_t* p) { return {vld1q_s32(p)}; }
MYELIN_INLINE void store(float* p, Vec a) { vst1q_f32(p, a.v); }
MYELIN_INLINE void store(int32_t* p, VecI a) { vst1q_s32(p, a.v); }
MYELIN_INLINE Vec load_partial(const float* p, int64_t n) {
  float32x4_t r = vdupq_n_f32(0.0f);
  if (n > 0) r = vld1q_lane_f32(p, r, 0);
  if (n > 1) r = vld1q_lane_f32(p + 1, r, 1);
  if (n > 2) r = vld1q_lane_f32(p + 2, r, 2);
  if (n > 3) r = vld1q_lane_f32(p + 3, r, 3);
  return {r};
}
MYELIN_INLINE VecI load_partial(const int32_t* p, int64_t n) {
  int32x4_t r = vdupq_n_s32(0);
  if (n > 0) r = vld1q_lane_s32(p, r, 0);
  if (n > 1) r = vld1q_lane_s32(p + 1, r, 1);
  if (n > 2) r = vld1q_lane_s32(p + 2, r, 2);
  if (n > 3) r = vld1q_lane_s32(p + 3, r, 3);
  return {r};
}
MYELIN_INLINE void store_partial(float* p, Vec a, int64_t n) {
  if (n > 0) vst1q_lane_f32(p, a.v, 0);
  if (n > 1) vst1q_lane_f32(p + 1, a.v, 1);
  if (n > 2) vst1q_lane_f32(p + 2, a.v, 2);
  if (n > 3) vst1q_lane_f32(p + 3, a.v, 3);
}
MYELIN_INLINE void store_partial(int32_t* p, VecI a, int64_t n) {
  if (n > 0) vst1q_lane_s32(p, a.v, 0);
  if (n > 1) vst1q_lane_s32(p + 1, a.v, 1);
  if (n > 2) vst1q_lane_s32(p + 2, a.v, 2);
  if (n > 3) vst1q_lane_s32(p + 3, a.v, 3);
}

MYELIN_INLINE Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
MYELIN_INLINE Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
MYELIN_INLINE Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
MYELIN_INLINE Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
MYELIN_INLINE Vec operator-(Vec a) { return {vnegq_f32(a.v)}; }
MYELIN_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
MYELIN_INLINE Vec fms(Vec a, Vec b, Vec c) { return {vfmaq_f32(vnegq_f32(c.v), a.v, b.v)}; }
MYELIN_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
// Not vminq/vmaxq: those return NaN where the other levels return b.
MYELIN_INLINE Vec min(Vec a, Vec b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
MYELIN_INLINE Vec max(Vec a, Vec b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
MYELIN_INLINE Vec abs(Vec a) { return {vabsq_f32(a.v)}; }
MYELIN_INLINE Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
MYELIN_INLINE Vec round_even(Vec a) { return {vrndnq_f32(a.v)}; }
MYELIN_INLINE Vec floor(Vec a) { return {vrndmq_f32(a.v)}; }
MYELIN_INLINE Vec ceil(Vec a) { return {vrndpq_f32(a.v)}; }
MYELIN_INLINE Vec trunc(Vec a) { return {vrndq_f32(a.v)}; }

MYELIN_INLINE Vec from_bits(uint32x4_t a) { return {vreinterpretq_f32_u32(a)}; }
MYELIN_INLINE VecI from_bits_i(uint32x4_t a) { return {vreinterpretq_s32_u32(a)}; }
MYELIN_INLINE Vec operator&(Vec a, Vec b) { return from_bits(vandq_u32(as_bits(a), as_bits(b))); }
MYELIN_INLINE Vec operator|(Vec a, Vec b) { return from_bits(vorrq_u32(as_bits(a), as_bits(b))); }
MYELIN_INLINE Vec operator^(Vec a, Vec b) { return from_bits(veorq_u32(as_bits(a), as_bits(b))); }
MYELIN_INLINE Vec and_not(Vec a, Vec b) { return from_bits(vbicq_u32(as_bits(b), as_bits(a))); }

MYELIN_INLINE Mask operator<(Vec a, Vec b) { return {vcltq_f32(a.v, b.v)}; }
MYELIN_INLINE Mask operator<=(Vec a, Vec b) { return {vcleq_f32(a.v, b.v)}; }
MYELIN_INLINE Mask operator>(Vec a, Vec b) { return {vcgtq_f32(a.v, b.v)}; }
MYELIN_INLINE Mask operator>=(Vec a, Vec b) { return {vcgeq_f32(a.v, b.v)}; }
MYELIN_INLINE Mask operator==(Vec a, Vec b) { return {vceqq_f32(a.v, b.v)}; }
MYELIN_INLINE Mask operator!=(Vec a, Vec b) { return {vmvnq_u32(vceqq_f32(a.v, b.v))}; }
MYELIN_INLINE Mask unordered(Vec a, Vec b) {
  return {vmvnq_u32(vandq_u32(vceqq_f32(a.v, a.v), vceqq_f32(b.v, b.v)))};
}

MYELIN_INLINE Mask operator&(Mask a, Mask b) { return {vandq_u32(a.v, b.v)}; }
MYELIN_INLINE Mask operator|(Mask a, Mask b) { return {vorrq_u32(a.v, b.v)}; }
MYELIN_INLINE Mask operator^(Mask a, Mask b) { return {veorq_u32(a.v, b.v)}; }
MYELIN_INLINE Mask operator~(Mask a) { return {vmvnq_u32(a.v)}; }
MYELIN_INLINE uint32_t to_bits(Mask a) {
  return vaddvq_u32(vandq_u32(a.v, uint32x4_t{1, 2, 4, 8}));
}
MYELIN_INLINE bool any(Mask a) { return vmaxvq_u32(a.v) != 0; }
MYELIN_INLINE bool all(Mask a) { return vminvq_u32(a.v) != 0; }
MYELIN_INLINE VecI to_vec_i(Mask a) { return from_bits_i(a.v); }

MYELIN_INLINE Vec select(Mask m, Vec a, Vec b) { return {vbslq_f32(m.v, a.v, b.v)}; }
MYELIN_INLINE VecI select(Mask m, VecI a, VecI b) { return {vbslq_s32(m.v, a.v, b.v)}; }

MYELIN_INLINE Vec to_float(VecI a) { return {vcvtq_f32_s32(a.v)}; }
MYELIN_INLINE VecI to_int_trunc(Vec a) { return {vcvtq_s32_f32(a.v)}; }
MYELIN_INLINE VecI to_int_round(Vec a) { return {vcvtnq_s32_f32(a.v)}; }

MYELIN_INLINE VecI operator+(VecI a, VecI b) { return {vaddq_s32(a.v, b.v)}; }
MYELIN_INLINE VecI operator-(VecI a, VecI b) { return {vsubq_s32(a.v, b.v)}; }
MYELIN_INLINE VecI operator*(VecI a, VecI b) { return {vmulq_s32(a.v, b.v)}; }
MYELIN_INLINE VecI mul_pairs_u32(VecI a, VecI b) {
  const uint32x2_t x = vmovn_u64(vreinterpretq_u64_s32(a.v));
  const uint32x2_t y = vmovn_u64(vreinterpretq_u64_s32(b.v));
  return {vreinterpretq_s32_u64(vmull_u32(x, y))};
}
MYELIN_INLINE VecI high_words(VecI a) {
  return {vreinterpretq_s32_u64(vshrq_n_u64(vreinterpretq_u64_s32(a.v), 32))};
}
MYELIN_INLINE VecI join_words(VecI low, VecI high) {
  return {vreinterpretq_s32_u64(
      vsliq_n_u64(vreinterpretq_u64_s32(low.v), vreinterpretq_u64_s32(high.v), 32))};
}
MYELIN_INLINE void zip_pairs(VecI& a, VecI& b) {
  const uint64x2_t x = vreinterpretq_u64_s32(a.v), y = vreinterpretq_u64_s32(b.v);
  a = {vreinterpretq_s32_u64(vzip1q_u64(x, y))};
  b = {vreinterpretq_s32_u64(vzip2q_u64(x, y))};
}
MYELIN_INLINE VecI operator&(VecI a, VecI b) { return {vandq_s32(a.v, b.v)}; }
MYELIN_INLINE VecI operator|(VecI a, VecI b) { return {vorrq_s32(a.v, b.v)}; }
MYELIN_INLINE VecI operator^(VecI a, VecI b) { return {veorq_s32(a.v, b.v)}; }
MYELIN_INLINE VecI and_not(VecI a, VecI b) { return {vbicq_s32(b.v, a.v)}; }
template <int kBits>
MYELIN_INLINE VecI shl(VecI a) {
  return {vshlq_n_s32(a.v, kBits)};
}
template <int kBits>
MYELIN_INLINE VecI shr(VecI a) {
  return from_bits_i(vshrq_n_u32(as_bits(a), kBits));
}
template <int kBits>
MYELIN_INLINE VecI sra(VecI a) {
  return {vshrq_n_s32(a.v, kBits)};
}
MYELIN_INLINE Mask operator==(VecI a, VecI b) { return {vceqq_s32(a.v, b.v)}; }
MYELIN_INLINE Mask operator>(VecI a, VecI b) { return {vcgtq_s32(a.v, b.v)}; }
MYELIN_INLINE Mask operator<(VecI a, VecI b) { return {vcltq_s32(a.v, b.v)}; }

MYELIN_INLINE Vec swap_halves(Vec a) { return {vextq_f32(a.v, a.v, 2)}; }
MYELIN_INLINE float reduce_add(Vec a) {
  const Vec h = a + swap_halves(a);
  return vgetq_lane_f32(h.v, 0) + vgetq_lane_f32(h.v, 1);
}
MYELIN_INLINE float reduce_min(Vec a) {
  const Vec h = min(a, swap_halves(a));
  const float x = vgetq_lane_f32(h.v, 0), y = vgetq_lane_f32(h.v, 1);
  return x < y ? x : y;
}
MYELIN_INLINE float reduce_max(Vec a) {
  const Vec h = max(a, swap_halves(a));
  const float x = vgetq_lane_f32(h.v, 0), y = vgetq_lane_f32(h.v, 1);
  return x > y ? x : y;
}
MYELIN_INLINE int32_t reduce_add(VecI a) { return vaddvq_s32(a.v); }

MYELIN_INLINE Vec load_blocks(const float* p, int64_t) { return load(p); }
MYELIN_INLINE void transpose_blocks(Vec& a, Vec& b, Vec& c, Vec& d) {
  const float32x4_t p = vzip1q_f32(a.v, c.v), q = vzip1q_f32(b.v, d.v);
  const float32x4_t r = vzip2q_f32(a.v, c.v), s = vzip2q_f32(b.v, d.v);
  a = {vzip1q_f32(p, q)};
  b = {vzip2q_f32(p, q)};
  c = {vzip1q_f32(r, s)};
  d = {vzip2q_f32(r, s)};
}

MYELIN_INLINE void store_sums4(float* out, Vec a, Vec b, Vec c, Vec d) {
  vst1q_f32(out, vpaddq_f32(vpaddq_f32(a.v, b.v), vpaddq_f32(c.v, d.v)));
}
MYELIN_INLINE void transpose(Vec* r) {
  const float32x4_t ab_low = vzip1q_f32(r[0].v, r[2].v), ab_high = vzip2q_f32(r[0].v, r[2].v);
  const float32x4_t cd_low = vzip1q_f32(r[1].v, r[3].v), cd_high = vzip2q_f32(r[1].v, r[3].v);
  r[0].v = vzip1q_f32(ab_low, cd_low);
  r[1].v = vzip2q_f32(ab_low, cd_low);
  r[2].v = vzip1q_f32(ab_high, cd_high);
  r[3].v = vzip2q_f32(ab_high, cd_high);
}

MYELIN_INLINE VecI load_u8(const uint8_t* p) { return {int32x4_t{p[0], p[1], p[2], p[3]}}; }
MYELIN_INLINE void store_u8(uint8_t* p, VecI a) {
  const uint16x4_t words = vmovn_u32(as_bits(a));
  const uint8x8_t bytes = vmovn_u16(vcombine_u16(words, words));
  const uint32_t packed = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  __builtin_memcpy(p, &packed, 4);
}
MYELIN_INLINE VecI load_u8_partial(const uint8_t* p, int64_t n) {
  uint8_t bytes[4] = {};
  for (int64_t i = 0; i < n; ++i) bytes[i] = p[i];
  return load_u8(bytes);
}
MYELIN_INLINE void store_u8_partial(uint8_t* p, VecI a, int64_t n) {
  uint8_t bytes[4];
  store_u8(bytes, a);
  for (int64_t i = 0; i < n; ++i) p[i] = bytes[i];
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
