// The checks of simd_test.cc, compiled inside each level's target region like a kernel family.

namespace myelin::MYELIN_LEVEL {
namespace {

// Applies every vector function to kLanes elements; results lie one after another in out.
void run_unary(const float* x, float* out) {
  const Vec a = load(x);
  const Vec results[] = {-a,
                         abs(a),
                         sqrt(a),
                         round_even(a),
                         floor(a),
                         ceil(a),
                         trunc(a),
                         to_float(to_int_trunc(a)),
                         to_float(to_int_round(a))};
  for (const Vec& r : results) {
    store(out, r);
    out += kLanes;
  }
}

void run_binary(const float* x, const float* y, float* out) {
  const Vec a = load(x), b = load(y), one = broadcast(1.0f), none = zero();
  const Vec results[] = {a + b,
                         a - b,
                         a * b,
                         a / b,
                         min(a, b),
                         max(a, b),
                         select(a < b, one, none),
                         select(a <= b, one, none),
                         select(a > b, one, none),
                         select(a >= b, one, none),
                         select(a == b, one, none),
                         select(a != b, one, none),
                         select(unordered(a, b), one, none),
                         select(~(a < b), one, none),
                         select((a < b) | (a > b), one, none),
                         and_not(broadcast(-0.0f), a),
                         fma(a, b, one),
                         fms(a, b, one),
                         fnma(a, b, one)};
  for (const Vec& r : results) {
    store(out, r);
    out += kLanes;
  }
}

void run_int(const int32_t* x, const int32_t* y, int32_t* out) {
  const VecI a = load(x), b = load(y), one = broadcast(1), none = zero_i();
  VecI lower = a, upper = b;
  zip_pairs(lower, upper);
  const VecI results[] = {a + b,
                          a - b,
                          a * b,
                          mul_pairs_u32(a, b),
                          high_words(a),
                          join_words(a, b),
                          lower,
                          upper,
                          a & b,
                          a | b,
                          a ^ b,
                          and_not(a, b),
                          shl<5>(a),
                          shr<5>(a),
                          sra<5>(a),
                          select(a == b, one, none),
                          select(a > b, one, none),
                          select(a < b, one, none),
                          to_vec_i(a < b),
                          as_int(as_float(a)),
                          iota()};
  for (const VecI& r : results) {
    store(out, r);
    out += kLanes;
  }
}

void run_reduce(const float* x, const int32_t* y, float* out, int32_t* sum) {
  const Vec a = load(x);
  out[0] = reduce_add(a);
  out[1] = reduce_min(a);
  out[2] = reduce_max(a);
  *sum = reduce_add(load(y));
}

void copy_partial(const float* x, const int32_t* y, float* out, int32_t* out_i, int n) {
  store_partial(out, load_partial(x, n), n);
  store_partial(out_i, load_partial(y, n), n);
}
uint32_t first_bits(int n) { return to_bits(first_n(n)); }
void widen_narrow(const uint8_t* x, int32_t* wide, uint8_t* out) {
  store(wide, load_u8(x));
  store_u8(out, load_u8(x) + broadcast(300 * 256));
}
void copy_bytes(const uint8_t* x, uint8_t* out, int n) {
  store_u8_partial(out, load_u8_partial(x, n), n);
}

constexpr Level kLevel = {MYELIN_LEVEL_NAME, kLanes,       kHasFma,    run_unary,
                          run_binary,        run_int,      run_reduce, copy_partial,
                          first_bits,        widen_narrow, copy_bytes};

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
