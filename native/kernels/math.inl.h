// Elementary functions on Vec. Every lane is a function of its own value alone, whatever its place.
//
// Error bounds against the correctly rounded result over all float32, in ulp, and special values:
// see elementwise.h, whose kernels are these functions in a loop; tests/math_test.cc measures them.
// Polynomials are minimax fits made for these intervals, their coefficients rounded one by one with
// the rest refitted. Without FMA (portable) sums that must be exact use longer splittings; the rest
// is written so that the two roundings of fma() do no harm.

namespace myelin::MYELIN_LEVEL {
namespace {

// V is Vec or Wide throughout, and I the integers of it.
template <class V>
MYELIN_INLINE V sign_bits(V x) {
  return x ^ abs(x);
}

// 2^n, -126 <= n <= 127; 0 for -127.
template <class I>
MYELIN_INLINE auto exponent_only(I n) {
  return as_float(shl<23>(n + broadcast(127)));
}

// v * 2^n with one rounding into the denormals; |n| <= 250, n held in the low bits.
template <class V, class I>
MYELIN_INLINE V scale_by_power(V v, I n) {
  const I half = sra<1>(n);
  return v * exponent_only(half) * exponent_only(n - half);
}

// Rounds to an integer by adding 1.5 * 2^23: the sum's low bits are the integer itself.
constexpr float kRoundMagic = 12582912.0f;
constexpr int32_t kRoundMagicBits = 0x4b400000;

// ln 2 in two parts; the high one has 15 bits, so its product with any exponent is exact.
constexpr float kLn2High = 0x1.62e4p-1f;
constexpr float kLn2Low = 0x1.7f7d1cp-20f;

template <class V>
struct ExpParts {
  V r;                            // x - n ln 2, |r| <= ln 2 / 2
  V q;                            // e^r = 1 + r + q
  decltype(as_int(V(zero()))) n;  // shifted by kRoundMagicBits
};
// kExact: q takes in what the rounding of r lost, which saves a quarter of an ulp.
template <bool kExact = false, class V>
MYELIN_INLINE ExpParts<V> exp_parts(V x) {
  const V t = fma(x, broadcast(0x1.715476p0f), broadcast(kRoundMagic));
  const V n = t - broadcast(kRoundMagic);
  const V high = fnma(n, broadcast(kLn2High), x);  // exact
  const V r = fnma(n, broadcast(kLn2Low), high);
  V p = fma(r, broadcast(0.00015045903f), broadcast(0.0013930543f));
  p = fma(p, r, broadcast(0.00834151f));
  p = fma(p, r, broadcast(0.04166651f));
  p = fma(p, r, broadcast(0.16666636f));
  p = fma(p, r, broadcast(0.5f));
  if constexpr (kExact) return {r, fma(r * r, p, fnma(n, broadcast(kLn2Low), high - r)), as_int(t)};
  return {r, r * r * p, as_int(t)};
}

// For -88 <= x <= 88, where s is normal or 0: e^x = s (1 + u), to be had in one rounding.
template <class V>
struct ExpFraction {
  V s, u;
};
template <class V>
MYELIN_INLINE ExpFraction<V> exp_fraction(V x) {
  // The exponent's bias is in the magic number already.
  const V magic = broadcast(kRoundMagic + 127.0f);
  const V t = fma(x, broadcast(0x1.715476p0f), magic);
  const V n = t - magic;
  const V r = fnma(n, broadcast(kLn2Low), fnma(n, broadcast(kLn2High), x));
  V p = fma(r, broadcast(0.00015045903f), broadcast(0.0013930543f));
  p = fma(p, r, broadcast(0.00834151f));
  p = fma(p, r, broadcast(0.04166651f));
  p = fma(p, r, broadcast(0.16666636f));
  p = fma(p, r, broadcast(0.5f));
  return {as_float(shl<23>(as_int(t))), fma(V(r * r), p, r)};
}
template <class V>
MYELIN_INLINE V exp_within(V x) {
  const ExpFraction<V> e = exp_fraction(x);
  return fma(e.s, e.u, e.s);
}

template <class V>
MYELIN_INLINE V exp(V x) {
  // NaN passes both, being the second operand.
  const ExpParts<V> e = exp_parts(max(V(broadcast(-104.0f)), min(V(broadcast(89.0f)), x)));
  return scale_by_power(V(broadcast(1.0f) + (e.r + e.q)), e.n - broadcast(kRoundMagicBits));
}

// Powers of e at or below 1, for softmax: what would be denormal is 0.
template <class V>
MYELIN_INLINE V exp_at_most_one(V x) {
  return select(x < V(broadcast(-87.0f)), V(zero()), exp_within(x));
}

MYELIN_INLINE Vec expm1(Vec x) {
  const ExpParts<Vec> e = exp_parts<true>(max(broadcast(-18.0f), min(broadcast(89.0f), x)));
  // (s - 1/2) + s r + s q with s = 2^(n-1), doubled at the end because 2^128 is no float.
  const Vec s = as_float(shl<23>(e.n) + broadcast(0x3f000000));
  const Vec a = s - broadcast(0.5f);
  const Vec sr = s * e.r;
  const Vec sum = a + sr;
  const Vec rest = (a - sum) + sr;
  const Vec result = sum + fma(s, e.q, rest);
  return select(abs(x) < broadcast(0x1p-25f), x, result + result);
}

struct LogParts {
  Vec f;  // x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)
  Vec e;
};
// x > 0 and finite. Denormals are scaled up first (with flushing on they are 0 before they get
// here).
MYELIN_INLINE LogParts log_parts(Vec x) {
  const Mask tiny = x < broadcast(0x1p-126f);
  const VecI bits = as_int(select(tiny, x * broadcast(0x1p23f), x)) - broadcast(0x3f3504f3);
  const Vec e = to_float(sra<23>(bits));
  const VecI m = (bits & broadcast(0x007fffff)) + broadcast(0x3f3504f3);
  return {as_float(m) - broadcast(1.0f), select(tiny, e - broadcast(23.0f), e)};
}
// ln(1 + f) = f - f^2/2 + f^3 * log_tail(f)
MYELIN_INLINE Vec log_tail(Vec f) {
  Vec p = fma(f, broadcast(0.06946918f), broadcast(-0.11832388f));
  p = fma(p, f, broadcast(0.11876899f));
  p = fma(p, f, broadcast(-0.12374553f));
  p = fma(p, f, broadcast(0.14216563f));
  p = fma(p, f, broadcast(-0.16669902f));
  p = fma(p, f, broadcast(0.20002393f));
  p = fma(p, f, broadcast(-0.24999976f));
  return fma(p, f, broadcast(0.33333308f));
}
// Puts right what lies outside (0, inf): ln(0) is -inf, below it NaN; inf and NaN stay.
MYELIN_INLINE Vec log_specials(Vec x, Vec result) {
  const Vec outside =
      select(x == zero(), broadcast(-__builtin_inff()), broadcast(__builtin_nanf("")));
  return select(x > zero(), select(x == broadcast(__builtin_inff()), x, result), outside);
}

MYELIN_INLINE Vec log(Vec x) {
  const LogParts l = log_parts(x);
  const Vec f2 = l.f * l.f;
  Vec y = f2 * l.f * log_tail(l.f);
  y = fma(l.e, broadcast(kLn2Low), y);
  y = fnma(broadcast(0.5f), f2, y);
  return log_specials(x, fma(l.e, broadcast(kLn2High), l.f + y));
}

// ln of u = 1 + x rounded, plus what the rounding lost: d / u in first order.
MYELIN_INLINE Vec log1p(Vec x) {
  const Vec one = broadcast(1.0f);
  const Vec u = one + x;
  const Vec back = u - x;
  const Vec lost = (x - (u - back)) + (one - back);
  const LogParts l = log_parts(u);
  // lost / u = lost 2^-e / (1 + f). lost is 0 where e is so large that 2^-e would be denormal.
  const VecI e = to_int_trunc(max(broadcast(-125.0f), min(broadcast(125.0f), l.e)));
  const Vec d = lost * exponent_only(zero_i() - e);
  const Vec f2 = l.f * l.f;
  // 1 / (1 + f) to 3 %: d is at most half an ulp of 1 + f, and counts only where f is small.
  const Vec inverse = fma(l.f, fma(l.f, one - l.f, -one), one);
  Vec y = fma(f2 * l.f, log_tail(l.f), d * inverse);
  y = fma(l.e, broadcast(kLn2Low), y);
  y = fnma(broadcast(0.5f), f2, y);
  const Vec result = log_specials(u, fma(l.e, broadcast(kLn2High), l.f + y));
  return select(abs(x) < broadcast(0x1p-25f), x, result);
}

template <class V>
MYELIN_INLINE V tanh(V x) {
  const V y = abs(x), y2 = y * y;
  V p = fma(y2, broadcast(-0.0056922967f), broadcast(0.020628167f));
  p = fma(p, y2, broadcast(-0.053736515f));
  p = fma(p, y2, broadcast(0.13331406f));
  p = fma(p, y2, broadcast(-0.3333328f));
  const V small = fma(y * y2, p, y);
  const V bounded = min(V(broadcast(10.0f)), y);
  const V e = exp_within(V(bounded + bounded));
  const V large = fnma(broadcast(2.0f), reciprocal(e + broadcast(1.0f)), broadcast(1.0f));
  return select(y < V(broadcast(0.625f)), small, large) | sign_bits(x);
}

// 1 / (1 + s + s u) by an estimate and one step of Newton's. What the estimate q falls short of,
// 1 - q - q s - q s u, is taken from the parts (q s is exact), so no rounding of the sum counts.
// Beyond 88 the result is 1 or would be denormal. NaN passes, being the second operand.
template <class V>
MYELIN_INLINE V sigmoid(V x) {
  const V one = broadcast(1.0f);
  const ExpFraction<V> e = exp_fraction(V(-max(V(broadcast(-88.0f)), min(V(broadcast(88.0f)), x))));
  const V q = reciprocal_estimate(fma(e.s, e.u, V(one + e.s)));
  const V qs = q * e.s;
  return fma(q, fnma(qs, e.u, V((one - q) - qs)), q);
}

// Odd polynomial near 0; beyond, erf = 1 - exp(-p) with p a fit of -ln(erfc).
template <class V>
MYELIN_INLINE V erf(V x) {
  const V y = abs(x), y2 = y * y;
  V p = fma(y2, broadcast(8.000279e-05f), broadcast(-0.00080503843f));
  p = fma(p, y2, broadcast(0.005192438f));
  p = fma(p, y2, broadcast(-0.026855737f));
  p = fma(p, y2, broadcast(0.11283626f));
  p = fma(p, y2, broadcast(-0.3761263f));
  p = fma(p, y2, broadcast(0.12837917f));
  V small = fma(y, p, y);
  if constexpr (!kHasFma) {  // y * p alone would be flushed
    small = select(y < V(broadcast(0x1p-64f)), V(y * broadcast(1.1283792f)), small);
  }
  const V t = min(V(broadcast(3.95f)), y);
  V q = fma(t, broadcast(2.1224503e-05f), broadcast(-0.0004359442f));
  q = fma(q, t, broadcast(0.004178178f));
  q = fma(q, t, broadcast(-0.025138022f));
  q = fma(q, t, broadcast(0.10830867f));
  q = fma(q, t, broadcast(0.63332105f));
  q = fma(q, t, broadcast(1.1295277f));
  q = fma(q, t, broadcast(-0.00017733376f));
  const V large = broadcast(1.0f) - exp_within(V(-q));
  return select(y < V(broadcast(0.9375f)), small, large) | sign_bits(x);
}

// GELU as src/ops/gelu.ts has it. Arguments are bounded so that infinities do not meet zeros; NaN
// passes.
template <class V>
MYELIN_INLINE V gelu_bounded(V x) {
  return max(V(broadcast(-40.0f)), min(V(broadcast(40.0f)), x));
}
template <class V>
MYELIN_INLINE V gelu_share(V x) {
  return broadcast(0.5f) + broadcast(0.5f) * erf(V(x * broadcast(0.70710678f)));
}
template <class V>
MYELIN_INLINE V gelu_tanh_share(V t) {
  const V cubed = t * t * t;
  return sigmoid(V(broadcast(1.5957691f) * fma(broadcast(0.044715f), cubed, t)));
}
// Phi(y) - 1/2 for the normal distribution's Phi, and the same with tanh, around y = 0.375 j:
// coefficient k of lane j stands in row k, for powers of y / 0.375 - j. From 5.625 on both are 1/2.
constexpr float kGeluTable[6][16] = {
    {0.0f, 0.146169767f, 0.27337265f, 0.369705468f, 0.43319279f, 0.469603628f, 0.487775534f,
     0.495667547f, 0.498650104f, 0.499630928f, 0.499911577f, 0.499981463f, 0.499996603f,
     0.499999464f, 0.499999911f, 0.5f},
    {0.149603352f, 0.139445662f, 0.112926535f, 0.079453744f, 0.0485691018f, 0.0257948544f,
     0.0119023686f, 0.00477156742f, 0.00166194292f, 0.000502919604f, 0.000132223475f,
     3.02027292e-05f, 5.99393115e-06f, 1.03348805e-06f, 1.54820256e-07f, 2.01501926e-08f},
    {7.00359379e-08f, -0.00980450027f, -0.0158800092f, -0.0167594589f, -0.0136600137f,
     -0.00906852167f, -0.00502150226f, -0.00234848028f, -0.000934854324f, -0.00031831357f,
     -9.28793161e-05f, -2.33495884e-05f, -5.05757589e-06f, -1.03755497e-06f, 1.21995161e-08f,
     -1.35406779e-07f},
    {-0.00350684416f, -0.00280865422f, -0.00115793454f, 0.000494589854f, 0.00142286147f,
     0.00152085256f, 0.00113330246f, 0.000658787205f, 0.000311620533f, 0.00012247554f,
     4.04781749e-05f, 1.13354718e-05f, 2.70355213e-06f, 5.51184769e-07f, 9.63161568e-08f,
     1.44555603e-08f},
    {1.62376966e-06f, 0.000325631641f, 0.000450335036f, 0.000338702404f, 0.000120473611f,
     -5.35969484e-05f, -0.000120029756f, -0.000106899097f, -6.57905402e-05f, -3.12900702e-05f,
     -1.24073658e-05f, -3.91609046e-06f, -1.04019739e-06f, 1.75144166e-08f, -4.9291134e-07f,
     3.0318148e-07f},
    {7.19586606e-05f, 4.97781621e-05f, -9.88282068e-07f, -3.87620566e-05f, -4.31864246e-05f,
     -2.43413979e-05f, -3.56108171e-06f, 7.06761148e-06f, 8.17331511e-06f, 5.3415506e-06f,
     2.55150212e-06f, 9.58784199e-07f, 2.929782e-07f, 7.41141335e-08f, 1.56965605e-08f,
     2.80403745e-09f},
};
constexpr float kGeluTanhTable[6][16] = {
    {0.0f, 0.146154031f, 0.27328074f, 0.369533151f, 0.433047712f, 0.469599485f, 0.487910509f,
     0.495846123f, 0.498787522f, 0.499705166f, 0.499941528f, 0.499990761f, 0.499998868f,
     0.499999881f, 0.5f, 0.5f},
    {0.149603352f, 0.139401644f, 0.112828761f, 0.0794128627f, 0.0486657694f, 0.0259576552f,
     0.0120006688f, 0.00476353103f, 0.00159957854f, 0.000445873098f, 0.000100982783f,
     1.81694795e-05f, 2.53868075e-06f, 2.69266991e-07f, 2.11965787e-08f, 1.2108976e-09f},
    {7.12403647e-08f, -0.00984067563f, -0.0158852208f, -0.0167003218f, -0.0135969874f,
     -0.0090709934f, -0.00507438742f, -0.00239302102f, -0.00094432733f, -0.000306956994f,
     -8.05266973e-05f, -1.68250426e-05f, -2.77668755e-06f, -1.76118391e-07f, -1.2132115e-07f,
     -6.57221477e-09f},
    {-0.0035242131f, -0.00281104492f, -0.00113691285f, 0.000510207028f, 0.00140924635f,
     0.00149654911f, 0.00112644304f, 0.000668960973f, 0.000322216831f, 0.000125601291f,
     3.90151945e-05f, 9.46093678e-06f, 1.75222681e-06f, 2.42490955e-07f, 2.45374157e-08f,
     1.77661941e-09f},
    {1.67997723e-06f, 0.000331499701f, 0.000453514484f, 0.000333612552f, 0.000114135437f,
     -5.16955697e-05f, -0.000115132883f, -0.000104759798f, -6.77443386e-05f, -3.36137964e-05f,
     -1.28979054e-05f, -3.36958465e-06f, -5.26035421e-07f, -5.29807721e-07f, 2.36412347e-07f,
     1.15559846e-08f},
    {7.35697249e-05f, 5.01708273e-05f, -2.49744153e-06f, -4.00941317e-05f, -4.21586519e-05f,
     -2.27727251e-05f, -3.64431412e-06f, 6.13126258e-06f, 7.78025878e-06f, 5.52879737e-06f,
     2.77345816e-06f, 1.01814987e-06f, 2.73278602e-07f, 5.30635091e-08f, 7.34965466e-09f,
     7.14744708e-10f},
};
// x / 2 + |x| (share of |x| - 1/2), which needs no sign. Half the operations of exponentials.
template <class V>
MYELIN_INLINE V gelu_by_table(V x, const float (&table)[6][16]) {
  const V bounded = max(V(broadcast(-40.0f)), x), y = abs(bounded);
  const V within = min(V(broadcast(5.625f)), y);
  const V t = fma(within, broadcast(0x1.555556p1f), broadcast(kRoundMagic));
  const V f = fma(within, broadcast(0x1.555556p1f), broadcast(kRoundMagic) - t);
  const auto j = as_int(t);
  V p = lookup16(table[5], j);
  MYELIN_UNROLL
  for (int k = 4; k >= 0; --k) p = fma(p, f, lookup16(table[k], j));
  return fma(y, p, broadcast(0.5f) * bounded);
}

template <class V>
MYELIN_INLINE V gelu(V x) {
  if constexpr (kQuickLookup) return gelu_by_table(x, kGeluTable);
  return max(V(broadcast(-40.0f)), x) * gelu_share(x);
}
template <class V>
MYELIN_INLINE V gelu_grad(V x, V g) {
  const V t = gelu_bounded(x);
  const V density = broadcast(0.39894228f) * exp_at_most_one(V(broadcast(-0.5f) * t * t));
  return g * fma(t, density, gelu_share(x));
}
template <class V>
MYELIN_INLINE V gelu_tanh(V x) {
  if constexpr (kQuickLookup) return gelu_by_table(x, kGeluTanhTable);
  return max(V(broadcast(-40.0f)), x) * gelu_tanh_share(gelu_bounded(x));
}
template <class V>
MYELIN_INLINE V gelu_tanh_grad(V x, V g) {
  const V t = gelu_bounded(x), s = gelu_tanh_share(t), one = broadcast(1.0f);
  const V slope = broadcast(1.5957691f) * fma(broadcast(0.134145f), t * t, one);
  return g * fma(V(t * slope), V(s * (one - s)), s);
}

// Unevaluated sums: hi + lo with |lo| at most half an ulp of hi, about 48 bits together.
struct Pair {
  Vec hi, lo;
};
MYELIN_INLINE Pair two_sum(Vec a, Vec b) {
  const Vec s = a + b, back = s - a;
  return {s, (a - (s - back)) + (b - back)};
}
MYELIN_INLINE Pair fast_two_sum(Vec a, Vec b) {  // |a| >= |b| or a == 0
  const Vec s = a + b;
  return {s, b - (s - a)};
}
MYELIN_INLINE Pair two_product(Vec a, Vec b) {
  const Vec p = a * b;
  if constexpr (kHasFma) {
    return {p, fms(a, b, p)};
  } else {  // halves of 12 bits; |a|, |b| < 2^115
    const Vec split = broadcast(4097.0f);
    const Vec ca = split * a, a_hi = ca - (ca - a), a_lo = a - a_hi;
    const Vec cb = split * b, b_hi = cb - (cb - b), b_lo = b - b_hi;
    return {p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
  }
}
MYELIN_INLINE Pair multiply(Pair a, Pair b) {
  const Pair p = two_product(a.hi, b.hi);
  return fast_two_sum(p.hi, p.lo + fma(a.hi, b.lo, a.lo * b.hi));
}

// Quadrant and remainder of x by pi/2, for one float of any size: 2/pi has the bits that matter for
// its exponent, and the product modulo 4 is taken in integers (Payne and Hanek).
struct BigReduction {
  float hi, lo;
  int32_t n;
};
MYELIN_NOINLINE BigReduction reduce_big_angle(float x) {
  // A zero word, then the fraction of 2/pi.
  static constexpr uint32_t kTwoOverPi[] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                            0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  const int exponent = static_cast<int>((bits >> 23) & 255) - 150;  // |x| = m 2^exponent
  const uint64_t m = (bits & 0x7fffff) | 0x800000;
  const int start =
      exponent - 2 + 32;  // bits before it give multiples of 4; x >= 2^12 keeps it > 0
  const int word = start >> 5, shift = start & 31;
  uint64_t w[3];
  for (int i = 0; i < 3; ++i) {
    const uint64_t two = uint64_t{kTwoOverPi[word + i]} << 32 | kTwoOverPi[word + i + 1];
    w[i] = (two << shift) >> 32;
  }
  const uint64_t p2 = m * w[2];
  const uint64_t p1 = m * w[1] + (p2 >> 32);
  const uint64_t p0 = m * w[0] + (p1 >> 32);
  const uint64_t v = p0 << 32 | (p1 & 0xffffffffu);  // two bits of quadrant, 62 of fraction
  const int32_t n = static_cast<int32_t>((v + (uint64_t{1} << 61)) >> 62);
  const double r = static_cast<double>(static_cast<int64_t>(v << 2)) * 0x1.921fb54442d18p-64;
  const float hi = static_cast<float>(r);
  const float lo = static_cast<float>(r - static_cast<double>(hi));
  return bits >> 31 ? BigReduction{-hi, -lo, -n} : BigReduction{hi, lo, n};
}

struct Angle {
  Pair r;  // x - n pi/2, |r| <= pi/4 and a little
  VecI n;
};
MYELIN_INLINE Angle reduce_angle(Vec x) {
  // Up to here n times a part of pi/2 is exact (with FMA: parts of 24 bits; without: of 12).
  const float limit = kHasFma ? 32768.0f : 4096.0f;
  const Vec t = fma(x, broadcast(0x1.45f306p-1f), broadcast(kRoundMagic));
  const Vec n = t - broadcast(kRoundMagic);
  Angle result;
  result.n = as_int(t) - broadcast(kRoundMagicBits);
  if constexpr (kHasFma) {
    const Vec first = fnma(n, broadcast(0x1.921fb6p0f), x);  // exact
    const Pair p = two_product(n, broadcast(-0x1.777a5cp-25f));
    const Pair d = two_sum(first, -p.hi);
    result.r = fast_two_sum(d.hi, fnma(n, broadcast(-0x1.ee59dap-50f), d.lo - p.lo));
  } else {
    const float parts[] = {0x1.92p0f,    0x1.fb4p-12f, 0x1.444p-24f,
                           0x1.68cp-39f, 0x1.1a6p-54f, 0x1.318p-69f};
    Vec hi = x, lo = zero();
    MYELIN_UNROLL
    for (int i = 0; i < 6; ++i) {
      const Pair d = two_sum(hi, -(n * broadcast(parts[i])));
      hi = d.hi;
      lo = lo + d.lo;
    }
    result.r = fast_two_sum(hi, lo);
  }
  const Mask big = abs(x) >= broadcast(limit);
  if (__builtin_expect(any(big), 0)) {
    float xs[kLanes], hi[kLanes], lo[kLanes];
    int32_t ns[kLanes];
    store(xs, x);
    store(hi, result.r.hi);
    store(lo, result.r.lo);
    store(ns, result.n);
    const uint32_t lanes = to_bits(big);
    for (int i = 0; i < kLanes; ++i) {
      if ((lanes >> i & 1) == 0) continue;
      if (__builtin_isinf(xs[i])) {
        hi[i] = lo[i] = __builtin_nanf("");
        continue;
      }
      const BigReduction b = reduce_big_angle(xs[i]);
      hi[i] = b.hi;
      lo[i] = b.lo;
      ns[i] = b.n;
    }
    result = {{load(hi), load(lo)}, load(ns)};
  }
  return result;
}

// sin when `quarter` is 0, cos when it is 1.
MYELIN_INLINE Vec sin_shifted(Angle a, int32_t quarter) {
  const VecI n = a.n + broadcast(quarter);
  const Vec r = a.r.hi, lo = a.r.lo, z = r * r;
  Vec s = fma(z, broadcast(2.83251e-06f), broadcast(-0.00019853064f));
  s = fma(s, z, broadcast(0.008333379f));
  s = fma(s, z, broadcast(-0.16666667f));
  const Vec sine = r + fma(r * z, s, lo);
  Vec c = fma(z, broadcast(2.443067e-05f), broadcast(-0.0013887301f));
  c = fma(c, z, broadcast(0.041666646f));
  const Vec half = broadcast(0.5f) * z;
  const Vec head = broadcast(1.0f) - half;
  const Vec cosine = head + (((broadcast(1.0f) - head) - half) + fnma(r, lo, z * z * c));
  const Mask odd = (n & broadcast(1)) == broadcast(1);
  return select(odd, cosine, sine) ^ as_float(shl<30>(n & broadcast(2)));
}
MYELIN_INLINE Vec sin(Vec x) { return select(x == zero(), x, sin_shifted(reduce_angle(x), 0)); }
MYELIN_INLINE Vec cos(Vec x) { return sin_shifted(reduce_angle(x), 1); }

// log2 of a positive finite number to about 40 bits.
MYELIN_INLINE Pair log2_pair(Vec x) {
  const LogParts l = log_parts(x);
  // s = f / (2 + f), then ln(1 + f) = 2 (s + s^3/3 + ...).
  const Vec one = broadcast(1.0f);
  const Vec m = one + l.f;  // exact
  const Vec den = one + m, den_lo = m - (den - one);
  const Vec s_hi = l.f / den;
  const Pair back = two_product(s_hi, den);
  const Vec s_lo = (((l.f - back.hi) - back.lo) - s_hi * den_lo) / den;
  const Pair s = {s_hi, s_lo};
  Pair z = two_product(s_hi, s_hi);
  z.lo = fma(s_hi + s_hi, s_lo, z.lo);
  Vec b = fma(z.hi, broadcast(0.12138919f), broadcast(0.14249407f));
  b = fma(b, z.hi, broadcast(0.20000486f));
  const Pair series = fast_two_sum(broadcast(0.3333333135f), z.hi * b);
  const Pair t = multiply(z, series);
  Pair factor = fast_two_sum(one, t.hi);
  factor.lo = factor.lo + t.lo;
  // 2 / ln 2
  const Pair log_m =
      multiply(multiply(s, factor), {broadcast(0x1.715476p1f), broadcast(0x1.4ae0cp-25f)});
  const Pair sum = fast_two_sum(l.e, log_m.hi);
  return {sum.hi, sum.lo + log_m.lo};
}

// 2^f, |f| <= 1/2.
MYELIN_INLINE Vec exp2_fraction(Vec f) {
  Vec p = fma(f, broadcast(0.00015816116f), broadcast(0.0013418341f));
  p = fma(p, f, broadcast(0.009617064f));
  p = fma(p, f, broadcast(0.055502724f));
  p = fma(p, f, broadcast(0.24022655f));
  return broadcast(1.0f) + fma(f * f, p, f * broadcast(0.69314724f));
}

// As C's pow in every special case.
MYELIN_INLINE Vec pow(Vec x, Vec y) {
  const Vec one = broadcast(1.0f), inf = broadcast(__builtin_inff());
  const Vec ax = abs(x);
  // |log2 x| is at least 2^-24 unless x is 1, so a larger exponent than this changes nothing.
  const Vec bounded = max(broadcast(-0x1p33f), min(broadcast(0x1p33f), y));
  const Pair l = log2_pair(ax);
  const Pair yl = two_product(bounded, l.hi);
  const Vec p_hi = max(broadcast(-160.0f), min(broadcast(160.0f), yl.hi));
  const Vec p_lo = select(abs(yl.hi) < broadcast(160.0f), fma(bounded, l.lo, yl.lo), zero());
  const Vec t = p_hi + broadcast(kRoundMagic);
  const Vec f = (p_hi - (t - broadcast(kRoundMagic))) + p_lo;
  Vec r = scale_by_power(exp2_fraction(f), as_int(t) - broadcast(kRoundMagicBits));

  const Mask rising = y > zero();
  r = select(ax == zero(), select(rising, zero(), inf), r);
  r = select(ax == inf, select(rising, inf, zero()), r);
  // A number of 2^24 or more is an even integer, and so is half of it.
  const Vec half = y * broadcast(0.5f);
  const Mask whole = trunc(y) == y;
  const Mask odd = whole & (trunc(half) != half);
  const Mask negative = as_int(x) < zero_i();
  r = select(odd & negative, -r, r);
  const Mask no_root = (x < zero()) & ~whole & (ax < inf);
  r = select(no_root | unordered(x, y), broadcast(__builtin_nanf("")), r);
  return select((y == zero()) | (x == one), one, r);
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
