// Planning, blocking and threading of the matrix product. Three ways through it, chosen by size
// only:
//   in place  B not transposed and with little reuse, or near enough to need no copy
//   dot       B transposed and few rows: both operands are read along k
//   packed    everything else: a strip of B is copied in column panels, then used by all chunks
// C is cut into chunks; a chunk walks its blocks of k in order, so that an element of C sees the
// same additions in the same order however many threads there are. A is read in place, except where
// its columns collide in L1. Products with one column run transposed, as products with one row.
#include "gemm.h"

#include <algorithm>
#include <cstring>

#include "sizes.h"

namespace myelin {
namespace {

// Constants below were tried on Zen 5 (48 KiB L1, 1 MiB L2), with 16 and with 8 lanes; neighbours
// of each within a factor of two cost or gain 1 to 3 %.

// Steps of k per block. Longer blocks save additions into C; a panel of B (kBlockK x nr: 64 KiB at
// 32 columns, 32 KiB at 16) then comes from L2, whose prefetcher keeps up with it. At 16 lanes 320
// steps cost 2 to 4 % on squares from 512 on, at 8 lanes 1 %; 768 gain nothing more.
constexpr int64_t kBlockK = 512;
// Rows per chunk: kBlockRows x kBlockK of A (280 KiB) stay in L2 while the panels of B pass by.
constexpr int64_t kBlockRows = 140;
// Columns of B packed at a time: one block of k (1 MiB) streams through L2 while a chunk passes by.
// Twice as many cost 5 % at 2048 x 2048 x 2048.
constexpr int64_t kStripColumns = 512;
// Depth of a packed strip: this many floats of B (4 MiB), a share of L3; or, where C is small
// enough to stay in L2 (512 KiB) while strips of k go by, B and A together half of L2 and not a
// trip to L3.
constexpr int64_t kStripFloats = 1 << 20;
constexpr int64_t kSmallC = 128 << 10;
constexpr int64_t kSmallStripFloats = 256 << 10;

// B is used in place up to this many rows and floats (4 MiB), unless its rows are a multiple of 4
// KiB apart and so fall on the same sets of L1: then only for one tile of rows, which uses it once.
constexpr int64_t kInPlaceRows = 256;
constexpr int64_t kInPlaceFloats = 1 << 20;
constexpr int64_t kBadStride = 1024;
// However many the rows, a B of this many floats stays in L1 and L2 by itself (80 KiB).
constexpr int64_t kTinyB = 20 << 10;
// Columns of A beside rows of B in place are two streams of short reads. From so many floats of B
// (32 KiB) at fewer than 16 lanes, and from so many rows at any, B is packed then: 85 % of peak
// instead of 77 at 128 x 512 x 784, 87 instead of 64 at 25088 x 64 x 288.
constexpr int64_t kTurnedFloats = 8 << 10;
constexpr int64_t kTurnedRows = 1024;
// Up to this many rows reducing the lanes of dot products costs less than transposing B.
constexpr int64_t kDotRows = 32;

// Shorter sums cost more to reduce than B to transpose (7 times more at 32 x 256 x 10), unless
// there are hardly any.
constexpr int64_t kDotSteps = 96;
constexpr int64_t kDotOutputs = 64;

// Chunks of at least this many multiply-adds (1.2 us at 16 lanes) hide their hand-over between
// threads; 16 of them are enough for a load to even out.
constexpr int64_t kChunkWork = 150'000;
constexpr int64_t kWantedChunks = 16;
// With few rows a product is as fast as B can be read: then a chunk of this many floats of B (96
// KiB, 1 to 2 us from L2 or L3) is worth handing over.
constexpr int64_t kChunkFloats = 24 << 10;
// Below this (about 0.3 us) a product is one kernel call and planning would show.
constexpr int64_t kTinyWork = 16 << 10;
// Batches of products smaller than this (60 us) run one product per thread.
constexpr int64_t kSpreadWork = 8 << 20;

// Cuts a length into equal pieces of at most `most`; the size of a piece, at least 1.
int64_t even_piece(int64_t length, int64_t most) {
  return length <= most ? std::max<int64_t>(length, 1) : ceil_div(length, ceil_div(length, most));
}

// Rows of copied A: an odd number of cache lines apart, so that they spread over the sets of L1.
int64_t copy_stride(int64_t rows) { return (ceil_div(rows, 16) | 1) * 16; }

enum class Path { in_place, dot, packed };

struct Plan {
  Path path;
  int64_t block_k;              // steps of k per kernel call
  int64_t strip_k, strip_cols;  // part of B used, and packed, at a time
  int64_t rows, cols;           // size of a chunk of C
  int64_t packed_floats;        // of B, for all workers
  int64_t copied_floats;        // of A, for each worker; 0: A is read in place
};

bool prefers_dot(const Gemm& g) {
  return !g.trans_a && g.m <= kDotRows && (g.k >= kDotSteps || g.m * g.n <= kDotOutputs);
}

bool prefers_packed(const Gemm& g, const KernelTable& kernels) {
  if (!g.trans_a || g.m <= 2 * kernels.gemm_shape.mr || g.n < 16) return false;
  return g.m >= kTurnedRows || (kernels.lanes < 16 && g.n * g.k >= kTurnedFloats);
}

Path choose_path(const Gemm& g, const KernelTable& kernels) {
  if (g.packed_b) return Path::packed;
  if (g.trans_b) return prefers_dot(g) ? Path::dot : Path::packed;
  if (prefers_packed(g, kernels)) return Path::packed;
  const bool near = g.m <= kInPlaceRows && g.n * g.k <= kInPlaceFloats && g.ldb % kBadStride != 0;
  return g.m <= kernels.gemm_shape.mr || near || g.n * g.k <= kTinyB ? Path::in_place
                                                                     : Path::packed;
}

Plan make_plan(const KernelTable& kernels, const Gemm& g) {
  const int64_t mr = kernels.gemm_shape.mr, nr = kernels.gemm_shape.nr;
  Plan plan{};
  plan.path = choose_path(g, kernels);
  plan.block_k = even_piece(g.k, kBlockK);
  plan.strip_k = g.k;
  plan.strip_cols = g.n;
  if (plan.path == Path::packed) {
    plan.strip_cols = round_up(even_piece(g.n, kStripColumns), nr);
    const bool small_c = g.m * plan.strip_cols <= kSmallC;
    const int64_t per_step = plan.strip_cols + (small_c ? g.m : 0);
    const int64_t steps = (small_c ? kSmallStripFloats : kStripFloats) / per_step;
    plan.strip_k = std::min(g.k, std::max<int64_t>(1, steps / plan.block_k) * plan.block_k);
    if (g.packed_b) {
      plan.strip_k = g.k;
    } else {
      plan.packed_floats = plan.strip_cols * plan.strip_k;
    }
  }

  const int64_t work = g.m * plan.strip_cols * std::max<int64_t>(plan.strip_k, 1);
  const int64_t read = plan.strip_cols * std::max<int64_t>(plan.strip_k, 1);
  const int64_t wanted =
      std::clamp<int64_t>(std::max(work / kChunkWork, read / kChunkFloats), 1, kWantedChunks);
  const int64_t light = kChunkWork / (plan.strip_cols * std::max<int64_t>(plan.strip_k, 1));
  plan.rows = plan.path == Path::dot ? g.m : even_piece(g.m, std::max(kBlockRows, light));
  plan.cols = plan.strip_cols;
  // Rows are cut first, down to four tiles, which still share a panel of B in L1; then columns, in
  // whole panels (wide ones where one or two rows make the tiles wide).
  int64_t row_chunks = ceil_div(g.m, plan.rows);
  if (row_chunks < wanted && plan.rows > 4 * mr) {
    row_chunks = std::min(wanted, ceil_div(g.m, 4 * mr));
    plan.rows = ceil_div(g.m, row_chunks);
  }
  if (row_chunks < wanted) {
    const int64_t unit = plan.path == Path::dot ? 4 : g.m <= 2 ? 4 * nr : nr;
    plan.cols = round_up(ceil_div(plan.strip_cols, ceil_div(wanted, row_chunks)), unit);
  }
  // Elsewhere the copy costs more than it saves; here it takes 1024 x 1024 x 1024 at 8 lanes from
  // 55 to 88 % of peak.
  if (g.trans_a && plan.path == Path::packed && g.lda % kBadStride == 0 && plan.cols >= 4 * nr) {
    plan.copied_floats = copy_stride(plan.rows) * plan.block_k;
  }
  return plan;
}

// One product (one item of the batch), its operands and its scratch.
struct Run {
  const KernelTable& kernels;
  const Gemm& g;
  const Plan& plan;
  const float* a;
  const float* b;
  float* c;
  float* packed;
  float* copied;  // plan.copied_floats for each worker
  int64_t batch;
  const GemmEpilogue* epilogue;
};

// Part of B between two steps of k and two columns.
struct Strip {
  int64_t k0, depth, col0, cols;
};

// Loops on the pool, or on this thread where there is none (inside a loop over the batch).
template <class F>
void loop(ThreadPool* pool, int64_t count, F&& fn) {
  if (pool != nullptr) return pool->parallel_for(count, fn);
  for (int64_t i = 0; i < count; ++i) fn(i, 0);
}

// Fills r.packed: one block of k after another, each block a row of panels.
void pack_strip(const Run& r, ThreadPool* pool, const Strip& strip) {
  const Gemm& g = r.g;
  const int64_t nr = r.kernels.gemm_shape.nr, width = round_up(strip.cols, nr);
  const int64_t piece = 4 * nr, pieces = ceil_div(strip.cols, piece);
  loop(pool, pieces * ceil_div(strip.depth, r.plan.block_k), [&](int64_t chunk, int) {
    const int64_t block = chunk / pieces * r.plan.block_k, col = chunk % pieces * piece;
    const int64_t steps = std::min(r.plan.block_k, strip.depth - block);
    const int64_t from_k = strip.k0 + block, from_col = strip.col0 + col;
    const float* from =
        g.trans_b ? r.b + from_col * g.ldb + from_k : r.b + from_k * g.ldb + from_col;
    r.kernels.gemm_pack_b(steps, std::min(piece, strip.cols - col), from, g.ldb, g.trans_b,
                          r.packed + block * width + col * steps);
  });
}

// Adds a strip's share to rows [row, row + rows), columns [col, col + cols) of C.
void run_chunk(const Run& r, const Strip& strip, int64_t row, int64_t rows, int64_t col,
               int64_t cols, float* copied) {
  const Gemm& g = r.g;
  const int64_t nr = r.kernels.gemm_shape.nr, width = round_up(strip.cols, nr);
  GemmBlock s{};
  s.m = rows;
  s.n = cols;
  s.a_row = g.trans_a ? 1 : g.lda;
  s.a_step = g.trans_a ? g.lda : 1;
  s.b_step = r.plan.path == Path::packed ? nr : g.ldb;
  s.c = r.c + row * g.ldc + col;
  s.ldc = g.ldc;
  int64_t block = 0;
  do {
    const int64_t k = strip.k0 + block;
    s.k = std::min(r.plan.block_k, strip.depth - block);
    s.a = r.a + (g.trans_a ? k * g.lda + row : row * g.lda + k);
    if (copied != nullptr) {
      s.a_step = copy_stride(rows);
      for (int64_t p = 0; p < s.k; ++p) {
        std::memcpy(copied + p * s.a_step, s.a + p * g.lda, static_cast<size_t>(rows) * 4);
      }
      s.a = copied;
    }
    if (g.packed_b) {
      s.b = r.b + col * g.k + k * nr;
      s.b_panel = g.k;
    } else if (r.plan.path == Path::packed) {
      s.b = r.packed + block * width + (col - strip.col0) * s.k;
      s.b_panel = s.k;
    } else {
      s.b = r.b + k * g.ldb + col;
      s.b_panel = 1;
    }
    s.accumulate = g.accumulate || k > 0;
    r.kernels.gemm_block(s);
    block += r.plan.block_k;
  } while (block < strip.depth);
}

void run_strip(const Run& r, ThreadPool* pool, const Strip& strip) {
  const Gemm& g = r.g;
  const Plan& plan = r.plan;
  if (plan.path == Path::packed && !g.packed_b) pack_strip(r, pool, strip);
  const bool final = strip.k0 + strip.depth >= g.k && r.epilogue != nullptr;
  const int64_t row_chunks = ceil_div(g.m, plan.rows);
  // Chunks next to each other share columns of B.
  loop(pool, row_chunks * ceil_div(strip.cols, plan.cols), [&](int64_t chunk, int worker) {
    const int64_t row = chunk % row_chunks * plan.rows;
    const int64_t col = strip.col0 + chunk / row_chunks * plan.cols;
    const int64_t rows = std::min(plan.rows, g.m - row);
    const int64_t cols = std::min(plan.cols, strip.col0 + strip.cols - col);
    if (plan.path == Path::dot) {
      r.kernels.gemm_dot(rows, cols, g.k, r.a + row * g.lda, g.lda, r.b + col * g.ldb, g.ldb,
                         r.c + row * g.ldc + col, g.ldc, g.accumulate);
    } else {
      run_chunk(r, strip, row, rows, col, cols,
                plan.copied_floats > 0 ? r.copied + worker * plan.copied_floats : nullptr);
    }
    if (final) r.epilogue->apply(r.epilogue->ctx, r.batch, row, rows, col, cols);
  });
}

void run_item(const Run& r, ThreadPool* pool) {
  const Gemm& g = r.g;
  for (int64_t col0 = 0; col0 < g.n; col0 += r.plan.strip_cols) {
    const int64_t cols = std::min(r.plan.strip_cols, g.n - col0);
    int64_t k0 = 0;
    do {
      const int64_t depth = std::min(r.plan.strip_k, g.k - k0);
      run_strip(r, pool, {k0, depth, col0, cols});
      k0 += depth;
    } while (k0 < g.k);
  }
}

bool spread_over_batch(const Gemm& g) { return g.batch > 1 && g.m * g.n * g.k < kSpreadWork; }

// Whole product in one kernel call, where that is what the plan would come to.
bool is_tiny(const Gemm& g) {
  return !g.packed_b && g.m * g.n * g.k <= kTinyWork && g.k <= kBlockK &&
         (!g.trans_b || prefers_dot(g));
}

void run_tiny(const KernelTable& kernels, const Gemm& g, const float* a, const float* b, float* c) {
  if (g.trans_b) {
    kernels.gemm_dot(g.m, g.n, g.k, a, g.lda, b, g.ldb, c, g.ldc, g.accumulate);
    return;
  }
  kernels.gemm_block({g.m, g.n, g.k, a, g.trans_a ? 1 : g.lda, g.trans_a ? g.lda : 1, b, 1, g.ldb,
                      c, g.ldc, g.accumulate});
}

// C is one dense column: the same numbers as one row, from operands that change places.
bool is_column(const Gemm& g) {
  return g.n == 1 && g.m > 1 && g.ldc == 1 && !g.packed_b && (g.trans_b || g.ldb == 1);
}

Gemm as_row(const Gemm& g) {
  Gemm t = g;
  t.m = 1;
  t.n = g.m;
  t.trans_a = false;
  t.trans_b = !g.trans_a;
  t.lda = g.k;
  t.ldb = g.lda;
  t.ldc = g.m;
  t.stride_a = g.stride_b;
  t.stride_b = g.stride_a;
  return t;
}

void apply_as_column(void* ctx, int64_t batch, int64_t row0, int64_t rows, int64_t col0,
                     int64_t cols) {
  const GemmEpilogue& epilogue = *static_cast<const GemmEpilogue*>(ctx);
  epilogue.apply(epilogue.ctx, batch, col0, cols, row0, rows);
}

// An outer product reads B the same way whether it is a row or a column.
bool is_outer(const Gemm& g) { return g.k == 1 && g.trans_b && g.ldb == 1 && !g.packed_b; }

Gemm as_plain_outer(const Gemm& g) {
  Gemm t = g;
  t.trans_b = false;
  t.ldb = g.n;
  return t;
}

// Where B packed ahead beats B as it is: nearly everywhere, by 2 to 50 %, because its rows need
// neither copying nor reading across pages. A B that stays in L1 and L2 by itself is as good in
// place, and so is one of less than a panel.
bool gains_packed(const KernelTable& kernels, const Gemm& g) {
  return g.n >= kernels.gemm_shape.nr && g.n * g.k > kTinyB;
}

// Few rows of A, turned round, and B too: turning A back costs next to nothing, and dot products
// can read B as it is (8 x 512 x 512 at 16 lanes: 41 % of peak otherwise).
bool is_turned_dot(const Gemm& g) {
  if (!g.trans_a || !g.trans_b || g.packed_b || g.batch != 1 || g.n < 2 || g.k < kDotSteps) {
    return false;
  }
  Gemm t = g;
  t.trans_a = false;
  return prefers_dot(t) && !is_tiny(t);
}

Gemm as_dot(const Gemm& g) {
  Gemm t = g;
  t.trans_a = false;
  t.lda = copy_stride(g.k);
  return t;
}

size_t workspace_floats(const KernelTable& kernels, const Gemm& g, int threads) {
  if (is_tiny(g)) return 0;
  const Plan plan = make_plan(kernels, g);
  const int64_t packs = spread_over_batch(g) ? threads : 1;
  return static_cast<size_t>(packs * plan.packed_floats + threads * plan.copied_floats);
}

void run_all(const KernelTable& kernels, ThreadPool& pool, const Gemm& g, const float* a,
             const float* b, float* c, float* scratch, const GemmEpilogue* epilogue) {
  const bool tiny = is_tiny(g);
  if (tiny && g.batch == 1) {
    run_tiny(kernels, g, a, b, c);
    if (epilogue != nullptr) epilogue->apply(epilogue->ctx, 0, 0, g.m, 0, g.n);
    return;
  }
  const Plan plan = make_plan(kernels, g);
  const auto item = [&](int64_t i, float* packed, float* copied, ThreadPool* on) {
    run_item({kernels, g, plan, a + i * g.stride_a, b + i * g.stride_b, c + i * g.stride_c, packed,
              copied, i, epilogue},
             on);
  };
  if (!spread_over_batch(g)) {
    for (int64_t i = 0; i < g.batch; ++i) {
      item(i, scratch, scratch + plan.packed_floats, &pool);
    }
    return;
  }
  const int64_t together = 1 + kChunkWork / (g.m * g.n * std::max<int64_t>(g.k, 1));
  pool.parallel_for(ceil_div(g.batch, together), [&](int64_t chunk, int worker) {
    float* packed = scratch + worker * (plan.packed_floats + plan.copied_floats);
    const int64_t end = std::min(g.batch, (chunk + 1) * together);
    for (int64_t i = chunk * together; i < end; ++i) {
      if (tiny) {
        run_tiny(kernels, g, a + i * g.stride_a, b + i * g.stride_b, c + i * g.stride_c);
        if (epilogue != nullptr) epilogue->apply(epilogue->ctx, i, 0, g.m, 0, g.n);
      } else {
        item(i, packed, packed + plan.packed_floats, nullptr);
      }
    }
  });
}

}  // namespace

size_t gemm_packed_bytes(const KernelTable& kernels, const Gemm& g) {
  if (g.batch != 1 || g.n < 2 || g.k < 2 || !gains_packed(kernels, g)) return 0;
  return static_cast<size_t>(round_up(g.n, kernels.gemm_shape.nr) * g.k) * sizeof(float);
}

void gemm_pack(const KernelTable& kernels, ThreadPool& pool, const Gemm& g, const float* b,
               float* packed) {
  const int64_t piece = 4 * kernels.gemm_shape.nr;
  pool.parallel_for(ceil_div(g.n, piece), [&](int64_t chunk, int) {
    const int64_t col = chunk * piece;
    kernels.gemm_pack_b(g.k, std::min(piece, g.n - col), b + (g.trans_b ? col * g.ldb : col), g.ldb,
                        g.trans_b, packed + col * g.k);
  });
}

size_t gemm_workspace_bytes(const KernelTable& kernels, const Gemm& g, int threads) {
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0) return 0;
  if (is_turned_dot(g)) return static_cast<size_t>(g.m * copy_stride(g.k)) * sizeof(float);
  const Gemm shape = is_column(g) ? as_row(g) : is_outer(g) ? as_plain_outer(g) : g;
  return workspace_floats(kernels, shape, threads) * sizeof(float);
}

void gemm(const KernelTable& kernels, ThreadPool& pool, const Gemm& g, const float* a,
          const float* b, float* c, void* workspace, const GemmEpilogue* epilogue) {
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0) return;
  float* scratch = static_cast<float*>(workspace);
  if (is_column(g)) {
    const GemmEpilogue flipped = {apply_as_column, const_cast<GemmEpilogue*>(epilogue)};
    run_all(kernels, pool, as_row(g), b, a, c, scratch, epilogue ? &flipped : nullptr);
  } else if (is_outer(g)) {
    run_all(kernels, pool, as_plain_outer(g), a, b, c, scratch, epilogue);
  } else if (is_turned_dot(g)) {
    const Gemm dot = as_dot(g);
    kernels.transpose_32(a, g.lda, g.k, g.m, scratch, dot.lda);
    run_all(kernels, pool, dot, scratch, b, c, nullptr, epilogue);
  } else {
    run_all(kernels, pool, g, a, b, c, scratch, epilogue);
  }
}

}  // namespace myelin
