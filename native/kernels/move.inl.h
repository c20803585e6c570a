// Transposition and accumulation of 4-byte elements; contracts in move.h.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int64_t kTurn = 64;

// Tiles of 64 x 64 by way of a buffer in L1, so that memory sees runs of 256 bytes on both sides.
// Turned directly, rows with a large power-of-two stride would share a few sets of the cache and be
// fetched again for every few columns.
void transpose_32(const float* from, int64_t from_stride, int64_t rows, int64_t cols, float* to,
                  int64_t to_stride) {
  if (rows < 8 || cols < 8) {  // few channels: partial vectors would cost more than elements
    for (int64_t c = 0; c < cols; ++c) {
      for (int64_t r = 0; r < rows; ++r) to[c * to_stride + r] = from[r * from_stride + c];
    }
    return;
  }
  alignas(64) float buffer[kTurn * kTurn];
  for (int64_t r0 = 0; r0 < rows; r0 += kTurn) {
    const int64_t height = rows - r0 < kTurn ? rows - r0 : kTurn;
    for (int64_t c0 = 0; c0 < cols; c0 += kTurn) {
      const int64_t width = cols - c0 < kTurn ? cols - c0 : kTurn;
      for (int64_t r = 0; r < height; ++r) {
        const float* p = from + (r0 + r) * from_stride + c0;
        int64_t c = 0;
        for (; width - c >= kLanes; c += kLanes) store(buffer + r * kTurn + c, load(p + c));
        if (c < width) store(buffer + r * kTurn + c, load_partial(p + c, width - c));
      }
      for (int64_t r = height; r % kLanes != 0; ++r) {
        for (int64_t c = 0; c < width; c += kLanes) store(buffer + r * kTurn + c, zero());
      }
      for (int64_t c = 0; c < width; c += 4) {
        for (int64_t r = 0; r < height; r += kLanes) {
          Vec v[4];
          MYELIN_UNROLL
          for (int k = 0; k < 4; ++k) v[k] = load_blocks(buffer + (r + k) * kTurn + c, 4 * kTurn);
          transpose_blocks(v[0], v[1], v[2], v[3]);
          float* target = to + (c0 + c) * to_stride + r0 + r;
          if (height - r >= kLanes && width - c >= 4) {
            MYELIN_UNROLL
            for (int k = 0; k < 4; ++k) store(target + k * to_stride, v[k]);
          } else {
            const int64_t n = height - r < kLanes ? height - r : kLanes;
            for (int64_t k = 0; k < 4 && c + k < width; ++k)
              store_partial(target + k * to_stride, v[k], n);
          }
        }
      }
    }
  }
}

// kWhole: of one vector exactly, the commonest run there is (a head, a few channels).
template <bool kWhole>
MYELIN_INLINE void copy_runs(const float* from, int64_t from_stride, int64_t runs, int64_t n,
                             float* to, int64_t to_stride) {
  for (int64_t r = 0; r < runs; ++r, from += from_stride, to += to_stride) {
    if (kWhole) {
      store(to, load(from));
      continue;
    }
    int64_t i = 0;
    for (; n - i >= kLanes; i += kLanes) store(to + i, load(from + i));
    if (i < n) store_partial(to + i, load_partial(from + i, n - i), n - i);
  }
}
void copy_runs_32(const float* from, int64_t from_stride, int64_t runs, int64_t n, float* to,
                  int64_t to_stride) {
  if (n == kLanes) {
    copy_runs<true>(from, from_stride, runs, n, to, to_stride);
  } else {
    copy_runs<false>(from, from_stride, runs, n, to, to_stride);
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
