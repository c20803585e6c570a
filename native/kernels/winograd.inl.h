// Winograd's transforms over vectors of channels; contracts in winograd.h. Each is a 1-D transform
// of all columns, then of all rows. Their constants follow from the points that the polynomials are
// evaluated at: F(2x2, 3x3) takes 0, 1, -1 and infinity; F(4x4, 3x3) and F(3x3, 4x4) take 0, +-a,
// +-b and infinity with a = 5/8, b = 3/2. Of such points these have about the smallest error: less
// than half of that of the usual 1 and 2 (docs/numerics.md has figures). With fma() any points cost
// the same.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr float kA = 0.625f, kB = 1.5f;
constexpr float kA2 = kA * kA, kB2 = kB * kB;  // exact, as are their sum and product
// What G's rows are divided by, so that B^T and A^T need no division.
constexpr float kOver0 = 1 / (kA2 * kB2);
constexpr float kOverA = 1 / (2 * kA2 * (kA2 - kB2)), kOverB = 1 / (2 * kB2 * (kB2 - kA2));

// B^T of four or six values.
MYELIN_INLINE void winograd_input_1d(Vec (&d)[4]) {
  const Vec d1 = d[1], d2 = d[2];
  d[0] = d[0] - d2;
  d[1] = d1 + d2;
  d[2] = d2 - d1;
  d[3] = d[3] - d1;
}
MYELIN_INLINE void winograd_input_1d(Vec (&d)[6]) {
  const Vec a = broadcast(kA), b = broadcast(kB), a2 = broadcast(kA2), b2 = broadcast(kB2);
  const Vec both = broadcast(kA2 + kB2), product = broadcast(kA2 * kB2);
  const Vec d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4];
  const Vec even_a = fnma(b2, d2, d4), odd_a = fnma(b2, d1, d3);
  const Vec even_b = fnma(a2, d2, d4), odd_b = fnma(a2, d1, d3);
  d[0] = fma(product, d[0], fnma(both, d2, d4));
  d[5] = fma(product, d1, fnma(both, d3, d[5]));
  d[1] = fma(a, odd_a, even_a);
  d[2] = fnma(a, odd_a, even_a);
  d[3] = fma(b, odd_b, even_b);
  d[4] = fnma(b, odd_b, even_b);
}

// A^T of four values to two, or of six to four.
MYELIN_INLINE void winograd_output_1d(const Vec (&m)[4], Vec (&y)[2]) {
  y[0] = m[0] + m[1] + m[2];
  y[1] = m[1] - m[2] + m[3];
}
MYELIN_INLINE void winograd_output_1d(const Vec (&m)[6], Vec (&y)[4]) {
  const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2];
  const Vec even_b = m[3] + m[4], odd_b = m[3] - m[4];
  y[0] = m[0] + even_a + even_b;
  y[1] = fma(broadcast(kB), odd_b, broadcast(kA) * odd_a);
  y[2] = fma(broadcast(kB2), even_b, broadcast(kA2) * even_a);
  y[3] = fma(broadcast(kB2 * kB), odd_b, fma(broadcast(kA2 * kA), odd_a, m[5]));
}
// A^T of F(3x3, 4x4): six values to three.
MYELIN_INLINE void winograd_output_1d(const Vec (&m)[6], Vec (&y)[3]) {
  const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2];
  const Vec even_b = m[3] + m[4], odd_b = m[3] - m[4];
  y[0] = m[0] + even_a + even_b;
  y[1] = fma(broadcast(kB), odd_b, broadcast(kA) * odd_a);
  y[2] = fma(broadcast(kB2), even_b, fma(broadcast(kA2), even_a, m[5]));
}

// G of three values to four or six, of four to six.
MYELIN_INLINE void winograd_kernel_1d(const Vec (&g)[3], Vec (&u)[4]) {
  const Vec half = broadcast(0.5f), even = half * (g[0] + g[2]);
  u[0] = g[0];
  u[1] = fma(half, g[1], even);
  u[2] = fnma(half, g[1], even);
  u[3] = g[2];
}
MYELIN_INLINE void winograd_kernel_1d(const Vec (&g)[3], Vec (&u)[6]) {
  const Vec even_a = fma(broadcast(kA2 * kOverA), g[2], broadcast(kOverA) * g[0]);
  const Vec even_b = fma(broadcast(kB2 * kOverB), g[2], broadcast(kOverB) * g[0]);
  const Vec a = broadcast(kA * kOverA), b = broadcast(kB * kOverB);
  u[0] = broadcast(kOver0) * g[0];
  u[1] = fma(a, g[1], even_a);
  u[2] = fnma(a, g[1], even_a);
  u[3] = fma(b, g[1], even_b);
  u[4] = fnma(b, g[1], even_b);
  u[5] = g[2];
}
MYELIN_INLINE void winograd_kernel_1d(const Vec (&g)[4], Vec (&u)[6]) {
  const Vec even_a = fma(broadcast(kA2 * kOverA), g[2], broadcast(kOverA) * g[0]);
  const Vec even_b = fma(broadcast(kB2 * kOverB), g[2], broadcast(kOverB) * g[0]);
  const Vec odd_a = fma(broadcast(kA2), g[3], g[1]), odd_b = fma(broadcast(kB2), g[3], g[1]);
  const Vec a = broadcast(kA * kOverA), b = broadcast(kB * kOverB);
  u[0] = broadcast(kOver0) * g[0];
  u[1] = fma(a, odd_a, even_a);
  u[2] = fnma(a, odd_a, even_a);
  u[3] = fma(b, odd_b, even_b);
  u[4] = fnma(b, odd_b, even_b);
  u[5] = g[3];
}

// Of a tile's pixel, `left` channels from here on.
template <bool kWhole>
MYELIN_INLINE Vec winograd_pixel(const float* x, const WinogradTile& tile, int i, int j,
                                 int64_t left) {
  if (!kWhole && (i < tile.first_row || i >= tile.last_row || j < tile.first_column ||
                  j >= tile.last_column)) {
    return zero();
  }
  const float* p = x + i * tile.row + j * tile.column;
  return left < kLanes ? load_partial(p, left) : load(p);
}

template <int N, bool kWhole>
MYELIN_INLINE void winograd_input_vector(const float* x, const WinogradTile& tile, int64_t left,
                                         float* out, int64_t plane) {
  Vec mid[N][N];
  MYELIN_UNROLL for (int j = 0; j < N; ++j) {
    Vec d[N];
    MYELIN_UNROLL for (int i = 0; i < N; ++i) d[i] = winograd_pixel<kWhole>(x, tile, i, j, left);
    winograd_input_1d(d);
    MYELIN_UNROLL for (int i = 0; i < N; ++i) mid[i][j] = d[i];
  }
  MYELIN_UNROLL for (int i = 0; i < N; ++i) {
    winograd_input_1d(mid[i]);
    MYELIN_UNROLL for (int j = 0; j < N; ++j) store(out + (i * N + j) * plane, mid[i][j]);
  }
}

MYELIN_INLINE bool is_whole(const WinogradTile& tile, int size) {
  return tile.first_row == 0 && tile.first_column == 0 && tile.last_row == size &&
         tile.last_column == size;
}

template <int N>
MYELIN_INLINE void winograd_input(const float* x, const WinogradTile& tile, int64_t channels,
                                  float* out, int64_t plane) {
  const bool whole = is_whole(tile, N);
  int64_t c = 0;
  if (whole) {
    for (; c + kLanes <= channels; c += kLanes) {
      winograd_input_vector<N, true>(x + c, tile, kLanes, out + c, plane);
    }
  }
  for (; c < channels; c += kLanes) {
    winograd_input_vector<N, false>(x + c, tile, channels - c, out + c, plane);
  }
}

void winograd_input_2(const float* x, const WinogradTile& tile, int64_t channels, float* out,
                      int64_t plane) {
  winograd_input<4>(x, tile, channels, out, plane);
}
void winograd_input_4(const float* x, const WinogradTile& tile, int64_t channels, float* out,
                      int64_t plane) {
  winograd_input<6>(x, tile, channels, out, plane);
}

template <int M, bool kWhole>
MYELIN_INLINE void winograd_output_vector(const float* m, int64_t plane, const WinogradTile& tile,
                                          int64_t left, float* y) {
  constexpr int N = M + 2;
  Vec mid[M][N];
  MYELIN_UNROLL for (int j = 0; j < N; ++j) {
    Vec column[N], to[M];
    MYELIN_UNROLL for (int i = 0; i < N; ++i) column[i] = load(m + (i * N + j) * plane);
    winograd_output_1d(column, to);
    MYELIN_UNROLL for (int i = 0; i < M; ++i) mid[i][j] = to[i];
  }
  MYELIN_UNROLL for (int i = 0; i < M; ++i) {
    if (!kWhole && (i < tile.first_row || i >= tile.last_row)) continue;
    Vec to[M];
    winograd_output_1d(mid[i], to);
    MYELIN_UNROLL for (int j = 0; j < M; ++j) {
      if (!kWhole && (j < tile.first_column || j >= tile.last_column)) continue;
      float* p = y + i * tile.row + j * tile.column;
      if (kWhole || left >= kLanes) {
        store(p, to[j]);
      } else {
        store_partial(p, to[j], left);
      }
    }
  }
}

template <int M>
MYELIN_INLINE void winograd_output(const float* m, int64_t plane, const WinogradTile& tile,
                                   int64_t channels, float* y) {
  const bool whole = is_whole(tile, M);
  int64_t c = 0;
  if (whole) {
    for (; c + kLanes <= channels; c += kLanes) {
      winograd_output_vector<M, true>(m + c, plane, tile, kLanes, y + c);
    }
  }
  for (; c < channels; c += kLanes) {
    winograd_output_vector<M, false>(m + c, plane, tile, channels - c, y + c);
  }
}

void winograd_output_2(const float* m, int64_t plane, const WinogradTile& tile, int64_t channels,
                       float* y) {
  winograd_output<2>(m, plane, tile, channels, y);
}
void winograd_output_4(const float* m, int64_t plane, const WinogradTile& tile, int64_t channels,
                       float* y) {
  winograd_output<4>(m, plane, tile, channels, y);
}

template <int N>
MYELIN_INLINE void winograd_kernel(const float* g, int64_t tap, int64_t n, float* out,
                                   int64_t panel, int64_t plane) {
  constexpr int64_t kPanelWidth = kTileVectors * kLanes;
  const int64_t width = (n + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
  for (int64_t c = 0; c < width; c += kLanes) {
    const int64_t left = n - c < 0 ? 0 : n - c < kLanes ? n - c : kLanes;
    const float* from = g + (left > 0 ? c : 0);
    Vec mid[3][N];
    MYELIN_UNROLL for (int i = 0; i < 3; ++i) {
      Vec row[3];
      MYELIN_UNROLL for (int j = 0; j < 3; ++j) {
        row[j] = load_partial(from + (i * 3 + j) * tap, left);
      }
      winograd_kernel_1d(row, mid[i]);
    }
    float* to = out + c / kPanelWidth * panel + c % kPanelWidth;
    MYELIN_UNROLL for (int j = 0; j < N; ++j) {
      Vec column[3], u[N];
      MYELIN_UNROLL for (int i = 0; i < 3; ++i) column[i] = mid[i][j];
      winograd_kernel_1d(column, u);
      MYELIN_UNROLL for (int i = 0; i < N; ++i) store(to + (i * N + j) * plane, u[i]);
    }
  }
}

void winograd_kernel_2(const float* g, int64_t tap, int64_t n, float* out, int64_t panel,
                       int64_t plane) {
  winograd_kernel<4>(g, tap, n, out, panel, plane);
}
void winograd_kernel_4(const float* g, int64_t tap, int64_t n, float* out, int64_t panel,
                       int64_t plane) {
  winograd_kernel<6>(g, tap, n, out, panel, plane);
}

template <bool kWhole>
MYELIN_INLINE void winograd_grad_vector(const float* dy, const WinogradTile& tile, int64_t left,
                                        float* out, int64_t plane) {
  Vec mid[6][4];
  MYELIN_UNROLL for (int j = 0; j < 4; ++j) {
    Vec d[4], u[6];
    MYELIN_UNROLL for (int i = 0; i < 4; ++i) d[i] = winograd_pixel<kWhole>(dy, tile, i, j, left);
    winograd_kernel_1d(d, u);
    MYELIN_UNROLL for (int i = 0; i < 6; ++i) mid[i][j] = u[i];
  }
  MYELIN_UNROLL for (int i = 0; i < 6; ++i) {
    Vec u[6];
    winograd_kernel_1d(mid[i], u);
    MYELIN_UNROLL for (int j = 0; j < 6; ++j) store(out + (i * 6 + j) * plane, u[j]);
  }
}

void winograd_grad_4(const float* dy, const WinogradTile& tile, int64_t channels, float* out,
                     int64_t plane) {
  const bool whole = is_whole(tile, 4);
  int64_t c = 0;
  if (whole) {
    for (; c + kLanes <= channels; c += kLanes) {
      winograd_grad_vector<true>(dy + c, tile, kLanes, out + c, plane);
    }
  }
  for (; c < channels; c += kLanes) {
    winograd_grad_vector<false>(dy + c, tile, channels - c, out + c, plane);
  }
}

void winograd_kernel_grad_4(const float* m, int64_t plane, int64_t count, int64_t part, int64_t n,
                            float* dkernel, int64_t tap) {
  for (int64_t c = 0; c < n; c += kLanes) {
    const int64_t left = n - c < kLanes ? n - c : kLanes;
    Vec mid[3][6];
    MYELIN_UNROLL for (int j = 0; j < 6; ++j) {
      Vec column[6], to[3];
      MYELIN_UNROLL for (int i = 0; i < 6; ++i) {
        const float* from = m + (i * 6 + j) * plane + c;
        column[i] = load_partial(from, left);
        for (int64_t s = 1; s < count; ++s) {
          column[i] = column[i] + load_partial(from + s * part, left);
        }
      }
      winograd_output_1d(column, to);
      MYELIN_UNROLL for (int i = 0; i < 3; ++i) mid[i][j] = to[i];
    }
    MYELIN_UNROLL for (int i = 0; i < 3; ++i) {
      Vec to[3];
      winograd_output_1d(mid[i], to);
      MYELIN_UNROLL for (int j = 0; j < 3; ++j) {
        store_partial(dkernel + (i * 3 + j) * tap + c, to[j], left);
      }
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
