// The matrix product's register tiles: rows x vectors accumulators that live in registers for all k
// steps of a block. Contracts are in gemm.h; packing is in gemm_pack.inl.h.

namespace myelin::MYELIN_LEVEL {
namespace {

// Accumulators hide the multiply-add's latency (4 cycles x 2 a cycle on current cores: 8 at least)
// and pay for the loads: a tile of R rows and V vectors loads R + V for R * V multiply-adds, and
// two loads a cycle keep up with two multiply-adds. V vectors and one broadcast must fit beside
// them. Measured on Zen 5 from L2: 14x2 vectors of 16 lanes and 6x2 of 8 lanes reach 98 % of peak;
// fewer rows down to 8 and 5 lose little, which is why rows are spread evenly over tiles.
constexpr int kTileRows = kLanes == 16 ? 14 : kVectorRegisters == 32 ? 8 : kLanes == 8 ? 6 : 4;
constexpr int kTileVectors = kLanes == 4 && kVectorRegisters == 32 ? 3 : 2;
constexpr int kTileAccumulators = kTileRows * kTileVectors;

// With few rows a tile widens, to keep its accumulators many and its reads of B long.
constexpr int kWidestVectors = 8;
constexpr int tile_vectors(int rows) {
  const int fit = kTileAccumulators / rows;
  return fit < kTileVectors ? kTileVectors : fit > kWidestVectors ? kWidestVectors : fit;
}

constexpr int64_t kPrefetchSteps = 64;

// AVX-512 masks a load for nothing; elsewhere whole vectors get a tile of their own.
constexpr bool kFreeMasks = kLanes == 16;

// One tile. `last` is how many columns of the last vector exist. Rows are reached through one
// pointer per three rows, because base + {0, 1, 2} * stride are addresses the load instruction
// forms itself. kPanels: the columns of B lie in several panels, `panel` floats apart.
template <int R, int V, bool kPartial, bool kPanels>
void gemm_tile(int64_t k, const float* a, int64_t a_row, int64_t a_step, const float* b,
               int64_t b_step, int64_t panel, float* c, int64_t ldc, int64_t last,
               bool accumulate) {
  constexpr int kGroups = (R + 2) / 3;
  constexpr int kPanelVectors = kPanels ? kTileVectors : V;
  Vec acc[R][V];
  MYELIN_UNROLL for (int i = 0; i < R; ++i) {
    MYELIN_UNROLL for (int v = 0; v < V; ++v) acc[i][v] = zero();
  }
  const float* rows[kGroups];
  MYELIN_UNROLL for (int g = 0; g < kGroups; ++g) rows[g] = a + 3 * g * a_row;
  // C is needed last; asked for now it comes while the sums run. Short sums do not hide the asking.
  if (k >= kPrefetchSteps) {
    MYELIN_UNROLL for (int i = 0; i < R; ++i) {
      MYELIN_UNROLL for (int v = 0; v < V * kLanes; v += 16) __builtin_prefetch(c + i * ldc + v, 1);
    }
  }
  for (int64_t p = 0; p < k; ++p) {
    Vec bv[V];
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      const float* from = b + v / kPanelVectors * panel + v % kPanelVectors * kLanes;
      bv[v] = kPartial && v == V - 1 ? load_partial(from, last) : load(from);
    }
    MYELIN_UNROLL for (int i = 0; i < R; ++i) {
      const Vec x = broadcast(rows[i / 3][(i % 3) * a_row]);
      MYELIN_UNROLL for (int v = 0; v < V; ++v) acc[i][v] = fma(x, bv[v], acc[i][v]);
    }
    MYELIN_UNROLL for (int g = 0; g < kGroups; ++g) rows[g] += a_step;
    b += b_step;
  }
  MYELIN_UNROLL for (int i = 0; i < R; ++i) {
    float* out = c + i * ldc;
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      if (kPartial && v == V - 1) {
        if (accumulate) acc[i][v] = load_partial(out + v * kLanes, last) + acc[i][v];
        store_partial(out + v * kLanes, acc[i][v], last);
      } else {
        if (accumulate) acc[i][v] = load(out + v * kLanes) + acc[i][v];
        store(out + v * kLanes, acc[i][v]);
      }
    }
  }
}

using TileFn = void (*)(int64_t, const float*, int64_t, int64_t, const float*, int64_t, int64_t,
                        float*, int64_t, int64_t, bool);

struct TileTable {
  TileFn partial[kTileRows][kWidestVectors];
  TileFn whole[kTileRows][kWidestVectors];
  // Over more than one panel, for few rows.
  TileFn panels[kTileRows][kWidestVectors];
};

template <int R, int V>
constexpr void fill_tiles(TileTable& table) {
  table.partial[R - 1][V - 1] = gemm_tile<R, V, true, false>;
  table.whole[R - 1][V - 1] = gemm_tile<R, V, kFreeMasks, false>;
  if constexpr (V > kTileVectors) table.panels[R - 1][V - 1] = gemm_tile<R, V, true, true>;
  if constexpr (V < tile_vectors(R)) {
    fill_tiles<R, V + 1>(table);
  } else if constexpr (R < kTileRows) {
    fill_tiles<R + 1, 1>(table);
  }
}
constexpr TileTable make_tiles() {
  TileTable table{};
  fill_tiles<1, 1>(table);
  return table;
}
constexpr TileTable kTiles = make_tiles();

void gemm_block(const GemmBlock& s) {
  if (s.m <= 0 || s.n <= 0) return;
  const int64_t tiles = (s.m + kTileRows - 1) / kTileRows;
  const int64_t base = s.m / tiles, longer = s.m - base * tiles;
  const bool packed_b = s.b_panel != 1;
  // The widest tile that the rows allow, in whole panels.
  const int64_t widest = tile_vectors(static_cast<int>(base + (longer > 0)));
  const int64_t vectors = packed_b ? widest / kTileVectors * kTileVectors : widest;
  const int64_t width = vectors * kLanes, panel = s.b_panel * kTileVectors * kLanes;
  for (int64_t col = 0; col < s.n; col += width) {
    const int64_t cols = s.n - col < width ? s.n - col : width;
    const int64_t used = (cols + kLanes - 1) / kLanes;
    const int64_t last = cols - (used - 1) * kLanes;
    const float* b = s.b + col * s.b_panel;
    const auto& by_rows = packed_b && used > kTileVectors ? kTiles.panels
                          : last == kLanes                ? kTiles.whole
                                                          : kTiles.partial;
    for (int64_t t = 0, row = 0; t < tiles; ++t) {
      const int64_t rows = base + (t < longer);
      by_rows[rows - 1][used - 1](s.k, s.a + row * s.a_row, s.a_row, s.a_step, b, s.b_step, panel,
                                  s.c + row * s.ldc + col, s.ldc, last, s.accumulate);
      row += rows;
    }
  }
}

// Four rows of B share each load of A, four sums leave in one store.
constexpr int kDotColumns = 4;
constexpr int kDotRows = kVectorRegisters == 32 ? 6 : kHasFma ? 3 : 2;

template <int R>
void dot_tile(int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, int64_t cols,
              float* c, int64_t ldc, bool accumulate) {
  // Missing columns repeat the last one; their sums are not stored.
  const float* columns[kDotColumns];
  MYELIN_UNROLL for (int j = 0; j < kDotColumns; ++j) {
    columns[j] = b + (j < cols ? j : cols - 1) * ldb;
  }
  Vec acc[R][kDotColumns];
  MYELIN_UNROLL for (int i = 0; i < R; ++i) {
    MYELIN_UNROLL for (int j = 0; j < kDotColumns; ++j) acc[i][j] = zero();
  }
  int64_t p = 0;
  for (; p + kLanes <= k; p += kLanes) {
    Vec bv[kDotColumns];
    MYELIN_UNROLL for (int j = 0; j < kDotColumns; ++j) bv[j] = load(columns[j] + p);
    MYELIN_UNROLL for (int i = 0; i < R; ++i) {
      const Vec x = load(a + i * lda + p);
      MYELIN_UNROLL for (int j = 0; j < kDotColumns; ++j) acc[i][j] = fma(x, bv[j], acc[i][j]);
    }
  }
  if (p < k) {
    const int64_t rest = k - p;
    Vec bv[kDotColumns];
    MYELIN_UNROLL for (int j = 0; j < kDotColumns; ++j) bv[j] = load_partial(columns[j] + p, rest);
    MYELIN_UNROLL for (int i = 0; i < R; ++i) {
      const Vec x = load_partial(a + i * lda + p, rest);
      MYELIN_UNROLL for (int j = 0; j < kDotColumns; ++j) acc[i][j] = fma(x, bv[j], acc[i][j]);
    }
  }
  MYELIN_UNROLL for (int i = 0; i < R; ++i) {
    float sums[kDotColumns];
    float* out = c + i * ldc;
    if (cols == kDotColumns && !accumulate) {
      store_sums4(out, acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
    } else {
      store_sums4(sums, acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
      for (int64_t j = 0; j < cols; ++j) out[j] = accumulate ? out[j] + sums[j] : sums[j];
    }
  }
}

using DotFn = void (*)(int64_t, const float*, int64_t, const float*, int64_t, int64_t, float*,
                       int64_t, bool);
template <int R>
constexpr void fill_dots(DotFn* table) {
  table[R - 1] = dot_tile<R>;
  if constexpr (R > 1) fill_dots<R - 1>(table);
}
struct DotTable {
  DotFn rows[kDotRows];
};
constexpr DotTable make_dots() {
  DotTable table{};
  fill_dots<kDotRows>(table.rows);
  return table;
}
constexpr DotTable kDots = make_dots();

void gemm_dot(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
              int64_t ldb, float* c, int64_t ldc, bool accumulate) {
  if (m <= 0 || n <= 0) return;
  const int64_t tiles = (m + kDotRows - 1) / kDotRows;
  const int64_t base = m / tiles, longer = m - base * tiles;
  for (int64_t col = 0; col < n; col += kDotColumns) {
    const int64_t cols = n - col < kDotColumns ? n - col : kDotColumns;
    for (int64_t t = 0, row = 0; t < tiles; ++t) {
      const int64_t rows = base + (t < longer);
      kDots.rows[rows - 1](k, a + row * lda, lda, b + col * ldb, ldb, cols, c + row * ldc + col,
                           ldc, accumulate);
      row += rows;
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
