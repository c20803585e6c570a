// The batch-reduce product's register tiles; the contract is in brgemm.h. As gemm.inl.h's, with one
// more loop: over the pieces, whose sums stay in registers.

namespace myelin::MYELIN_LEVEL {
namespace {

// One tile of R rows and V vectors; `row` and `col` are where the pieces' operands start for it.
// `last` is how many columns of the last vector exist. Returns how far it asked `ahead`.
template <int R, int V, bool kPartial>
const float* brgemm_tile(const BrgemmBlock& s, int64_t row, int64_t col, float* c, int64_t last,
                         const float* ahead) {
  constexpr int kGroups = (R + 2) / 3;
  const int64_t a_row = s.a_row, a_step = s.a_step, b_step = s.b_step;
  const int64_t ahead_step = s.ahead_step;
  Vec acc[R][V];
  MYELIN_UNROLL for (int i = 0; i < R; ++i) {
    MYELIN_UNROLL for (int v = 0; v < V; ++v) acc[i][v] = zero();
  }
  for (int64_t q = 0; q < s.count; ++q) {
    const float* a = s.pieces[q].a + row;
    const float* b = s.pieces[q].b + col;
    const float* rows[kGroups];
    MYELIN_UNROLL for (int g = 0; g < kGroups; ++g) rows[g] = a + 3 * g * a_row;
    for (int64_t p = s.pieces[q].k; p > 0; --p) {
      Vec bv[V];
      MYELIN_UNROLL for (int v = 0; v < V; ++v) {
        bv[v] = kPartial && v == V - 1 ? load_partial(b + v * kLanes, last) : load(b + v * kLanes);
      }
      __builtin_prefetch(ahead, 0, 2);  // into L2: L1 holds what this call reads
      ahead += ahead_step;
      MYELIN_UNROLL for (int i = 0; i < R; ++i) {
        const Vec x = broadcast(rows[i / 3][(i % 3) * a_row]);
        MYELIN_UNROLL for (int v = 0; v < V; ++v) acc[i][v] = fma(x, bv[v], acc[i][v]);
      }
      MYELIN_UNROLL for (int g = 0; g < kGroups; ++g) rows[g] += a_step;
      b += b_step;
    }
  }
  MYELIN_UNROLL for (int i = 0; i < R; ++i) {
    float* out = c + i * s.ldc;
    MYELIN_UNROLL for (int v = 0; v < V; ++v) {
      if (kPartial && v == V - 1) {
        if (s.accumulate) acc[i][v] = load_partial(out + v * kLanes, last) + acc[i][v];
        store_partial(out + v * kLanes, acc[i][v], last);
      } else {
        if (s.accumulate) acc[i][v] = load(out + v * kLanes) + acc[i][v];
        store(out + v * kLanes, acc[i][v]);
      }
    }
  }
  return ahead;
}

using BrgemmTileFn = const float* (*)(const BrgemmBlock&, int64_t, int64_t, float*, int64_t,
                                      const float*);

struct BrgemmTileTable {
  BrgemmTileFn partial[kTileRows][kWidestVectors];
  BrgemmTileFn whole[kTileRows][kWidestVectors];
};

template <int R, int V>
constexpr void fill_brgemm_tiles(BrgemmTileTable& table) {
  table.partial[R - 1][V - 1] = brgemm_tile<R, V, true>;
  table.whole[R - 1][V - 1] = brgemm_tile<R, V, kFreeMasks>;
  if constexpr (V < tile_vectors(R)) {
    fill_brgemm_tiles<R, V + 1>(table);
  } else if constexpr (R < kTileRows) {
    fill_brgemm_tiles<R + 1, 1>(table);
  }
}
constexpr BrgemmTileTable make_brgemm_tiles() {
  BrgemmTileTable table{};
  fill_brgemm_tiles<1, 1>(table);
  return table;
}
constexpr BrgemmTileTable kBrgemmTiles = make_brgemm_tiles();

void brgemm_block(const BrgemmBlock& s) {
  if (s.m <= 0 || s.n <= 0) return;
  const int64_t tiles = (s.m + kTileRows - 1) / kTileRows;
  const int64_t base = s.m / tiles, longer = s.m - base * tiles;
  const int64_t vectors =
      s.b_panel != 1 ? kTileVectors : tile_vectors(static_cast<int>(base + (longer > 0)));
  const int64_t width = vectors * kLanes;
  // Without anything to ask for it asks for what is near.
  const float* ahead = s.ahead != nullptr ? s.ahead : s.c;
  for (int64_t col = 0; col < s.n; col += width) {
    const int64_t cols = s.n - col < width ? s.n - col : width;
    const int64_t used = (cols + kLanes - 1) / kLanes;
    const int64_t last = cols - (used - 1) * kLanes;
    const auto& by_rows = last == kLanes ? kBrgemmTiles.whole : kBrgemmTiles.partial;
    for (int64_t t = 0, row = 0; t < tiles; ++t) {
      const int64_t rows = base + (t < longer);
      ahead =
          by_rows[rows - 1][used - 1](s, s.a_offset + row * s.a_row, s.b_offset + col * s.b_panel,
                                      s.c + row * s.ldc + col, last, ahead);
      row += rows;
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
