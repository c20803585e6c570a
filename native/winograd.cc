// Blocking and threading of Winograd's convolution. Tiles are taken by whole rows of tiles, a block
// of them at a time: transformed input and products of a block stay in L2 between the three steps.
// Each output element is one tile's own business, so its bits depend on no split.
#include "winograd.h"

#include <algorithm>

#include "sizes.h"

namespace myelin {
namespace {

// Transformed tiles of a block, input and products together: a share of L2 (1 MiB) that leaves room
// for the transformed kernel to stream through.
constexpr int64_t kBlockFloats = 100 << 10;
// As kBlockK of gemm.cc: a panel of the transformed kernel stays in L1.
constexpr int64_t kBlockK = 320;
// Problems of fewer blocks than this run step by step, all tiles at a time, the products split by
// planes: a block each would have too few rows for the register tiles, and each thread would stream
// the whole kernel.
constexpr int64_t kFewBlocks = 6;
// The kernel's gradient is summed in up to this many parts, of together at most so many floats.
constexpr int64_t kParts = 16;
constexpr int64_t kPartFloats = 2 << 20;

// Distance of planes: an odd number of cache lines, so that one tile's values spread over the sets
// of L1. As powers of two they would all fall on the same few.
int64_t plane_floats(int64_t floats) { return (ceil_div(floats, 16) | 1) * 16; }

struct Plan {
  int n;                       // size of an input tile
  int64_t planes;              // n * n
  int64_t tile_rows, tiles_x;  // rows of tiles in all images, tiles in a row
  int64_t in_row, out_row;     // floats of a transformed tile in one plane
  int64_t rows, blocks;        // rows of tiles in a block
  int64_t block_k, width, kernel_plane;
};

Plan make_plan(const KernelTable& kernels, const Winograd& w, int tile) {
  Plan p{};
  p.n = tile + 2;
  p.planes = p.n * p.n;
  p.tile_rows = w.batch * ceil_div(w.out_height, tile);
  p.tiles_x = ceil_div(w.out_width, tile);
  p.in_row = round_up(w.in, 16);
  p.out_row = round_up(w.out, 16);
  const int64_t row = p.planes * p.tiles_x * (p.in_row + p.out_row);
  p.rows = std::clamp<int64_t>(kBlockFloats / std::max<int64_t>(row, 1), 1,
                               std::max<int64_t>(p.tile_rows, 1));
  p.blocks = ceil_div(p.tile_rows, p.rows);
  p.block_k = ceil_div(w.in, std::max<int64_t>(1, ceil_div(w.in, kBlockK)));
  p.width = round_up(w.out, kernels.gemm_shape.nr);
  p.kernel_plane = plane_floats(w.in * p.width);
  return p;
}

bool is_empty(const Winograd& w) { return w.batch * w.out_height * w.out_width * w.out == 0; }

// Where a tile lies in an image of these sizes, if its first pixel is (row, column).
WinogradTile tile_at(int64_t row, int64_t column, int size, int64_t height, int64_t width,
                     int64_t channels) {
  const auto from = [&](int64_t at) {
    return static_cast<int32_t>(std::clamp<int64_t>(-at, 0, size));
  };
  const auto to = [&](int64_t at, int64_t length) {
    return static_cast<int32_t>(std::clamp<int64_t>(length - at, 0, size));
  };
  return {width * channels, channels, from(row), to(row, height), from(column), to(column, width)};
}

// One row of tiles: calls fn(image, first output row, first output column, index in the row).
template <class F>
void for_tiles(const Winograd& w, const Plan& p, int64_t tile_row, F&& fn) {
  const int64_t m = p.n - 2, per_image = ceil_div(w.out_height, m);
  const int64_t image = tile_row / per_image, row = tile_row % per_image * m;
  for (int64_t t = 0; t < p.tiles_x; ++t) fn(image, row, t * m, t);
}

// Transforms one row of tiles of x to the rows of planes at `to`.
void transform_input(WinogradInput* transform, const Winograd& w, const Plan& p, const float* x,
                     int64_t tile_row, float* to, int64_t plane) {
  for_tiles(w, p, tile_row, [&](int64_t image, int64_t row, int64_t column, int64_t t) {
    const int64_t i = row - w.top, j = column - w.left;
    const float* from = x + ((image * w.height + i) * w.width + j) * w.in;
    transform(from, tile_at(i, j, p.n, w.height, w.width, w.in), w.in, to + t * p.in_row, plane);
  });
}

// Makes one row of tiles of y, and ends with the epilogue over its pixels.
void transform_output(WinogradOutput* transform, const Winograd& w, const Plan& p,
                      const float* from, int64_t plane, int64_t tile_row, float* y,
                      const GemmEpilogue* epilogue) {
  const int m = p.n - 2;
  int64_t first = 0, rows = 0;
  for_tiles(w, p, tile_row, [&](int64_t image, int64_t row, int64_t column, int64_t t) {
    first = image * w.out_height + row;
    rows = std::min<int64_t>(m, w.out_height - row);
    transform(from + t * p.out_row, plane,
              tile_at(row, column, m, w.out_height, w.out_width, w.out), w.out,
              y + (first * w.out_width + column) * w.out);
  });
  if (epilogue != nullptr) {
    epilogue->apply(epilogue->ctx, 0, first * w.out_width, rows * w.out_width, 0, w.out);
  }
}

// One plane of `tiles` tiles: their products with the transformed kernel.
void multiply(const KernelTable& kernels, const Winograd& w, const Plan& p, int64_t index,
              int64_t tiles, const float* in, int64_t in_plane, const float* packed, float* out,
              int64_t out_plane) {
  const int64_t nr = kernels.gemm_shape.nr;
  int64_t k = 0;
  do {
    const int64_t steps = std::min(p.block_k, w.in - k);
    kernels.gemm_block({tiles, w.out, steps, in + index * in_plane + k, p.in_row, 1,
                        packed + index * p.kernel_plane + k * p.width, steps, nr,
                        out + index * out_plane, p.out_row, k > 0});
    k += p.block_k;
  } while (k < w.in);
}

// Planes of all tiles at once, or of one block for each worker.
bool step_by_step(const Plan& p) { return p.blocks < kFewBlocks; }
int64_t tiles_at_once(const Plan& p) {
  return (step_by_step(p) ? p.tile_rows : p.rows) * p.tiles_x;
}

}  // namespace

size_t winograd_kernel_floats(const KernelTable& kernels, const Winograd& w) {
  const Plan p = make_plan(kernels, w, w.tile);
  return static_cast<size_t>(p.planes * p.kernel_plane);
}

void winograd_pack_kernel(const KernelTable& kernels, ThreadPool& pool, const Winograd& w,
                          const float* kernel, bool transposed, float* scratch, float* packed) {
  const Plan p = make_plan(kernels, w, w.tile);
  const int64_t nr = kernels.gemm_shape.nr, tap = w.in * w.out;
  if (transposed) {
    pool.parallel_for(9, [&](int64_t t, int) {
      kernels.transpose_32(kernel + t * tap, w.in, w.out, w.in, scratch + (8 - t) * tap, w.out);
    });
    kernel = scratch;
  }
  const auto transform = w.tile == 2 ? kernels.winograd_kernel_2 : kernels.winograd_kernel_4;
  // Enough to hide a hand-over between threads: about 8 us.
  const int64_t rows = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, p.width));
  pool.parallel_for(ceil_div(w.in, rows), [&](int64_t chunk, int) {
    for (int64_t c = chunk * rows; c < std::min(w.in, (chunk + 1) * rows); ++c) {
      const int64_t k = c / p.block_k * p.block_k, steps = std::min(p.block_k, w.in - k);
      transform(kernel + c * w.out, tap, w.out, packed + k * p.width + (c - k) * nr, steps * nr,
                p.kernel_plane);
    }
  });
}

size_t winograd_workspace_bytes(const KernelTable& kernels, const Winograd& w, int threads) {
  if (is_empty(w)) return 0;
  const Plan p = make_plan(kernels, w, w.tile);
  const int64_t tiles = tiles_at_once(p);
  const int64_t floats =
      p.planes * (plane_floats(tiles * p.in_row) + plane_floats(tiles * p.out_row));
  return static_cast<size_t>(floats * (step_by_step(p) ? 1 : threads)) * sizeof(float);
}

void winograd(const KernelTable& kernels, ThreadPool& pool, const Winograd& w, const float* x,
              const float* packed, float* y, void* workspace, const GemmEpilogue* epilogue) {
  if (is_empty(w)) return;
  const Plan p = make_plan(kernels, w, w.tile);
  const auto input = w.tile == 2 ? kernels.winograd_input_2 : kernels.winograd_input_4;
  const auto output = w.tile == 2 ? kernels.winograd_output_2 : kernels.winograd_output_4;
  const int64_t tiles = tiles_at_once(p);
  const int64_t in_plane = plane_floats(tiles * p.in_row);
  const int64_t out_plane = plane_floats(tiles * p.out_row);
  float* const scratch = static_cast<float*>(workspace);
  if (step_by_step(p)) {
    float* const products = scratch + p.planes * in_plane;
    pool.parallel_for(p.tile_rows, [&](int64_t row, int) {
      transform_input(input, w, p, x, row, scratch + row * p.tiles_x * p.in_row, in_plane);
    });
    pool.parallel_for(p.planes, [&](int64_t plane, int) {
      multiply(kernels, w, p, plane, tiles, scratch, in_plane, packed, products, out_plane);
    });
    pool.parallel_for(p.tile_rows, [&](int64_t row, int) {
      transform_output(output, w, p, products + row * p.tiles_x * p.out_row, out_plane, row, y,
                       epilogue);
    });
    return;
  }
  pool.parallel_for(p.blocks, [&](int64_t block, int worker) {
    float* const in = scratch + worker * p.planes * (in_plane + out_plane);
    float* const products = in + p.planes * in_plane;
    const int64_t first = block * p.rows, last = std::min(p.tile_rows, first + p.rows);
    for (int64_t row = first; row < last; ++row) {
      transform_input(input, w, p, x, row, in + (row - first) * p.tiles_x * p.in_row, in_plane);
    }
    for (int64_t plane = 0; plane < p.planes; ++plane) {
      multiply(kernels, w, p, plane, (last - first) * p.tiles_x, in, in_plane, packed, products,
               out_plane);
    }
    for (int64_t row = first; row < last; ++row) {
      transform_output(output, w, p, products + (row - first) * p.tiles_x * p.out_row, out_plane,
                       row, y, epilogue);
    }
  });
}

// The gradient of the kernel: sums over tiles of (transformed x)^T (transformed dy), plane by
// plane. Rows of tiles are shared out to parts, each summed in order by one thread; the parts are
// added in order as they are transformed back.
namespace {

struct GradPlan {
  Plan p;
  int64_t sum_plane, parts;
};

GradPlan make_grad_plan(const KernelTable& kernels, const Winograd& w) {
  GradPlan g{make_plan(kernels, w, 4), 0, 0};
  g.sum_plane = plane_floats(w.in * w.out);
  const int64_t fit = kPartFloats / (g.p.planes * g.sum_plane);
  g.parts = std::max<int64_t>(1, std::min({kParts, fit, g.p.blocks}));
  return g;
}

}  // namespace

size_t winograd_kernel_grad_workspace_bytes(const KernelTable& kernels, const Winograd& w,
                                            int threads) {
  const GradPlan g = make_grad_plan(kernels, w);
  const int64_t tiles = g.p.rows * g.p.tiles_x;
  const int64_t block = plane_floats(tiles * g.p.in_row) + plane_floats(tiles * g.p.out_row);
  return static_cast<size_t>(g.p.planes * (g.parts * g.sum_plane + threads * block)) *
         sizeof(float);
}

void winograd_kernel_grad(const KernelTable& kernels, ThreadPool& pool, const Winograd& w,
                          const float* x, const float* dy, float* dkernel, void* workspace) {
  const GradPlan g = make_grad_plan(kernels, w);
  const Plan& p = g.p;
  const int64_t tiles = p.rows * p.tiles_x, weights = w.in * w.out;
  const int64_t in_plane = plane_floats(tiles * p.in_row);
  const int64_t out_plane = plane_floats(tiles * p.out_row);
  const int64_t part_floats = p.planes * g.sum_plane;
  float* const sums = static_cast<float*>(workspace);
  float* const scratch = sums + g.parts * part_floats;
  pool.parallel_for(g.parts, [&](int64_t part, int worker) {
    float* const in = scratch + worker * p.planes * (in_plane + out_plane);
    float* const out = in + p.planes * in_plane;
    float* const sum = sums + part * part_floats;
    const int64_t begin = p.tile_rows * part / g.parts;
    const int64_t end = p.tile_rows * (part + 1) / g.parts;
    int64_t first = begin;
    do {
      const int64_t last = std::min(end, first + p.rows);
      for (int64_t row = first; row < last; ++row) {
        const int64_t at = (row - first) * p.tiles_x;
        transform_input(kernels.winograd_input_4, w, p, x, row, in + at * p.in_row, in_plane);
        for_tiles(w, p, row, [&](int64_t image, int64_t i, int64_t j, int64_t t) {
          kernels.winograd_grad_4(dy + ((image * w.out_height + i) * w.out_width + j) * w.out,
                                  tile_at(i, j, 4, w.out_height, w.out_width, w.out), w.out,
                                  out + (at + t) * p.out_row, out_plane);
        });
      }
      for (int64_t plane = 0; plane < p.planes; ++plane) {
        kernels.gemm_block({w.in, w.out, (last - first) * p.tiles_x, in + plane * in_plane, 1,
                            p.in_row, out + plane * out_plane, 1, p.out_row,
                            sum + plane * g.sum_plane, w.out, first > begin});
      }
      first = last;
    } while (first < end);
  });
  const int64_t piece = 4096;
  pool.parallel_for(ceil_div(weights, piece), [&](int64_t chunk, int) {
    const int64_t at = chunk * piece;
    kernels.winograd_kernel_grad_4(sums + at, g.sum_plane, g.parts, part_floats,
                                   std::min(piece, weights - at), dkernel + at, weights);
  });
}

}  // namespace myelin
