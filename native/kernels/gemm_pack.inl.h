// Packing for the matrix product: copies of B in column panels, laid out as gemm.h describes.
// Bandwidth-bound; each element is read and written once.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int64_t kPanel = kTileVectors * kLanes;

// Rows are read in runs of a few panels: long enough for the prefetcher, few enough output streams.
constexpr int64_t kPanelsAtOnce = 4;

void pack_b_rows(int64_t k, int64_t n, const float* b, int64_t ldb, float* out) {
  for (int64_t group = 0; group < n; group += kPanelsAtOnce * kPanel) {
    const int64_t end = n - group < kPanelsAtOnce * kPanel ? n : group + kPanelsAtOnce * kPanel;
    for (int64_t p = 0; p < k; ++p) {
      const float* row = b + p * ldb;
      float* to = out + group * k + p * kPanel;
      int64_t col = group;
      for (; col + kPanel <= end; col += kPanel, to += k * kPanel) {
        MYELIN_UNROLL for (int v = 0; v < kTileVectors; ++v) {
          store(to + v * kLanes, load(row + col + v * kLanes));
        }
      }
      if (col < end) {
        MYELIN_UNROLL for (int v = 0; v < kTileVectors; ++v) {
          const int64_t left = end - col - v * kLanes;
          store(to + v * kLanes, load_partial(row + col + v * kLanes, left < 0        ? 0
                                                                      : left > kLanes ? kLanes
                                                                                      : left));
        }
      }
    }
  }
}

// kLanes columns of the result (rows of b), `exist` of them real, to out with a step of kPanel.
void pack_b_transposed(int64_t k, const float* b, int64_t ldb, int64_t exist, float* out) {
  for (int64_t p = 0; p < k; p += kLanes) {
    const int64_t steps = k - p < kLanes ? k - p : kLanes;
    Vec r[kLanes];
    if (exist == kLanes && steps == kLanes) {
      MYELIN_UNROLL for (int i = 0; i < kLanes; ++i) r[i] = load(b + i * ldb + p);
      transpose(r);
      MYELIN_UNROLL for (int i = 0; i < kLanes; ++i) store(out + (p + i) * kPanel, r[i]);
      continue;
    }
    for (int i = 0; i < kLanes; ++i) {
      r[i] = i < exist ? load_partial(b + i * ldb + p, steps) : zero();
    }
    transpose(r);
    for (int64_t i = 0; i < steps; ++i) store(out + (p + i) * kPanel, r[i]);
  }
}

void gemm_pack_b(int64_t k, int64_t n, const float* b, int64_t ldb, bool trans, float* out) {
  if (!trans) return pack_b_rows(k, n, b, ldb, out);
  for (int64_t col = 0; col < n; col += kPanel) {
    for (int64_t v = 0; v < kTileVectors; ++v) {
      const int64_t first = col + v * kLanes, left = n - first;
      const int64_t exist = left < 0 ? 0 : left > kLanes ? kLanes : left;
      pack_b_transposed(k, b + (exist > 0 ? first : 0) * ldb, ldb, exist,
                        out + col * k + v * kLanes);
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
