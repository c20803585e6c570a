// Transposition and accumulation of 4-byte elements; contracts in move.h.

namespace myelin::MYELIN_LEVEL {
namespace {

// A tile is kLanes rows by four columns: four loads gather it, one 4 x 4 transpose of blocks turns
// it, and what is stored are whole vectors (at 16 lanes whole cache lines).
void transpose_32(const float* from, int64_t from_stride, int64_t rows, int64_t cols, float* to,
                  int64_t to_stride) {
  const int64_t full_rows = rows / kLanes * kLanes, full_cols = cols / 4 * 4;
  for (int64_t r = 0; r < full_rows; r += kLanes) {
    const float* p = from + r * from_stride;
    for (int64_t c = 0; c < full_cols; c += 4) {
      Vec v[4];
      MYELIN_UNROLL
      for (int k = 0; k < 4; ++k) v[k] = load_blocks(p + k * from_stride + c, 4 * from_stride);
      transpose_blocks(v[0], v[1], v[2], v[3]);
      MYELIN_UNROLL
      for (int k = 0; k < 4; ++k) store(to + (c + k) * to_stride + r, v[k]);
    }
    for (int64_t c = full_cols; c < cols; ++c) {
      for (int64_t k = 0; k < kLanes; ++k) to[c * to_stride + r + k] = p[k * from_stride + c];
    }
  }
  for (int64_t c = 0; full_rows < rows && c < cols; ++c) {
    for (int64_t r = full_rows; r < rows; ++r) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

template <class T>
MYELIN_INLINE void accumulate(T* to, const T* from, int64_t n) {
  int64_t i = 0;
  for (; n - i >= 2 * kLanes; i += 2 * kLanes) {
    const auto a = load(to + i) + load(from + i);
    const auto b = load(to + i + kLanes) + load(from + i + kLanes);
    store(to + i, a);
    store(to + i + kLanes, b);
  }
  for (; i < n; i += kLanes) {
    const int64_t m = n - i < kLanes ? n - i : kLanes;
    store_partial(to + i, load_partial(to + i, m) + load_partial(from + i, m), m);
  }
}
void accumulate_f32(float* to, const float* from, int64_t n) { accumulate(to, from, n); }
void accumulate_i32(int32_t* to, const int32_t* from, int64_t n) { accumulate(to, from, n); }

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
